//! What survives a restart.

use std::sync::Arc;

use serde_json::json;
use simulator::{MerchantApp, OpenError, Settings, Simulator};

use crate::harness::{Receiver, TestClock, World, merchant, merchant_key, page_pay};

#[tokio::test]
async fn keys_trades_refunds_faults_and_apps_survive() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(Some(folder.path().into()), Vec::new(), 1).await;
    world.simulator.register(merchant()).unwrap();
    world.open_paid("A1", None).await;
    let content = json!({"out_trade_no": "A1", "out_request_no": "R1", "refund_amount": "0.40"});
    world.call("alipay.trade.refund", content.clone()).await;
    world.faults("A2", json!({"answer": {"rate_limit": 1}})).await;
    let key = world.key.to_spki_base64();
    let before = world.book_entry("A1").await;
    world.shut().await;

    let world = World::with(Some(folder.path().into()), Vec::new(), 1).await;
    assert_eq!(world.key.to_spki_base64(), key);
    let after = world.book_entry("A1").await;
    for field in ["trade_no", "status", "refunded_fen", "paid_at", "refunds"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(world.call("alipay.trade.refund", content).await["fund_change"], "N");
    let limited = world.call("alipay.trade.query", json!({"out_trade_no": "A2"})).await;
    assert_eq!(limited["code"], "40005");
    world.open_paid("A3", None).await;
    let numbers: Vec<_> = world.read("trades").await["trades"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trade| trade["out_trade_no"].clone())
        .collect();
    assert_eq!(numbers, [json!("A1"), json!("A3")]);
}

#[tokio::test]
async fn what_was_answered_is_on_disk_without_a_proper_end() {
    let (alive, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let world = World::with(Some(alive.path().into()), vec![merchant()], 1).await;
    world.open_paid("E1", None).await;
    for file in std::fs::read_dir(alive.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copied.path().join(file.file_name())).unwrap();
    }
    let heir = World::with(Some(copied.path().into()), vec![merchant()], 1).await;
    assert_eq!(heir.book_entry("E1").await["status"], "TRADE_SUCCESS");
    assert_eq!(heir.key.to_spki_base64(), world.key.to_spki_base64());
}

#[tokio::test]
async fn an_open_notification_is_sent_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::new().await;
    receiver.say("fail");
    let clock = TestClock::at("2026-11-22 10:00:00");
    let apps = || vec![merchant()];
    let world = World::at(Some(folder.path().into()), apps(), 1, Arc::clone(&clock)).await;
    world.open_paid("B1", Some(&receiver.url)).await;
    let first = receiver.next().await;
    world.sends("B1", 1).await;
    world.shut().await;

    receiver.say("success");
    let world = World::at(Some(folder.path().into()), apps(), 1, clock).await;
    world.advance(240);
    let second = receiver.next().await;
    assert_eq!(second["notify_id"], first["notify_id"]);
    world.settled("B1").await;
    assert_eq!(world.sends("B1", 1).await[0]["attempt"], 2);
}

#[tokio::test]
async fn a_trade_whose_time_ended_meanwhile_closes_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::new().await;
    let clock = TestClock::at("2026-11-22 10:00:00");
    let apps = || vec![merchant()];
    let world = World::at(Some(folder.path().into()), apps(), 1, Arc::clone(&clock)).await;
    let mut content = page_pay("C1", "1.00");
    content["timeout_express"] = json!("5m");
    let more = [("notify_url", receiver.url.as_str())];
    world.browse("alipay.trade.page.pay", content, &more).await;
    world.shut().await;

    let world = World::at(Some(folder.path().into()), apps(), 1, clock).await;
    world.advance(3_600);
    let closed = receiver.next().await;
    assert_eq!(closed["gmt_close"], "2026-11-22 10:05:00");
}

#[tokio::test]
async fn a_base_address_that_is_none_is_refused() {
    let settings = Settings {
        folder: None,
        base_url: "simulator".to_owned(),
        merchants: Vec::new(),
        time_scale: 1,
    };
    let clock = TestClock::at("2026-11-22 10:00:00");
    assert!(matches!(Simulator::open(settings, clock), Err(OpenError::BaseUrl)));
}

#[tokio::test]
async fn an_app_s_key_can_be_replaced() {
    let world = World::new().await;
    world.open("D1", None).await;
    let other = sign::rsa::PrivateKey::generate();
    let app = MerchantApp { app_public_key: other.public(), ..merchant() };
    world.simulator.register(app).unwrap();
    let refused = world.call("alipay.trade.query", json!({"out_trade_no": "D1"})).await;
    assert_eq!(refused["sub_code"], "isv.invalid-signature");
    let app = MerchantApp { app_public_key: merchant_key().public(), ..merchant() };
    world.simulator.register(app).unwrap();
    let known = world.call("alipay.trade.query", json!({"out_trade_no": "D1"})).await;
    assert_eq!(known["code"], "10000");
}

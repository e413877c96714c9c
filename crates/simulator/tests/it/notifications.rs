//! Notifications: what they say, when they come again, and in which order.

use serde_json::{Value, json};

use crate::harness::{APP_ID, Receiver, SELLER_EMAIL, SELLER_ID, World, holds, page_pay};

#[tokio::test]
async fn a_payment_is_announced_signed_and_without_empty_fields() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    let mut content = page_pay("A1", "1.00");
    content["passback_params"] = json!("a%3D1%26b");
    content["subject"] = json!("茶 + tea & \"more\"");
    let more = [("notify_url", receiver.url.as_str())];
    world.browse("alipay.trade.page.pay", content, &more).await;
    world.make("A1", "pay").await;
    let fields = receiver.next().await;
    assert!(holds(&fields, &world.key));
    assert!(fields.values().all(|value| !value.is_empty()));
    for (name, value) in [
        ("notify_type", "trade_status_sync"),
        ("trade_status", "TRADE_SUCCESS"),
        ("app_id", APP_ID),
        ("seller_id", SELLER_ID),
        ("seller_email", SELLER_EMAIL),
        ("out_trade_no", "A1"),
        ("total_amount", "1.00"),
        ("receipt_amount", "1.00"),
        ("subject", "茶 + tea & \"more\""),
        ("passback_params", "a%3D1%26b"),
        ("gmt_payment", "2026-11-22 10:00:00"),
        ("notify_time", "2026-11-22 10:00:00"),
        ("fund_bill_list", r#"[{"amount":"1.00","fundChannel":"ALIPAYACCOUNT"}]"#),
        ("sign_type", "RSA2"),
        ("charset", "utf-8"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(!fields.contains_key("refund_fee") && !fields.contains_key("gmt_close"));
    world.settled("A1").await;
    let sends = world.sends("A1", 1).await;
    assert_eq!(sends[0]["result"], "acknowledged");
    assert_eq!((&sends[0]["status"], &sends[0]["body"]), (&json!(200), &json!("success")));
}

#[tokio::test]
async fn eight_sends_follow_the_schedule_with_one_id_and_then_end() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    receiver.say("fail");
    world.open_paid("B1", Some(&receiver.url)).await;
    let first = receiver.next().await;
    for (send, (wait, at)) in [
        (240, "10:04:00"),
        (600, "10:14:00"),
        (600, "10:24:00"),
        (3_600, "11:24:00"),
        (7_200, "13:24:00"),
        (21_600, "19:24:00"),
        (54_000, "10:24:00"),
    ]
    .into_iter()
    .enumerate()
    {
        world.sends("B1", send + 1).await;
        world.advance(wait - 1);
        // A send that came too early would show the earlier second.
        assert_eq!(world.book_entry("B1").await["open_notifications"], 1);
        world.advance(1);
        let next = receiver.next().await;
        assert_eq!(next["notify_id"], first["notify_id"]);
        assert!(next["notify_time"].ends_with(at), "{}", next["notify_time"]);
        assert!(holds(&next, &world.key));
    }
    world.settled("B1").await;
    let sends = world.sends("B1", 8).await;
    let attempts: Vec<_> = sends.iter().map(|s| s["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 6, 7, 8]);
    world.advance(1_000_000);
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn only_the_exact_word_is_an_acknowledgement() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("C1", Some(&receiver.url)).await;
    receiver.say("success\n");
    world.make("C1", "pay").await;
    receiver.next().await;
    world.sends("C1", 1).await;
    receiver.say("SUCCESS");
    world.advance(240);
    receiver.next().await;
    world.sends("C1", 2).await;
    receiver.say("success");
    world.advance(600);
    receiver.next().await;
    world.settled("C1").await;
    let results: Vec<_> =
        world.sends("C1", 3).await.iter().map(|send| send["result"].clone()).collect();
    assert_eq!(results, [json!("refused"), json!("refused"), json!("acknowledged")]);
}

#[tokio::test]
async fn the_time_scale_shortens_the_waits() {
    let world = World::with(None, vec![crate::harness::merchant()], 3_600).await;
    let mut receiver = Receiver::new().await;
    receiver.say("fail");
    world.open_paid("D1", Some(&receiver.url)).await;
    receiver.next().await;
    world.sends("D1", 1).await;
    for (send, _) in [0; 3].into_iter().enumerate() {
        world.advance(1); // 4 and 10 minutes are far less than a second
        receiver.next().await;
        world.sends("D1", send + 2).await;
    }
    world.advance(1); // an hour is exactly one
    receiver.next().await;
}

#[tokio::test]
async fn an_unreachable_receiver_is_tried_again() {
    let world = World::new().await;
    world.open_paid("E1", Some("http://127.0.0.1:1/nobody")).await;
    let sends = world.sends("E1", 1).await;
    assert_eq!(sends[0]["result"], "unreachable");
    assert_eq!(sends[0].get("status"), None);
    assert_eq!(world.book_entry("E1").await["open_notifications"], 1);
    world.advance(240);
    world.sends("E1", 2).await;
}

fn refund(request: &str, amount: &str) -> Value {
    json!({"out_trade_no": "F1", "out_request_no": request, "refund_amount": amount})
}

#[tokio::test]
async fn refunds_are_announced_as_part_and_as_whole() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open_paid("F1", Some(&receiver.url)).await;
    receiver.next().await;
    let ask = async |request, amount| {
        world.call("alipay.trade.refund", refund(request, amount)).await;
    };
    ask("R1", "0.40").await;
    let part = receiver.next().await;
    assert_eq!(part["trade_status"], "TRADE_SUCCESS");
    assert_eq!(part["out_biz_no"], "R1");
    assert_eq!(part["refund_fee"], "0.40");
    assert!(part.contains_key("gmt_refund") && !part.contains_key("gmt_close"));
    ask("R1", "0.40").await;
    ask("R2", "0.60").await;
    let whole = receiver.next().await;
    assert_eq!(whole["trade_status"], "TRADE_CLOSED");
    assert_eq!(whole["out_biz_no"], "R2", "the repeated request was not announced");
    assert_eq!(whole["refund_fee"], "1.00");
    assert!(whole.contains_key("gmt_refund") && whole.contains_key("gmt_close"));
    assert!(holds(&whole, &world.key));
}

#[tokio::test]
async fn closing_and_expiry_are_announced_without_refund_fields() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("G1", Some(&receiver.url)).await;
    world.call("alipay.trade.close", json!({"out_trade_no": "G1"})).await;
    let mut content = page_pay("G2", "1.00");
    content["time_expire"] = json!("2026-11-22 10:30:00");
    let more = [("notify_url", receiver.url.as_str())];
    world.browse("alipay.trade.page.pay", content, &more).await;
    let closed = receiver.next().await;
    world.advance(1_800);
    let expired = receiver.next().await;
    for (fields, number) in [(&closed, "G1"), (&expired, "G2")] {
        assert_eq!(fields["out_trade_no"], number);
        assert_eq!(fields["trade_status"], "TRADE_CLOSED");
        assert!(fields.contains_key("gmt_close"));
        for absent in ["refund_fee", "gmt_refund", "gmt_payment", "out_biz_no"] {
            assert!(!fields.contains_key(absent), "{absent}");
        }
    }
    assert_eq!(expired["gmt_close"], "2026-11-22 10:30:00");
}

#[tokio::test]
async fn first_sends_of_a_trade_arrive_in_order() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open_paid("H1", Some(&receiver.url)).await;
    for i in 0..5 {
        let content = json!({
            "out_trade_no": "H1", "out_request_no": format!("R{i}"), "refund_amount": "0.10",
        });
        world.call("alipay.trade.refund", content).await;
    }
    assert!(!receiver.next().await.contains_key("out_biz_no"));
    for i in 0..5 {
        assert_eq!(receiver.next().await["out_biz_no"], format!("R{i}"));
    }
}

#[tokio::test]
async fn news_can_be_sent_again_on_demand() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("I1", Some(&receiver.url)).await;
    let (status, _) = world.control("I1", json!({"do": "notify"})).await;
    assert_eq!(status, 409, "an unpaid trade has no news");
    receiver.say("fail");
    world.make("I1", "pay").await;
    let first = receiver.next().await;
    world.sends("I1", 1).await;
    receiver.say("success");
    world.make("I1", "notify").await;
    let again = receiver.next().await;
    assert_eq!(again["notify_id"], first["notify_id"], "the open one, at once");
    world.settled("I1").await;
    world.make("I1", "notify").await;
    let anew = receiver.next().await;
    assert_ne!(anew["notify_id"], first["notify_id"]);
    assert_eq!(anew["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_scanned_payment_is_announced_too() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    let content = json!({
        "out_trade_no": "J1", "total_amount": "1.00", "subject": "x", "scene": "bar_code",
        "auth_code": "280000000000000000",
    });
    let more = [("notify_url", receiver.url.as_str())];
    world.call_with("alipay.trade.pay", content, &more).await;
    assert_eq!(receiver.next().await["out_trade_no"], "J1");
}

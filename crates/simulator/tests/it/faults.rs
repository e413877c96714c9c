//! Every fault, once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Receiver, World, holds, page_pay, signed};

fn refund(number: &str) -> Value {
    json!({"out_trade_no": number, "out_request_no": "R1", "refund_amount": "0.40"})
}

async fn refunded(world: &World, number: &str) -> Value {
    world.book_entry(number).await["refunded_fen"].clone()
}

#[tokio::test]
async fn an_unknown_result_may_hide_work_or_none() {
    let world = World::new().await;
    for (number, fault, fen) in [("A1", "unknown", 40), ("A2", "unknown_before", 0)] {
        world.open_paid(number, None).await;
        world.faults(number, json!({"answer": {fault: 1}})).await;
        let answer = world.call("alipay.trade.refund", refund(number)).await;
        assert_eq!(answer["code"], "20000");
        assert_eq!(answer["sub_code"], "isp.unknow-error");
        assert_eq!(refunded(&world, number).await, fen);
        let again = world.call("alipay.trade.refund", refund(number)).await;
        assert_eq!(again["fund_change"], if fen == 40 { "N" } else { "Y" });
        assert_eq!(refunded(&world, number).await, 40);
    }
}

#[tokio::test]
async fn an_unknown_cancel_may_be_repeated() {
    let world = World::new().await;
    world.open_paid("B1", None).await;
    world.faults("B1", json!({"answer": {"unknown": 1}})).await;
    let content = json!({"out_trade_no": "B1"});
    let answer = world.call("alipay.trade.cancel", content.clone()).await;
    assert_eq!((&answer["code"], &answer["retry_flag"]), (&json!("20000"), &json!("Y")));
    assert_eq!(world.call("alipay.trade.cancel", content).await["action"], "refund");
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_work() {
    let world = World::new().await;
    for (number, fault, fen) in [("C1", "lost_after", 40), ("C2", "reset", 0)] {
        world.open_paid(number, None).await;
        world.faults(number, json!({"answer": {fault: 1}})).await;
        let request = signed("alipay.trade.refund", &refund(number), &[]);
        assert!(world.post(&request).await.is_err(), "{fault} is no answer");
        assert_eq!(refunded(&world, number).await, fen);
        let answer = world.node(&world.post(&request).await.unwrap());
        assert_eq!(answer["code"], "10000");
        assert_eq!(refunded(&world, number).await, 40);
    }
}

#[tokio::test]
async fn answers_can_be_malformed_after_the_work() {
    let world = World::new().await;
    for (number, fault) in [("D1", "unsigned"), ("D2", "wrong_sign"), ("D3", "truncated")] {
        world.open_paid(number, None).await;
        world.faults(number, json!({"answer": {fault: 1}})).await;
        let request = signed("alipay.trade.refund", &refund(number), &[]);
        let text = world.post(&request).await.unwrap();
        let whole: Result<Value, _> = serde_json::from_str(&text);
        match fault {
            "unsigned" => assert_eq!(whole.unwrap().get("sign"), None),
            "wrong_sign" => {
                let whole = whole.unwrap();
                let (head, _) = text.split_once(",\"sign\"").unwrap();
                let node = head.strip_prefix("{\"alipay_trade_refund_response\":").unwrap();
                let sign = whole["sign"].as_str().unwrap();
                assert!(world.key.verify_sha256_base64(node.as_bytes(), sign).is_err());
            }
            _ => assert!(whole.is_err()),
        }
        assert_eq!(refunded(&world, number).await, 40);
    }
}

#[tokio::test]
async fn http_500_and_rate_limits_do_no_work() {
    let world = World::new().await;
    world.open_paid("E1", None).await;
    world.faults("E1", json!({"answer": {"http_500": 1, "rate_limit": 1}})).await;
    let request = signed("alipay.trade.refund", &refund("E1"), &[]);
    let answer = world.http.post(world.gateway()).form(&request).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let limited = world.node(&world.post(&request).await.unwrap());
    assert_eq!(limited["code"], "40005");
    assert_eq!(refunded(&world, "E1").await, 0);
    let done = world.node(&world.post(&request).await.unwrap());
    assert_eq!(done["fund_change"], "Y");
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_work() {
    let world = World::new().await;
    world.open_paid("F1", None).await;
    world.faults("F1", json!({"answer": {"delay_ms": 300}})).await;
    let start = Instant::now();
    world.call("alipay.trade.query", json!({"out_trade_no": "F1"})).await;
    assert!(start.elapsed() >= Duration::from_millis(300));
    let impatient = world
        .http
        .post(world.gateway())
        .form(&signed("alipay.trade.refund", &refund("F1"), &[]))
        .timeout(Duration::from_millis(100))
        .send()
        .await;
    assert!(impatient.unwrap_err().is_timeout());
    assert_eq!(refunded(&world, "F1").await, 40);
}

#[tokio::test]
async fn faults_keep_to_their_methods_and_may_come_before_the_trade() {
    let world = World::new().await;
    let faults = json!({"answer": {"unknown_before": 1, "methods": ["alipay.trade.precreate"]}});
    let (status, answer) = world.control("G1", json!({"faults": faults})).await;
    assert_eq!((status, &answer["status"]), (200, &json!("NOT_EXIST")));
    let query = world.call("alipay.trade.query", json!({"out_trade_no": "G1"})).await;
    assert_eq!(query["sub_code"], "ACQ.TRADE_NOT_EXIST");
    let content = json!({"out_trade_no": "G1", "total_amount": "1", "subject": "x"});
    let unknown = world.call("alipay.trade.precreate", content.clone()).await;
    assert_eq!(unknown["code"], "20000");
    assert_eq!(world.call("alipay.trade.precreate", content).await["code"], "10000");
    let (status, _) = world.control("nobody", json!({"do": "pay"})).await;
    assert_eq!(status, 404);
    for bad in [json!({"do": "dance"}), json!({"faults": {"answer": {"oops": 1}}}), json!([])] {
        assert_eq!(world.control("G1", bad).await.0, 400);
    }
}

#[tokio::test]
async fn a_scan_can_be_made_to_wait() {
    let world = World::new().await;
    world.faults("H1", json!({"answer": {"waiting": 1}})).await;
    let content = json!({
        "out_trade_no": "H1", "total_amount": "1.00", "subject": "x", "scene": "bar_code",
        "auth_code": "280000000000000000",
    });
    assert_eq!(world.call("alipay.trade.pay", content).await["code"], "10003");
}

#[tokio::test]
async fn a_pending_refund_is_decided_later() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    let query = |number: &str| json!({"out_trade_no": number, "out_request_no": "R1"});
    for number in ["I1", "I2"] {
        world.open_paid(number, Some(&receiver.url)).await;
        receiver.next().await;
        world.faults(number, json!({"answer": {"refund_pending": 1}})).await;
        let asked = world.call("alipay.trade.refund", refund(number)).await;
        assert_eq!((&asked["code"], &asked["fund_change"]), (&json!("10000"), &json!("N")));
        assert_eq!(asked["refund_fee"], "0.00");
        let open = world.call("alipay.trade.fastpay.refund.query", query(number)).await;
        assert_eq!(open.get("refund_status"), None);
        assert_eq!(refunded(&world, number).await, 0);
    }
    world.make("I1", "refund_ok").await;
    assert_eq!(receiver.next().await["refund_fee"], "0.40");
    let done = world.call("alipay.trade.fastpay.refund.query", query("I1")).await;
    assert_eq!(done["refund_status"], "REFUND_SUCCESS");
    world.make("I2", "refund_fail").await;
    let failed = world.call("alipay.trade.fastpay.refund.query", query("I2")).await;
    assert_eq!(failed.get("refund_status"), None);
    assert_eq!(refunded(&world, "I2").await, 0);
}

#[tokio::test]
async fn a_late_notification_waits_on_the_clock() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("J1", Some(&receiver.url)).await;
    world.faults("J1", json!({"notify": {"delay_seconds": 90}})).await;
    world.make("J1", "pay").await;
    world.advance(89);
    world.open_paid("J2", Some(&receiver.url)).await;
    assert_eq!(receiver.next().await["out_trade_no"], "J2");
    world.advance(1);
    assert_eq!(receiver.next().await["out_trade_no"], "J1");
}

#[tokio::test]
async fn a_duplicate_bears_the_same_id() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("K1", Some(&receiver.url)).await;
    world.faults("K1", json!({"notify": {"duplicate": 2}})).await;
    world.make("K1", "pay").await;
    let first = receiver.next().await;
    for _ in 0..2 {
        assert_eq!(receiver.next().await["notify_id"], first["notify_id"]);
    }
    world.settled("K1").await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn lost_notifications_never_arrive_but_count() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("L1", Some(&receiver.url)).await;
    world.faults("L1", json!({"notify": {"lose": 1}})).await;
    world.make("L1", "pay").await;
    let sends = world.sends("L1", 1).await;
    assert_eq!((&sends[0]["result"], &sends[0]["fault"]), (&json!("lost"), &json!("lose")));
    assert!(receiver.is_quiet());
    world.advance(240);
    receiver.next().await;
    world.open("L2", Some(&receiver.url)).await;
    world.faults("L2", json!({"notify": {"lose": "all"}})).await;
    world.make("L2", "pay").await;
    for (send, wait) in [240, 600, 600, 3_600, 7_200, 21_600, 54_000].into_iter().enumerate() {
        world.sends("L2", send + 1).await;
        world.advance(wait);
    }
    world.sends("L2", 8).await;
    world.settled("L2").await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_refund_can_be_announced_before_its_payment() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    world.open("M1", Some(&receiver.url)).await;
    world.faults("M1", json!({"notify": {"out_of_order": true}})).await;
    world.make("M1", "pay").await;
    world.call("alipay.trade.refund", refund("M1")).await;
    assert_eq!(receiver.next().await["out_biz_no"], "R1");
    let payment = receiver.next().await;
    assert!(!payment.contains_key("out_biz_no"));
    assert_eq!(payment["trade_status"], "TRADE_SUCCESS");
    world.settled("M1").await;
}

#[tokio::test]
async fn a_forged_notification_lies_about_one_thing() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    for (forge, field) in [
        ("amount", "total_amount"),
        ("app", "app_id"),
        ("seller", "seller_id"),
        ("order", "out_trade_no"),
        ("signature", "sign"),
    ] {
        let number = format!("N-{forge}");
        world.open(&number, Some(&receiver.url)).await;
        world.faults(&number, json!({"notify": {"forge": forge}})).await;
        receiver.say("fail");
        world.make(&number, "pay").await;
        let lie = receiver.next().await;
        assert_eq!(holds(&lie, &world.key), forge != "signature", "{forge}");
        let sends = world.sends(&number, 1).await;
        assert_eq!(sends[0]["fault"], format!("forge {forge}"));
        world.faults(&number, json!({})).await;
        receiver.say("success");
        world.make(&number, "notify").await;
        let truth = receiver.next().await;
        assert!(holds(&truth, &world.key));
        assert_ne!(truth[field], lie[field]);
        assert_eq!(truth["notify_id"], lie["notify_id"]);
    }
}

#[tokio::test]
async fn a_browser_meets_faults_too() {
    let world = World::new().await;
    world.faults("O1", json!({"answer": {"http_500": 1}})).await;
    let content = page_pay("O1", "1.00");
    let broken = world.browse_raw("alipay.trade.page.pay", content.clone(), &[]).await;
    assert_eq!(broken.status(), 500);
    assert_eq!(world.read("trades").await["trades"], json!([]));
    world.browse("alipay.trade.page.pay", content, &[]).await;
}

#[tokio::test]
async fn the_journal_tells_what_was_spoilt() {
    let world = World::new().await;
    world.open_paid("P1", None).await;
    world.faults("P1", json!({"answer": {"unknown": 1}})).await;
    world.call("alipay.trade.refund", refund("P1")).await;
    let journal = world.read("journal?since=1&out_trade_no=P1").await;
    let entries = journal["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "the opening was number one");
    let entry = &entries[0];
    assert_eq!(entry["seq"], 2);
    assert_eq!(entry["direction"], "request");
    assert_eq!(entry["method"], "alipay.trade.refund");
    assert_eq!(entry["result"], "20000 isp.unknow-error");
    assert_eq!(entry["fault"], "unknown");
    assert!(entry["parameters"]["biz_content"].as_str().unwrap().contains("0.40"));
    assert!(entry["body"].as_str().unwrap().starts_with("{\"alipay_trade_refund_response\""));
    let explained = world.read("faults").await;
    for name in ["lost_after", "truncated", "refund_pending"] {
        assert!(explained["answer"].get(name).is_some());
    }
}

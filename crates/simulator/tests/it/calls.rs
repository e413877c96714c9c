//! Each method as a merchant's server sees it.

use serde_json::{Value, json};

use crate::harness::{World, encoded, page_pay, signed};

#[tokio::test]
async fn a_request_is_understood_in_every_placement() {
    let world = World::new().await;
    world.open("P1", None).await;
    let all = signed("alipay.trade.query", &json!({"out_trade_no": "P1"}), &[]);
    let (mut common, mut content) = (all.clone(), all.clone());
    common.remove("biz_content");
    content.retain(|name, _| name == "biz_content");
    let everything_in_query = world.get(&format!("{}?{}", world.gateway(), encoded(&all))).await.1;
    let everything_in_form = world.post(&all).await.unwrap();
    let split = world.http.post(format!("{}?{}", world.gateway(), encoded(&common)));
    let split = split.form(&content).send().await.unwrap();
    assert_eq!(split.headers()["content-type"], "text/html;charset=utf-8");
    let split = split.text().await.unwrap();
    assert_eq!(world.node(&everything_in_query)["trade_status"], "WAIT_BUYER_PAY");
    assert_eq!(everything_in_query, everything_in_form);
    assert_eq!(everything_in_query, split);
}

#[tokio::test]
async fn a_page_trade_exists_once_the_browser_is_there_and_is_paid_once() {
    let world = World::new().await;
    let query = json!({"out_trade_no": "A1"});
    let before = world.call("alipay.trade.query", query.clone()).await;
    assert_eq!(before["sub_code"], "ACQ.TRADE_NOT_EXIST");
    assert_eq!(before["code"], "40004");
    let cashier = world.open("A1", None).await;
    let again = world.open("A1", None).await;
    assert_eq!(cashier, again, "the same data gives the same trade");
    let unpaid = world.call("alipay.trade.query", query.clone()).await;
    assert_eq!(unpaid["trade_status"], "WAIT_BUYER_PAY");
    assert_eq!(unpaid.get("send_pay_date"), None);
    world.make("A1", "pay").await;
    let paid = world.call("alipay.trade.query", query).await;
    assert_eq!(paid["trade_status"], "TRADE_SUCCESS");
    assert_eq!(paid["total_amount"], "1.00");
    assert_eq!(paid["receipt_amount"], "1.00");
    assert_eq!(paid["send_pay_date"], "2026-11-22 10:00:00");
    assert_eq!(paid["fund_bill_list"][0]["fund_channel"], "ALIPAYACCOUNT");
    let number = paid["trade_no"].as_str().unwrap();
    assert_eq!(number.len(), 28);
    let by_their_number = json!({"trade_no": number, "out_trade_no": "something else"});
    let same = world.call("alipay.trade.query", by_their_number).await;
    assert_eq!(same["out_trade_no"], "A1", "trade_no wins");
}

#[tokio::test]
async fn every_browser_method_leads_to_a_cashier() {
    let world = World::new().await;
    for (method, product_code, number) in [
        ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY", "B1"),
        ("alipay.trade.wap.pay", "QUICK_WAP_WAY", "B2"),
        ("alipay.trade.wap.pay", "QUICK_WAP_PAY", "B3"),
        ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY", "B4"),
    ] {
        let mut content = page_pay(number, "0.01");
        content["product_code"] = json!(product_code);
        let by_get = world.browse(method, content.clone(), &[]).await;
        assert!(by_get.starts_with(&format!("{}/cashier/", world.base)));
        let form = world.http.post(world.gateway()).form(&signed(method, &content, &[]));
        let by_post = form.send().await.unwrap();
        assert_eq!(by_post.status(), 302);
        assert_eq!(crate::harness::location(&by_post), by_get);
    }
}

fn precreate(number: &str, amount: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": amount, "subject": "x"})
}

#[tokio::test]
async fn creating_again_is_judged_by_what_became_of_the_trade() {
    let world = World::new().await;
    let method = "alipay.trade.precreate";
    let first = world.call(method, precreate("C1", "2.00")).await;
    let again = world.call(method, precreate("C1", "2.00")).await;
    assert_eq!(first["qr_code"], again["qr_code"]);
    let other = world.call(method, precreate("C1", "2.01")).await;
    assert_eq!(other["sub_code"], "ACQ.CONTEXT_INCONSISTENT");
    world.make("C1", "pay").await;
    let paid = world.call(method, precreate("C1", "2.00")).await;
    assert_eq!(paid["sub_code"], "ACQ.TRADE_HAS_SUCCESS");
    world.call(method, precreate("C2", "2.00")).await;
    world.make("C2", "scan").await;
    world.make("C2", "close").await;
    let closed = world.call(method, precreate("C2", "2.00")).await;
    assert_eq!(closed["sub_code"], "ACQ.TRADE_HAS_CLOSE");
    let much = world.call(method, precreate("C3", "100000000.01")).await;
    assert_eq!(much["sub_code"], "ACQ.TOTAL_FEE_EXCEED");
}

#[tokio::test]
async fn a_code_becomes_a_trade_when_it_is_scanned() {
    let world = World::new().await;
    let content = json!({"out_trade_no": "D1", "total_amount": 0.10, "subject": "x", "body": null});
    let made = world.call("alipay.trade.precreate", content.clone()).await;
    assert_eq!(made["code"], "10000");
    let number = json!({"out_trade_no": "D1"});
    for method in ["alipay.trade.query", "alipay.trade.close"] {
        let answer = world.call(method, number.clone()).await;
        assert_eq!(answer["sub_code"], "ACQ.TRADE_NOT_EXIST", "{method}");
    }
    assert_eq!(world.get(made["qr_code"].as_str().unwrap()).await.0, 200);
    let scanned = world.call("alipay.trade.query", number.clone()).await;
    assert_eq!(scanned["trade_status"], "WAIT_BUYER_PAY");
    assert_eq!(scanned["total_amount"], "0.10");
    assert_eq!(world.call("alipay.trade.close", number).await["code"], "10000");
}

#[tokio::test]
async fn a_code_dies_after_two_hours_and_can_be_asked_for_again() {
    let world = World::new().await;
    let content = json!({"out_trade_no": "D2", "total_amount": "1", "subject": "x"});
    let first = world.call("alipay.trade.precreate", content.clone()).await;
    world.advance(2 * 3_600);
    let (status, page) = world.get(first["qr_code"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    assert!(page.contains("ACQ.TRADE_NOT_EXIST"));
    let second = world.call("alipay.trade.precreate", content).await;
    assert_ne!(first["qr_code"], second["qr_code"]);
    assert_eq!(world.get(first["qr_code"].as_str().unwrap()).await.0, 404);
    assert_eq!(world.make("D2", "pay").await["status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_trade_made_by_number_waits_for_its_payer() {
    let world = World::new().await;
    let mut content = json!({"out_trade_no": "E1", "total_amount": "3.00", "subject": "x"});
    let nobody = world.call("alipay.trade.create", content.clone()).await;
    assert_eq!(nobody["sub_code"], "ACQ.INVALID_PARAMETER");
    content["buyer_id"] = json!("2088102900000001");
    let made = world.call("alipay.trade.create", content).await;
    assert_eq!(made["code"], "10000");
    let by_number = json!({"trade_no": made["trade_no"]});
    let query = world.call("alipay.trade.query", by_number).await;
    assert_eq!(query["trade_status"], "WAIT_BUYER_PAY");
}

#[tokio::test]
async fn a_scanned_payment_is_paid_waits_or_fails_by_its_code() {
    let world = World::new().await;
    let pay = |number: &str, code: &str, amount: &str| {
        json!({
            "out_trade_no": number, "total_amount": amount, "subject": "x", "scene": "bar_code",
            "auth_code": code,
        })
    };
    let method = "alipay.trade.pay";
    let paid = world.call(method, pay("F1", "280000000000000000", "1.00")).await;
    assert_eq!(paid["code"], "10000");
    assert_eq!(paid["gmt_payment"], "2026-11-22 10:00:00");
    let again = world.call(method, pay("F1", "280000000000000000", "1.00")).await;
    assert_eq!(again["sub_code"], "ACQ.TRADE_HAS_SUCCESS");
    let waiting = world.call(method, pay("F2", "280000000000000001", "1.00")).await;
    assert_eq!(waiting["code"], "10003");
    assert_eq!(waiting.get("gmt_payment"), None);
    assert_eq!(world.make("F2", "pay").await["status"], "TRADE_SUCCESS");
    let much = world.call(method, pay("F3", "280000000000000000", "1000.01")).await;
    assert_eq!(much["code"], "10003");
    assert_eq!(world.make("F3", "fail").await["status"], "TRADE_CLOSED");
    let poor = world.call(method, pay("F4", "280000000000000002", "1.00")).await;
    assert_eq!(poor["sub_code"], "ACQ.BUYER_BALANCE_NOT_ENOUGH");
    let wrong = world.call(method, pay("F5", "123", "1.00")).await;
    assert_eq!(wrong["sub_code"], "ACQ.PAYMENT_AUTH_CODE_INVALID");
    let absent = json!({"out_trade_no": "F4"});
    let query = world.call("alipay.trade.query", absent).await;
    assert_eq!(query["sub_code"], "ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn only_an_unpaid_trade_can_be_closed_and_only_once() {
    let world = World::new().await;
    world.open("G1", None).await;
    let number = json!({"out_trade_no": "G1"});
    let closed = world.call("alipay.trade.close", number.clone()).await;
    assert_eq!(closed["code"], "10000");
    assert_eq!(closed["out_trade_no"], "G1");
    let again = world.call("alipay.trade.close", number).await;
    assert_eq!(again["sub_code"], "ACQ.TRADE_STATUS_ERROR");
    world.open_paid("G2", None).await;
    let paid = world.call("alipay.trade.close", json!({"out_trade_no": "G2"})).await;
    assert_eq!(paid["sub_code"], "ACQ.TRADE_STATUS_ERROR");
}

#[tokio::test]
async fn cancelling_closes_or_refunds() {
    let world = World::new().await;
    let cancel = async |number: &str| {
        world.call("alipay.trade.cancel", json!({"out_trade_no": number})).await
    };
    world.open("H1", None).await;
    assert_eq!(cancel("H1").await["action"], "close");
    assert_eq!(cancel("H1").await["retry_flag"], "N");
    world.open_paid("H2", None).await;
    assert_eq!(cancel("H2").await["action"], "refund");
    assert_eq!(cancel("H2").await["action"], "refund");
    assert_eq!(world.book_entry("H2").await["refunded_fen"], 100);
    let content = json!({"out_trade_no": "H3", "total_amount": "1", "subject": "x"});
    let code = world.call("alipay.trade.precreate", content).await;
    assert_eq!(cancel("H3").await["action"], "close");
    assert_eq!(world.get(code["qr_code"].as_str().unwrap()).await.0, 404, "the code is dead");
    assert_eq!(cancel("never opened").await["code"], "10000");
    world.open_paid("H4", None).await;
    world.advance(24 * 3_600 + 1);
    assert_eq!(cancel("H4").await["sub_code"], "ACQ.TRADE_CANCEL_TIME_OUT");
    world.open_paid("H5", None).await;
    world.make("H5", "finish").await;
    assert_eq!(cancel("H5").await["sub_code"], "ACQ.TRADE_HAS_FINISHED");
}

fn refund(number: &str, request: Option<&str>, amount: &str) -> Value {
    let mut content = json!({"out_trade_no": number, "refund_amount": amount});
    if let Some(request) = request {
        content["out_request_no"] = json!(request);
    }
    content
}

#[tokio::test]
async fn refunds_are_cumulative_and_one_number_moves_money_once() {
    let world = World::new().await;
    world.open_paid("I1", None).await;
    let ask = async |request: Option<&str>, amount: &str| {
        world.call("alipay.trade.refund", refund("I1", request, amount)).await
    };
    let first = ask(Some("R1"), "0.30").await;
    assert_eq!(first["fund_change"], "Y");
    assert_eq!(first["refund_fee"], "0.30");
    assert_eq!(first["send_back_fee"], "0.30");
    assert_eq!(first["gmt_refund_pay"], "2026-11-22 10:00:00");
    let again = ask(Some("R1"), "0.30").await;
    assert_eq!(again["code"], "10000");
    assert_eq!(again["fund_change"], "N");
    assert_eq!(again["refund_fee"], "0.30");
    assert_eq!(ask(Some("R1"), "0.31").await["sub_code"], "ACQ.DISCORDANT_REPEAT_REQUEST");
    assert_eq!(ask(None, "0.10").await["sub_code"], "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
    let over = ask(Some("R2"), "0.71").await;
    assert_eq!(over["sub_code"], "ACQ.REASON_TRADE_REFUND_FEE_ERR");
    assert_eq!(ask(Some("R2"), "0.70").await["refund_fee"], "1.00");
    let query = world.call("alipay.trade.query", json!({"out_trade_no": "I1"})).await;
    assert_eq!(query["trade_status"], "TRADE_CLOSED");
}

#[tokio::test]
async fn a_whole_refund_needs_no_number_of_its_own() {
    let world = World::new().await;
    world.open_paid("J1", None).await;
    let done = world.call("alipay.trade.refund", refund("J1", None, "1.00")).await;
    assert_eq!(done["fund_change"], "Y");
    let again = world.call("alipay.trade.refund", refund("J1", None, "1.00")).await;
    assert_eq!(again["fund_change"], "N");
    let content = json!({
        "out_trade_no": "J1", "out_request_no": "J1", "query_options": ["gmt_refund_pay"],
    });
    let query = world.call("alipay.trade.fastpay.refund.query", content).await;
    assert_eq!(query["refund_status"], "REFUND_SUCCESS");
    assert_eq!(query["refund_amount"], "1.00");
    assert_eq!(query["gmt_refund_pay"], "2026-11-22 10:00:00");
}

#[tokio::test]
async fn refunds_are_refused_by_the_trade_s_state() {
    let world = World::new().await;
    let ask = async |number: &str| {
        world.call("alipay.trade.refund", refund(number, Some("R"), "0.10")).await
    };
    assert_eq!(ask("K0").await["sub_code"], "ACQ.TRADE_NOT_EXIST");
    world.open("K1", None).await;
    assert_eq!(ask("K1").await["sub_code"], "ACQ.TRADE_STATUS_ERROR");
    world.open_paid("K2", None).await;
    world.make("K2", "finish").await;
    assert_eq!(ask("K2").await["sub_code"], "ACQ.TRADE_HAS_FINISHED");
    let query = world.call("alipay.trade.query", json!({"out_trade_no": "K2"})).await;
    assert_eq!(query["trade_status"], "TRADE_FINISHED");
    world.open_paid("K3", None).await;
    world.make("K3", "refund_fail").await;
    assert_eq!(ask("K3").await["sub_code"], "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    world.make("K3", "refund_ok").await;
    assert_eq!(ask("K3").await["fund_change"], "Y");
}

#[tokio::test]
async fn a_refund_nobody_made_has_no_status() {
    let world = World::new().await;
    world.open_paid("L1", None).await;
    let content = json!({"out_trade_no": "L1", "out_request_no": "unknown"});
    let query = world.call("alipay.trade.fastpay.refund.query", content).await;
    assert_eq!(query["code"], "10000");
    assert_eq!(query.get("refund_status"), None);
}

#[tokio::test]
async fn thirty_two_refunds_at_once_never_exceed_the_total() {
    let world = std::sync::Arc::new(World::new().await);
    world.open_paid("M1", None).await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..32 {
        let world = std::sync::Arc::clone(&world);
        tasks.spawn(async move {
            let content = refund("M1", Some(&format!("R{i}")), "0.09");
            world.call("alipay.trade.refund", content).await
        });
    }
    let mut moved = 0;
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        match answer["fund_change"].as_str() {
            Some("Y") => moved += 1,
            _ => assert_eq!(answer["sub_code"], "ACQ.REASON_TRADE_REFUND_FEE_ERR"),
        }
    }
    assert_eq!(moved, 11);
    assert_eq!(world.book_entry("M1").await["refunded_fen"], 99);
}

#[tokio::test]
async fn an_unpaid_trade_closes_when_its_time_is_over() {
    let world = World::new().await;
    let mut content = page_pay("N1", "1.00");
    content["timeout_express"] = json!("15m");
    world.browse("alipay.trade.page.pay", content, &[]).await;
    world.advance(899);
    assert_eq!(world.book_entry("N1").await["status"], "WAIT_BUYER_PAY");
    world.advance(1);
    let query = world.call("alipay.trade.query", json!({"out_trade_no": "N1"})).await;
    assert_eq!(query["trade_status"], "TRADE_CLOSED");
    let (status, refused) = world.control("N1", json!({"do": "pay"})).await;
    assert_eq!(status, 409);
    assert_eq!(refused["error"], "ACQ.TRADE_HAS_CLOSE");
    assert_eq!(world.book_entry("N1").await["closed_at"], "2026-11-22 10:15:00");
}

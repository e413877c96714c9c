//! What each call sends, and what it makes of the channel's answer.

use domain::channel::{Channel, Closed, PaymentFound, Prepared, RefundFound, ReversedAs};
use domain::operation::{Outcome, RefusalClass};
use domain::payment::{Credential, Proof};
use domain::text::TradeNo;

use super::reading::{Parameters, call};
use super::*;
use crate::far_side::answer;

/// Runs a call against a gateway that answers the node, and returns what the gateway read.
async fn ask<T>(
    node: &str,
    run: impl AsyncFnOnce(&Alipay) -> Outcome<T>,
) -> (Outcome<T>, Parameters, Value) {
    let node = node.to_owned();
    let (alipay, far) = gateway(move |seen| {
        let read = call(seen, &APP_KEY.public());
        answer(200, signed(&read["method"], &node))
    })
    .await;
    let outcome = run(&alipay).await;
    let [seen] = &far.seen()[..] else { panic!("exactly one request: nothing is retried") };
    let read = call(seen, &APP_KEY.public());
    assert_eq!(read["timestamp"], "2026-11-22 10:00:00", "of the clock");
    let content = serde_json::from_str(&read["biz_content"]).unwrap();
    (outcome, read, content)
}

/// The members of a success, to which a test adds its own.
fn success(more: &str) -> String {
    format!(r#"{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}"{more}}}"#)
}

fn garbled<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Outcome::Unknown(r) if r.why == RefusalClass::Garbled)
}

#[tokio::test]
async fn a_code_is_asked_for_and_handed_on() {
    let node = success(r#","qr_code":"https:\/\/qr.example\/bax1""#);
    let order = order("alipay_qr");
    let (outcome, read, content) = ask(&node, async |a| a.prepare(&order, NOTIFY_URL).await).await;
    let code = Credential::Qr("https://qr.example/bax1".into());
    assert_eq!(outcome, Outcome::Accepted(Prepared::Credential(code)));
    assert_eq!(read["method"], "alipay.trade.precreate");
    assert_eq!(read["notify_url"], NOTIFY_URL);
    assert_eq!(
        content,
        json!({
            "out_trade_no": NUMBER, "total_amount": "19.90", "subject": "测试 a+b & <c> \"d\"",
            "body": "two lines", "time_expire": "2026-11-22 11:00:00",
            "product_code": "FACE_TO_FACE_PAYMENT",
        })
    );
    let without = async |a: &Alipay| a.prepare(&order, NOTIFY_URL).await;
    assert!(garbled(&ask(&success(""), without).await.0));
}

#[tokio::test]
async fn a_scanned_payer_pays_at_once_or_is_still_paying() {
    let order = order("alipay_scan");
    let pay = async |a: &Alipay| a.prepare(&order, NOTIFY_URL).await;
    let facts = r#","trade_no":"2026112222001","total_amount":"19.90","buyer_user_id":"2088102",
        "buyer_logon_id":"138****0001","gmt_payment":"2026-11-22 10:00:01","receipt_amount":19.90,
        "fund_bill_list":[{"amount":"19.90","fund_channel":"ALIPAYACCOUNT"}],"point_amount":null"#;
    let (outcome, read, content) = ask(&success(facts), pay).await;
    let proof = Proof {
        money: yuan(1_990),
        trade_no: TradeNo::parse("2026112222001").unwrap(),
        paid_at: NOON.plus_seconds(1),
        details: vec![
            ("buyer_user_id".into(), "2088102".into()),
            ("buyer_logon_id".into(), "138****0001".into()),
            (
                "fund_bill_list".into(),
                r#"[{"amount":"19.90","fund_channel":"ALIPAYACCOUNT"}]"#.into(),
            ),
            ("receipt_amount".into(), "19.90".into()),
        ],
    };
    assert_eq!(outcome, Outcome::Accepted(Prepared::Paid(proof)));
    assert_eq!(read["method"], "alipay.trade.pay");
    assert_eq!(content["auth_code"], "281234567890123456");
    assert_eq!(content["scene"], "bar_code");

    let paying = format!(
        r#"{{"code":"10003","msg":"order success pay inprocess","out_trade_no":"{NUMBER}"}}"#
    );
    assert_eq!(ask(&paying, pay).await.0, Outcome::Accepted(Prepared::Paying));

    for lacking in ["trade_no", "total_amount", "gmt_payment"] {
        let node = success(&facts.replace(lacking, "other"));
        assert!(garbled(&ask(&node, pay).await.0), "{lacking}");
    }
    for amount in ["19.9o", "-19.90", "19.901", "1e1", "", "90071992547409.92"] {
        let node = success(&facts.replacen("19.90", amount, 1));
        assert!(garbled(&ask(&node, pay).await.0), "{amount}");
    }
    let dollars = success(&format!(r#"{facts},"trans_currency":"USD""#));
    let Outcome::Accepted(Prepared::Paid(proof)) = ask(&dollars, pay).await.0 else { panic!() };
    assert_ne!(proof.money, yuan(1_990), "another currency is not the amount that was asked for");
}

#[tokio::test]
async fn a_trade_for_a_mini_program_names_the_payer() {
    let mut order = order("alipay_lite");
    let node = success(r#","trade_no":"2026112222002""#);
    let (outcome, read, content) = ask(&node, async |a| a.prepare(&order, NOTIFY_URL).await).await;
    let trade = Credential::Trade("2026112222002".into());
    assert_eq!(outcome, Outcome::Accepted(Prepared::Credential(trade)));
    assert_eq!(read["method"], "alipay.trade.create");
    assert_eq!(content["buyer_id"], "2088102900000001");
    // Newer ids of payers have a name of their own.
    order.params.buyer_id = None;
    order.params.passed_on = vec![("buyer_open_id".into(), "\"074a1CcTG1LelxKe4xQC\"".into())];
    let (_, _, content) = ask(&node, async |a| a.prepare(&order, NOTIFY_URL).await).await;
    assert_eq!(content["buyer_open_id"], "074a1CcTG1LelxKe4xQC");
    assert!(content.get("buyer_id").is_none());
}

#[tokio::test]
async fn a_query_finds_every_state_of_a_trade() {
    let query = async |a: &Alipay| a.query(&number()).await;
    let state = |status: &str| {
        success(&format!(
            r#","trade_status":"{status}","total_amount":"19.90","trade_no":"2026112222001",
               "send_pay_date":"2026-11-22 09:59:59""#
        ))
    };
    let (waiting, read, content) = ask(&state("WAIT_BUYER_PAY"), query).await;
    assert_eq!(waiting, Outcome::Accepted(PaymentFound::Waiting));
    assert_eq!(read["method"], "alipay.trade.query");
    assert_eq!(content, json!({"out_trade_no": NUMBER}));
    assert!(!read.contains_key("notify_url"));
    let closed = ask(&state("TRADE_CLOSED"), query).await.0;
    assert_eq!(closed, Outcome::Accepted(PaymentFound::Closed));
    for status in ["TRADE_SUCCESS", "TRADE_FINISHED"] {
        let Outcome::Accepted(PaymentFound::Paid { proof }) = ask(&state(status), query).await.0
        else {
            panic!("{status}")
        };
        assert_eq!((proof.money, proof.paid_at), (yuan(1_990), NOON.plus_seconds(-1)));
    }
    // Paid is paid, even where the instant is not told.
    let node = state("TRADE_SUCCESS").replace("send_pay_date", "other");
    let Outcome::Accepted(PaymentFound::Paid { proof }) = ask(&node, query).await.0 else {
        panic!()
    };
    assert_eq!(proof.paid_at, NOON);
    for strange in ["TRADE_PENDING", ""] {
        let outcome = ask(&state(strange), query).await.0;
        let Outcome::Unknown(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.why, RefusalClass::Unclassified);
    }
}

#[tokio::test]
async fn amounts_may_come_as_numbers_and_are_read_from_their_text() {
    let query = async |a: &Alipay| a.query(&number()).await;
    for (text, fen) in
        [("0.10", 10), ("19.9", 1_990), ("100000000", 10_000_000_000), ("\"0.1\"", 10)]
    {
        let node = success(&format!(
            r#","trade_status":"TRADE_SUCCESS","total_amount":{text},"trade_no":"1""#
        ));
        let Outcome::Accepted(PaymentFound::Paid { proof }) = ask(&node, query).await.0 else {
            panic!("{text}")
        };
        assert_eq!(proof.money, yuan(fen), "{text}");
    }
}

#[tokio::test]
async fn closing_and_cancelling_tell_what_became_of_the_trade() {
    let (closed, read, _) = ask(&success(""), async |a| a.close(&number()).await).await;
    assert_eq!(closed, Outcome::Accepted(Closed::Closed));
    assert_eq!(read["method"], "alipay.trade.close");

    let reverse = async |a: &Alipay| a.reverse(&number()).await;
    let (closed, read, _) = ask(&success(r#","retry_flag":"N","action":"close""#), reverse).await;
    assert_eq!(closed, Outcome::Accepted(ReversedAs::Closed));
    assert_eq!(read["method"], "alipay.trade.cancel");
    let refunded = ask(&success(r#","retry_flag":"N","action":"refund""#), reverse).await.0;
    assert_eq!(refunded, Outcome::Accepted(ReversedAs::Refunded));
    let nothing = ask(&success(r#","retry_flag":"N""#), reverse).await.0;
    assert!(matches!(nothing, Outcome::Refused(r) if r.why == RefusalClass::NotFound));
    for unclear in [r#","retry_flag":"Y","action":"refund""#, r#","action":"other""#] {
        let outcome = ask(&success(unclear), reverse).await.0;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{unclear}: {outcome:?}");
    }
    let again = r#"{"code":"40004","sub_code":"ACQ.TRADE_HAS_FINISHED","retry_flag":"Y"}"#;
    assert!(matches!(ask(again, reverse).await.0, Outcome::Unknown(_)));
}

#[tokio::test]
async fn a_refund_is_done_only_when_money_moved() {
    let order = refund_order();
    let refund = async |a: &Alipay| a.refund(&order).await;
    let node = |change: &str, sum: &str| {
        success(&format!(
            r#","trade_no":"2026112222001","fund_change":"{change}","refund_fee":"{sum}",
               "gmt_refund_pay":"2026-11-22 10:00:02""#
        ))
    };
    let (outcome, read, content) = ask(&node("Y", "9.90"), refund).await;
    let done = RefundFound::Done {
        trade_no: Some(TradeNo::parse("2026112222001").unwrap()),
        at: Some(NOON.plus_seconds(2)),
    };
    assert_eq!(outcome, Outcome::Accepted(done.clone()));
    assert_eq!(read["method"], "alipay.trade.refund");
    assert_eq!(
        content,
        json!({
            "out_trade_no": NUMBER, "refund_amount": "9.90", "out_request_no": REFUND_NUMBER,
            "refund_reason": "too small",
        })
    );
    // The fee is the sum of all refunds of the trade.
    assert_eq!(ask(&node("Y", "19.90"), refund).await.0, Outcome::Accepted(done));
    assert_eq!(ask(&node("N", "0.00"), refund).await.0, Outcome::Accepted(RefundFound::Pending));
    for (change, sum) in [("Y", "9.89"), ("Y", "19.91"), ("N", "19.91"), ("", "9.90"), ("Y", "x")] {
        assert!(garbled(&ask(&node(change, sum), refund).await.0), "{change} {sum}");
    }
}

#[tokio::test]
async fn a_refund_is_found_only_when_it_is_this_one() {
    let order = refund_order();
    let query = async |a: &Alipay| a.query_refund(&order).await;
    let found = format!(
        r#","trade_no":"2026112222001","out_request_no":"{REFUND_NUMBER}",
           "refund_status":"REFUND_SUCCESS","refund_amount":"9.90","total_amount":19.90,
           "gmt_refund_pay":"2026-11-22 10:00:02""#
    );
    let (outcome, read, content) = ask(&success(&found), query).await;
    let trade_no = Some(TradeNo::parse("2026112222001").unwrap());
    let at = Some(NOON.plus_seconds(2));
    assert_eq!(outcome, Outcome::Accepted(RefundFound::Done { trade_no, at }));
    assert_eq!(read["method"], "alipay.trade.fastpay.refund.query");
    assert_eq!(
        content,
        json!({
            "out_trade_no": NUMBER, "out_request_no": REFUND_NUMBER,
            "query_options": ["gmt_refund_pay"],
        })
    );
    // An unknown refund is answered with a bare success, or without a state.
    for nothing in [r#"{"code":"10000","msg":"Success"}"#, &success("")] {
        let outcome = ask(nothing, query).await.0;
        assert_eq!(outcome, Outcome::Accepted(RefundFound::Nothing), "{nothing}");
    }
    for (theirs, other) in [
        ("\"9.90\"", "\"9.91\""),
        ("\"9.90\"", "\"9.89\""),
        ("19.90", "19.91"),
        ("19.90", "19.89"),
        (REFUND_NUMBER, "R2026112200002"),
        ("out_request_no", "other"),
    ] {
        let node = success(&found.replace(theirs, other));
        assert!(garbled(&ask(&node, query).await.0), "{theirs} {other}");
    }
    let strange = success(&found.replace("REFUND_SUCCESS", "REFUND_PROCESSING"));
    let outcome = ask(&strange, query).await.0;
    assert!(matches!(outcome, Outcome::Unknown(r) if r.why == RefusalClass::Unclassified));
}

#[tokio::test]
async fn an_answer_about_another_payment_is_not_believed() {
    let other = |more: &str| success(more).replace(NUMBER, "T2026112200002");
    let close = async |a: &Alipay| a.close(&number()).await;
    assert!(garbled(&ask(&other(""), close).await.0));
    assert!(garbled(&ask(r#"{"code":"10000","msg":"Success"}"#, close).await.0));
    let query = async |a: &Alipay| a.query(&number()).await;
    assert!(garbled(&ask(&other(r#","trade_status":"TRADE_CLOSED""#), query).await.0));
    let refund = async |a: &Alipay| a.refund(&refund_order()).await;
    let node = other(r#","fund_change":"Y","refund_fee":"9.90""#);
    assert!(garbled(&ask(&node, refund).await.0));
    let find = async |a: &Alipay| a.query_refund(&refund_order()).await;
    assert!(garbled(&ask(&other(""), find).await.0));
    let scan = order("alipay_scan");
    let pay = async |a: &Alipay| a.prepare(&scan, NOTIFY_URL).await;
    let paying = other("").replace("10000", "10003");
    assert!(garbled(&ask(&paying, pay).await.0));
}

//! Requests that the gateway must not believe, and the code of each refusal.

use serde_json::json;
use sign::rsa::PrivateKey;

use crate::harness::{Fields, World, merchant_key, page_pay, sign_with, signed, unsigned};

fn query() -> Fields {
    unsigned("alipay.trade.query", &json!({"out_trade_no": "T1"}), &[])
}

#[tokio::test]
async fn each_common_parameter_is_checked() {
    let world = World::new().await;
    let table: [(&str, Option<&str>, &str, &str); 14] = [
        ("app_id", None, "40001", "isv.missing-app-id"),
        ("app_id", Some("2021000000000009"), "40002", "isv.invalid-app-id"),
        ("method", None, "40001", "isv.missing-method"),
        ("method", Some("alipay.trade.nothing"), "40002", "isv.invalid-method"),
        ("charset", None, "40001", "isv.missing-charset"),
        ("charset", Some("gbk"), "40002", "isv.invalid-charset"),
        ("sign_type", None, "40001", "isv.missing-signature-type"),
        ("sign_type", Some("RSA"), "40002", "isv.invalid-signature-type"),
        ("timestamp", None, "40001", "isv.missing-timestamp"),
        ("timestamp", Some("today"), "40002", "isv.invalid-timestamp"),
        ("version", Some("2.0"), "40002", "isv.invalid-version"),
        ("format", Some("xml"), "40002", "isv.invalid-format"),
        ("biz_content", Some("{"), "40002", "isv.invalid-parameter"),
        ("notify_url", Some("javascript:x"), "40002", "isv.invalid-parameter"),
    ];
    for (name, value, code, sub_code) in table {
        let mut fields = query();
        fields.remove(name);
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.to_owned());
        }
        let text = world.post(&sign_with(fields, merchant_key())).await.unwrap();
        let known = name != "method";
        let root = if known { "alipay_trade_query_response" } else { "error_response" };
        assert!(text.starts_with(&format!("{{\"{root}\":")), "{text}");
        let node = world.node(&text);
        assert_eq!((&node["code"], &node["sub_code"]), (&json!(code), &json!(sub_code)), "{name}");
    }
}

#[tokio::test]
async fn a_signature_that_does_not_hold_is_refused() {
    let world = World::new().await;
    world.open_paid("T1", None).await;
    let missing = world.node(&world.post(&query()).await.unwrap());
    assert_eq!(missing["sub_code"], "isv.missing-signature");
    let stranger = sign_with(query(), &PrivateKey::generate());
    let mut changed = signed("alipay.trade.query", &json!({"out_trade_no": "T1"}), &[]);
    changed.insert("biz_content".to_owned(), json!({"out_trade_no": "T2"}).to_string());
    let mut added = signed("alipay.trade.query", &json!({"out_trade_no": "T1"}), &[]);
    added.insert("notify_url".to_owned(), "http://127.0.0.1:9/".to_owned());
    // Signed as a notification would be: without sign_type.
    let mut other_rule = query();
    other_rule.remove("sign_type");
    let mut other_rule = sign_with(other_rule, merchant_key());
    other_rule.insert("sign_type".to_owned(), "RSA2".to_owned());
    for fields in [stranger, changed, added, other_rule] {
        let node = world.node(&world.post(&fields).await.unwrap());
        assert_eq!(node["code"], "40002");
        assert_eq!(node["sub_code"], "isv.invalid-signature");
    }
}

#[tokio::test]
async fn empty_parameters_stand_outside_the_signed_text() {
    let world = World::new().await;
    world.open("T1", None).await;
    let mut fields = signed("alipay.trade.query", &json!({"out_trade_no": "T1"}), &[]);
    fields.insert("notify_url".to_owned(), String::new());
    assert_eq!(world.node(&world.post(&fields).await.unwrap())["code"], "10000");
}

#[tokio::test]
async fn one_name_with_two_values_is_refused() {
    let world = World::new().await;
    let all = signed("alipay.trade.query", &json!({"out_trade_no": "T1"}), &[]);
    let url = format!("{}?app_id=another", world.gateway());
    let text = world.http.post(url).form(&all).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with(r#"{"error_response":"#));
    assert_eq!(world.node(&text)["sub_code"], "isv.invalid-parameter");
}

#[tokio::test]
async fn business_parameters_are_checked() {
    let world = World::new().await;
    let good = || json!({"out_trade_no": "T9", "total_amount": "1.00", "subject": "x"});
    for (name, value) in [
        ("out_trade_no", json!("")),
        ("out_trade_no", json!("9".repeat(65))),
        ("total_amount", json!("0.00")),
        ("total_amount", json!("1.001")),
        ("total_amount", json!(-1)),
        ("total_amount", json!(null)),
        ("subject", json!(null)),
        ("subject", json!("x".repeat(257))),
        ("product_code", json!("QUICK_WAP_WAY")),
        ("timeout_express", json!("16d")),
        ("time_expire", json!("2026-11-22 09:59:59")),
        ("qr_code_timeout_express", json!("1s")),
    ] {
        let mut content = good();
        content[name] = value;
        let node = world.call("alipay.trade.precreate", content).await;
        assert_eq!(node["sub_code"], "ACQ.INVALID_PARAMETER", "{name}");
    }
    for method in ["query", "close", "cancel", "refund"] {
        let content = json!({"refund_amount": "1.00"});
        let node = world.call(&format!("alipay.trade.{method}"), content).await;
        assert_eq!(node["sub_code"], "ACQ.INVALID_PARAMETER", "{method}");
    }
    let node = world.call("alipay.trade.fastpay.refund.query", json!({"out_trade_no": "T9"})).await;
    assert_eq!(node["sub_code"], "ACQ.INVALID_PARAMETER");
    assert_eq!(world.read("trades").await["trades"], json!([]));
}

#[tokio::test]
async fn a_browser_is_told_on_a_page() {
    let world = World::new().await;
    let mut content = page_pay("T1", "1.00");
    content["product_code"] = json!(null);
    let answer = world.browse_raw("alipay.trade.page.pay", content, &[]).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(answer.text().await.unwrap().contains("ACQ.INVALID_PARAMETER"));
}

#[tokio::test]
async fn another_seller_s_trade_does_not_exist() {
    let world = World::new().await;
    world.open_paid("T1", None).await;
    let stranger = PrivateKey::generate();
    let app = json!({
        "app_id": "2021000000000002", "seller_id": "2088000000000002",
        "public_key": stranger.public().to_spki_base64(),
    });
    let url = format!("{}/control/apps", world.base);
    assert_eq!(world.http.post(url).body(app.to_string()).send().await.unwrap().status(), 200);
    let trade = world.book_entry("T1").await;
    for content in [json!({"out_trade_no": "T1"}), json!({"trade_no": trade["trade_no"]})] {
        let mut fields = unsigned("alipay.trade.query", &content, &[]);
        fields.insert("app_id".to_owned(), "2021000000000002".to_owned());
        let text = world.post(&sign_with(fields, &stranger)).await.unwrap();
        assert_eq!(world.node(&text)["sub_code"], "ACQ.TRADE_NOT_EXIST");
    }
    let mut own = unsigned("alipay.trade.page.pay", &page_pay("T1", "5.00"), &[]);
    own.insert("app_id".to_owned(), "2021000000000002".to_owned());
    let answer = world.http.post(world.gateway()).form(&sign_with(own, &stranger)).send().await;
    assert_eq!(answer.unwrap().status(), 302, "the number is free for another seller");
    let (status, _) = world.control("T1", json!({"do": "pay"})).await;
    assert_eq!(status, 409, "two sellers use the number");
    let order = json!({"do": "pay", "app_id": "2021000000000002"});
    let (status, trade) = world.control("T1", order).await;
    assert_eq!((status, &trade["total_fen"]), (200, &json!(500)));
}

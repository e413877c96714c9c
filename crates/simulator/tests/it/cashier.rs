//! The payer's pages, as a browser without script uses them.

use serde_json::json;

use crate::harness::{Fields, Receiver, World, holds, location, page_pay};

async fn press(world: &World, cashier: &str, button: &str) -> reqwest::Response {
    world.http.post(format!("{cashier}/{button}")).send().await.unwrap()
}

#[tokio::test]
async fn the_page_shows_the_order_and_its_three_buttons_in_both_languages() {
    let world = World::new().await;
    let mut content = page_pay("A1", "12.30");
    content["subject"] = json!("<b>茶</b>");
    content["timeout_express"] = json!("15m");
    let cashier = world.browse("alipay.trade.page.pay", content, &[]).await;
    let answer = world.http.get(&cashier).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self' data:;"));
    assert!(policy.ends_with("form-action 'self'"));
    let page = answer.text().await.unwrap();
    for part in [
        "模拟收银台 / Simulation",
        "lang=\"zh-CN\"",
        "12.30",
        "A1",
        "&#60;b&#62;茶",
        "id=\"pay\"",
        "id=\"fail\"",
        "id=\"cancel\"",
        "2026-11-22 10:15:00",
        "剩余 15 分 0 秒",
        "name=\"viewport\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("<b>"));
    let english = world.http.get(&cashier).header("accept-language", "en-GB,zh;q=0.5");
    let english = english.send().await.unwrap().text().await.unwrap();
    assert!(english.contains("lang=\"en\"") && english.contains("15 min 0 s left"));
    let asked = world.get(&format!("{cashier}?lang=en")).await.1;
    assert!(asked.contains("Confirm payment"));
    let style = world.get(&format!("{}/assets/simulator.css", world.base)).await;
    assert_eq!(style.0, 200);
    assert!(page.contains("href=\"/simulator/assets/simulator.css\""));
}

#[tokio::test]
async fn paying_twice_pays_once_and_shows_success() {
    let world = World::new().await;
    let cashier = world.open("B1", None).await;
    for _ in 0..2 {
        let answer = press(&world, &cashier, "pay").await;
        assert_eq!(answer.status(), 303);
        let to = location(&answer);
        assert!(to.starts_with("/simulator/cashier/"));
    }
    let page = world.get(&cashier).await.1;
    assert!(page.contains("支付成功") && !page.contains("id=\"pay\""));
    let trade = world.book_entry("B1").await;
    assert_eq!((&trade["paid_fen"], &trade["status"]), (&json!(100), &json!("TRADE_SUCCESS")));
}

#[tokio::test]
async fn a_payer_who_paid_goes_back_with_signed_fields() {
    let world = World::new().await;
    let back = "https://shop.example/done?from=pay";
    let more = [("return_url", back)];
    let cashier = world.browse("alipay.trade.page.pay", page_pay("C1", "1.00"), &more).await;
    let page = world.http.get(&cashier).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("form-action 'self' https://shop.example"), "{policy}");
    let answer = press(&world, &cashier, "pay").await;
    assert_eq!(answer.status(), 302);
    let to = location(&answer);
    let (address, query) = to.split_once('?').unwrap();
    assert_eq!(address, "https://shop.example/done");
    let mut fields: Fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(fields.remove("from").as_deref(), Some("pay"));
    assert!(holds(&fields, &world.key));
    assert_eq!(fields["method"], "alipay.trade.page.pay.return");
    assert_eq!(fields["out_trade_no"], "C1");
    assert_eq!(fields["total_amount"], "1.00");
    assert_eq!(fields["timestamp"], "2026-11-22 10:00:00");
    assert_eq!(fields.len(), 12);
    let page = world.get(&cashier).await.1;
    assert!(page.contains("id=\"back\"") && page.contains("https://shop.example/done?from=pay"));
}

#[tokio::test]
async fn a_failed_try_can_be_repeated() {
    let world = World::new().await;
    let cashier = world.open("D1", None).await;
    assert_eq!(press(&world, &cashier, "fail").await.status(), 303);
    let page = world.get(&cashier).await.1;
    assert!(page.contains("支付失败") && page.contains("id=\"pay\""));
    assert_eq!(world.book_entry("D1").await["last_try"], "failed");
    press(&world, &cashier, "pay").await;
    assert_eq!(world.book_entry("D1").await["status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_payer_who_leaves_goes_to_the_quit_address() {
    let world = World::new().await;
    let mut content = page_pay("E1", "1.00");
    content["product_code"] = json!("QUICK_WAP_WAY");
    content["quit_url"] = json!("https://shop.example/basket");
    let cashier = world.browse("alipay.trade.wap.pay", content, &[]).await;
    let answer = press(&world, &cashier, "cancel").await;
    assert_eq!(answer.status(), 302);
    assert_eq!(location(&answer), "https://shop.example/basket");
    let trade = world.book_entry("E1").await;
    assert_eq!(trade["status"], "WAIT_BUYER_PAY", "leaving does not close");
    assert_eq!(trade["last_try"], "cancelled");
    let plain = world.open("E2", None).await;
    assert_eq!(press(&world, &plain, "cancel").await.status(), 303);
    let mut content = page_pay("E3", "1.00");
    content["quit_url"] = json!("javascript:alert(1)");
    let odd = world.browse("alipay.trade.page.pay", content, &[]).await;
    assert_eq!(press(&world, &odd, "cancel").await.status(), 303);
    assert!(!world.get(&odd).await.1.contains("javascript:"));
}

#[tokio::test]
async fn a_closed_trade_cannot_be_paid_on_its_page() {
    let world = World::new().await;
    let more = [("return_url", "https://shop.example/done")];
    let cashier = world.browse("alipay.trade.page.pay", page_pay("F1", "1.00"), &more).await;
    world.make("F1", "close").await;
    assert_eq!(press(&world, &cashier, "pay").await.status(), 303, "no signed way back");
    let page = world.get(&cashier).await.1;
    assert!(page.contains("交易已关闭") && !page.contains("id=\"pay\""));
    assert_eq!(world.book_entry("F1").await["paid_fen"], 0);
}

#[tokio::test]
async fn a_page_nobody_has_is_not_found() {
    let world = World::new().await;
    let nowhere = format!("{}/cashier/nothing", world.base);
    assert_eq!(world.get(&nowhere).await.0, 404);
    assert_eq!(press(&world, &nowhere, "pay").await.status(), 404);
    assert_eq!(press(&world, &nowhere, "cancel").await.status(), 404);
    assert_eq!(world.get(&format!("{}/code/nothing", world.base)).await.0, 404);
}

#[tokio::test]
async fn looking_at_a_code_does_not_scan_it() {
    let world = World::new().await;
    let content = json!({"out_trade_no": "G1", "total_amount": "1", "subject": "x"});
    let made = world.call("alipay.trade.precreate", content).await;
    let url = world.book_entry("G1").await["code_url"].as_str().unwrap().to_owned();
    let (status, page) = world.get(&url).await;
    assert_eq!(status, 200);
    assert!(page.contains("data:image/svg+xml,%3C%3Fxml"));
    assert!(page.contains(made["qr_code"].as_str().unwrap()));
    assert_eq!(world.book_entry("G1").await["status"], "NOT_SCANNED");
    world.make("G1", "pay").await;
    let page = world.get(&url).await.1;
    assert!(page.contains("支付成功") && !page.contains("data:image"));
}

#[tokio::test]
async fn the_list_shows_recent_trades() {
    let world = World::new().await;
    let empty = world.get(&world.base).await;
    assert_eq!(empty.0, 200);
    assert!(empty.1.contains("还没有交易"));
    assert_eq!(world.get(&format!("{}/", world.base)).await.0, 200);
    world.open_paid("H1", None).await;
    let page = world.get(&format!("{}?lang=en", world.base)).await.1;
    assert!(page.contains("H1") && page.contains("paid") && page.contains("茶 tea"));
}

#[tokio::test]
async fn the_buttons_cause_notifications() {
    let world = World::new().await;
    let mut receiver = Receiver::new().await;
    let cashier = world.open("I1", Some(&receiver.url)).await;
    press(&world, &cashier, "fail").await;
    press(&world, &cashier, "cancel").await;
    press(&world, &cashier, "pay").await;
    press(&world, &cashier, "pay").await;
    assert_eq!(receiver.next().await["trade_status"], "TRADE_SUCCESS");
    world.settled("I1").await;
    assert!(receiver.is_quiet());
}

//! Playing the payer at a simulator.

use domain::channel::{Channel, PayerDeed, Preparation};
use domain::operation::{Outcome, RefusalClass};
use domain::payment::Credential;

use super::reading::{parameters, verified};
use super::*;
use crate::far_side::answer;

/// A connector at a simulator whose control API answers this status.
async fn simulator(control_status: u16) -> (Alipay, FarSide) {
    let far = FarSide::start(move |seen| {
        if seen.line.contains("/control/") { answer(control_status, "{}") } else { answer(302, "") }
    })
    .await;
    let mut settings = settings_json(&far.url("/gateway.do"));
    settings["control_url"] = far.url("/control").into();
    (alipay_with(&settings), far)
}

fn ready(alipay: &Alipay, channel: &str) -> Credential {
    match alipay.plan(&order(channel), NOTIFY_URL).unwrap() {
        Preparation::Ready(credential) => credential,
        Preparation::MustAsk => panic!("{channel} is ready at once"),
    }
}

async fn play(alipay: &Alipay, credential: &Credential, deed: PayerDeed) -> Outcome<()> {
    alipay.play_payer(&number(), credential, deed).unwrap().await
}

#[tokio::test]
async fn the_trade_is_opened_as_the_payers_device_would_and_then_paid() {
    let (alipay, far) = simulator(200).await;
    let page = ready(&alipay, "alipay_wap");
    assert_eq!(play(&alipay, &page, PayerDeed::Pay).await, Outcome::Accepted(()));
    let text = ready(&alipay, "alipay");
    assert_eq!(play(&alipay, &text, PayerDeed::Fail).await, Outcome::Accepted(()));
    let code = Credential::Qr("https://qr.example/bax1".into());
    assert_eq!(play(&alipay, &code, PayerDeed::Pay).await, Outcome::Accepted(()));
    let seen = far.seen();
    assert_eq!(seen.len(), 5);
    let key = APP_KEY.public();
    assert!(seen[0].line.starts_with("GET /gateway.do?"));
    assert_eq!(verified(parameters(seen[0].query()), &key)["method"], "alipay.trade.wap.pay");
    assert_eq!(seen[2].line, "POST /gateway.do HTTP/1.1");
    assert_eq!(verified(parameters(&seen[2].body), &key)["method"], "alipay.trade.app.pay");
    for (index, word) in [(1, "pay"), (3, "fail"), (4, "pay")] {
        assert_eq!(seen[index].line, format!("POST /control/trades/{NUMBER} HTTP/1.1"));
        assert_eq!(seen[index].header("content-type"), Some("application/json"));
        let order: Value = serde_json::from_str(&seen[index].body).unwrap();
        assert_eq!(order, json!({"do": word, "app_id": APP_ID}));
    }
}

#[tokio::test]
async fn what_the_simulator_refuses_is_told() {
    let trade = Credential::Trade("2026112222001".into());
    for (status, why) in [(404, RefusalClass::NotFound), (409, RefusalClass::Business)] {
        let (alipay, _far) = simulator(status).await;
        let outcome = play(&alipay, &trade, PayerDeed::Pay).await;
        assert!(matches!(&outcome, Outcome::Refused(r) if r.why == why), "{outcome:?}");
    }
    let (alipay, far) = simulator(200).await;
    let nowhere = Credential::Page("no address".into());
    let outcome = play(&alipay, &nowhere, PayerDeed::Pay).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    assert!(far.seen().is_empty());
    let (alipay, _far) = simulator(500).await;
    assert!(matches!(play(&alipay, &trade, PayerDeed::Pay).await, Outcome::Unknown(_)));
}

#[test]
fn at_a_real_gateway_nobody_plays_the_payer() {
    let trade = Credential::Trade("2026112222001".into());
    assert!(alone().play_payer(&number(), &trade, PayerDeed::Pay).is_none());
}

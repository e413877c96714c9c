//! Creating, paying, retrieving and reversing.

use dialects::pingpp::{MockDeed, MockError, MockState};
use domain::channel::{Closed, Prepared};
use domain::operation::{Outcome, RefusalClass};
use serde_json::{Value, json};

use crate::world::{
    APP, LIVE_KEY, NOWHERE, TEST_KEY, World, bearer, charge, id_of, ids_of, trouble,
};

#[tokio::test]
async fn a_created_charge_is_rendered_whole_and_retrieved_the_same() {
    let world = World::new().await;
    let mut parameters = charge("alipay_wap", "order0001");
    parameters["subject"] = "明前龙井 <250克> & 茶具".into();
    parameters["metadata"] = json!({"cart": "77", "备注": "<b>&amp;", "n": 7});
    parameters["description"] = "第一单".into();
    let created = world.post("/v1/charges", &parameters).await;
    let object = created.ok();
    assert!(id_of(&object).starts_with("ch_100270115"), "{object}");
    for name in [
        "order_no",
        "channel",
        "amount",
        "client_ip",
        "currency",
        "subject",
        "body",
        "extra",
        "metadata",
        "description",
    ] {
        assert_eq!(object[name], parameters[name], "{name}");
    }
    assert_eq!(object["app"], APP);
    assert_eq!(object["created"], world.now());
    assert_eq!(object["time_expire"], world.now() + 86_400);
    assert_eq!(object["amount_settle"], 1000);
    assert_eq!(object["livemode"], false);
    assert_eq!(object["credential"]["alipay_wap"]["sign"], "a+b");
    let target = format!("/v1/charges/{}", id_of(&object));
    for target in [target.clone(), format!("{target}?")] {
        assert_eq!(world.get(&target).await.text, created.text);
    }
    let order = world.channel.script.lock().unwrap().orders[0].clone();
    assert_eq!(order.params.return_url.as_deref(), Some("https://shop.invalid/paid"));
}

#[tokio::test]
async fn live_charges_settle_less_the_fee() {
    let world = World::new().await;
    let live = world.post_as(LIVE_KEY, "/v1/charges", &charge("alipay_qr", "order0001")).await.ok();
    assert!(id_of(&live).starts_with("ch_101"));
    assert_eq!((&live["livemode"], &live["amount_settle"]), (&true.into(), &994.into()));
}

#[tokio::test]
async fn a_form_makes_the_same_charge_as_json() {
    let world = World::new().await;
    let mut parameters = charge("alipay_wap", "order0001");
    parameters["metadata"] = json!({"k": "v"});
    parameters["amount"] = "1000".into();
    let first = world.post("/v1/charges", &parameters).await;
    let form = format!(
        "order_no=order0001&app%5Bid%5D={APP}&channel=alipay_wap&amount=1000&currency=cny\
         &client_ip=198.51.100.1&subject=Green+tea&body=Spring%20harvest&metadata[k]=v\
         &extra[success_url]=https%3A%2F%2Fshop.invalid%2Fpaid"
    );
    let key = bearer(TEST_KEY);
    let headers = [("authorization", &*key), ("content-type", "application/x-www-form-urlencoded")];
    let second = world.send("POST", "/v1/charges", &headers, form).await;
    assert_eq!(second.ok()["id"], first.ok()["id"]);
    assert_eq!(second.text, first.text);
}

#[tokio::test]
async fn a_repeated_order_number_follows_the_table() {
    let world = World::new().await;
    let parameters = charge("alipay_qr", "order0001");
    let first = world.post("/v1/charges", &parameters).await;
    let again = world.post("/v1/charges", &parameters).await;
    assert_eq!(again.text, first.text);
    let mut reordered: Value = parameters.clone();
    reordered["metadata"] = json!([]);
    assert_eq!(world.post("/v1/charges", &reordered).await.ok()["id"], first.ok()["id"]);
    let used = Some("charge_order_no_used");
    for (name, value) in
        [("amount", json!(1001)), ("subject", json!("x")), ("metadata", json!({"a": 1}))]
    {
        let mut other = parameters.clone();
        other[name] = value;
        world.post("/v1/charges", &other).await.refused(402, None, used);
    }
    let other_channel = world.create("alipay_wap", "order0001").await;
    assert_ne!(other_channel["id"], first.ok()["id"]);
    world.pay(&id_of(&first.ok())).await;
    world.post("/v1/charges", &parameters).await.refused(402, None, used);
    let reversed = id_of(&world.create("alipay_qr", "order0002").await);
    world.post(&format!("/v1/charges/{reversed}/reverse"), &json!({})).await.ok();
    let again = world.post("/v1/charges", &charge("alipay_qr", "order0002")).await;
    again.refused(402, None, used);
}

#[tokio::test]
async fn equal_creates_at_once_all_get_the_credential() {
    let world = World::new().await;
    let parameters = charge("alipay_qr", "order0001");
    let calls = (0..8).map(|_| {
        let (router, body) = (world.router.clone(), parameters.to_string());
        tokio::spawn(async move {
            let request = axum::http::Request::post("/v1/charges")
                .header("authorization", bearer(TEST_KEY))
                .body(axum::body::Body::from(body))
                .unwrap();
            let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut ids = std::collections::HashSet::new();
    for call in calls {
        let charge = call.await.unwrap();
        assert_eq!(charge["credential"]["alipay_qr"], "https://qr.invalid/order0001", "{charge}");
        ids.insert(id_of(&charge));
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn trouble_with_the_channel_is_402_and_the_same_request_continues() {
    let world = World::new().await;
    let parameters = charge("alipay_qr", "order0001");
    let unknown = Outcome::Unknown(trouble(RefusalClass::Connection));
    world.channel.script.lock().unwrap().prepare.push_back(unknown);
    let failed = world.post("/v1/charges", &parameters).await;
    let error = failed.refused(402, None, Some("channel_connection_error"));
    assert_eq!(error["type"], "channel_error");
    let again = world.post("/v1/charges", &parameters).await.ok();
    assert_eq!(again["credential"]["alipay_qr"], "https://qr.invalid/order0001");
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    world.channel.script.lock().unwrap().prepare.push_back(refused);
    let refused = world.post("/v1/charges", &charge("alipay_qr", "order0002")).await;
    let error = refused.refused(402, None, Some("channel_request_error"));
    assert!(error["message"].as_str().unwrap().contains("ACQ.SCRIPTED"));
    let missing = world.post("/v1/charges", &charge("alipay_lite", "order0003")).await;
    missing.refused(400, Some("extra[buyer_user_id]"), None);
}

#[tokio::test]
async fn paying_by_the_notify_address_makes_a_charge_paid_once() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    world.pay(&id).await;
    let answer = world.notify(&id).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, "success"));
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let paid = world.get(&format!("/v1/charges/{id}")).await.ok();
    assert_eq!(paid["paid"], true);
    assert_eq!(paid["credential"], json!({}));
    assert_eq!(paid["time_paid"], world.now());
    assert_eq!(paid["transaction_no"], "2027order0001");
    assert_eq!(paid["extra"], json!({"buyer_user_id": "2088000000000001"}));
    assert_eq!(ids_of(&world.get("/v1/events").await.ok()).len(), 1);
}

#[tokio::test]
async fn the_notify_address_knows_test_charges_only() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    let live = world.post_as(LIVE_KEY, "/v1/charges", &charge("alipay_qr", "order0001")).await.ok();
    for target in [
        format!("/notify/charges/{}?livemode=false", id_of(&live)),
        format!("/notify/charges/{NOWHERE}?livemode=false"),
        format!("/notify/charges/{id}?livemode=true"),
        format!("/notify/charges/{id}"),
        "/notify/charges/%20?livemode=false".to_owned(),
    ] {
        assert_eq!(world.send("GET", &target, &[], "").await.status, 404, "{target}");
    }
    assert_eq!(world.get(&format!("/v1/charges/{id}")).await.ok()["paid"], false);
    world.post(&format!("/v1/charges/{id}/reverse"), &json!({})).await.ok();
    assert_eq!(world.notify(&id).await.status, 400);
}

#[tokio::test]
async fn the_mock_page_has_what_it_shows_and_three_deeds() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_wap", "order0001").await);
    let view = world.pingpp.mock_view(&id).await.unwrap();
    assert_eq!((&*view.amount, &*view.currency), ("10.00", "CNY"));
    assert_eq!((view.state, &*view.order_no), (MockState::Payable, "order0001"));
    assert_eq!(view.return_url.as_deref(), Some("https://shop.invalid/paid"));
    for deed in [MockDeed::Cancel, MockDeed::Fail] {
        let after = world.pingpp.mock_act(&id, deed).await.unwrap();
        assert_eq!(after.state, MockState::Payable, "{deed:?}");
    }
    assert_eq!(world.pingpp.mock_act(&id, MockDeed::Pay).await.unwrap().state, MockState::Paid);
    assert_eq!(world.pingpp.mock_view(NOWHERE).await, None);
    let nowhere = world.pingpp.mock_act(NOWHERE, MockDeed::Pay).await;
    assert_eq!(nowhere, Err(MockError::Unknown));
    let reversed = id_of(&world.create("alipay_qr", "order0002").await);
    world.post(&format!("/v1/charges/{reversed}/reverse"), &json!({})).await.ok();
    assert_eq!(world.pingpp.mock_act(&reversed, MockDeed::Pay).await, Err(MockError::Ended));
    assert_eq!(world.pingpp.mock_view(&reversed).await.unwrap().state, MockState::Ended);
}

#[tokio::test]
async fn the_app_is_expanded_wherever_it_is_asked_for() {
    let world = World::new().await;
    let mut parameters = charge("alipay_qr", "order0001");
    parameters["expand"] = json!(["app"]);
    let created = world.post("/v1/charges", &parameters).await.ok();
    assert_eq!(created["app"]["id"], APP);
    let id = id_of(&created);
    for query in ["expand[]=app", "expand%5B0%5D=app", "expand=app"] {
        let charge = world.get(&format!("/v1/charges/{id}?{query}")).await.ok();
        assert_eq!(charge["app"]["object"], "app", "{query}");
        assert_eq!(charge["app"]["channels_supported"][0], "alipay_wap");
    }
    let list = world.get("/v1/charges?expand[]=data.app").await.ok();
    assert_eq!(list["data"][0]["app"]["id"], APP);
    assert_eq!(world.get(&format!("/v1/charges/{id}")).await.ok()["app"], APP);
}

#[tokio::test]
async fn every_empty_body_reverses_and_doing_it_again_changes_nothing() {
    let world = World::new().await;
    let key = bearer(TEST_KEY);
    for (index, body) in ["{}", "[]", "", "x=1"].into_iter().enumerate() {
        let id = id_of(&world.create("alipay_qr", &format!("order000{index}")).await);
        let target = format!("/v1/charges/{id}/reverse");
        let form =
            if body == "x=1" { "application/x-www-form-urlencoded" } else { "application/json" };
        let headers = [("authorization", &*key), ("content-type", form)];
        let reversed = world.send("POST", &target, &headers, body).await;
        let object = reversed.ok();
        assert_eq!((&object["reversed"], &object["paid"]), (&true.into(), &false.into()), "{body}");
        assert_eq!(object["credential"], json!({}));
        assert_eq!(world.send("POST", &target, &headers, body).await.text, reversed.text);
    }
}

#[tokio::test]
async fn channels_differ_in_what_may_be_reversed() {
    let world = World::new().await;
    let reverse =
        async |id: &str| world.post(&format!("/v1/charges/{id}/reverse"), &json!({})).await;
    let wap = id_of(&world.create("alipay_wap", "order0001").await);
    reverse(&wap).await.refused(400, None, None);
    let qr = id_of(&world.create("alipay_qr", "order0002").await);
    world.pay(&qr).await;
    reverse(&qr).await.refused(400, None, None);
    let scan = world.create("alipay_scan", "order0003").await;
    assert_eq!((&scan["paid"], &scan["credential"]), (&true.into(), &json!({})));
    let reversed = reverse(&id_of(&scan)).await.ok();
    assert_eq!((&reversed["reversed"], &reversed["paid"]), (&true.into(), &true.into()));
    assert_eq!((&reversed["refunded"], &reversed["refunds"]["data"]), (&false.into(), &json!([])));
    let late = id_of(&world.create("alipay_scan", "order0004").await);
    world.clock.advance(86_401);
    reverse(&late).await.refused(400, None, None);
    reverse(NOWHERE).await.refused(404, Some("id"), None);
}

#[tokio::test]
async fn a_close_that_is_not_certain_is_not_called_reversed() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    let target = format!("/v1/charges/{id}/reverse");
    let unknown = Outcome::Unknown(trouble(RefusalClass::Connection));
    world.channel.script.lock().unwrap().close.push_back(unknown);
    let answer = world.post(&target, &json!({})).await;
    answer.refused(402, None, Some("channel_connection_error"));
    assert_eq!(world.get(&format!("/v1/charges/{id}")).await.ok()["reversed"], false);
    let answer = world.post(&target, &json!({})).await;
    answer.refused(402, None, Some("charge_unexpected_status"));
}

#[tokio::test]
async fn a_payer_who_was_faster_than_the_close_has_paid() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    let paid = Outcome::Accepted(Closed::AlreadyPaid);
    world.channel.script.lock().unwrap().close.push_back(paid);
    let payment = world.queries.test_payment(&domain::text::PublicId::parse(&id).unwrap());
    let number = payment.unwrap().unwrap().number;
    let play = domain::channel::Channel::play_payer(
        &world.channel,
        &number,
        &domain::payment::Credential::Nothing,
        domain::channel::PayerDeed::Pay,
    );
    play.unwrap().await;
    let answer = world.post(&format!("/v1/charges/{id}/reverse"), &json!({})).await;
    answer.refused(400, None, None);
    assert_eq!(world.get(&format!("/v1/charges/{id}")).await.ok()["paid"], true);
}

#[tokio::test]
async fn an_expired_and_closed_charge_is_closed_for_everything() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    world.clock.advance(86_400);
    // Its time is over though nobody has closed it yet.
    let refund =
        world.post(&format!("/v1/charges/{id}/refunds"), &json!({"description": "x"})).await;
    refund.refused(402, None, Some("charge_closed"));
    world.engine.clock_moved();
    let public_id = domain::text::PublicId::parse(&id).unwrap();
    let closed = || {
        let payment = world.queries.test_payment(&public_id).unwrap().unwrap();
        matches!(payment.state, domain::payment::PaymentState::Closed { .. })
    };
    world.until("it is closed", closed).await;
    let closed = Some("charge_closed");
    let reverse = world.post(&format!("/v1/charges/{id}/reverse"), &json!({})).await;
    reverse.refused(402, None, closed);
    let refund =
        world.post(&format!("/v1/charges/{id}/refunds"), &json!({"description": "x"})).await;
    refund.refused(402, None, closed);
    let charge = world.get(&format!("/v1/charges/{id}")).await.ok();
    assert_eq!((&charge["reversed"], &charge["paid"]), (&false.into(), &false.into()));
    let again = world.post("/v1/charges", &crate::world::charge("alipay_qr", "order0001")).await;
    again.refused(402, None, Some("charge_order_no_used"));
}

#[tokio::test]
async fn a_balance_pays_at_once_if_it_suffices() {
    let world = World::new().await;
    world.user("user_1", 1_500).await;
    let paid = world.create("balance", "order0001").await;
    assert_eq!((&paid["paid"], &paid["credential"]), (&true.into(), &json!({})));
    let short = world.post("/v1/charges", &charge("balance", "order0002")).await;
    short.refused(402, None, Some("channel_request_error"));
    let mut stranger = charge("balance", "order0003");
    stranger["extra"]["user"] = "nobody".into();
    world.post("/v1/charges", &stranger).await.refused(400, Some("extra[user]"), None);
    let target = format!("/v1/charges/{}/refunds", id_of(&paid));
    let refund = world.post(&target, &json!({"description": "x", "amount": 700})).await.ok();
    assert_eq!(refund["status"], "succeeded");
    world.create("balance", "order0004").await;
}

#[tokio::test]
async fn a_scan_that_waits_for_the_payer_is_no_error() {
    let world = World::new().await;
    let paying = Outcome::Accepted(Prepared::Paying);
    world.channel.script.lock().unwrap().prepare.push_back(paying);
    let scan = world.create("alipay_scan", "order0001").await;
    assert_eq!((&scan["paid"], &scan["credential"]), (&false.into(), &json!({})));
}

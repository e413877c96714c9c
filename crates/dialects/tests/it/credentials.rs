//! Keys, signatures, headers, routes and limits that come before any parameter.

use axum::extract::State;
use axum::http::Request;
use dialects::pingpp::PingppSettings;
use serde_json::json;
use sign::rsa::PrivateKey;

use crate::world::{
    LIVE_KEY, NOWHERE, STRANGERS_KEY, TEST_KEY, World, bearer, charge, id_of, ids_of,
};

const SIGNATURE: &str = "pingplusplus-signature";
const TIMESTAMP: &str = "pingplusplus-request-timestamp";

fn signature(key: &PrivateKey, body: &str, target: &str, time: &str) -> String {
    key.sign_sha256_base64(format!("{body}{target}{time}").as_bytes())
}

#[tokio::test]
async fn without_a_valid_key_every_call_is_401_and_unsigned() {
    let world = World::new().await;
    let wrong = bearer("sk_test_999999999999999999999999");
    for headers in [vec![], vec![("authorization", &*wrong)], vec![("authorization", "Basic x")]] {
        for (method, target) in [("GET", "/v1/charges/ch_1"), ("POST", "/v1/charges")] {
            let answer = world.send(method, target, &headers, "{}").await;
            let error = answer.refused(401, None, None);
            assert_eq!(error["type"], "invalid_request_error");
            assert!(!answer.headers.contains_key("x-pingplusplus-signature"));
            assert!(!answer.text.contains("999999"));
        }
    }
}

#[tokio::test]
async fn basic_and_bearer_are_the_same_caller() {
    let world = World::new().await;
    let basic = "Basic c2tfdGVzdF8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE6";
    for authorization in [basic, &bearer(TEST_KEY)] {
        let target = format!("/v1/charges/{NOWHERE}");
        let answer = world.send("GET", &target, &[("authorization", authorization)], "").await;
        answer.refused(404, Some("id"), None);
    }
}

#[tokio::test]
async fn answers_carry_the_documented_headers_and_a_signature_over_their_bytes() {
    let world = World::new().await;
    for answer in [
        world.post("/v1/charges", &charge("alipay_qr", "order0001")).await,
        world.get(&format!("/v1/charges/{NOWHERE}")).await,
    ] {
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "application/json;charset=utf-8");
        assert_eq!(header("cache-control"), "no-cache, no-store");
        assert_eq!(header("access-control-allow-methods"), "GET, POST, HEAD, OPTIONS, DELETE");
        assert_eq!(header("access-control-max-age"), "300");
        assert_eq!(header("access-control-allow-credentials"), "true");
        let key = world.pingpp.platform_key.public();
        let signature = header("x-pingplusplus-signature");
        assert_eq!(key.verify_sha256_base64(answer.text.as_bytes(), signature), Ok(()));
        assert!(!answer.headers.contains_key("connection"));
    }
    world.set_merchant(|merchant| merchant.sign_responses = false).await;
    let unsigned = world.get("/v1/charges").await;
    assert!(!unsigned.headers.contains_key("x-pingplusplus-signature"));
    let agent = ("user-agent", "Pingpp/v1 NodeBindings/2.1.6");
    let key = bearer(TEST_KEY);
    let node = world.send("GET", "/v1/charges?", &[agent, ("authorization", &key)], "").await;
    assert_eq!(node.headers["connection"], "close");
}

#[tokio::test]
async fn every_variant_of_a_right_signature_is_accepted_and_everything_else_refused() {
    let world = World::new().await;
    let (old, new, stranger) =
        (PrivateKey::generate(), PrivateKey::generate(), PrivateKey::generate());
    world.register(&old).await;
    world.register(&new).await;
    let body = charge("alipay_qr", "order0001").to_string();
    let time = world.now().to_string();
    let early = (world.now() - 901).to_string();
    let at_the_edge = (world.now() - 900).to_string();
    const TARGET: &str = "/v1/charges?x=1";
    let key = bearer(TEST_KEY);
    let send = async |target: &str, body: &str, signed: &[(&str, &str)]| {
        let mut headers = vec![("authorization", &*key), ("content-type", "application/json")];
        headers.extend(signed);
        world.send("POST", target, &headers, body).await
    };
    let full = signature(&old, &body, TARGET, &time);
    let spaced = format!("{body} ");
    let other_time = (world.now() + 1).to_string();
    for (target, body, signed) in [
        (TARGET, &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        (
            TARGET,
            &body,
            vec![(SIGNATURE, &*signature(&new, &body, TARGET, &time)), (TIMESTAMP, &time)],
        ),
        (TARGET, &body, vec![(SIGNATURE, &*signature(&new, &body, "", ""))]),
        (
            TARGET,
            &body,
            vec![
                (SIGNATURE, &*signature(&new, &body, TARGET, &at_the_edge)),
                (TIMESTAMP, &*at_the_edge),
            ],
        ),
        (TARGET, &body, vec![(TIMESTAMP, &*time)]),
        (TARGET, &body, vec![]),
    ] {
        send(target, body, &signed).await.ok();
    }
    for (target, body, signed) in [
        (TARGET, &spaced, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        ("/v1/charges", &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        ("/v1/charges?x=1&", &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        ("/v1/charges?x=%31", &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*other_time)]),
        (TARGET, &body, vec![(SIGNATURE, &*full)]),
        (TARGET, &body, vec![(SIGNATURE, ""), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, "!!!"), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, &full[..100]), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, &*full), (SIGNATURE, &*full), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, &*full), (TIMESTAMP, &*time), (TIMESTAMP, &*time)]),
        (TARGET, &body, vec![(SIGNATURE, &*full), (TIMESTAMP, "soon")]),
        (
            TARGET,
            &body,
            vec![(SIGNATURE, &*signature(&new, &body, TARGET, &early)), (TIMESTAMP, &*early)],
        ),
        (
            TARGET,
            &body,
            vec![(SIGNATURE, &*signature(&stranger, &body, TARGET, &time)), (TIMESTAMP, &*time)],
        ),
    ] {
        send(target, body, &signed).await.refused(400, None, None);
    }
    let list = world.get("/v1/charges").await.ok();
    assert_eq!(ids_of(&list).len(), 1);
}

#[tokio::test]
async fn a_signature_is_required_for_writes_where_the_merchant_says_so() {
    let world = World::new().await;
    world.set_merchant(|merchant| merchant.test_signature_required = true).await;
    let parameters = charge("alipay_qr", "order0001");
    let error = world.post("/v1/charges", &parameters).await.refused(400, None, None);
    assert!(error["message"].as_str().unwrap().contains("no signature"), "{error}");
    world.get("/v1/charges").await.ok();
    world.post_as(LIVE_KEY, "/v1/charges", &parameters).await.ok();

    let (key, body, time) =
        (PrivateKey::generate(), parameters.to_string(), world.now().to_string());
    let signed = signature(&key, &body, "/v1/charges", &time);
    let api_key = bearer(TEST_KEY);
    let headers = [("authorization", &*api_key), (SIGNATURE, &*signed), (TIMESTAMP, &*time)];
    world.send("POST", "/v1/charges", &headers, &*body).await.refused(400, None, None);
    world.register(&key).await;
    world.send("POST", "/v1/charges", &headers, &*body).await.ok();
}

#[tokio::test]
async fn a_signature_that_nobody_can_check_is_ignored_where_none_is_required() {
    let world = World::new().await;
    let key = bearer(TEST_KEY);
    let headers = [("authorization", &*key), (SIGNATURE, "AAAA"), (TIMESTAMP, "1")];
    let body = charge("alipay_qr", "order0001").to_string();
    world.send("POST", "/v1/charges", &headers, body).await.ok();
}

#[tokio::test]
async fn test_and_live_and_two_merchants_never_meet() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_wap", "order0001").await);
    world.pay(&id).await;
    let refund = json!({"description": "x", "amount": 1});
    let refund = id_of(&world.post(&format!("/v1/charges/{id}/refunds"), &refund).await.ok());
    let event = ids_of(&world.get("/v1/events").await.ok())[0].to_owned();
    let batch = json!({"app": crate::world::APP, "batch_no": "batch1", "charges": [&id],
                       "description": "x"});
    let batch = id_of(&world.post("/v1/batch_refunds", &batch).await.ok());
    for key in [LIVE_KEY, STRANGERS_KEY] {
        for (method, foreign, unknown) in [
            ("GET", format!("/v1/charges/{id}"), format!("/v1/charges/{NOWHERE}")),
            ("POST", format!("/v1/charges/{id}/reverse"), format!("/v1/charges/{NOWHERE}/reverse")),
            ("POST", format!("/v1/charges/{id}/refunds"), format!("/v1/charges/{NOWHERE}/refunds")),
            ("GET", format!("/v1/charges/{id}/refunds"), format!("/v1/charges/{NOWHERE}/refunds")),
            (
                "GET",
                format!("/v1/charges/{id}/refunds/{refund}"),
                format!("/v1/charges/{NOWHERE}/refunds/{refund}"),
            ),
            ("GET", format!("/v1/events/{event}"), "/v1/events/evt_0".to_owned()),
            ("GET", format!("/v1/batch_refunds/{batch}"), "/v1/batch_refunds/1".to_owned()),
        ] {
            let headers = [("authorization", bearer(key))];
            let headers = headers.each_ref().map(|(n, v)| (*n, v.as_str()));
            let body = r#"{"description":"mine"}"#;
            let foreign = world.send(method, &foreign, &headers, body).await;
            let unknown = world.send(method, &unknown, &headers, body).await;
            foreign.refused(404, Some("id"), None);
            unknown.refused(404, Some("id"), None);
            let message = |answer: &crate::world::Answer| {
                let text = answer.json()["error"]["message"].as_str().unwrap().to_owned();
                text.split(':').next().unwrap().to_owned()
            };
            assert_eq!(message(&foreign), message(&unknown));
        }
        assert!(ids_of(&world.get_as(key, "/v1/charges").await.ok()).is_empty());
        assert!(ids_of(&world.get_as(key, "/v1/events").await.ok()).is_empty());
        assert!(ids_of(&world.get_as(key, "/v1/batch_refunds").await.ok()).is_empty());
        let cursor = world.get_as(key, &format!("/v1/charges?starting_after={id}")).await;
        cursor.refused(404, Some("starting_after"), None);
    }
    let parameters = charge("alipay_qr", "order0001");
    let foreign_app = world.post_as(STRANGERS_KEY, "/v1/charges", &parameters).await;
    foreign_app.refused(404, Some("app[id]"), None);
}

#[tokio::test]
async fn unknown_methods_and_routes_are_404_in_this_dialects_shape() {
    let world = World::new().await;
    let key = bearer(TEST_KEY);
    for (method, target) in [
        ("PUT", "/v1/charges"),
        ("DELETE", "/v1/charges/ch_1"),
        ("PATCH", "/v1/charges/ch_1"),
        ("POST", "/v1/charges/ch_1"),
        ("POST", "/v1/events"),
        ("GET", "/v1/charges/ch_1/reverse"),
    ] {
        let answer = world.send(method, target, &[("authorization", &key)], "{}").await;
        answer.refused(404, None, None);
    }
    for target in ["/v1/charges/%00", "/v1/charges/%E8%8C%B6", "/v1/charges/%zz"] {
        world.get(target).await.refused(404, Some("id"), None);
    }
    let long = format!("/v1/charges/{}", "x".repeat(4_000));
    assert!(world.get(&long).await.text.len() < 300);

    let unknown = async |key: Option<&str>| {
        let mut request = Request::builder().uri("/v1/transfers");
        if let Some(key) = key {
            request = request.header("authorization", bearer(key));
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        dialects::pingpp::unknown_route(State(world.pingpp.clone()), request).await
    };
    let known = unknown(Some(TEST_KEY)).await;
    assert_eq!(known.status(), 404);
    assert!(known.headers().contains_key("x-pingplusplus-signature"));
    let stranger = unknown(None).await;
    assert_eq!(stranger.status(), 401);
    assert!(!stranger.headers().contains_key("x-pingplusplus-signature"));
}

#[tokio::test]
async fn bodies_end_at_64_kib_and_are_never_compressed() {
    let world = World::new().await;
    let mut parameters = charge("alipay_qr", "order0001");
    parameters["padding"] = "".into();
    let room = 65_536 - parameters.to_string().len();
    parameters["padding"] = "x".repeat(room).into();
    world.post("/v1/charges", &parameters).await.ok();
    parameters["padding"] = "x".repeat(room + 1).into();
    world.post("/v1/charges", &parameters).await.refused(400, None, None);
    let key = bearer(TEST_KEY);
    let headers = [("authorization", &*key), ("content-encoding", "gzip")];
    world.send("POST", "/v1/charges", &headers, "{}").await.refused(400, None, None);
}

#[tokio::test]
async fn a_key_with_too_many_calls_at_once_is_turned_away_with_403() {
    let settings = PingppSettings { calls_per_key_max: 1, ..PingppSettings::default() };
    let world = World::with(settings).await;
    let id = world.paid("order0001").await;
    world.channel.script.lock().unwrap().refunds_hang = true;
    let target = format!("/v1/charges/{id}/refunds");
    let body = json!({"description": "x"});
    let waiting = world.post(&target, &body);
    tokio::pin!(waiting);
    let sent = || !world.channel.script.lock().unwrap().refunds_sent.is_empty();
    tokio::select! {
        _ = &mut waiting => panic!("the channel never answers"),
        () = world.until("the refund is sent", sent) => {}
    }
    let error = world.get("/v1/charges").await.refused(403, None, None);
    assert_eq!(error["type"], "invalid_request_error");
    world.get_as(STRANGERS_KEY, "/v1/charges").await.ok();
}

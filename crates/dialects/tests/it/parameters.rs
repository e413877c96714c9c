//! Each parameter of a create at, below and beyond its limits, and of every wrong kind.

use serde_json::{Value, json};

use crate::world::{World, charge, ids_of};

fn with(channel: &str, order_no: &str, name: &str, value: Value) -> Value {
    let mut parameters = charge(channel, order_no);
    parameters[name] = value;
    parameters
}

#[tokio::test]
async fn a_wrong_parameter_names_itself_and_nothing_is_made() {
    let world = World::new().await;
    let wrong_text = || vec![json!(""), json!(null), json!([]), json!({}), json!(true), json!(7)];
    let mut cases: Vec<(&str, Vec<Value>)> =
        ["channel", "client_ip", "currency", "subject", "body", "order_no"]
            .map(|name| (name, wrong_text()))
            .to_vec();
    cases.extend([
        ("order_no", vec![json!("x".repeat(65)), json!("a b"), json!("ab\n"), json!("订单一二")]),
        (
            "channel",
            vec![
                json!("alipay "),
                json!("ALIPAY"),
                json!("nothing"),
                json!("alipay"),
                json!("upacp"),
            ],
        ),
        (
            "client_ip",
            vec![
                json!("999.1.1.1"),
                json!("1.2.3"),
                json!("localhost"),
                json!("1.2.3.4 "),
                json!("::g"),
            ],
        ),
        (
            "currency",
            vec![
                json!("cn"),
                json!("cnyy"),
                json!("CNY"),
                json!("xxx1"),
                json!("usd"),
                json!("ｃｎｙ"),
            ],
        ),
        (
            "subject",
            vec![
                json!("x".repeat(33)),
                json!("🍵".repeat(33)),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!("a\u{202e}b"),
            ],
        ),
        ("body", vec![json!("茶".repeat(129)), json!("a\u{0}b")]),
        ("description", vec![json!(7), json!(true), json!([]), json!("茶".repeat(256))]),
        (
            "amount",
            vec![
                json!(""),
                json!(null),
                json!(true),
                json!([]),
                json!(0),
                json!(-1),
                json!(1.5),
                json!("1e2"),
                json!(1_000_000_001),
                json!(1_u64 << 63),
            ],
        ),
        ("extra", vec![json!(""), json!("{}"), json!(7), json!(true), json!([1])]),
        (
            "metadata",
            vec![json!(""), json!("{}"), json!(7), json!([1]), json!({"a": {}}), json!({"a": [1]})],
        ),
        (
            "time_expire",
            vec![
                json!(true),
                json!([]),
                json!("soon"),
                json!(1.5),
                json!(-1),
                json!(0),
                json!(1),
                json!(1_000_000_000_000_i64),
            ],
        ),
    ]);
    for (name, values) in cases {
        for value in values {
            let parameters = with("alipay_qr", "order0001", name, value.clone());
            let answer = world.post("/v1/charges", &parameters).await;
            assert_eq!(answer.status, 400, "{name} {value}: {}", answer.text);
            answer.refused(400, Some(name), None);
        }
    }
    for name in ["order_no", "channel", "amount", "client_ip", "currency", "subject", "body"] {
        let mut parameters = charge("alipay_qr", "order0001");
        parameters.as_object_mut().unwrap().remove(name);
        world.post("/v1/charges", &parameters).await.refused(400, Some(name), None);
    }
    assert!(ids_of(&world.get("/v1/charges").await.ok()).is_empty());
}

#[tokio::test]
async fn a_wrong_app_is_refused() {
    let world = World::new().await;
    for (app, status, param) in [
        (json!(""), 400, "app"),
        (json!("app_1"), 400, "app"),
        (json!({}), 400, "app[id]"),
        (json!({"id": ""}), 400, "app[id]"),
        (json!({"id": 7}), 400, "app[id]"),
        (json!({"id": "app_unknown"}), 404, "app[id]"),
        (json!({"id": crate::world::STRANGERS_APP}), 404, "app[id]"),
    ] {
        let answer = world.post("/v1/charges", &with("alipay_qr", "order0001", "app", app)).await;
        answer.refused(status, Some(param), None);
    }
    let mut parameters = charge("alipay_qr", "order0001");
    parameters.as_object_mut().unwrap().remove("app");
    world.post("/v1/charges", &parameters).await.refused(400, Some("app[id]"), None);
}

#[tokio::test]
async fn limits_are_where_they_are_documented() {
    let world = World::new().await;
    let (now, day) = (world.now(), 86_400);
    let text = |n: usize| json!("🍵".repeat(n));
    let metadata = |n: usize| json!({"键": "值".repeat(n - 1)});
    let cases: Vec<(&str, &str, Value, bool)> = vec![
        ("alipay_qr", "amount", json!(1), true),
        ("alipay_qr", "amount", json!("2"), true),
        ("alipay_qr", "amount", json!(999_999_999), true),
        ("alipay_qr", "amount", json!(1_000_000_000), true),
        ("alipay_qr", "amount", json!(1_000_000_001), false),
        ("alipay_qr", "subject", text(31), true),
        ("alipay_qr", "subject", text(32), true),
        ("alipay_qr", "subject", text(33), false),
        ("alipay_qr", "body", text(127), true),
        ("alipay_qr", "body", text(128), true),
        ("alipay_qr", "body", text(129), false),
        ("alipay_qr", "description", text(254), true),
        ("alipay_qr", "description", text(255), true),
        ("alipay_qr", "description", text(256), false),
        ("alipay_qr", "metadata", metadata(1_000), true),
        ("alipay_qr", "metadata", metadata(1_001), false),
        ("alipay_qr", "order_no", json!("1"), true),
        ("alipay_qr", "order_no", json!("1".repeat(64)), true),
        ("alipay_qr", "order_no", json!("1".repeat(65)), false),
        ("alipay_qr", "client_ip", json!("2001:db8::7"), true),
        ("alipay_qr", "time_expire", json!(now + 59), false),
        ("alipay_qr", "time_expire", json!(now + 60), true),
        ("alipay_qr", "time_expire", json!((now + 61).to_string()), true),
        ("alipay_qr", "time_expire", json!(now + 15 * day - 1), true),
        ("alipay_qr", "time_expire", json!(now + 15 * day), true),
        ("alipay_qr", "time_expire", json!(now + 15 * day + 1), false),
        ("wx_pub", "time_expire", json!(now + 7 * day), true),
        ("wx_pub", "time_expire", json!(now + 7 * day + 1), false),
        ("alipay_qr", "description", json!(null), true),
        ("alipay_qr", "description", json!(""), true),
        ("alipay_qr", "unknown", json!({"deep": [1.5]}), true),
        ("alipay_qr", "paid", json!(true), true),
    ];
    for (index, (channel, name, value, fits)) in cases.into_iter().enumerate() {
        let order_no = format!("order{index:04}");
        let answer =
            world.post("/v1/charges", &with(channel, &order_no, name, value.clone())).await;
        if fits {
            assert_eq!(answer.status, 200, "{channel} {name} {value}: {}", answer.text);
            assert_eq!(answer.ok()["paid"], false);
        } else {
            answer.refused(400, Some(name), None);
        }
    }
}

#[tokio::test]
async fn what_a_channel_needs_is_named_by_its_key() {
    let world = World::new().await;
    for (channel, extra, param) in [
        ("alipay_wap", json!({}), "extra[success_url]"),
        ("alipay_wap", json!([]), "extra[success_url]"),
        ("alipay_wap", json!({"success_url": ""}), "extra[success_url]"),
        ("alipay_wap", json!({"success_url": 7}), "extra[success_url]"),
        ("alipay_scan", json!({"terminal_id": "T1"}), "extra[scan_code]"),
        ("alipay_scan", json!({"scan_code": "28"}), "extra[terminal_id]"),
        ("balance", json!({}), "extra[user]"),
    ] {
        let answer = world.post("/v1/charges", &with(channel, "order0001", "extra", extra)).await;
        answer.refused(400, Some(param), None);
    }
}

#[tokio::test]
async fn defaults_of_expiry_depend_on_the_channel() {
    let world = World::new().await;
    for (channel, seconds) in [("alipay_qr", 86_400), ("wx_pub", 7_200)] {
        let charge = world.create(channel, "order0001").await;
        assert_eq!(charge["time_expire"], world.now() + seconds, "{channel}");
    }
}

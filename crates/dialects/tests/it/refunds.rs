//! Refunds and the guards against asking twice.

use domain::channel::RefundFound;
use domain::operation::{Outcome, RefusalClass};
use serde_json::{Value, json};
use sign::rsa::PrivateKey;

use crate::world::{NOWHERE, StoreTrouble, TEST_KEY, World, bearer, id_of, ids_of, trouble};

fn target(id: &str) -> String {
    format!("/v1/charges/{id}/refunds")
}

#[tokio::test]
async fn refunds_end_when_the_money_does() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let part = json!({"description": "part", "amount": 400, "metadata": {"why": "破损"}});
    let first = world.post(&target(&id), &part).await.ok();
    assert!(id_of(&first).starts_with("re_100270115"), "{first}");
    assert_eq!(first["order_no"], id_of(&first)[3..]);
    assert_eq!(world.channel.script.lock().unwrap().refunds_sent, [&id_of(&first)[3..]]);
    assert_eq!((&first["amount"], &first["status"]), (&400.into(), &"succeeded".into()));
    assert_eq!(
        (&first["charge"], &first["charge_order_no"]),
        (&id.as_str().into(), &"order0001".into())
    );
    assert_eq!(first["metadata"], json!({"why": "破损"}));
    let over = world.post(&target(&id), &json!({"description": "x", "amount": 601})).await;
    over.refused(400, Some("amount"), None);
    let rest = world.post(&target(&id), &json!({"description": "rest"})).await.ok();
    assert_eq!(rest["amount"], 600);
    let done = world.post(&target(&id), &json!({"description": "more"})).await;
    let error = done.refused(400, None, None);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&id) && message.contains("order0001"), "{message}");
    let charge = world.get(&format!("/v1/charges/{id}")).await.ok();
    assert_eq!((&charge["refunded"], &charge["amount_refunded"]), (&true.into(), &1000.into()));
    assert_eq!(ids_of(&charge["refunds"]), [id_of(&rest), id_of(&first)]);
    let one = world.get(&format!("{}/{}", target(&id), id_of(&first))).await;
    assert_eq!(one.ok(), first);
}

#[tokio::test]
async fn what_cannot_be_refunded_is_refused() {
    let world = World::new().await;
    let unpaid = id_of(&world.create("alipay_wap", "order0001").await);
    world.post(&target(&unpaid), &json!({"description": "x"})).await.refused(400, None, None);
    // The charge is looked for before anything else (the Node SDK's batch refund).
    world.post(&target("undefined"), &json!({"app": "x"})).await.refused(404, Some("id"), None);
    let id = world.paid("order0002").await;
    for (name, values) in [
        (
            "description",
            vec![
                json!(null),
                json!(""),
                json!(7),
                json!([]),
                json!("x".repeat(256)),
                json!("a\u{0}b"),
            ],
        ),
        (
            "amount",
            vec![
                json!(0),
                json!(-1),
                json!(1.5),
                json!("x"),
                json!(true),
                json!([]),
                json!(1001),
                json!("1e2"),
            ],
        ),
        ("metadata", vec![json!(""), json!(7), json!([1]), json!({"a": {}})]),
        ("funding_source", vec![json!("gold"), json!(7), json!([]), json!("recharge_funds")]),
        ("extra", vec![json!("x"), json!(7), json!(true), json!({"rate": 1})]),
    ] {
        for value in values {
            let mut body = json!({"description": "no"});
            body[name] = value.clone();
            let answer = world.post(&target(&id), &body).await;
            assert_eq!(answer.status, 400, "{name} {value}");
            answer.refused(400, Some(name), None);
        }
    }
    world.post(&target(&id), &json!({})).await.refused(400, Some("description"), None);
    let charge = world.get(&format!("/v1/charges/{id}")).await.ok();
    assert_eq!(charge["refunded"], false);
    let at_limit =
        json!({"description": "茶".repeat(255), "amount": "1", "extra": [], "metadata": []});
    world.post(&target(&id), &at_limit).await.ok();
}

#[tokio::test]
async fn a_funding_source_is_echoed_where_the_channel_knows_it() {
    let world = World::new().await;
    let id = id_of(&world.create("wx_pub", "order0001").await);
    world.pay(&id).await;
    let body = json!({"description": "x", "amount": 1, "funding_source": "recharge_funds"});
    let refund = world.post(&target(&id), &body).await.ok();
    assert_eq!(refund["funding_source"], "recharge_funds");
    let plain = world.post(&target(&id), &json!({"description": "x"})).await.ok();
    assert!(plain.get("funding_source").is_none());
}

#[tokio::test]
async fn a_refund_that_the_channel_refuses_or_leaves_open_is_still_an_answer() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let script = |outcome| world.channel.script.lock().unwrap().refund.push_back(outcome);
    script(Outcome::Refused(trouble(RefusalClass::Business)));
    let failed = world.post(&target(&id), &json!({"description": "a", "amount": 400})).await.ok();
    assert_eq!((&failed["status"], &failed["succeed"]), (&"failed".into(), &false.into()));
    assert_eq!(failed["failure_code"], "refund_refused_msg");
    script(Outcome::Accepted(RefundFound::Pending));
    let pending = world.post(&target(&id), &json!({"description": "b", "amount": 600})).await.ok();
    assert_eq!((&pending["status"], &pending["time_succeed"]), (&"pending".into(), &Value::Null));
    let over = world.post(&target(&id), &json!({"description": "c", "amount": 401})).await;
    over.refused(400, Some("amount"), None);
    let charge = world.get(&format!("/v1/charges/{id}")).await.ok();
    assert_eq!((&charge["refunded"], &charge["amount_refunded"]), (&true.into(), &0.into()));
}

#[tokio::test]
async fn two_equal_refunds_that_were_both_answered_are_two() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let body = json!({"description": "one of three", "amount": 100});
    let first = world.post(&target(&id), &body).await.ok();
    let second = world.post(&target(&id), &body).await.ok();
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn the_very_same_signed_request_is_the_same_refund() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let key = PrivateKey::generate();
    world.register(&key).await;
    let body = json!({"description": "one of three", "amount": 100}).to_string();
    let api_key = bearer(TEST_KEY);
    let send = async |time: i64| {
        let time = time.to_string();
        let signature = key.sign_sha256_base64(format!("{body}{}{time}", target(&id)).as_bytes());
        let headers = [
            ("authorization", &*api_key),
            ("pingplusplus-signature", &*signature),
            ("pingplusplus-request-timestamp", &*time),
        ];
        world.send("POST", &target(&id), &headers, &*body).await.ok()
    };
    let now = world.now();
    let first = send(now).await;
    assert_eq!(send(now).await, first);
    assert_ne!(send(now + 1).await["id"], first["id"]);
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_the_same_refund_for_a_while() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let body = json!({"description": "one of three", "amount": 100});
    world.channel.script.lock().unwrap().refunds_hang = true;
    {
        let path = target(&id);
        let lost = world.post(&path, &body);
        tokio::pin!(lost);
        let sent = || !world.channel.script.lock().unwrap().refunds_sent.is_empty();
        tokio::select! {
            _ = &mut lost => panic!("the channel never answers"),
            () = world.until("the refund is sent", sent) => {}
        }
        // The client goes away: its future is dropped here.
    }
    world.channel.script.lock().unwrap().refunds_hang = false;
    let again = world.post(&target(&id), &body).await.ok();
    let sent = world.channel.script.lock().unwrap().refunds_sent.clone();
    assert_eq!(sent, [again["order_no"].as_str().unwrap()]);
    let wanted_again = world.post(&target(&id), &body).await.ok();
    assert_ne!(wanted_again["id"], again["id"]);
}

#[tokio::test]
async fn a_refund_that_was_answered_by_a_5xx_is_found_by_the_next_try() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let body = json!({"description": "one of three", "amount": 100});
    for (trouble, refunds) in [(StoreTrouble::Refused, 1), (StoreTrouble::AnswerLost, 2)] {
        *world.store_trouble.lock().unwrap() = Some(trouble);
        let broken = world.post(&target(&id), &body).await;
        let error = broken.refused(503, None, None);
        assert_eq!(error["type"], "api_error");
        assert_eq!(broken.headers["retry-after"], "1");
        world.post(&target(&id), &body).await.ok();
        assert_eq!(ids_of(&world.get(&target(&id)).await.ok()).len(), refunds);
    }
}

#[tokio::test]
async fn refunds_are_listed_newest_first_with_cursors() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let mut made = Vec::new();
    for n in 1..=3 {
        world.clock.advance(i64::from(n == 3));
        let body = json!({"description": format!("part {n}"), "amount": 100});
        made.insert(0, id_of(&world.post(&target(&id), &body).await.ok()));
    }
    let list = world.get(&target(&id)).await.ok();
    assert_eq!(ids_of(&list), made);
    assert_eq!((&list["url"], &list["has_more"]), (&target(&id).into(), &false.into()));
    let list = world.get(&format!("{}?limit=2", target(&id))).await.ok();
    assert_eq!((ids_of(&list), &list["has_more"]), (vec![&*made[0], &made[1]], &true.into()));
    let after = format!("{}?limit=2&starting_after={}", target(&id), made[1]);
    let list = world.get(&after).await.ok();
    assert_eq!((ids_of(&list), &list["has_more"]), (vec![&*made[2]], &false.into()));
    let before = format!("{}?ending_before={}", target(&id), made[2]);
    assert_eq!(ids_of(&world.get(&before).await.ok()), made[..2]);
    for (query, status, param) in [
        ("limit=0", 400, "limit"),
        ("limit=101", 400, "limit"),
        ("starting_after=re_0", 404, "starting_after"),
        ("ending_before=re_0", 404, "ending_before"),
    ] {
        let answer = world.get(&format!("{}?{query}", target(&id))).await;
        answer.refused(status, Some(param), None);
    }
}

#[tokio::test]
async fn another_charges_refund_is_as_unknown_as_none() {
    let world = World::new().await;
    let (one, other) = (world.paid("order0001").await, world.paid("order0002").await);
    let refund = world.post(&target(&one), &json!({"description": "x", "amount": 1})).await.ok();
    let foreign = world.get(&format!("{}/{}", target(&other), id_of(&refund))).await;
    let unknown = world.get(&format!("{}/re_000", target(&other))).await;
    foreign.refused(404, Some("id"), None);
    unknown.refused(404, Some("id"), None);
    assert_eq!(foreign.text.replace(&id_of(&refund), ""), unknown.text.replace("re_000", ""));
    let cursor = format!("{}?starting_after={}", target(&other), id_of(&refund));
    world.get(&cursor).await.refused(404, Some("starting_after"), None);
    world.get(&target(NOWHERE)).await.refused(404, Some("id"), None);
}

//! Batch refunds.

use serde_json::{Value, json};

use crate::world::{APP, NOWHERE, STRANGERS_APP, World, id_of, ids_of};

fn batch(number: &str, charges: Value) -> Value {
    json!({"app": APP, "batch_no": number, "charges": charges, "description": "season's end"})
}

#[tokio::test]
async fn a_batch_echoes_its_charges_and_finishes() {
    let mut world = World::new().await;
    world.subscribe().await;
    let (one, two) = (world.paid("order0001").await, world.paid("order0002").await);
    for _ in 0..2 {
        world.message().await;
    }
    let mut body =
        batch("batch1", json!([&one, {"charge": &two, "amount": 300, "description": "own"}]));
    body["metadata"] = json!({"a": "1"});
    let made = world.post("/v1/batch_refunds", &body).await.ok();
    let id = id_of(&made);
    assert!(id.starts_with("150270115") && id.len() == 19, "{id}");
    assert_eq!((&made["object"], &made["status"]), (&"batch_refund".into(), &"pending".into()));
    assert_eq!((&made["batch_no"], &made["app"]), (&"batch1".into(), &APP.into()));
    assert_eq!((&made["metadata"], &made["created"]), (&json!({"a": "1"}), &world.now().into()));
    assert_eq!(made["charges"][0], one.as_str());
    assert_eq!(made["charges"][1]["charge"], two.as_str());
    assert_eq!(made["refunds"]["data"].as_array().unwrap().len(), 2);

    world.engine.clock_moved();
    let event = loop {
        let event: Value = serde_json::from_str(&world.message().await.body).unwrap();
        if event["type"] == "batch_refund.succeeded" {
            break event;
        }
    };
    let done = world.get(&format!("/v1/batch_refunds/{id}")).await.ok();
    assert_eq!(event["data"]["object"], done);
    assert_eq!(
        (&done["status"], &done["time_succeeded"]),
        (&"succeeded".into(), &world.now().into())
    );
    assert_eq!(done["charges"][1]["status"], "succeeded");
    let refunds = done["refunds"]["data"].as_array().unwrap();
    let told: Vec<_> =
        refunds.iter().map(|r| (&r["charge"], &r["amount"], &r["description"])).collect();
    assert!(
        told.contains(&(&one.as_str().into(), &1000.into(), &"season's end".into())),
        "{told:?}"
    );
    assert!(told.contains(&(&two.as_str().into(), &300.into(), &"own".into())), "{told:?}");
}

#[tokio::test]
async fn a_form_makes_a_batch_too() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    let form = format!("app={APP}&batch_no=batch1&charges[]={id}&description=x");
    let key = crate::world::bearer(crate::world::TEST_KEY);
    let headers = [("authorization", &*key), ("content-type", "application/x-www-form-urlencoded")];
    let made = world.send("POST", "/v1/batch_refunds", &headers, form).await.ok();
    assert_eq!(made["charges"], json!([id]));
}

#[tokio::test]
async fn one_bad_element_refuses_the_whole_batch() {
    let world = World::new().await;
    let paid = world.paid("order0001").await;
    let unpaid = id_of(&world.create("alipay_qr", "order0002").await);
    for charges in [
        json!([&paid, unpaid]),
        json!([&paid, NOWHERE]),
        json!([&paid, &paid]),
        json!([&paid, {"charge": &paid}]),
        json!([&paid, 7]),
        json!([&paid, {}]),
        json!([&paid, null]),
        json!([&paid, ""]),
        json!([{"charge": &paid, "amount": 1001}]),
        json!([]),
        json!("x"),
        json!(null),
        json!(vec![&paid; 101]),
    ] {
        let answer = world.post("/v1/batch_refunds", &batch("batch1", charges.clone())).await;
        assert_eq!(answer.status, 400, "{charges}");
        answer.refused(400, Some("charges"), None);
    }
    for (param, charges) in [
        ("amount", json!([{"charge": &paid, "amount": 0}])),
        ("description", json!([{"charge": &paid, "description": "x".repeat(256)}])),
        ("funding_source", json!([{"charge": &paid, "funding_source": "recharge_funds"}])),
    ] {
        let answer = world.post("/v1/batch_refunds", &batch("batch1", charges)).await;
        answer.refused(400, Some(param), None);
    }
    assert_eq!(world.get(&format!("/v1/charges/{paid}")).await.ok()["refunded"], false);
    assert!(ids_of(&world.get("/v1/batch_refunds").await.ok()).is_empty());
}

#[tokio::test]
async fn wrong_parameters_of_a_batch_name_themselves() {
    let world = World::new().await;
    let paid = world.paid("order0001").await;
    for (name, status, values) in [
        ("app", 400, vec![json!(""), json!(null), json!({}), json!(7)]),
        ("app", 404, vec![json!("app_unknown"), json!(STRANGERS_APP)]),
        (
            "batch_no",
            400,
            vec![
                json!(""),
                json!(null),
                json!("ab"),
                json!("x".repeat(25)),
                json!("a b c"),
                json!("a-b"),
            ],
        ),
        ("description", 400, vec![json!(""), json!(null), json!("x".repeat(256))]),
        ("metadata", 400, vec![json!(7), json!({"a": {}})]),
    ] {
        for value in values {
            let mut body = batch("batch1", json!([&paid]));
            body[name] = value;
            world.post("/v1/batch_refunds", &body).await.refused(status, Some(name), None);
        }
    }
    let limits = batch(&"x".repeat(24), json!([{"charge": &paid, "amount": 1}]));
    world.post("/v1/batch_refunds", &limits).await.ok();
    world.post("/v1/batch_refunds", &limits).await.refused(400, Some("batch_no"), None);
    let short = batch("abc", json!([{"charge": &paid, "amount": 1}]));
    world.post("/v1/batch_refunds", &short).await.ok();
}

#[tokio::test]
async fn batches_are_listed_by_pages() {
    let world = World::new().await;
    let paid = world.paid("order0001").await;
    let mut made = Vec::new();
    for n in 0..3 {
        let body = batch(&format!("batch{n}"), json!([{"charge": &paid, "amount": 1}]));
        made.insert(0, id_of(&world.post("/v1/batch_refunds", &body).await.ok()));
    }
    let list = world.get("/v1/batch_refunds?per_page=2").await.ok();
    assert_eq!((ids_of(&list), &list["has_more"]), (vec![&*made[0], &made[1]], &true.into()));
    assert_eq!(list["url"], "/v1/batch_refunds");
    let list = world.get(&format!("/v1/batch_refunds?per_page=2&page=2&app={APP}")).await.ok();
    assert_eq!((ids_of(&list), &list["has_more"]), (vec![&*made[2]], &false.into()));
    for (query, status, param) in [
        ("page=0", 400, "page"),
        ("page=x", 400, "page"),
        ("page=10001", 400, "page"),
        ("per_page=0", 400, "per_page"),
        ("per_page=101", 400, "per_page"),
        (&format!("app={STRANGERS_APP}"), 404, "app"),
    ] {
        let answer = world.get(&format!("/v1/batch_refunds?{query}")).await;
        answer.refused(status, Some(param), None);
    }
    world.get("/v1/batch_refunds/1").await.refused(404, Some("id"), None);
}

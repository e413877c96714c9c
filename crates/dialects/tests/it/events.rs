//! Events as they are delivered, retrieved and listed.

use serde_json::{Value, json};

use crate::world::{APP, World, charge, id_of, ids_of};

#[tokio::test]
async fn a_retrieved_event_is_the_very_text_that_was_delivered() {
    let mut world = World::new().await;
    world.subscribe().await;
    let id = world.paid("order0001").await;
    let message = world.message().await;
    let event: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(event["type"], "charge.succeeded");
    let object = &event["data"]["object"];
    assert_eq!((&object["id"], &object["paid"]), (&id.as_str().into(), &true.into()));
    assert!(event["request"].as_str().unwrap().starts_with("iar_"));
    let header = |name: &str| {
        message.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap()
    };
    let key = world.pingpp.platform_key.public();
    let signature = header("x-pingplusplus-signature");
    assert_eq!(key.verify_sha256_base64(message.body.as_bytes(), signature), Ok(()));
    assert_eq!(header("webhook-id"), id_of(&event));
    let retrieved = world.get(&format!("/v1/events/{}", id_of(&event))).await;
    assert_eq!(retrieved.text, *message.body);
    let list = world.get("/v1/events").await.ok();
    assert_eq!(list["data"], json!([event]));
    assert_eq!((&list["url"], &list["has_more"]), (&"/v1/events".into(), &false.into()));
    world.get("/v1/events/evt_0").await.refused(404, Some("id"), None);
}

#[tokio::test]
async fn a_test_charge_may_ask_for_a_doubled_message() {
    let mut world = World::new().await;
    world.subscribe().await;
    let mut parameters = charge("alipay_wap", "order0001");
    parameters["metadata"] = json!({"pingpp_tc": "001"});
    let id = id_of(&world.post("/v1/charges", &parameters).await.ok());
    world.pay(&id).await;
    let (first, second) = (world.message().await, world.message().await);
    assert_eq!(first.body, second.body);
    assert_eq!(ids_of(&world.get("/v1/events").await.ok()).len(), 1);
}

#[tokio::test]
async fn events_are_filtered_and_paged_like_charges() {
    let world = World::new().await;
    let id = world.paid("order0001").await;
    world.clock.advance(1);
    let body = json!({"description": "x", "amount": 1});
    world.post(&format!("/v1/charges/{id}/refunds"), &body).await.ok();
    let list = world.get("/v1/events").await.ok();
    let all: Vec<String> = ids_of(&list).into_iter().map(str::to_owned).collect();
    assert_eq!(list["data"][0]["type"], "refund.succeeded");
    assert_eq!(list["data"][0]["data"]["object"]["charge"], id.as_str());
    let now = world.now();
    for (query, expected) in [
        ("type=charge.succeeded".to_owned(), vec![&all[1]]),
        ("type=nothing".to_owned(), vec![]),
        (format!("created={now}"), vec![&all[0]]),
        (format!("created[lt]={now}"), vec![&all[1]]),
        (format!("app[id]={APP}"), vec![&all[0], &all[1]]),
        ("limit=1".to_owned(), vec![&all[0]]),
        (format!("starting_after={}", all[0]), vec![&all[1]]),
        (format!("ending_before={}", all[1]), vec![&all[0]]),
    ] {
        let list = world.get(&format!("/v1/events?{query}")).await.ok();
        assert_eq!(ids_of(&list), expected, "{query}");
    }
    for (query, status, param) in [
        ("limit=0", 400, "limit"),
        ("created[gt]=x", 400, "created[gt]"),
        ("starting_after=evt_0", 404, "starting_after"),
        ("type[]=x", 400, "type"),
    ] {
        world.get(&format!("/v1/events?{query}")).await.refused(status, Some(param), None);
    }
}

//! Listing charges: filters, cursors, spans.

use serde_json::json;

use crate::world::{APP, STRANGERS_APP, World, id_of, ids_of};

#[tokio::test]
async fn pages_follow_each_other_without_gaps_even_within_one_second() {
    let world = World::new().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.insert(0, id_of(&world.create("alipay_qr", &format!("order{n:04}")).await));
    }
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/v1/charges?app[id]={APP}&limit=2{cursor}")).await.ok();
        assert_eq!((&page["object"], &page["url"]), (&"list".into(), &"/v1/charges".into()));
        listed.extend(ids_of(&page).into_iter().map(str::to_owned));
        if page["has_more"] == false {
            break;
        }
        cursor = format!("&starting_after={}", listed.last().unwrap());
    }
    assert_eq!(listed, made);
    let before = world.get(&format!("/v1/charges?limit=2&ending_before={}", made[4])).await.ok();
    assert_eq!((ids_of(&before), &before["has_more"]), (vec![&*made[2], &made[3]], &true.into()));
}

#[tokio::test]
async fn filters_combine() {
    let world = World::new().await;
    let refunded = world.paid("order0001").await;
    let body = json!({"description": "x", "amount": 1});
    world.post(&format!("/v1/charges/{refunded}/refunds"), &body).await.ok();
    let reversed = id_of(&world.create("alipay_qr", "order0002").await);
    world.post(&format!("/v1/charges/{reversed}/reverse"), &json!({})).await.ok();
    world.clock.advance(10);
    let now = world.now();
    let young = id_of(&world.create("alipay_wap", "order0003").await);
    let paid = world.paid("order0004").await;
    let ids = async |query: &str| {
        let list = world.get(&format!("/v1/charges?{query}")).await.ok();
        ids_of(&list).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = [&paid, &young, &reversed, &refunded].map(String::clone);
    assert_eq!(ids("").await, all);
    assert_eq!(ids("paid=True").await, [&*paid, &refunded]);
    assert_eq!(ids("paid=false").await, [&*young, &reversed]);
    assert_eq!(ids("refunded=true").await, [&*refunded]);
    assert_eq!(ids("refunded=false&paid=1").await, [&*paid]);
    assert_eq!(ids("reversed=TRUE").await, [&*reversed]);
    assert_eq!(ids("channel=alipay_qr").await, [&*reversed]);
    assert_eq!(ids(&format!("created={now}")).await, [&*paid, &young]);
    assert_eq!(ids(&format!("created[gte]={now}")).await, [&*paid, &young]);
    assert_eq!(ids(&format!("created%5Bgt%5D={now}")).await, Vec::<String>::new());
    assert_eq!(ids(&format!("created[lt]={now}")).await, [&*reversed, &refunded]);
    assert_eq!(
        ids(&format!("created[lte]={now}&created[gt]={}", now - 10)).await,
        [&*paid, &young]
    );
    assert_eq!(ids(&format!("app%5Bid%5D={APP}")).await, all);
    let list = world.get("/v1/charges?refunded=true").await.ok();
    assert_eq!(list["data"][0]["refunds"]["data"].as_array().unwrap().len(), 1);
    world.clock.advance(31 * 86_400);
    assert_eq!(ids("").await, [&*paid, &young]);
    world.clock.advance(1);
    assert_eq!(ids("").await, Vec::<String>::new());
    assert_eq!(ids("created[gte]=0").await, all);
}

#[tokio::test]
async fn unpaid_charges_in_a_list_still_carry_their_credential() {
    let world = World::new().await;
    world.create("alipay_qr", "order0001").await;
    let list = world.get("/v1/charges").await.ok();
    assert_eq!(list["data"][0]["credential"]["alipay_qr"], "https://qr.invalid/order0001");
}

#[tokio::test]
async fn wrong_filters_name_themselves() {
    let world = World::new().await;
    let id = id_of(&world.create("alipay_qr", "order0001").await);
    for (query, status, param) in [
        ("limit=0", 400, "limit"),
        ("limit=101", 400, "limit"),
        ("limit=-1", 400, "limit"),
        ("limit=", 400, "limit"),
        ("limit=1.5", 400, "limit"),
        ("limit=1&limit=2", 400, "limit"),
        ("paid=maybe", 400, "paid"),
        ("reversed=", 400, "reversed"),
        ("refunded=2", 400, "refunded"),
        ("created=x", 400, "created"),
        ("created[gt]=x", 400, "created[gt]"),
        ("channel=nothing", 400, "channel"),
        ("starting_after=ch_0", 404, "starting_after"),
        ("ending_before=ch_0", 404, "ending_before"),
        ("starting_after[]=ch_0", 400, "starting_after"),
        (&format!("starting_after={id}&ending_before={id}"), 400, "ending_before"),
        (&format!("app[id]={STRANGERS_APP}"), 404, "app[id]"),
        ("app=app_1", 400, "app"),
    ] {
        world.get(&format!("/v1/charges?{query}")).await.refused(status, Some(param), None);
    }
    for query in ["limit=1", "limit=100", "expand[]=nothing", "x=y", ""] {
        assert_eq!(
            ids_of(&world.get(&format!("/v1/charges?{query}")).await.ok()),
            [&*id],
            "{query}"
        );
    }
}

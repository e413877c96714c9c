//! The pages: the landing page, the stylesheet, the mock cashier.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::world::{Answer, LIVE_KEY, TEST_KEY, World, look, send};

const PAID: &str = "https://shop.example.com:8443/paid?order=1";
const LEFT: &str = "http://shop.example.com/left";

async fn act(world: &World, charge: &str, deed: &str) -> Answer {
    let request = Request::post("/mock.php/act")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("ch_id={charge}&lang=en&do={deed}")))
        .unwrap();
    send(&world.router(), request).await
}

async fn charge(world: &World) -> String {
    world.create(TEST_KEY, "order1", json!({"success_url": PAID, "cancel_url": LEFT})).await
}

#[tokio::test]
async fn the_landing_page_speaks_the_readers_language() {
    let world = World::new().await;
    let router = world.router();
    assert!(look(&router, "/").await.text.contains("<html lang=\"zh-CN\">"));
    assert!(look(&router, "/?lang=en").await.text.contains("<html lang=\"en\">"));
    let request = Request::get("/").header("accept-language", "en-GB,en;q=0.9");
    let english = send(&router, request.body(Body::empty()).unwrap()).await;
    assert!(english.text.contains("<html lang=\"en\">") && !english.text.contains("/simulator"));
    let demo = look(&server::router(world.demo().0), "/").await;
    assert!(demo.text.contains("/simulator/"));
}

#[tokio::test]
async fn the_stylesheet_that_pages_name_is_served_for_ever_and_nothing_else_is() {
    let world = World::new().await;
    let router = world.router();
    let page = look(&router, "/").await.text;
    let (_, rest) = page.split_once("href=\"/assets/").unwrap();
    let (name, _) = rest.split_once('"').unwrap();
    let sheet = look(&router, &format!("/assets/{name}")).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(sheet.header("cache-control"), "public, max-age=31536000, immutable");
    for other in ["sycee.css", "sycee-0000000000000000.css", "..%2fsycee.css"] {
        assert_eq!(look(&router, &format!("/assets/{other}")).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn the_mock_page_shows_a_test_charge_under_a_strict_policy() {
    let world = World::new().await;
    let id = charge(&world).await;
    let page = look(&world.router(), &format!("/mock.php?ch_id={id}&channel=alipay_wap")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("19.90") && page.text.contains("绿茶"));
    assert!(!page.text.contains("<b>"), "what merchants write is escaped");
    let policy = page.header("content-security-policy");
    let form = "form-action 'self' https://shop.example.com:8443 http://shop.example.com;";
    assert!(policy.contains(form), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test]
async fn unknown_and_live_charges_have_no_mock_page() {
    let world = World::new().await;
    let live = world.create(LIVE_KEY, "order1", json!({"success_url": PAID})).await;
    for id in [live.as_str(), "ch_000000000000000000000000", "", "%3Cscript%3E"] {
        let page = look(&world.router(), &format!("/mock.php?ch_id={id}")).await;
        assert_eq!(page.status, 404, "{id}");
        assert!(page.text.contains("没有这笔测试付款") && !page.text.contains("<script"), "{id}");
        assert_eq!(act(&world, id, "pay").await.status, 404, "{id}");
    }
    let answer = look(&world.router(), &format!("/notify/charges/{live}?livemode=false")).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn paying_leads_to_the_merchant_and_paying_again_pays_once() {
    let world = World::new().await;
    let id = charge(&world).await;
    for _ in 0..2 {
        let answer = act(&world, &id, "pay").await;
        assert_eq!((answer.status, answer.header("location")), (303, PAID));
    }
    assert!(world.is_paid(&id).await);
    let page = look(&world.router(), &format!("/mock.php?ch_id={id}&lang=en")).await.text;
    assert!(!page.contains("<button") && page.contains("Paid"));
    assert!(page.contains("href=\"https://shop.example.com:8443/paid?order=1\""));
}

#[tokio::test]
async fn failing_leaves_the_charge_open_and_the_page_says_so() {
    let world = World::new().await;
    let id = charge(&world).await;
    let answer = act(&world, &id, "fail").await;
    let back = format!("/mock.php?ch_id={id}&lang=en&last=failed");
    assert_eq!((answer.status, answer.header("location")), (303, &*back));
    let page = look(&world.router(), &back).await.text;
    assert!(page.contains("The payment failed") && page.contains("id=\"pay\""));
    assert!(!world.is_paid(&id).await);
}

#[tokio::test]
async fn cancelling_leads_where_the_merchant_wants_or_back_to_the_page() {
    let world = World::new().await;
    let id = charge(&world).await;
    assert_eq!(act(&world, &id, "cancel").await.header("location"), LEFT);
    let other = world.create(TEST_KEY, "order2", json!({"success_url": PAID})).await;
    let back = format!("/mock.php?ch_id={other}&lang=en&last=cancelled");
    assert_eq!(act(&world, &other, "cancel").await.header("location"), back);
    assert!(!world.is_paid(&id).await && !world.is_paid(&other).await);
}

#[tokio::test]
async fn a_closed_charge_cannot_be_paid_and_the_page_says_so() {
    let world = World::new().await;
    let id = charge(&world).await;
    world.clock.advance(2 * 86_400);
    let answer = act(&world, &id, "pay").await;
    let back = format!("/mock.php?ch_id={id}&lang=en");
    assert_eq!((answer.status, answer.header("location")), (303, &*back));
    let page = look(&world.router(), &back).await.text;
    assert!(page.contains("closed") && !page.contains("<button"));
    assert!(!world.is_paid(&id).await);
}

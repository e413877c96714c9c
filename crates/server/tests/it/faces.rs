//! Which face answers what, and what every answer carries.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::Request;

use crate::world::{Answer, TEST_KEY, World, look, send};

async fn ask(world: &World, method: &str, target: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    send(&world.router(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_unknown_path_is_answered_plainly_without_credentials() {
    let world = World::new().await;
    for (method, target) in [
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("GET", "/simulator/"),
        ("GET", "/.env"),
        ("POST", "/health"),
        ("GET", "/notify/route/1"),
    ] {
        let answer = ask(&world, method, target, None).await;
        assert_eq!(answer.status, 404, "{method} {target}");
        assert!(answer.json()["error"].is_string(), "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_dialect_that_the_credentials_speak() {
    let world = World::new().await;
    let bearer = format!("Bearer {TEST_KEY}");
    for (target, authorization, status) in [
        ("/nothing", Some(&*bearer), 404),
        ("/v1/nothing", Some(&*bearer), 404),
        ("/v1/nothing", Some("Bearer sk_test_wrong"), 401),
        ("/nothing", Some("Basic !"), 401),
        ("/v1/nothing", None, 401),
        ("/v1/charges", None, 401),
    ] {
        let answer = ask(&world, "GET", target, authorization).await;
        assert_eq!(answer.status, status, "{target} {authorization:?}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{}", answer.text);
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn every_answer_keeps_browsers_careful_and_has_its_own_id() {
    let world = World::new().await;
    let mut ids = HashSet::new();
    for target in ["/health", "/ready", "/metrics", "/", "/nothing", "/v1/charges", "/mock.php"] {
        let answer = look(&world.router(), target).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{target}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{target}");
        assert!(answer.header("cache-control").contains("no-store"), "{target}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{target}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{target}: {policy}");
        assert!(!answer.headers.contains_key("server"), "{target}");
        let id = answer.header("x-request-id").to_owned();
        assert!(!id.is_empty() && ids.insert(id), "{target}");
    }
}

#[tokio::test]
async fn a_broken_handler_ends_one_request_and_tells_nothing() {
    let world = World::new().await;
    let router = world.router();
    let broken = world.notice(&router, "break").await;
    assert_eq!(broken.status, 500);
    assert_eq!(broken.json()["error"]["type"], "api_error");
    assert!(!broken.text.contains("breaks"), "{}", broken.text);
    assert!(!broken.header("x-request-id").is_empty());
    assert_eq!(look(&router, "/health").await.status, 200);
}

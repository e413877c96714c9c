//! The movable clock of a demo server (DESIGN §8).

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::world::{Answer, START, World, look, send};

const CLOCK: &str = "/simulator/control/clock";

async fn advance(router: &Router, body: &'static str) -> Answer {
    // The content type of `curl -d`.
    let request = Request::post(CLOCK).header("content-type", "application/x-www-form-urlencoded");
    send(router, request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn there_is_no_clock_and_no_simulator_in_production() {
    let world = World::new().await;
    let router = world.router();
    for target in [CLOCK, "/simulator", "/simulator/"] {
        assert_eq!(look(&router, target).await.status, 404, "{target}");
    }
    assert_eq!(advance(&router, r#"{"advance_seconds":900}"#).await.status, 404);
    assert_eq!(world.clock.offset_seconds(), 0);
}

#[tokio::test]
async fn a_moved_clock_is_kept_and_the_simulator_hears_of_it() {
    let world = World::new().await;
    let (site, heard) = world.demo();
    let router = server::router(site);
    assert_eq!(look(&router, "/simulator/").await.text, "the simulator");
    let before = json!({"now": START, "offset_seconds": 0});
    assert_eq!(look(&router, CLOCK).await.json(), before);
    advance(&router, r#"{"advance_seconds":600}"#).await;
    let moved = advance(&router, r#"{"advance_seconds":300}"#).await;
    let after = json!({"now": START + 900, "offset_seconds": 900});
    assert_eq!((moved.status, moved.json()), (200, after.clone()));
    assert_eq!(look(&router, CLOCK).await.json(), after);
    assert_eq!(world.engine.now().seconds(), START + 900);
    assert_eq!(world.queries.setting("test_clock_offset").unwrap().as_deref(), Some("900"));
    assert_eq!(*heard.borrow(), 2);
}

#[tokio::test]
async fn what_is_no_move_forward_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let (site, heard) = world.demo();
    let router = server::router(site);
    for body in [
        "",
        "900",
        "{}",
        r#"{"advance_seconds":-1}"#,
        r#"{"advance_seconds":"900"}"#,
        r#"{"advance_seconds":1.5}"#,
        r#"{"advance_seconds":99999999999}"#,
        r#"{"advance_seconds":1,"and":2}"#,
    ] {
        let answer = advance(&router, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"].is_string(), "{body}");
    }
    assert_eq!(world.clock.offset_seconds(), 0);
    assert_eq!(*heard.borrow(), 0);
}

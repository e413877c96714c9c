//! Channels' notices: what is answered, and that what cannot be taken now comes again.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::world::{TEST_KEY, World, send, within};

#[tokio::test]
async fn a_true_notice_pays_and_is_answered_in_the_channels_word() {
    let world = World::new().await;
    let id = world.create(TEST_KEY, "order1", json!({"success_url": "https://s.invalid"})).await;
    assert!(!world.is_paid(&id).await);
    for _ in 0..2 {
        let answer = world.notice(&world.router(), "paid order1").await;
        assert_eq!((answer.status, &*answer.text), (200, "success"));
        assert_eq!(answer.header("content-type"), "text/plain;charset=utf-8");
    }
    assert!(world.is_paid(&id).await);
}

#[tokio::test]
async fn a_forged_notice_is_refused_in_the_channels_word() {
    let world = World::new().await;
    let answer = world.notice(&world.router(), "forged").await;
    assert_eq!((answer.status, &*answer.text), (200, "failure"));
}

#[tokio::test]
async fn an_unknown_route_is_not_found() {
    let world = World::new().await;
    for route in ["1", "x", "99999999999999999999", "%20"] {
        let request = Request::post(format!("/notify/route/{route}"));
        let answer = send(&world.router(), request.body(Body::from("forged")).unwrap()).await;
        assert_eq!(answer.status, 404, "{route}");
    }
}

#[tokio::test]
async fn a_notice_of_64_kib_is_read_and_a_longer_one_is_not() {
    let world = World::new().await;
    for (bytes, status) in [(64 * 1024, 200), (64 * 1024 + 1, 413)] {
        let request = Request::post(format!("/notify/route/{}", world.route.raw()));
        let request = request.body(Body::from(vec![b'x'; bytes])).unwrap();
        assert_eq!(send(&world.router(), request).await.status, status, "{bytes}");
    }
}

#[tokio::test]
async fn a_notice_waits_for_the_commit() {
    let world = World::new().await;
    let id = world.create(TEST_KEY, "order1", json!({"success_url": "https://s.invalid"})).await;
    let held = world.hold_store().await;
    let router = world.router();
    let mut notice = std::pin::pin!(world.notice(&router, "paid order1"));
    world
        .until_in_lane(async {
            let polled = poll_once(notice.as_mut()).await;
            assert!(polled.is_none(), "answered before the commit: {polled:?}");
        })
        .await;
    assert!(!world.is_paid(&id).await);
    drop(held);
    assert_eq!(within("the notice is answered", notice).await.text, "success");
    assert!(world.is_paid(&id).await);
}

/// Polls once: the value, if it is there already.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

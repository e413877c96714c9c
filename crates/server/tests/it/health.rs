//! Liveness, readiness with reasons, and figures.

use axum::body::Body;
use axum::http::Request;
use domain::command::{Command, ParkNotice};
use domain::refusal::Refusal;
use domain::tenant::{Mode, Tenant};
use domain::text::ChannelNumber;
use serde_json::json;

use crate::world::{TEST_KEY, World, look, send, within};

#[tokio::test]
async fn a_server_at_rest_is_alive_and_ready() {
    let world = World::new().await;
    let router = world.router();
    let health = look(&router, "/health").await;
    assert_eq!((health.status, health.json()), (200, json!({"status": "ok"})));
    let ready = look(&router, "/ready").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_a_reason_and_no_death() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queries) = store::sqlite::open(folder.path()).unwrap();
    let world = World::on(Box::new(store), queries).await;
    let router = world.router();
    assert_eq!(look(&router, "/ready").await.status, 200);
    // Somebody writes an empty database over ours.
    let empty = rusqlite::Connection::open_in_memory().unwrap();
    let mut ours = rusqlite::Connection::open(folder.path().join("sycee.db")).unwrap();
    let copy = rusqlite::backup::Backup::new(&empty, &mut ours).unwrap();
    copy.run_to_completion(100, std::time::Duration::ZERO, None).unwrap();
    let ready = look(&router, "/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], json!(["the database does not answer"]));
    assert_eq!(look(&router, "/health").await.status, 200);
}

/// Fills the queue; the lane waits for the store. Returns how many commands were accepted.
async fn fill_queue(world: &World) -> Vec<tokio::task::JoinHandle<Result<(), Refusal>>> {
    let tenant = Tenant { merchant: domain::id::Id::from_raw(1), mode: Mode::Test };
    let command = |n: usize| {
        let number = ChannelNumber::parse(&format!("n{n}")).unwrap();
        Command::ParkNotice(ParkNotice { tenant, number, notice_id: "x".into() })
    };
    let mut waiting = Vec::new();
    world.until_in_lane(async { waiting.push(submit(world, command(0))) }).await;
    for n in 1..=engine::QUEUE_LEN_MAX {
        waiting.push(submit(world, command(n)));
    }
    let full = u64::try_from(engine::QUEUE_LEN_MAX).unwrap();
    within("the queue is full", async {
        while world.engine.stats().queued < full {
            tokio::task::yield_now().await;
        }
    })
    .await;
    waiting
}

fn submit(world: &World, command: Command) -> tokio::task::JoinHandle<Result<(), Refusal>> {
    let engine = world.engine.clone();
    tokio::spawn(async move { engine.submit(command).await.map(drop) })
}

#[tokio::test]
async fn a_full_queue_is_a_reason_and_channels_come_again() {
    let world = World::new().await;
    let router = world.router();
    world.create(TEST_KEY, "order1", json!({"success_url": "https://s.invalid"})).await;
    let held = world.hold_store().await;
    let waiting = fill_queue(&world).await;
    let ready = look(&router, "/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], json!(["the queue of commands is full"]));
    let metrics = look(&router, "/metrics").await;
    assert!(metrics.text.contains(&format!("commands_queued {}\n", engine::QUEUE_LEN_MAX)));
    // A channel that is not answered with its word comes again.
    let notice = world.notice(&router, "paid order1").await;
    assert_ne!(notice.text, "success");
    drop(held);
    for submitted in waiting {
        within("what was queued is decided", submitted).await.unwrap().unwrap();
    }
    assert_eq!(look(&router, "/ready").await.status, 200);
    assert_eq!(world.notice(&router, "paid order1").await.text, "success");
}

#[tokio::test]
async fn figures_are_openmetrics_text_by_route_and_status() {
    let world = World::new().await;
    let router = world.router();
    look(&router, "/health").await;
    look(&router, "/nothing?card=6222020000000000").await;
    for id in ["ch_secret1", "ch_secret2"] {
        let request = Request::get(format!("/v1/charges/{id}"));
        let request = request.header("authorization", format!("Bearer {TEST_KEY}"));
        assert_eq!(send(&router, request.body(Body::empty()).unwrap()).await.status, 404);
    }
    let answer = look(&router, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    assert!(answer.text.ends_with("# EOF\n") && answer.text.matches("# EOF").count() == 1);
    for line in [
        "sycee_http_requests_total{route=\"/health\",status=\"2xx\"} 1",
        "sycee_http_requests_total{route=\"/v1/charges/{charge}\",status=\"4xx\"} 2",
        "sycee_http_requests_total{route=\"unknown\",status=\"4xx\"} 1",
        "sycee_http_request_seconds_count 4",
        "sycee_commands_queued 0",
        "sycee_deliveries_waiting 0",
        &format!("sycee_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(answer.text.lines().any(|l| l == line), "{line} is not in\n{}", answer.text);
    }
    for secret in ["ch_secret", "6222", TEST_KEY] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
    check_openmetrics(&answer.text);
}

/// Every sample belongs to the family that was declared last, and is a number.
fn check_openmetrics(text: &str) {
    let mut family = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(!family.is_empty() && name.starts_with(&family), "{line} in {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

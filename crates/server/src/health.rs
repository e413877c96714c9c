//! Liveness and readiness.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Engine, QUEUE_LEN_MAX};
use serde_json::{Value, json};

/// The process answers.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can serve, or why not.
pub(crate) async fn ready(State(engine): State<Arc<Engine>>) -> (StatusCode, Json<Value>) {
    let mut reasons = Vec::new();
    if engine.read(|q| q.ping()).await.is_err() {
        reasons.push("the database does not answer");
    }
    let queued = usize::try_from(engine.stats().queued).unwrap_or(usize::MAX);
    if queued >= QUEUE_LEN_MAX {
        reasons.push("the queue of commands is full");
    }
    if reasons.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ready" })))
    } else {
        let body = json!({ "status": "not ready", "reasons": reasons });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    }
}

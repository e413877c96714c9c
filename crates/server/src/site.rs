//! Everything mounted on one listener: the faces, channels' notices, pages, health.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use dialects::pingpp::Pingpp;
use engine::Engine;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::clock::{self, TestClockDesk};
use crate::metrics::Metrics;
use crate::serve::Limits;
use crate::{envelope, health, mock, notify};

/// What a listener serves.
pub struct Site {
    /// The door to state.
    pub engine: Arc<Engine>,
    /// The Ping++ face.
    pub pingpp: Arc<Pingpp>,
    /// The simulator of a demo server, mounted at `/simulator`.
    pub simulator: Option<Router>,
    /// The clock of a demo server.
    pub test_clock: Option<TestClockDesk>,
    /// Limits of the listener.
    pub limits: Limits,
}

/// Puts the routes together.
pub fn router(site: Site) -> Router {
    let Site { engine, pingpp, simulator, test_clock, limits } = site;
    let metrics = Arc::new(Metrics::new(engine.clone()));
    let demo = simulator.is_some();
    let mut router = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready).with_state(engine.clone()))
        .route("/metrics", get(crate::metrics::show).with_state(metrics.clone()))
        .route("/notify/route/{route}", post(notify::take).with_state(engine))
        .route("/", get(move |wish, headers| mock::landing(wish, headers, demo)))
        .route("/assets/{file}", get(mock::asset))
        .merge(mock::router(pingpp.clone()))
        .merge(dialects::pingpp::router(pingpp.clone()))
        .merge(dialects::pingpp::mock_router(pingpp.clone()));
    if let Some(simulator) = simulator {
        router = router.nest_service("/simulator", simulator);
        if let Some(desk) = test_clock {
            router = router.merge(clock::router(desk));
        }
    }
    let answer = move |request: Request| unknown(pingpp.clone(), request);
    // One layer of three parts, outermost first: each call of `layer` would box every request.
    let around = (
        from_fn_with_state(metrics, envelope::wrap),
        RequestBodyTimeoutLayer::new(limits.body_timeout),
        CatchPanicLayer::custom(broken),
    );
    router.fallback(answer.clone()).method_not_allowed_fallback(answer).layer(around)
}

/// An unknown path is answered in the dialect that its credentials speak, plainly without any.
async fn unknown(pingpp: Arc<Pingpp>, request: Request) -> Response {
    let speaks_pingpp = request.headers().contains_key(header::AUTHORIZATION)
        || request.uri().path().starts_with("/v1/");
    if speaks_pingpp {
        return dialects::pingpp::unknown_route(State(pingpp), request).await.into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::NOT_FOUND, json, r#"{"error":"there is nothing here"}"#).into_response()
}

/// A handler broke: one request ends, the process goes on.
fn broken(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let headers = [
        (header::CONTENT_TYPE, "application/json;charset=utf-8"),
        // Whoever called, Node's SDK hangs on a kept connection (specs/pingpp.md §0, R4).
        (header::CONNECTION, "close"),
    ];
    let body = r#"{"error":{"type":"api_error","message":"internal error"}}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, headers, body).into_response()
}

//! Around every request: an id, figures, and headers that keep browsers careful.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::Metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every answer says to browsers unless the handler says otherwise (specs/reliability.md
/// SEC-53, SEC-56, SEC-59, SEC-76).
const CAREFUL: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Ids of requests: unique in this process and, by its random beginning, very likely everywhere.
pub(crate) struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> RequestIds {
        let mut process = [0; 4];
        sign::random::fill(&mut process);
        RequestIds { process: u32::from_be_bytes(process), next: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) async fn wrap(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let id = metrics.request_ids.next();
    let mut response = next.run(request).await;
    let elapsed = begin.elapsed();
    let status = response.status();
    let route = path.as_ref().map_or("unknown", |p| p.as_str());
    metrics.count(route, status, elapsed);
    if status.is_server_error() {
        tracing::info!(%method, route, %status, id, "a request ended badly");
    } else {
        tracing::debug!(%method, route, %status, id, micros = elapsed.as_micros(), "request");
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in CAREFUL {
        headers.entry(name).or_insert(value);
    }
    response
}

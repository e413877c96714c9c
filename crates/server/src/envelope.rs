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
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    response
}

//! Channels' notices: raw bytes in, one word out, after the commit.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::channel::RawNotice;
use domain::id::Id;
use engine::Engine;

/// The largest notice.
const NOTICE_BYTES_MAX: usize = 64 * 1024;

/// `POST /notify/route/{route}`. What cannot be taken now is answered 503: the channel repeats.
pub(crate) async fn take(
    State(engine): State<Arc<Engine>>,
    Path(route): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(route) = route.parse::<i64>() else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(body) = axum::body::to_bytes(body, NOTICE_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let raw = RawNotice { headers: &headers, body: &body };
    match engine.take_notice(Id::from_raw(route), raw).await {
        Ok(Some(reply)) => {
            ([(header::CONTENT_TYPE, "text/plain;charset=utf-8")], reply.body).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "a notice could not be taken now");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

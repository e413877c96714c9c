//! The answer's bytes and headers (specs/pingpp.md §1.4).
//!
//! The signature covers the body bytes only, is made once, here, and never for 401.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use sign::rsa::PrivateKey;

use super::error::Problem;

/// Where the signature of a body stands, in answers and in webhooks.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-pingplusplus-signature");
/// What every body is.
pub(super) const CONTENT_TYPE: &str = "application/json;charset=utf-8";

/// Whether the caller is the Node SDK, which never sends a second request over a kept connection
/// (§0, R4).
pub(super) fn must_close(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    agent.windows(b"NodeBindings".len()).any(|part| part == b"NodeBindings")
}

/// Puts status, headers and signature around a body. `key` is absent where nothing is signed.
pub(super) fn write(
    reply: Result<String, Problem>,
    key: Option<&PrivateKey>,
    close: bool,
) -> Response<Body> {
    let (status, temporary, body) = match reply {
        Ok(body) => (StatusCode::OK, false, body),
        Err(problem) => (problem.status, problem.is_temporary(), problem.to_json()),
    };
    let key = key.filter(|_| status != StatusCode::UNAUTHORIZED);
    let signature = key.map(|key| sign::pingpp::sign_body(key, body.as_bytes()));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    headers.insert(header::CONTENT_TYPE, fixed(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, fixed("no-cache, no-store"));
    let methods = fixed("GET, POST, HEAD, OPTIONS, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed("300"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
    if let Some(signature) = signature.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(SIGNATURE, signature);
    }
    if temporary {
        headers.insert(header::RETRY_AFTER, fixed("1"));
    }
    if close {
        headers.insert(header::CONNECTION, fixed("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_401_is_signed_over_the_body() {
        let key = PrivateKey::generate();
        let response = write(Ok("{}".into()), Some(&key), false);
        let signature = response.headers()[SIGNATURE].to_str().unwrap();
        assert_eq!(key.public().verify_sha256_base64(b"{}", signature), Ok(()));
        assert_eq!(response.headers()["cache-control"], "no-cache, no-store");
        assert_eq!(response.headers()["content-type"], "application/json;charset=utf-8");
        let refused = write(Err(Problem::bad("x")), Some(&key), false);
        assert!(refused.headers().contains_key(SIGNATURE));
        let stranger = write(Err(Problem::unauthorized(None)), Some(&key), false);
        assert_eq!(stranger.status(), 401);
        assert!(!stranger.headers().contains_key(SIGNATURE));
        assert!(!write(Ok("{}".into()), None, false).headers().contains_key(SIGNATURE));
    }

    #[test]
    fn a_connection_is_closed_for_node_only() {
        let mut headers = HeaderMap::new();
        assert!(!must_close(&headers));
        headers.insert("user-agent", HeaderValue::from_static("Pingpp/v1 JavaBindings/2.5.2"));
        assert!(!must_close(&headers));
        headers.insert("user-agent", HeaderValue::from_static("Pingpp/v1 NodeBindings/2.1.6"));
        assert!(must_close(&headers));
        assert_eq!(write(Ok("{}".into()), None, true).headers()["connection"], "close");
        assert!(!write(Ok("{}".into()), None, false).headers().contains_key("connection"));
    }
}

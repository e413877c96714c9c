//! Who calls, and whether the request is truly theirs: API keys (specs/pingpp.md §1.1) and request
//! signatures over raw bytes (§1.3).
//!
//! A wrong signature is refused even where none is required: it proves that something is amiss.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::tenant::{Dialect, MerchantKey};
use domain::text::RequestId;
use engine::{Caller, Engine};
use sign::rsa::PublicKey;

use super::error::Problem;

const SIGNATURE: &str = "pingplusplus-signature";
const TIMESTAMP: &str = "pingplusplus-request-timestamp";

/// Parsed keys kept; past it the memory starts anew.
const KEYS_MAX: usize = 4_096;

/// The owner of the request's API key.
pub(super) async fn caller(
    engine: &Engine,
    headers: &HeaderMap,
    request: &RequestId,
) -> Result<Arc<Caller>, Problem> {
    let Some(key) = api_key(headers) else { return Err(Problem::unauthorized(None)) };
    let hash = sign::digest::sha256(key.as_bytes());
    let caller = engine.caller(&hash).await.map_err(|e| Problem::of_refusal(e, request))?;
    caller
        .filter(|caller| caller.key.dialect == Dialect::Pingpp)
        .ok_or_else(|| Problem::unauthorized(Some(&key)))
}

/// The key from `Bearer KEY` or `Basic base64(KEY:)`.
fn api_key(headers: &HeaderMap) -> Option<String> {
    let value = single(headers, "authorization").ok()??;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    let key = if scheme.eq_ignore_ascii_case("bearer") {
        rest.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        pair.strip_suffix(':').filter(|key| !key.contains(':'))?.to_owned()
    } else {
        return None;
    };
    (!key.is_empty()).then_some(key)
}

/// The one value of a header; `Err` if it comes more than once or is no text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(());
    }
    value.to_str().map(Some).map_err(|_| ())
}

/// The signature headers of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signed {
    pub signature: Option<String>,
    pub timestamp: Option<String>,
}

impl Signed {
    /// Reads the headers; each may come once.
    pub(super) fn read(headers: &HeaderMap) -> Result<Signed, Problem> {
        let one = |name: &str| {
            let value = single(headers, name);
            let value = value.map_err(|()| Problem::bad(format!("the header {name} is unclear")));
            value.map(|value| value.map(str::to_owned))
        };
        Ok(Signed { signature: one(SIGNATURE)?, timestamp: one(TIMESTAMP)? })
    }

    /// SHA-256 over path, body, time and signature: the same again is the same request sent again
    /// (§2.6, guard 1). Without a time two wanted refunds could be alike, so there is none.
    pub(super) fn exact_request(&self, target: &str, body: &[u8]) -> Option<[u8; 32]> {
        let (signature, timestamp) = (self.signature.as_ref()?, self.timestamp.as_ref()?);
        let parts = [target.as_bytes(), body, timestamp.as_bytes(), signature.as_bytes()];
        Some(sign::digest::sha256_of_parts(&parts))
    }
}

/// What a signature is checked against.
pub(super) struct Evidence<'a> {
    pub method: &'a Method,
    pub target: &'a str,
    pub body: &'a [u8],
    pub now_seconds: i64,
    pub clock_skew_seconds: i64,
}

/// Merchants' public keys, parsed once.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<Box<str>, PublicKey>>);

impl Keys {
    fn parsed(&self, key: &MerchantKey) -> Option<PublicKey> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = known.get(&key.fingerprint) {
            return Some(parsed.clone());
        }
        match PublicKey::from_pem(&key.pem) {
            Ok(parsed) => {
                if known.len() >= KEYS_MAX {
                    known.clear();
                }
                known.insert(key.fingerprint.clone(), parsed.clone());
                Some(parsed)
            }
            Err(error) => {
                tracing::error!(%error, fingerprint = %key.fingerprint, "a stored key is unusable");
                None
            }
        }
    }

    /// Checks a write's signature (§1.3): required where the merchant says so, and right wherever
    /// there is one and a key to check it with. Reads are never checked.
    pub(super) fn check(
        &self,
        caller: &Caller,
        signed: &Signed,
        evidence: &Evidence<'_>,
    ) -> Result<(), Problem> {
        if !matches!(*evidence.method, Method::POST | Method::PUT) {
            return Ok(());
        }
        let required = caller.merchant.signature_required(caller.tenant.mode);
        let Some(signature) = &signed.signature else {
            return if required { Err(missing()) } else { Ok(()) };
        };
        if caller.keys.is_empty() {
            return if required { Err(no_key()) } else { Ok(()) };
        }
        if let Some(timestamp) = &signed.timestamp {
            check_clock(timestamp, evidence)?;
        }
        let time = signed.timestamp.as_deref().map(str::as_bytes);
        let (body, target) = (evidence.body, evidence.target.as_bytes());
        let fits =
            caller.keys.iter().filter_map(|key| self.parsed(key)).any(|key| {
                sign::pingpp::verify_request(&key, body, target, time, signature).is_ok()
            });
        if fits { Ok(()) } else { Err(wrong(signed, evidence)) }
    }
}

fn check_clock(timestamp: &str, evidence: &Evidence<'_>) -> Result<(), Problem> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let Some(seconds) = digits.then(|| timestamp.parse::<i64>().ok()).flatten() else {
        return Err(Problem::bad("Pingplusplus-Request-Timestamp must be Unix seconds"));
    };
    let skew = evidence.now_seconds.abs_diff(seconds);
    let allowed = evidence.clock_skew_seconds;
    if allowed > 0 && skew > allowed.unsigned_abs() {
        return Err(Problem::bad(format!(
            "invalid signature: Pingplusplus-Request-Timestamp is {skew} seconds away from our \
             clock, {allowed} are allowed"
        )));
    }
    Ok(())
}

fn missing() -> Problem {
    Problem::bad(
        "no signature was supplied: put the base64 RSA-SHA256 signature of the request into the \
         header Pingplusplus-Signature",
    )
}

fn no_key() -> Problem {
    Problem::bad("a signature is required, but no public key is registered for this account")
}

/// Names the lengths that were seen, which tells most mistakes apart (§8).
fn wrong(signed: &Signed, evidence: &Evidence<'_>) -> Problem {
    let covered = match &signed.timestamp {
        Some(time) => format!(
            "body ({} bytes) + request target ({} bytes) + timestamp ({} bytes)",
            evidence.body.len(),
            evidence.target.len(),
            time.len()
        ),
        None => format!("body ({} bytes), as there is no timestamp", evidence.body.len()),
    };
    Problem::bad(format!(
        "invalid signature: no registered public key verifies it as base64 RSA-SHA256 (PKCS#1 \
         v1.5) over {covered}"
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_comes_as_basic_with_an_empty_password_or_as_bearer() {
        let key = |value: &str| api_key(&headers("authorization", &[value]));
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(key("Bearer sk_test_1").as_deref(), Some("sk_test_1"));
        assert_eq!(key("bearer sk_test_1").as_deref(), Some("sk_test_1"));
        assert_eq!(key(&basic("sk_test_1:")).as_deref(), Some("sk_test_1"));
        for bad in ["", "Basic", "Bearer", "Bearer  ", "Basic !!!", "Token x", "sk_test_1"] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
        for bad in ["sk_test_1:password", ":", "sk_test_1", "a:b:"] {
            assert_eq!(key(&basic(bad)), None, "{bad:?}");
        }
        assert_eq!(api_key(&HeaderMap::new()), None);
        assert_eq!(api_key(&headers("authorization", &["Bearer a", "Bearer b"])), None);
    }

    #[test]
    fn a_doubled_signature_header_is_refused() {
        assert!(Signed::read(&headers(SIGNATURE, &["a", "b"])).is_err());
        assert!(Signed::read(&headers(TIMESTAMP, &["1", "1"])).is_err());
        assert_eq!(Signed::read(&HeaderMap::new()), Ok(Signed::default()));
    }

    #[test]
    fn only_a_signed_request_with_a_time_is_known_again() {
        let signed = |signature: Option<&str>, timestamp: Option<&str>| Signed {
            signature: signature.map(str::to_owned),
            timestamp: timestamp.map(str::to_owned),
        };
        let exact = |s: &Signed| s.exact_request("/v1/x", b"{}");
        assert_eq!(exact(&signed(None, Some("1"))), None);
        assert_eq!(exact(&signed(Some("s"), None)), None);
        let first = exact(&signed(Some("s"), Some("1")));
        assert!(first.is_some());
        assert_eq!(first, exact(&signed(Some("s"), Some("1"))));
        assert_ne!(first, exact(&signed(Some("s"), Some("2"))));
        assert_ne!(first, exact(&signed(Some("t"), Some("1"))));
    }

    #[test]
    fn the_clock_may_differ_by_the_window_and_no_more() {
        let evidence = |clock_skew_seconds| Evidence {
            method: &Method::POST,
            target: "/",
            body: b"",
            now_seconds: 1_800_000_000,
            clock_skew_seconds,
        };
        let ok = |text: &str, window| check_clock(text, &evidence(window)).is_ok();
        assert!(ok("1800000900", 900) && ok("1799999100", 900));
        assert!(!ok("1800000901", 900) && !ok("1799999099", 900));
        assert!(ok("1", 0));
        for bad in ["", "soon", "-1", "+1", "1.5", " 1", "99999999999999999999"] {
            assert!(!ok(bad, 0), "{bad:?}");
        }
    }
}

//! What Ping++ signs: requests over body, target and time; answers and webhooks over the body.
//! (specs/pingpp.md §1.3, §1.4, §6.3)

use crate::rsa::{BadSignature, PrivateKey, PublicKey};

/// The text that a request's signature covers: `body ‖ request target ‖ timestamp`, with nothing
/// between. Without a timestamp, as clients before 2017 sent it, the body alone.
pub fn request_text(body: &[u8], target: &[u8], timestamp: Option<&[u8]>) -> Vec<u8> {
    match timestamp {
        Some(timestamp) => [body, target, timestamp].concat(),
        None => body.to_vec(),
    }
}

/// Checks a request's signature (base64) over the raw bytes.
pub fn verify_request(
    key: &PublicKey,
    body: &[u8],
    target: &[u8],
    timestamp: Option<&[u8]>,
    signature: &str,
) -> Result<(), BadSignature> {
    key.verify_sha256_base64(&request_text(body, target, timestamp), signature)
}

/// Signs an answer or a webhook: the raw body and nothing else.
pub fn sign_body(key: &PrivateKey, body: &[u8]) -> String {
    key.sign_sha256_base64(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;

    #[test]
    fn the_signed_text_matches_the_vectors() {
        let cases: [(&str, &str, &str); 3] = [
            (
                r#"{"amount":1}"#,
                "/v1/charges",
                "38305f5e8d525156cf6f62ebf8d20496dee0f14d0fdc0fb5e4637ce0f0d8ab3f",
            ),
            (
                "",
                "/v1/charges?app[id]=app_demo&limit=2",
                "b8fe0213dd076c2024e046add15996a086e75b1228e9d2ab8a0bd913bd4137ff",
            ),
            (
                "",
                "/v1/charges/ch_demo?",
                "345d99d482e2e7d29d9dce6afc66860defe5c6435773d72fede97c2a123ffd31",
            ),
        ];
        for (body, target, digest) in cases {
            let text = request_text(body.as_bytes(), target.as_bytes(), Some(b"1700000000"));
            assert_eq!(sha256_hex(&text), digest, "{target}");
        }
    }

    #[test]
    fn body_target_and_time_are_all_covered() {
        let key = PrivateKey::generate();
        let public = key.public();
        let verify = |body: &str, target: &str, time: Option<&str>, signature: &str| {
            let time = time.map(str::as_bytes);
            verify_request(&public, body.as_bytes(), target.as_bytes(), time, signature).is_ok()
        };
        let text = request_text(b"{}", b"/v1/charges", Some(b"1700000000"));
        let full = key.sign_sha256_base64(&text);
        assert!(verify("{}", "/v1/charges", Some("1700000000"), &full));
        assert!(!verify("{ }", "/v1/charges", Some("1700000000"), &full));
        assert!(!verify("{}", "/v1/charges?", Some("1700000000"), &full));
        assert!(!verify("{}", "/v1/charges", Some("1700000001"), &full));
        assert!(!verify("{}", "/v1/charges", None, &full));
        let body_only = sign_body(&key, b"{}");
        assert!(verify("{}", "/v1/charges", None, &body_only));
        assert!(!verify("{}", "/v1/charges", Some("1700000000"), &body_only));
    }
}

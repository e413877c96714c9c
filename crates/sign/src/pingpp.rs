//! What Ping++ signs: a request's body, target and time; an answer's or a webhook's body alone
//! (specs/pingpp.md §1.3, §1.4, §6.3).

use crate::rsa::{BadSignature, PrivateKey, PublicKey};

/// The bytes that a request's signature covers: `body ‖ request target ‖ timestamp` with nothing
/// between. Without a timestamp, as clients before 2017 sent it, the body alone.
pub fn request_text(body: &[u8], target: &[u8], timestamp: Option<&[u8]>) -> Vec<u8> {
    parts(body, target, timestamp).concat()
}

/// Checks a request's signature (base64) over the raw bytes. `target` is path and query exactly as
/// in the request line, `timestamp` the header's value where there is one.
///
/// Nothing separates the parts, so a valid signature stays valid when bytes move over a border.
/// The caller must therefore refuse a body with anything behind its one JSON value and a timestamp
/// with anything but digits; then only the genuine borders are left.
pub fn verify_request(
    key: &PublicKey,
    body: &[u8],
    target: &[u8],
    timestamp: Option<&[u8]>,
    signature: &str,
) -> Result<(), BadSignature> {
    key.verify_sha256_base64_of_parts(&parts(body, target, timestamp), signature)
}

/// Signs an answer or a webhook: the raw body and nothing else, as base64.
pub fn sign_body(key: &PrivateKey, body: &[u8]) -> String {
    key.sign_sha256_base64(body)
}

fn parts<'a>(body: &'a [u8], target: &'a [u8], timestamp: Option<&'a [u8]>) -> [&'a [u8]; 3] {
    match timestamp {
        Some(timestamp) => [body, target, timestamp],
        None => [body, b"", b""],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;

    #[test]
    fn the_signed_text_matches_the_vectors() {
        let cases = [
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
        assert_eq!(request_text(b"{}", b"/v1/charges", None), b"{}");
    }

    #[test]
    fn every_byte_of_body_target_and_time_is_covered() {
        let key = PrivateKey::generate();
        let public = key.public();
        let genuine = [r#"{"amount":1}"#, "/v1/charges?a=b", "1700000000"];
        let [body, target, time] = genuine.map(str::as_bytes);
        let full = key.sign_sha256_base64(&request_text(body, target, Some(time)));
        assert_eq!(verify_request(&public, body, target, Some(time), &full), Ok(()));
        for (part, text) in genuine.iter().enumerate() {
            for index in 0..text.len() {
                let mut changed = genuine.map(|part| part.as_bytes().to_vec());
                changed[part][index] ^= 1;
                let [body, target, time] = &changed;
                let answer = verify_request(&public, body, target, Some(time), &full);
                assert_eq!(answer, Err(BadSignature), "byte {index} of {text}");
            }
        }
    }

    #[test]
    fn the_timestamp_header_decides_the_form() {
        let key = PrivateKey::generate();
        let verify = |time: Option<&[u8]>, signature: &str| {
            verify_request(&key.public(), b"{}", b"/v1/charges", time, signature)
        };
        let time: Option<&[u8]> = Some(b"1700000000");
        let full = key.sign_sha256_base64(&request_text(b"{}", b"/v1/charges", time));
        let body_only = sign_body(&key, b"{}");
        assert_eq!((verify(time, &full), verify(None, &body_only)), (Ok(()), Ok(())));
        assert_eq!(verify(None, &full), Err(BadSignature));
        assert_eq!(verify(time, &body_only), Err(BadSignature));
        assert_eq!(verify(time, ""), Err(BadSignature));
    }
}

//! Standard Webhooks 1.0, offered beside a dialect's own signature: HMAC-SHA256 over
//! `id.timestamp.body` (specs/reliability.md §1.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The prefix of a secret's text form.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature` for a secret of raw bytes.
pub fn signature(secret: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let text = format!("{id}.{timestamp}.{body}");
    format!("v1,{}", STANDARD.encode(crate::digest::hmac_sha256(secret, text.as_bytes())))
}

/// A secret as people see it: `whsec_` and base64.
pub fn secret_to_text(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// Reads a secret's text form.
pub fn secret_from_text(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix(PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_matches_the_published_example() {
        let secret = secret_from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signature(
                &secret,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(secret_from_text(&secret_to_text(&secret)), Some(secret));
        assert_eq!(secret_from_text("x"), None);
    }
}

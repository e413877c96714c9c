//! Standard Webhooks 1.0, offered beside a dialect's own signature: HMAC-SHA256 over
//! `id.timestamp.body` (specs/reliability.md §1.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The beginning of a secret's text form.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature` for a secret of raw bytes. `timestamp` is in Unix seconds and
/// stands in `webhook-timestamp`, `id` in `webhook-id`. While a secret is being replaced the header
/// holds one such value for each secret, with a space between.
pub fn signature(secret: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let text = format!("{id}.{timestamp}.{body}");
    format!("v1,{}", STANDARD.encode(crate::digest::hmac_sha256(secret, text.as_bytes())))
}

/// A secret as people see it: `whsec_` and base64.
pub fn secret_to_text(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// Reads a secret's text form. `None` unless it holds 24 to 64 bytes, as the standard asks.
pub fn secret_from_text(text: &str) -> Option<Vec<u8>> {
    let secret = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
    (24..=64).contains(&secret.len()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;

    #[test]
    fn the_signature_matches_the_published_example() {
        let secret = secret_from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let genuine = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&secret, ID, 1_614_265_330, BODY), genuine);
        assert_ne!(signature(&secret, ID, 1_614_265_331, BODY), genuine);
        assert_ne!(signature(&secret, "msg_other", 1_614_265_330, BODY), genuine);
        assert_ne!(signature(&secret, ID, 1_614_265_330, "{}"), genuine);
        assert_ne!(signature(&[7; 24], ID, 1_614_265_330, BODY), genuine);
    }

    #[test]
    fn a_secret_reads_back_from_its_text() {
        for len in [24, 32, 64] {
            let secret = vec![7; len];
            assert_eq!(secret_from_text(&secret_to_text(&secret)), Some(secret));
        }
        for len in [0, 23, 65] {
            assert_eq!(secret_from_text(&secret_to_text(&vec![7; len])), None);
        }
        assert_eq!(secret_from_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
        assert_eq!(secret_from_text("whsec_not base64"), None);
    }
}

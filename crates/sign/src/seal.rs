//! Secrets at rest: AES-256-GCM with a name as additional data, so that a sealed value put into
//! another row or column does not open (SEC-65).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The form of the text; a later form gets another word.
const VERSION: &str = "v1.";

/// A sealed text does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open with this key at this place")]
pub struct OpenError;

/// Seals and opens with one key.
pub struct Sealer(RandomizedNonceKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// With a key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Sealer {
        Sealer(
            RandomizedNonceKey::new(&AES_256_GCM, &key)
                .expect("AES-256-GCM takes every key of 32 bytes"),
        )
    }

    /// Seals `plain` for the place `place` (table, row and column) as one line of text.
    pub fn seal(&self, place: &str, plain: &[u8]) -> String {
        let mut bytes = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut bytes)
            .expect("sealing fails only beyond 64 GiB");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        format!("{VERSION}{}", STANDARD.encode(sealed))
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Vec<u8>, OpenError> {
        let text = sealed.strip_prefix(VERSION).ok_or(OpenError)?;
        let mut bytes = STANDARD.decode(text).map_err(|_| OpenError)?;
        if bytes.len() < NONCE_LEN {
            return Err(OpenError);
        }
        let mut body = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| OpenError)?;
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut body)
            .map_err(|_| OpenError)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_at_its_place_with_its_key() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("route:1:settings", b"secret");
        assert_eq!(sealer.open("route:1:settings", &sealed), Ok(b"secret".to_vec()));
        assert_eq!(sealer.open("route:2:settings", &sealed), Err(OpenError));
        assert_eq!(Sealer::new([8; 32]).open("route:1:settings", &sealed), Err(OpenError));
        assert_ne!(sealed, sealer.seal("route:1:settings", b"secret"));
        assert!(!sealed.contains("secret"));
    }

    #[test]
    fn damaged_text_does_not_open_and_does_not_panic() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("p", b"");
        for bad in ["", "v1.", "v1.AAAA", "v2.AAAA", &sealed[1..], &sealed[..sealed.len() - 4]] {
            assert_eq!(sealer.open("p", bad), Err(OpenError), "{bad}");
        }
        assert_eq!(sealer.open("p", &sealed), Ok(Vec::new()));
    }
}

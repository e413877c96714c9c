//! Secrets at rest: AES-256-GCM with the secret's place as additional data, so that a sealed value
//! moved into another row or column does not open (SEC-65).
//!
//! A sealed text is `v1.` and base64 of nonce (12 bytes), ciphertext and tag (16).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The form of the text; another form gets another word.
const VERSION: &str = "v1.";

/// A sealed text does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open with this key at this place")]
pub struct OpenError;

/// Seals and opens with one key. Printing it shows nothing.
pub struct Sealer(RandomizedNonceKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// With a key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Sealer {
        let key = Zeroizing::new(key);
        Sealer(
            RandomizedNonceKey::new(&AES_256_GCM, &*key)
                .expect("AES-256-GCM takes every key of 32 bytes"),
        )
    }

    /// Seals `plain` for the place `aad` (table, row and column) as one line of text.
    pub fn seal(&self, aad: &str, plain: &[u8]) -> String {
        let mut body = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(aad.as_bytes()), &mut body)
            .expect("sealing fails only beyond 64 GiB");
        format!("{VERSION}{}", STANDARD.encode([&nonce.as_ref()[..], &body].concat()))
    }

    /// Opens what [`Sealer::seal`] made with the same key for the same place.
    pub fn open(&self, aad: &str, sealed: &str) -> Result<Vec<u8>, OpenError> {
        let text = sealed.strip_prefix(VERSION).ok_or(OpenError)?;
        let mut nonce = STANDARD.decode(text).map_err(|_| OpenError)?;
        if nonce.len() < NONCE_LEN {
            return Err(OpenError);
        }
        let mut body = nonce.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| OpenError)?;
        let plain = self.0.open_in_place(nonce, Aad::from(aad.as_bytes()), &mut body);
        let len = plain.map_err(|_| OpenError)?.len();
        body.truncate(len);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sealed_value_opens_only_at_its_place_with_its_key() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("route:1:settings", b"secret");
        assert_eq!(sealer.open("route:1:settings", &sealed), Ok(b"secret".to_vec()));
        assert_eq!(sealer.open("route:2:settings", &sealed), Err(OpenError));
        assert_eq!(sealer.open("", &sealed), Err(OpenError));
        assert_eq!(Sealer::new([8; 32]).open("route:1:settings", &sealed), Err(OpenError));
        assert_ne!(sealed, sealer.seal("route:1:settings", b"secret"), "the nonce is random");
    }

    #[test]
    fn what_another_program_sealed_opens() {
        // specs/channels.md §8; the text there lacks the nonce.
        let sealer = Sealer::new(*b"0123456789abcdef0123456789abcdef");
        let body = "Eu6myr+6GaECeJdOZPZ6BX5liy+JsF55MpxK7rM4q7UfvMGIS3bIgRkv0+NLwNT/4/Q2+vVec68Q\
                    Nb39uJx8ZO0=";
        let sealed = format!("v1.{}{body}", STANDARD.encode("abcdefghijkl"));
        let plain = br#"{"out_trade_no":"T00001","trade_state":"SUCCESS"}"#;
        assert_eq!(sealer.open("transaction", &sealed), Ok(plain.to_vec()));
    }

    #[test]
    fn a_change_of_any_character_keeps_it_shut() {
        let sealer = Sealer::new([7; 32]);
        let sealed = sealer.seal("p", b"secret");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(sealer.open("p", &changed), Err(OpenError), "{changed}");
            assert_eq!(sealer.open("p", &sealed[..index]), Err(OpenError), "{index}");
        }
        assert_eq!(sealer.open("p", &format!("{sealed}\n")), Err(OpenError));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", Sealer::new([7; 32])), "Sealer(***)");
    }

    proptest! {
        #[test]
        fn every_value_comes_back(plain: Vec<u8>, aad: String) {
            let sealer = Sealer::new([7; 32]);
            prop_assert_eq!(sealer.open(&aad, &sealer.seal(&aad, &plain)), Ok(plain));
        }

        #[test]
        fn no_bytes_behind_the_version_make_it_panic(bytes: Vec<u8>) {
            let sealed = format!("v1.{}", STANDARD.encode(bytes));
            prop_assert_eq!(Sealer::new([7; 32]).open("p", &sealed), Err(OpenError));
        }
    }
}

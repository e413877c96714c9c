//! RSA keys and RSASSA-PKCS1-v1_5 signatures with SHA-256, the one scheme that Alipay and Ping++
//! share. Keys are parsed once and cheap to clone. Keys under 2,048 bits are refused (SEC-69).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_cert::der::{self, Decode, Reader, SliceReader};

/// The shortest modulus accepted, in bytes.
const MODULUS_BYTES_MIN: usize = 256;

/// Why a text is no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of a known kind, or no base64.
    #[error("this is neither a PEM key nor a base64 key")]
    NotAKey,
    /// The encoding inside is broken, or the key is no RSA key.
    #[error("this is not an RSA key in PKCS#1, PKCS#8 or SPKI form")]
    NotRsa,
    /// Below 2,048 bits.
    #[error("the RSA key is shorter than 2048 bits")]
    TooShort,
}

/// A signature that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// A private key. Printing it shows nothing.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<RsaKeyPair>,
    pkcs8: Arc<Pkcs8V1Der<'static>>,
    public: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

impl PrivateKey {
    /// A new key of 2,048 bits. Takes some tenths of a second.
    pub fn generate() -> PrivateKey {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)
            .expect("the library makes 2048-bit keys unless the machine has no randomness");
        PrivateKey::from_pair(pair).expect("a new 2048-bit key is long enough")
    }

    fn from_pair(pair: RsaKeyPair) -> Result<PrivateKey, KeyError> {
        if pair.public_modulus_len() < MODULUS_BYTES_MIN {
            return Err(KeyError::TooShort);
        }
        let pkcs8 = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map_err(|_| KeyError::NotRsa)?;
        let public = PublicKey::from_der(pair.public_key().as_ref())?;
        Ok(PrivateKey { pair: Arc::new(pair), pkcs8: Arc::new(pkcs8), public })
    }

    fn from_der(bytes: &[u8]) -> Result<PrivateKey, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(bytes).or_else(|_| RsaKeyPair::from_der(bytes));
        PrivateKey::from_pair(pair.map_err(|_| KeyError::NotRsa)?)
    }

    /// Reads PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`) PEM.
    pub fn from_pem(text: &str) -> Result<PrivateKey, KeyError> {
        let (label, bytes) = pem_block(text).ok_or(KeyError::NotAKey)?;
        match label {
            "RSA PRIVATE KEY" | "PRIVATE KEY" => PrivateKey::from_der(&bytes),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// Reads bare base64 of PKCS#8 or PKCS#1 DER; white space is ignored.
    pub fn from_base64_der(text: &str) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_der(&bare_base64(text).ok_or(KeyError::NotAKey)?)
    }

    /// `BEGIN PRIVATE KEY`.
    pub fn to_pkcs8_pem(&self) -> String {
        to_pem("PRIVATE KEY", self.pkcs8.as_ref().as_ref())
    }

    /// Base64 of PKCS#8 DER in one line.
    pub fn to_pkcs8_base64(&self) -> String {
        STANDARD.encode(self.pkcs8.as_ref().as_ref())
    }

    /// `BEGIN RSA PRIVATE KEY`, which some clients insist on.
    pub fn to_pkcs1_pem(&self) -> String {
        let inner = pkcs1_inside(self.pkcs8.as_ref().as_ref())
            .expect("the library writes a PKCS#8 envelope around a PKCS#1 key");
        to_pem("RSA PRIVATE KEY", &inner)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// Signs; about 0.22 ms of a core.
    pub fn sign_sha256(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("signing fails only for a buffer of another length than the modulus");
        signature
    }

    /// Signs, as base64.
    pub fn sign_sha256_base64(&self, message: &[u8]) -> String {
        STANDARD.encode(self.sign_sha256(message))
    }
}

/// A public key, parsed.
#[derive(Clone)]
pub struct PublicKey {
    parsed: Arc<ParsedPublicKey>,
    spki: Arc<[u8]>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}
impl Eq for PublicKey {}

impl PublicKey {
    /// Reads SPKI or PKCS#1 DER.
    pub fn from_der(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let key = aws_lc_rs::rsa::PublicKey::from_der(bytes).map_err(|_| KeyError::NotRsa)?;
        if key.modulus_len() < MODULUS_BYTES_MIN {
            return Err(KeyError::TooShort);
        }
        let spki = AsDer::<PublicKeyX509Der<'static>>::as_der(&key);
        let spki = spki.map_err(|_| KeyError::NotRsa)?;
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref())
            .map_err(|_| KeyError::NotRsa)?;
        Ok(PublicKey { parsed: Arc::new(parsed), spki: spki.as_ref().into() })
    }

    /// Reads `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY` (PKCS#1) or `CERTIFICATE` PEM.
    pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
        let (label, bytes) = pem_block(text).ok_or(KeyError::NotAKey)?;
        match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => PublicKey::from_der(&bytes),
            "CERTIFICATE" => {
                let certificate = x509_cert::Certificate::from_der(&bytes);
                let certificate = certificate.map_err(|_| KeyError::NotRsa)?;
                let info = &certificate.tbs_certificate.subject_public_key_info;
                let spki = der::Encode::to_der(info).map_err(|_| KeyError::NotRsa)?;
                PublicKey::from_der(&spki)
            }
            _ => Err(KeyError::NotAKey),
        }
    }

    /// Reads bare base64 of SPKI or PKCS#1 DER; white space is ignored.
    pub fn from_base64_der(text: &str) -> Result<PublicKey, KeyError> {
        PublicKey::from_der(&bare_base64(text).ok_or(KeyError::NotAKey)?)
    }

    /// `BEGIN PUBLIC KEY`.
    pub fn to_spki_pem(&self) -> String {
        to_pem("PUBLIC KEY", &self.spki)
    }

    /// Base64 of SPKI DER in one line.
    pub fn to_spki_base64(&self) -> String {
        STANDARD.encode(&self.spki)
    }

    /// SHA-256 of the SPKI DER in hex: a name for the key.
    pub fn fingerprint(&self) -> String {
        crate::digest::sha256_hex(&self.spki)
    }

    /// Checks a signature; about 0.015 ms.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.parsed.verify_sig(message, signature).map_err(|_| BadSignature)
    }

    /// Checks a base64 signature.
    pub fn verify_sha256_base64(
        &self,
        message: &[u8],
        signature: &str,
    ) -> Result<(), BadSignature> {
        let signature = STANDARD.decode(signature.trim()).map_err(|_| BadSignature)?;
        self.verify_sha256(message, &signature)
    }
}

/// The first PEM block: its label and its bytes.
pub(crate) fn pem_block(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    rest.strip_prefix(label)?.strip_prefix("-----")?;
    Some((label, bare_base64(body)?))
}

fn bare_base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    if compact.is_empty() {
        return None;
    }
    STANDARD.decode(compact).ok()
}

fn to_pem(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    for start in (0..body.len()).step_by(64) {
        text.push_str(&body[start..body.len().min(start + 64)]);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// PKCS#8 is `SEQUENCE { version, algorithm, OCTET STRING { PKCS#1 } }` (RFC 5208).
fn pkcs1_inside(pkcs8: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(pkcs8)?;
    reader.sequence(|inner| {
        let _version: u8 = inner.decode()?;
        let _algorithm: der::Any = inner.decode()?;
        let key: der::asn1::OctetString = inner.decode()?;
        Ok(key.into_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_key_reads_back_as_the_same_key() {
        let key = PrivateKey::generate();
        for again in [
            PrivateKey::from_pem(&key.to_pkcs8_pem()).unwrap(),
            PrivateKey::from_pem(&key.to_pkcs1_pem()).unwrap(),
            PrivateKey::from_base64_der(&key.to_pkcs8_base64()).unwrap(),
        ] {
            assert_eq!(again.sign_sha256(b"text"), key.sign_sha256(b"text"));
        }
        let public = key.public();
        assert_eq!(PublicKey::from_pem(&public.to_spki_pem()), Ok(public.clone()));
        assert_eq!(PublicKey::from_base64_der(&public.to_spki_base64()), Ok(public));
    }

    #[test]
    fn a_changed_bit_of_message_or_signature_does_not_verify() {
        let key = PrivateKey::generate();
        let public = key.public();
        let (message, signature) = (b"amount=100".to_vec(), key.sign_sha256(b"amount=100"));
        assert_eq!(public.verify_sha256(&message, &signature), Ok(()));
        for index in 0..message.len() {
            let mut changed = message.clone();
            changed[index] ^= 1;
            assert_eq!(public.verify_sha256(&changed, &signature), Err(BadSignature));
        }
        for index in 0..signature.len() {
            let mut changed = signature.clone();
            changed[index] ^= 1;
            assert_eq!(public.verify_sha256(&message, &changed), Err(BadSignature));
        }
        let other = PrivateKey::generate().public();
        assert_eq!(other.verify_sha256(&message, &signature), Err(BadSignature));
        assert_eq!(public.verify_sha256_base64(&message, "no base64!"), Err(BadSignature));
        assert_eq!(public.verify_sha256_base64(&message, ""), Err(BadSignature));
    }

    #[test]
    fn a_key_of_1024_bits_is_refused() {
        // A public key of 1,024 bits; its private half was never written down.
        let short = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDgbHjNXMbRSCOIf7Ty2ZN3iTlPMFdkem7/\
                     jHu6AzmcoqrflTnhoEtIR+DzGAAgxhpCDBz8pPBNekvpo5BdIETPawdxIO9pm3RkOlgS0cA/\
                     3l7C+V7BqFvgojjnSPccy6hfeQZME2AVXjFfwxmjinCjFXatXXW6Cb3ihCFMcDbsaQIDAQAB";
        assert_eq!(PublicKey::from_base64_der(short), Err(KeyError::TooShort));
    }

    #[test]
    fn text_that_is_no_key_is_refused_and_nothing_secret_is_printed() {
        for bad in ["", "key", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"] {
            assert_eq!(PrivateKey::from_pem(bad).err(), Some(KeyError::NotAKey), "{bad}");
            assert_eq!(PublicKey::from_pem(bad).err(), Some(KeyError::NotAKey), "{bad}");
        }
        assert_eq!(PublicKey::from_base64_der("AAAA").err(), Some(KeyError::NotRsa));
        let key = PrivateKey::generate();
        assert_eq!(format!("{key:?}"), "PrivateKey(***)");
        assert_eq!(PublicKey::from_pem(&key.to_pkcs8_pem()).err(), Some(KeyError::NotAKey));
    }
}

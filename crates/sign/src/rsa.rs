//! RSA keys and RSASSA-PKCS1-v1_5 signatures with SHA-256, the one scheme that Alipay, WeChat Pay
//! and Ping++ share. Keys are parsed once and cheap to clone. Weak keys are refused (SEC-69):
//! under 2,048 bits, or with a public exponent under 65,537.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_cert::der::{self, Reader, SliceReader};
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::digest;

/// The lengths of a modulus that are accepted, in bits.
const MODULUS_BITS_MIN: usize = 2_048;
const MODULUS_BITS_MAX: usize = 8_192;
/// The least public exponent that is accepted.
const EXPONENT_MIN: u64 = 65_537;

/// Why a text is no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of a known kind, or no base64.
    #[error("this is neither a PEM key nor a base64 key")]
    NotAKey,
    /// The encoding inside is broken, or the key is no RSA key.
    #[error("this is not an RSA key in PKCS#1, PKCS#8 or SPKI form, nor a certificate of one")]
    NotRsa,
    /// Below 2,048 bits.
    #[error("the RSA key is shorter than 2048 bits")]
    TooShort,
    /// Above 8,192 bits, which would make every signature slow.
    #[error("the RSA key is longer than 8192 bits")]
    TooLong,
    /// A public exponent such as 3, which has made forgeries possible.
    #[error("the public exponent of the RSA key is below 65537")]
    WeakExponent,
}

impl From<KeyRejected> for KeyError {
    fn from(rejected: KeyRejected) -> KeyError {
        match rejected.description_() {
            "TooSmall" => KeyError::TooShort,
            "TooLarge" => KeyError::TooLong,
            _ => KeyError::NotRsa,
        }
    }
}

/// A signature that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// A private key. Printing it shows nothing.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<RsaKeyPair>,
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
            .expect("making a 2048-bit key fails only without memory");
        PrivateKey::from_pair(pair).expect("a new key has 2048 bits and the exponent 65537")
    }

    fn from_pair(pair: RsaKeyPair) -> Result<PrivateKey, KeyError> {
        let public = PublicKey::from_der(pair.public_key().as_ref())?;
        Ok(PrivateKey { pair: Arc::new(pair), public })
    }

    fn from_der(bytes: &[u8]) -> Result<PrivateKey, KeyError> {
        let pair = match RsaKeyPair::from_pkcs8(bytes).map_err(KeyError::from) {
            Err(KeyError::NotRsa) => RsaKeyPair::from_der(bytes).map_err(KeyError::from),
            known => known,
        };
        PrivateKey::from_pair(pair?)
    }

    /// Reads PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`) PEM, without a password.
    pub fn from_pem(text: &str) -> Result<PrivateKey, KeyError> {
        match pem_block(text) {
            Some(("RSA PRIVATE KEY" | "PRIVATE KEY", bytes)) => PrivateKey::from_der(&bytes),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// Reads bare base64 of PKCS#8 or PKCS#1 DER; white space is ignored.
    pub fn from_base64_der(text: &str) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_der(&bare_base64(text).ok_or(KeyError::NotAKey)?)
    }

    /// `BEGIN PRIVATE KEY`.
    pub fn to_pkcs8_pem(&self) -> String {
        to_pem("PRIVATE KEY", self.pkcs8().as_ref())
    }

    /// Base64 of PKCS#8 DER in one line.
    pub fn to_pkcs8_base64(&self) -> String {
        STANDARD.encode(self.pkcs8().as_ref())
    }

    /// `BEGIN RSA PRIVATE KEY`, which some clients insist on.
    pub fn to_pkcs1_pem(&self) -> String {
        let pkcs1 = pkcs1_inside(self.pkcs8().as_ref())
            .expect("the library writes a PKCS#8 envelope around a PKCS#1 key");
        to_pem("RSA PRIVATE KEY", &pkcs1)
    }

    fn pkcs8(&self) -> Pkcs8V1Der<'static> {
        self.pair.as_der().expect("a key that was read or made can be written")
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// Signs; about 0.22 ms of a core with 2,048 bits.
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

/// A public key.
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
        let key = aws_lc_rs::rsa::PublicKey::from_der(bytes)?;
        let modulus = key.modulus().big_endian_without_leading_zero();
        let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        match modulus.len() * 8 - zeros {
            ..MODULUS_BITS_MIN => return Err(KeyError::TooShort),
            MODULUS_BITS_MIN..=MODULUS_BITS_MAX => {}
            _ => return Err(KeyError::TooLong),
        }
        // The library refuses exponents of more than 33 bits.
        let exponent = key.exponent().big_endian_without_leading_zero();
        if exponent.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)) < EXPONENT_MIN {
            return Err(KeyError::WeakExponent);
        }
        let spki = AsDer::<PublicKeyX509Der>::as_der(&key).map_err(|_| KeyError::NotRsa)?;
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref())?;
        Ok(PublicKey { parsed: Arc::new(parsed), spki: spki.as_ref().into() })
    }

    /// Reads `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY` (PKCS#1) or `CERTIFICATE` PEM.
    pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
        match pem_block(text) {
            Some(("PUBLIC KEY" | "RSA PUBLIC KEY", bytes)) => PublicKey::from_der(&bytes),
            Some(("CERTIFICATE", _)) => Certificate::from_pem(text)?.public_key(),
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
        digest::sha256_hex(&self.spki)
    }

    /// Checks a signature; about 0.015 ms of a core with 2,048 bits.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.verify_sha256_of_parts(&[message], signature)
    }

    /// Checks a signature in base64 (standard alphabet, padded, nothing around it).
    pub fn verify_sha256_base64(
        &self,
        message: &[u8],
        signature: &str,
    ) -> Result<(), BadSignature> {
        self.verify_sha256_base64_of_parts(&[message], signature)
    }

    /// Checks a signature in base64 over parts as if they stood behind each other.
    pub(crate) fn verify_sha256_base64_of_parts(
        &self,
        message: &[&[u8]],
        signature: &str,
    ) -> Result<(), BadSignature> {
        let signature = STANDARD.decode(signature).map_err(|_| BadSignature)?;
        self.verify_sha256_of_parts(message, &signature)
    }

    fn verify_sha256_of_parts(
        &self,
        message: &[&[u8]],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let digest = digest::digest_of_parts(message);
        self.parsed.verify_digest_sig(&digest, signature).map_err(|_| BadSignature)
    }
}

/// The first PEM block: its label and its bytes, which may be a private key's.
pub(crate) fn pem_block(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    rest.strip_prefix(label)?.strip_prefix("-----")?;
    Some((label, bare_base64(body)?))
}

fn bare_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(&*Zeroizing::new(compact)).ok()?;
    (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
}

/// One PEM block with lines of 64 characters.
pub(crate) fn to_pem(label: &str, bytes: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = format!("-----BEGIN {label}-----\n");
    for start in (0..body.len()).step_by(64) {
        text.push_str(&body[start..body.len().min(start + 64)]);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// PKCS#8 is `SEQUENCE { version, algorithm, OCTET STRING { PKCS#1 } }` (RFC 5208).
fn pkcs1_inside(pkcs8: &[u8]) -> der::Result<Zeroizing<Vec<u8>>> {
    SliceReader::new(pkcs8)?.sequence(|inner| {
        let _version: u8 = inner.decode()?;
        let _algorithm: der::Any = inner.decode()?;
        let key: der::asn1::OctetString = inner.decode()?;
        Ok(Zeroizing::new(key.into_bytes()))
    })
}

#[cfg(test)]
mod tests;

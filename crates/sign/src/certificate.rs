//! X.509 certificates as Alipay's certificate mode needs them (specs/channels.md §1.7). This is no
//! general path building: who trusts which root is the caller's business.

use md5::{Digest, Md5};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::spki::ObjectIdentifier;

use crate::rsa::{KeyError, PublicKey, pem_block};

/// sha256WithRSAEncryption.
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// The OIDs of all signature algorithms with RSA begin so.
const RSA_FAMILY: &str = "1.2.840.113549.1.1.";
const END: &str = "-----END CERTIFICATE-----";

/// A certificate, of any algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(x509_cert::Certificate);

impl Certificate {
    /// Reads the first PEM block, which must be a `CERTIFICATE`.
    pub fn from_pem(text: &str) -> Result<Certificate, KeyError> {
        let Some(("CERTIFICATE", bytes)) = pem_block(text) else { return Err(KeyError::NotAKey) };
        x509_cert::Certificate::from_der(&bytes).map(Certificate).map_err(|_| KeyError::NotRsa)
    }

    /// Reads every `CERTIFICATE` block in order; each must be readable, and one at least be there.
    pub fn all_from_pem(bundle: &str) -> Result<Vec<Certificate>, KeyError> {
        let blocks = bundle.split_inclusive(END).filter(|block| block.contains("-----BEGIN "));
        let all: Vec<_> = blocks.map(Certificate::from_pem).collect::<Result<_, _>>()?;
        if all.is_empty() { Err(KeyError::NotAKey) } else { Ok(all) }
    }

    /// The key that it certifies; an error if it is no RSA key or a weak one.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        let info = &self.0.tbs_certificate.subject_public_key_info;
        PublicKey::from_der(&info.to_der().map_err(|_| KeyError::NotRsa)?)
    }

    /// The issuer in RFC 2253 order, without spaces: `CN=Example CA,OU=ou,O=acme,C=CN`.
    pub fn issuer_text(&self) -> String {
        self.0.tbs_certificate.issuer.to_string()
    }

    /// The number under which Alipay knows it: lower-case hex MD5 of the issuer's text and the
    /// decimal serial number.
    pub fn serial_number_alipay(&self) -> String {
        let serial = decimal(self.0.tbs_certificate.serial_number.as_bytes());
        serial_number_of(&self.issuer_text(), &serial)
    }

    /// Whether `issuer` signed it, with RSA and SHA-256, and may sign certificates at all.
    ///
    /// An issuer may if its basic constraints say that it is an authority, or if it has none but
    /// names itself as its issuer, as old roots do. A merchant's own certificate, which Alipay
    /// signs too, is neither, so its holder cannot make further ones. Times are not looked at.
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        let (own, theirs) = (&self.0.tbs_certificate, &issuer.0.tbs_certificate);
        let may_issue = match theirs.get::<BasicConstraints>() {
            Ok(Some((_, constraints))) => constraints.ca,
            Ok(None) => theirs.issuer == theirs.subject,
            Err(_) => false,
        };
        may_issue
            && own.issuer == theirs.subject
            && own.signature == self.0.signature_algorithm
            && own.signature.oid == SHA256_WITH_RSA
            && self.is_signed_with(issuer)
    }

    fn is_signed_with(&self, issuer: &Certificate) -> bool {
        let signed = self.0.tbs_certificate.to_der();
        match (signed, self.0.signature.as_bytes(), issuer.public_key()) {
            (Ok(signed), Some(bytes), Ok(key)) => key.verify_sha256(&signed, bytes).is_ok(),
            _ => false,
        }
    }
}

/// The number of a bundle of root certificates: the numbers of those signed with RSA, of whatever
/// hash, joined by `_` in order. Others, such as those signed with SM2, are left out.
pub fn root_serial_number(bundle_pem: &str) -> Result<String, KeyError> {
    let mut all = Certificate::all_from_pem(bundle_pem)?;
    all.retain(|certificate| {
        certificate.0.signature_algorithm.oid.to_string().starts_with(RSA_FAMILY)
    });
    let numbers: Vec<_> = all.iter().map(Certificate::serial_number_alipay).collect();
    if numbers.is_empty() { Err(KeyError::NotRsa) } else { Ok(numbers.join("_")) }
}

fn serial_number_of(issuer: &str, serial: &str) -> String {
    hex::encode(Md5::new().chain_update(issuer).chain_update(serial).finalize())
}

/// A big-endian number in decimal digits.
fn decimal(bytes: &[u8]) -> String {
    // Least digit first; each byte multiplies what is there by 256 and adds itself.
    let mut digits = vec![0];
    for byte in bytes {
        let mut carry = u16::from(*byte);
        for digit in &mut digits {
            carry += *digit * 256;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(u16::to_string).collect()
}

#[cfg(test)]
mod tests;

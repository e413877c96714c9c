//! X.509 certificates as Alipay's certificate mode needs them (specs/channels.md §1.7).

use md5::{Digest, Md5};
use x509_cert::der::{Decode, Encode};
use x509_cert::spki::ObjectIdentifier;

use crate::rsa::{KeyError, PublicKey, pem_block};

/// sha256WithRSAEncryption.
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// All signature algorithms of the RSA family begin so.
const RSA_FAMILY: &str = "1.2.840.113549.1.1.";

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate(x509_cert::Certificate);

impl Certificate {
    /// Reads the first `CERTIFICATE` block.
    pub fn from_pem(text: &str) -> Result<Certificate, KeyError> {
        match pem_block(text) {
            Some(("CERTIFICATE", bytes)) => {
                let certificate = x509_cert::Certificate::from_der(&bytes);
                certificate.map(Certificate).map_err(|_| KeyError::NotRsa)
            }
            Some(_) | None => Err(KeyError::NotAKey),
        }
    }

    /// The key that it certifies.
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
        serial_number_of(
            &self.issuer_text(),
            &decimal(self.0.tbs_certificate.serial_number.as_bytes()),
        )
    }

    /// Whether `issuer` signed it, by SHA-256 with RSA.
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        let signed = self.0.tbs_certificate.to_der();
        let signature = self.0.signature.as_bytes();
        match (signed, signature, issuer.public_key()) {
            (Ok(signed), Some(signature), Ok(key)) => {
                self.0.signature_algorithm.oid == SHA256_WITH_RSA
                    && self.0.tbs_certificate.issuer == issuer.0.tbs_certificate.subject
                    && key.verify_sha256(&signed, signature).is_ok()
            }
            _ => false,
        }
    }

    fn is_rsa_signed(&self) -> bool {
        self.0.signature_algorithm.oid.to_string().starts_with(RSA_FAMILY)
    }
}

/// The number of a bundle of root certificates: those signed with RSA, joined by `_` in order.
pub fn root_serial_number(bundle_pem: &str) -> Result<String, KeyError> {
    let mut numbers = Vec::new();
    for part in bundle_pem.split_inclusive("-----END CERTIFICATE-----") {
        if part.contains("-----BEGIN CERTIFICATE-----") {
            let certificate = Certificate::from_pem(part)?;
            if certificate.is_rsa_signed() {
                numbers.push(certificate.serial_number_alipay());
            }
        }
    }
    if numbers.is_empty() { Err(KeyError::NotAKey) } else { Ok(numbers.join("_")) }
}

fn serial_number_of(issuer: &str, serial: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(issuer.as_bytes());
    md5.update(serial.as_bytes());
    hex::encode(md5.finalize())
}

/// A big-endian number in decimal digits.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 10).unwrap_or(0);
            carry /= 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or(0));
            carry /= 10;
        }
    }
    digits.iter().rev().map(|d| char::from(b'0' + d)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_md5_of_issuer_and_decimal_serial() {
        // specs/channels.md §8.
        assert_eq!(
            serial_number_of("CN=Example CA,OU=ou,O=acme,C=CN", "1234567890"),
            "2699bbf1fbb0c78496802a1346fa6796"
        );
    }

    #[test]
    fn serials_of_any_length_become_decimal() {
        assert_eq!(decimal(&[]), "0");
        assert_eq!(decimal(&[0, 0]), "0");
        assert_eq!(decimal(&1_234_567_890_u32.to_be_bytes()), "1234567890");
        assert_eq!(decimal(&u128::MAX.to_be_bytes()), u128::MAX.to_string());
    }

    #[test]
    fn a_bundle_without_certificates_has_no_number() {
        assert_eq!(root_serial_number(""), Err(KeyError::NotAKey));
        assert_eq!(Certificate::from_pem("x").err(), Some(KeyError::NotAKey));
    }

    #[test]
    fn a_certificate_tells_its_issuer_number_and_key() {
        let authority = Certificate::from_pem(AUTHORITY).unwrap();
        let leaf = Certificate::from_pem(LEAF).unwrap();
        assert_eq!(leaf.issuer_text(), "CN=Example CA,OU=ou,O=acme,C=CN");
        // Computed with `openssl x509 -issuer -nameopt RFC2253 -serial` and `md5sum`.
        assert_eq!(leaf.serial_number_alipay(), LEAF_NUMBER);
        assert!(leaf.is_issued_by(&authority));
        assert!(authority.is_issued_by(&authority));
        assert!(!authority.is_issued_by(&leaf));
        assert!(leaf.public_key().is_ok());
        let bundle = format!("{AUTHORITY}\n{LEAF}");
        let number = authority.serial_number_alipay();
        assert_eq!(root_serial_number(&bundle), Ok(format!("{number}_{LEAF_NUMBER}")));
    }

    // Certificates of a throw-away authority; the private keys were never kept.
    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIDXzCCAkegAwIBAgIUFrY9XJ76lbjJ1hYTgOkKB5WxEQAwDQYJKoZIhvcNAQEL
BQAwPjELMAkGA1UEBhMCQ04xDTALBgNVBAoMBGFjbWUxCzAJBgNVBAsMAm91MRMw
EQYDVQQDDApFeGFtcGxlIENBMCAXDTI2MTEyNDEyMDEwOVoYDzIxMjYxMDMxMTIw
MTA5WjA+MQswCQYDVQQGEwJDTjENMAsGA1UECgwEYWNtZTELMAkGA1UECwwCb3Ux
EzARBgNVBAMMCkV4YW1wbGUgQ0EwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK
AoIBAQCxePPYL7hUq9IZq15dfqMagjdF0tzYukIV2ulDHSHPp89gVIp5y/d9pB62
RULH6xD5GekBRrbBg6U2jwnkh7gv7F2BSVInRO2S++R5aAe3CYIUQPu2bX4A34Rt
Y5qrLSHTpKeBP3+MZrdXZ2N9D9BoOGWi8EcselVf7WQvoyUpoSPB/z8pGqi5XI0O
PgnSSs6ToXGSk1wlGa1+WdCnnmQLUxFA70eMFteBdImf3gB/Psclmv93FOukMJs8
KagKd8k44OWIfRi7uGVr65CeY58WDEpDCExpDqVPBif7bhWVuhFVMuZG8Y3zF29a
51i3uw4GibYxF5LihqFbwC4zaFxBAgMBAAGjUzBRMB0GA1UdDgQWBBQUv45QT43f
w1f+KIxwGU6p6CXn9DAfBgNVHSMEGDAWgBQUv45QT43fw1f+KIxwGU6p6CXn9DAP
BgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQCquZ39vh9GfM+BWKZJ
VTzeTySx1oUrFjgqTu1KHp6Q6afkE5feWeQSJ2b/8b9gJPBB+TKIUPiWc3Wrhyup
h/crcBpqFqJuDTs73xMAINA5JdUKhpekrVDPygBT8L9L+qU7obmu6AUFa+x4m/dc
NY0WXrVaQY3b36OT2vqf8sARU4jYinjhNb3yps861PBDiZoK64wE8YLfhkTkY/RI
o19xysmK2JZvTaCvC0wt6gCRuoceXac3PJKp9LPwFiorNsK7V2wylCv6c1BaEMiY
Z12yv8x7M8TuI1Ahh0X6Wan6QH5UEdiOYXxA5a0kg98PtClXsUs13qLf7PyM4DtF
mMSf
-----END CERTIFICATE-----
";
    const LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIC9DCCAdwCCULtEjsL2CA6FDANBgkqhkiG9w0BAQsFADA+MQswCQYDVQQGEwJD
TjENMAsGA1UECgwEYWNtZTELMAkGA1UECwwCb3UxEzARBgNVBAMMCkV4YW1wbGUg
Q0EwIBcNMjYxMTI0MTIwMTEwWhgPMjEyNjEwMzExMjAxMTBaMDgxCzAJBgNVBAYT
AkNOMQ0wCwYDVQQKDARhY21lMQswCQYDVQQLDAJvdTENMAsGA1UEAwwEbGVhZjCC
ASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAJ3hzhUpd/eo6Wi0bbT9myYz
RAt9pg634UOsiatotON0UM2azt1tHuQGj+Q/jH+E0Ww49tWxOE3LlTDdDUwepz+d
aJncCTJQCU1446H3Kv67XHdrLg8IxK3RwH1REyE16kTGsycWm+XtCVRQFFT1XsdN
EfgHPVi+vEjzTpdfJsogBJh/Cv+VHmRtcMw4ERtlqqwOEfg/70MUmPGADcQYOl4f
+2Ymz+Pidf0xSSMDHxcEil5Bh5lSqx8RlQHi9Ohc5bPLi0w7QNl00Vv6EyvM4BCw
vz2p2dCvKK5H7AQVwGUzJZlJDhNAWymgzLnhSQHAW9gjjqnDVecEt2QiYUeGaR8C
AwEAATANBgkqhkiG9w0BAQsFAAOCAQEADuyEFamXcYEL8QxF3WvrtAs7HyoLQ5i8
ZSWNDXk/sH5nMKo+73u5cFVcs6wE4MuG+ll5UekDVw9lS8pz/oiqt6I80Tlpju9x
RFOI09lC3abOW5D15StGdxFNGYL9gdT9jYJHpkefSnwJBQl+E6IpvFTcF1fAmeGL
EL7m+mAoDU3iyuXtdw7BFH12n3HuSBwdojqZx2Kjh4yVX7TnTPMoEpHPLNxxEPcC
AT63LAS120M7cqRO4/GbuhvuDVKUXfNZaXK/GuhbwWzMaHXgRvBXtVe1nLBFhkYr
zQ98HAdYDCMwxEqfUq66wEGfpzZ9726SBBGLVaVVraCC0PEdSmpKgQ==
-----END CERTIFICATE-----
";
    const LEAF_NUMBER: &str = "0a9f90b44adf370dbdd7e844adcea367";
}

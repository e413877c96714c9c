use std::str::FromStr;

use proptest::prelude::*;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::der::asn1::{BitString, OctetString, UtcTime};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use super::*;
use crate::rsa::{PrivateKey, to_pem};

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
    assert_eq!(decimal(&[0, 9]), "9");
    assert_eq!(decimal(&1_234_567_890_u32.to_be_bytes()), "1234567890");
    assert_eq!(decimal(&u128::MAX.to_be_bytes()), u128::MAX.to_string());
    // The longest serial that RFC 5280 allows: 2^159 - 1.
    let longest = [&[0x7f][..], &[0xff; 19]].concat();
    assert_eq!(decimal(&longest), "730750818665451459101842416358141509827966271487");
}

#[test]
fn a_certificate_tells_its_issuer_number_and_key() {
    let authority = Certificate::from_pem(AUTHORITY).unwrap();
    let leaf = Certificate::from_pem(LEAF).unwrap();
    assert_eq!(leaf.issuer_text(), "CN=Example CA,OU=ou,O=acme,C=CN");
    assert_eq!(leaf.serial_number_alipay(), LEAF_NUMBER);
    assert_eq!(PublicKey::from_pem(LEAF), leaf.public_key());
    assert_ne!(leaf.public_key(), authority.public_key());
}

#[test]
fn a_certificate_is_issued_by_its_authority_only() {
    let authority = Certificate::from_pem(AUTHORITY).unwrap();
    let leaf = Certificate::from_pem(LEAF).unwrap();
    assert!(leaf.is_issued_by(&authority));
    assert!(authority.is_issued_by(&authority));
    assert!(!authority.is_issued_by(&leaf));
    assert!(!leaf.is_issued_by(&leaf));
}

#[test]
fn a_bundle_counts_its_certificates_signed_with_rsa() {
    let rsa = Certificate::from_pem(AUTHORITY).unwrap().serial_number_alipay();
    let bundle = format!("{AUTHORITY}\n{ELLIPTIC}{LEAF}");
    assert_eq!(root_serial_number(&bundle), Ok(format!("{rsa}_{LEAF_NUMBER}")));
    assert_eq!(root_serial_number(AUTHORITY), Ok(rsa));
    let all = Certificate::all_from_pem(&bundle).unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all[1].public_key(), Err(KeyError::NotRsa));
    assert!(!all[1].is_issued_by(&all[1]), "this room checks RSA only");
    assert_eq!(root_serial_number(ELLIPTIC), Err(KeyError::NotRsa));
}

#[test]
fn a_text_without_a_readable_certificate_is_refused() {
    let cut = &AUTHORITY[..AUTHORITY.len() - END.len() - 1];
    let key = AUTHORITY.replace("CERTIFICATE", "PUBLIC KEY");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    for (bad, why) in [
        ("", KeyError::NotAKey),
        ("x", KeyError::NotAKey),
        (cut, KeyError::NotAKey),
        (&key, KeyError::NotAKey),
        (broken, KeyError::NotRsa),
    ] {
        assert_eq!(Certificate::from_pem(bad), Err(why), "{bad}");
        assert_eq!(Certificate::all_from_pem(bad), Err(why), "{bad}");
        assert_eq!(root_serial_number(bad), Err(why), "{bad}");
    }
    assert_eq!(root_serial_number(&format!("{LEAF}{cut}")), Err(KeyError::NotAKey));
}

/// What a certificate made here says about itself.
struct Subject<'a> {
    name: &'a str,
    key: &'a PrivateKey,
    authority: Option<bool>,
}

impl Subject<'_> {
    fn certified_by(&self, issuer: &Subject) -> x509_cert::Certificate {
        let algorithm = AlgorithmIdentifier { oid: SHA256_WITH_RSA, parameters: None };
        let time = Time::UtcTime(UtcTime::from_unix_duration(Default::default()).unwrap());
        let pem = self.key.public().to_spki_pem();
        let (_, spki) = pem_block(&pem).unwrap();
        let extensions = self.authority.map(|ca| {
            let value = BasicConstraints { ca, path_len_constraint: None }.to_der().unwrap();
            let extn_id = ObjectIdentifier::new_unwrap("2.5.29.19");
            vec![Extension {
                extn_id,
                critical: true,
                extn_value: OctetString::new(value).unwrap(),
            }]
        });
        let tbs_certificate = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&[1]).unwrap(),
            signature: algorithm.clone(),
            issuer: Name::from_str(issuer.name).unwrap(),
            validity: Validity { not_before: time, not_after: time },
            subject: Name::from_str(self.name).unwrap(),
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&spki).unwrap(),
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions,
        };
        let signature = issuer.key.sign_sha256(&tbs_certificate.to_der().unwrap());
        let signature = BitString::from_bytes(&signature).unwrap();
        x509_cert::Certificate { tbs_certificate, signature_algorithm: algorithm, signature }
    }
}

fn read_back(certificate: &x509_cert::Certificate) -> Certificate {
    Certificate::from_pem(&to_pem("CERTIFICATE", &certificate.to_der().unwrap())).unwrap()
}

#[test]
fn only_an_authority_or_an_old_root_issues_certificates() {
    let (first, second) = (PrivateKey::generate(), PrivateKey::generate());
    let leaf = Subject { name: "CN=leaf", key: &second, authority: None };
    for (authority, grandparent, may) in [
        (Some(true), "CN=root", true),
        (Some(true), "CN=other", true),
        (Some(false), "CN=root", false),
        (Some(false), "CN=other", false),
        (None, "CN=root", true),
        (None, "CN=other", false),
    ] {
        let issuer = Subject { name: "CN=root", key: &first, authority };
        let above = Subject { name: grandparent, key: &first, authority: None };
        let issued = read_back(&leaf.certified_by(&issuer));
        let issuer = read_back(&issuer.certified_by(&above));
        assert_eq!(issued.is_issued_by(&issuer), may, "{authority:?} below {grandparent}");
    }
}

#[test]
fn a_name_key_algorithm_or_byte_that_does_not_fit_is_noticed() {
    let (first, second) = (PrivateKey::generate(), PrivateKey::generate());
    let root = Subject { name: "CN=root", key: &first, authority: Some(true) };
    let renamed = Subject { name: "CN=other", ..root };
    let replaced = Subject { key: &second, ..root };
    let genuine = Subject { name: "CN=leaf", key: &second, authority: None }.certified_by(&root);
    let issued_by = |issuer: &Subject| {
        read_back(&genuine).is_issued_by(&read_back(&issuer.certified_by(issuer)))
    };
    assert!(issued_by(&root));
    assert!(!issued_by(&renamed));
    assert!(!issued_by(&replaced));

    let root = read_back(&root.certified_by(&root));
    let mut other_outside = genuine.clone();
    other_outside.signature_algorithm.oid = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
    assert!(!read_back(&other_outside).is_issued_by(&root));

    let bytes = genuine.to_der().unwrap();
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        let changed = Certificate::from_pem(&to_pem("CERTIFICATE", &changed));
        assert!(!changed.is_ok_and(|changed| changed.is_issued_by(&root)), "byte {index}");
    }
}

proptest! {
    #[test]
    fn no_changed_certificate_makes_the_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (_, mut bytes) = pem_block(AUTHORITY).unwrap();
        for (index, byte) in changes {
            let len = bytes.len();
            bytes[index.index(len)] = byte;
        }
        if let Ok(certificate) = Certificate::from_pem(&to_pem("CERTIFICATE", &bytes)) {
            prop_assert_eq!(certificate.serial_number_alipay().len(), 32);
            let _ = certificate.is_issued_by(&certificate);
        }
    }
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
const ELLIPTIC: &str = "\
-----BEGIN CERTIFICATE-----
MIIBvDCCAWGgAwIBAgIUdagTwcm0t/Fw9Sx7VqvhjTaHtwUwCgYIKoZIzj0EAwIw
MjELMAkGA1UEBhMCQ04xDTALBgNVBAoMBGFjbWUxFDASBgNVBAMMC0VsbGlwdGlj
IENBMCAXDTI2MTEyNDEyMzEzNloYDzIxMjYxMDMxMTIzMTM2WjAyMQswCQYDVQQG
EwJDTjENMAsGA1UECgwEYWNtZTEUMBIGA1UEAwwLRWxsaXB0aWMgQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQQlaLgf/nkQCotwkz+GiiJ7iTQyfHF12aG6wvO
m08RFmLvipLc+EiQewrKTmTwwRiaDyQXLVRHD6J0QvMwv7clo1MwUTAdBgNVHQ4E
FgQU2Y2cQVNPIH1z9o61SlGWjHMsKmswHwYDVR0jBBgwFoAU2Y2cQVNPIH1z9o61
SlGWjHMsKmswDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAmCpD
9UdOm/T/r7U1WBDy5HBtaxUChIh554MfL4BWhzkCIQDn+xxgWwfF3M7jtlNbaPlg
bENEeo1exkL7DkjMDIL5+A==
-----END CERTIFICATE-----
";
// Computed with `openssl x509 -issuer -nameopt RFC2253 -serial` and an MD5 tool.
const LEAF_NUMBER: &str = "0a9f90b44adf370dbdd7e844adcea367";

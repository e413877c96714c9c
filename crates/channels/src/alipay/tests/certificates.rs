//! Certificate mode (specs/channels.md §1.7). The certificates are written here, byte by byte, at
//! run time.

use domain::channel::{Channel, Closed, Preparation, SettingsError};
use domain::operation::Outcome;
use domain::payment::Credential;
use sign::certificate::Certificate;

use super::reading::{parameters, verified};
use super::*;
use crate::far_side::answer;

const SHA256_WITH_RSA: [u8; 15] =
    [0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 0x05, 0];
/// SM2 with SM3, whose certificates stand in Alipay's bundle and do not count.
const SM2_WITH_SM3: [u8; 12] = [0x30, 10, 0x06, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75];

fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let body = content.concat();
    let mut out = vec![tag];
    match u16::try_from(body.len()).unwrap().to_be_bytes() {
        [0, len @ 0..=127] => out.push(len),
        [0, len] => out.extend([0x81, len]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend(body);
    out
}

fn name(common_name: &str) -> Vec<u8> {
    let oid = tlv(0x06, &[&[0x55, 0x04, 3]]);
    let part = tlv(0x30, &[&oid, &tlv(0x0c, &[common_name.as_bytes()])]);
    tlv(0x30, &[&tlv(0x31, &[&part])])
}

fn certificate(serial: u8, key: &PrivateKey, algorithm: &[u8]) -> String {
    let der = |pem: String| {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        decode_base64(&body)
    };
    let times = [tlv(0x17, &[b"260101000000Z"]), tlv(0x17, &[b"460101000000Z"])];
    let body = tlv(
        0x30,
        &[
            &tlv(0xa0, &[&tlv(0x02, &[&[2]])]),
            &tlv(0x02, &[&[serial]]),
            algorithm,
            &name("Example Root"),
            &tlv(0x30, &[&times[0], &times[1]]),
            &name("Somebody"),
            &der(key.public().to_spki_pem()),
        ],
    );
    let signature = STRANGERS_KEY.sign_sha256(&body);
    let whole = tlv(0x30, &[&body, algorithm, &tlv(0x03, &[&[0], &signature])]);
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&whole))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= chunk.len() { char::from(symbol) } else { '=' });
        }
    }
    out
}

fn decode_base64(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|b| *b != b'=') {
        let value = ALPHABET.iter().position(|a| *a == byte).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 255).unwrap());
        }
    }
    out
}

fn number_of(pem: &str) -> String {
    Certificate::from_pem(pem).unwrap().serial_number_alipay()
}

fn certified(gateway_url: &str) -> Value {
    let root = certificate(1, &STRANGERS_KEY, &SHA256_WITH_RSA)
        + "\n"
        + &certificate(2, &STRANGERS_KEY, &SM2_WITH_SM3)
        + "\n"
        + &certificate(3, &STRANGERS_KEY, &SHA256_WITH_RSA);
    let mut settings = settings_json(gateway_url);
    settings["alipay_public_key"] = Value::Null;
    settings["app_certificate"] = certificate(7, &APP_KEY, &SHA256_WITH_RSA).into();
    settings["alipay_certificate"] = certificate(8, &ALIPAY_KEY, &SHA256_WITH_RSA).into();
    settings["alipay_root_certificate"] = root.into();
    settings
}

#[test]
fn requests_bear_the_numbers_of_our_certificate_and_of_the_rsa_roots() {
    let settings = certified("https://openapi.example/gateway.do");
    let plan = alipay_with(&settings).plan(&order("alipay"), NOTIFY_URL).unwrap();
    let Preparation::Ready(Credential::OrderString(text)) = plan else { panic!("{plan:?}") };
    let read = verified(parameters(&text), &APP_KEY.public());
    assert_eq!(read["app_cert_sn"], number_of(settings["app_certificate"].as_str().unwrap()));
    let roots = [1, 3].map(|n| number_of(&certificate(n, &STRANGERS_KEY, &SHA256_WITH_RSA)));
    assert_eq!(read["alipay_root_cert_sn"], roots.join("_"));
}

#[tokio::test]
async fn answers_are_verified_with_the_certified_key() {
    for (key, is_believed) in [(&*ALIPAY_KEY, true), (&*STRANGERS_KEY, false)] {
        let node = format!(r#"{{"code":"10000","out_trade_no":"{NUMBER}"}}"#);
        let sign = key.sign_sha256_base64(node.as_bytes());
        let body = format!(
            r#"{{"alipay_trade_close_response":{node},"alipay_cert_sn":"00","sign":"{sign}"}}"#
        );
        let far = FarSide::start(move |_| answer(200, &body)).await;
        let closed = alipay_with(&certified(&far.url("/gateway.do"))).close(&number()).await;
        assert_eq!(closed == Outcome::Accepted(Closed::Closed), is_believed, "{closed:?}");
    }
}

#[test]
fn a_certificate_of_another_key_is_noticed_at_once() {
    let mut settings = certified("https://openapi.example/gateway.do");
    settings["app_certificate"] = certificate(7, &STRANGERS_KEY, &SHA256_WITH_RSA).into();
    let Err(SettingsError(message)) = Settings::parse(&settings.to_string()) else { panic!() };
    assert!(message.starts_with("app_certificate: "), "{message}");
    let mut settings = certified("https://openapi.example/gateway.do");
    settings["alipay_root_certificate"] = certificate(2, &APP_KEY, &SM2_WITH_SM3).into();
    let Err(SettingsError(message)) = Settings::parse(&settings.to_string()) else { panic!() };
    assert!(message.starts_with("alipay_root_certificate: "), "{message}");
}

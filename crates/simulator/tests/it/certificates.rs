//! An app in certificate mode. The certificates are written here, byte by byte, at run time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sign::certificate::{Certificate, root_serial_number};
use sign::rsa::PrivateKey;
use simulator::{CertificateMode, MerchantApp};

use crate::harness::{Receiver, World, holds, merchant, merchant_key};

fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let body = content.concat();
    let mut out = vec![tag];
    match body.len() {
        len @ 0..=127 => out.push(len as u8),
        len @ 128..=255 => out.extend([0x81, len as u8]),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend(body);
    out
}

fn name(common_name: &str) -> Vec<u8> {
    let part = |oid_end: u8, text: &str| {
        let oid = tlv(0x06, &[&[0x55, 0x04, oid_end]]);
        tlv(0x31, &[&tlv(0x30, &[&oid, &tlv(0x0c, &[text.as_bytes()])])])
    };
    let parts = [part(6, "CN"), part(10, "Example"), part(11, "Pay"), part(3, common_name)];
    tlv(0x30, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// A certificate for `key`, issued by `issuer` with its key.
fn certificate(serial: u8, subject: &str, key: &PrivateKey, issuer: (&str, &PrivateKey)) -> String {
    const SHA256_WITH_RSA: [u8; 15] =
        [0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 0x05, 0];
    let version = tlv(0xa0, &[&tlv(0x02, &[&[2]])]);
    let times = [tlv(0x17, &[b"260101000000Z"]), tlv(0x17, &[b"460101000000Z"])];
    let body = tlv(
        0x30,
        &[
            &version,
            &tlv(0x02, &[&[serial]]),
            &SHA256_WITH_RSA,
            &name(issuer.0),
            &tlv(0x30, &[&times[0], &times[1]]),
            &name(subject),
            &STANDARD.decode(key.public().to_spki_base64()).unwrap(),
        ],
    );
    let signature = issuer.1.sign_sha256(&body);
    let whole = tlv(0x30, &[&body, &SHA256_WITH_RSA, &tlv(0x03, &[&[0], &signature])]);
    let text = STANDARD.encode(whole);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn mode(channel: &PrivateKey) -> CertificateMode {
    let root = PrivateKey::generate();
    let issuer = ("Example Root", &root);
    CertificateMode {
        app_certificate: certificate(7, "App", merchant_key(), issuer),
        alipay_certificate: certificate(8, "Channel", channel, issuer),
        alipay_root: certificate(1, "Example Root", &root, issuer),
        alipay_private_key: channel.clone(),
    }
}

#[tokio::test]
async fn numbers_are_demanded_and_given_and_the_certified_key_signs() {
    let channel = PrivateKey::generate();
    let mode = mode(&channel);
    let own = Certificate::from_pem(&mode.app_certificate).unwrap().serial_number_alipay();
    let theirs = Certificate::from_pem(&mode.alipay_certificate).unwrap().serial_number_alipay();
    let root = root_serial_number(&mode.alipay_root).unwrap();
    let app = MerchantApp { certificates: Some(mode), ..merchant() };
    let mut world = World::with(None, vec![app], 1).await;
    world.key = channel.public();
    let mut receiver = Receiver::new().await;

    let content = json!({"out_trade_no": "A1", "total_amount": "1.00", "subject": "x"});
    let method = "alipay.trade.precreate";
    let own_url = receiver.url.clone();
    let numbers = |own: &str, root: &str| {
        vec![
            ("app_cert_sn", own.to_owned()),
            ("alipay_root_cert_sn", root.to_owned()),
            ("notify_url", own_url.clone()),
        ]
    };
    for (own, root, sub_code) in [
        ("", root.as_str(), "isv.missing-app-cert-sn"),
        ("00", &root, "isv.invalid-app-cert-sn"),
        (&own, "", "isv.missing-alipay-root-cert-sn"),
        (&own, "00", "isv.invalid-alipay-root-cert-sn"),
    ] {
        let more = numbers(own, root);
        let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let node = world.call_with(method, content.clone(), &more).await;
        assert_eq!(node["sub_code"], sub_code);
    }
    let more = numbers(&own, &root);
    let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = crate::harness::signed(method, &content, &more);
    let text = world.post(&request).await.unwrap();
    assert_eq!(world.node(&text)["code"], "10000");
    let tail = format!("}},\"alipay_cert_sn\":\"{theirs}\",\"sign\":\"");
    assert!(text.contains(&tail), "node, certificate number, sign: {text}");
    world.make("A1", "pay").await;
    assert!(holds(&receiver.next().await, &channel.public()));
}

#[tokio::test]
async fn a_certificate_of_another_key_is_refused() {
    let world = World::new().await;
    let mut mode = mode(&PrivateKey::generate());
    mode.alipay_private_key = PrivateKey::generate();
    let app = MerchantApp { certificates: Some(mode), ..merchant() };
    assert!(world.simulator.register(app).is_err());
}

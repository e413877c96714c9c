//! Another reading of specs/channels.md §1.3 and §1.4, written for the tests alone: what a gateway
//! would make of our bytes.

use std::collections::BTreeMap;

use sign::rsa::PublicKey;

use crate::far_side::Seen;

/// The parameters of a request whose signature fits.
pub(super) type Parameters = BTreeMap<String, String>;

pub(super) fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).unwrap()
}

pub(super) fn parameters(text: &str) -> Parameters {
    let mut all = Parameters::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(all.insert(decode(name), decode(value)).is_none(), "{name} stands twice");
    }
    all
}

/// Checks the signature over everything but `sign` and returns what it covered.
pub(super) fn verified(mut all: Parameters, key: &PublicKey) -> Parameters {
    let sign = all.remove("sign").expect("a signature");
    let lines: Vec<String> = all
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = lines.join("&");
    assert!(key.verify_sha256_base64(text.as_bytes(), &sign).is_ok(), "signature over {text}");
    all
}

/// A server's call as the gateway reads it: query and form together.
pub(super) fn call(seen: &Seen, key: &PublicKey) -> Parameters {
    assert!(seen.line.starts_with("POST /gateway.do?"), "{}", seen.line);
    let form = "application/x-www-form-urlencoded;charset=utf-8";
    assert_eq!(seen.header("content-type"), Some(form));
    let query = parameters(seen.query());
    assert_eq!(query.get("charset").map(String::as_str), Some("utf-8"), "in the query");
    let mut all = query;
    for (name, value) in parameters(&seen.body) {
        assert!(all.insert(name, value).is_none());
    }
    verified(all, key)
}

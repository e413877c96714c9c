use proptest::prelude::*;

use super::*;
use crate::digest::sha256_hex;

// The vectors of specs/channels.md §8.
const REQUEST_SHA256: &str = "a71fca6239222f78a8c038c9bb44db07e5b22f94bd3948953ef76599e3d8aa67";
const NODE: &str = "{\"code\":\"10000\",\"msg\":\"Success\",\"out_trade_no\":\"T1\",\
                    \"qr_code\":\"https:\\/\\/qr.example\\/bax1\"}";
const NODE_SHA256: &str = "9f54c55c46c96c3bd71ed06f5766e5f11ca398f169d50d22a21a712e2972a7de";

#[test]
fn the_request_text_matches_the_vector() {
    let parameters = [
        ("version", "1.0"),
        ("timestamp", "2026-11-22 10:00:00"),
        ("sign_type", "RSA2"),
        ("sign", "to be left out"),
        ("return_url", ""),
        ("notify_url", "http://127.0.0.1:9/n"),
        ("method", "alipay.trade.precreate"),
        ("format", "JSON"),
        ("charset", "utf-8"),
        ("biz_content", r#"{"out_trade_no":"T1","subject":"测试 a+b","total_amount":"0.01"}"#),
        ("app_id", "2021000000000001"),
    ];
    assert_eq!(sha256_hex(request_text(parameters).as_bytes()), REQUEST_SHA256);
    assert_eq!(request_text([]), "");
}

#[test]
fn a_notice_is_read_with_and_without_its_empty_fields() {
    let fields = [("b", "2"), ("sign", "x"), ("a", ""), ("sign_type", "RSA2"), ("c", " 3&\"4\" ")];
    let texts = ["a=&b=2&c= 3&\"4\" ".to_owned(), "b=2&c= 3&\"4\" ".to_owned()];
    assert_eq!(notice_texts(fields), texts);
}

#[test]
fn the_node_is_taken_as_it_stands() {
    assert_eq!(sha256_hex(NODE.as_bytes()), NODE_SHA256);
    for (document, certificate) in [
        (format!(r#"{{"r_response":{NODE},"sign":"AA=="}}"#), None),
        (format!(r#"{{"sign":"AA==","r_response":{NODE}}}"#), None),
        (format!(" {{ \"r_response\" : {NODE} ,\r\n\t\"sign\" : \"AA==\" }} \n"), None),
        (format!(r#"{{"r_response":{NODE},"alipay_cert_sn":"0f","sign":"AA=="}}"#), Some("0f")),
        (format!(r#"{{"r_response":{NODE},"sign":"AA==","alipay_cert_sn":"0f"}}"#), Some("0f")),
        (format!(r#"{{"alipay_cert_sn":"0f","sign":"AA==","r_response":{NODE}}}"#), Some("0f")),
    ] {
        let expected = Answer { node: NODE, sign: Some("AA=="), certificate };
        assert_eq!(answer(&document, "r_response"), Some(expected), "{document}");
    }
}

#[test]
fn braces_and_quotes_inside_strings_end_nothing() {
    for node in [
        r#"{"a":"}\"{","b":[{"c":"]"}],"d":1}"#,
        r#"{"a":"\\","b":"\\\"}"}"#,
        r#"{ "测":{"试":{}} , "e":[[],[{}]], "f":null, "g":-1.5E+3 }"#,
        r#"{"r_response":{"sign":"inner"},"sign":"inner"}"#,
        "{}",
    ] {
        let other = r#"[1,{"r_response":[2]}],"n":null,"t":true,"x":-1.5e+3"#;
        let document = format!(r#"{{"other":{other},"r_response":{node},"sign":"s"}}"#);
        let found = answer(&document, "r_response");
        assert_eq!(found, Some(Answer { node, sign: Some("s"), certificate: None }), "{node}");
    }
}

#[test]
fn what_is_unclear_is_refused() {
    for bad in [
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        r#"{"sign":"s"}"#,
        r#"{"r_response":{"a":1},"r_response":{"a":2},"sign":"s"}"#,
        r#"{"r_response":{"a":1},"r_response":{"a":1},"sign":"s"}"#,
        r#"{"r_response":{"a":1},"r_response":"","sign":"s"}"#,
        r#"{"r_response":{"a":1},"\u0072_response":{"a":2},"sign":"s"}"#,
        r#"{"r_response":{"a":1},"sign":"s","sign":"t"}"#,
        r#"{"r_response":{"a":1},"alipay_cert_sn":"1","sign":"t","alipay_cert_sn":"2"}"#,
        r#"{"r_response":{"a":1},"sign":"s"} trailing"#,
        r#"{"r_response":{"a":1},"sign":"s"}{}"#,
        r#"{"r_response":{"a":1},"sign":"s",}"#,
        r#"{"r_response":{"a":1} "sign":"s"}"#,
        r#"{"r_response":{"a":1},,"sign":"s"}"#,
        r#"{"r_response":{"a":1,"sign":"s"}"#,
        r#"{"r_response":{"a":"1},"sign":"s"}"#,
        r#"{"r_response":,"sign":"s"}"#,
        r#"{"r_response":"text","sign":"s"}"#,
        r#"{"r_response":[{"a":1}],"sign":"s"}"#,
        r#"{"x":{"r_response":{"a":1}},"sign":"s"}"#,
    ] {
        assert_eq!(answer(bad, "r_response"), None, "{bad}");
    }
}

#[test]
fn an_answer_without_a_signature_says_so() {
    for document in [
        r#"{"r_response":{"a":1}}"#,
        r#"{"r_response":{"a":1},"sign":null}"#,
        r#"{"r_response":{"a":1},"sign":{"x":"y"},"alipay_cert_sn":1}"#,
    ] {
        let found = answer(document, "r_response");
        let expected = Answer { node: r#"{"a":1}"#, sign: None, certificate: None };
        assert_eq!(found, Some(expected), "{document}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_scanner_panic(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = answer(&text, "r_response");
        let _ = answer(&format!("{{\"r_response\":{{{text}"), "r_response");
    }

    #[test]
    fn no_text_that_looks_like_json_makes_the_scanner_panic(
        text in r#"[{}\[\]",:\\a0 测]{0,40}"#,
    ) {
        let _ = answer(&text, "r_response");
        let within = format!("{{\"r_response\":{text}");
        if let Some(found) = answer(&within, "r_response") {
            let ends = [found.node.starts_with('{'), found.node.ends_with('}')];
            prop_assert_eq!(ends, [true, true]);
        }
    }

    #[test]
    fn a_node_with_any_text_is_found_whole(value in r#"[a-z}{\\"测]{0,20}"#, before: bool) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let node = format!("{{\"v\":\"{value}\"}}");
        let document = if before {
            format!("{{\"sign\":\"s\",\"r_response\":{node}}}")
        } else {
            format!("{{\"r_response\":{node},\"sign\":\"s\"}}")
        };
        let expected = Answer { node: &node, sign: Some("s"), certificate: None };
        prop_assert_eq!(answer(&document, "r_response"), Some(expected));
    }

    #[test]
    fn the_order_of_the_fields_does_not_matter(
        fields in prop::collection::btree_map("[a-z_]{1,8}", "\\PC{0,12}", 0..8),
    ) {
        let pairs = || fields.iter().map(|(name, value)| (&**name, &**value));
        let [all, filled] = notice_texts(pairs());
        prop_assert_eq!(notice_texts(pairs().rev()), [all, filled.clone()]);
        prop_assert_eq!(request_text(pairs().filter(|(name, _)| *name != "sign_type")), filled);
    }
}

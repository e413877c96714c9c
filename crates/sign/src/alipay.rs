//! Alipay's canonical texts as the connector reads them (specs/channels.md §1.3, §1.5, §1.11).
//!
//! The simulator has its own reading of the same documents; the two must never share code.

/// The text that a request's signature covers: every parameter but `sign` and empty ones, sorted by
/// name, `name=value` joined by `&`, values as they are. `sign_type` stays in.
pub fn request_text<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    joined(parameters.into_iter().filter(|(name, value)| *name != "sign" && !value.is_empty()))
}

/// The two texts that a notification's signature may cover, without `sign` and `sign_type`: with
/// every field received, and without the empty ones.
pub fn notice_texts<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> [String; 2] {
    let fields = fields.into_iter().filter(|(name, _)| *name != "sign" && *name != "sign_type");
    let fields: Vec<_> = fields.collect();
    let filled = fields.iter().copied().filter(|(_, value)| !value.is_empty());
    [joined(fields.iter().copied()), joined(filled)]
}

fn joined<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    let len = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(len);
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// An answer taken apart without being re-written: the signature covers the node's raw text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The raw text of the node's value, from its brace to the matching one.
    pub node: &'a str,
    /// Base64 signature, where there is one.
    pub sign: Option<&'a str>,
    /// Number of the certificate whose key signed, in certificate mode.
    pub certificate: Option<&'a str>,
}

/// Finds the node `name` in an answer. `None` when the text is no JSON object, or holds the node
/// not at all or more than once: what a second node would mean nobody knows.
pub fn answer<'a>(document: &'a str, name: &str) -> Option<Answer<'a>> {
    let mut scan = Scan { text: document, at: 0 };
    let (mut node, mut sign, mut certificate) = (None, None, None);
    scan.expect(b'{')?;
    scan.blank();
    if scan.peek() != Some(b'}') {
        loop {
            let key = scan.string()?;
            scan.expect(b':')?;
            let value = scan.value()?;
            let slot = match key {
                k if k == name => &mut node,
                "sign" => &mut sign,
                "alipay_cert_sn" => &mut certificate,
                _ => &mut None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
            scan.blank();
            match scan.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    } else {
        scan.next()?;
    }
    scan.blank();
    if scan.peek().is_some() {
        return None;
    }
    let text = |value: &'a str| value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    Some(Answer {
        node: node.filter(|n| n.starts_with('{'))?,
        sign: sign.and_then(text),
        certificate: certificate.and_then(text),
    })
}

/// Walks over JSON without reading it: strings, escapes and nesting only.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.blank();
        (self.next()? == byte).then_some(())
    }

    /// The inside of a string, escapes as they stand.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.next()? {
                b'"' => return self.text.get(start..self.at - 1),
                b'\\' => {
                    self.next()?;
                }
                _ => {}
            }
        }
    }

    /// The raw text of any value.
    fn value(&mut self) -> Option<&'a str> {
        self.blank();
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' | b']' if depth == 0 => break,
                _ => self.at += 1,
            }
            let done = matches!(self.text.as_bytes().get(self.at - 1), Some(b'"' | b'}' | b']'));
            if depth == 0 && done {
                break;
            }
        }
        self.text.get(start..self.at).map(str::trim_end).filter(|v| !v.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;
    use proptest::prelude::*;

    const NODE: &str = r#"{"code":"10000","msg":"Success","out_trade_no":"T1","qr_code":"https:\/\/qr.example\/bax1"}"#;

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
        assert_eq!(
            sha256_hex(request_text(parameters).as_bytes()),
            "a71fca6239222f78a8c038c9bb44db07e5b22f94bd3948953ef76599e3d8aa67"
        );
    }

    #[test]
    fn the_node_is_taken_as_it_stands() {
        assert_eq!(
            sha256_hex(NODE.as_bytes()),
            "9f54c55c46c96c3bd71ed06f5766e5f11ca398f169d50d22a21a712e2972a7de"
        );
        for document in [
            format!(r#"{{"r_response":{NODE},"sign":"AA=="}}"#),
            format!(r#"{{"sign":"AA==","r_response":{NODE}}}"#),
            format!(" {{ \"r_response\" : {NODE} ,\n\"sign\" : \"AA==\" }} "),
            format!(r#"{{"r_response":{NODE},"alipay_cert_sn":"0f","sign":"AA=="}}"#),
        ] {
            let answer = answer(&document, "r_response").expect(&document);
            assert_eq!((answer.node, answer.sign), (NODE, Some("AA==")));
            assert_eq!(answer.certificate.is_some(), document.contains("0f"));
        }
    }

    #[test]
    fn braces_and_quotes_inside_strings_end_nothing() {
        let node = r#"{"a":"}\"{","b":[{"c":"]"}],"d":1}"#;
        let document = format!(r#"{{"r_response":{node},"other":[1,{{"x":2}}],"sign":"s"}}"#);
        assert_eq!(answer(&document, "r_response").map(|a| a.node), Some(node));
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for bad in [
            "",
            "{",
            "[]",
            "null",
            r#"{"sign":"s"}"#,
            r#"{"r_response":{"a":1},"r_response":{"a":2},"sign":"s"}"#,
            r#"{"r_response":{"a":1},"sign":"s","sign":"t"}"#,
            r#"{"r_response":{"a":1},"sign":"s"} trailing"#,
            r#"{"r_response":{"a":1,"sign":"s"}"#,
            r#"{"r_response":"text","sign":"s"}"#,
            r#"{"x":{"r_response":{"a":1}},"sign":"s"}"#,
        ] {
            assert_eq!(answer(bad, "r_response"), None, "{bad}");
        }
        let unsigned = answer(r#"{"r_response":{"a":1}}"#, "r_response").unwrap();
        assert_eq!(unsigned.sign, None);
    }

    #[test]
    fn a_notice_is_read_with_and_without_its_empty_fields() {
        let fields = [("b", "2"), ("sign", "x"), ("a", ""), ("sign_type", "RSA2"), ("c", "3 4")];
        assert_eq!(notice_texts(fields), ["a=&b=2&c=3 4".to_owned(), "b=2&c=3 4".to_owned()]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_scanner_panic(text in r#"[ -~]{0,60}|[{}\[\]",:\\a0 ]{0,40}|\PC{0,40}"#) {
            let _ = answer(&text, "r_response");
            let _ = answer(&format!("{{\"r_response\":{text}"), "r_response");
        }

        #[test]
        fn any_json_node_is_found_whole(value in "[a-z}{\\\\\"]{0,20}") {
            let node = format!("{{\"v\":{}}}", format_json(&value));
            let document = format!("{{\"r_response\":{node},\"sign\":\"s\"}}");
            prop_assert_eq!(answer(&document, "r_response").map(|a| a.node), Some(&*node));
        }
    }

    fn format_json(value: &str) -> String {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

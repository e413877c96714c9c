//! The channel's wire forms, read from the channel's side: parameters, texts to sign, answers.
//!
//! Written from specs/channels.md §1.3, §1.5 and §1.11 alone. It must never borrow from the
//! connector's code, or a misreading would agree with itself.

use std::collections::BTreeMap;

use crate::refusal::Refusal;

/// Named texts in byte order of their names.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Reads query and form into one set. A name that comes twice with different values is refused:
/// nobody could say which of them was signed.
pub(crate) fn merge(query: &str, form: &[u8]) -> Result<Parameters, Refusal> {
    let mut all = Parameters::new();
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form));
    for (name, value) in pairs {
        match all.get(name.as_ref()) {
            Some(known) if *known != value => {
                return Err(Refusal::invalid("isv.invalid-parameter", "参数重复且取值不同"));
            }
            Some(_) => {}
            None => {
                all.insert(name.into_owned(), value.into_owned());
            }
        }
    }
    Ok(all)
}

/// The text that a request's `sign` covers: everything but `sign` that has a value, `sign_type`
/// included, values as they are.
pub(crate) fn request_text(all: &Parameters) -> String {
    joined(all.iter().filter(|(name, value)| *name != "sign" && !value.is_empty()))
}

/// The text that the `sign` of a notification or of a return covers: everything but `sign` and
/// `sign_type`.
pub(crate) fn notice_text(all: &Parameters) -> String {
    joined(all.iter().filter(|(name, _)| *name != "sign" && *name != "sign_type"))
}

fn joined<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The JSON object that an answer carries and its signature covers, in the order it was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node(String);

impl Node {
    /// An answer that succeeded.
    pub fn success() -> Node {
        Node::default().put("code", "10000").put("msg", "Success")
    }

    /// An answer that the order waits for its payer.
    pub fn waiting() -> Node {
        Node::default().put("code", "10003").put("msg", "order success pay inprocess")
    }

    /// An answer that refuses.
    pub fn refusal(refusal: &Refusal) -> Node {
        Node::default()
            .put("code", refusal.code)
            .put("msg", refusal.msg)
            .put("sub_code", refusal.sub_code)
            .put("sub_msg", refusal.sub_msg)
    }

    /// Adds a text member; an empty one is left out.
    #[must_use]
    pub fn put(mut self, name: &str, value: &str) -> Node {
        if !value.is_empty() {
            self.name(name);
            write_json_text(&mut self.0, value);
        }
        self
    }

    /// Adds a member whose JSON is given.
    #[must_use]
    pub fn put_json(mut self, name: &str, json: &str) -> Node {
        self.name(name);
        self.0.push_str(json);
        self
    }

    /// True for an answer that the order waits for its payer.
    pub fn is_waiting(&self) -> bool {
        self.0.starts_with(r#"{"code":"10003""#)
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_json_text(&mut self.0, name);
        self.0.push(':');
    }

    /// The signed bytes, brace to brace.
    pub fn text(&self) -> String {
        if self.0.is_empty() { "{}".to_owned() } else { format!("{}}}", self.0) }
    }
}

/// Writes a JSON string as the real gateway does, with `\/`. Braces are escaped too: a client
/// library in wide use counts them without regard to strings (specs/channels.md §1.5).
fn write_json_text(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '{' | '}' | '\u{0}'..='\u{1f}' | '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// The whole answer: the node under `root`, then the certificate number in certificate mode, then
/// the signature where there is one.
pub(crate) fn document(
    root: &str,
    node: &str,
    certificate: Option<&str>,
    sign: Option<&str>,
) -> String {
    let mut text = format!("{{\"{root}\":{node}");
    if let Some(number) = certificate {
        text.push_str(&format!(",\"alipay_cert_sn\":\"{number}\""));
    }
    if let Some(sign) = sign {
        text.push_str(&format!(",\"sign\":\"{sign}\""));
    }
    text.push('}');
    text
}

/// Fen as the channel writes money: yuan with two decimals.
pub(crate) fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_form_are_merged_and_contradictions_refused() {
        let all = merge("a=1&b=x+y%26", b"c=%E6%B5%8B&a=1").unwrap();
        assert_eq!(all["b"], "x y&");
        assert_eq!(all["c"], "测");
        assert!(merge("a=1", b"a=2").is_err());
    }

    #[test]
    fn the_signed_texts_follow_the_published_example() {
        let mut all = Parameters::new();
        for (name, value) in [
            ("version", "1.0"),
            ("app_id", "2021000000000001"),
            ("biz_content", r#"{"out_trade_no":"T1","subject":"测试 a+b","total_amount":"0.01"}"#),
            ("charset", "utf-8"),
            ("format", "JSON"),
            ("method", "alipay.trade.precreate"),
            ("notify_url", "http://127.0.0.1:9/n"),
            ("sign_type", "RSA2"),
            ("timestamp", "2026-11-22 10:00:00"),
            ("sign", "never signed"),
            ("return_url", ""),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        // The digest stands in specs/channels.md §8.
        assert_eq!(
            sign::digest::sha256_hex(request_text(&all).as_bytes()),
            "a71fca6239222f78a8c038c9bb44db07e5b22f94bd3948953ef76599e3d8aa67"
        );
        assert!(!notice_text(&all).contains("sign_type"));
    }

    #[test]
    fn a_node_keeps_its_order_and_escapes_slashes_and_braces() {
        let node = Node::success()
            .put("out_trade_no", "T1")
            .put("nothing", "")
            .put("qr_code", "https://qr.example/bax1");
        // The digest stands in specs/channels.md §8.
        assert_eq!(
            sign::digest::sha256_hex(node.text().as_bytes()),
            "9f54c55c46c96c3bd71ed06f5766e5f11ca398f169d50d22a21a712e2972a7de"
        );
        let odd = Node::default().put("a", "}\"\\\n").put_json("b", "[1]").text();
        assert_eq!(odd, r#"{"a":"\u007d\"\\\u000a","b":[1]}"#);
        let back: serde_json::Value = serde_json::from_str(&odd).unwrap();
        assert_eq!(back["a"], "}\"\\\n");
    }

    #[test]
    fn an_answer_ends_with_its_signature() {
        assert_eq!(document("r", "{}", None, Some("s")), r#"{"r":{},"sign":"s"}"#);
        assert_eq!(
            document("r", "{}", Some("n"), Some("s")),
            r#"{"r":{},"alipay_cert_sn":"n","sign":"s"}"#
        );
        assert_eq!(yuan(5), "0.05");
        assert_eq!(yuan(123_456), "1234.56");
    }
}

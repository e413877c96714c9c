//! Alipay's canonical texts as the connector reads them (specs/channels.md §1.3, §1.5, §1.11).
//!
//! The simulator has its own reading of the same documents; the two must never share code.
//! Nothing here trims, decodes or writes JSON anew: what is signed is the text as it stands.

/// The text that a request's signature covers: every parameter but `sign` and empty ones, sorted by
/// name, `name=value` joined by `&`, values not URL-encoded. `sign_type` stays in.
pub fn request_text<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let kept = parameters.into_iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let mut kept: Vec<_> = kept.collect();
    kept.sort_unstable();
    joined(&kept)
}

/// The two texts that a notification's signature may cover, from its URL-decoded fields without
/// `sign` and `sign_type`: first with every field received, then without the empty ones.
///
/// A caller must refuse a name that comes twice: such fields can be split from a genuine signed
/// text, for a subject `a&total_amount=9` reads like two fields.
pub fn notice_texts<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> [String; 2] {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.retain(|(name, _)| *name != "sign" && *name != "sign_type");
    fields.sort_unstable();
    let all = joined(&fields);
    fields.retain(|(_, value)| !value.is_empty());
    [all, joined(&fields)]
}

fn joined(pairs: &[(&str, &str)]) -> String {
    let len = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(len);
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

/// An answer taken apart. Until `sign` has been checked over `node` nothing of it may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The raw text of the node's value, from its brace to the matching one. Read this text, not
    /// the document again: it alone is what was signed.
    pub node: &'a str,
    /// Base64 signature, where there is one. Some gateway errors come without.
    pub sign: Option<&'a str>,
    /// Number of the certificate whose key signed, in certificate mode.
    pub certificate: Option<&'a str>,
}

/// Finds the node `name` in the text of an answer; the order of its members does not matter.
///
/// `None` if the text is no JSON object, if node, `sign` or `alipay_cert_sn` come twice at its top,
/// or the node not at all: what a second one would mean nobody knows.
pub fn answer<'a>(document: &'a str, name: &str) -> Option<Answer<'a>> {
    let mut scan = Scan { text: document, at: 0 };
    let (mut node, mut sign, mut certificate) = (None, None, None);
    scan.expect(b'{')?;
    scan.blank();
    let mut more = scan.peek()? != b'}';
    while more {
        let key = scan.string()?;
        scan.expect(b':')?;
        let value = scan.value()?;
        let first = match key {
            // An escape could hide a second node's name.
            _ if key.contains('\\') => false,
            _ if key == name => node.replace(value).is_none(),
            "sign" => sign.replace(value).is_none(),
            "alipay_cert_sn" => certificate.replace(value).is_none(),
            _ => true,
        };
        if !first {
            return None;
        }
        scan.blank();
        more = scan.peek()? == b',';
        scan.at += usize::from(more);
    }
    scan.expect(b'}')?;
    scan.blank();
    let inside = |value: &'a str| value.strip_prefix('"')?.strip_suffix('"');
    (scan.at == document.len()).then_some(Answer {
        node: node.filter(|node: &&str| node.starts_with('{'))?,
        sign: sign.and_then(inside),
        certificate: certificate.and_then(inside),
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
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
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
        match self.peek()? {
            b'"' => {
                self.string()?;
            }
            b'{' => self.nested(b'{', b'}')?,
            b'[' => self.nested(b'[', b']')?,
            _ => self.scalar(),
        }
        self.text.get(start..self.at).filter(|value| !value.is_empty())
    }

    /// Goes behind a number, `true`, `false` or `null`.
    fn scalar(&mut self) {
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
    }

    /// Goes behind the bracket that closes the one here.
    fn nested(&mut self, open: u8, close: u8) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                byte if byte == open => depth += 1,
                byte if byte == close => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests;

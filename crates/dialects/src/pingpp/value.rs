//! One tree of values for everything that a merchant sends, whether as JSON, as a form with bracket
//! keys or in a query. Numbers stay text, so that no float ever touches an amount.
//!
//! Must never accept what two readers could read differently: a name given twice, a number that is
//! no JSON number, text that is no Unicode (specs/reliability.md SEC-47, SEC-48).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep values may nest.
pub(super) const DEPTH_MAX: usize = 32;
/// How many members and elements one request may hold.
pub(super) const MEMBERS_MAX: usize = 1_000;

/// Names and values; sorted, so that the order of names means nothing.
pub(super) type Map = BTreeMap<String, Value>;

/// A value as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// The text of a JSON number.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Map(Map),
}

/// Why something cannot be read, and under which name if one is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub message: String,
    pub param: Option<String>,
}

impl Unreadable {
    fn new(message: impl Into<String>) -> Unreadable {
        Unreadable { message: message.into(), param: None }
    }

    fn at(param: &str, message: &str) -> Unreadable {
        Unreadable { message: message.into(), param: Some(excerpt(param)) }
    }
}

/// At most 64 characters of a text that somebody sent.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Value {
    /// Reads one JSON text.
    pub(super) fn from_json(text: &str) -> Result<Value, Unreadable> {
        let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
        read_json(trimmed, 1, &mut 0)
    }

    /// Reads `a=1&b[c]=2&d[]=3`: a form's body or a query. All values are texts.
    pub(super) fn from_form(text: &str) -> Result<Map, Unreadable> {
        let mut root = Map::new();
        let mut members = 0;
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            members += 1;
            if members > MEMBERS_MAX {
                return Err(Unreadable::new("the request has too many parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, true)
                .ok_or_else(|| Unreadable::new("a parameter's name is badly encoded"))?;
            let (base, segments) = split_name(&name).ok_or_else(|| {
                Unreadable::at(&name, "a parameter's name has unmatched brackets")
            })?;
            let value = decode(value, true)
                .ok_or_else(|| Unreadable::at(base, "a parameter's value is badly encoded"))?;
            let place = root.entry(base.to_owned()).or_insert(Value::Null);
            put(place, &segments, value)
                .ok_or_else(|| Unreadable::at(base, "a parameter is given twice"))?;
        }
        Ok(root)
    }

    /// The value as JSON, names sorted.
    pub(super) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(text) => out.push_str(text),
            Value::Text(text) => out.push_str(&quoted(text)),
            Value::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Value::Map(map) => {
                out.push('{');
                for (index, (name, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&quoted(name));
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The elements of a list; a form writes one also with indexes from 0.
    pub(super) fn elements(&self) -> Option<Vec<&Value>> {
        match self {
            Value::List(values) => Some(values.iter().collect()),
            Value::Map(map) if !map.is_empty() => {
                (0..map.len()).map(|index| map.get(&index.to_string())).collect()
            }
            _ => None,
        }
    }

    /// The text of a text or a number.
    pub(super) fn scalar_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Number(text) => Some(text),
            _ => None,
        }
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn read_json(raw: &str, depth: usize, members: &mut usize) -> Result<Value, Unreadable> {
    let unreadable = |error: serde_json::Error| {
        // The library's message names line and column, never the text.
        Unreadable::new(format!("the body is not readable JSON: {error}"))
    };
    if depth > DEPTH_MAX {
        return Err(Unreadable::new(format!("values nest deeper than {DEPTH_MAX} levels")));
    }
    Ok(match raw.bytes().next() {
        Some(b'{') => {
            let Pairs(pairs) = serde_json::from_str(raw).map_err(unreadable)?;
            count(members, pairs.len())?;
            let mut map = Map::new();
            for (name, raw) in pairs {
                let value = read_json(raw.get(), depth + 1, members)?;
                if map.contains_key(&name) {
                    return Err(Unreadable::at(&name, "a name is given twice"));
                }
                map.insert(name, value);
            }
            Value::Map(map)
        }
        Some(b'[') => {
            let raws: Vec<&RawValue> = serde_json::from_str(raw).map_err(unreadable)?;
            count(members, raws.len())?;
            let values = raws.iter().map(|raw| read_json(raw.get(), depth + 1, members));
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::Text(serde_json::from_str(raw).map_err(unreadable)?),
        _ => {
            let raw: &RawValue = serde_json::from_str(raw).map_err(unreadable)?;
            match raw.get() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                number => Value::Number(number.to_owned()),
            }
        }
    })
}

fn count(members: &mut usize, more: usize) -> Result<(), Unreadable> {
    *members += more;
    if *members > MEMBERS_MAX {
        return Err(Unreadable::new(format!("the body has more than {MEMBERS_MAX} values")));
    }
    Ok(())
}

/// The members of a JSON object as they stand, doubles included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// `a[b][]` as `a` and its segments `b` and nothing.
fn split_name(name: &str) -> Option<(&str, Vec<&str>)> {
    let (base, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    if base.is_empty() || base.contains(']') {
        return None;
    }
    let mut segments = Vec::new();
    while !rest.is_empty() {
        let (segment, after) = rest.strip_prefix('[')?.split_once(']')?;
        if segment.contains('[') || segments.len() + 2 > DEPTH_MAX {
            return None;
        }
        segments.push(segment);
        rest = after;
    }
    Some((base, segments))
}

/// Puts a form's value in its place; nothing if the place is taken or of another kind. A place
/// that nothing was put into yet is null: forms have no null of their own.
fn put(place: &mut Value, segments: &[&str], value: String) -> Option<()> {
    let Some((segment, rest)) = segments.split_first() else {
        return match place {
            Value::Null => {
                *place = Value::Text(value);
                Some(())
            }
            _ => None,
        };
    };
    if matches!(place, Value::Null) {
        *place = if segment.is_empty() { Value::List(Vec::new()) } else { Value::Map(Map::new()) };
    }
    match place {
        Value::List(values) if segment.is_empty() => {
            // `x[][a]=1&x[][b]=2` is one element; a name that it has already begins the next one.
            let next = match (values.last(), rest.first()) {
                (Some(Value::Map(map)), Some(name)) => map.contains_key(*name),
                _ => true,
            };
            if next {
                values.push(Value::Null);
            }
            put(values.last_mut()?, rest, value)
        }
        Value::Map(map) if !segment.is_empty() => {
            put(map.entry((*segment).to_owned()).or_insert(Value::Null), rest, value)
        }
        _ => None,
    }
}

/// Undoes percent-encoding; nothing for a bad escape or for bytes that are no UTF-8.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn json_keeps_the_text_of_numbers_and_sorts_names() {
        let value = Value::from_json(" {\"b\":1.10,\"a\":[null,true,\"\\u8336\",-0,1e400]}\r\n");
        assert_eq!(value.unwrap().to_json(), r#"{"a":[null,true,"茶",-0,1e400],"b":1.10}"#);
    }

    #[test]
    fn json_that_two_readers_could_read_differently_is_refused() {
        for bad in [
            "",
            " ",
            "{",
            r#"{"amount":1"#,
            r#"{"amount":1} {}"#,
            r#"{"amount":1,"amount":2}"#,
            r#"{"m":{"k":1,"\u006b":2}}"#,
            "\u{feff}{}",
            r#"{"s":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            "{'a':1}",
            "{/* */\"a\":1}",
            "\u{0}",
            "amount",
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1,}"#,
            "{\"a\":\"\n\"}",
        ] {
            assert!(Value::from_json(bad).is_err(), "{bad:?}");
        }
        let twice = Value::from_json(r#"{"amount":1,"amount":2}"#).unwrap_err();
        assert_eq!(twice.param.as_deref(), Some("amount"));
    }

    #[test]
    fn nesting_and_members_end_at_their_limits() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Value::from_json(&nested(DEPTH_MAX)).is_ok());
        assert!(Value::from_json(&nested(DEPTH_MAX + 1)).is_err());
        let wide = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert!(Value::from_json(&wide(MEMBERS_MAX)).is_ok());
        assert!(Value::from_json(&wide(MEMBERS_MAX + 1)).is_err());
        let form =
            |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        assert!(Value::from_form(&form(MEMBERS_MAX)).is_ok());
        assert!(Value::from_form(&form(MEMBERS_MAX + 1)).is_err());
    }

    #[test]
    fn a_form_and_json_make_the_same_tree() {
        let form = "app%5Bid%5D=app_1&charges[]=a&charges[]=b&subject=%E8%8C%B6+x&metadata[k]=v&e=";
        let json = r#"{"app":{"id":"app_1"},"charges":["a","b"],"subject":"茶 x",
                       "metadata":{"k":"v"},"e":""}"#;
        assert_eq!(Value::Map(Value::from_form(form).unwrap()), Value::from_json(json).unwrap());
    }

    #[test]
    fn lists_of_maps_have_two_forms() {
        let expected = r#"[{"amount":"1","charge":"a"},{"charge":"b"}]"#;
        let expected = Value::from_json(expected).unwrap();
        let appended = "c[][charge]=a&c[][amount]=1&c[][charge]=b";
        let indexed = "c[0][charge]=a&c[0][amount]=1&c[1][charge]=b";
        for form in [appended, indexed] {
            let form = Value::from_form(form).unwrap();
            let elements = form["c"].elements().unwrap();
            assert_eq!(Value::List(elements.into_iter().cloned().collect()), expected);
        }
        let expand = Value::from_form("expand%5B0%5D=app").unwrap();
        assert_eq!(expand["expand"].elements(), Some(vec![&text("app")]));
    }

    #[test]
    fn malformed_forms_are_refused_and_name_their_parameter() {
        for (bad, param) in [
            ("amount=%ZZ", Some("amount")),
            ("amount=%E8%8C", Some("amount")),
            ("limit=1&limit=2", Some("limit")),
            ("a=1&a[b]=2", Some("a")),
            ("a[b]=1&a[]=2", Some("a")),
            ("app[id=1", Some("app[id")),
            ("extra]success_url[=1", Some("extra]success_url[")),
            ("a[b[c]]=1", Some("a[b[c]]")),
            ("[a]=1", Some("[a]")),
            ("%=1", None),
            ("=1", Some("")),
        ] {
            let error = Value::from_form(bad).unwrap_err();
            assert_eq!(error.param.as_deref(), param, "{bad}");
        }
        assert_eq!(Value::from_form("").unwrap(), Map::new());
        assert_eq!(Value::from_form("&a&").unwrap()["a"], text(""));
    }
}

//! One request as its bytes came: the raw target and body for signatures, and the values in them.
//!
//! The content type only chooses between JSON and a form (specs/pingpp.md §0, R12 and R17); a body
//! that begins like JSON is JSON whatever it is called, because `curl -d` calls everything a form.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use domain::text::{PublicId, RequestId};
use engine::Caller;

use super::auth::Signed;
use super::error::Problem;
use super::value::{Map, Value, decode};

/// The longest body that is read.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// One authenticated request.
pub(super) struct Call<'a> {
    pub caller: &'a Caller,
    /// Our id of this call, told in events.
    pub request: RequestId,
    pub method: Method,
    /// Path and query exactly as in the request line (R2).
    pub target: String,
    pub body: Bytes,
    pub signed: Signed,
    headers: HeaderMap,
}

/// The request target as it was sent. The router stands at the root (R1), so nothing was cut off.
pub(super) fn target_of(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
}

impl<'a> Call<'a> {
    /// Reads the body of a write; a read's is ignored.
    pub(super) async fn read(
        caller: &'a Caller,
        request: RequestId,
        parts: Parts,
        body: Body,
    ) -> Result<Call<'a>, Problem> {
        let target = target_of(&parts);
        let signed = Signed::read(&parts.headers)?;
        let body = if parts.method == Method::GET {
            Bytes::new()
        } else {
            if parts.headers.contains_key(header::CONTENT_ENCODING) {
                return Err(Problem::bad("compressed bodies are not accepted"));
            }
            let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
            body.map_err(|_| {
                Problem::bad(format!("the body broke off or is longer than {BODY_BYTES_MAX} bytes"))
            })?
        };
        let (method, headers) = (parts.method, parts.headers);
        Ok(Call { caller, request, method, target, body, signed, headers })
    }

    /// The target's path.
    pub(super) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The values in the query.
    pub(super) fn query(&self) -> Result<Map, Problem> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        Ok(Value::from_form(query)?)
    }

    /// The values in the body; nothing at all and an empty list are an empty map (R12).
    pub(super) fn fields(&self) -> Result<Map, Problem> {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap_or("?"));
        fields_of(content_type, &self.body)
    }
}

fn fields_of(content_type: Option<&str>, body: &[u8]) -> Result<Map, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad("the body is not UTF-8"))?;
    let media = content_type.map(|t| t.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    let is_form = match media.as_deref() {
        None | Some("" | "application/json" | "text/json") => false,
        Some("application/x-www-form-urlencoded") => !text.trim_start().starts_with(['{', '[']),
        Some(_) => return Err(Problem::bad("the body must be JSON or a URL-encoded form")),
    };
    if is_form {
        return Ok(Value::from_form(text)?);
    }
    match Value::from_json(text)? {
        Value::Map(map) => Ok(map),
        Value::List(values) if values.is_empty() => Ok(Map::new()),
        _ => Err(Problem::bad("the body must be a JSON object")),
    }
}

/// An id in a path; what no id can be is nothing.
pub(super) fn id_in_path(segment: &str) -> Option<PublicId> {
    PublicId::parse(&decode(segment, false)?).ok()
}

/// A text of 1 to `max` characters that must be there.
pub(super) fn text<'a>(fields: &'a Map, name: &str, max: usize) -> Result<&'a str, Problem> {
    match optional_text(fields, name, max)? {
        Some("") => Err(Problem::wrong(name, "must not be empty")),
        Some(text) => Ok(text),
        None => Err(Problem::missing(name)),
    }
}

/// A text of at most `max` characters, counted in Unicode scalar values (SEC-44).
pub(super) fn optional_text<'a>(
    fields: &'a Map,
    name: &str,
    max: usize,
) -> Result<Option<&'a str>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) if text.chars().count() <= max => Ok(Some(text)),
        Some(Value::Text(_)) => {
            Err(Problem::wrong(name, format!("must be at most {max} characters")))
        }
        Some(_) => Err(Problem::wrong(name, "must be a string")),
    }
}

/// A whole number that is not negative, as a JSON number or as a string of digits (R13): no sign,
/// no fraction, no exponent, no leading zero.
pub(super) fn integer(fields: &Map, name: &str) -> Result<Option<i64>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.scalar_text().and_then(whole_number) {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::wrong(name, "must be a whole number")),
        },
    }
}

fn whole_number(text: &str) -> Option<i64> {
    let plain =
        text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A whole number within bounds, or the default.
pub(super) fn integer_within(
    fields: &Map,
    name: &str,
    (min, max): (u32, u32),
    default: u32,
) -> Result<u32, Problem> {
    let Some(number) = integer(fields, name)? else { return Ok(default) };
    let fits = u32::try_from(number).ok().filter(|n| (min..=max).contains(n));
    fits.ok_or_else(|| Problem::wrong(name, format!("must be between {min} and {max}")))
}

/// A truth value as SDKs write it in queries (R14).
pub(super) fn flag(fields: &Map, name: &str) -> Result<Option<bool>, Problem> {
    let text = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Bool(flag)) => return Ok(Some(*flag)),
        Some(value) => value.scalar_text().unwrap_or(""),
    };
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Ok(Some(true))
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Ok(Some(false))
    } else {
        Err(Problem::wrong(name, "must be true or false"))
    }
}

/// A map; an empty list is an empty one, and so is nothing (R12).
pub(super) fn map<'a>(fields: &'a Map, name: &str) -> Result<Option<&'a Map>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Map(map)) => Ok(Some(map)),
        Some(Value::List(values)) if values.is_empty() => Ok(None),
        Some(_) => Err(Problem::wrong(name, "must be a map")),
    }
}

/// Whether `expand` asks for the app (R15); other wishes are ignored.
pub(super) fn expands_app(fields: &Map) -> bool {
    let wish = |value: &Value| matches!(value, Value::Text(t) if t == "app" || t == "data.app");
    fields.get("expand").is_some_and(|value| {
        wish(value) || value.elements().is_some_and(|all| all.into_iter().any(wish))
    })
}

/// Pairs of `metadata` (§3.7): scalars, at most 20 of them, at most 1,000 characters together.
pub(super) fn metadata(fields: &Map) -> Result<Map, Problem> {
    const NAME: &str = "metadata";
    let Some(map) = map(fields, NAME)? else { return Ok(Map::new()) };
    if map.len() > METADATA_PAIRS_MAX {
        let limit = format!("must hold at most {METADATA_PAIRS_MAX} pairs");
        return Err(Problem::wrong(NAME, limit));
    }
    let mut characters = 0;
    for (name, value) in map {
        characters += name.chars().count();
        characters += match value {
            Value::Text(text) | Value::Number(text) => text.chars().count(),
            Value::Null | Value::Bool(_) => 0,
            Value::List(_) | Value::Map(_) => {
                return Err(Problem::wrong(NAME, "must hold plain values, nothing nested"));
            }
        };
    }
    if characters > METADATA_CHARS_MAX {
        let limit = format!("must hold at most {METADATA_CHARS_MAX} characters in total");
        return Err(Problem::wrong(NAME, limit));
    }
    Ok(map.clone())
}

const METADATA_PAIRS_MAX: usize = 20;
const METADATA_CHARS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Map {
        fields_of(Some("application/json"), json.as_bytes()).unwrap()
    }

    #[test]
    fn json_and_form_bodies_are_read_and_others_refused() {
        let form = Some("application/x-www-form-urlencoded; charset=UTF-8");
        let expected = fields(r#"{"a":"1"}"#);
        assert_eq!(fields_of(form, b"a=1").unwrap(), expected);
        for json in [None, Some("application/json;charset=utf-8"), Some("Application/JSON"), form] {
            assert_eq!(fields_of(json, b" {\"a\":\"1\"}").unwrap(), expected, "{json:?}");
        }
        for empty in ["", "[]", "{}"] {
            assert_eq!(fields_of(None, empty.as_bytes()).unwrap(), Map::new());
        }
        assert!(fields_of(Some("text/plain"), b"{}").is_err());
        assert!(fields_of(Some("multipart/form-data; boundary=x"), b"--x").is_err());
        for bad in [&b"[1]"[..], b"7", b"null", b"\"x\"", b"amount", b"\xff", b"{\"a\":\"\xe9\"}"] {
            assert!(fields_of(Some("application/json"), bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn whole_numbers_have_one_spelling() {
        for (json, expected) in [
            (r#"{"n":0}"#, Some(0)),
            (r#"{"n":100}"#, Some(100)),
            (r#"{"n":"100"}"#, Some(100)),
            (r#"{"n":9223372036854775807}"#, Some(i64::MAX)),
            (r#"{"n":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(integer(&fields(json), "n"), Ok(expected), "{json}");
        }
        for bad in [
            "1.0",
            "1e2",
            "1E0",
            "-0",
            "-1",
            "0.1e2",
            "true",
            "false",
            "[]",
            "[1]",
            "{}",
            "\"\"",
            "\" 1\"",
            "\"1 \"",
            "\"+1\"",
            "\"-5\"",
            "\"１\"",
            "\"01\"",
            "\"1.0\"",
            "\"1e2\"",
            "\"0x10\"",
            "\"abc\"",
            "9223372036854775808",
            "1000000000000000000000000000000",
        ] {
            let problem = integer(&fields(&format!("{{\"n\":{bad}}}")), "n");
            assert!(problem.is_err(), "{bad}");
        }
        let huge = format!("{{\"n\":{}}}", "9".repeat(400));
        assert!(integer(&fields(&huge), "n").is_err());
    }

    #[test]
    fn flags_are_read_whatever_their_case() {
        for (text, expected) in [
            ("True", true),
            ("true", true),
            ("TRUE", true),
            ("1", true),
            ("False", false),
            ("0", false),
        ] {
            let query = Value::from_form(&format!("paid={text}")).unwrap();
            assert_eq!(flag(&query, "paid"), Ok(Some(expected)), "{text}");
        }
        for bad in ["", "maybe", "2", "yes"] {
            let query = Value::from_form(&format!("paid={bad}")).unwrap();
            assert!(flag(&query, "paid").is_err(), "{bad}");
        }
    }

    #[test]
    fn every_form_of_expand_is_understood() {
        for query in ["expand=app", "expand[]=app", "expand[0]=app", "expand%5B%5D=data.app"] {
            assert!(expands_app(&Value::from_form(query).unwrap()), "{query}");
        }
        for query in ["", "expand[]=nothing", "expand=", "expand[x]=app"] {
            assert!(!expands_app(&Value::from_form(query).unwrap()), "{query}");
        }
    }

    #[test]
    fn metadata_ends_at_its_limits() {
        let pairs = |count: usize| {
            let pairs: Vec<_> = (0..count).map(|n| format!("\"k{n}\":\"v\"")).collect();
            metadata(&fields(&format!("{{\"metadata\":{{{}}}}}", pairs.join(",")))).is_ok()
        };
        assert!(pairs(19) && pairs(20) && !pairs(21));
        let long = |count: usize| {
            let value = "值".repeat(count - 1);
            metadata(&fields(&format!("{{\"metadata\":{{\"键\":\"{value}\"}}}}"))).is_ok()
        };
        assert!(long(999) && long(1_000) && !long(1_001));
        for good in ["[]", "{}", "null", r#"{"n":7,"b":true,"z":null}"#] {
            assert!(metadata(&fields(&format!("{{\"metadata\":{good}}}"))).is_ok(), "{good}");
        }
        for bad in ["\"\"", "\"{}\"", "7", "true", "[1]", r#"{"a":{}}"#, r#"{"a":[1]}"#] {
            assert!(metadata(&fields(&format!("{{\"metadata\":{bad}}}"))).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_target_keeps_a_lone_question_mark_and_literal_brackets() {
        for target in ["/v1/charges/ch_1?", "/v1/charges?app[id]=a&expand%5b0%5D=app", "/v1/x"] {
            let request = axum::http::Request::builder().uri(target).body(()).unwrap();
            assert_eq!(target_of(&request.into_parts().0), target);
        }
    }
}

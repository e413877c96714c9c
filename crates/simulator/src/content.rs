//! `biz_content`: the business parameters of a call, read leniently as the channel reads them.
//!
//! A number may come as a number or as text and a member may be null (specs/channels.md §1.8).
//! Amounts are taken from the text of the number, never through a float.

use std::collections::HashMap;

use domain::money::Amount;
use domain::time::Timestamp;
use serde_json::value::RawValue;

use crate::refusal::Refusal;

/// The largest amount of one trade: 100,000,000 yuan, in fen.
const TOTAL_FEN_MAX: i64 = 10_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// How long an unpaid trade lives when its merchant says nothing.
const LIFE_SECONDS: i64 = 15 * DAY_SECONDS;
/// How long a QR code lives when its merchant says nothing (unconfirmed, specs/channels.md §9).
const CODE_LIFE_SECONDS: i64 = 2 * 3_600;

/// The members of one `biz_content`.
#[derive(Debug)]
pub(crate) struct Content(HashMap<String, Box<RawValue>>);

impl Content {
    /// Reads the JSON object.
    pub fn read(json: &str) -> Result<Content, Refusal> {
        serde_json::from_str(json)
            .map(Content)
            .map_err(|_| Refusal::invalid("isv.invalid-parameter", "biz_content 不是 JSON 对象"))
    }

    /// A text of at most `max` characters; null and empty count as absent.
    pub fn text(&self, name: &str, max: usize) -> Result<Option<String>, Refusal> {
        let Some(raw) = self.0.get(name).map(|raw| raw.get()) else { return Ok(None) };
        let text = match raw.as_bytes().first() {
            Some(b'"') => {
                serde_json::from_str::<String>(raw).map_err(|_| Refusal::INVALID_PARAMETER)?
            }
            Some(b'-' | b'0'..=b'9') => raw.to_owned(),
            _ if raw == "null" => return Ok(None),
            _ => return Err(Refusal::INVALID_PARAMETER),
        };
        if text.chars().count() > max || text.chars().any(char::is_control) {
            return Err(Refusal::INVALID_PARAMETER);
        }
        Ok(Some(text).filter(|t| !t.is_empty()))
    }

    /// A text that must be there.
    pub fn required(&self, name: &str, max: usize) -> Result<String, Refusal> {
        self.text(name, max)?.ok_or(Refusal::INVALID_PARAMETER)
    }

    /// An amount of at least one fen.
    pub fn fen(&self, name: &str) -> Result<i64, Refusal> {
        let text = self.required(name, 20)?;
        let amount = Amount::from_major_text(&text, 2).map_err(|_| Refusal::INVALID_PARAMETER)?;
        if amount.is_zero() { Err(Refusal::INVALID_PARAMETER) } else { Ok(amount.minor()) }
    }

    /// The amount of a new trade.
    pub fn total_fen(&self) -> Result<i64, Refusal> {
        let fen = self.fen("total_amount")?;
        if fen > TOTAL_FEN_MAX { Err(Refusal::TOTAL_FEE_EXCEED) } else { Ok(fen) }
    }

    /// Whether the array member holds the word.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.0
            .get(name)
            .and_then(|raw| serde_json::from_str::<Vec<String>>(raw.get()).ok())
            .is_some_and(|words| words.iter().any(|w| w == word))
    }

    /// When a new trade closes unpaid: `time_expire` before `timeout_express` before the default.
    pub fn expires_at(&self, now: i64) -> Result<i64, Refusal> {
        let at = if let Some(text) = self.text("time_expire", 32)? {
            Timestamp::from_china_text(&text).ok_or(Refusal::INVALID_PARAMETER)?
        } else if let Some(text) = self.text("timeout_express", 16)? {
            after(now, &text)?
        } else {
            Timestamp::from_micros(now).plus_seconds(LIFE_SECONDS)
        };
        if at.micros() <= now { Err(Refusal::INVALID_PARAMETER) } else { Ok(at.micros()) }
    }

    /// When the QR code of `alipay.trade.precreate` stops working.
    pub fn code_expires_at(&self, now: i64) -> Result<i64, Refusal> {
        match self.text("qr_code_timeout_express", 16)? {
            Some(text) => Ok(after(now, &text)?.micros()),
            None => Ok(Timestamp::from_micros(now).plus_seconds(CODE_LIFE_SECONDS).micros()),
        }
    }
}

/// `90m`, `2h`, `15d` from now, or `1c` for the end of the day; 1 minute to 15 days
/// (specs/channels.md §1.9).
fn after(now: i64, text: &str) -> Result<Timestamp, Refusal> {
    let now = Timestamp::from_micros(now);
    if text == "1c" {
        // China's days begin at 16:00 UTC of the day before.
        let into_day = (now.seconds() + 8 * 3_600).rem_euclid(DAY_SECONDS);
        return Ok(Timestamp::from_seconds(now.seconds() - into_day + DAY_SECONDS));
    }
    let seconds = text
        .char_indices()
        .next_back()
        .and_then(|(at, unit)| {
            let unit = match unit {
                'm' => 60,
                'h' => 3_600,
                'd' => DAY_SECONDS,
                _ => return None,
            };
            let digits = &text[..at];
            let plain = digits.bytes().all(|b| b.is_ascii_digit()) && digits.len() <= 6;
            digits.parse::<i64>().ok().filter(|_| plain).map(|count| count * unit)
        })
        .filter(|seconds| (60..=LIFE_SECONDS).contains(seconds))
        .ok_or(Refusal::INVALID_PARAMETER)?;
    Ok(now.plus_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_leniently_and_amounts_exactly() {
        let content = Content::read(
            r#"{"a":"x","n":null,"e":"","total_amount":0.10,"t":"88.88","o":{},"q":["w"]}"#,
        )
        .unwrap();
        assert_eq!(content.text("a", 1), Ok(Some("x".to_owned())));
        assert_eq!(content.text("n", 1), Ok(None));
        assert_eq!(content.text("e", 1), Ok(None));
        assert_eq!(content.text("absent", 1), Ok(None));
        assert_eq!(content.text("o", 9), Err(Refusal::INVALID_PARAMETER));
        assert_eq!(content.text("t", 4), Err(Refusal::INVALID_PARAMETER));
        assert_eq!(content.total_fen(), Ok(10));
        assert_eq!(content.fen("t"), Ok(8_888));
        assert!(content.lists("q", "w") && !content.lists("q", "v"));
        for bad in ["0", "0.001", "-1", "1e2", "\"\"", "true"] {
            let content = Content::read(&format!(r#"{{"total_amount":{bad}}}"#)).unwrap();
            assert_eq!(content.total_fen(), Err(Refusal::INVALID_PARAMETER), "{bad}");
        }
        let much = Content::read(r#"{"total_amount":"100000000.01"}"#).unwrap();
        assert_eq!(much.total_fen(), Err(Refusal::TOTAL_FEE_EXCEED));
        assert!(Content::read("[]").is_err());
    }

    #[test]
    fn time_limits_are_relative_or_absolute() {
        let now = Timestamp::from_china_text("2026-11-22 10:00:00").unwrap().micros();
        let text = |json: &str| {
            let at = Content::read(json).unwrap().expires_at(now)?;
            Ok(Timestamp::from_micros(at).china_text())
        };
        assert_eq!(text(r#"{"timeout_express":"90m"}"#), Ok("2026-11-22 11:30:00".to_owned()));
        assert_eq!(text(r#"{"timeout_express":"1c"}"#), Ok("2026-11-23 00:00:00".to_owned()));
        assert_eq!(text("{}"), Ok("2026-12-07 10:00:00".to_owned()));
        assert_eq!(
            text(r#"{"timeout_express":"1m","time_expire":"2026-11-22 10:00:01"}"#),
            Ok("2026-11-22 10:00:01".to_owned())
        );
        for bad in ["0m", "16d", "1.5h", "m", "5", "-1m", "1x", "１h"] {
            assert_eq!(
                text(&format!(r#"{{"timeout_express":"{bad}"}}"#)),
                Err(Refusal::INVALID_PARAMETER),
                "{bad}"
            );
        }
        assert!(text(r#"{"time_expire":"2026-11-22 10:00:00"}"#).is_err());
        assert!(text(r#"{"time_expire":"soon"}"#).is_err());
    }
}

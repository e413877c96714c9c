//! Reads the gateway's answers (specs/channels.md §1.5). Nothing in an answer is believed before
//! its signature fits the raw text that it covers.

use std::collections::HashMap;

use domain::currency::Currency;
use domain::money::Amount;
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::text::{ChannelNumber, TradeNo};
use domain::time::Timestamp;
use serde_json::value::RawValue;

use super::codes::{Meaning, Verdict, meaning_of};
use super::request::Method;
use super::settings::Settings;
use crate::http::{Reply, Trouble};

/// How much of a channel's words is passed on.
const MESSAGE_CHARS_MAX: usize = 200;
const CODE_CHARS_MAX: usize = 64;

/// The members of a verified answer. Numbers may have come as numbers or as texts, and a member may
/// be null (specs/channels.md §1.8).
#[derive(Debug)]
pub(super) struct Node(HashMap<String, Box<RawValue>>);

impl Node {
    /// A member as text: a string's content, a number's digits, an object's JSON. Null and empty
    /// count as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.0.get(name)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(raw).ok().filter(|text| !text.is_empty()),
            b'n' => None,
            _ => Some(raw.to_owned()),
        }
    }

    /// An amount of yuan, read from its text. The inner error is a text that is no amount.
    pub(super) fn yuan(&self, name: &str) -> Option<Result<Amount, Failure>> {
        let text = self.text(name)?;
        let amount = Amount::from_major_text(&text, Currency::CNY.exponent());
        Some(amount.map_err(|_| Failure::garbled("an amount in the answer is no amount")))
    }

    /// The channel's number of the trade.
    pub(super) fn trade_no(&self) -> Option<TradeNo> {
        TradeNo::parse(&self.text("trade_no")?).ok()
    }

    /// An instant in China's time.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        Timestamp::from_china_text(&self.text(name)?)
    }
}

/// A call that did not simply succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub verdict: Verdict,
    pub refusal: ChannelRefusal,
}

impl Failure {
    fn new(meaning: Meaning, code: &str, message: &str) -> Failure {
        let refusal = ChannelRefusal {
            why: meaning.why,
            code: code.chars().filter(char::is_ascii_graphic).take(CODE_CHARS_MAX).collect(),
            message: message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect(),
        };
        Failure { verdict: meaning.verdict, refusal }
    }

    fn unknown(why: RefusalClass, code: &str, message: &str) -> Failure {
        Failure::new(Meaning { verdict: Verdict::Unknown, why }, code, message)
    }

    /// An answer that cannot be read, or that does not fit what was asked.
    pub(super) fn garbled(message: &str) -> Failure {
        Failure::unknown(RefusalClass::Garbled, "garbled", message)
    }

    /// A request of ours that cannot be made at all.
    pub(super) fn not_made(message: &str) -> Failure {
        let why = RefusalClass::Business;
        Failure::new(Meaning { verdict: Verdict::NotDone, why }, "not_made", message)
    }

    /// Alipay's word for a state, where it is a word that we do not know.
    pub(super) fn unclassified(method: Method, word: &str) -> Failure {
        tracing::warn!(method = method.name(), word, "alipay said what is not in our table");
        let message = "the channel said what is not in our table";
        Failure::unknown(RefusalClass::Unclassified, word, message)
    }

    /// What became of a request that has no answer (specs/reliability.md §7.3).
    pub(super) fn of(trouble: Trouble) -> Failure {
        let why = RefusalClass::Connection;
        match trouble {
            Trouble::NotConnected | Trouble::AddressNotAllowed => {
                let meaning = Meaning { verdict: Verdict::NotDone, why };
                Failure::new(meaning, "not_connected", "the channel cannot be reached")
            }
            Trouble::TimedOut => {
                Failure::unknown(why, "timeout", "the channel did not answer in time")
            }
            Trouble::Broken => {
                Failure::unknown(why, "broken", "the connection to the channel broke")
            }
        }
    }

    /// What it means to somebody who asked for a deed.
    pub(super) fn outcome<T>(self) -> Outcome<T> {
        match self.verdict {
            Verdict::Refused | Verdict::NotFound => Outcome::Refused(self.refusal),
            Verdict::NotDone => Outcome::NotSent(self.refusal),
            Verdict::Unknown | Verdict::NotOpen | Verdict::Paying | Verdict::Done => {
                Outcome::Unknown(self.refusal)
            }
        }
    }

    /// What it means to somebody who asked a question: a question refused says nothing about what
    /// was asked after, so it is never a refusal.
    pub(super) fn of_question<T>(self, nothing: T) -> Outcome<T> {
        match self.verdict {
            Verdict::NotFound => Outcome::Accepted(nothing),
            Verdict::NotDone => Outcome::NotSent(self.refusal),
            Verdict::Refused
            | Verdict::Unknown
            | Verdict::NotOpen
            | Verdict::Paying
            | Verdict::Done => Outcome::Unknown(self.refusal),
        }
    }
}

/// Reads the answer to `method` about our payment `number`.
pub(super) fn read(
    reply: &Reply,
    method: Method,
    number: &ChannelNumber,
    settings: &Settings,
) -> Result<Node, Failure> {
    if reply.status != 200 {
        let why = match reply.status {
            429 | 500.. => RefusalClass::Busy,
            _ => RefusalClass::Garbled,
        };
        let code = format!("http_{}", reply.status);
        return Err(Failure::unknown(why, &code, "the channel answered without a document"));
    }
    let text = Some(&reply.body).filter(|_| reply.is_whole);
    let text = text.and_then(|body| std::str::from_utf8(body).ok());
    let text = text.ok_or_else(|| Failure::garbled("the answer is too long or no text"))?;
    let document = sign::alipay::answer(text, &method.node())
        .or_else(|| sign::alipay::answer(text, "error_response"))
        .ok_or_else(|| Failure::garbled("the answer is broken"))?;
    let node = serde_json::from_str::<HashMap<String, Box<RawValue>>>(document.node).map(Node);
    let node = node.map_err(|_| Failure::garbled("the answer is broken"))?;
    let code = node.text("code").unwrap_or_default();
    let sub_code = node.text("sub_code").unwrap_or_default();
    let signature = document.sign.and_then(unescaped);
    if !signature.is_some_and(|signature| settings.is_signed(document.node, &signature)) {
        // What it says is shown to people, who may find a wrong setting by it, and not believed.
        let says = format!("the answer is not signed by the channel; it says {code} {sub_code}");
        return Err(Failure::unknown(RefusalClass::BadSignature, "signature", &says));
    }
    judge(method, number, node, &code, &sub_code)
}

/// Base64 may come with its slashes escaped.
fn unescaped(json: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{json}\"")).ok()
}

fn judge(
    method: Method,
    number: &ChannelNumber,
    node: Node,
    code: &str,
    sub_code: &str,
) -> Result<Node, Failure> {
    let meaning = meaning_of(method, code, sub_code);
    if meaning.why == RefusalClass::Unclassified {
        let method = method.name();
        tracing::warn!(method, code, sub_code, "alipay answered a code that is not in our table");
    }
    let word = if sub_code.is_empty() { code } else { sub_code };
    let said = node.text("sub_msg").or_else(|| node.text("msg")).unwrap_or_default();
    // A cancellation that wants to be repeated is not over, whatever else it says (§1.10).
    if node.text("retry_flag").as_deref() == Some("Y") {
        return Err(Failure::unknown(RefusalClass::Busy, word, &said));
    }
    match meaning.verdict {
        Verdict::Done | Verdict::Paying => match node.text("out_trade_no") {
            Some(other) if other != number.as_str() => {
                Err(Failure::garbled("the answer is about another payment"))
            }
            // An unknown refund is answered without any number.
            None if method != Method::RefundQuery => {
                Err(Failure::garbled("the answer does not name the payment"))
            }
            Some(_) | None if meaning.verdict == Verdict::Done => Ok(node),
            Some(_) | None => Err(Failure::new(meaning, word, &said)),
        },
        Verdict::Refused
        | Verdict::NotDone
        | Verdict::Unknown
        | Verdict::NotFound
        | Verdict::NotOpen => Err(Failure::new(meaning, word, &said)),
    }
}

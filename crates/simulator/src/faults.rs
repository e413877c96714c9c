//! Misbehaviour on demand: what an order's notifications and answers do wrong, and how often.
//!
//! Faults belong to a number, not to a trade, so they can be set before the trade exists.

use serde::{Deserialize, Serialize};

/// All faults of one order. Setting faults replaces the former ones; `{}` clears them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// What goes wrong with notifications.
    pub notify: NotifyFaults,
    /// What goes wrong with the gateway's answers.
    pub answer: AnswerFaults,
}

impl Faults {
    /// True when nothing is left to go wrong.
    pub fn is_empty(&self) -> bool {
        *self == Faults::default()
    }
}

/// Faults of notifications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NotifyFaults {
    /// The first send waits this long on the simulator's clock; not scaled.
    pub delay_seconds: u32,
    /// The next acknowledged notification is sent this many times more, with the same `notify_id`.
    pub duplicate: u32,
    /// So many sends are dropped on the way; each counts as a failed attempt of the schedule.
    pub lose: Lose,
    /// A notification waits until a later one of the same trade has been sent.
    pub out_of_order: bool,
    /// Every send is forged in this way while it is set.
    pub forge: Option<Forge>,
}

/// How many sends are lost: a number, or `"all"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Lose {
    /// The next so many.
    Times(u32),
    /// Every one while the fault is set.
    All(All),
}

/// The word `"all"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    /// The only word.
    All,
}

impl Default for Lose {
    fn default() -> Lose {
        Lose::Times(0)
    }
}

/// What a forged notification lies about. All but `Signature` are signed correctly, so that only
/// the receiver's own checks can find the lie (specs/channels.md §1.11, "Then check").
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Forge {
    /// Signed by a key that is not the channel's.
    Signature,
    /// `total_amount` and its companions are one fen too high.
    Amount,
    /// Another `app_id`.
    App,
    /// Another `seller_id` and `seller_email`.
    Seller,
    /// An `out_trade_no` that nobody has opened.
    Order,
}

/// Faults of answers. Each number says how many requests it spoils; when several are set, the
/// first in the order of these fields is used up before the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnswerFaults {
    /// Every answer is held back so many real milliseconds, after the work is done.
    pub delay_ms: u64,
    /// The connection breaks before anything is done.
    pub reset: u32,
    /// HTTP 500 with a page that is no JSON, before anything is done.
    pub http_500: u32,
    /// 40005, before anything is done.
    pub rate_limit: u32,
    /// 20000 without doing the work.
    pub unknown_before: u32,
    /// 20000 although the work was done.
    pub unknown: u32,
    /// The work is done, then the connection breaks.
    pub lost_after: u32,
    /// The work is done; the answer carries no `sign`.
    pub unsigned: u32,
    /// The work is done; the answer is signed by a key that is not the channel's.
    pub wrong_sign: u32,
    /// The work is done; the answer ends in the middle.
    pub truncated: u32,
    /// `alipay.trade.pay` answers 10003 and waits for the payer.
    pub waiting: u32,
    /// `alipay.trade.refund` is accepted with `fund_change` N, and no money moves until the control
    /// API says `refund_ok` or `refund_fail`.
    pub refund_pending: u32,
    /// Only these methods are spoilt (`alipay.trade.refund` or `refund`); empty means all.
    pub methods: Vec<String>,
}

/// What goes wrong with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerFault {
    Reset,
    Http500,
    RateLimit,
    UnknownBefore,
    Unknown,
    LostAfter,
    Unsigned,
    WrongSign,
    Truncated,
    Waiting,
    RefundPending,
}

impl AnswerFault {
    /// The word in the control API and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            AnswerFault::Reset => "reset",
            AnswerFault::Http500 => "http_500",
            AnswerFault::RateLimit => "rate_limit",
            AnswerFault::UnknownBefore => "unknown_before",
            AnswerFault::Unknown => "unknown",
            AnswerFault::LostAfter => "lost_after",
            AnswerFault::Unsigned => "unsigned",
            AnswerFault::WrongSign => "wrong_sign",
            AnswerFault::Truncated => "truncated",
            AnswerFault::Waiting => "waiting",
            AnswerFault::RefundPending => "refund_pending",
        }
    }
}

impl AnswerFaults {
    fn concerns(&self, method: &str) -> bool {
        let named = |m: &String| {
            method == m || method.strip_suffix(m.as_str()).is_some_and(|head| head.ends_with('.'))
        };
        self.methods.is_empty() || self.methods.iter().any(named)
    }

    /// How long to hold back an answer to `method`.
    pub fn delay_for(&self, method: &str) -> u64 {
        if self.concerns(method) { self.delay_ms } else { 0 }
    }

    /// Uses up the first fault that applies to `method`.
    pub fn take(&mut self, method: &str) -> Option<AnswerFault> {
        if !self.concerns(method) {
            return None;
        }
        let scan = method == "alipay.trade.pay";
        let refund = method == "alipay.trade.refund";
        let table = [
            (&mut self.reset, AnswerFault::Reset, true),
            (&mut self.http_500, AnswerFault::Http500, true),
            (&mut self.rate_limit, AnswerFault::RateLimit, true),
            (&mut self.unknown_before, AnswerFault::UnknownBefore, true),
            (&mut self.unknown, AnswerFault::Unknown, true),
            (&mut self.lost_after, AnswerFault::LostAfter, true),
            (&mut self.unsigned, AnswerFault::Unsigned, true),
            (&mut self.wrong_sign, AnswerFault::WrongSign, true),
            (&mut self.truncated, AnswerFault::Truncated, true),
            (&mut self.waiting, AnswerFault::Waiting, scan),
            (&mut self.refund_pending, AnswerFault::RefundPending, refund),
        ];
        for (left, fault, applies) in table {
            if applies && *left > 0 {
                *left -= 1;
                return Some(fault);
            }
        }
        None
    }
}

impl NotifyFaults {
    /// Uses up one loss.
    pub fn take_loss(&mut self) -> bool {
        match &mut self.lose {
            Lose::All(All::All) => true,
            Lose::Times(0) => false,
            Lose::Times(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The faults, explained for the reader of `GET /control/faults`.
pub(crate) fn explained() -> serde_json::Value {
    serde_json::json!({
        "usage": "POST /control/trades/{out_trade_no} with {\"faults\":{...}}; replaces the \
                  former faults of that number; {} clears; may come before the trade exists",
        "notify": {
            "delay_seconds": "the first send waits so long on the simulator's clock (not scaled)",
            "duplicate": "n: the next acknowledged notification is sent n times more",
            "lose": "n or \"all\": sends dropped on the way; each is an attempt of the schedule",
            "out_of_order": "true: a notification waits for a later one of the same trade",
            "forge": "signature | amount | app | seller | order: every send lies while set",
        },
        "answer": {
            "delay_ms": "every answer is held back, after the work",
            "reset": "n: the connection breaks, nothing done",
            "http_500": "n: HTTP 500, nothing done",
            "rate_limit": "n: code 40005, nothing done",
            "unknown_before": "n: code 20000, nothing done",
            "unknown": "n: code 20000, the work is done",
            "lost_after": "n: the work is done, then the connection breaks",
            "unsigned": "n: the work is done, the answer has no sign",
            "wrong_sign": "n: the work is done, the answer has a wrong sign",
            "truncated": "n: the work is done, the answer ends in the middle",
            "waiting": "n: alipay.trade.pay answers 10003",
            "refund_pending": "n: a refund is accepted with fund_change N and not yet done",
            "methods": "[\"alipay.trade.refund\", ...]: only these are spoilt; absent means all",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_fault_is_used_up_and_keeps_to_its_methods() {
        let mut faults: Faults =
            serde_json::from_str(r#"{"answer":{"unknown":1,"reset":1,"methods":["refund"]}}"#)
                .unwrap();
        assert_eq!(faults.answer.take("alipay.trade.query"), None);
        assert_eq!(faults.answer.take("alipay.trade.refund"), Some(AnswerFault::Reset));
        assert_eq!(faults.answer.take("alipay.trade.refund"), Some(AnswerFault::Unknown));
        assert_eq!(faults.answer.take("alipay.trade.refund"), None);
        assert_eq!(faults.answer.take("alipay.trade.norefund"), None);
    }

    #[test]
    fn losses_are_counted_or_endless() {
        let mut some: NotifyFaults = serde_json::from_str(r#"{"lose":1}"#).unwrap();
        assert!(some.take_loss() && !some.take_loss());
        let mut all: NotifyFaults = serde_json::from_str(r#"{"lose":"all"}"#).unwrap();
        assert!(all.take_loss() && all.take_loss());
        assert!(serde_json::from_str::<NotifyFaults>(r#"{"lose":"some"}"#).is_err());
        assert!(serde_json::from_str::<Faults>(r#"{"answers":{}}"#).is_err());
    }
}

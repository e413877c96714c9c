//! What Alipay's result codes mean to us, as data (specs/channels.md §1.6, specs/reliability.md
//! §7.3).
//!
//! A code is final only where Alipay's documents say that nothing was or will be done. Whatever is
//! not in the table is unknown, and is reported so that it comes into the table.

use domain::operation::RefusalClass;

use super::request::Method;

/// What a result code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Done.
    Done,
    /// The payer is entering a password.
    Paying,
    /// Refused for good.
    Refused,
    /// Nothing was done; the same request may be sent again.
    NotDone,
    /// Perhaps done, perhaps not.
    Unknown,
    /// There is no such trade.
    NotFound,
    /// The trade is no longer open: paid, most likely, and a query tells.
    NotOpen,
}

/// A verdict and the kind of trouble behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub verdict: Verdict,
    pub why: RefusalClass,
}

const fn meaning(verdict: Verdict, why: RefusalClass) -> Meaning {
    Meaning { verdict, why }
}

const DONE: Meaning = meaning(Verdict::Done, RefusalClass::Business);
const PAYING: Meaning = meaning(Verdict::Paying, RefusalClass::Busy);
const REFUSED: Meaning = meaning(Verdict::Refused, RefusalClass::Business);
const MISCONFIGURED: Meaning = meaning(Verdict::Refused, RefusalClass::Configuration);
const LATER: Meaning = meaning(Verdict::NotDone, RefusalClass::Busy);
const NO_FUNDS: Meaning = meaning(Verdict::NotDone, RefusalClass::Business);
const BUSY: Meaning = meaning(Verdict::Unknown, RefusalClass::Busy);
const ASK: Meaning = meaning(Verdict::Unknown, RefusalClass::Business);
const NOT_FOUND: Meaning = meaning(Verdict::NotFound, RefusalClass::NotFound);
const NOT_OPEN: Meaning = meaning(Verdict::NotOpen, RefusalClass::Business);
const UNCLASSIFIED: Meaning = meaning(Verdict::Unknown, RefusalClass::Unclassified);

/// Ways to open a trade by a server's call.
const OPEN: &[Method] = &[Method::Precreate, Method::Pay, Method::Create];
const PAY: &[Method] = &[Method::Pay];
const CLOSE: &[Method] = &[Method::Close];
const CANCEL: &[Method] = &[Method::Cancel];
const REFUND: &[Method] = &[Method::Refund];
const BACK: &[Method] = &[Method::Refund, Method::Cancel];
/// Whatever names a trade.
const NAMED: &[Method] =
    &[Method::Query, Method::Close, Method::Cancel, Method::Refund, Method::RefundQuery];
const ANY: &[Method] = &[
    Method::Precreate,
    Method::Pay,
    Method::Create,
    Method::Query,
    Method::Close,
    Method::Cancel,
    Method::Refund,
    Method::RefundQuery,
];

/// Under code 40004: which methods, which `sub_code`, what it means.
pub(super) const BUSINESS: &[(&[Method], &str, Meaning)] = &[
    (ANY, "ACQ.SYSTEM_ERROR", BUSY),
    (ANY, "aop.ACQ.SYSTEM_ERROR", BUSY),
    (ANY, "isp.unknow-error", BUSY),
    (ANY, "ACQ.INVALID_PARAMETER", REFUSED),
    (ANY, "ACQ.ACCESS_FORBIDDEN", MISCONFIGURED),
    (ANY, "ACQ.PARTNER_ERROR", MISCONFIGURED),
    // Our number was used before: only a query tells what came of it.
    (OPEN, "ACQ.TRADE_HAS_SUCCESS", ASK),
    (OPEN, "ACQ.TRADE_BUYER_NOT_MATCH", ASK),
    (OPEN, "ACQ.TRADE_HAS_CLOSE", REFUSED),
    (OPEN, "ACQ.CONTEXT_INCONSISTENT", REFUSED),
    (OPEN, "ACQ.TOTAL_FEE_EXCEED", REFUSED),
    (OPEN, "ACQ.EXIST_FORBIDDEN_WORD", REFUSED),
    (OPEN, "ACQ.BUYER_SELLER_EQUAL", REFUSED),
    (OPEN, "ACQ.BUYER_ENABLE_STATUS_FORBID", REFUSED),
    (OPEN, "ACQ.SELLER_BEEN_BLOCKED", MISCONFIGURED),
    (PAY, "ACQ.PAYMENT_AUTH_CODE_INVALID", REFUSED),
    (PAY, "ACQ.BUYER_BALANCE_NOT_ENOUGH", REFUSED),
    (PAY, "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", REFUSED),
    (PAY, "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", REFUSED),
    (PAY, "ACQ.BEYOND_PAY_RESTRICTION", REFUSED),
    (PAY, "ACQ.BEYOND_PER_RECEIPT_RESTRICTION", REFUSED),
    (NAMED, "ACQ.TRADE_NOT_EXIST", NOT_FOUND),
    (CLOSE, "ACQ.TRADE_STATUS_ERROR", NOT_OPEN),
    (CLOSE, "ACQ.REASON_TRADE_STATUS_INVALID", NOT_OPEN),
    (CLOSE, "ACQ.REASON_ILLEGAL_STATUS", NOT_OPEN),
    (REFUND, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", REFUSED),
    (REFUND, "ACQ.REASON_TRADE_REFUND_FEE_ERR", REFUSED),
    (REFUND, "ACQ.DISCORDANT_REPEAT_REQUEST", REFUSED),
    // A trade that our own lost refund has closed may answer so: the refund's query decides.
    (REFUND, "ACQ.TRADE_STATUS_ERROR", ASK),
    // The seller's account is empty; it may be filled, and the number stays the same.
    (BACK, "ACQ.SELLER_BALANCE_NOT_ENOUGH", NO_FUNDS),
    (BACK, "ACQ.TRADE_HAS_FINISHED", REFUSED),
    (BACK, "ACQ.REASON_TRADE_BEEN_FREEZEN", REFUSED),
    (CANCEL, "ACQ.TRADE_CANCEL_TIME_OUT", REFUSED),
    (CANCEL, "ACQ.CANCEL_NOT_ALLOWED", REFUSED),
];

/// Looks a result up. `sub_code` is empty where there is none.
pub(super) fn meaning_of(method: Method, code: &str, sub_code: &str) -> Meaning {
    match (code, sub_code) {
        ("10000", "") => DONE,
        ("10003", _) if method == Method::Pay => PAYING,
        ("20000", _) => BUSY,
        // The gateway itself turned the request away before any business was done.
        ("20001" | "40001" | "40002" | "40003" | "40006", _) => MISCONFIGURED,
        ("40005", _) => LATER,
        ("40004", _) => BUSINESS
            .iter()
            .find(|(methods, word, _)| *word == sub_code && methods.contains(&method))
            .map_or(UNCLASSIFIED, |(_, _, meaning)| *meaning),
        _ => UNCLASSIFIED,
    }
}

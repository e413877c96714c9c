//! Giving money back and asking after it (specs/channels.md §1.8, §1.10).
//!
//! Alipay moves money once for one `out_request_no`, which is our number of the refund.

use domain::channel::{RefundFound, RefundOrder};
use domain::operation::Outcome;
use serde::Serialize;

use super::Alipay;
use super::answer::{Failure, Node};
use super::request::{Method, json, one_line};

/// Alipay's limit of `refund_reason`, in characters.
const REASON_CHARS_MAX: usize = 256;

#[derive(Serialize)]
struct RefundContent<'a> {
    out_trade_no: &'a str,
    refund_amount: &'a str,
    out_request_no: &'a str,
    refund_reason: String,
}

#[derive(Serialize)]
struct QueryContent<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
    query_options: [&'static str; 1],
}

impl Alipay {
    pub(super) async fn refund_trade(&self, order: &RefundOrder) -> Outcome<RefundFound> {
        let content = RefundContent {
            out_trade_no: order.payment.as_str(),
            refund_amount: &order.money.to_major_text(),
            out_request_no: order.number.as_str(),
            refund_reason: one_line(order.reason.as_str(), REASON_CHARS_MAX),
        };
        let answered = self.call(Method::Refund, &order.payment, &json(&content)).await;
        match answered.and_then(|node| refunded(order, &node)) {
            Ok(found) => Outcome::Accepted(found),
            Err(failure) => failure.outcome(),
        }
    }

    pub(super) async fn query_refunded(&self, order: &RefundOrder) -> Outcome<RefundFound> {
        let content = QueryContent {
            out_trade_no: order.payment.as_str(),
            out_request_no: order.number.as_str(),
            query_options: ["gmt_refund_pay"],
        };
        let answered = self.call(Method::RefundQuery, &order.payment, &json(&content)).await;
        match answered.and_then(|node| found(order, &node)) {
            Ok(found) => Outcome::Accepted(found),
            Err(failure) => failure.of_question(RefundFound::Nothing),
        }
    }
}

fn refunded(order: &RefundOrder, node: &Node) -> Result<RefundFound, Failure> {
    // The sum of all refunds so far, so ours is part of it.
    if let Some(sum) = node.yuan("refund_fee") {
        let sum = sum?;
        let is_change = node.text("fund_change").as_deref() == Some("Y");
        if sum > order.total || (is_change && sum < order.money.amount) {
            return Err(Failure::garbled("the answer tells of another amount"));
        }
    }
    match node.text("fund_change").as_deref() {
        Some("Y") => {
            Ok(RefundFound::Done { trade_no: node.trade_no(), at: node.time("gmt_refund_pay") })
        }
        // No money moved by this very call: a repeated one, perhaps. The query knows.
        Some("N") => Ok(RefundFound::Pending),
        Some(_) | None => Err(Failure::garbled("the answer does not tell whether money moved")),
    }
}

fn found(order: &RefundOrder, node: &Node) -> Result<RefundFound, Failure> {
    match node.text("refund_status").as_deref() {
        Some("REFUND_SUCCESS") => {}
        Some(other) => return Err(Failure::unclassified(Method::RefundQuery, other)),
        None => return Ok(RefundFound::Nothing),
    }
    if node.text("out_request_no").as_deref() != Some(order.number.as_str()) {
        return Err(Failure::garbled("the answer is about another refund"));
    }
    for (name, ours) in [("refund_amount", order.money.amount), ("total_amount", order.total)] {
        if let Some(theirs) = node.yuan(name)
            && theirs? != ours
        {
            return Err(Failure::garbled("the answer tells of another amount"));
        }
    }
    Ok(RefundFound::Done { trade_no: node.trade_no(), at: node.time("gmt_refund_pay") })
}

//! Asking after a trade and ending it (specs/channels.md §1.8, §1.10).

use domain::channel::{Closed, PaymentFound, ReversedAs};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::text::ChannelNumber;

use super::Alipay;
use super::answer::{Failure, Node};
use super::codes::Verdict;
use super::proof::proof;
use super::request::Method;

impl Alipay {
    pub(super) async fn query_trade(&self, number: &ChannelNumber) -> Outcome<PaymentFound> {
        let found = self.call(Method::Query, number, &named(number)).await;
        match found.and_then(|node| self.found(&node)) {
            Ok(found) => Outcome::Accepted(found),
            Err(failure) => failure.of_question(PaymentFound::Nothing),
        }
    }

    fn found(&self, node: &Node) -> Result<PaymentFound, Failure> {
        let status = node.text("trade_status").unwrap_or_default();
        match &*status {
            "WAIT_BUYER_PAY" => Ok(PaymentFound::Waiting),
            "TRADE_CLOSED" => Ok(PaymentFound::Closed),
            // A payment whose instant is not told is one all the same: it is ours from now on.
            "TRADE_SUCCESS" | "TRADE_FINISHED" => {
                match proof(|name| node.text(name), Some(self.clock.now())) {
                    Some(proof) => Ok(PaymentFound::Paid { proof }),
                    None => {
                        Err(Failure::garbled("the answer tells of a payment without its facts"))
                    }
                }
            }
            other => Err(Failure::unclassified(Method::Query, other)),
        }
    }

    pub(super) async fn close_trade(&self, number: &ChannelNumber) -> Outcome<Closed> {
        match self.call(Method::Close, number, &named(number)).await {
            Ok(_) => Outcome::Accepted(Closed::Closed),
            // Only an open trade can be closed. A closed one answers the same as a paid one, so
            // this is a hint to ask and not a fact.
            Err(failure) if failure.verdict == Verdict::NotOpen => {
                Outcome::Accepted(Closed::AlreadyPaid)
            }
            Err(failure) => failure.outcome(),
        }
    }

    pub(super) async fn cancel_trade(&self, number: &ChannelNumber) -> Outcome<ReversedAs> {
        let node = match self.call(Method::Cancel, number, &named(number)).await {
            Ok(node) => node,
            Err(failure) => return failure.outcome(),
        };
        match node.text("action").as_deref() {
            Some("close") => Outcome::Accepted(ReversedAs::Closed),
            Some("refund") => Outcome::Accepted(ReversedAs::Refunded),
            Some(other) => Failure::unclassified(Method::Cancel, other).outcome(),
            // Alipay names the action only where it found a trade.
            None => Outcome::Refused(ChannelRefusal {
                why: RefusalClass::NotFound,
                code: "10000".into(),
                message: "the channel knows no such trade".into(),
            }),
        }
    }
}

/// `biz_content` of whatever only names a trade. A number holds nothing that JSON would escape.
fn named(number: &ChannelNumber) -> String {
    format!(r#"{{"out_trade_no":"{number}"}}"#)
}

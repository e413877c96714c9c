//! The mock cashier of test charges (specs/pingpp.md §7).

use askama::Template;

use crate::Language;

/// Where a test charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockState {
    /// It can be paid.
    Open,
    /// It is paid.
    Paid,
    /// It cannot be paid any more.
    Closed,
}

/// What the payer did before this page was shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Tried to pay and failed.
    Failed,
    /// Went away; the merchant named no place to go.
    Cancelled,
    /// Tried to pay, and the payment could not be made just then.
    Unavailable,
}

impl Deed {
    const ALL: [Deed; 3] = [Deed::Failed, Deed::Cancelled, Deed::Unavailable];

    /// The word for it in the page's address.
    pub fn word(self) -> &'static str {
        match self {
            Deed::Failed => "failed",
            Deed::Cancelled => "cancelled",
            Deed::Unavailable => "unavailable",
        }
    }

    /// Reads the word; anything else says nothing.
    pub fn of_word(word: &str) -> Option<Deed> {
        Deed::ALL.into_iter().find(|deed| deed.word() == word)
    }

    fn say(self, language: Language) -> &'static str {
        match self {
            Deed::Failed => {
                language.say("支付失败，可以重新支付。", "The payment failed. You can try again.")
            }
            Deed::Cancelled => {
                language.say("您取消了支付，订单仍可支付。", "You cancelled. It can still be paid.")
            }
            Deed::Unavailable => language
                .say("暂时无法支付，请稍后再试。", "It cannot be paid right now. Try later."),
        }
    }
}

/// The mock cashier.
#[derive(Debug, Template)]
#[template(path = "mock.html")]
pub struct Mock {
    /// In which language.
    pub language: Language,
    /// The charge's id.
    pub charge: String,
    /// The way to pay.
    pub channel: String,
    /// The merchant's number.
    pub order_no: String,
    /// What is bought.
    pub subject: String,
    /// Major units.
    pub amount: String,
    /// Three letters.
    pub currency: String,
    /// Where it stands.
    pub state: MockState,
    /// What the payer did last.
    pub last: Option<Deed>,
    /// An http or https address of the merchant's, offered once the charge is paid.
    pub back: Option<String>,
}

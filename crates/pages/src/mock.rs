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
}

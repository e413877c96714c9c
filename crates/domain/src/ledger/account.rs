//! Ledger accounts: the chart, and balances kept as two sums.

use crate::currency::Currency;
use crate::id::Id;
use crate::money::{Amount, AmountError};
use crate::tenant::{MemberId, RouteId, Tenant};

/// The two sides of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Left.
    Debit,
    /// Right.
    Credit,
}

/// Whose account inside a tenant's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The merchant itself.
    Merchant,
    /// One of its wallet users.
    Member(MemberId),
    /// Its contract with an upstream.
    Route(RouteId),
    /// The platform.
    Platform,
}

/// What the account counts (DESIGN §3, specs/reliability.md §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// Money that its owner may spend; a part of it can be held.
    Available,
    /// Money that an upstream owes us.
    Receivable,
    /// What the platform earned.
    FeeIncome,
    /// Money that arrived for an order already closed.
    Suspense,
    /// The other side of balances brought along or put in by an operator.
    Opening,
}

impl AccountKind {
    /// The side that makes the balance grow.
    pub const fn normal_side(self) -> Side {
        match self {
            AccountKind::Receivable | AccountKind::Opening => Side::Debit,
            AccountKind::Available | AccountKind::FeeIncome | AccountKind::Suspense => Side::Credit,
        }
    }

    /// Whether the balance may fall below zero: an upstream can owe us less than nothing between a
    /// refund and its settlement, and the opening account takes either sign.
    pub const fn may_be_negative(self) -> bool {
        match self {
            AccountKind::Receivable | AccountKind::Opening => true,
            AccountKind::Available | AccountKind::FeeIncome | AccountKind::Suspense => false,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            AccountKind::Available => "available",
            AccountKind::Receivable => "receivable",
            AccountKind::FeeIncome => "fee_income",
            AccountKind::Suspense => "suspense",
            AccountKind::Opening => "opening",
        }
    }
}

/// An account's place in a tenant's chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountPath {
    /// Whose.
    pub owner: Owner,
    /// Counting what.
    pub kind: AccountKind,
    /// In which currency.
    pub currency: Currency,
}

impl AccountPath {
    /// What the merchant may spend.
    pub const fn merchant_available(currency: Currency) -> AccountPath {
        AccountPath { owner: Owner::Merchant, kind: AccountKind::Available, currency }
    }

    /// What a member may spend.
    pub const fn member_available(member: MemberId, currency: Currency) -> AccountPath {
        AccountPath { owner: Owner::Member(member), kind: AccountKind::Available, currency }
    }

    /// What an upstream owes.
    pub const fn receivable(route: RouteId, currency: Currency) -> AccountPath {
        AccountPath { owner: Owner::Route(route), kind: AccountKind::Receivable, currency }
    }

    /// An account of the platform.
    pub const fn platform(kind: AccountKind, currency: Currency) -> AccountPath {
        AccountPath { owner: Owner::Platform, kind, currency }
    }

    /// The stored form: `member:4711/available/CNY`.
    pub fn to_text(self) -> String {
        let (kind, currency) = (self.kind.word(), self.currency.code());
        match self.owner {
            Owner::Merchant => format!("merchant/{kind}/{currency}"),
            Owner::Member(id) => format!("member:{}/{kind}/{currency}", id.raw()),
            Owner::Route(id) => format!("route:{}/{kind}/{currency}", id.raw()),
            Owner::Platform => format!("platform/{kind}/{currency}"),
        }
    }

    /// Reads the stored form.
    pub fn from_text(text: &str) -> Option<AccountPath> {
        let mut parts = text.split('/');
        let (owner, kind, currency) = (parts.next()?, parts.next()?, parts.next()?);
        let owner = match owner.split_once(':') {
            None if owner == "merchant" => Owner::Merchant,
            None if owner == "platform" => Owner::Platform,
            Some(("member", id)) => Owner::Member(Id::from_raw(id.parse().ok()?)),
            Some(("route", id)) => Owner::Route(Id::from_raw(id.parse().ok()?)),
            None | Some(_) => return None,
        };
        let kinds = [
            AccountKind::Available,
            AccountKind::Receivable,
            AccountKind::FeeIncome,
            AccountKind::Suspense,
            AccountKind::Opening,
        ];
        let kind = kinds.into_iter().find(|k| k.word() == kind)?;
        let path = AccountPath { owner, kind, currency: Currency::from_code(currency)? };
        parts.next().is_none().then_some(path)
    }
}

/// Names one account row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountKey {
    /// Whose book.
    pub tenant: Tenant,
    /// Which account in it.
    pub path: AccountPath,
}

/// An account with its running totals.
///
/// Balances are two growing sums, never one signed number; `held` is the part of the balance that
/// is reserved (the chart's *frozen*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Which account.
    pub key: AccountKey,
    /// Sum of all debit entries, minor units.
    pub debits: i128,
    /// Sum of all credit entries, minor units.
    pub credits: i128,
    /// Sum of the open holds.
    pub held: Amount,
    /// Number of entries so far; the next entry gets this plus one.
    pub entries: i64,
}

/// Why an account refused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Less is available than asked for.
    #[error("insufficient balance")]
    Insufficient,
    /// A sum left its range.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl Account {
    /// A new account with nothing in it.
    pub const fn empty(key: AccountKey) -> Account {
        Account { key, debits: 0, credits: 0, held: Amount::ZERO, entries: 0 }
    }

    /// The balance on the account's normal side, held part included.
    pub const fn balance(&self) -> i128 {
        match self.key.path.kind.normal_side() {
            Side::Debit => self.debits - self.credits,
            Side::Credit => self.credits - self.debits,
        }
    }

    /// The balance without what is held.
    pub const fn available(&self) -> i128 {
        self.balance() - self.held.minor() as i128
    }

    /// Adds one entry and returns the balance after it. Nothing changes on refusal.
    pub fn post(&mut self, side: Side, amount: Amount) -> Result<i128, AccountError> {
        let (debits, credits) = match side {
            Side::Debit => (self.debits + i128::from(amount.minor()), self.credits),
            Side::Credit => (self.debits, self.credits + i128::from(amount.minor())),
        };
        let after = Account { debits, credits, ..self.clone() };
        // Falling below zero is refused; an account that is already there may climb.
        let falls = after.balance() < self.balance();
        if falls && !self.key.path.kind.may_be_negative() && after.available() < 0 {
            return Err(AccountError::Insufficient);
        }
        self.debits = debits;
        self.credits = credits;
        self.entries += 1;
        Ok(self.balance())
    }

    /// Reserves a part of what is available.
    pub fn hold(&mut self, amount: Amount) -> Result<(), AccountError> {
        if i128::from(amount.minor()) > self.available() {
            return Err(AccountError::Insufficient);
        }
        self.held = self.held.plus(amount)?;
        Ok(())
    }

    /// Gives a reserved part back to what is available.
    pub fn release(&mut self, amount: Amount) -> Result<(), AccountError> {
        self.held = self.held.minus(amount)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Mode;

    fn wallet() -> Account {
        let tenant = Tenant { merchant: Id::from_raw(1), mode: Mode::Test };
        Account::empty(AccountKey { tenant, path: AccountPath::merchant_available(Currency::CNY) })
    }

    fn fen(n: i64) -> Amount {
        Amount::new(n).unwrap()
    }

    #[test]
    fn held_money_cannot_be_spent_or_held_again() {
        let mut account = wallet();
        account.post(Side::Credit, fen(100)).unwrap();
        account.hold(fen(60)).unwrap();
        assert_eq!(account.hold(fen(41)), Err(AccountError::Insufficient));
        assert_eq!(account.post(Side::Debit, fen(41)), Err(AccountError::Insufficient));
        assert_eq!(account.post(Side::Debit, fen(40)), Ok(60));
        account.release(fen(60)).unwrap();
        assert_eq!(account.post(Side::Debit, fen(60)), Ok(0));
        assert_eq!(account.release(fen(1)), Err(AccountError::Amount(AmountError::Negative)));
    }

    #[test]
    fn paths_round_trip_through_their_text() {
        for path in [
            AccountPath::merchant_available(Currency::CNY),
            AccountPath::member_available(Id::from_raw(42), Currency::CNY),
            AccountPath::receivable(Id::from_raw(7), Currency::CNY),
            AccountPath::platform(AccountKind::Suspense, Currency::CNY),
        ] {
            assert_eq!(AccountPath::from_text(&path.to_text()), Some(path));
        }
        for bad in ["", "merchant/available", "merchant/available/CNY/x", "x/available/CNY"] {
            assert_eq!(AccountPath::from_text(bad), None);
        }
    }
}

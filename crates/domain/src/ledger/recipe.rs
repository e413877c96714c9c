//! One function per business event: which accounts it moves (specs/reliability.md §3.1).

use super::account::{AccountKind, AccountPath, Side};
use super::journal::Line;
use crate::money::{Amount, Money};

fn debit(path: AccountPath, amount: Amount) -> Line {
    Line { path, side: Side::Debit, amount }
}

fn credit(path: AccountPath, amount: Amount) -> Line {
    Line { path, side: Side::Credit, amount }
}

/// Money from a payer: `source` is the upstream's receivable or a member's wallet. The merchant
/// gets the gross and gives the fee.
pub fn payment_settled(source: AccountPath, money: Money, fee: Amount) -> Vec<Line> {
    let merchant = AccountPath::merchant_available(money.currency);
    let mut lines = vec![debit(source, money.amount), credit(merchant, money.amount)];
    if !fee.is_zero() {
        lines.push(debit(merchant, fee));
        lines.push(credit(AccountPath::platform(AccountKind::FeeIncome, money.currency), fee));
    }
    lines
}

/// Money that came after the close: it waits in suspense for its refund.
pub fn payment_late(source: AccountPath, money: Money) -> Vec<Line> {
    let suspense = AccountPath::platform(AccountKind::Suspense, money.currency);
    vec![debit(source, money.amount), credit(suspense, money.amount)]
}

/// Money back to the payer: `from` is where the hold was, `target` where the money came from.
pub fn refund_settled(from: AccountPath, target: AccountPath, money: Money) -> Vec<Line> {
    vec![debit(from, money.amount), credit(target, money.amount)]
}

/// An operator's or an import's opening balance; it raises `path`.
pub fn opening(path: AccountPath, amount: Amount) -> Vec<Line> {
    let other = AccountPath::platform(AccountKind::Opening, path.currency);
    vec![debit(other, amount), credit(path, amount)]
}

/// The reverse of [`opening`]: it lowers `path`.
pub fn opening_lowered(path: AccountPath, amount: Amount) -> Vec<Line> {
    let other = AccountPath::platform(AccountKind::Opening, path.currency);
    vec![debit(path, amount), credit(other, amount)]
}

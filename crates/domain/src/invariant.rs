//! The invariants of the book as functions that `verify`, the tests and the long runs share
//! (specs/reliability.md §3.2).
//!
//! Rows are fed in the order in which `store::Queries::walk_books_of_all` passes them: all accounts
//! first, then the journals of each tenant in order, then holds, payments, refunds, receipts,
//! batches and events. Everything is recomputed from the entries; nothing stored is believed.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::currency::Currency;
use crate::event::{About, Event};
use crate::ledger::{Account, AccountKey, Cause, ChainHead, Journal, Side};
use crate::money::Amount;
use crate::payment::{Payment, PaymentId, PaymentState};
use crate::refund::{Refund, RefundBatch, RefundId, RefundOrigin, RefundState};
use crate::state::{Hold, HoldState, ReceiptRow};
use crate::tenant::Tenant;
use crate::text::PublicId;

/// Which invariant is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u8);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INV-{:02}", self.0)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which invariant.
    pub code: Code,
    /// Which row, by our ids.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

#[derive(Default)]
struct AccountSeen {
    debits: i128,
    credits: i128,
    entries: i64,
    held: i128,
}

/// Walks through a book and notes what does not add up.
#[derive(Default)]
pub struct Auditor {
    findings: Vec<Finding>,
    stored: HashMap<AccountKey, Account>,
    seen: HashMap<AccountKey, AccountSeen>,
    heads: HashMap<Tenant, ChainHead>,
    causes: HashSet<(Tenant, Cause)>,
    settled: HashMap<(Tenant, PaymentId), i128>,
    refunded: HashMap<(Tenant, RefundId), i128>,
    late: HashMap<(Tenant, RefundId), i128>,
    holds: HashMap<(Tenant, RefundId), (HoldState, Amount)>,
    payments: HashMap<(Tenant, PaymentId), PaymentSeen>,
    receipts: HashMap<(Tenant, PaymentId), u32>,
    late_receipts: HashMap<(Tenant, PaymentId), u32>,
    batches: HashMap<(Tenant, crate::refund::BatchId), (u32, u32, u32)>,
    events: HashSet<(Tenant, About, Box<str>)>,
    totals: HashMap<Currency, i128>,
}

struct PaymentSeen {
    public_id: PublicId,
    paid: bool,
    reversed: bool,
    closed: bool,
    amount: Amount,
    refunded: Amount,
    refunding: Amount,
    refunds: u32,
    wallet: bool,
    sum_done: i128,
    sum_open: i128,
    count: u32,
    reversals_done: u32,
    late: u32,
}

impl Auditor {
    fn find(&mut self, code: u8, subject: impl fmt::Display, detail: impl fmt::Display) {
        self.findings.push(Finding {
            code: Code(code),
            subject: subject.to_string(),
            detail: detail.to_string(),
        });
    }

    /// An account as stored.
    pub fn account(&mut self, account: Account) {
        self.stored.insert(account.key, account);
    }

    /// The next journal of its tenant (INV-01, 02, 03, 05, 06, 12, 13).
    pub fn journal(&mut self, journal: &Journal) {
        let tenant = journal.tenant();
        let name = format!("journal {} of {}", journal.seq(), book(tenant));
        let head = self.heads.get(&tenant).cloned().unwrap_or(ChainHead::start(tenant));
        if journal.seq() != head.seq + 1 {
            self.find(13, &name, format!("follows number {}", head.seq));
        }
        if journal.previous() != head.hash {
            self.find(12, &name, "does not continue the chain of hashes");
        }
        if journal.hash() != journal.computed_hash() {
            self.find(12, &name, "was changed after it was posted: its hash does not fit");
        }
        self.heads.insert(tenant, journal.head());
        let lines: Vec<_> = journal.entries().iter().map(|e| e.line).collect();
        if let Err(unbalanced) = Journal::check(&lines) {
            self.find(1, &name, unbalanced);
        }
        if !self.causes.insert((tenant, journal.cause())) {
            self.find(6, &name, "is the second one for the same event");
        }
        for entry in journal.entries() {
            self.entry(tenant, &name, entry);
        }
        self.cause(tenant, journal);
    }

    fn entry(&mut self, tenant: Tenant, name: &str, entry: &crate::ledger::Entry) {
        let line = entry.line;
        let key = AccountKey { tenant, path: line.path };
        let amount = i128::from(line.amount.minor());
        let seen = self.seen.entry(key).or_default();
        match line.side {
            Side::Debit => seen.debits += amount,
            Side::Credit => seen.credits += amount,
        }
        seen.entries += 1;
        let balance = match line.path.kind.normal_side() {
            Side::Debit => seen.debits - seen.credits,
            Side::Credit => seen.credits - seen.debits,
        };
        let expected_seq = seen.entries;
        let signed = if line.side == Side::Debit { amount } else { -amount };
        *self.totals.entry(line.path.currency).or_default() += signed;
        let account = line.path.to_text();
        if entry.balance_after != balance {
            let detail =
                format!("{account}: balance after is {}, sums to {balance}", entry.balance_after);
            self.find(2, name, detail);
        }
        if entry.account_seq != expected_seq {
            let detail = format!("{account}: entry {} at place {expected_seq}", entry.account_seq);
            self.find(2, name, detail);
        }
        if balance < 0 && !line.path.kind.may_be_negative() {
            self.find(3, name, format!("{account}: falls to {balance}"));
        }
    }

    fn cause(&mut self, tenant: Tenant, journal: &Journal) {
        let first = journal.entries().first().map_or(0, |e| i128::from(e.line.amount.minor()));
        match journal.cause() {
            Cause::PaymentSettled(id) => {
                self.settled.insert((tenant, id), first);
            }
            Cause::RefundSettled(id) => {
                self.refunded.insert((tenant, id), first);
            }
            Cause::PaymentLate(id) => {
                self.late.insert((tenant, id), first);
            }
            Cause::Opening(_) => {}
        }
    }

    /// A hold (INV-04).
    pub fn hold(&mut self, hold: &Hold) {
        let key = AccountKey { tenant: hold.tenant, path: hold.path };
        if hold.state == HoldState::Open {
            self.seen.entry(key).or_default().held += i128::from(hold.amount.minor());
        }
        self.holds.insert((hold.tenant, hold.refund), (hold.state, hold.amount));
    }

    /// A payment (INV-07).
    pub fn payment(&mut self, payment: &Payment) {
        let key = (payment.tenant, payment.id);
        let name = format!("payment {} of {}", payment.public_id, book(payment.tenant));
        let paid = payment.receipt().is_some();
        match (paid, self.settled.get(&key).copied()) {
            (true, None) => self.find(7, &name, "is paid but no journal booked it"),
            (false, Some(_)) => self.find(7, &name, "is not paid but a journal booked it"),
            (true, Some(booked)) if booked != i128::from(payment.money.amount.minor()) => {
                let detail =
                    format!("asks {} but {booked} was booked", payment.money.amount.minor());
                self.find(7, &name, detail);
            }
            (true, Some(_)) | (false, None) => {}
        }
        let sum = i128::from(payment.refunded.minor()) + i128::from(payment.refunding.minor());
        if sum > i128::from(payment.money.amount.minor()) {
            self.find(7, &name, "more is refunded or being refunded than was paid");
        }
        let state = &payment.state;
        self.payments.insert(
            key,
            PaymentSeen {
                public_id: payment.public_id.clone(),
                paid,
                reversed: matches!(state, PaymentState::Reversed { .. }),
                closed: matches!(state, PaymentState::Closed { .. } | PaymentState::Failed { .. }),
                amount: payment.money.amount,
                refunded: payment.refunded,
                refunding: payment.refunding,
                refunds: payment.refunds,
                wallet: payment.payer.is_some(),
                sum_done: 0,
                sum_open: 0,
                count: 0,
                reversals_done: 0,
                late: 0,
            },
        );
    }

    /// A refund (INV-07, 08, 20).
    pub fn refund(&mut self, refund: &Refund) {
        let key = (refund.tenant, refund.id);
        let name = format!("refund {} of {}", refund.public_id, book(refund.tenant));
        let amount = i128::from(refund.money.amount.minor());
        let hold = self.holds.get(&key).copied();
        let journal = self.refunded.get(&key).copied();
        let imported = refund.origin == RefundOrigin::Import;
        let fits = match &refund.state {
            RefundState::Pending => hold == Some((HoldState::Open, refund.money.amount)),
            RefundState::Succeeded { .. } => {
                imported || hold == Some((HoldState::Captured, refund.money.amount))
            }
            RefundState::Failed { .. } => {
                imported || hold == Some((HoldState::Released, refund.money.amount))
            }
        };
        if !fits {
            self.find(8, &name, format!("{:?} does not fit its hold {hold:?}", refund.state));
        }
        let succeeded = matches!(refund.state, RefundState::Succeeded { .. });
        match (succeeded, journal) {
            (true, Some(booked)) if booked == amount => {}
            (false, None) => {}
            (true, _) => self.find(8, &name, "succeeded but is not booked with its amount"),
            (false, Some(_)) => self.find(8, &name, "did not succeed but a journal booked it"),
        }
        if refund.origin == RefundOrigin::Late && self.late.get(&key) != Some(&amount) {
            self.find(20, &name, "gives back late money that was never booked to suspense");
        }
        let Some(payment) = self.payments.get_mut(&(refund.tenant, refund.payment)) else {
            self.find(7, &name, "belongs to no payment");
            return;
        };
        match (refund.origin, &refund.state) {
            (RefundOrigin::Late, _) => payment.late += 1,
            (RefundOrigin::Reversal, RefundState::Succeeded { .. }) => payment.reversals_done += 1,
            (RefundOrigin::Reversal, RefundState::Pending | RefundState::Failed { .. }) => {}
            (RefundOrigin::Merchant | RefundOrigin::Batch(_) | RefundOrigin::Import, state) => {
                payment.count += 1;
                match state {
                    RefundState::Pending => payment.sum_open += amount,
                    RefundState::Succeeded { .. } => payment.sum_done += amount,
                    RefundState::Failed { .. } => {}
                }
            }
        }
        if let RefundOrigin::Batch(id) = refund.origin {
            let counts = self.batches.entry((refund.tenant, id)).or_default();
            counts.0 += 1;
            match refund.state {
                RefundState::Pending => {}
                RefundState::Succeeded { .. } => counts.1 += 1,
                RefundState::Failed { .. } => counts.2 += 1,
            }
        }
    }

    /// Money received (INV-15; the store's unique key sees to one row a trade).
    pub fn receipt(&mut self, receipt: &ReceiptRow) {
        let key = (receipt.tenant, receipt.payment);
        let map = if receipt.late { &mut self.late_receipts } else { &mut self.receipts };
        *map.entry(key).or_default() += 1;
    }

    /// A batch of refunds: its counts are those of its refunds.
    pub fn batch(&mut self, batch: &RefundBatch) {
        let counted = self.batches.get(&(batch.tenant, batch.id)).copied().unwrap_or_default();
        if counted != (batch.total, batch.succeeded, batch.failed) {
            let name = format!("batch {} of {}", batch.public_id, book(batch.tenant));
            self.find(10, name, format!("its refunds count {counted:?}"));
        }
    }

    /// An event (INV-10 in part: nothing is told twice; what is left untold is not found).
    pub fn event(&mut self, event: &Event) {
        if !self.events.insert((event.tenant, event.about, event.event_type.clone()))
            && !event.event_type.ends_with("paid_after_close")
        {
            let name = format!("event {} of {}", event.public_id, book(event.tenant));
            self.find(10, name, format!("{} was told twice", event.event_type));
        }
    }

    /// Everything was fed: compares what rows say with what was recomputed.
    pub fn finish(mut self) -> Vec<Finding> {
        for (key, stored) in std::mem::take(&mut self.stored) {
            let name = format!("account {} of {}", key.path.to_text(), book(key.tenant));
            let seen = self.seen.remove(&key).unwrap_or_default();
            if (stored.debits, stored.credits, stored.entries)
                != (seen.debits, seen.credits, seen.entries)
            {
                let detail = format!(
                    "holds {}/{} in {} entries; its entries sum to {}/{} in {}",
                    stored.debits,
                    stored.credits,
                    stored.entries,
                    seen.debits,
                    seen.credits,
                    seen.entries
                );
                self.find(2, &name, detail);
            }
            if i128::from(stored.held.minor()) != seen.held {
                let detail = format!(
                    "holds {} frozen, open holds sum to {}",
                    stored.held.minor(),
                    seen.held
                );
                self.find(4, &name, detail);
            }
            if stored.available() < 0 && !key.path.kind.may_be_negative() {
                self.find(3, &name, format!("{} is available", stored.available()));
            }
        }
        for (key, _) in std::mem::take(&mut self.seen) {
            let name = format!("account {} of {}", key.path.to_text(), book(key.tenant));
            self.find(2, name, "has entries or holds but no row");
        }
        for (currency, total) in std::mem::take(&mut self.totals) {
            if total != 0 {
                self.find(5, currency.code(), format!("the trial balance is off by {total}"));
            }
        }
        for (key, payment) in std::mem::take(&mut self.payments) {
            self.finish_payment(key, &payment);
        }
        for (tenant, id) in std::mem::take(&mut self.settled).into_keys() {
            // A payment that exists was compared above; one that does not is found here.
            if !self.receipts.contains_key(&(tenant, id)) {
                self.find(
                    7,
                    format!("payment {id:?} of {}", book(tenant)),
                    "is booked without a receipt",
                );
            }
        }
        self.findings.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
        self.findings
    }

    fn finish_payment(&mut self, key: (Tenant, PaymentId), payment: &PaymentSeen) {
        let name = format!("payment {} of {}", payment.public_id, book(key.0));
        if payment.sum_done != i128::from(payment.refunded.minor())
            || payment.sum_open != i128::from(payment.refunding.minor())
        {
            let detail = format!(
                "says {} refunded and {} being refunded, its refunds sum to {} and {}",
                payment.refunded.minor(),
                payment.refunding.minor(),
                payment.sum_done,
                payment.sum_open
            );
            self.find(7, &name, detail);
        }
        if payment.count != payment.refunds {
            let detail = format!("counts {} refunds and has {}", payment.refunds, payment.count);
            self.find(7, &name, detail);
        }
        if payment.reversed != (payment.reversals_done == 1) {
            self.find(8, &name, "its state and its reversal do not fit");
        }
        let receipts = self.receipts.get(&key).copied().unwrap_or(0);
        if receipts != u32::from(payment.paid) {
            self.find(15, &name, format!("has {receipts} receipts"));
        }
        let late = self.late_receipts.get(&key).copied().unwrap_or(0);
        if late != payment.late {
            let detail = format!("got {late} late payments and {} refunds of them", payment.late);
            self.find(20, &name, detail);
        }
        if payment.closed && payment.paid {
            self.find(20, &name, "is closed and holds money");
        }
        if payment.wallet && !payment.paid {
            self.find(7, &name, "is a wallet payment and not paid");
        }
        if payment.amount.is_zero() {
            self.find(22, &name, "asks for nothing");
        }
    }
}

fn book(tenant: Tenant) -> String {
    let mode = match tenant.mode {
        crate::tenant::Mode::Live => "live",
        crate::tenant::Mode::Test => "test",
    };
    format!("merchant {} ({mode})", tenant.merchant.raw())
}

#[cfg(test)]
mod tests;

//! Damage planted in a clean book is found, under the right invariant's number.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::channel::{RefundFound, ReversedAs};
use crate::command::{Admin, BatchItem, Command, CreateBatch, Ending, Start};
use crate::decide::tests::book::{
    Book, app, close, cny, fen, note, opening, public, ready, refund_said, refunding, reversed,
    settle, tenant, trouble,
};
use crate::id::Id;
use crate::ledger::{AccountKind, AccountPath, Entry, Hash, Line};
use crate::operation::{Outcome, RefusalClass};
use crate::text::{Echo, TradeNo, UserId};
use crate::time::Timestamp;

const CNY: Currency = Currency::CNY;

/// A book with one of everything: payments with and without fee, open, reversed, late and from a
/// wallet; refunds pending, done and failed; a batch; a second merchant.
fn full() -> Book {
    let mut book = Book::with_merchants(2);
    let mut with_fee = opening(&mut book, tenant(2), "f", 1_000, ready());
    with_fee.fee = fen(6);
    book.run(Command::OpenPayment(Box::new(with_fee))).unwrap();
    let with_fee = book.payments.values().next().unwrap().clone();
    let command = settle(&mut book, &with_fee, "tf", 1_000);
    book.run(command).unwrap();

    let payment = book.paid("a", 100);
    let done = Outcome::Accepted(RefundFound::Done { trade_no: None, at: None });
    let (succeeded, _) = book.refunded(&payment, Some(10));
    let command = refund_said(&mut book, &succeeded, None, done);
    book.run(command).unwrap();
    let (failed, _) = book.refunded(&payment, Some(20));
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    let command = refund_said(&mut book, &failed, Some(1), refused);
    book.run(command).unwrap();
    book.refunded(&payment, Some(30));

    let reverse = book.paid("r", 40);
    let command = close(&mut book, &reverse, Ending::ReverseAny { window_seconds: 60 });
    book.run(command).unwrap();
    let command = reversed(&mut book, &reverse, 1, Outcome::Accepted(ReversedAs::Refunded));
    book.run(command).unwrap();

    let late = book.opened("l", 50, ready());
    let command = close(&mut book, &late, Ending::Expire);
    book.run(command).unwrap();
    let gone = Outcome::Refused(trouble(RefusalClass::NotFound));
    book.run(crate::decide::tests::book::closed(&late, 1, gone)).unwrap();
    let command = settle(&mut book, &late, "tl", 50);
    book.run(command).unwrap();

    let (user, id) = (UserId::parse("u1").unwrap(), Id::from_raw(42));
    let member = user.clone();
    book.admin(Admin::PutMember { tenant: tenant(1), app: app(), user, id, disabled: false });
    book.fund(tenant(1), AccountPath::member_available(id, CNY), 500);
    let wallet = book.opened("w", 70, Start::Wallet(member));

    let one = refunding(&mut book, &wallet, Some(7));
    let item = BatchItem {
        payment: wallet.id,
        public_id: one.public_id,
        number: one.number,
        amount: one.amount,
        description: one.description,
        echo: one.echo,
    };
    let command = CreateBatch {
        tenant: tenant(1),
        app: app(),
        public_id: public("batch_1"),
        batch_no: "1".into(),
        description: note("recall"),
        echo: Echo::from_json("{}"),
        items: vec![item],
        request: None,
        fresh: book.fresh(),
    };
    book.run(Command::CreateBatch(Box::new(command))).unwrap();
    book.opened("open", 5, ready());
    book
}

/// A journal with parts that can be changed; its numbers and hash stay as they were.
struct Parts {
    before: ChainHead,
    cause: Cause,
    at: Timestamp,
    entries: Vec<Entry>,
    hash: Hash,
}

impl Parts {
    fn of(journal: &Journal) -> Parts {
        let (tenant, seq) = (journal.tenant(), journal.seq() - 1);
        Parts {
            before: ChainHead { tenant, seq, hash: journal.previous() },
            cause: journal.cause(),
            at: journal.at(),
            entries: journal.entries().to_vec(),
            hash: journal.hash(),
        }
    }

    fn whole(self) -> Journal {
        Journal::from_stored(self.before, self.cause, self.at, self.entries, self.hash)
    }
}

fn change(book: &mut Book, index: usize, change: impl FnOnce(&mut Parts)) {
    let mut parts = Parts::of(&book.journals[index]);
    change(&mut parts);
    book.journals[index] = parts.whole();
}

/// Numbers and hashes made anew for all journals of tenant 1, as a clever forger would.
fn forge(book: &mut Book) {
    let mut head = ChainHead::start(tenant(1));
    for journal in &mut book.journals {
        if journal.tenant() == tenant(1) {
            let parts = Parts { before: head.clone(), ..Parts::of(journal) };
            let (cause, at, entries) = (parts.cause, parts.at, parts.entries.clone());
            *journal = Journal::balanced(&head, cause, at, entries).unwrap_or(parts.whole());
            head = journal.head();
        }
    }
}

/// Posts a journal that is right in form.
fn post(book: &mut Book, cause: Cause, lines: &[Line]) {
    let mut entries = Vec::new();
    for line in lines {
        let key = AccountKey { tenant: tenant(1), path: line.path };
        let account = book.accounts.entry(key).or_insert(Account::empty(key));
        match line.side {
            Side::Debit => account.debits += i128::from(line.amount.minor()),
            Side::Credit => account.credits += i128::from(line.amount.minor()),
        }
        account.entries += 1;
        let (balance_after, account_seq) = (account.balance(), account.entries);
        entries.push(Entry { line: *line, balance_after, account_seq });
    }
    let head = book.chains[&tenant(1)].clone();
    let journal = Journal::balanced(&head, cause, book.now, entries).unwrap();
    book.chains.insert(tenant(1), journal.head());
    book.journals.push(journal);
}

fn lines(from: AccountPath, to: AccountPath, amount: i64) -> [Line; 2] {
    let amount = fen(amount);
    [Line { path: from, side: Side::Debit, amount }, Line { path: to, side: Side::Credit, amount }]
}

fn merchant() -> AccountPath {
    AccountPath::merchant_available(CNY)
}

fn account(book: &mut Book) -> &mut Account {
    book.accounts.get_mut(&AccountKey { tenant: tenant(1), path: merchant() }).unwrap()
}

fn payment<'a>(book: &'a mut Book, order: &str) -> &'a mut Payment {
    book.payments.values_mut().find(|p| p.order_no.as_str() == order).unwrap()
}

fn journal_of(book: &Book, is: impl Fn(Cause) -> bool) -> usize {
    book.journals.iter().position(|j| j.tenant() == tenant(1) && is(j.cause())).unwrap()
}

fn a_refund(book: &Book, is: impl Fn(&Refund) -> bool) -> Refund {
    book.refunds.values().find(|r| is(r)).unwrap().clone()
}

fn pending(refund: &Refund) -> bool {
    refund.origin == RefundOrigin::Merchant && refund.state == RefundState::Pending
}

fn succeeded(refund: &Refund) -> bool {
    let done = matches!(refund.state, RefundState::Succeeded { .. });
    refund.origin == RefundOrigin::Merchant && done
}

fn failed(refund: &Refund) -> bool {
    matches!(refund.state, RefundState::Failed { .. })
}

fn late(refund: &Refund) -> bool {
    refund.origin == RefundOrigin::Late
}

fn set_hold(book: &mut Book, is: fn(&Refund) -> bool, set: impl FnOnce(&mut Hold)) {
    let refund = a_refund(book, is);
    set(book.holds.get_mut(&(refund.tenant, refund.id)).unwrap());
}

fn set_refund(book: &mut Book, is: fn(&Refund) -> bool, set: impl FnOnce(&mut Refund)) {
    let refund = a_refund(book, is);
    set(book.refunds.get_mut(&(refund.tenant, refund.id)).unwrap());
}

fn drop_receipt(book: &mut Book, order: &str) {
    let id = payment(book, order).id;
    book.receipts.retain(|_, r| r.payment != id);
}

type Damage = (&'static str, u8, fn(&mut Book));

const DAMAGES: &[Damage] = &[
    ("one line of a journal is larger", 1, |b| {
        change(b, 1, |j| j.entries[0].line.amount = fen(99));
        forge(b);
    }),
    ("a journal has one line", 1, |b| change(b, 1, |j| j.entries.truncate(1))),
    ("a line is of nothing", 1, |b| {
        change(b, 1, |j| j.entries.iter_mut().for_each(|e| e.line.amount = Amount::ZERO));
    }),
    ("an account's credits", 2, |b| account(b).credits += 1),
    ("an account's debits", 2, |b| account(b).debits -= 1),
    ("an account's number of entries", 2, |b| account(b).entries += 1),
    ("an account's row is gone", 2, |b| {
        b.accounts.remove(&AccountKey { tenant: tenant(1), path: merchant() });
    }),
    ("an account that nobody posted to has money", 2, |b| {
        let path = AccountPath::member_available(Id::from_raw(99), CNY);
        let key = AccountKey { tenant: tenant(1), path };
        b.accounts.insert(key, Account { credits: 5, ..Account::empty(key) });
    }),
    ("a balance after, hash forged", 2, |b| {
        change(b, 1, |j| j.entries[0].balance_after += 1);
        forge(b);
    }),
    ("an entry's place, hash forged", 2, |b| {
        change(b, 1, |j| j.entries[0].account_seq += 1);
        forge(b);
    }),
    ("a journal of another size, hash forged", 2, |b| {
        let index = journal_of(b, |c| matches!(c, Cause::PaymentSettled(_)));
        change(b, index, |j| j.entries.iter_mut().for_each(|e| e.line.amount = fen(101)));
        forge(b);
    }),
    ("the last journal is cut off", 2, |b| {
        b.journals.pop();
    }),
    ("the merchant's money falls below zero", 3, |b| {
        let opening = AccountPath::platform(AccountKind::Opening, CNY);
        post(b, Cause::Opening(Id::from_raw(1)), &lines(merchant(), opening, 100_000));
    }),
    ("more is held than there is", 3, |b| account(b).held = fen(100_000)),
    ("what is held", 4, |b| account(b).held = fen(31)),
    ("an open hold is gone", 4, |b| {
        let refund = a_refund(b, pending);
        b.holds.remove(&(refund.tenant, refund.id));
    }),
    ("an open hold's amount", 4, |b| set_hold(b, pending, |h| h.amount = fen(29))),
    ("an ended hold is open", 4, |b| set_hold(b, failed, |h| h.state = HoldState::Open)),
    ("a hold is on another account", 4, |b| {
        set_hold(b, pending, |h| h.path = AccountPath::platform(AccountKind::Suspense, CNY));
    }),
    ("one side of a journal changed", 5, |b| {
        change(b, 1, |j| j.entries[1].line.amount = fen(1));
    }),
    ("a payment is booked twice", 6, |b| {
        let p = payment(b, "a").clone();
        post(b, Cause::PaymentSettled(p.id), &lines(p.source(), merchant(), 100));
    }),
    ("a refund is booked twice", 6, |b| {
        let r = a_refund(b, succeeded);
        let to = b.payment(r.tenant, r.payment).source();
        post(b, Cause::RefundSettled(r.id), &lines(merchant(), to, 10));
    }),
    ("a paid payment is open again", 7, |b| payment(b, "a").state = PaymentState::Created),
    ("an open payment is called paid", 7, |b| {
        let state = payment(b, "a").state.clone();
        payment(b, "open").state = state;
    }),
    ("a paid payment's amount", 7, |b| payment(b, "a").money = cny(101)),
    ("a payment's refunded sum", 7, |b| payment(b, "a").refunded = fen(11)),
    ("a payment's sum being refunded", 7, |b| payment(b, "a").refunding = fen(29)),
    ("more is refunded than was paid", 7, |b| payment(b, "a").refunded = fen(1_000)),
    ("a payment's count of refunds", 7, |b| payment(b, "a").refunds += 1),
    ("a paid payment is gone, its receipt too", 7, |b| {
        drop_receipt(b, "a");
        let id = payment(b, "a").id;
        b.payments.remove(&(tenant(1), id));
    }),
    ("a refund is gone", 7, |b| {
        let refund = a_refund(b, succeeded);
        b.refunds.remove(&(refund.tenant, refund.id));
    }),
    ("a refund belongs to another payment", 7, |b| {
        let other = payment(b, "w").id;
        set_refund(b, succeeded, |r| r.payment = other);
    }),
    ("a refund belongs to no payment", 7, |b| {
        set_refund(b, succeeded, |r| r.payment = Id::from_raw(9));
    }),
    ("a wallet payment is not paid", 7, |b| payment(b, "w").state = PaymentState::Created),
    ("a pending refund is called done", 8, |b| {
        let state = a_refund(b, succeeded).state;
        set_refund(b, pending, |r| r.state = state);
    }),
    ("a pending refund is called failed", 8, |b| {
        let state = a_refund(b, failed).state;
        set_refund(b, pending, |r| r.state = state);
    }),
    ("a refund that is done is pending again", 8, |b| {
        set_refund(b, succeeded, |r| r.state = RefundState::Pending);
    }),
    ("a refund that is done is called failed", 8, |b| {
        let state = a_refund(b, failed).state;
        set_refund(b, succeeded, |r| r.state = state);
    }),
    ("a failed refund is called done", 8, |b| {
        let state = a_refund(b, succeeded).state;
        set_refund(b, failed, |r| r.state = state);
    }),
    ("a refund's amount", 8, |b| set_refund(b, succeeded, |r| r.money = cny(9))),
    ("a captured hold is released", 8, |b| {
        set_hold(b, succeeded, |h| h.state = HoldState::Released);
    }),
    ("a released hold is captured", 8, |b| {
        set_hold(b, failed, |h| h.state = HoldState::Captured);
    }),
    ("a captured hold's amount", 8, |b| set_hold(b, succeeded, |h| h.amount = fen(9))),
    ("a reversed payment is called paid", 8, |b| {
        let receipt = payment(b, "r").receipt().unwrap().clone();
        payment(b, "r").state = PaymentState::Paid(receipt);
    }),
    ("a journal of a refund is gone, hash forged", 8, |b| {
        let index = journal_of(b, |c| matches!(c, Cause::RefundSettled(_)));
        b.journals.remove(index);
        forge(b);
    }),
    ("a batch's count of successes", 10, |b| b.batches.values_mut().next().unwrap().succeeded = 0),
    ("a batch's count of refunds", 10, |b| b.batches.values_mut().next().unwrap().total = 2),
    ("an event is told twice", 10, |b| b.events.push(b.events[0].clone())),
    ("a journal's hash", 12, |b| change(b, 1, |j| j.hash[0] ^= 1)),
    ("a journal's previous hash", 12, |b| change(b, 1, |j| j.before.hash[0] ^= 1)),
    ("a journal's time", 12, |b| change(b, 1, |j| j.at = j.at.plus_seconds(1))),
    ("a journal in the middle is gone", 13, |b| {
        b.journals.remove(2);
    }),
    ("a journal's number", 13, |b| change(b, 1, |j| j.before.seq += 1)),
    ("two journals changed places", 13, |b| b.journals.swap(1, 2)),
    ("a paid payment's receipt is gone", 15, |b| drop_receipt(b, "a")),
    ("a payment has two receipts", 15, |b| {
        let id = payment(b, "a").id;
        let mut row = b.receipts.values().find(|r| r.payment == id).unwrap().clone();
        row.trade_no = TradeNo::parse("second").unwrap();
        b.receipts.insert((row.tenant, row.route, row.trade_no.clone()), row);
    }),
    ("a receipt belongs to another payment", 15, |b| {
        let (one, other) = (payment(b, "a").id, payment(b, "open").id);
        b.receipts.values_mut().find(|r| r.payment == one).unwrap().payment = other;
    }),
    ("a receipt is called late", 15, |b| {
        let id = payment(b, "a").id;
        b.receipts.values_mut().find(|r| r.payment == id).unwrap().late = true;
    }),
    ("late money's receipt is gone", 20, |b| drop_receipt(b, "l")),
    ("late money's refund is gone", 20, |b| {
        let refund = a_refund(b, late);
        b.refunds.remove(&(refund.tenant, refund.id));
    }),
    ("late money's refund is smaller", 20, |b| set_refund(b, late, |r| r.money = cny(49))),
    ("late money was not booked to suspense, hash forged", 20, |b| {
        let index = journal_of(b, |c| matches!(c, Cause::PaymentLate(_)));
        b.journals.remove(index);
        forge(b);
    }),
    ("a payment asks for nothing", 22, |b| payment(b, "open").money = cny(0)),
];

#[test]
fn a_book_with_one_of_everything_is_clean() {
    full().assert_clean();
}

#[test]
fn planted_damage_is_found_under_its_number() {
    let clean = full();
    for (name, code, damage) in DAMAGES {
        let mut book = clean.clone();
        damage(&mut book);
        let findings = book.findings();
        let codes: Vec<u8> = findings.iter().map(|f| f.code.0).collect();
        assert!(codes.contains(code), "{name}: INV-{code:02} is not among {findings:?}");
    }
    let planted: BTreeSet<u8> = DAMAGES.iter().map(|(_, code, _)| *code).collect();
    let all = BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 15, 20, 22]);
    assert_eq!(planted, all, "damage for each number that the auditor knows");
}

#[test]
fn a_journal_that_is_cut_out_is_missed_even_when_all_hashes_are_forged() {
    let clean = full();
    for index in 0..clean.journals.len() {
        let mut book = clean.clone();
        book.journals.remove(index);
        forge(&mut book);
        assert_ne!(book.findings(), [], "journal at {index}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_edit_of_one_field_of_a_journal_is_found(delta in 1_u8..=255, bit in 0_usize..256) {
        let clean = full();
        let by = i64::from(delta);
        for index in 0..clean.journals.len() {
            let places = clean.journals[index].entries().len();
            for field in 0..7 + 6 * places {
                let mut book = clean.clone();
                change(&mut book, index, |j| edit(j, field, by, bit));
                prop_assert!(book.journals[index] != clean.journals[index], "field {field}");
                prop_assert!(
                    book.findings().iter().any(|f| f.code == Code(12)),
                    "field {field} of the journal at {index}"
                );
            }
        }
    }
}

fn edit(journal: &mut Parts, field: usize, by: i64, bit: usize) {
    let flip = |hash: &mut Hash| hash[bit / 8] ^= 1 << (bit % 8);
    match field {
        0 => journal.before.tenant = tenant(journal.before.tenant.merchant.raw() + by),
        1 => journal.before.seq += by,
        2 => flip(&mut journal.before.hash),
        3 => flip(&mut journal.hash),
        4 => {
            let (word, id) = journal.cause.parts();
            journal.cause = Cause::from_parts(word, id + by).unwrap();
        }
        5 => {
            let (word, id) = journal.cause.parts();
            let other = if word == "opening" { "payment_late" } else { "opening" };
            journal.cause = Cause::from_parts(other, id).unwrap();
        }
        6 => journal.at = Timestamp::from_micros(journal.at.micros() + by),
        _ => {
            let entry = &mut journal.entries[(field - 7) / 6];
            let path = &mut entry.line.path;
            match (field - 7) % 6 {
                0 => *path = AccountPath::member_available(Id::from_raw(1_000 + by), path.currency),
                1 => path.currency = Currency::from_code("USD").unwrap(),
                2 => {
                    entry.line.side = match entry.line.side {
                        Side::Debit => Side::Credit,
                        Side::Credit => Side::Debit,
                    };
                }
                3 => entry.line.amount = entry.line.amount.plus(fen(by)).unwrap(),
                4 => entry.balance_after += i128::from(by),
                _ => entry.account_seq += by,
            }
        }
    }
}

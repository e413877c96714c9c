//! Chance: random commands over several merchants, members and accounts against plain sums; and
//! the same commands in batches of any size, which must come out the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::book::*;
use crate::channel::{PaymentFound, RefundFound};
use crate::command::{Admin, BatchItem, Command, CreateBatch, Decided, Ending, Start};
use crate::currency::Currency;
use crate::decide::{Context, decide};
use crate::id::Id;
use crate::ledger::{AccountKind, AccountPath};
use crate::operation::{Outcome, RefusalClass};
use crate::payment::{Payment, PaymentState};
use crate::refund::{Refund, RefundOrigin, RefundState};
use crate::refusal::Refusal;
use crate::state::State;
use crate::tenant::Tenant;
use crate::text::{Echo, UserId};

const MERCHANTS: i64 = 2;
const MEMBERS: i64 = 2;
const FUNDS: i64 = 500;

/// What somebody wants; indexes name what is there at that moment.
#[derive(Clone, Debug)]
enum Wish {
    Open { merchant: i64, amount: i64, fee: i64 },
    Wallet { merchant: i64, member: i64, amount: i64 },
    Settle { payment: Index, trade: u8, off: bool },
    Expire { payment: Index },
    Refund { payment: Index, amount: Option<i64> },
    Batch { payments: Vec<Index>, amount: Option<i64> },
    Done { refund: Index },
    Failed { refund: Index },
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let merchant = || 1..=MERCHANTS;
    let amount = || prop_oneof![1_i64..=300, Just(100)];
    let part = || proptest::option::of(1_i64..=120);
    let index = any::<Index>;
    let wish = prop_oneof![
        3 => (merchant(), amount(), 0_i64..3)
            .prop_map(|(merchant, amount, fee)| Wish::Open { merchant, amount, fee }),
        2 => (merchant(), 1..=MEMBERS, amount())
            .prop_map(|(merchant, member, amount)| Wish::Wallet { merchant, member, amount }),
        6 => (index(), 0_u8..6, proptest::bool::weighted(0.1))
            .prop_map(|(payment, trade, off)| Wish::Settle { payment, trade, off }),
        1 => index().prop_map(|payment| Wish::Expire { payment }),
        4 => (index(), part()).prop_map(|(payment, amount)| Wish::Refund { payment, amount }),
        2 => (prop::collection::vec(index(), 1..4), part())
            .prop_map(|(payments, amount)| Wish::Batch { payments, amount }),
        4 => index().prop_map(|refund| Wish::Done { refund }),
        2 => index().prop_map(|refund| Wish::Failed { refund }),
    ];
    prop::collection::vec(wish, 1..60)
}

fn user(n: i64) -> UserId {
    UserId::parse(&format!("u{n}")).unwrap()
}

fn member_id(tenant: Tenant, n: i64) -> crate::tenant::MemberId {
    Id::from_raw(tenant.merchant.raw() * 10 + n)
}

fn begin() -> Book {
    let mut book = Book::with_merchants(MERCHANTS);
    for merchant in 1..=MERCHANTS {
        let tenant = tenant(merchant);
        for n in 1..=MEMBERS {
            let (id, user) = (member_id(tenant, n), user(n));
            book.admin(Admin::PutMember { tenant, app: app(), user, id, disabled: false });
            book.fund(tenant, AccountPath::member_available(id, Currency::CNY), FUNDS);
        }
    }
    book
}

fn sorted<K, R: Clone, I: Ord>(
    rows: &std::collections::HashMap<K, R>,
    id: impl Fn(&R) -> I,
) -> Vec<R> {
    let mut rows: Vec<R> = rows.values().cloned().collect();
    rows.sort_by_key(id);
    rows
}

/// The command that a wish comes to; nothing if what it needs is not there.
fn command(book: &mut Book, wish: &Wish, n: usize) -> Option<Command> {
    let payments: Vec<Payment> = sorted(&book.payments, |p| p.id);
    let refunds: Vec<Refund> = sorted(&book.refunds, |r| r.id);
    let order = format!("o{n}");
    let of = |index: &Index| (!payments.is_empty()).then(|| index.get(&payments).clone());
    let among = |index: &Index| (!refunds.is_empty()).then(|| index.get(&refunds).clone());
    Some(match wish {
        Wish::Open { merchant, amount, fee } => {
            let mut opening = opening(book, tenant(*merchant), &order, *amount, ready());
            opening.fee = fen((*fee).min(*amount));
            Command::OpenPayment(Box::new(opening))
        }
        Wish::Wallet { merchant, member, amount } => {
            open(book, tenant(*merchant), &order, *amount, Start::Wallet(user(*member)))
        }
        Wish::Settle { payment, trade, off } => {
            let payment = of(payment).filter(|p| p.payer.is_none())?;
            let amount = payment.money.amount.minor() + i64::from(*off);
            settle(book, &payment, &format!("t{trade}"), amount)
        }
        Wish::Expire { payment } => {
            let payment = of(payment)?;
            found(book, &payment, Outcome::Accepted(PaymentFound::Closed))
        }
        Wish::Refund { payment, amount } => {
            let payment = of(payment)?;
            refund(book, &payment, *amount)
        }
        Wish::Batch { payments: indexes, amount } => {
            let first = of(indexes.first()?)?;
            let mut chosen: Vec<Payment> = indexes.iter().filter_map(of).collect();
            chosen.retain(|p| p.tenant == first.tenant);
            chosen.dedup_by_key(|p| p.id);
            let mut items = Vec::new();
            for payment in &chosen {
                let one = refunding(book, payment, *amount);
                items.push(BatchItem {
                    payment: payment.id,
                    public_id: one.public_id,
                    number: one.number,
                    amount: one.amount,
                    description: one.description,
                    echo: one.echo,
                });
            }
            Command::CreateBatch(Box::new(CreateBatch {
                tenant: first.tenant,
                app: app(),
                public_id: public(&format!("b{n}")),
                batch_no: order.as_str().into(),
                description: note("recall"),
                echo: Echo::from_json("{}"),
                items,
                request: None,
                fresh: book.fresh(),
            }))
        }
        Wish::Done { refund } => {
            let refund = among(refund)?;
            let done = RefundFound::Done { trade_no: None, at: None };
            refund_said(book, &refund, None, Outcome::Accepted(done))
        }
        Wish::Failed { refund } => {
            let refund = among(refund)?;
            let token = refund.operation.as_ref().map(|o| o.token);
            let refused = Outcome::Refused(trouble(RefusalClass::Business));
            refund_said(book, &refund, token, refused)
        }
    })
}

/// Plain sums: what each account must hold, worked out from answers alone.
#[derive(Default)]
struct Oracle {
    /// (merchant, account) to balance.
    sums: BTreeMap<(i64, String), i64>,
    /// Trades seen by (merchant, trade).
    trades: BTreeMap<(i64, String), i64>,
}

impl Oracle {
    fn add(&mut self, merchant: i64, account: AccountPath, amount: i64) {
        *self.sums.entry((merchant, account.to_text())).or_default() += amount;
    }

    /// Money from or to the payer: a wallet falls when it pays, a receivable grows.
    fn payer(&mut self, payment: &Payment, amount: i64) {
        let sign = if payment.payer.is_some() { -1 } else { 1 };
        self.add(payment.tenant.merchant.raw(), payment.source(), sign * amount);
    }

    fn paid(&mut self, payment: &Payment) {
        let (amount, fee) = (payment.money.amount.minor(), payment.fee.minor());
        let merchant = payment.tenant.merchant.raw();
        self.payer(payment, amount);
        self.add(merchant, AccountPath::merchant_available(Currency::CNY), amount - fee);
        self.add(merchant, AccountPath::platform(AccountKind::FeeIncome, Currency::CNY), fee);
    }

    fn given_back(&mut self, refund: &Refund, payment: &Payment) {
        let amount = refund.money.amount.minor();
        self.payer(payment, -amount);
        self.add(refund.tenant.merchant.raw(), refund.from_account(), -amount);
    }

    fn note(&mut self, before: &Book, command: &Command, answer: &Result<Decided, Refusal>) {
        match (command, answer) {
            (Command::OpenPayment(c), Ok(Decided::Opened(payment))) => {
                if let Start::Wallet(_) = c.start {
                    self.paid(payment);
                }
            }
            (Command::SettlePayment(c), Ok(_)) => {
                let key = (c.tenant.merchant.raw(), c.proof.trade_no.to_string());
                if self.trades.insert(key, c.payment.raw()).is_some() {
                    return; // told again
                }
                let payment = before.payment(c.tenant, c.payment);
                if matches!(payment.state, PaymentState::Pending { .. }) {
                    self.paid(payment);
                } else {
                    let amount = payment.money.amount.minor();
                    self.payer(payment, amount);
                    let suspense = AccountPath::platform(AccountKind::Suspense, Currency::CNY);
                    self.add(c.tenant.merchant.raw(), suspense, amount);
                }
            }
            (Command::CreateRefund(_), Ok(Decided::Refund(refund, payment)))
                if payment.payer.is_some() =>
            {
                self.given_back(refund, payment);
            }
            (Command::CreateBatch(_), Ok(Decided::Batch(_, refunds))) => {
                for refund in refunds {
                    let payment = before.payment(refund.tenant, refund.payment);
                    if payment.payer.is_some() {
                        self.given_back(refund, payment);
                    }
                }
            }
            (Command::RecordRefund(c), Ok(_)) => {
                let refund = before.refund(c.tenant, c.refund);
                let done = matches!(c.outcome, Outcome::Accepted(_));
                if done && refund.state == RefundState::Pending {
                    self.given_back(refund, before.payment(c.tenant, c.payment));
                }
            }
            _ => {}
        }
    }

    fn assert_agrees(&self, book: &Book) {
        let mut sums = self.sums.clone();
        for merchant in 1..=MERCHANTS {
            for n in 1..=MEMBERS {
                let wallet =
                    AccountPath::member_available(member_id(tenant(merchant), n), Currency::CNY);
                *sums.entry((merchant, wallet.to_text())).or_default() += FUNDS;
            }
        }
        for account in book.accounts.values() {
            let (merchant, path) = (account.key.tenant.merchant.raw(), account.key.path);
            if path.kind != AccountKind::Opening {
                let sum = sums.remove(&(merchant, path.to_text())).unwrap_or(0);
                assert_eq!(account.balance(), i128::from(sum), "{merchant} {}", path.to_text());
            }
        }
        sums.retain(|_, sum| *sum != 0);
        assert!(sums.is_empty(), "accounts without a row: {sums:?}");
    }
}

/// Everything in a state that a store would look at, in an order of its own.
fn rows(state: &State) -> Vec<String> {
    let mut rows = vec![format!(
        "{:?} {:?} {:?} {:?} {:?}",
        state.journals, state.events, state.audit, state.attempts, state.delivery_attempts
    )];
    macro_rules! tables {
        ($($table:ident),+) => {$(
            rows.extend(state.$table.rows().map(|r| format!("{} {r:?}", stringify!($table))));
            rows.extend(state.$table.dirty().map(|r| format!("{} {r:?}", stringify!($table))));
        )+};
    }
    tables!(
        apps,
        endpoints,
        members,
        payments,
        receipts,
        refunds,
        batches,
        holds,
        accounts,
        chains,
        deliveries,
        orders,
        numbers,
        refunds_of,
        batch_numbers,
        refunds_of_batch,
        endpoints_of
    );
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn balances_are_what_plain_sums_say_and_the_auditor_is_content(wishes in wishes()) {
        let mut book = begin();
        let mut oracle = Oracle::default();
        for (n, wish) in wishes.iter().enumerate() {
            let Some(command) = command(&mut book, wish, n) else { continue };
            let before = book.clone();
            let answer = book.run(command.clone());
            oracle.note(&before, &command, &answer);
        }
        oracle.assert_agrees(&book);
        book.assert_clean();
    }

    #[test]
    fn a_refused_command_leaves_every_row_as_it_was(wishes in wishes()) {
        let mut book = begin();
        for (n, wish) in wishes.iter().enumerate() {
            let Some(command) = command(&mut book, wish, n) else { continue };
            let mut state = book.loaded(std::slice::from_ref(&command));
            let before = rows(&state);
            let answer = decide(&mut state, &command, &Context { now: book.now, formats: &Words });
            prop_assert!(!is_fault(&answer), "{answer:?}");
            match answer {
                Ok(_) => book.save(&state),
                Err(_) => {
                    prop_assert_eq!(rows(&state), before);
                    prop_assert!(state.is_clean());
                }
            }
        }
    }

    #[test]
    fn a_batch_decides_like_its_commands_one_by_one(
        first in wishes(),
        second in wishes(),
    ) {
        let mut book = begin();
        for (n, wish) in first.iter().enumerate() {
            if let Some(command) = command(&mut book, wish, n) {
                let _ = book.run(command);
            }
        }
        // All of the second half is asked for before any of it is decided.
        let commands: Vec<Command> = second
            .iter()
            .enumerate()
            .filter_map(|(n, wish)| command(&mut book, wish, 1_000 + n))
            .collect();
        let mut one_by_one = book.clone();
        let expected: Vec<_> = commands.iter().map(|c| one_by_one.run(c.clone())).collect();
        prop_assert_eq!(book.run_batch(&commands), expected);
        book.assert_clean();
        prop_assert_eq!(&book.accounts, &one_by_one.accounts);
        prop_assert_eq!(&book.payments, &one_by_one.payments);
        prop_assert_eq!(&book.refunds, &one_by_one.refunds);
        prop_assert_eq!(&book.batches, &one_by_one.batches);
        prop_assert_eq!(&book.holds, &one_by_one.holds);
        prop_assert_eq!(&book.journals, &one_by_one.journals);
        prop_assert_eq!(&book.events, &one_by_one.events);
        prop_assert_eq!(&book.audit, &one_by_one.audit);
        prop_assert_eq!(&book.deliveries, &one_by_one.deliveries);
    }
}

#[test]
fn an_end_a_payment_and_a_reversal_in_one_batch_decide_like_one_by_one() {
    let mut book = Book::with_merchants(1);
    let payment = book.opened("a", 100, ready());
    let how = Ending::ReverseAny { window_seconds: 60 };
    let commands = [
        close(&mut book, &payment, how),
        settle(&mut book, &payment, "t", 100),
        reversed(&mut book, &payment, 1, Outcome::Accepted(crate::channel::ReversedAs::Refunded)),
    ];
    let mut one_by_one = book.clone();
    let expected: Vec<_> = commands.iter().map(|c| one_by_one.run(c.clone())).collect();
    assert_eq!(book.run_batch(&commands), expected);
    let now = book.payment(payment.tenant, payment.id);
    assert!(matches!(now.state, PaymentState::Reversed { .. }));
    let origins: Vec<_> = book.refunds.values().map(|r| r.origin).collect();
    assert_eq!(origins, [RefundOrigin::Reversal]);
    book.assert_clean();
}

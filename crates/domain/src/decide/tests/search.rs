//! One payment and its refunds searched in full: everything that payers, merchants, channels and
//! time can do, in every order to a depth, against a model of the channel's own book
//! (specs/reliability.md §7.5 and §7.8).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::book::*;
use crate::channel::{Closed, PaymentFound, Prepared, RefundFound, ReversedAs};
use crate::command::{Command, Decided, Ending, RecordPrepared, Task, WorkItem};
use crate::ledger::AccountPath;
use crate::operation::{Operation, OperationKind, OperationState, Outcome, RefusalClass};
use crate::payment::{CloseReason, Credential, Payment, PaymentId, PaymentState};
use crate::refund::{Refund, RefundOrigin, RefundState};
use crate::state::HoldState;

const AMOUNT: i64 = 100;
const PART: i64 = 40;
const DEPTH: usize = 10;
const WINDOW: i64 = 1_000_000_000;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A payer's money is told by a notice: of trade A or of another one.
    Notice(&'static str),
    /// A notice with a wrong amount.
    WrongNotice,
    /// The channel answers a query.
    Found(Found),
    /// Somebody ends the payment.
    Begin(Ending),
    /// The clock moves to the payment's next look and a worker claims it.
    Claim,
    /// The clock moves to a refund's next look and a worker claims it.
    ClaimRefund(usize),
    /// The answer to a preparation in flight.
    Prepared(Said),
    /// The answer to a close in flight.
    Closed(Said),
    /// The answer to a reverse in flight.
    Reversed(Said),
    /// A merchant asks for a refund of this much, or of all.
    Refund(Option<i64>),
    /// The channel's word on a refund, under the claim.
    RefundSaid(usize, Said),
    /// The channel tells by a notice that a refund is done.
    RefundNotice(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Waiting,
    Paid,
    Closed,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Done,
    /// Paid already; of a reverse: closed unpaid; of a refund: failed.
    Other,
    Pending,
    Nothing,
    NotFound,
    Refused,
    Unknown,
    NotSent,
}

/// What the channel's own book says: money in by trade, money out by our number.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Channel {
    trades: BTreeSet<&'static str>,
    out: BTreeMap<String, i64>,
    /// Paid and reversed before anybody told us.
    silent: bool,
}

#[derive(Clone)]
struct World {
    book: Book,
    id: PaymentId,
    channel: Channel,
    /// Calls that are on their way: kind and token.
    flying: BTreeMap<&'static str, u32>,
    path: Vec<Step>,
}

fn label(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Created => "created",
        PaymentState::Pending { .. } => "pending",
        PaymentState::Closing { why: CloseReason::Expired } => "closing/expired",
        PaymentState::Closing { why: CloseReason::Reversed } => "closing/reversed",
        PaymentState::Paid(_) => "paid",
        PaymentState::Reversing(_) => "reversing",
        PaymentState::Closed { why: CloseReason::Expired, .. } => "closed/expired",
        PaymentState::Closed { why: CloseReason::Reversed, .. } => "closed/reversed",
        PaymentState::Reversed { .. } => "reversed",
        PaymentState::Failed { .. } => "failed",
    }
}

/// Every way from one state to another that may be taken, and must be.
const EDGES: &[(&str, &str)] = &[
    ("created", "pending"),
    ("created", "failed"),
    ("created", "paid"),
    ("created", "closing/expired"),
    ("created", "closing/reversed"),
    ("created", "closed/expired"),
    ("pending", "paid"),
    ("pending", "closing/expired"),
    ("pending", "closing/reversed"),
    ("pending", "closed/expired"),
    ("closing/expired", "closed/expired"),
    ("closing/expired", "paid"),
    ("closing/reversed", "closed/reversed"),
    ("closing/reversed", "paid"),
    ("closing/reversed", "reversing"),
    ("paid", "reversing"),
    ("reversing", "paid"),
    ("reversing", "reversed"),
];

fn refund_label(state: &RefundState) -> &'static str {
    match state {
        RefundState::Pending => "pending",
        RefundState::Succeeded { .. } => "succeeded",
        RefundState::Failed { .. } => "failed",
    }
}

const REFUND_EDGES: &[(&str, &str)] = &[
    ("merchant", "pending>succeeded"),
    ("merchant", "pending>failed"),
    ("reversal", "pending>succeeded"),
    ("reversal", "pending>failed"),
    ("late", "pending>succeeded"),
];

fn origin(refund: &Refund) -> &'static str {
    match refund.origin {
        RefundOrigin::Merchant => "merchant",
        RefundOrigin::Reversal => "reversal",
        RefundOrigin::Late => "late",
        RefundOrigin::Batch(_) | RefundOrigin::Import => unreachable!("not in this search"),
    }
}

fn kind_word(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Prepare => "prepare",
        OperationKind::Close => "close",
        OperationKind::Reverse => "reverse",
        OperationKind::Refund => "refund",
    }
}

fn operation_fingerprint(operation: Option<&Operation>) -> impl std::fmt::Debug {
    operation.map(|o| (kind_word(o.kind), o.state, o.tries.min(2), o.next_at.is_some()))
}

fn outcome<T>(said: Said, done: T, other: T, pending: T, nothing: T) -> Outcome<T> {
    match said {
        Said::Done => Outcome::Accepted(done),
        Said::Other => Outcome::Accepted(other),
        Said::Pending => Outcome::Accepted(pending),
        Said::Nothing => Outcome::Accepted(nothing),
        Said::NotFound => Outcome::Refused(trouble(RefusalClass::NotFound)),
        Said::Refused => Outcome::Refused(trouble(RefusalClass::Business)),
        Said::Unknown => Outcome::Unknown(trouble(RefusalClass::Connection)),
        Said::NotSent => Outcome::NotSent(trouble(RefusalClass::Busy)),
    }
}

impl World {
    fn begin(asked: bool) -> World {
        let mut book = Book::with_merchants(1);
        let start = if asked { crate::command::Start::Ask } else { ready() };
        let payment = book.opened("a", AMOUNT, start);
        let mut world = World {
            book,
            id: payment.id,
            channel: Channel::default(),
            flying: BTreeMap::new(),
            path: Vec::new(),
        };
        world.note_flight();
        world
    }

    fn payment(&self) -> &Payment {
        self.book.payment(tenant(1), self.id)
    }

    fn refunds(&self) -> Vec<&Refund> {
        let mut refunds: Vec<_> = self.book.refunds.values().collect();
        refunds.sort_by_key(|r| r.id);
        refunds
    }

    /// A call that was claimed for sending is on its way until its answer comes.
    fn note_flight(&mut self) {
        if let Some(operation) = &self.payment().operation
            && operation.state == OperationState::Dispatching
        {
            let (word, token) = (kind_word(operation.kind), operation.token);
            self.flying.insert(word, token);
        }
    }

    fn steps(&self) -> Vec<Step> {
        let payment = self.payment();
        let mut steps = vec![Step::WrongNotice];
        if !self.channel.silent {
            steps.extend([Step::Notice("A"), Step::Found(Found::Paid)]);
            // The two trades differ by name only, so that the first one can be called A.
            if !self.channel.trades.is_empty() {
                steps.push(Step::Notice("B"));
            }
        }
        let asked = [Found::Nothing, Found::Waiting, Found::Closed, Found::Unknown];
        steps.extend(asked.map(Step::Found));
        let how =
            [Ending::Expire, Ending::ReverseUnpaid, Ending::ReverseAny { window_seconds: WINDOW }];
        steps.extend(how.map(Step::Begin));
        if payment.next_at.is_some() {
            steps.push(Step::Claim);
        }
        if self.flying.contains_key("prepare") {
            let said = [Said::Done, Said::Other, Said::Pending, Said::Refused];
            steps.extend(said.map(Step::Prepared));
            steps.extend([Said::Unknown, Said::NotSent].map(Step::Prepared));
        }
        if self.flying.contains_key("close") {
            let said = [Said::Done, Said::Other, Said::NotFound, Said::Refused];
            steps.extend(said.map(Step::Closed));
            steps.extend([Said::Unknown, Said::NotSent].map(Step::Closed));
        }
        if self.flying.contains_key("reverse") {
            steps.extend([Said::Done, Said::Other, Said::Unknown].map(Step::Reversed));
            // A channel that gave the money back does not say that it will not.
            if !self.channel.out.contains_key("reverse") {
                let said = [Said::NotFound, Said::Refused, Said::NotSent];
                steps.extend(said.map(Step::Reversed));
            }
        }
        let refunds = self.refunds();
        if refunds.iter().filter(|r| r.origin == RefundOrigin::Merchant).count() < 2 {
            steps.extend([Step::Refund(Some(PART)), Step::Refund(None)]);
        }
        let mut alike = BTreeSet::new();
        for (index, refund) in refunds.iter().enumerate() {
            // Of several in the same situation one is enough.
            if refund.operation.is_none() || !alike.insert(self.refund_fingerprint(refund)) {
                continue;
            }
            steps.push(Step::ClaimRefund(index));
            let said = [Said::Done, Said::Refused, Said::Unknown, Said::Nothing];
            steps.extend(said.map(|said| Step::RefundSaid(index, said)));
            if alike.len() == 1 {
                // Other words for the same; that they mean the same needs no second refund.
                let said = [Said::Other, Said::Pending, Said::NotSent];
                steps.extend(said.map(|said| Step::RefundSaid(index, said)));
                steps.push(Step::RefundNotice(index));
            }
        }
        steps
    }

    /// Does the step; false if it was refused, which must change nothing.
    fn take(&mut self, step: Step) -> bool {
        self.path.push(step);
        let payment = self.payment().clone();
        let refunds: Vec<Refund> = self.refunds().into_iter().cloned().collect();
        let book = &mut self.book;
        let command = match step {
            Step::Notice(trade) => settle(book, &payment, trade, AMOUNT),
            Step::WrongNotice => settle(book, &payment, "A", AMOUNT - 1),
            Step::Found(word) => {
                let outcome = match word {
                    Found::Nothing => Outcome::Accepted(PaymentFound::Nothing),
                    Found::Waiting => Outcome::Accepted(PaymentFound::Waiting),
                    Found::Paid => {
                        let proof = proof(book, "A", AMOUNT);
                        Outcome::Accepted(PaymentFound::Paid { proof })
                    }
                    Found::Closed => Outcome::Accepted(PaymentFound::Closed),
                    Found::Unknown => Outcome::Unknown(trouble(RefusalClass::Garbled)),
                };
                found(book, &payment, outcome)
            }
            Step::Begin(how) => close(book, &payment, how),
            Step::Claim => {
                book.now = book.now.max(payment.next_at.unwrap());
                return self.claim(WorkItem::Payment(payment.tenant, payment.id));
            }
            Step::ClaimRefund(index) => {
                let refund = &refunds[index];
                let due = refund.operation.as_ref().and_then(|o| o.next_at);
                book.now = book.now.max(due.unwrap_or(book.now));
                return self.claim(WorkItem::Refund(refund.tenant, refund.id, payment.id));
            }
            Step::Prepared(said) => {
                let paid = Prepared::Paid(proof(book, "A", AMOUNT));
                let credential = Prepared::Credential(Credential::Qr("qr".into()));
                let outcome = outcome(said, credential, paid, Prepared::Paying, Prepared::Paying);
                Command::RecordPrepared(RecordPrepared {
                    tenant: payment.tenant,
                    payment: payment.id,
                    token: self.flying.remove("prepare").unwrap(),
                    outcome,
                    fresh: book.fresh(),
                })
            }
            Step::Closed(said) => {
                let (done, other) = (Closed::Closed, Closed::AlreadyPaid);
                let token = self.flying.remove("close").unwrap();
                closed(&payment, token, outcome(said, done, other, other, other))
            }
            Step::Reversed(said) => {
                let (done, other) = (ReversedAs::Refunded, ReversedAs::Closed);
                let token = self.flying.remove("reverse").unwrap();
                reversed(book, &payment, token, outcome(said, done, other, other, other))
            }
            Step::Refund(amount) => refund(book, &payment, amount),
            Step::RefundSaid(index, said) => {
                let token = refunds[index].operation.as_ref().map(|o| o.token);
                let done = RefundFound::Done { trade_no: None, at: None };
                let failed = RefundFound::Failed { code: "no".into() };
                let (pending, nothing) = (RefundFound::Pending, RefundFound::Nothing);
                let outcome = outcome(said, done, failed, pending, nothing);
                refund_said(book, &refunds[index], token, outcome)
            }
            Step::RefundNotice(index) => {
                let done = RefundFound::Done { trade_no: None, at: None };
                refund_said(book, &refunds[index], None, Outcome::Accepted(done))
            }
        };
        let before = self.audited_rows();
        let answer = self.book.run(command);
        let path = &self.path;
        if before != self.audited_rows() {
            assert!(answer.is_ok(), "refused and changed something: {path:?}");
            let findings = self.book.findings();
            assert!(findings.is_empty(), "{findings:?} after {path:?}");
        }
        self.remember(step, &payment, &refunds, answer.is_ok());
        self.note_flight();
        self.check(&payment, &refunds);
        if step == Step::WrongNotice {
            let refused = matches!(answer, Err(crate::refusal::Refusal::AmountDiffers));
            assert!(refused, "{answer:?} after {:?}", self.path);
        }
        answer.is_ok()
    }

    fn claim(&mut self, item: WorkItem) -> bool {
        let tasks = self.book.claimed(vec![item]);
        assert!(tasks.len() <= 1);
        if !tasks.is_empty() {
            assert!(self.book.claimed(vec![item]).is_empty(), "claimed twice: {:?}", self.path);
        }
        match tasks.first() {
            Some(Task::Send(_)) => self.note_flight(),
            // A call ends before its lease: its answer is lost, its effect a query will tell.
            Some(Task::Query(_)) => self.flying.clear(),
            _ => {}
        }
        !tasks.is_empty()
    }

    /// What the auditor looks at: where none of it changed it has nothing new to find.
    fn audited_rows(&self) -> impl PartialEq + use<> {
        let book = &self.book;
        let payment =
            Payment { operation: None, next_at: None, version: 0, ..self.payment().clone() };
        let refunds: Vec<_> = self.refunds().into_iter().map(|r| r.state.clone()).collect();
        let lengths = (book.journals.len(), book.events.len(), book.receipts.len());
        (book.accounts.clone(), book.holds.clone(), payment, refunds, lengths)
    }

    /// What the channel's book says after the step.
    fn remember(&mut self, step: Step, before: &Payment, refunds: &[Refund], taken: bool) {
        let reversing = matches!(before.state, PaymentState::Reversing(_));
        let preparing = before.operation.as_ref().is_some_and(|o| o.kind == OperationKind::Prepare);
        match step {
            Step::Notice(trade) if taken => {
                self.channel.trades.insert(trade);
            }
            Step::Found(Found::Paid) if taken && !reversing => {
                self.channel.trades.insert("A");
            }
            // An answer that came too late for its call is no proof; a query will bring it again.
            Step::Prepared(Said::Other) if taken && preparing => {
                self.channel.trades.insert("A");
            }
            Step::Found(Found::Closed) if reversing => {
                self.channel.out.insert("reverse".into(), AMOUNT);
            }
            Step::Found(Found::Closed) => {
                // Ended before the reverse came; what the payer did before is in no answer.
                self.flying.remove("reverse");
            }
            Step::Reversed(Said::Done) => {
                if self.channel.trades.is_empty() {
                    self.channel.silent = true;
                } else {
                    self.channel.out.insert("reverse".into(), AMOUNT);
                }
            }
            Step::RefundSaid(index, Said::Done) | Step::RefundNotice(index) => {
                let refund = &refunds[index];
                let moved = refund.money.amount.minor();
                let before = self.channel.out.insert(refund.number.to_string(), moved);
                assert_eq!(before, None, "asked to give twice: {:?}", self.path);
            }
            _ => {}
        }
    }

    fn check(&self, before: &Payment, refunds_before: &[Refund]) {
        let payment = self.payment();
        let path = &self.path;
        let edge = (label(&before.state), label(&payment.state));
        assert!(edge.0 == edge.1 || EDGES.contains(&edge), "{edge:?} after {path:?}");
        if let (Some(one), Some(other)) = (before.receipt(), payment.receipt()) {
            assert_eq!(one, other, "another receipt after {path:?}");
        }
        for refund in refunds_before.iter().filter(|r| r.state.is_final()) {
            assert_eq!(self.book.refund(refund.tenant, refund.id), refund, "{path:?}");
        }

        let refunds = self.refunds();
        let (mut reserved, mut late) = (0, 0);
        for refund in &refunds {
            let hold = &self.book.holds[&(refund.tenant, refund.id)];
            let open = hold.state == HoldState::Open;
            assert_eq!(open, refund.state == RefundState::Pending, "{path:?}");
            match (refund.origin, &refund.state) {
                (RefundOrigin::Late, _) => {
                    assert_eq!(refund.money, payment.money, "{path:?}");
                    late += 1;
                }
                (_, RefundState::Failed { .. }) => {}
                _ => reserved += refund.money.amount.minor(),
            }
        }
        let paid = i64::from(payment.receipt().is_some());
        assert!(reserved <= paid * AMOUNT, "{reserved} given back after {path:?}");
        let trades = i64::try_from(self.channel.trades.len()).unwrap();
        assert_eq!(trades, paid + late, "money in and what it was for, after {path:?}");

        // Our receivable is the channel's book, once no reverse is under way.
        let ours = self.book.balance(
            payment.tenant,
            AccountPath::receivable(payment.route, payment.money.currency),
        );
        let theirs = i128::from(trades * AMOUNT - self.channel.out.values().sum::<i64>());
        if !matches!(payment.state, PaymentState::Reversing(_)) {
            assert_eq!(ours, theirs, "the channel's book is another one after {path:?}");
        }
    }

    fn refund_fingerprint(&self, refund: &Refund) -> String {
        let moved = self.channel.out.contains_key(refund.number.as_str());
        let (amount, state) = (refund.money.amount.minor(), refund_label(&refund.state));
        let asked = operation_fingerprint(refund.operation.as_ref());
        format!("{} {amount} {state} {moved} {asked:?}", origin(refund))
    }

    /// The same for worlds that differ by names and times only.
    fn fingerprint(&self) -> String {
        let payment = self.payment();
        let refunds = self.refunds().into_iter();
        let mut refunds: Vec<String> = refunds.map(|r| self.refund_fingerprint(r)).collect();
        refunds.sort();
        let token = payment.operation.as_ref().map_or(0, |o| o.token);
        let flying: Vec<_> = self.flying.iter().map(|(k, t)| (k, *t == token)).collect();
        format!(
            "{} {:?} {:?} {} {flying:?} {:?} {} {} {refunds:?}",
            label(&payment.state),
            payment.receipt().map(|r| r.trade_no.as_str()),
            operation_fingerprint(payment.operation.as_ref()),
            payment.next_at.is_some(),
            self.channel.trades,
            self.channel.out.contains_key("reverse"),
            self.channel.silent,
        )
    }
}

#[test]
fn every_order_of_events_keeps_the_book_and_the_channels_book_the_same() {
    let mut seen = HashSet::new();
    let (mut edges, mut refund_edges) = (BTreeSet::new(), BTreeSet::new());
    let mut frontier = vec![World::begin(true), World::begin(false)];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for world in &frontier {
            for step in world.steps() {
                let mut after = world.clone();
                if !after.take(step) {
                    continue;
                }
                edges.insert((label(&world.payment().state), label(&after.payment().state)));
                for refund in world.refunds() {
                    let now = after.book.refund(refund.tenant, refund.id);
                    let moved = (refund_label(&refund.state), refund_label(&now.state));
                    refund_edges.insert((origin(refund), format!("{}>{}", moved.0, moved.1)));
                }
                if seen.insert(after.fingerprint()) {
                    next.push(after);
                }
            }
        }
        frontier = next;
    }
    for edge in EDGES {
        assert!(edges.contains(edge), "{edge:?} was never taken");
    }
    for (origin, edge) in REFUND_EDGES {
        assert!(refund_edges.contains(&(*origin, (*edge).to_owned())), "{origin} {edge}");
    }
    assert!(seen.len() > 1_000, "only {} worlds were seen", seen.len());
}

#[test]
fn an_old_claim_decides_nothing() {
    for how in [Ending::Expire, Ending::ReverseAny { window_seconds: WINDOW }] {
        let mut world = World::begin(false);
        world.take(Step::Begin(how));
        let old = world.payment().operation.as_ref().unwrap().token;
        world.take(Step::Claim);
        let before = world.payment().clone();
        assert!(before.operation.as_ref().unwrap().token > old);
        let stale = if how == Ending::Expire {
            closed(&before, old, Outcome::Accepted(Closed::Closed))
        } else {
            reversed(&mut world.book, &before, old, Outcome::Accepted(ReversedAs::Closed))
        };
        assert_eq!(world.book.run(stale), Ok(Decided::Payment(before.clone())));
        assert_eq!(*world.payment(), before);
    }
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", AMOUNT);
    let (refund, payment) = book.refunded(&payment, None);
    book.now = book.now.plus_seconds(30);
    let claimed = book.claimed(vec![WorkItem::Refund(refund.tenant, refund.id, payment.id)]);
    assert!(matches!(&claimed[..], [Task::QueryRefund(r, _)] if r.money == refund.money));
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    for token in [None, Some(1)] {
        let command = refund_said(&mut book, &refund, token, refused.clone());
        book.run(command).unwrap();
        let now = book.refund(refund.tenant, refund.id);
        assert_eq!(now.state, RefundState::Pending, "only the claim may fail a refund");
    }
    let command = refund_said(&mut book, &refund, Some(2), refused);
    book.run(command).unwrap();
    let now = book.refund(refund.tenant, refund.id);
    assert!(matches!(now.state, RefundState::Failed { .. }));
    book.assert_clean();
}

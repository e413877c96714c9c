//! The same commands on both engines: equal answers and equal rows, whatever the order.
//!
//! Batches are loaded, decided and saved as a lane does it. What is random is which command comes
//! next, about which object, with which outcome and under a current or a stale claim.

use std::sync::Arc;

use domain::channel::{Closed, PaymentFound, Prepared, RefundFound, ReversedAs};
use domain::command::{
    Admin, BatchItem, BeginClose, ClaimDeliveries, ClaimWork, Command, CreateBatch, CreateRefund,
    Decided, Ending, OpenPayment, ParkNotice, RecordClosed, RecordDelivery, RecordFound,
    RecordPrepared, RecordRefund, RecordReversed, Resend, SettlePayment, Start, WorkItem,
};
use domain::currency::Currency;
use domain::decide::{Context, decide};
use domain::event::{CourierAnswer, Delivery, Event, Happening, Worded};
use domain::id::{Fresh, Id};
use domain::ledger::AccountPath;
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::{Credential, Payment, PaymentState, Proof};
use domain::refund::{Refund, RefundOrigin};
use domain::refusal::Refusal;
use domain::state::State;
use domain::tenant::{App, Dialect, Endpoint};
use domain::text::{Echo, Note, PublicId, RequestId, Subject};
use domain::time::Timestamp;
use domain::webhook::{WebhookFormat, WebhookFormats};
use proptest::prelude::*;

use super::sample::*;
use super::{Opened, memory, sqlite};
use crate::{BookRow, DueRow, EventFilter, Page, PaymentFilter, Queries, Store, StoreError};

/// A dialect that tells everything, in a text that names the object.
struct Plain;

impl WebhookFormat for Plain {
    fn word(
        &self,
        happening: Happening<'_>,
        _app: &App,
        _request: Option<&RequestId>,
        _now: Timestamp,
        fresh: &mut Fresh,
    ) -> Option<Worded> {
        let (word, id) = match happening {
            Happening::PaymentSucceeded(p) => ("payment.succeeded", p.id.raw()),
            Happening::PaymentFailed(p) => ("payment.failed", p.id.raw()),
            Happening::PaymentPaidAfterClose(p) => ("payment.paid_after_close", p.id.raw()),
            Happening::RefundSucceeded(r, _) => ("refund.succeeded", r.id.raw()),
            Happening::RefundFailed(r, _) => ("refund.failed", r.id.raw()),
            Happening::BatchFinished(b, _, _) => ("batch.finished", b.id.raw()),
        };
        let public_id = public(&format!("evt_{}", fresh.alphanumeric(24)));
        let body = format!(r#"{{"type":"{word}","id":{id}}}"#).into();
        Some(Worded { public_id, event_type: word.into(), body })
    }

    fn departures(&self, _happening: Happening<'_>) -> Vec<i64> {
        vec![0, 30]
    }

    fn headers(&self, _: &Delivery, _: &Event, _: Timestamp) -> Vec<(String, String)> {
        Vec::new()
    }

    fn schedule(&self) -> &'static [i64] {
        &[]
    }
}

impl WebhookFormats for Plain {
    fn of(&self, _dialect: Dialect) -> &dyn WebhookFormat {
        self
    }
}

type Answers = Result<Vec<Result<Decided, Refusal>>, StoreError>;

/// One batch, as a lane runs it.
fn run(store: &mut dyn Store, batch: &[Command], now: Timestamp) -> Answers {
    let mut state = State::default();
    let mut keys = Vec::new();
    batch.iter().for_each(|command| command.keys(&mut keys));
    store.load(&keys, &mut state)?;
    keys.clear();
    batch.iter().for_each(|command| command.more_keys(&state, &mut keys));
    store.load(&keys, &mut state)?;
    let context = Context { now, formats: &Plain };
    let answers = batch.iter().map(|command| decide(&mut state, command, &context)).collect();
    store.save(&state)?;
    Ok(answers)
}

/// One thing to do; numbers pick objects among those that exist.
#[derive(Clone, Debug)]
enum Act {
    Open {
        order: u8,
        start: u8,
        amount: i64,
    },
    Prepared {
        which: u8,
        outcome: u8,
    },
    Settle {
        which: u8,
        trade: u8,
        amount_differs: bool,
    },
    Found {
        which: u8,
        outcome: u8,
        trade: u8,
    },
    Close {
        which: u8,
        how: u8,
    },
    Closed {
        which: u8,
        outcome: u8,
    },
    Reversed {
        which: u8,
        outcome: u8,
    },
    Refund {
        which: u8,
        amount: Option<i64>,
        number: u8,
    },
    RefundRecorded {
        which: u8,
        outcome: u8,
        stale: bool,
    },
    Batch {
        first: u8,
        no: u8,
    },
    ClaimWork,
    ClaimDeliveries,
    Delivered {
        outcome: u8,
    },
    Resend {
        which: u8,
    },
    Park {
        notice: u8,
    },
    Balance {
        amount: i64,
    },
    /// Lets time pass.
    Wait {
        seconds: i64,
    },
}

fn any_act() -> impl Strategy<Value = Act> {
    let which = || any::<u8>();
    prop_oneof![
        4 => (0..12u8, 0..4u8, 1..400i64)
            .prop_map(|(order, start, amount)| Act::Open { order, start, amount }),
        3 => (which(), 0..6u8).prop_map(|(which, outcome)| Act::Prepared { which, outcome }),
        4 => (which(), 0..20u8, prop::bool::weighted(0.1)).prop_map(
            |(which, trade, amount_differs)| Act::Settle { which, trade, amount_differs }
        ),
        2 => (which(), 0..6u8, 0..20u8)
            .prop_map(|(which, outcome, trade)| Act::Found { which, outcome, trade }),
        2 => (which(), 0..3u8).prop_map(|(which, how)| Act::Close { which, how }),
        2 => (which(), 0..5u8).prop_map(|(which, outcome)| Act::Closed { which, outcome }),
        2 => (which(), 0..5u8).prop_map(|(which, outcome)| Act::Reversed { which, outcome }),
        4 => (which(), prop::option::of(1..200i64), 0..40u8)
            .prop_map(|(which, amount, number)| Act::Refund { which, amount, number }),
        4 => (which(), 0..7u8, prop::bool::weighted(0.1)).prop_map(
            |(which, outcome, stale)| Act::RefundRecorded { which, outcome, stale }
        ),
        1 => (which(), 0..4u8).prop_map(|(first, no)| Act::Batch { first, no }),
        2 => Just(Act::ClaimWork),
        2 => Just(Act::ClaimDeliveries),
        2 => (0..4u8).prop_map(|outcome| Act::Delivered { outcome }),
        1 => which().prop_map(|which| Act::Resend { which }),
        1 => (0..3u8).prop_map(|notice| Act::Park { notice }),
        1 => (0..2_000i64).prop_map(|amount| Act::Balance { amount }),
        2 => (1..4_000i64).prop_map(|seconds| Act::Wait { seconds }),
    ]
}

/// Both engines, and the objects that acts may be about.
struct Pair {
    memory: Opened,
    sqlite: Opened,
    now: Timestamp,
    drawn: i64,
    sending: Vec<Delivery>,
    /// What was answered, by its first word.
    seen: Vec<&'static str>,
}

fn refusal(why: RefusalClass) -> ChannelRefusal {
    ChannelRefusal { why, code: "ACQ.X".into(), message: "不行".into() }
}

fn trouble<T>(kind: u8) -> Outcome<T> {
    match kind {
        0 => Outcome::Refused(refusal(RefusalClass::Business)),
        1 => Outcome::Unknown(refusal(RefusalClass::Connection)),
        2 => Outcome::NotSent(refusal(RefusalClass::Busy)),
        _ => Outcome::Refused(refusal(RefusalClass::NotFound)),
    }
}

fn pick<T: Clone>(list: &[T], which: u8) -> Option<T> {
    list.get(usize::from(which) % list.len().max(1)).cloned()
}

impl Pair {
    fn new() -> Pair {
        let (memory, sqlite) = (memory(), sqlite());
        let (sending, seen) = (Vec::new(), Vec::new());
        let mut pair = Pair { memory, sqlite, now: at(0), drawn: 0, sending, seen };
        let (tenant, app, user, id) = (TENANT, app_id("app"), user("u1"), Id::from_raw(21));
        for admin in [
            Admin::PutMerchant(merchant(1)),
            Admin::PutApp(super::sample::app("app")),
            Admin::PutRoute(route(TENANT, ROUTE)),
            Admin::PutEndpoint(Endpoint { events: Vec::new(), ..endpoint(ENDPOINT, "app") }),
            Admin::PutMember { tenant, app, user, id, disabled: false },
        ] {
            pair.batch(&[Command::Admin(Box::new(admin))]);
        }
        pair
    }

    fn fresh(&mut self) -> Fresh {
        self.drawn += 1;
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.drawn.to_be_bytes());
        Fresh::for_test(self.drawn << 20, seed)
    }

    fn payments(&self) -> Vec<Payment> {
        let page = Page { limit: 1_000, ..Page::default() };
        self.memory.queries.payments(TENANT, &PaymentFilter::default(), &page).unwrap().rows
    }

    fn refunds(&self) -> Vec<Refund> {
        let mut refunds = Vec::new();
        let walked = self.memory.queries.walk_books_of_all(&mut |row| {
            if let BookRow::Refund(refund) = row {
                refunds.push(refund);
            }
            true
        });
        walked.unwrap();
        refunds
    }

    /// The events' deliveries, in the order of their ids.
    fn deliveries(&self, queries: &dyn Queries) -> Vec<String> {
        let page = Page { limit: 10_000, ..Page::default() };
        let events = queries.events(TENANT, &EventFilter::default(), &page).unwrap().rows;
        let all = events.iter().map(|e| queries.deliveries(TENANT, e.id).unwrap());
        all.map(|list| format!("{list:?}")).collect()
    }

    /// Runs one batch on both and compares what they answer.
    fn batch(&mut self, batch: &[Command]) {
        let model = run(&mut *self.memory.store, batch, self.now);
        let database = run(&mut *self.sqlite.store, batch, self.now);
        match (model, database) {
            (Ok(model), Ok(database)) => {
                assert_eq!(model, database, "{batch:?}");
                for answer in model {
                    self.note(answer);
                }
            }
            (Err(StoreError::Race(_)), Err(StoreError::Race(_))) => self.seen.push("race"),
            (model, database) => panic!("{model:?}\n{database:?}\n{batch:?}"),
        }
    }

    fn note(&mut self, answer: Result<Decided, Refusal>) {
        if let Ok(Decided::Deliveries(claimed)) = &answer {
            self.sending.extend(claimed.iter().cloned());
        }
        self.seen.push(match &answer {
            Ok(Decided::Opened(_)) => "opened",
            Ok(Decided::OpenedBefore(_)) => "opened before",
            Ok(Decided::Payment(p)) => match p.state {
                PaymentState::Created | PaymentState::Pending { .. } => "open",
                PaymentState::Closing { .. } => "closing",
                PaymentState::Paid(_) => "paid",
                PaymentState::Reversing(_) => "reversing",
                PaymentState::Closed { .. } => "closed",
                PaymentState::Reversed { .. } => "reversed",
                PaymentState::Failed { .. } => "failed",
            },
            Ok(Decided::Refund(r, _)) if r.state.is_final() => "refund ended",
            Ok(Decided::Refund(..)) => "refund",
            Ok(Decided::RefundBefore(..)) => "refund before",
            Ok(Decided::Batch(..)) => "batch",
            Ok(Decided::Tasks(tasks)) if tasks.is_empty() => "nothing due",
            Ok(Decided::Tasks(_)) => "tasks",
            Ok(Decided::Deliveries(_)) => "deliveries",
            Ok(Decided::Delivery(_)) => "delivery",
            Ok(Decided::Done) => "done",
            Ok(Decided::Unchanged) => "unchanged",
            Err(Refusal::Fault(what)) => panic!("a fault: {what}"),
            Err(_) => "refused",
        });
    }

    fn act(&mut self, act: &Act) {
        if let Act::Wait { seconds } = act {
            self.now = self.now.plus_seconds(*seconds);
            return;
        }
        if let Some(command) = self.command(act) {
            self.batch(&[command]);
        }
    }

    /// The command of an act; none where there is nothing that it could be about.
    fn command(&mut self, act: &Act) -> Option<Command> {
        let (tenant, app, now) = (TENANT, app_id("app"), self.now);
        let payment = |pair: &Pair, which| pick(&pair.payments(), which);
        // No channel ever tells of a payment from a wallet.
        let told = |pair: &Pair, which| payment(pair, which).filter(|p| p.payer.is_none());
        let proof = |p: &Payment, trade: u8, differs: bool| Proof {
            money: if differs { yuan(777_777) } else { p.money },
            trade_no: trade_no(&format!("t{trade}")),
            paid_at: now,
            details: vec![("buyer".into(), "159****".into())],
        };
        Some(match *act {
            Act::Open { order, start, amount } => self.open(order, start, amount),
            Act::Prepared { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0..=2 => trouble(outcome),
                    3 => {
                        let proof = proof(&p, which, false);
                        Outcome::Accepted(Prepared::Paid(proof))
                    }
                    4 => Outcome::Accepted(Prepared::Paying),
                    _ => Outcome::Accepted(Prepared::Credential(Credential::Qr("qr".into()))),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                let fresh = self.fresh();
                Command::RecordPrepared(RecordPrepared {
                    tenant,
                    payment: p.id,
                    token,
                    outcome,
                    fresh,
                })
            }
            Act::Settle { which, trade, amount_differs } => {
                let p = told(self, which)?;
                let proof = proof(&p, trade, amount_differs);
                let (payment, route, fresh) = (p.id, ROUTE, self.fresh());
                Command::SettlePayment(SettlePayment { tenant, payment, app, route, proof, fresh })
            }
            Act::Found { which, outcome, trade } => {
                let p = told(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(PaymentFound::Nothing),
                    1 => Outcome::Accepted(PaymentFound::Waiting),
                    2 => Outcome::Accepted(PaymentFound::Closed),
                    3 => trouble(1),
                    _ => {
                        let proof = proof(&p, trade, false);
                        Outcome::Accepted(PaymentFound::Paid { proof })
                    }
                };
                let (payment, route, fresh) = (p.id, ROUTE, self.fresh());
                Command::RecordFound(RecordFound { tenant, payment, app, route, outcome, fresh })
            }
            Act::Close { which, how } => {
                let payment = payment(self, which)?.id;
                let how = match how {
                    0 => Ending::Expire,
                    1 => Ending::ReverseUnpaid,
                    _ => Ending::ReverseAny { window_seconds: 5_000 },
                };
                let fresh = self.fresh();
                Command::BeginClose(BeginClose { tenant, payment, how, request: None, fresh })
            }
            Act::Closed { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(Closed::AlreadyPaid),
                    1..=3 => trouble(outcome),
                    _ => Outcome::Accepted(Closed::Closed),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                Command::RecordClosed(RecordClosed { tenant, payment: p.id, token, outcome })
            }
            Act::Reversed { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(ReversedAs::Closed),
                    1..=3 => trouble(outcome - 1),
                    _ => Outcome::Accepted(ReversedAs::Refunded),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                let (payment, fresh) = (p.id, self.fresh());
                Command::RecordReversed(RecordReversed { tenant, payment, token, outcome, fresh })
            }
            Act::Refund { which, amount, number } => {
                let payment = payment(self, which)?.id;
                self.refund(payment, amount, number)
            }
            Act::RefundRecorded { which, outcome, stale } => {
                // A reversal is told by its payment's operation, never as a refund.
                let mut refunds = self.refunds();
                refunds.retain(|r| r.origin != RefundOrigin::Reversal);
                let r = pick(&refunds, which)?;
                self.record_refund(&r, outcome, stale)
            }
            Act::Batch { first, no } => self.refund_batch(first, no)?,
            Act::ClaimWork => {
                let due = self.memory.queries.due_work_of_all(now, 5).unwrap();
                let items = due.into_iter().map(|row| match row {
                    DueRow::Payment(t, id) => WorkItem::Payment(t, id),
                    DueRow::Refund(t, id, of) => WorkItem::Refund(t, id, of),
                });
                Command::ClaimWork(ClaimWork { items: items.collect() })
            }
            Act::ClaimDeliveries => {
                let due = self.memory.queries.due_deliveries_of_all(now, 5, &[]).unwrap();
                let deliveries = due.into_iter().map(|(tenant, id, _)| (tenant, id)).collect();
                Command::ClaimDeliveries(ClaimDeliveries { deliveries })
            }
            Act::Delivered { outcome } => {
                let sent = self.sending.pop()?;
                let answer = match outcome {
                    0 => CourierAnswer::Failed(domain::event::CourierFailure::Unreachable),
                    1 => CourierAnswer::Answered { status: 500, excerpt: "no".into() },
                    _ => CourierAnswer::Answered { status: 200, excerpt: "success".into() },
                };
                let (delivery, token) = (sent.id, sent.token);
                let retry_seconds = (outcome == 0).then_some(120);
                Command::RecordDelivery(RecordDelivery {
                    tenant,
                    delivery,
                    token,
                    answer,
                    retry_seconds,
                })
            }
            Act::Resend { which } => {
                let delivery = pick(&self.sending, which)?.id;
                Command::Resend(Resend { tenant, delivery })
            }
            Act::Park { notice } => Command::ParkNotice(ParkNotice {
                tenant,
                number: number("unknown"),
                notice_id: format!("notice{notice}").into(),
            }),
            Act::Balance { amount } => {
                let path = AccountPath::member_available(Id::from_raw(21), Currency::CNY);
                let (balance, fresh) = (fen(amount), self.fresh());
                Command::Admin(Box::new(Admin::OpenBalance { tenant, path, balance, fresh }))
            }
            Act::Wait { .. } => return None,
        })
    }

    fn open(&mut self, order: u8, start: u8, amount: i64) -> Command {
        let fresh = self.fresh();
        Command::OpenPayment(Box::new(OpenPayment {
            tenant: TENANT,
            app: app_id("app"),
            dialect: Dialect::Pingpp,
            public_id: public(&format!("ch_{}", self.drawn)),
            channel: channel("alipay_wap"),
            route: ROUTE,
            order_no: order_no(&format!("order{order}")),
            number: number(&format!("n{}", self.drawn)),
            money: yuan(amount),
            fee: fen(amount / 100),
            subject: Subject::parse("绿茶").unwrap(),
            body: Note::parse("body").unwrap(),
            description: None,
            client_ip: "127.0.0.1".into(),
            echo: Echo::from_json("{}"),
            expires: None,
            default_life_seconds: 3_600,
            start: match start {
                0 => Start::Ready(Credential::Page("https://pay.example".into())),
                1 => Start::Wallet(user("u1")),
                _ => Start::Ask,
            },
            request: None,
            created: self.now,
            fresh,
        }))
    }

    /// Numbers come from a small set, so that some are taken: only the store can tell.
    fn refund(&mut self, payment: Id<Payment>, amount: Option<i64>, n: u8) -> Command {
        let fresh = self.fresh();
        Command::CreateRefund(Box::new(CreateRefund {
            tenant: TENANT,
            payment,
            public_id: public(&format!("re_{}", self.drawn)),
            number: number(&format!("r{n}")),
            amount: amount.map(fen),
            description: Note::parse("why").unwrap(),
            echo: Echo::from_json("{}"),
            request: None,
            exact_request: Some([n; 32]),
            body_hash: [n; 32],
            unanswered_since: None,
            fresh,
        }))
    }

    fn record_refund(&mut self, r: &Refund, outcome: u8, stale: bool) -> Command {
        let outcome = match outcome {
            0..=2 => trouble(outcome),
            3 => Outcome::Accepted(RefundFound::Nothing),
            4 => Outcome::Accepted(RefundFound::Failed { code: "ACQ.NO".into() }),
            _ => {
                let (trade_no, at) = (Some(trade_no("rt")), Some(self.now));
                Outcome::Accepted(RefundFound::Done { trade_no, at })
            }
        };
        let batch = match r.origin {
            RefundOrigin::Batch(id) => Some(id),
            RefundOrigin::Merchant
            | RefundOrigin::Reversal
            | RefundOrigin::Late
            | RefundOrigin::Import => None,
        };
        let token = r.operation.as_ref().map(|o| o.token).filter(|_| !stale);
        let (tenant, refund, payment, app) = (r.tenant, r.id, r.payment, r.app.clone());
        let fresh = self.fresh();
        Command::RecordRefund(RecordRefund {
            tenant,
            refund,
            payment,
            app,
            batch,
            token,
            outcome,
            fresh,
        })
    }

    fn refund_batch(&mut self, first: u8, no: u8) -> Option<Command> {
        let payments = self.payments();
        let items = payments.iter().cycle().skip(usize::from(first)).take(2.min(payments.len()));
        let items: Vec<_> = items.map(|p| p.id).collect();
        let mut list = Vec::new();
        for payment in items {
            self.drawn += 1;
            list.push(BatchItem {
                payment,
                public_id: public(&format!("re_{}", self.drawn)),
                number: number(&format!("rb{}", self.drawn)),
                amount: Some(fen(1)),
                description: Note::parse("why").unwrap(),
                echo: Echo::from_json("{}"),
            });
        }
        if list.is_empty() {
            return None;
        }
        let fresh = self.fresh();
        Some(Command::CreateBatch(Box::new(CreateBatch {
            tenant: TENANT,
            app: app_id("app"),
            public_id: public(&format!("batch_{}", self.drawn)),
            batch_no: format!("batch{no}").into(),
            description: Note::parse("all").unwrap(),
            echo: Echo::from_json("[]"),
            items: list,
            request: None,
            fresh,
        })))
    }

    /// Everything that can be read is equal.
    fn compare(&self) {
        let rows = |queries: &dyn Queries| {
            let mut rows = Vec::new();
            let walked = queries.walk_books_of_all(&mut |row| {
                rows.push(format!("{row:?}"));
                true
            });
            walked.unwrap();
            rows.sort();
            rows
        };
        let (model, database): (&Arc<dyn Queries>, _) =
            (&self.memory.queries, &self.sqlite.queries);
        assert_eq!(rows(&**model), rows(&**database));
        assert_eq!(self.deliveries(&**model), self.deliveries(&**database));
        assert_eq!(model.backlog_of_all().unwrap(), database.backlog_of_all().unwrap());
        assert_eq!(model.next_due_of_all().unwrap(), database.next_due_of_all().unwrap());
        // Rows due at one instant may come in any order.
        let late = at(10_000_000);
        let work = |queries: &dyn Queries| {
            let due = queries.due_work_of_all(late, 10_000).unwrap();
            let mut due: Vec<_> = due.iter().map(|row| format!("{row:?}")).collect();
            due.sort();
            due
        };
        assert_eq!(work(&**model), work(&**database));
        assert_eq!(model.accounts(TENANT).unwrap(), database.accounts(TENANT).unwrap());
        let page = Page { limit: 7, ..Page::default() };
        for paid in [None, Some(true), Some(false)] {
            let filter = PaymentFilter { paid, ..PaymentFilter::default() };
            let listed = |queries: &dyn Queries| queries.payments(TENANT, &filter, &page).unwrap();
            assert_eq!(listed(&**model), listed(&**database));
        }
        let batches = |queries: &dyn Queries| queries.batches(TENANT, None, 0, 100).unwrap();
        assert_eq!(batches(&**model), batches(&**database));
        assert_eq!(database.check_file().unwrap(), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_same_commands_leave_the_same_rows(
        acts in prop::collection::vec(any_act(), 1..80),
    ) {
        let mut pair = Pair::new();
        for act in &acts {
            pair.act(act);
        }
        pair.compare();
    }

    #[test]
    fn commands_of_one_commit_see_each_other_alike(
        batches in prop::collection::vec(prop::collection::vec(any_act(), 1..6), 1..20),
    ) {
        let mut pair = Pair::new();
        for acts in &batches {
            let commands: Vec<_> = acts.iter().filter_map(|act| pair.command(act)).collect();
            pair.batch(&commands);
            pair.now = pair.now.plus_seconds(40);
        }
        pair.compare();
    }
}

#[test]
fn a_payments_whole_life_is_the_same_on_both() {
    let mut pair = Pair::new();
    let open = |order, start| Act::Open { order, start, amount: 300 };
    for act in [
        Act::Balance { amount: 1_000 },
        open(0, 1), // paid from the wallet
        open(1, 0), // ready
        open(1, 0), // the same again
        Act::Settle { which: 0, trade: 1, amount_differs: true },
        Act::Settle { which: 0, trade: 1, amount_differs: false },
        Act::Settle { which: 0, trade: 1, amount_differs: false },
        Act::Refund { which: 0, amount: Some(100), number: 1 },
        Act::Refund { which: 0, amount: Some(100), number: 1 }, // the same again
        Act::Refund { which: 1, amount: Some(50), number: 1 },  // a number that is taken
        Act::RefundRecorded { which: 0, outcome: 1, stale: false },
        Act::RefundRecorded { which: 0, outcome: 5, stale: true },
        Act::Batch { first: 0, no: 1 },
        Act::Batch { first: 0, no: 1 },
        Act::ClaimWork,
        Act::Wait { seconds: 10 },
        open(2, 2),
        Act::Prepared { which: 0, outcome: 0 }, // fails: the order number is free
        open(2, 2),
        Act::Close { which: 0, how: 2 },
        Act::Reversed { which: 0, outcome: 4 },
        Act::Settle { which: 0, trade: 9, amount_differs: false }, // late
        Act::Wait { seconds: 10 },
        open(3, 0),
        Act::Settle { which: 0, trade: 10, amount_differs: false },
        Act::Close { which: 0, how: 2 },
        Act::Reversed { which: 0, outcome: 4 },
        Act::ClaimDeliveries,
        Act::Delivered { outcome: 0 },
        Act::Delivered { outcome: 1 },
        Act::Delivered { outcome: 2 },
        Act::Resend { which: 0 },
        Act::Park { notice: 1 },
        Act::Park { notice: 1 },
        Act::Wait { seconds: 4_000 },
        Act::ClaimWork,
    ] {
        pair.act(&act);
        pair.compare();
    }
    for word in [
        "opened",
        "opened before",
        "paid",
        "failed",
        "closing",
        "closed",
        "reversing",
        "reversed",
        "refund",
        "refund before",
        "refund ended",
        "batch",
        "tasks",
        "deliveries",
        "delivery",
        "done",
        "unchanged",
        "refused",
        "race",
    ] {
        assert!(pair.seen.contains(&word), "{word} never happened: {:?}", pair.seen);
    }
}

/// The whole text of an id is the merchant's affair; only equality counts here.
#[test]
fn public_ids_that_differ_only_in_case_are_different_on_both() {
    let mut pair = Pair::new();
    let mut upper = payment(101);
    upper.public_id = PublicId::parse("CH_101").unwrap();
    let mut lower = payment(102);
    lower.public_id = PublicId::parse("ch_101").unwrap();
    for opened in [&mut pair.memory, &mut pair.sqlite] {
        opened.write(|s| {
            s.put_payment(&upper);
            s.put_payment(&lower);
        });
        let found = opened.queries.payment(TENANT, &public("ch_101")).unwrap();
        assert_eq!(found.as_ref(), Some(&lower));
    }
}

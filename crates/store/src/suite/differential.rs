//! The same commands on both engines: equal answers and equal rows, whatever the order.
//!
//! Batches are loaded, decided and saved as a lane does it. What is random is which command comes
//! next, about which object, with which outcome and under a current or a stale claim.

mod acts;

use domain::command::{Admin, Command, Decided};
use domain::decide::{Context, decide};
use domain::event::{Delivery, Event, Happening, Worded};
use domain::id::{Fresh, Id};
use domain::payment::{Payment, PaymentState};
use domain::refund::Refund;
use domain::refusal::Refusal;
use domain::state::State;
use domain::tenant::{App, Dialect, Endpoint};
use domain::text::RequestId;
use domain::time::Timestamp;
use domain::webhook::{WebhookFormat, WebhookFormats};
use proptest::prelude::*;

use self::acts::{Act, any_act};
use super::sample::*;
use super::{Opened, memory, sqlite};
use crate::{BookRow, EventFilter, Page, PaymentFilter, Queries, Store, StoreError};

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
        let (model, database) = (&self.memory.queries, &self.sqlite.queries);
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

/// No file of failures is written: a failing case is printed whole.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

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
    upper.public_id = public("CH_101");
    let mut lower = payment(102);
    lower.public_id = public("ch_101");
    for opened in [&mut pair.memory, &mut pair.sqlite] {
        opened.write(|s| {
            s.put_payment(&upper);
            s.put_payment(&lower);
        });
        let found = opened.queries.payment(TENANT, &public("ch_101")).unwrap();
        assert_eq!(found.as_ref(), Some(&lower));
    }
}

//! A book in memory for tests: loads what a command names and nothing else, as a lane does, so
//! that a forgotten key shows itself; saves what came of it; lets the auditor look at all of it.

use std::collections::HashMap;
use std::hash::Hash;

use crate::command::{Admin, Command, CreateRefund, Decided, Ending, OpenPayment, Start};
use crate::command::{BeginClose, RecordClosed, RecordFound, RecordRefund, RecordReversed};
use crate::command::{SettlePayment, Task};
use crate::currency::Currency;
use crate::decide::{Context, decide};
use crate::event::{AuditRow, Delivery, DeliveryAttempt, DeliveryId, Event, Happening, Worded};
use crate::id::{Fresh, Id};
use crate::invariant::{Auditor, Finding};
use crate::ledger::{Account, AccountKey, AccountPath, ChainHead, Journal};
use crate::money::{Amount, BasisPoints, Money};
use crate::operation::{ChannelRefusal, Outcome, RefusalClass};
use crate::payment::{Credential, Payment, PaymentId, Proof};
use crate::refund::{BatchId, Refund, RefundBatch, RefundId};
use crate::refusal::Refusal;
use crate::state::{Fate, Hold, Key, ReceiptRow, State, Table};
use crate::tenant::{
    App, Dialect, Endpoint, EndpointId, IdScheme, Member, MerchantId, Mode, RouteId, Tenant,
};
use crate::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, TradeNo,
    UserId,
};
use crate::time::Timestamp;
use crate::webhook::{WebhookFormat, WebhookFormats};

/// Words for tests: the kind and the ids.
pub(crate) struct Words;

impl WebhookFormats for Words {
    fn of(&self, _: Dialect) -> &dyn WebhookFormat {
        &Words
    }
}

impl WebhookFormat for Words {
    fn word(
        &self,
        happening: Happening<'_>,
        app: &App,
        _: Option<&RequestId>,
        _: Timestamp,
        fresh: &mut Fresh,
    ) -> Option<Worded> {
        let (kind, ids) = match happening {
            Happening::PaymentSucceeded(p) => ("payment.succeeded", vec![p.id.raw()]),
            Happening::PaymentFailed(p) => ("payment.failed", vec![p.id.raw()]),
            Happening::PaymentPaidAfterClose(p) => ("payment.paid_after_close", vec![p.id.raw()]),
            Happening::RefundSucceeded(r, p) => {
                ("refund.succeeded", vec![r.id.raw(), p.id.raw(), p.refunded.minor()])
            }
            Happening::RefundFailed(r, p) => ("refund.failed", vec![r.id.raw(), p.id.raw()]),
            Happening::BatchFinished(b, refunds, payments) => {
                assert_eq!(refunds.len(), payments.len());
                ("batch.finished", vec![b.id.raw(), i64::from(b.succeeded), i64::from(b.failed)])
            }
        };
        let body = format!(r#"{{"kind":"{kind}","app":"{}","ids":{ids:?}}}"#, app.id);
        let public_id = PublicId::parse(&format!("evt_{}", fresh.digits(20))).unwrap();
        Some(Worded { public_id, event_type: kind.into(), body: body.into() })
    }

    fn departures(&self, _: Happening<'_>) -> Vec<i64> {
        vec![0]
    }

    fn headers(&self, _: &Delivery, _: &Event, _: Timestamp) -> Vec<(String, String)> {
        Vec::new()
    }

    fn schedule(&self) -> &'static [i64] {
        &[60, 600]
    }
}

/// Everything that a store keeps.
#[derive(Clone)]
pub(crate) struct Book {
    pub apps: HashMap<(MerchantId, AppId), App>,
    pub endpoints: HashMap<(Tenant, EndpointId), Endpoint>,
    pub members: HashMap<(Tenant, AppId, UserId), Member>,
    pub payments: HashMap<(Tenant, PaymentId), Payment>,
    pub receipts: HashMap<(Tenant, RouteId, TradeNo), ReceiptRow>,
    pub refunds: HashMap<(Tenant, RefundId), Refund>,
    pub batches: HashMap<(Tenant, BatchId), RefundBatch>,
    pub holds: HashMap<(Tenant, RefundId), Hold>,
    pub accounts: HashMap<AccountKey, Account>,
    pub chains: HashMap<Tenant, ChainHead>,
    pub deliveries: HashMap<(Tenant, DeliveryId), Delivery>,
    pub journals: Vec<Journal>,
    pub events: Vec<Event>,
    pub audit: Vec<AuditRow>,
    pub tries: Vec<DeliveryAttempt>,
    pub now: Timestamp,
    next_id: i64,
}

fn save<K: Hash + Eq, R: Clone>(
    map: &mut HashMap<K, R>,
    dirty: impl Iterator<Item = (R, Fate)>,
    key: impl Fn(&R) -> K,
) {
    for (row, fate) in dirty {
        let before = map.insert(key(&row), row);
        assert_eq!(fate == Fate::Changed, before.is_some(), "a row is new once, then changed");
    }
}

fn dirty<K, R>(table: &Table<K, R>) -> impl Iterator<Item = (R, Fate)>
where
    K: Clone + Eq + Hash + std::fmt::Debug,
    R: Clone,
{
    table.dirty().map(|(row, fate)| (row.clone(), fate))
}

impl Book {
    /// A book with nothing in it.
    pub fn empty() -> Book {
        Book {
            apps: HashMap::new(),
            endpoints: HashMap::new(),
            members: HashMap::new(),
            payments: HashMap::new(),
            receipts: HashMap::new(),
            refunds: HashMap::new(),
            batches: HashMap::new(),
            holds: HashMap::new(),
            accounts: HashMap::new(),
            chains: HashMap::new(),
            deliveries: HashMap::new(),
            journals: Vec::new(),
            events: Vec::new(),
            audit: Vec::new(),
            tries: Vec::new(),
            now: Timestamp::from_seconds(1_800_000_000),
            next_id: 1 << 20,
        }
    }

    /// A book with `merchants` merchants of one app, one route and one endpoint each.
    pub fn with_merchants(merchants: i64) -> Book {
        let mut book = Book::empty();
        for n in 1..=merchants {
            let tenant = tenant(n);
            book.admin(Admin::PutApp(App {
                merchant: tenant.merchant,
                id: app(),
                display_name: "shop".into(),
                created: book.now,
                id_scheme: IdScheme::Digits,
                fee: BasisPoints::new(60).unwrap(),
                channels: Vec::new(),
                disabled: false,
            }));
            book.admin(Admin::PutEndpoint(Endpoint {
                tenant,
                app: app(),
                id: Id::from_raw(500 + n),
                dialect: Dialect::Pingpp,
                url: "https://shop.example/hook".into(),
                events: Vec::new(),
                created: book.now,
                disabled: false,
            }));
        }
        book
    }

    fn load(&self, key: &Key, state: &mut State) {
        match key {
            Key::App(m, id) => {
                let key = (*m, id.clone());
                state.apps.load(key.clone(), self.apps.get(&key).cloned());
            }
            Key::Endpoint(t, id) => {
                state.endpoints.load((*t, *id), self.endpoints.get(&(*t, *id)).cloned());
            }
            Key::Endpoints(t, app) => {
                let of_app = self.endpoints.values().filter(|e| e.tenant == *t && e.app == *app);
                let found: Vec<Endpoint> = of_app.cloned().collect();
                let ids = found.iter().map(|e| e.id).collect();
                for row in found {
                    state.endpoints.load((*t, row.id), Some(row));
                }
                state.endpoints_of.load((*t, app.clone()), Some(ids));
            }
            Key::Member(t, app, user) => {
                let key = (*t, app.clone(), user.clone());
                state.members.load(key.clone(), self.members.get(&key).cloned());
            }
            Key::Payment(t, id) => {
                state.payments.load((*t, *id), self.payments.get(&(*t, *id)).cloned());
            }
            Key::Order(t, app, channel, no) => {
                let found = self.owner(state, |p| {
                    (p.tenant, &p.app, &p.channel, &p.order_no) == (*t, app, channel, no)
                });
                state.orders.load((*t, app.clone(), channel.clone(), no.clone()), found);
            }
            Key::Number(t, route, no) => {
                let found =
                    self.owner(state, |p| (p.tenant, p.route, &p.number) == (*t, *route, no));
                state.numbers.load((*t, *route, no.clone()), found);
            }
            Key::PublicPayment(t, id) => {
                let found = self.owner(state, |p| (p.tenant, &p.public_id) == (*t, id));
                state.public_payments.load((*t, id.clone()), found);
            }
            Key::Receipt(t, route, no) => {
                let key = (*t, *route, no.clone());
                state.receipts.load(key.clone(), self.receipts.get(&key).cloned());
            }
            Key::Refund(t, id) => {
                state.refunds.load((*t, *id), self.refunds.get(&(*t, *id)).cloned());
            }
            Key::RefundsOf(t, id) => {
                let ids = self.load_refunds(state, |r| r.tenant == *t && r.payment == *id);
                state.refunds_of.load((*t, *id), Some(ids));
            }
            Key::Batch(t, app, no) => {
                let is = |b: &&RefundBatch| (b.tenant, &b.app, &b.batch_no) == (*t, app, no);
                let found = self.batches.values().find(is);
                state.batch_numbers.load((*t, app.clone(), no.clone()), found.map(|b| b.id));
            }
            Key::BatchById(t, id) => {
                state.batches.load((*t, *id), self.batches.get(&(*t, *id)).cloned());
            }
            Key::RefundsOfBatch(t, id) => {
                let of = crate::refund::RefundOrigin::Batch(*id);
                let ids = self.load_refunds(state, |r| r.tenant == *t && r.origin == of);
                state.refunds_of_batch.load((*t, *id), Some(ids));
            }
            Key::Hold(t, id) => {
                state.holds.load((*t, *id), self.holds.get(&(*t, *id)).cloned());
            }
            Key::Account(t, path) => {
                let key = AccountKey { tenant: *t, path: *path };
                state.accounts.load(key, self.accounts.get(&key).cloned());
            }
            Key::Chain(t) => state.chains.load(*t, self.chains.get(t).cloned()),
            Key::Delivery(t, id) => {
                state.deliveries.load((*t, *id), self.deliveries.get(&(*t, *id)).cloned());
            }
            Key::Unmatched(t, id) => state.unmatched.load((*t, id.clone()), None),
            Key::Merchant(_) | Key::ApiKey(_) | Key::MerchantKey(..) | Key::Route(..) => {
                unreachable!("no test here needs {key:?}")
            }
        }
    }

    fn owner(&self, state: &mut State, is: impl Fn(&Payment) -> bool) -> Option<PaymentId> {
        let found = self.payments.values().find(|p| is(p))?;
        state.load_payment(found.clone());
        Some(found.id)
    }

    fn load_refunds(&self, state: &mut State, is: impl Fn(&Refund) -> bool) -> Vec<RefundId> {
        let mut found: Vec<&Refund> = self.refunds.values().filter(|r| is(r)).collect();
        found.sort_by_key(|r| r.id);
        for refund in &found {
            state.refunds.load((refund.tenant, refund.id), Some((*refund).clone()));
        }
        found.iter().map(|r| r.id).collect()
    }

    /// The rows that a lane would load for these commands.
    pub fn loaded(&self, commands: &[Command]) -> State {
        let mut state = State::default();
        let mut keys = Vec::new();
        for command in commands {
            command.keys(&mut keys);
        }
        for key in keys.drain(..) {
            self.load(&key, &mut state);
        }
        for command in commands {
            command.more_keys(&state, &mut keys);
        }
        keys.retain(|key| !state.knows(key));
        for key in keys {
            self.load(&key, &mut state);
        }
        state
    }

    /// Writes what was decided.
    pub fn save(&mut self, state: &State) {
        save(&mut self.apps, dirty(&state.apps), |r| (r.merchant, r.id.clone()));
        save(&mut self.endpoints, dirty(&state.endpoints), |r| (r.tenant, r.id));
        save(&mut self.members, dirty(&state.members), |r| {
            (r.tenant, r.app.clone(), r.user.clone())
        });
        save(&mut self.payments, dirty(&state.payments), |r| (r.tenant, r.id));
        save(&mut self.receipts, dirty(&state.receipts), |r| {
            (r.tenant, r.route, r.trade_no.clone())
        });
        save(&mut self.refunds, dirty(&state.refunds), |r| (r.tenant, r.id));
        save(&mut self.batches, dirty(&state.batches), |r| (r.tenant, r.id));
        save(&mut self.holds, dirty(&state.holds), |r| (r.tenant, r.refund));
        save(&mut self.accounts, dirty(&state.accounts), |r| r.key);
        save(&mut self.chains, dirty(&state.chains), |r| r.tenant);
        save(&mut self.deliveries, dirty(&state.deliveries), |r| (r.tenant, r.id));
        self.journals.extend(state.journals.iter().cloned());
        self.events.extend(state.events.iter().cloned());
        self.audit.extend(state.audit.iter().cloned());
        self.tries.extend(state.delivery_attempts.iter().cloned());
    }

    /// Decides commands in one batch. A fault is a forgotten key or worse.
    pub fn run_batch(&mut self, commands: &[Command]) -> Vec<Result<Decided, Refusal>> {
        let mut state = self.loaded(commands);
        let context = Context { now: self.now, formats: &Words };
        let answers: Vec<_> =
            commands.iter().map(|command| decide(&mut state, command, &context)).collect();
        for (answer, command) in answers.iter().zip(commands) {
            assert!(!is_fault(answer), "{answer:?} to {command:?}");
        }
        self.save(&state);
        answers
    }

    /// Decides one command.
    pub fn run(&mut self, command: Command) -> Result<Decided, Refusal> {
        self.run_batch(&[command]).remove(0)
    }

    /// Does an operator's change.
    pub fn admin(&mut self, admin: Admin) {
        self.run(Command::Admin(Box::new(admin))).unwrap();
    }

    /// Gives an account a balance.
    pub fn fund(&mut self, tenant: Tenant, path: AccountPath, balance: i64) {
        let fresh = self.fresh();
        self.admin(Admin::OpenBalance { tenant, path, balance: fen(balance), fresh });
    }

    /// Material for ids that nothing else uses.
    pub fn fresh(&mut self) -> Fresh {
        self.next_id += 64 * crate::id::FRESH_IDS_MAX;
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.next_id.to_be_bytes());
        Fresh::for_test(self.next_id, seed)
    }

    /// What the auditor says of it.
    pub fn findings(&self) -> Vec<Finding> {
        let mut auditor = Auditor::default();
        self.accounts.values().for_each(|a| auditor.account(a.clone()));
        self.journals.iter().for_each(|j| auditor.journal(j));
        self.holds.values().for_each(|h| auditor.hold(h));
        self.payments.values().for_each(|p| auditor.payment(p));
        self.refunds.values().for_each(|r| auditor.refund(r));
        self.receipts.values().for_each(|r| auditor.receipt(r));
        self.batches.values().for_each(|b| auditor.batch(b));
        self.events.iter().for_each(|e| auditor.event(e));
        auditor.finish()
    }

    /// Fails unless the auditor is content.
    pub fn assert_clean(&self) {
        assert_eq!(self.findings(), []);
    }

    pub fn payment(&self, tenant: Tenant, id: PaymentId) -> &Payment {
        &self.payments[&(tenant, id)]
    }

    pub fn refund(&self, tenant: Tenant, id: RefundId) -> &Refund {
        &self.refunds[&(tenant, id)]
    }

    pub fn balance(&self, tenant: Tenant, path: AccountPath) -> i128 {
        self.accounts.get(&AccountKey { tenant, path }).map_or(0, Account::balance)
    }

    /// Opens a payment and returns it.
    pub fn opened(&mut self, order: &str, amount: i64, start: Start) -> Payment {
        let command = open(self, tenant(1), order, amount, start);
        match self.run(command) {
            Ok(Decided::Opened(payment)) => payment,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a payment and has it paid by a trade named after its order.
    pub fn paid(&mut self, order: &str, amount: i64) -> Payment {
        let payment = self.opened(order, amount, ready());
        let command = settle(self, &payment, &format!("trade_{order}"), amount);
        match self.run(command) {
            Ok(Decided::Payment(payment)) => payment,
            other => panic!("{other:?}"),
        }
    }

    /// Makes a refund and returns it with its payment.
    pub fn refunded(&mut self, payment: &Payment, amount: Option<i64>) -> (Refund, Payment) {
        let command = refund(self, payment, amount);
        match self.run(command) {
            Ok(Decided::Refund(refund, payment)) => (refund, payment),
            other => panic!("{other:?}"),
        }
    }

    /// Claims work and returns the tasks.
    pub fn claimed(&mut self, items: Vec<crate::command::WorkItem>) -> Vec<Task> {
        match self.run(Command::ClaimWork(crate::command::ClaimWork { items })) {
            Ok(Decided::Tasks(tasks)) => tasks,
            other => panic!("{other:?}"),
        }
    }
}

/// Whether a refusal is, or hides, a programming error.
pub(crate) fn is_fault(answer: &Result<Decided, Refusal>) -> bool {
    match answer {
        Err(Refusal::Fault(_)) => true,
        Err(Refusal::BatchItem { why, .. }) => matches!(**why, Refusal::Fault(_)),
        _ => false,
    }
}

pub(crate) fn tenant(n: i64) -> Tenant {
    Tenant { merchant: Id::from_raw(n), mode: Mode::Test }
}

pub(crate) fn app() -> AppId {
    AppId::parse("app_1").unwrap()
}

/// A tenant's only route.
pub(crate) fn route(tenant: Tenant) -> RouteId {
    Id::from_raw(700 + tenant.merchant.raw())
}

pub(crate) fn fen(n: i64) -> Amount {
    Amount::new(n).unwrap()
}

pub(crate) fn cny(n: i64) -> Money {
    Money::new(fen(n), Currency::CNY)
}

pub(crate) fn note(text: &str) -> Note {
    Note::parse(text).unwrap()
}

pub(crate) fn number(text: &str) -> ChannelNumber {
    ChannelNumber::parse(text).unwrap()
}

pub(crate) fn public(text: &str) -> PublicId {
    PublicId::parse(text).unwrap()
}

pub(crate) fn ready() -> Start {
    Start::Ready(Credential::Qr("qr".into()))
}

pub(crate) fn trouble(why: RefusalClass) -> ChannelRefusal {
    ChannelRefusal { why, code: "code".into(), message: "message".into() }
}

/// A command that opens a payment; its numbers are made from the order number.
pub(crate) fn opening(
    book: &mut Book,
    tenant: Tenant,
    order: &str,
    amount: i64,
    start: Start,
) -> OpenPayment {
    let fresh = book.fresh();
    let unique = format!("{order}_{}", book.next_id);
    OpenPayment {
        tenant,
        app: app(),
        dialect: Dialect::Pingpp,
        public_id: public(&format!("ch_{unique}")),
        channel: ChannelName::parse("alipay_qr").unwrap(),
        route: route(tenant),
        order_no: OrderNo::parse(order).unwrap(),
        number: number(&format!("n{unique}")),
        money: cny(amount),
        fee: Amount::ZERO,
        subject: Subject::parse("tea").unwrap(),
        body: note("green tea"),
        description: None,
        client_ip: "203.0.113.7".into(),
        echo: Echo::from_json("{}"),
        expires: None,
        default_life_seconds: 3_600,
        start,
        request: None,
        created: book.now,
        fresh,
    }
}

pub(crate) fn open(
    book: &mut Book,
    tenant: Tenant,
    order: &str,
    amount: i64,
    start: Start,
) -> Command {
    Command::OpenPayment(Box::new(opening(book, tenant, order, amount, start)))
}

pub(crate) fn proof(book: &Book, trade: &str, amount: i64) -> Proof {
    Proof {
        money: cny(amount),
        trade_no: TradeNo::parse(trade).unwrap(),
        paid_at: book.now,
        details: Vec::new(),
    }
}

pub(crate) fn settle(book: &mut Book, payment: &Payment, trade: &str, amount: i64) -> Command {
    Command::SettlePayment(SettlePayment {
        tenant: payment.tenant,
        payment: payment.id,
        app: payment.app.clone(),
        route: payment.route,
        proof: proof(book, trade, amount),
        fresh: book.fresh(),
    })
}

pub(crate) fn found(
    book: &mut Book,
    payment: &Payment,
    outcome: Outcome<crate::channel::PaymentFound>,
) -> Command {
    Command::RecordFound(RecordFound {
        tenant: payment.tenant,
        payment: payment.id,
        app: payment.app.clone(),
        route: payment.route,
        outcome,
        fresh: book.fresh(),
    })
}

pub(crate) fn close(book: &mut Book, payment: &Payment, how: Ending) -> Command {
    let (tenant, payment, fresh) = (payment.tenant, payment.id, book.fresh());
    Command::BeginClose(BeginClose { tenant, payment, how, request: None, fresh })
}

pub(crate) fn closed(
    payment: &Payment,
    token: u32,
    outcome: Outcome<crate::channel::Closed>,
) -> Command {
    let (tenant, payment) = (payment.tenant, payment.id);
    Command::RecordClosed(RecordClosed { tenant, payment, token, outcome })
}

pub(crate) fn reversed(
    book: &mut Book,
    payment: &Payment,
    token: u32,
    outcome: Outcome<crate::channel::ReversedAs>,
) -> Command {
    let (tenant, payment, fresh) = (payment.tenant, payment.id, book.fresh());
    Command::RecordReversed(RecordReversed { tenant, payment, token, outcome, fresh })
}

/// A request to refund; each has a body of its own.
pub(crate) fn refunding(book: &mut Book, payment: &Payment, amount: Option<i64>) -> CreateRefund {
    let fresh = book.fresh();
    let unique = book.next_id;
    let mut body_hash = [0; 32];
    body_hash[..8].copy_from_slice(&unique.to_be_bytes());
    CreateRefund {
        tenant: payment.tenant,
        payment: payment.id,
        public_id: public(&format!("re_{unique}")),
        number: number(&format!("r{unique}")),
        amount: amount.map(fen),
        description: note("returned"),
        echo: Echo::from_json("{}"),
        request: None,
        exact_request: None,
        body_hash,
        unanswered_since: None,
        fresh,
    }
}

pub(crate) fn refund(book: &mut Book, payment: &Payment, amount: Option<i64>) -> Command {
    Command::CreateRefund(Box::new(refunding(book, payment, amount)))
}

pub(crate) fn refund_said(
    book: &mut Book,
    refund: &Refund,
    token: Option<u32>,
    outcome: Outcome<crate::channel::RefundFound>,
) -> Command {
    let batch = match refund.origin {
        crate::refund::RefundOrigin::Batch(id) => Some(id),
        _ => None,
    };
    Command::RecordRefund(RecordRefund {
        tenant: refund.tenant,
        refund: refund.id,
        payment: refund.payment,
        app: refund.app.clone(),
        batch,
        token,
        outcome,
        fresh: book.fresh(),
    })
}

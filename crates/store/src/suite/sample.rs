//! Rows for tests: each maker gives a plain valid row, and the test changes what it is about.

use domain::currency::Currency;
use domain::event::{About, Delivery, DeliveryState, Event};
use domain::id::Id;
use domain::ledger::{Account, AccountKey, AccountPath, Cause, ChainHead, Entry, Journal, Line};
use domain::ledger::{Hash, Side};
use domain::money::{Amount, BasisPoints, Money};
use domain::operation::{Operation, OperationKind};
use domain::payment::{Payment, PaymentId, PaymentState, Receipt};
use domain::refund::{BatchId, Refund, RefundBatch, RefundOrigin, RefundState};
use domain::state::{Hold, HoldState, ReceiptRow, State};
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, EndpointId, IdScheme, Member, Merchant,
    MerchantKey, Mode, Route, RouteId, Tenant,
};
use domain::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, TradeNo,
    UserId,
};
use domain::time::Timestamp;

/// Whose rows these are, unless a test says otherwise.
pub const TENANT: Tenant = Tenant { merchant: Id::from_raw(1), mode: Mode::Test };
/// The merchant's other universe.
pub const LIVE: Tenant = Tenant { merchant: Id::from_raw(1), mode: Mode::Live };
/// The contract by which payments go.
pub const ROUTE: RouteId = Id::from_raw(7);
/// Where events are told.
pub const ENDPOINT: EndpointId = Id::from_raw(11);

/// Seconds after a fixed instant.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

pub fn fen(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

pub fn yuan(minor: i64) -> Money {
    Money::new(fen(minor), Currency::CNY)
}

pub fn app_id(text: &str) -> AppId {
    AppId::parse(text).unwrap()
}

pub fn public(text: &str) -> PublicId {
    PublicId::parse(text).unwrap()
}

pub fn number(text: &str) -> ChannelNumber {
    ChannelNumber::parse(text).unwrap()
}

pub fn channel(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

pub fn order_no(text: &str) -> OrderNo {
    OrderNo::parse(text).unwrap()
}

pub fn trade_no(text: &str) -> TradeNo {
    TradeNo::parse(text).unwrap()
}

fn note(text: &str) -> Note {
    Note::parse(text).unwrap()
}

pub fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub fn merchant(id: i64) -> Merchant {
    Merchant {
        id: Id::from_raw(id),
        name: "茶 & Co".into(),
        created: at(-1_000),
        live_signature_required: true,
        test_signature_required: false,
        sign_responses: true,
        disabled: false,
    }
}

pub fn app(id: &str) -> App {
    let channel = |mode, name: &str| AppChannel { mode, channel: channel(name), route: ROUTE };
    App {
        merchant: TENANT.merchant,
        id: app_id(id),
        display_name: "Shop".into(),
        created: at(-900),
        id_scheme: IdScheme::Alphanumeric,
        fee: BasisPoints::new(60).unwrap(),
        channels: vec![channel(Mode::Live, "alipay"), channel(Mode::Test, "alipay_wap")],
        disabled: false,
    }
}

pub fn api_key(first: u8) -> ApiKey {
    ApiKey {
        hash: [first; 32],
        merchant: TENANT.merchant,
        mode: Mode::Test,
        dialect: Dialect::Pingpp,
        hint: "sk_test_…9KC".into(),
        created: at(-800),
        revoked: None,
    }
}

pub fn merchant_key(fingerprint: &str) -> MerchantKey {
    MerchantKey {
        tenant: TENANT,
        fingerprint: fingerprint.into(),
        pem: "a public key".into(),
        created: at(-700),
        revoked: None,
    }
}

pub fn route(tenant: Tenant, id: RouteId) -> Route {
    Route {
        tenant,
        id,
        connector: "alipay".into(),
        name: "main contract".into(),
        settings: "sealed".into(),
        version: 1,
        disabled: false,
    }
}

pub fn endpoint(id: EndpointId, app: &str) -> Endpoint {
    Endpoint {
        tenant: TENANT,
        app: app_id(app),
        id,
        dialect: Dialect::Pingpp,
        url: "https://shop.example/hooks".into(),
        events: vec!["charge.succeeded".into(), "refund.succeeded".into()],
        created: at(-600),
        disabled: false,
    }
}

pub fn member(id: i64, name: &str) -> Member {
    Member {
        tenant: TENANT,
        app: app_id("app"),
        id: Id::from_raw(id),
        user: user(name),
        created: at(-500),
        disabled: false,
    }
}

/// A payment whose texts follow from its id; made `id` seconds after the fixed instant.
pub fn payment(id: i64) -> Payment {
    Payment {
        tenant: TENANT,
        id: Id::from_raw(id),
        app: app_id("app"),
        dialect: Dialect::Pingpp,
        public_id: public(&format!("ch_{id}")),
        channel: channel("alipay_wap"),
        route: ROUTE,
        order_no: order_no(&format!("order{id}")),
        number: number(&format!("number{id}")),
        money: yuan(1_000),
        fee: fen(6),
        subject: Subject::parse("绿茶 <& >").unwrap(),
        body: note("two\nlines"),
        description: Some(note("a note")),
        client_ip: "203.0.113.9".into(),
        echo: Echo::from_json(r#"{"extra":{},"metadata":{"颜色":"绿"}}"#),
        payer: None,
        created: at(id),
        expires: at(id + 3_600),
        state: PaymentState::Created,
        refunded: Amount::ZERO,
        refunding: Amount::ZERO,
        refunds: 0,
        operation: None,
        queries: 0,
        next_at: None,
        request: Some(RequestId::parse("iar_1").unwrap()),
        version: 1,
    }
}

pub fn receipt(trade: &str) -> Receipt {
    let details = vec![("buyer_logon_id".into(), "159****5620".into())];
    Receipt { trade_no: trade_no(trade), paid_at: at(50), details }
}

/// The same payment, paid.
pub fn paid(id: i64) -> Payment {
    Payment { state: PaymentState::Paid(receipt(&format!("trade{id}"))), ..payment(id) }
}

pub fn operation(kind: OperationKind) -> Operation {
    Operation { last_code: Some("ACQ.SYSTEM_ERROR".into()), ..Operation::dispatched(kind, at(0)) }
}

pub fn receipt_row(trade: &str, payment: PaymentId) -> ReceiptRow {
    ReceiptRow {
        tenant: TENANT,
        route: ROUTE,
        trade_no: trade_no(trade),
        payment,
        amount: fen(1_000),
        late: false,
    }
}

/// A pending refund of one fen, whose texts follow from its id.
pub fn refund(id: i64, payment: PaymentId) -> Refund {
    Refund {
        tenant: TENANT,
        id: Id::from_raw(id),
        app: app_id("app"),
        payment,
        public_id: public(&format!("re_{id}")),
        route: ROUTE,
        number: number(&format!("refund{id}")),
        money: yuan(1),
        description: note("too green"),
        echo: Echo::from_json("{}"),
        origin: RefundOrigin::Merchant,
        created: at(id),
        state: RefundState::Pending,
        operation: Some(operation(OperationKind::Refund)),
        request: Some(RequestId::parse("iar_2").unwrap()),
        exact_request: Some([4; 32]),
        body_hash: [5; 32],
        version: 1,
    }
}

pub fn batch(id: i64) -> RefundBatch {
    RefundBatch {
        tenant: TENANT,
        id: BatchId::from_raw(id),
        app: app_id("app"),
        public_id: public(&format!("batch_{id}")),
        batch_no: format!("no{id}").into(),
        description: note("all of it"),
        echo: Echo::from_json("[1,2]"),
        created: at(id),
        total: 2,
        succeeded: 0,
        failed: 0,
        finished: None,
        request: None,
        version: 1,
    }
}

pub fn hold(refund: i64) -> Hold {
    Hold {
        tenant: TENANT,
        refund: Id::from_raw(refund),
        path: AccountPath::merchant_available(Currency::CNY),
        amount: fen(1),
        state: HoldState::Open,
        version: 1,
    }
}

pub fn available(tenant: Tenant) -> AccountKey {
    AccountKey { tenant, path: AccountPath::merchant_available(Currency::CNY) }
}

pub fn account(tenant: Tenant) -> Account {
    Account { credits: 5_000, held: fen(1), entries: 3, ..Account::empty(available(tenant)) }
}

/// A journal of two entries that follows `head`.
pub fn journal(head: &ChainHead, cause: Cause) -> Journal {
    let line = |path, side| Line { path, side, amount: fen(1_000) };
    let entry = |path, side| Entry { line: line(path, side), balance_after: 5, account_seq: 1 };
    let entries = vec![
        entry(AccountPath::receivable(ROUTE, Currency::CNY), Side::Debit),
        entry(AccountPath::merchant_available(Currency::CNY), Side::Credit),
    ];
    Journal::balanced(head, cause, at(60), entries).unwrap()
}

pub fn chain(seq: i64, hash: Hash) -> ChainHead {
    ChainHead { tenant: TENANT, seq, hash }
}

pub fn event(id: i64, event_type: &str) -> Event {
    Event {
        tenant: TENANT,
        id: Id::from_raw(id),
        app: app_id("app"),
        dialect: Dialect::Pingpp,
        public_id: public(&format!("evt_{id}")),
        event_type: event_type.into(),
        about: About::Payment(Id::from_raw(101)),
        created: at(id),
        body: r#"{"type":"charge.succeeded"}"#.into(),
    }
}

/// A delivery that is due `due` seconds after the fixed instant.
pub fn delivery(id: i64, event: i64, due: Option<i64>) -> Delivery {
    Delivery {
        tenant: TENANT,
        id: Id::from_raw(id),
        event: Id::from_raw(event),
        endpoint: ENDPOINT,
        state: if due.is_some() { DeliveryState::Waiting } else { DeliveryState::Delivered },
        tries: 1,
        token: 2,
        next_at: due.map(at),
        created: at(id),
        version: 1,
    }
}

/// Puts rows under their own keys.
pub trait Put {
    fn put_payment(&mut self, payment: &Payment);
    fn put_refund(&mut self, refund: &Refund);
    fn put_batch(&mut self, batch: &RefundBatch);
    fn put_delivery(&mut self, delivery: &Delivery);
    /// A merchant, an app, a route, an endpoint: what other rows refer to.
    fn put_setup(&mut self);
}

impl Put for State {
    fn put_payment(&mut self, payment: &Payment) {
        self.payments.put((payment.tenant, payment.id), payment.clone());
    }

    fn put_refund(&mut self, refund: &Refund) {
        self.refunds.put((refund.tenant, refund.id), refund.clone());
    }

    fn put_batch(&mut self, batch: &RefundBatch) {
        self.batches.put((batch.tenant, batch.id), batch.clone());
    }

    fn put_delivery(&mut self, delivery: &Delivery) {
        self.deliveries.put((delivery.tenant, delivery.id), delivery.clone());
    }

    fn put_setup(&mut self) {
        self.merchants.put(TENANT.merchant, merchant(1));
        self.apps.put((TENANT.merchant, app_id("app")), app("app"));
        self.routes.put((TENANT, ROUTE), route(TENANT, ROUTE));
        self.endpoints.put((TENANT, ENDPOINT), endpoint(ENDPOINT, "app"));
    }
}

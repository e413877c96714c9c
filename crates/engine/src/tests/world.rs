//! What the tests stand on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ambient::{Clock, Entropy};
use domain::channel::{
    Channel, Closed, Connectors, News, Notice, NoticeError, Order, OrderError, PayParams,
    PayerDeed, PaymentFound, PortFuture, Preparation, Prepared, RawNotice, RefundFound,
    RefundOrder, ReversedAs, SettingsError,
};
use domain::command::{Admin, Command, CreateRefund};
use domain::currency::Currency;
use domain::event::{CourierAnswer, Delivery, Event, Happening, Worded};
use domain::id::Fresh;
use domain::invariant::{Auditor, Finding};
use domain::money::{Amount, BasisPoints, Money};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::{Credential, Payment, Proof};
use domain::tenant::{
    App, AppChannel, Dialect, Endpoint, IdScheme, Merchant, Mode, Route, RouteId, Tenant,
};
use domain::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, TradeNo,
};
use domain::time::Timestamp;
use domain::webhook::{Courier, Message, WebhookFormat, WebhookFormats};
use store::{BookRow, Queries};

use crate::test_clock::TestClock;
use crate::{Engine, NewPayment, Parts, Running};

pub struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }
}

/// Counts upwards: unpredictable enough for a test, and the same every time.
struct CountingEntropy(Mutex<u8>);

impl Entropy for CountingEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        for byte in buffer {
            *next = next.wrapping_mul(37).wrapping_add(101);
            *byte = *next;
        }
    }
}

/// A channel that answers from scripts; without one it does what it is asked.
#[derive(Default)]
pub struct Script {
    pub must_ask: bool,
    pub prepare: VecDeque<Outcome<Prepared>>,
    pub query: VecDeque<Outcome<PaymentFound>>,
    pub close: VecDeque<Outcome<Closed>>,
    pub refund: VecDeque<Outcome<RefundFound>>,
    pub query_refund: VecDeque<Outcome<RefundFound>>,
    pub calls: Vec<String>,
}

#[derive(Clone, Default)]
pub struct FakeChannel(pub Arc<Mutex<Script>>);

impl std::fmt::Debug for FakeChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeChannel")
    }
}

pub fn trouble(why: RefusalClass) -> ChannelRefusal {
    ChannelRefusal { why, code: "scripted".into(), message: "scripted".into() }
}

pub fn proof(fen: i64, trade_no: &str) -> Proof {
    Proof {
        money: Money::new(Amount::new(fen).unwrap(), Currency::CNY),
        trade_no: TradeNo::parse(trade_no).unwrap(),
        paid_at: Timestamp::from_seconds(1_800_000_001),
        details: vec![("buyer_user_id".into(), "2088".into())],
    }
}

impl FakeChannel {
    fn take<T: Send + 'static>(
        &self,
        call: String,
        script: impl FnOnce(&mut Script) -> Option<Outcome<T>>,
        otherwise: T,
    ) -> PortFuture<'static, Outcome<T>> {
        let mut inner = self.0.lock().unwrap();
        inner.calls.push(call);
        let outcome = script(&mut inner).unwrap_or(Outcome::Accepted(otherwise));
        Box::pin(async move { outcome })
    }
}

impl Connectors for FakeChannel {
    fn connect(&self, _: &Route) -> Result<Arc<dyn Channel>, SettingsError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Channel for FakeChannel {
    fn plan(&self, order: &Order, _: &str) -> Result<Preparation, OrderError> {
        if self.0.lock().unwrap().must_ask {
            return Ok(Preparation::MustAsk);
        }
        let url = format!("https://pay.invalid/?no={}", order.number);
        Ok(Preparation::Ready(Credential::Page(url.into())))
    }

    fn prepare<'a>(&'a self, order: &'a Order, _: &'a str) -> PortFuture<'a, Outcome<Prepared>> {
        let qr = Prepared::Credential(Credential::Qr("https://qr.invalid/1".into()));
        self.take(format!("prepare {}", order.number), |s| s.prepare.pop_front(), qr)
    }

    fn query<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        self.take(format!("query {number}"), |s| s.query.pop_front(), PaymentFound::Nothing)
    }

    fn close<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        self.take(format!("close {number}"), |s| s.close.pop_front(), Closed::Closed)
    }

    fn reverse<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        self.take(format!("reverse {number}"), |_| None, ReversedAs::Refunded)
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        let done = RefundFound::Done { trade_no: None, at: None };
        self.take(format!("refund {}", order.number), |s| s.refund.pop_front(), done)
    }

    fn query_refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        let done = RefundFound::Done { trade_no: None, at: None };
        self.take(format!("query_refund {}", order.number), |s| s.query_refund.pop_front(), done)
    }

    /// `number fen trade_no`, or an unreadable body.
    fn read_notice(&self, raw: RawNotice<'_>) -> Result<Notice, NoticeError> {
        let text = std::str::from_utf8(raw.body).map_err(|_| NoticeError::Garbled)?;
        let words: Vec<&str> = text.split(' ').collect();
        let [number, fen, trade_no] = words[..] else { return Err(NoticeError::BadSignature) };
        Ok(Notice {
            number: ChannelNumber::parse(number).unwrap(),
            news: News::Paid(proof(fen.parse().unwrap(), trade_no)),
            notice_id: format!("n-{trade_no}").into(),
        })
    }

    fn notice_taken(&self) -> &'static str {
        "success"
    }

    fn notice_refused(&self) -> &'static str {
        "failure"
    }

    fn play_payer<'a>(
        &'a self,
        _: &'a ChannelNumber,
        _: &'a Credential,
        _: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        None
    }
}

struct Words;

impl WebhookFormats for Words {
    fn of(&self, _: Dialect) -> &dyn WebhookFormat {
        self
    }
}

impl WebhookFormat for Words {
    fn word(
        &self,
        happening: Happening<'_>,
        _: &App,
        _: Option<&RequestId>,
        _: Timestamp,
        fresh: &mut Fresh,
    ) -> Option<Worded> {
        let (event_type, about) = match happening {
            Happening::PaymentSucceeded(p) => ("charge.succeeded", p.order_no.to_string()),
            Happening::PaymentFailed(_) => return None,
            Happening::PaymentPaidAfterClose(p) => ("charge.late", p.order_no.to_string()),
            Happening::RefundSucceeded(r, _) => ("refund.succeeded", r.number.to_string()),
            Happening::RefundFailed(r, _) => ("refund.failed", r.number.to_string()),
            Happening::BatchFinished(b, _, _) => ("batch.finished", b.batch_no.to_string()),
        };
        Some(Worded {
            public_id: PublicId::parse(&format!("evt_{}", fresh.digits(24))).unwrap(),
            event_type: event_type.into(),
            body: format!("{event_type} {about}").into(),
        })
    }

    fn departures(&self, _: Happening<'_>) -> Vec<i64> {
        vec![0]
    }

    fn headers(&self, _: &Delivery, _: &Event, _: Timestamp) -> Vec<(String, String)> {
        Vec::new()
    }

    fn schedule(&self) -> &'static [i64] {
        &[5, 10]
    }
}

/// A receiver that answers from a script (200 without one) and tells each message as it arrives.
pub struct FakeCourier {
    pub statuses: Mutex<VecDeque<u16>>,
    pub sent: tokio::sync::mpsc::UnboundedSender<Box<str>>,
}

impl Courier for FakeCourier {
    fn send(&self, message: Message) -> PortFuture<'_, CourierAnswer> {
        let status = self.statuses.lock().unwrap().pop_front().unwrap_or(200);
        self.sent.send(message.body).unwrap();
        Box::pin(async move { CourierAnswer::Answered { status, excerpt: "".into() } })
    }
}

pub struct World {
    pub engine: Arc<Engine>,
    pub running: Running,
    pub queries: Arc<dyn Queries>,
    pub channel: FakeChannel,
    pub courier: Arc<FakeCourier>,
    pub sent: tokio::sync::mpsc::UnboundedReceiver<Box<str>>,
    pub clock: Arc<TestClock>,
    pub tenant: Tenant,
    pub app: Arc<App>,
    pub route: RouteId,
    pub folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let (store, queries) = store::sqlite::open(folder.path()).unwrap();
        let queries: Arc<dyn Queries> = queries;
        let channel = FakeChannel::default();
        let (sender, sent) = tokio::sync::mpsc::unbounded_channel();
        let courier = Arc::new(FakeCourier { statuses: Mutex::default(), sent: sender });
        let clock = Arc::new(TestClock::new(Arc::new(StoppedClock), 0));
        let (engine, running) = Engine::start(Parts {
            store: Box::new(store),
            queries: queries.clone(),
            connectors: Arc::new(channel.clone()),
            formats: Arc::new(Words),
            courier: courier.clone(),
            clock: clock.clone(),
            entropy: Arc::new(CountingEntropy(Mutex::new(1))),
            node: 1,
            public_url: "http://127.0.0.1:1".into(),
            on_fatal: Box::new(|what| panic!("{what}")),
        })
        .unwrap();
        let merchant = Merchant {
            id: engine.id(),
            name: "shop".into(),
            created: engine.now(),
            live_signature_required: false,
            test_signature_required: false,
            sign_responses: false,
            disabled: false,
        };
        let tenant = Tenant { merchant: merchant.id, mode: Mode::Test };
        let route = engine.id();
        let name = ChannelName::parse("alipay_wap").unwrap();
        let app = App {
            merchant: merchant.id,
            id: AppId::parse("app_1").unwrap(),
            display_name: "web".into(),
            created: engine.now(),
            id_scheme: IdScheme::Digits,
            fee: BasisPoints::default(),
            channels: vec![AppChannel { mode: Mode::Test, channel: name, route }],
            disabled: false,
        };
        let endpoint = Endpoint {
            tenant,
            app: app.id.clone(),
            id: engine.id(),
            dialect: Dialect::Pingpp,
            url: "http://receiver.invalid/".into(),
            events: Vec::new(),
            created: engine.now(),
            disabled: false,
        };
        let route_row = Route {
            tenant,
            id: route,
            connector: "fake".into(),
            name: "fake".into(),
            settings: "".into(),
            version: 0,
            disabled: false,
        };
        for admin in [
            Admin::PutMerchant(merchant),
            Admin::PutApp(app.clone()),
            Admin::PutRoute(route_row),
            Admin::PutEndpoint(endpoint),
        ] {
            engine.submit(Command::Admin(Box::new(admin))).await.unwrap();
        }
        let app = Arc::new(app);
        World {
            engine,
            running,
            queries,
            channel,
            courier,
            sent,
            clock,
            tenant,
            app,
            route,
            folder,
        }
    }

    pub fn new_payment(&self, order_no: &str, fen: i64) -> NewPayment {
        let mut fresh = self.engine.fresh();
        NewPayment {
            tenant: self.tenant,
            app: self.app.clone(),
            dialect: Dialect::Pingpp,
            public_id: PublicId::parse(&format!("ch_{}", fresh.alphanumeric(24))).unwrap(),
            channel: ChannelName::parse("alipay_wap").unwrap(),
            order_no: OrderNo::parse(order_no).unwrap(),
            money: Money::new(Amount::new(fen).unwrap(), Currency::CNY),
            subject: Subject::parse("tea").unwrap(),
            body: Note::parse("tea").unwrap(),
            description: None,
            client_ip: "127.0.0.1".into(),
            echo: Echo::from_json("{}"),
            expires: None,
            default_life_seconds: 3_600,
            params: PayParams::default(),
            wallet: None,
            request: None,
        }
    }

    pub async fn open(&self, order_no: &str) -> Payment {
        self.engine.open_payment(self.new_payment(order_no, 100)).await.unwrap().payment
    }

    pub async fn notice(&self, text: &str) -> &'static str {
        let raw = RawNotice { headers: &[], body: text.as_bytes() };
        self.engine.take_notice(self.route, raw).await.unwrap().unwrap().body
    }

    pub async fn paid(&self, order_no: &str) -> Payment {
        let payment = self.open(order_no).await;
        assert_eq!(self.notice(&format!("{order_no} 100 t-{order_no}")).await, "success");
        self.payment(&payment)
    }

    pub fn payment(&self, payment: &Payment) -> Payment {
        self.queries.payment(self.tenant, &payment.public_id).unwrap().unwrap()
    }

    pub fn refund_command(&self, payment: &Payment, fen: Option<i64>) -> CreateRefund {
        let mut fresh = self.engine.fresh();
        let number = fresh.digits(24);
        CreateRefund {
            tenant: self.tenant,
            payment: payment.id,
            public_id: PublicId::parse(&format!("re_{number}")).unwrap(),
            number: ChannelNumber::parse(&number).unwrap(),
            amount: fen.map(|f| Amount::new(f).unwrap()),
            description: Note::parse("broken").unwrap(),
            echo: Echo::from_json("{}"),
            request: None,
            exact_request: None,
            body_hash: [0; 32],
            unanswered_since: None,
            fresh,
        }
    }

    /// Moves the clock and wakes what waits.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.engine.clock_moved();
    }

    /// Waits until the condition holds; the engine's own work makes it so.
    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = std::time::Instant::now();
        while !holds() {
            assert!(begin.elapsed() < Duration::from_secs(20), "still waiting: {what}");
            tokio::task::yield_now().await;
        }
    }

    pub async fn message(&mut self) -> Box<str> {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.sent.recv()).await;
        waited.expect("a message arrives").expect("the courier lives")
    }

    pub fn calls(&self) -> Vec<String> {
        self.channel.0.lock().unwrap().calls.clone()
    }

    /// Stops the engine and checks the whole book.
    pub async fn finish(self) -> Vec<Finding> {
        self.running.stop(self.engine).await;
        let mut auditor = Auditor::default();
        let feed = &mut |row: BookRow| {
            match row {
                BookRow::Account(r) => auditor.account(r),
                BookRow::Journal(r) => auditor.journal(&r),
                BookRow::Hold(r) => auditor.hold(&r),
                BookRow::Payment(r) => auditor.payment(&r),
                BookRow::Refund(r) => auditor.refund(&r),
                BookRow::Receipt(r) => auditor.receipt(&r),
                BookRow::Event(r) => auditor.event(&r),
                BookRow::Batch(r) => auditor.batch(&r),
            }
            true
        };
        self.queries.walk_books_of_all(feed).unwrap();
        auditor.finish()
    }
}

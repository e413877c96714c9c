//! What the tests stand on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use dialects::pingpp::{Pingpp, PingppSettings};
use domain::ambient::{Clock, Entropy};
use domain::channel::{
    Channel, Closed, Connectors, Notice, NoticeError, Order, OrderError, PayerDeed, PaymentFound,
    PortFuture, Preparation, Prepared, RawNotice, RefundFound, RefundOrder, ReversedAs,
    SettingsError,
};
use domain::command::{Admin, Command};
use domain::currency::Currency;
use domain::event::CourierAnswer;
use domain::ledger::AccountPath;
use domain::money::{Amount, BasisPoints, Money};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::{Credential, Proof};
use domain::state::{Key, State};
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, IdScheme, MemberId, Merchant, MerchantKey, Mode,
    Route, Tenant,
};
use domain::text::{AppId, ChannelName, ChannelNumber, TradeNo, UserId};
use domain::time::Timestamp;
use domain::webhook::{Courier, Message};
use engine::test_clock::TestClock;
use engine::{Engine, Parts, Running};
use serde_json::{Value, json};
use sign::rsa::PrivateKey;
use store::{Queries, Store, StoreError};
use tower::ServiceExt;

pub const START: i64 = 1_800_000_000;
pub const TEST_KEY: &str = "sk_test_000000000000000000000001";
pub const LIVE_KEY: &str = "sk_live_000000000000000000000001";
pub const STRANGERS_KEY: &str = "sk_test_000000000000000000000002";
pub const APP: &str = "app_0000000000000001";
pub const STRANGERS_APP: &str = "app_0000000000000002";
pub const NOWHERE: &str = "ch_000000000000000000000000";

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START)
    }
}

struct OperatingSystem;

impl Entropy for OperatingSystem {
    fn fill(&self, buffer: &mut [u8]) {
        sign::random::fill(buffer);
    }
}

/// A channel that answers from scripts; without one it does what it is asked.
#[derive(Default)]
pub struct Script {
    /// Amounts in fen by our number.
    known: HashMap<String, Money>,
    paid: HashMap<String, Timestamp>,
    pub orders: Vec<Order>,
    pub prepare: VecDeque<Outcome<Prepared>>,
    pub refund: VecDeque<Outcome<RefundFound>>,
    pub close: VecDeque<Outcome<Closed>>,
    /// Refunds are taken and never answered while set.
    pub refunds_hang: bool,
    pub refunds_sent: Vec<String>,
}

#[derive(Clone)]
pub struct FakeChannel {
    pub script: Arc<Mutex<Script>>,
    clock: Arc<TestClock>,
}

impl std::fmt::Debug for FakeChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeChannel")
    }
}

pub fn trouble(why: RefusalClass) -> ChannelRefusal {
    ChannelRefusal { why, code: "ACQ.SCRIPTED".into(), message: "as the script says".into() }
}

fn done<T: Send + 'static>(outcome: Outcome<T>) -> PortFuture<'static, Outcome<T>> {
    Box::pin(async move { outcome })
}

impl FakeChannel {
    fn proof(script: &Script, number: &str) -> Option<Proof> {
        Some(Proof {
            money: *script.known.get(number)?,
            trade_no: TradeNo::parse(&format!("2027{number}")).unwrap(),
            paid_at: *script.paid.get(number)?,
            details: vec![("buyer_id".into(), "2088000000000001".into())],
        })
    }
}

impl Connectors for FakeChannel {
    fn connect(&self, _: &Route) -> Result<Arc<dyn Channel>, SettingsError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Channel for FakeChannel {
    fn plan(&self, order: &Order, _: &str) -> Result<Preparation, OrderError> {
        let mut script = self.script.lock().unwrap();
        script.known.insert(order.number.to_string(), order.money);
        script.orders.push(order.clone());
        Ok(match order.channel.as_str() {
            "alipay_wap" | "alipay_pc_direct" => {
                let url =
                    format!("https://gateway.invalid/gateway.do?no={}&sign=a%2Bb", order.number);
                Preparation::Ready(Credential::Page(url.into()))
            }
            "alipay_lite" if order.params.buyer_id.is_none() => {
                return Err(OrderError::Missing("buyer_id"));
            }
            _ => Preparation::MustAsk,
        })
    }

    fn prepare<'a>(&'a self, order: &'a Order, _: &'a str) -> PortFuture<'a, Outcome<Prepared>> {
        let mut script = self.script.lock().unwrap();
        let number = order.number.to_string();
        if let Some(outcome) = script.prepare.pop_front() {
            return done(outcome);
        }
        if order.channel.as_str() == "alipay_scan" {
            script.paid.insert(number.clone(), self.clock.now());
            let proof = FakeChannel::proof(&script, &number).unwrap();
            return done(Outcome::Accepted(Prepared::Paid(proof)));
        }
        let qr = Credential::Qr(format!("https://qr.invalid/{number}").into());
        done(Outcome::Accepted(Prepared::Credential(qr)))
    }

    fn query<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        let script = self.script.lock().unwrap();
        done(Outcome::Accepted(match FakeChannel::proof(&script, number.as_str()) {
            Some(proof) => PaymentFound::Paid { proof },
            None => PaymentFound::Waiting,
        }))
    }

    fn close<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        let scripted = self.script.lock().unwrap().close.pop_front();
        done(scripted.unwrap_or(Outcome::Accepted(Closed::Closed)))
    }

    fn reverse<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        let paid = self.script.lock().unwrap().paid.remove(number.as_str()).is_some();
        let reversed = if paid { ReversedAs::Refunded } else { ReversedAs::Closed };
        done(Outcome::Accepted(reversed))
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        let mut script = self.script.lock().unwrap();
        script.refunds_sent.push(order.number.to_string());
        if script.refunds_hang {
            return Box::pin(std::future::pending());
        }
        let otherwise = RefundFound::Done { trade_no: None, at: None };
        done(script.refund.pop_front().unwrap_or(Outcome::Accepted(otherwise)))
    }

    fn query_refund<'a>(&'a self, _: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        done(Outcome::Accepted(RefundFound::Pending))
    }

    fn read_notice(&self, _: RawNotice<'_>) -> Result<Notice, NoticeError> {
        Err(NoticeError::Garbled)
    }

    fn notice_taken(&self) -> &'static str {
        "success"
    }

    fn notice_refused(&self) -> &'static str {
        "failure"
    }

    fn play_payer<'a>(
        &'a self,
        number: &'a ChannelNumber,
        _: &'a Credential,
        deed: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        if deed == PayerDeed::Pay {
            let now = self.clock.now();
            self.script.lock().unwrap().paid.insert(number.to_string(), now);
        }
        Some(done(Outcome::Accepted(())))
    }
}

/// What goes wrong with the next commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Nothing is written.
    Refused,
    /// It is written and called refused all the same.
    AnswerLost,
}

/// A store whose next commit can be spoilt.
struct SpoiltStore {
    store: store::memory::MemoryStore,
    trouble: Arc<Mutex<Option<StoreTrouble>>>,
}

impl Store for SpoiltStore {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> {
        self.store.load(keys, state)
    }

    fn save(&mut self, state: &State) -> Result<(), StoreError> {
        let trouble = self.trouble.lock().unwrap().take();
        if trouble != Some(StoreTrouble::Refused) {
            self.store.save(state)?;
        }
        trouble.map_or(Ok(()), |_| Err(StoreError::Unavailable("spoilt".into())))
    }
}

/// Takes every message and tells it.
struct FakeCourier(tokio::sync::mpsc::UnboundedSender<Message>);

impl Courier for FakeCourier {
    fn send(&self, message: Message) -> PortFuture<'_, CourierAnswer> {
        self.0.send(message).unwrap();
        Box::pin(async { CourierAnswer::Answered { status: 200, excerpt: "".into() } })
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The object of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Checks a refusal and its shape; returns the error object.
    pub fn refused(&self, status: u16, param: Option<&str>, code: Option<&str>) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let error = self.json()["error"].clone();
        assert!(error["type"].is_string() && error["message"].is_string(), "{error}");
        let members = error.as_object().unwrap();
        assert!(members.values().all(|value| !value.is_null()), "{error}");
        assert_eq!(error.get("param").and_then(Value::as_str), param, "{error}");
        assert_eq!(error.get("code").and_then(Value::as_str), code, "{error}");
        error
    }
}

pub struct World {
    pub engine: Arc<Engine>,
    pub pingpp: Arc<Pingpp>,
    pub router: Router,
    pub channel: FakeChannel,
    pub clock: Arc<TestClock>,
    pub queries: Arc<dyn Queries>,
    pub messages: tokio::sync::mpsc::UnboundedReceiver<Message>,
    pub merchant: Merchant,
    pub store_trouble: Arc<Mutex<Option<StoreTrouble>>>,
    _running: Running,
}

const CHANNELS: [&str; 6] =
    ["alipay_wap", "alipay_qr", "alipay_scan", "alipay_lite", "balance", "wx_pub"];

impl World {
    pub async fn new() -> World {
        World::with(PingppSettings::default()).await
    }

    pub async fn with(settings: PingppSettings) -> World {
        let (store, queries) = store::memory::open();
        let store_trouble: Arc<Mutex<Option<StoreTrouble>>> = Arc::default();
        let clock = Arc::new(TestClock::new(Arc::new(StoppedClock), 0));
        let channel = FakeChannel { script: Arc::default(), clock: clock.clone() };
        let (sender, messages) = tokio::sync::mpsc::unbounded_channel();
        let platform_key = Arc::new(PrivateKey::generate());
        let (engine, running) = Engine::start(Parts {
            store: Box::new(SpoiltStore { store, trouble: store_trouble.clone() }),
            queries: queries.clone(),
            connectors: Arc::new(channel.clone()),
            formats: dialects::formats(platform_key.clone()),
            courier: Arc::new(FakeCourier(sender)),
            clock: clock.clone(),
            entropy: Arc::new(OperatingSystem),
            node: 1,
            public_url: "http://127.0.0.1:1".into(),
            on_fatal: Box::new(|what| panic!("{what}")),
        })
        .unwrap();
        let pingpp = Arc::new(Pingpp { engine: engine.clone(), platform_key, settings });
        let router = dialects::pingpp::router(pingpp.clone())
            .merge(dialects::pingpp::mock_router(pingpp.clone()));
        let merchant = merchant_of(&engine, &[TEST_KEY, LIVE_KEY], APP).await;
        merchant_of(&engine, &[STRANGERS_KEY], STRANGERS_APP).await;
        // Past the grace after a start, in which every refund may be a repeat.
        clock.advance(31);
        World {
            engine,
            pingpp,
            router,
            channel,
            clock,
            queries,
            messages,
            merchant,
            store_trouble,
            _running: running,
        }
    }

    pub fn now(&self) -> i64 {
        self.engine.now().seconds()
    }

    pub fn tenant(&self) -> Tenant {
        Tenant { merchant: self.merchant.id, mode: Mode::Test }
    }

    pub async fn admin(&self, admin: Admin) {
        put(&self.engine, admin).await;
    }

    /// Changes what the merchant demands.
    pub async fn set_merchant(&self, change: impl FnOnce(&mut Merchant)) {
        let mut merchant = self.merchant.clone();
        change(&mut merchant);
        self.admin(Admin::PutMerchant(merchant)).await;
    }

    /// Registers a public key of the merchant for test mode.
    pub async fn register(&self, key: &PrivateKey) {
        self.admin(Admin::PutMerchantKey(MerchantKey {
            tenant: self.tenant(),
            fingerprint: key.public().fingerprint().into(),
            pem: key.public().to_spki_pem().into(),
            created: self.engine.now(),
            revoked: None,
        }))
        .await;
    }

    /// Makes a wallet user with so many fen.
    pub async fn user(&self, name: &str, fen: i64) {
        let id: MemberId = self.engine.id();
        let (tenant, app) = (self.tenant(), AppId::parse(APP).unwrap());
        let user = UserId::parse(name).unwrap();
        self.admin(Admin::PutMember { tenant, app, user, id, disabled: false }).await;
        let path = AccountPath::member_available(id, Currency::CNY);
        let (balance, fresh) = (Amount::new(fen).unwrap(), self.engine.fresh());
        self.admin(Admin::OpenBalance { tenant, path, balance, fresh }).await;
    }

    /// Has all events of the app sent.
    pub async fn subscribe(&self) {
        self.admin(Admin::PutEndpoint(Endpoint {
            tenant: self.tenant(),
            app: AppId::parse(APP).unwrap(),
            id: self.engine.id(),
            dialect: Dialect::Pingpp,
            url: "https://receiver.invalid/".into(),
            events: Vec::new(),
            created: self.engine.now(),
            disabled: false,
        }))
        .await;
    }

    /// Sends exactly this.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.get_as(TEST_KEY, target).await
    }

    pub async fn get_as(&self, key: &str, target: &str) -> Answer {
        self.send("GET", target, &[("authorization", &bearer(key))], "").await
    }

    pub async fn post(&self, target: &str, body: &Value) -> Answer {
        self.post_as(TEST_KEY, target, body).await
    }

    pub async fn post_as(&self, key: &str, target: &str, body: &Value) -> Answer {
        let headers =
            [("authorization", &*bearer(key)), ("content-type", "application/json;charset=UTF-8")];
        self.send("POST", target, &headers, body.to_string()).await
    }

    /// A charge that is accepted.
    pub async fn create(&self, channel: &str, order_no: &str) -> Value {
        self.post("/v1/charges", &charge(channel, order_no)).await.ok()
    }

    /// Pays a test charge as the client libraries do.
    pub async fn pay(&self, id: &str) {
        let answer = self.notify(id).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, "success"));
    }

    pub async fn notify(&self, id: &str) -> Answer {
        self.send("GET", &format!("/notify/charges/{id}?livemode=false"), &[], "").await
    }

    /// The id of a paid charge.
    pub async fn paid(&self, order_no: &str) -> String {
        let id = id_of(&self.create("alipay_wap", order_no).await);
        self.pay(&id).await;
        id
    }

    pub async fn message(&mut self) -> Message {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.messages.recv()).await;
        waited.expect("a message arrives").expect("the courier lives")
    }

    /// Waits until the condition holds; the engine's own work makes it so.
    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < Duration::from_secs(20), "still waiting: {what}");
            tokio::task::yield_now().await;
        }
    }
}

pub fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

pub fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

pub fn ids_of(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap()).collect()
}

/// Parameters that are accepted.
pub fn charge(channel: &str, order_no: &str) -> Value {
    let extra = match channel {
        "alipay_wap" => json!({"success_url": "https://shop.invalid/paid"}),
        "alipay_scan" => json!({"scan_code": "280000000000000000", "terminal_id": "T1"}),
        "balance" => json!({"user": "user_1"}),
        "wx_pub" => json!({"open_id": "o1"}),
        _ => json!({}),
    };
    json!({
        "order_no": order_no, "app": {"id": APP}, "channel": channel, "amount": 1000,
        "client_ip": "203.0.113.7", "currency": "cny", "subject": "Green tea",
        "body": "Spring harvest", "extra": extra,
    })
}

async fn put(engine: &Engine, admin: Admin) {
    engine.submit(Command::Admin(Box::new(admin))).await.unwrap();
}

async fn merchant_of(engine: &Engine, keys: &[&str], app: &str) -> Merchant {
    let merchant = Merchant {
        id: engine.id(),
        name: "shop".into(),
        created: engine.now(),
        live_signature_required: false,
        test_signature_required: false,
        sign_responses: true,
        disabled: false,
    };
    put(engine, Admin::PutMerchant(merchant.clone())).await;
    let mut channels = Vec::new();
    for mode in [Mode::Test, Mode::Live] {
        let tenant = Tenant { merchant: merchant.id, mode };
        let route = engine.id();
        put(
            engine,
            Admin::PutRoute(Route {
                tenant,
                id: route,
                connector: "fake".into(),
                name: "fake".into(),
                settings: "".into(),
                version: 0,
                disabled: false,
            }),
        )
        .await;
        let name = |name: &&str| ChannelName::parse(name).unwrap();
        channels.extend(CHANNELS.iter().map(|c| AppChannel { mode, channel: name(c), route }));
    }
    put(
        engine,
        Admin::PutApp(App {
            merchant: merchant.id,
            id: AppId::parse(app).unwrap(),
            display_name: "web".into(),
            created: engine.now(),
            id_scheme: IdScheme::Digits,
            fee: BasisPoints::new(60).unwrap(),
            channels,
            disabled: false,
        }),
    )
    .await;
    for key in keys {
        let mode = if key.starts_with("sk_live_") { Mode::Live } else { Mode::Test };
        put(
            engine,
            Admin::PutApiKey(ApiKey {
                hash: sign::digest::sha256(key.as_bytes()),
                merchant: merchant.id,
                mode,
                dialect: Dialect::Pingpp,
                hint: "".into(),
                created: engine.now(),
                revoked: None,
            }),
        )
        .await;
    }
    merchant
}

//! What the tests stand on: a site over an engine whose store can be held up.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::get;
use dialects::pingpp::{Pingpp, PingppSettings};
use domain::ambient::{Clock, Entropy};
use domain::channel::PortFuture;
use domain::command::{Admin, Command};
use domain::event::CourierAnswer;
use domain::money::BasisPoints;
use domain::state::{Key, State};
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, IdScheme, Merchant, Mode, Route, RouteId, Tenant,
};
use domain::text::{AppId, ChannelName};
use domain::time::Timestamp;
use domain::webhook::{Courier, Message};
use engine::test_clock::TestClock;
use engine::{Engine, Parts, Running};
use serde_json::{Value, json};
use server::{Limits, Site, TestClockDesk};
use sign::rsa::PrivateKey;
use store::{Queries, Store, StoreError};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tower::ServiceExt;

use crate::channel::FakeChannel;

pub const START: i64 = 1_800_000_000;
pub const TEST_KEY: &str = "sk_test_000000000000000000000001";
pub const LIVE_KEY: &str = "sk_live_000000000000000000000001";
const APP: &str = "app_0000000000000001";

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

struct NoCourier;

impl Courier for NoCourier {
    fn send(&self, _: Message) -> PortFuture<'_, CourierAnswer> {
        Box::pin(async { CourierAnswer::Answered { status: 200, excerpt: "".into() } })
    }
}

/// A store that waits while its gate is held, and counts how often somebody came to it.
struct GatedStore {
    store: Box<dyn Store>,
    gate: Arc<Mutex<()>>,
    visits: watch::Sender<u64>,
}

impl Store for GatedStore {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> {
        self.visits.send_modify(|visits| *visits += 1);
        let _open = self.gate.blocking_lock();
        self.store.load(keys, state)
    }

    fn save(&mut self, state: &State) -> Result<(), StoreError> {
        self.store.save(state)
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub struct World {
    pub engine: Arc<Engine>,
    running: Running,
    pub clock: Arc<TestClock>,
    pub queries: Arc<dyn Queries>,
    /// The route of the test channel.
    pub route: RouteId,
    pingpp: Arc<Pingpp>,
    gate: Arc<Mutex<()>>,
    visits: watch::Receiver<u64>,
}

impl World {
    pub async fn new() -> World {
        let (store, queries) = store::memory::open();
        World::on(Box::new(store), queries).await
    }

    pub async fn on(store: Box<dyn Store>, queries: Arc<dyn Queries>) -> World {
        let gate: Arc<Mutex<()>> = Arc::default();
        let (sender, visits) = watch::channel(0);
        let clock = Arc::new(TestClock::new(Arc::new(StoppedClock), 0));
        let platform_key = Arc::new(PrivateKey::generate());
        let (engine, running) = Engine::start(Parts {
            store: Box::new(GatedStore { store, gate: gate.clone(), visits: sender }),
            queries: queries.clone(),
            connectors: Arc::new(FakeChannel::default()),
            formats: dialects::formats(platform_key.clone()),
            courier: Arc::new(NoCourier),
            clock: clock.clone(),
            entropy: Arc::new(OperatingSystem),
            node: 1,
            public_url: "http://127.0.0.1:1".into(),
            on_fatal: Box::new(|what| panic!("{what}")),
        })
        .unwrap();
        let settings = PingppSettings::default();
        let pingpp = Arc::new(Pingpp { engine: engine.clone(), platform_key, settings });
        let route = furnish(&engine).await;
        World { engine, running, clock, queries, route, pingpp, gate, visits }
    }

    /// Nothing is decided until the guard is dropped.
    pub async fn hold_store(&self) -> OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }

    /// Runs the future until the lane has taken something up.
    pub async fn until_in_lane<T>(&self, act: impl Future<Output = T>) -> T {
        let before = *self.visits.borrow();
        let value = act.await;
        let mut visits = self.visits.clone();
        let arrived = visits.wait_for(|visits| *visits > before);
        within("the lane takes it up", arrived).await.unwrap();
        value
    }

    /// Ends the engine as the binary does.
    pub async fn finish(self) {
        let World { engine, running, pingpp, .. } = self;
        drop(pingpp);
        running.stop(engine).await;
    }

    /// A site as in production.
    pub fn site(&self) -> Site {
        Site {
            engine: self.engine.clone(),
            pingpp: self.pingpp.clone(),
            simulator: None,
            test_clock: None,
            limits: Limits::default(),
        }
    }

    /// A site with a clock and something at the simulator's place. The receiver counts what the
    /// simulator hears of the clock's moves.
    pub fn demo(&self) -> (Site, watch::Receiver<u64>) {
        let (moves, heard) = watch::channel(0);
        let desk = TestClockDesk {
            clock: self.clock.clone(),
            engine: self.engine.clone(),
            setting: "test_clock_offset",
            on_move: Arc::new(move || moves.send_modify(|moves| *moves += 1)),
        };
        let simulator = Router::new().route("/", get(async || "the simulator"));
        let site = Site { simulator: Some(simulator), test_clock: Some(desk), ..self.site() };
        (site, heard)
    }

    pub fn router(&self) -> Router {
        server::router(self.site())
    }

    /// The id of a new charge of the key's mode; `extra` as in the API.
    pub async fn create(&self, key: &str, order_no: &str, extra: Value) -> String {
        let request = Request::post("/v1/charges").header("authorization", format!("Bearer {key}"));
        let request = request.body(Body::from(charge(order_no, extra))).unwrap();
        let answer = send(&self.router(), request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Whether a test charge is paid.
    pub async fn is_paid(&self, id: &str) -> bool {
        let request = Request::get(format!("/v1/charges/{id}"));
        let request = request.header("authorization", format!("Bearer {TEST_KEY}"));
        let answer = send(&self.router(), request.body(Body::empty()).unwrap()).await;
        answer.json()["paid"].as_bool().unwrap()
    }

    pub async fn notice(&self, router: &Router, body: &'static str) -> Answer {
        let request = Request::post(format!("/notify/route/{}", self.route.raw()));
        send(router, request.body(Body::from(body)).unwrap()).await
    }
}

/// The body of a request for a charge.
pub fn charge(order_no: &str, extra: Value) -> String {
    json!({
        "order_no": order_no, "app": {"id": APP}, "channel": "alipay_wap", "amount": 1990,
        "client_ip": "203.0.113.7", "currency": "cny", "subject": "<b>绿茶</b>",
        "body": "Spring harvest", "extra": extra,
    })
    .to_string()
}

pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

pub async fn look(router: &Router, target: &str) -> Answer {
    send(router, Request::get(target).body(Body::empty()).unwrap()).await
}

/// Waits for what must happen; the limit only keeps a broken server from hanging the tests.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), event).await;
    waited.unwrap_or_else(|_| panic!("still waiting: {what}"))
}

async fn furnish(engine: &Engine) -> RouteId {
    let merchant = Merchant {
        id: engine.id(),
        name: "shop".into(),
        created: engine.now(),
        live_signature_required: false,
        test_signature_required: false,
        sign_responses: false,
        disabled: false,
    };
    let of = |mode: Mode| Tenant { merchant: merchant.id, mode };
    let route = |mode: Mode| Route {
        tenant: of(mode),
        id: engine.id(),
        connector: "fake".into(),
        name: "fake".into(),
        settings: "".into(),
        version: 0,
        disabled: false,
    };
    let (test, live) = (route(Mode::Test), route(Mode::Live));
    let test_id = test.id;
    let way = |mode, route| {
        let channel = ChannelName::parse("alipay_wap").unwrap();
        AppChannel { mode, channel, route }
    };
    let app = App {
        merchant: merchant.id,
        id: AppId::parse(APP).unwrap(),
        display_name: "web".into(),
        created: engine.now(),
        id_scheme: IdScheme::Digits,
        fee: BasisPoints::default(),
        channels: vec![way(Mode::Test, test.id), way(Mode::Live, live.id)],
        disabled: false,
    };
    let key = |mode, text: &str| ApiKey {
        hash: sign::digest::sha256(text.as_bytes()),
        merchant: merchant.id,
        mode,
        dialect: Dialect::Pingpp,
        hint: "".into(),
        created: engine.now(),
        revoked: None,
    };
    for admin in [
        Admin::PutMerchant(merchant.clone()),
        Admin::PutRoute(test),
        Admin::PutRoute(live),
        Admin::PutApp(app),
        Admin::PutApiKey(key(Mode::Test, TEST_KEY)),
        Admin::PutApiKey(key(Mode::Live, LIVE_KEY)),
    ] {
        engine.submit(Command::Admin(Box::new(admin))).await.unwrap();
    }
    test_id
}

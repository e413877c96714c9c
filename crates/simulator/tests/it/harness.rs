//! A running simulator, a clock that moves on command, a merchant that signs, and a receiver of
//! notifications.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use domain::ambient::Clock;
use domain::time::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sign::rsa::{PrivateKey, PublicKey};
use simulator::{MerchantApp, Settings, Simulator};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub const APP_ID: &str = "2021000000000001";
pub const SELLER_ID: &str = "2088000000000001";
pub const SELLER_EMAIL: &str = "shop@example.com";
/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub type Fields = BTreeMap<String, String>;

/// A clock that stands until it is moved.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn at(text: &str) -> Arc<TestClock> {
        let start = Timestamp::from_china_text(text).unwrap();
        Arc::new(TestClock(AtomicI64::new(start.micros())))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// The merchant's key; one for all tests, because making one takes a while.
pub fn merchant_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(PrivateKey::generate)
}

pub fn merchant() -> MerchantApp {
    MerchantApp {
        app_id: APP_ID.to_owned(),
        seller_id: SELLER_ID.to_owned(),
        seller_email: SELLER_EMAIL.to_owned(),
        app_public_key: merchant_key().public(),
        certificates: None,
    }
}

/// A simulator on a socket.
pub struct World {
    pub simulator: Arc<Simulator>,
    pub base: String,
    pub clock: Arc<TestClock>,
    pub http: reqwest::Client,
    pub key: PublicKey,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl World {
    pub async fn new() -> World {
        World::with(None, vec![merchant()], 1).await
    }

    pub async fn with(folder: Option<PathBuf>, merchants: Vec<MerchantApp>, scale: u32) -> World {
        let clock = TestClock::at("2026-11-22 10:00:00");
        World::at(folder, merchants, scale, clock).await
    }

    pub async fn at(
        folder: Option<PathBuf>,
        merchants: Vec<MerchantApp>,
        time_scale: u32,
        clock: Arc<TestClock>,
    ) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/simulator", listener.local_addr().unwrap());
        let settings = Settings { folder, base_url: base.clone(), merchants, time_scale };
        let simulator = Simulator::open(settings, clock.clone()).unwrap();
        let router = Router::new().nest_service("/simulator", simulator.router());
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }),
            tokio::spawn(Arc::clone(&simulator).run(stopped)),
        ];
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let key = simulator.alipay_public_key();
        World { simulator, base, clock, http, key, stop, tasks }
    }

    /// Ends the loop and the server; the book on disk is all that stays.
    pub async fn shut(mut self) {
        self.stop.send(true).unwrap();
        let run = self.tasks.pop().unwrap();
        tokio::time::timeout(PATIENCE, run).await.expect("the loop ends soon").unwrap();
        self.tasks.pop().unwrap().abort();
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        self.simulator.clock_moved();
    }

    pub fn gateway(&self) -> String {
        format!("{}/alipay/gateway.do", self.base)
    }

    /// Calls the gateway and gives the node of the answer, its signature checked.
    pub async fn call(&self, method: &str, content: Value) -> Value {
        self.call_with(method, content, &[]).await
    }

    pub async fn call_with(&self, method: &str, content: Value, more: &[(&str, &str)]) -> Value {
        let text = self.post(&signed(method, &content, more)).await.unwrap();
        self.node(&text)
    }

    /// Posts a whole request as a form and gives the body of the answer.
    pub async fn post(&self, fields: &Fields) -> reqwest::Result<String> {
        self.http.post(self.gateway()).form(fields).send().await?.text().await
    }

    /// The one node of an answer, after its signature over the raw text was checked.
    pub fn node(&self, text: &str) -> Value {
        let parts: HashMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
        let (_, node) = parts.iter().find(|(name, _)| name.ends_with("_response")).unwrap();
        let sign: String = serde_json::from_str(parts["sign"].get()).unwrap();
        self.key.verify_sha256_base64(node.get().as_bytes(), &sign).expect("a signed answer");
        let root = text.split('"').nth(1).unwrap();
        assert!(root.ends_with("_response"), "the node stands before the sign");
        serde_json::from_str(node.get()).unwrap()
    }

    /// Sends a payer's browser to the gateway and gives the address of the cashier.
    pub async fn browse(&self, method: &str, content: Value, more: &[(&str, &str)]) -> String {
        let answer = self.browse_raw(method, content, more).await;
        assert_eq!(answer.status(), 302);
        location(&answer)
    }

    pub async fn browse_raw(
        &self,
        method: &str,
        content: Value,
        more: &[(&str, &str)],
    ) -> reqwest::Response {
        let query = encoded(&signed(method, &content, more));
        self.http.get(format!("{}?{query}", self.gateway())).send().await.unwrap()
    }

    pub async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn control(&self, number: &str, order: Value) -> (u16, Value) {
        let url = format!("{}/control/trades/{number}", self.base);
        let answer = self.http.post(url).body(order.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// Does something to a trade by the control API, which must succeed.
    pub async fn make(&self, number: &str, act: &str) -> Value {
        let (status, trade) = self.control(number, json!({ "do": act })).await;
        assert_eq!(status, 200, "{act}: {trade}");
        trade
    }

    pub async fn faults(&self, number: &str, faults: Value) {
        let (status, answer) = self.control(number, json!({ "faults": faults })).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub async fn read(&self, path: &str) -> Value {
        let (status, text) = self.get(&format!("{}/control/{path}", self.base)).await;
        assert_eq!(status, 200);
        serde_json::from_str(&text).unwrap()
    }

    pub async fn book_entry(&self, number: &str) -> Value {
        self.read(&format!("trades/{number}")).await
    }

    /// Opens a trade of one yuan by `page.pay`, gives the cashier's address.
    pub async fn open(&self, number: &str, notify_url: Option<&str>) -> String {
        let more: Vec<_> = notify_url.map(|url| ("notify_url", url)).into_iter().collect();
        self.browse("alipay.trade.page.pay", page_pay(number, "1.00"), &more).await
    }

    /// Opens a trade of one yuan and pays it.
    pub async fn open_paid(&self, number: &str, notify_url: Option<&str>) {
        self.open(number, notify_url).await;
        self.make(number, "pay").await;
    }
}

pub fn page_pay(number: &str, amount: &str) -> Value {
    json!({
        "out_trade_no": number, "total_amount": amount, "subject": "茶 tea",
        "product_code": "FAST_INSTANT_TRADE_PAY",
    })
}

pub fn location(answer: &reqwest::Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// A complete signed request.
pub fn signed(method: &str, content: &Value, more: &[(&str, &str)]) -> Fields {
    sign_with(unsigned(method, content, more), merchant_key())
}

pub fn unsigned(method: &str, content: &Value, more: &[(&str, &str)]) -> Fields {
    let content = content.to_string();
    let common = [
        ("app_id", APP_ID),
        ("method", method),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-11-22 10:00:00"),
        ("version", "1.0"),
        ("biz_content", &content),
    ];
    let mut fields = Fields::new();
    for (name, value) in common.iter().chain(more) {
        fields.insert((*name).to_owned(), (*value).to_owned());
    }
    fields
}

pub fn sign_with(mut fields: Fields, key: &PrivateKey) -> Fields {
    fields.remove("sign");
    let parts: Vec<String> =
        fields.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}={v}")).collect();
    fields.insert("sign".to_owned(), key.sign_sha256_base64(parts.join("&").as_bytes()));
    fields
}

pub fn encoded(fields: &Fields) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Whether the signature of a notification or of a return holds: both `sign` and `sign_type` are
/// outside the signed text.
pub fn holds(fields: &Fields, key: &PublicKey) -> bool {
    let parts: Vec<String> = fields
        .iter()
        .filter(|(k, _)| *k != "sign" && *k != "sign_type")
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    key.verify_sha256_base64(parts.join("&").as_bytes(), &fields["sign"]).is_ok()
}

/// A merchant's receiver of notifications.
pub struct Receiver {
    pub url: String,
    arrived: mpsc::UnboundedReceiver<Fields>,
    answer: Arc<Mutex<String>>,
}

impl Receiver {
    pub async fn new() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let (send, arrived) = mpsc::unbounded_channel();
        let answer = Arc::new(Mutex::new("success".to_owned()));
        let said = Arc::clone(&answer);
        let handler = move |body: Bytes| {
            let (send, said) = (send.clone(), Arc::clone(&said));
            async move {
                let _ = send.send(form_urlencoded::parse(&body).into_owned().collect());
                said.lock().unwrap().clone()
            }
        };
        let router = Router::new().route("/notify", post(handler));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { url, arrived, answer }
    }

    pub fn say(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    /// The next notification.
    pub async fn next(&mut self) -> Fields {
        let next = tokio::time::timeout(PATIENCE, self.arrived.recv());
        next.await.expect("a notification arrives").unwrap()
    }

    /// True if nothing has arrived that was not read.
    pub fn is_quiet(&mut self) -> bool {
        self.arrived.try_recv().is_err()
    }
}

impl World {
    /// Waits until the journal holds `count` sends for the number, and gives them.
    pub async fn sends(&self, number: &str, count: usize) -> Vec<Value> {
        let look = async {
            loop {
                let journal = self.read(&format!("journal?out_trade_no={number}")).await;
                let sends: Vec<Value> = journal["entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|entry| entry["direction"] == "notification")
                    .cloned()
                    .collect();
                if sends.len() >= count {
                    return sends;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("the sends are in the journal")
    }

    /// Waits until no notification of the trade is open any more.
    pub async fn settled(&self, number: &str) {
        let look = async {
            while self.book_entry(number).await["open_notifications"] != 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("all notifications are done");
    }
}

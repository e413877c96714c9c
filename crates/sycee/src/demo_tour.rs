//! The tour of the demo: a merchant's software, a payer and a webhook receiver, all from outside
//! over HTTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::ambient::random_digits;
use serde_json::{Value, json};
use server::admin::request::{AdminRequest, EndpointAdd, EndpointRemove, ModeWord};
use server::admin::{AdminDesk, execute};
use sign::rsa::{PrivateKey, PublicKey};
use tokio::sync::{Mutex, mpsc};

use crate::ambient::SystemEntropy;
use crate::demo_world::DemoFile;

/// How long a webhook may take to arrive.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(20);

/// What the tour leaves behind.
pub struct Told {
    /// How many steps were shown.
    pub steps: u32,
    /// The cashier of a charge that is still to be paid.
    pub cashier_url: String,
}

/// A message that the receiver got.
struct Received {
    signature: String,
    body: Bytes,
}

/// A merchant's webhook receiver on a free port of this machine.
struct Receiver {
    url: String,
    messages: Mutex<mpsc::Receiver<Received>>,
}

impl Receiver {
    async fn start() -> Result<Receiver> {
        let (sender, messages) = mpsc::channel(16);
        let app = axum::Router::new().route("/webhook", axum::routing::post(receive));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let app = app.with_state(Arc::new(sender));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Receiver { url, messages: Mutex::new(messages) })
    }

    /// The next event of a type; its signature is checked.
    async fn next(&self, event_type: &str, platform: &PublicKey) -> Result<(Value, Bytes)> {
        let mut messages = self.messages.lock().await;
        loop {
            let waited = tokio::time::timeout(WEBHOOK_DEADLINE, messages.recv()).await;
            let received = waited
                .with_context(|| format!("the webhook {event_type} did not arrive"))?
                .context("the receiver ended")?;
            platform
                .verify_sha256_base64(&received.body, &received.signature)
                .context("a webhook's signature is wrong")?;
            let event: Value = serde_json::from_slice(&received.body)?;
            if event["type"] == event_type {
                return Ok((event, received.body));
            }
        }
    }
}

async fn receive(
    State(sender): State<Arc<mpsc::Sender<Received>>>,
    headers: HeaderMap,
    body: Bytes,
) -> &'static str {
    let signature = headers.get("x-pingplusplus-signature").and_then(|v| v.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    let _ = sender.send(Received { signature, body }).await;
    "ok"
}

/// The merchant's software: Basic key, signed requests, checked answers.
struct Merchant {
    http: reqwest::Client,
    base_url: String,
    api_key: String,
    key: PrivateKey,
    platform: PublicKey,
}

impl Merchant {
    fn new(demo: &DemoFile) -> Result<Merchant> {
        Ok(Merchant {
            http: reqwest::Client::builder().no_proxy().timeout(WEBHOOK_DEADLINE).build()?,
            base_url: demo.base_url.clone(),
            api_key: demo.pingpp.api_key.clone(),
            key: PrivateKey::from_pem(&demo.pingpp.merchant_private_key_pem)?,
            platform: PublicKey::from_pem(&demo.pingpp.platform_public_key_pem)?,
        })
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Bytes> {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let time = domain::ambient::Clock::now(&crate::ambient::SystemClock).seconds().to_string();
        let text =
            sign::pingpp::request_text(body.as_bytes(), path.as_bytes(), Some(time.as_bytes()));
        let answer = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .basic_auth(&self.api_key, Some(""))
            .header("content-type", "application/json; charset=UTF-8")
            .header("pingplusplus-request-timestamp", &time)
            .header("pingplusplus-signature", self.key.sign_sha256_base64(&text))
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        let signature = answer.headers().get("x-pingplusplus-signature").cloned();
        let bytes = answer.bytes().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
        }
        let signature = signature.context("an answer is not signed")?;
        self.platform
            .verify_sha256_base64(&bytes, signature.to_str()?)
            .context("an answer's signature is wrong")?;
        Ok(bytes)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let bytes = self.call(reqwest::Method::POST, path, Some(body)).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.call(reqwest::Method::GET, path, None).await?)?)
    }
}

fn charge(demo: &DemoFile, channel: &str, extra: Value) -> Value {
    json!({
        "order_no": format!("demo{}", random_digits(&SystemEntropy, 12)),
        "app": { "id": demo.pingpp.app_id },
        "channel": channel,
        "amount": 1990,
        "currency": "cny",
        "client_ip": "127.0.0.1",
        "subject": "Green tea 绿茶",
        "body": "Spring harvest, 100 g",
        "extra": extra,
    })
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is missing in {value}"))
}

/// The address that a browser opens for a page credential.
fn page_url(charge: &Value) -> Result<String> {
    let channel = text(charge, "channel")?;
    let fields = charge["credential"][channel].as_object().context("no page credential")?;
    let base = text(&charge["credential"][channel], "channel_url")?;
    let mut url = reqwest::Url::parse(base)?;
    for (name, value) in fields.iter().filter(|(name, _)| *name != "channel_url") {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        url.query_pairs_mut().append_pair(name, &value);
    }
    Ok(url.into())
}

/// One payment through the Ping++ face: created, paid, told, refunded.
pub async fn pingpp(desk: &AdminDesk, demo: &DemoFile) -> Result<Told> {
    let receiver = Receiver::start().await?;
    let add = EndpointAdd {
        merchant: Some(demo.alipay.merchant),
        app: Some(demo.pingpp.app_id.clone()),
        mode: ModeWord::Test,
        url: receiver.url.clone(),
        events: Vec::new(),
    };
    let endpoint = execute(desk, AdminRequest::EndpointAdd(add)).await?;
    let told = steps(demo, &receiver).await;
    let remove = EndpointRemove {
        merchant: Some(demo.alipay.merchant),
        mode: ModeWord::Test,
        endpoint: endpoint["endpoint"].as_i64().context("the endpoint has no number")?,
    };
    execute(desk, AdminRequest::EndpointRemove(remove)).await?;
    told
}

async fn steps(demo: &DemoFile, receiver: &Receiver) -> Result<Told> {
    let merchant = Merchant::new(demo)?;
    let extra = json!({ "success_url": format!("{}/", demo.base_url) });
    let created = merchant.post("/v1/charges", charge(demo, "alipay_wap", extra)).await?;
    let id = text(&created, "id")?.to_owned();
    println!(" 1. Ping++: charge {id} of 19.90 yuan created, request and answer signed");

    let page = merchant.http.get(page_url(&created)?).send().await?;
    ensure!(page.status().is_success(), "the cashier answered {}", page.status());
    println!(" 2. payer: opened the cashier with the charge's credential");
    let order_no = text(&created, "order_no")?;
    let pay = format!("{}/control/trades/{order_no}", demo.simulator_url);
    let paid = merchant.http.post(pay).json(&json!({ "do": "pay" })).send().await?;
    ensure!(paid.status().is_success(), "the simulator answered {}", paid.status());
    println!(" 3. payer: paid");

    let (event, body) = receiver.next("charge.succeeded", &merchant.platform).await?;
    ensure!(event["data"]["object"]["id"] == id.as_str(), "the webhook is about another charge");
    println!(" 4. webhook: charge.succeeded arrived, its signature fits");
    let now = merchant.get(&format!("/v1/charges/{id}")).await?;
    ensure!(now["paid"] == true, "the charge is not paid");
    println!(" 5. merchant: the charge is paid, trade {}", text(&now, "transaction_no")?);

    let wish = json!({ "amount": 990, "description": "One box broken" });
    let refund = merchant.post(&format!("/v1/charges/{id}/refunds"), wish).await?;
    let refund_id = text(&refund, "id")?;
    println!(" 6. merchant: refund {refund_id} of 9.90 yuan is {}", text(&refund, "status")?);
    let (told, _) = receiver.next("refund.succeeded", &merchant.platform).await?;
    ensure!(told["data"]["object"]["id"] == refund_id, "the webhook is about another refund");
    println!(" 7. webhook: refund.succeeded arrived, its signature fits");
    let event_id = text(&event, "id")?;
    let again =
        merchant.call(reqwest::Method::GET, &format!("/v1/events/{event_id}"), None).await?;
    ensure!(again == body, "the event differs from the message");
    println!(" 8. merchant: event {event_id} reads as it was delivered");

    let open = merchant.post("/v1/charges", charge(demo, "alipay_qr", json!({}))).await?;
    let cashier_url = text(&open["credential"], "alipay_qr")?.to_owned();
    println!(" 9. Ping++: charge {} is open for you to pay", text(&open, "id")?);
    Ok(Told { steps: 9, cashier_url })
}

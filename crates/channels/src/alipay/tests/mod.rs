mod answers;
mod calls;
mod certificates;
mod classification;
mod notices;
mod payer;
mod reading;
mod requests;
mod settings;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::ambient::Clock;
use domain::channel::{Order, PayParams, RefundOrder};
use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::text::{ChannelName, ChannelNumber, Note, Subject};
use domain::time::Timestamp;
use serde_json::{Value, json};
use sign::rsa::PrivateKey;

use super::{Alipay, Settings};
use crate::far_side::{FarSide, Seen, Step};
use crate::http::{self, Limits};

static APP_KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);
static ALIPAY_KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);
static STRANGERS_KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);

const APP_ID: &str = "2021000000000001";
const SELLER_ID: &str = "2088100000000001";
const NUMBER: &str = "T2026112200001";
const REFUND_NUMBER: &str = "R2026112200001";
const NOTIFY_URL: &str = "http://127.0.0.1:9/notify/route/1";

/// Short enough for a test, long enough for a slow machine.
const SHORT: Limits = Limits {
    connect: Duration::from_millis(700),
    deadline: Duration::from_millis(1_000),
    body_bytes_max: 1024 * 1024,
};

/// 2026-11-22 10:00:00 in China.
const NOON: Timestamp = Timestamp::from_seconds(1_795_312_800);

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        NOON
    }
}

fn settings_json(gateway_url: &str) -> Value {
    json!({
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "seller_email": "shop@example.com",
        "app_private_key": APP_KEY.to_pkcs8_pem(),
        "alipay_public_key": ALIPAY_KEY.public().to_spki_base64(),
        "gateway_url": gateway_url,
    })
}

fn alipay_with(settings: &Value) -> Alipay {
    let settings = Settings::parse(&settings.to_string()).unwrap();
    // Reading the machine's certificates for every test would take longer than the tests.
    let client = http::client(SHORT, |builder| builder.tls_certs_only([]));
    Alipay::new(settings, client, Arc::new(StoppedClock), SHORT)
}

/// A connector whose gateway does this, and the gateway.
async fn gateway(act: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> (Alipay, FarSide) {
    let far = FarSide::start(act).await;
    (alipay_with(&settings_json(&far.url("/gateway.do"))), far)
}

/// A connector whose gateway is never reached.
fn alone() -> &'static Alipay {
    static ALONE: LazyLock<Alipay> =
        LazyLock::new(|| alipay_with(&settings_json("https://openapi.example/gateway.do")));
    &ALONE
}

fn number() -> ChannelNumber {
    ChannelNumber::parse(NUMBER).unwrap()
}

fn yuan(fen: i64) -> Money {
    Money::new(Amount::new(fen).unwrap(), Currency::CNY)
}

fn order(channel: &str) -> Order {
    Order {
        channel: ChannelName::parse(channel).unwrap(),
        number: number(),
        money: yuan(1_990),
        subject: Subject::parse("测试 a+b & <c> \"d\"").unwrap(),
        body: Note::parse("two\nlines").unwrap(),
        created: NOON.plus_seconds(-60),
        expires: NOON.plus_seconds(3_600),
        params: PayParams {
            return_url: Some("https://shop.example/back?x=1&y=2".into()),
            cancel_url: Some("https://shop.example/gone".into()),
            scan_code: Some("281234567890123456".into()),
            buyer_id: Some("2088102900000001".into()),
            ..PayParams::default()
        },
    }
}

fn refund_order() -> RefundOrder {
    RefundOrder {
        payment: number(),
        number: ChannelNumber::parse(REFUND_NUMBER).unwrap(),
        money: yuan(990),
        total: yuan(1_990).amount,
        reason: Note::parse("too\nsmall").unwrap(),
    }
}

/// An answer as the gateway writes it: the node, then the signature of its text.
fn signed(method: &str, node: &str) -> String {
    signed_by(&ALIPAY_KEY, method, node)
}

fn signed_by(key: &PrivateKey, method: &str, node: &str) -> String {
    let name = method.replace('.', "_");
    let signature = key.sign_sha256_base64(node.as_bytes());
    format!(r#"{{"{name}_response":{node},"sign":"{signature}"}}"#)
}

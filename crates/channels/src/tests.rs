use std::sync::Mutex;

use domain::channel::{Order, OrderError, PayParams, Preparation, RawNotice};
use domain::currency::Currency;
use domain::id::Id;
use domain::money::{Amount, Money};
use domain::operation::{Outcome, RefusalClass};
use domain::payment::Credential;
use domain::tenant::Tenant;
use domain::text::{ChannelName, ChannelNumber, Note, Subject};
use domain::time::Timestamp;
use sign::rsa::PrivateKey;

use super::*;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

fn route(connector: &str, mode: Mode) -> Route {
    Route {
        tenant: Tenant { merchant: Id::from_raw(1), mode },
        id: Id::from_raw(2),
        connector: connector.into(),
        name: "route".into(),
        settings: "sealed".into(),
        version: 1,
        disabled: false,
    }
}

/// A house that opens every route's settings as this text.
fn house(opened: Result<String, SettingsError>) -> Arc<dyn Connectors> {
    connectors(Arc::new(move |_| opened.clone()), Arc::new(StoppedClock))
}

fn trouble(house: &Arc<dyn Connectors>, route: &Route) -> String {
    house.connect(route).map(|_| ()).unwrap_err().to_string()
}

fn alipay_settings(more: &str) -> String {
    let ours = PrivateKey::generate().to_pkcs8_base64();
    let theirs = PrivateKey::generate().public().to_spki_base64();
    format!(
        r#"{{"app_id":"2021","seller_id":"2088","app_private_key":"{ours}",
            "alipay_public_key":"{theirs}"{more}}}"#
    )
}

#[test]
fn a_route_is_connected_by_its_word_with_its_own_settings() {
    let opened = Arc::new(Mutex::new(Vec::new()));
    let (settings, seen) = (alipay_settings(""), opened.clone());
    let open: OpenSettings = Arc::new(move |route| {
        seen.lock().unwrap().push(route.clone());
        Ok(settings.clone())
    });
    let house = connectors(open, Arc::new(StoppedClock));
    assert!(house.connect(&route("alipay", Mode::Live)).is_ok());
    assert_eq!(*opened.lock().unwrap(), [route("alipay", Mode::Live)]);
    assert!(house.connect(&route("balance", Mode::Live)).is_ok());
    assert_eq!(opened.lock().unwrap().len(), 1, "a wallet has no settings to open");
    for unknown in ["", "Alipay", "wechat"] {
        let message = trouble(&house, &route(unknown, Mode::Test));
        assert!(message.contains("alipay and balance"), "{message}");
    }
    assert_eq!(format!("{house:?}"), "connectors of alipay and balance");
}

#[test]
fn settings_that_do_not_open_or_do_not_read_make_no_connector() {
    let sealed = house(Err(SettingsError("the seal is broken".into())));
    assert_eq!(trouble(&sealed, &route("alipay", Mode::Live)), "the seal is broken");
    let empty = house(Ok("{}".into()));
    assert!(trouble(&empty, &route("alipay", Mode::Live)).starts_with("app_private_key: "));
}

#[test]
fn a_live_route_never_leads_to_a_simulator() {
    let simulated = house(Ok(alipay_settings(r#","control_url":"http://127.0.0.1:1/control""#)));
    assert!(trouble(&simulated, &route("alipay", Mode::Live)).starts_with("control_url: "));
    assert!(simulated.connect(&route("alipay", Mode::Test)).is_ok());
}

#[tokio::test]
async fn a_wallet_payment_needs_nothing_and_no_upstream_knows_it() {
    let wallet = house(Ok("{}".into())).connect(&route("balance", Mode::Live)).unwrap();
    let number = ChannelNumber::parse("T1").unwrap();
    let order = |channel: &str| Order {
        channel: ChannelName::parse(channel).unwrap(),
        number: number.clone(),
        money: Money::new(Amount::new(1).unwrap(), Currency::CNY),
        subject: Subject::parse("s").unwrap(),
        body: Note::parse("b").unwrap(),
        created: Timestamp::EPOCH,
        expires: Timestamp::EPOCH,
        params: PayParams::default(),
    };
    let ready = Preparation::Ready(Credential::Nothing);
    assert_eq!(wallet.plan(&order("balance"), "http://n/"), Ok(ready));
    assert_eq!(wallet.plan(&order("alipay"), "http://n/"), Err(OrderError::ChannelUnknown));
    let closed = wallet.close(&number).await;
    assert!(matches!(closed, Outcome::Refused(r) if r.why == RefusalClass::NotFound));
    let raw = RawNotice { headers: &[], body: b"trade_status=TRADE_SUCCESS" };
    assert!(wallet.read_notice(raw).is_err());
}

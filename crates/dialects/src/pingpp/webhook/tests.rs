use domain::event::{About, DeliveryState};
use domain::id::Id;
use domain::text::{Echo, PublicId};

use super::super::sample::{app, batch, paid, refund};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_762_128_300); // 2025-11-03 in China

fn format() -> Format {
    Format::new(Arc::new(PrivateKey::generate()))
}

fn word(format: &Format, happening: Happening<'_>, request: Option<&RequestId>) -> Option<Worded> {
    format.word(happening, &app(), request, NOW, &mut Fresh::for_test(1, [5; 16]))
}

fn event(id: i64, body: &str) -> Event {
    Event {
        tenant: paid().tenant,
        id: Id::from_raw(id),
        app: paid().app,
        dialect: domain::tenant::Dialect::Pingpp,
        public_id: PublicId::parse("evt_1").unwrap(),
        event_type: "charge.succeeded".into(),
        about: About::Payment(paid().id),
        created: NOW,
        body: body.into(),
    }
}

fn delivery() -> Delivery {
    Delivery {
        tenant: paid().tenant,
        id: Id::from_raw(8),
        event: Id::from_raw(1),
        endpoint: Id::from_raw(2),
        state: DeliveryState::Sending,
        tries: 1,
        token: 1,
        next_at: None,
        created: NOW,
        version: 1,
    }
}

#[test]
fn a_paid_charge_is_told_with_the_documented_order_of_names() {
    let payment = paid();
    let request = RequestId::parse("iar_Demo5KyTX9vHm0W1SaaaaaLL").unwrap();
    let told = word(&format(), Happening::PaymentSucceeded(&payment), Some(&request)).unwrap();
    assert_eq!(&*told.event_type, "charge.succeeded");
    let id = told.public_id.as_str();
    assert!(id.starts_with("evt_401251103") && id.len() == 28, "{id}");
    let object = to_json(&Charge::new(&payment, &[], None));
    let expected = [
        &format!(r#"{{"id":"{id}","created":1762128300,"livemode":true,"#),
        r#""type":"charge.succeeded","data":{"object":"#,
        &object,
        r#"},"object":"event","pending_webhooks":0,"#,
        &format!(r#""request":"{request}"}}"#),
    ]
    .concat();
    assert_eq!(&*told.body, expected);
}

#[test]
fn each_happening_has_its_type_or_is_not_told() {
    let format = format();
    let (payment, refund, batch) = (paid(), refund(1, 40), batch());
    let finished =
        |succeeded, failed| domain::refund::RefundBatch { succeeded, failed, ..batch.clone() };
    let (all, part, none) = (finished(2, 0), finished(1, 1), finished(0, 2));
    let succeeded = Some("batch_refund.succeeded");
    for (happening, expected) in [
        (Happening::PaymentSucceeded(&payment), Some("charge.succeeded")),
        (Happening::PaymentFailed(&payment), None),
        (Happening::PaymentPaidAfterClose(&payment), Some("charge.paid_after_close")),
        (Happening::RefundSucceeded(&refund, &payment), Some("refund.succeeded")),
        (Happening::RefundFailed(&refund, &payment), Some("refund.failed")),
        (Happening::BatchFinished(&all, &[], &[]), succeeded),
        (Happening::BatchFinished(&part, &[], &[]), succeeded),
        (Happening::BatchFinished(&none, &[], &[]), None),
    ] {
        let told = word(&format, happening, None);
        assert_eq!(told.as_ref().map(|t| &*t.event_type), expected, "{happening:?}");
        if let Some(told) = told {
            let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
            assert_eq!(body["request"], serde_json::Value::Null);
            assert!(body["data"]["object"]["id"].is_string());
        }
    }
}

#[test]
fn test_charges_may_ask_for_doubles_and_delays() {
    let format = format();
    let departures = |mode, echo: &str| {
        let mut payment = paid();
        payment.tenant.mode = mode;
        payment.echo = Echo::from_json(echo);
        format.departures(Happening::PaymentSucceeded(&payment))
    };
    let wish = |tc: &str| format!(r#"{{"extra":{{}},"metadata":{{"a":1,"pingpp_tc":"{tc}"}}}}"#);
    assert_eq!(departures(Mode::Test, &wish("001")), [0, 0]);
    assert_eq!(departures(Mode::Test, &wish("002")), [300]);
    assert_eq!(departures(Mode::Test, &wish("003")), [0]);
    assert_eq!(departures(Mode::Test, r#"{"extra":{},"metadata":{}}"#), [0]);
    assert_eq!(departures(Mode::Live, &wish("001")), [0]);
    let mut payment = paid();
    payment.tenant.mode = Mode::Test;
    payment.echo = Echo::from_json(wish("001"));
    assert_eq!(format.departures(Happening::RefundSucceeded(&refund(1, 1), &payment)), [0]);
}

#[test]
fn a_message_is_signed_over_its_body_once() {
    let format = format();
    let header = |event: &Event, name: &str| {
        let headers = format.headers(&delivery(), event, NOW);
        headers.into_iter().find(|(n, _)| n == name).map(|(_, value)| value).unwrap()
    };
    let event_1 = event(1, r#"{"id":"evt_1"}"#);
    let signature = header(&event_1, "x-pingplusplus-signature");
    let public = format.key.public();
    assert_eq!(public.verify_sha256_base64(event_1.body.as_bytes(), &signature), Ok(()));
    assert_eq!(header(&event_1, "Content-Type"), "application/json;charset=utf-8");
    assert_eq!(header(&event_1, "webhook-id"), "evt_1");
    assert_eq!(header(&event_1, "webhook-timestamp"), "1762128300");
    // The second sending takes the first one's signature, by the event's id.
    let renamed = event(1, "other");
    assert_eq!(header(&renamed, "x-pingplusplus-signature"), signature);
    let event_2 = event(2, "other");
    assert_ne!(header(&event_2, "x-pingplusplus-signature"), signature);
    assert_eq!(format.signatures.lock().unwrap().len(), 2);
}

#[test]
fn ten_retries_take_about_a_day() {
    assert_eq!(SCHEDULE_SECONDS.len(), 10);
    assert_eq!(SCHEDULE_SECONDS[..2], [5, 10]);
    assert_eq!(SCHEDULE_SECONDS.iter().sum::<i64>(), 89_235);
}

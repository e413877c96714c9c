//! Notifications: which are read, which are refused (specs/reliability.md REL-33).

use std::collections::BTreeMap;

use domain::channel::{Channel, News, Notice, NoticeError, RawNotice};
use domain::payment::Proof;
use domain::text::TradeNo;
use proptest::prelude::*;

use super::*;

type Fields = BTreeMap<String, String>;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn paid() -> Fields {
    fields(&[
        ("notify_time", "2026-11-22 10:00:05"),
        ("notify_type", "trade_status_sync"),
        ("notify_id", "2026112200222100005092041435"),
        ("app_id", APP_ID),
        ("charset", "utf-8"),
        ("version", "1.0"),
        ("trade_no", "2026112222001"),
        ("out_trade_no", NUMBER),
        ("buyer_id", "2088102900000001"),
        ("buyer_logon_id", "138****0001"),
        ("seller_id", SELLER_ID),
        ("seller_email", "shop@example.com"),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "19.90"),
        ("subject", "测试 a+b & <c> \"d\" 100%"),
        ("gmt_payment", "2026-11-22 10:00:01"),
        ("fund_bill_list", r#"[{"amount":"19.90","fundChannel":"ALIPAYACCOUNT"}]"#),
    ])
}

fn with(mut fields: Fields, pairs: &[(&str, &str)]) -> Fields {
    fields.extend(self::fields(pairs));
    fields
}

fn without(mut fields: Fields, name: &str) -> Fields {
    fields.remove(name).expect("a field to leave out");
    fields
}

/// The text that Alipay signs, by this test's own reading.
fn text(fields: &Fields) -> String {
    let lines: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
    lines.join("&")
}

fn sealed_by(key: &PrivateKey, mut fields: Fields) -> Fields {
    let sign = key.sign_sha256_base64(text(&fields).as_bytes());
    fields.insert("sign".into(), sign);
    fields.insert("sign_type".into(), "RSA2".into());
    fields
}

fn sealed(fields: Fields) -> Fields {
    sealed_by(&ALIPAY_KEY, fields)
}

fn body(fields: &Fields) -> String {
    let escape = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let pairs: Vec<String> =
        fields.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
    pairs.join("&")
}

fn read_bytes(body: &[u8]) -> Result<Notice, NoticeError> {
    alone().read_notice(RawNotice { headers: &[], body })
}

fn read(fields: &Fields) -> Result<Notice, NoticeError> {
    read_bytes(body(fields).as_bytes())
}

fn news(fields: Fields) -> News {
    read(&sealed(fields)).unwrap().news
}

fn proof() -> Proof {
    Proof {
        money: yuan(1_990),
        trade_no: TradeNo::parse("2026112222001").unwrap(),
        paid_at: NOON.plus_seconds(1),
        details: vec![
            ("buyer_user_id".into(), "2088102900000001".into()),
            ("buyer_logon_id".into(), "138****0001".into()),
            (
                "fund_bill_list".into(),
                r#"[{"amount":"19.90","fundChannel":"ALIPAYACCOUNT"}]"#.into(),
            ),
        ],
    }
}

#[test]
fn a_paid_notice_is_read_whole() {
    let notice = Notice {
        number: number(),
        news: News::Paid(proof()),
        notice_id: "2026112200222100005092041435".into(),
    };
    assert_eq!(read(&sealed(paid())), Ok(notice.clone()));
    // Plus signs are spaces, as in any form.
    let plain = body(&sealed(paid())).replace("%20", "+");
    assert_eq!(read_bytes(plain.as_bytes()), Ok(notice));
    assert_eq!(alone().notice_taken(), "success");
    assert_eq!(alone().notice_refused(), "fail");
}

#[test]
fn empty_fields_may_be_inside_the_signature_or_outside_of_it() {
    let empty = with(paid(), &[("passback_params", ""), ("body", "")]);
    assert_eq!(news(empty), News::Paid(proof()));
    let outside = with(sealed(paid()), &[("passback_params", "")]);
    assert_eq!(read(&outside).map(|n| n.news), Ok(News::Paid(proof())));
}

#[test]
fn every_state_is_told_as_what_it_is() {
    let refund = || fields(&[("refund_fee", "9.90"), ("out_biz_no", REFUND_NUMBER)]);
    let state = |status: &str, more: Fields| {
        let mut all = with(paid(), &[("trade_status", status)]);
        all.extend(more);
        news(all)
    };
    let refunded = News::Refunded { refund: refund_order().number };
    assert_eq!(state("TRADE_SUCCESS", Fields::new()), News::Paid(proof()));
    assert_eq!(state("TRADE_FINISHED", Fields::new()), News::Paid(proof()));
    assert_eq!(state("TRADE_CLOSED", Fields::new()), News::Closed);
    assert_eq!(state("WAIT_BUYER_PAY", Fields::new()), News::Nothing);
    assert_eq!(state("SOMETHING_NEW", refund()), News::Nothing);
    for status in ["TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"] {
        assert_eq!(state(status, refund()), refunded, "{status}");
        let bare = fields(&[("out_biz_no", REFUND_NUMBER)]);
        assert_eq!(state(status, bare), refunded, "{status}");
        let instant = fields(&[("gmt_refund", "2026-11-22 10:00:02.123")]);
        assert_eq!(state(status, instant), News::Nothing, "{status}");
        // Somebody gave money back at Alipay itself: neither paid anew nor closed unpaid.
        let foreign = fields(&[("refund_fee", "9.90"), ("gmt_refund", "2026-11-22 10:00:02.123")]);
        assert_eq!(state(status, foreign), News::Nothing, "{status}");
    }
    let none = fields(&[("refund_fee", "0.00")]);
    assert_eq!(state("TRADE_SUCCESS", none), News::Paid(proof()));
    let other = fields(&[("notify_type", "something_else")]);
    assert_eq!(state("TRADE_SUCCESS", other), News::Nothing);
}

#[test]
fn the_instant_of_the_message_stands_in_for_that_of_the_payment() {
    let News::Paid(proof) = news(without(paid(), "gmt_payment")) else { panic!() };
    assert_eq!(proof.paid_at, NOON.plus_seconds(5));
    let neither = without(without(paid(), "gmt_payment"), "notify_time");
    assert_eq!(read(&sealed(neither)), Err(NoticeError::Garbled));
}

#[test]
fn one_of_the_accounts_two_names_is_enough() {
    assert_eq!(news(without(paid(), "seller_email")), News::Paid(proof()));
    assert_eq!(news(without(paid(), "seller_id")), News::Paid(proof()));
    let mut settings = settings_json("https://openapi.example");
    settings["seller_email"] = Value::Null;
    let unnamed = alipay_with(&settings);
    let read = |fields: &Fields| {
        unnamed.read_notice(RawNotice { headers: &[], body: body(fields).as_bytes() })
    };
    assert!(read(&sealed(paid())).is_ok());
    let nobody = sealed(without(paid(), "seller_id"));
    assert_eq!(read(&nobody), Err(NoticeError::NotOurs));
}

/// Twenty kinds of forgery, and what each is refused as.
#[test]
fn forgeries_are_refused() {
    use NoticeError::{BadSignature, Garbled, NotOurs};
    let good = sealed(paid());
    let changed = |name: &str, value: &str| with(good.clone(), &[(name, value)]);
    let signed = |name: &str, value: &str| sealed(with(paid(), &[(name, value)]));
    let doubled = |pair: &str| format!("{}&{pair}", body(&good));
    let cases: Vec<(&str, String, NoticeError)> = vec![
        ("no signature", body(&without(good.clone(), "sign")), BadSignature),
        ("an empty signature", body(&changed("sign", "")), BadSignature),
        ("a signature that is no base64", body(&changed("sign", "§")), BadSignature),
        ("another signature", body(&changed("sign", &"A".repeat(344))), BadSignature),
        ("a stranger's key", body(&sealed_by(&STRANGERS_KEY, paid())), BadSignature),
        ("our own key", body(&sealed_by(&APP_KEY, paid())), BadSignature),
        ("a lower amount", body(&changed("total_amount", "0.01")), BadSignature),
        ("another payment", body(&changed("out_trade_no", "T2026112200002")), BadSignature),
        ("another state", body(&changed("trade_status", "TRADE_FINISHED")), BadSignature),
        ("a field more", body(&changed("refund_fee", "19.90")), BadSignature),
        ("a field less", body(&without(good.clone(), "subject")), BadSignature),
        ("an old algorithm", body(&changed("sign_type", "RSA")), BadSignature),
        ("no algorithm", body(&without(good.clone(), "sign_type")), BadSignature),
        ("a space more", body(&changed("subject", "测试 a+b & <c> \"d\" 100% ")), BadSignature),
        ("another application", body(&signed("app_id", "2021000000000002")), NotOurs),
        ("another account", body(&signed("seller_id", "2088100000000002")), NotOurs),
        ("another login", body(&signed("seller_email", "other@example.com")), NotOurs),
        ("a second state", doubled("trade_status=TRADE_SUCCESS"), Garbled),
        ("a second signature", doubled("sign=AAAA"), Garbled),
        ("a number with a line end", body(&signed("out_trade_no", "T1\n")), Garbled),
        ("an amount that is none", body(&signed("total_amount", "19.9O")), Garbled),
        ("a negative amount", body(&signed("total_amount", "-19.90")), Garbled),
        ("a payment without number", body(&sealed(without(paid(), "trade_no"))), Garbled),
        ("a message without number", body(&sealed(without(paid(), "notify_id"))), Garbled),
        ("an endless number", body(&signed("notify_id", &"9".repeat(129))), Garbled),
        ("no state", body(&sealed(without(paid(), "trade_status"))), Garbled),
    ];
    assert!(cases.len() >= 20);
    for (name, body, wanted) in cases {
        assert_eq!(read_bytes(body.as_bytes()), Err(wanted), "{name}");
    }
    let json = serde_json::to_string(&good).unwrap();
    assert!(read_bytes(json.as_bytes()).is_err());
    assert_eq!(read_bytes(b""), Err(Garbled));
    assert_eq!(read_bytes(&vec![b'a'; 64 * 1024 + 1]), Err(Garbled));
}

#[test]
fn a_signature_made_for_a_request_of_ours_is_no_notice() {
    // A request keeps `sign_type` inside its text, a notice does not; nothing signed for the one
    // passes for the other.
    let mut inside = with(paid(), &[("sign_type", "RSA2")]);
    let sign = ALIPAY_KEY.sign_sha256_base64(text(&inside).as_bytes());
    inside.insert("sign".into(), sign);
    assert_eq!(read(&inside), Err(NoticeError::BadSignature));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_the_reader_panic_or_believe(
        bytes in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        prop_assert!(read_bytes(&bytes).is_err());
    }

    #[test]
    fn no_change_of_a_signed_notice_is_believed(at in 0usize..2_000, byte in 1u8..=255) {
        let good = body(&sealed(paid()));
        let mut changed = good.clone().into_bytes();
        let at = at % changed.len();
        changed[at] ^= byte;
        // What decodes to the same fields is the same message.
        let decoded = |bytes: &[u8]| -> Vec<(String, String)> {
            form_urlencoded::parse(bytes).into_owned().collect()
        };
        prop_assume!(decoded(&changed) != decoded(good.as_bytes()));
        prop_assert!(read_bytes(&changed).is_err());
    }

    #[test]
    fn any_signed_fields_are_read_without_a_panic(
        status in "[A-Z_]{0,20}", amount in "[0-9.-]{0,12}", time in "[0-9: -]{0,20}",
        number in "\\PC{0,70}", refund in "\\PC{0,70}",
    ) {
        let odd = with(paid(), &[
            ("trade_status", &status), ("total_amount", &amount), ("gmt_payment", &time),
            ("trade_no", &number), ("out_biz_no", &refund),
        ]);
        let _ = read(&sealed(odd));
    }
}

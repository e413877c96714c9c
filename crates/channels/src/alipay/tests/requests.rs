use domain::channel::{OrderError, Preparation};
use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::payment::Credential;
use serde_json::{Value, json};
use sign::digest::sha256_hex;

use super::reading::{Parameters, parameters, verified};
use super::*;
use crate::alipay::request::{Method, Request};
use domain::channel::Channel;

fn credential(order: &Order) -> Credential {
    match alone().plan(order, NOTIFY_URL).unwrap() {
        Preparation::Ready(credential) => credential,
        Preparation::MustAsk => panic!("{} is ready at once", order.channel),
    }
}

fn page(order: &Order) -> Parameters {
    let Credential::Page(url) = credential(order) else { panic!("a page") };
    let (gateway, query) = url.split_once('?').unwrap();
    assert_eq!(gateway, "https://openapi.example/gateway.do");
    verified(parameters(query), &APP_KEY.public())
}

fn order_string(order: &Order) -> Parameters {
    let Credential::OrderString(text) = credential(order) else { panic!("an order string") };
    verified(parameters(&text), &APP_KEY.public())
}

fn content(parameters: &Parameters) -> Value {
    serde_json::from_str(&parameters["biz_content"]).unwrap()
}

#[test]
fn the_three_signed_credentials_hold_every_parameter_and_verify() {
    let common = |method: &str| {
        json!({
            "app_id": APP_ID, "method": method, "format": "JSON", "charset": "utf-8",
            "sign_type": "RSA2", "timestamp": "2026-11-22 09:59:00", "version": "1.0",
            "notify_url": NOTIFY_URL,
        })
    };
    let trade = json!({
        "out_trade_no": NUMBER, "total_amount": "19.90", "subject": "测试 a+b & <c> \"d\"",
        "body": "two lines", "time_expire": "2026-11-22 11:00:00",
    });
    let with = |base: &Value, more: Value| {
        let mut all = base.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let back = json!({"return_url": "https://shop.example/back?x=1&y=2"});
    let cases = [
        (
            order_string(&order("alipay")),
            common("alipay.trade.app.pay"),
            json!({"product_code": "QUICK_MSECURITY_PAY"}),
        ),
        (
            page(&order("alipay_wap")),
            with(&common("alipay.trade.wap.pay"), back.clone()),
            json!({"product_code": "QUICK_WAP_WAY", "quit_url": "https://shop.example/gone"}),
        ),
        (
            page(&order("alipay_pc_direct")),
            with(&common("alipay.trade.page.pay"), back),
            json!({"product_code": "FAST_INSTANT_TRADE_PAY"}),
        ),
    ];
    for (mut read, wanted, more) in cases {
        assert_eq!(content(&read), with(&trade, more));
        read.remove("biz_content");
        assert_eq!(json!(read), wanted);
    }
}

#[test]
fn the_same_order_gives_the_same_credential_to_the_byte() {
    for channel in ["alipay", "alipay_wap", "alipay_pc_direct"] {
        assert_eq!(credential(&order(channel)), credential(&order(channel)), "{channel}");
        let later = Order { created: NOON, ..order(channel) };
        assert_ne!(credential(&order(channel)), credential(&later), "{channel}");
    }
}

#[test]
fn channels_that_must_be_asked_are_checked_but_not_signed() {
    for channel in ["alipay_qr", "alipay_scan", "alipay_lite"] {
        assert_eq!(alone().plan(&order(channel), NOTIFY_URL), Ok(Preparation::MustAsk));
    }
    for channel in ["wx", "alipay_hk", "balance"] {
        let refused = alone().plan(&order(channel), NOTIFY_URL);
        assert_eq!(refused, Err(OrderError::ChannelUnknown));
    }
}

#[test]
fn what_a_way_to_pay_needs_is_asked_for_by_name() {
    type Spoil = fn(&mut PayParams);
    let cases: [(&str, Spoil, OrderError); 8] = [
        ("alipay_wap", |p| p.return_url = None, OrderError::Missing("return_url")),
        ("alipay_pc_direct", |p| p.return_url = Some("".into()), OrderError::Missing("return_url")),
        ("alipay_scan", |p| p.scan_code = None, OrderError::Missing("scan_code")),
        ("alipay_scan", |p| p.scan_code = Some("".into()), OrderError::Missing("scan_code")),
        (
            "alipay_scan",
            |p| p.scan_code = Some("28123456789012345x".into()),
            OrderError::Unacceptable("scan_code"),
        ),
        (
            "alipay_scan",
            |p| p.scan_code = Some("281234567890123".into()),
            OrderError::Unacceptable("scan_code"),
        ),
        ("alipay_lite", |p| p.buyer_id = None, OrderError::Missing("buyer_id")),
        (
            "alipay",
            |p| p.passed_on = vec![("goods_detail".into(), "[".into())],
            OrderError::Unacceptable("goods_detail"),
        ),
    ];
    for (channel, spoil, wanted) in cases {
        let mut order = order(channel);
        spoil(&mut order.params);
        assert_eq!(alone().plan(&order, NOTIFY_URL), Err(wanted), "{channel}");
    }
    let bare = Order { params: PayParams::default(), ..order("alipay") };
    assert!(alone().plan(&bare, NOTIFY_URL).is_ok());
}

#[test]
fn amounts_beyond_the_channels_limits_are_refused() {
    let of = |fen: i64, currency| Order {
        money: Money::new(Amount::new(fen).unwrap(), currency),
        ..order("alipay")
    };
    let plan = |order: &Order| alone().plan(order, NOTIFY_URL).map(|_| ());
    assert_eq!(plan(&of(1, Currency::CNY)), Ok(()));
    assert_eq!(plan(&of(10_000_000_000, Currency::CNY)), Ok(()));
    for fen in [0, 10_000_000_001] {
        assert_eq!(plan(&of(fen, Currency::CNY)), Err(OrderError::Unacceptable("amount")));
    }
    let dollars = Currency::from_code("USD").unwrap();
    assert_eq!(plan(&of(100, dollars)), Err(OrderError::Unacceptable("currency")));
}

#[test]
fn parameters_that_alipay_knows_are_passed_on_unread_and_others_are_left_out() {
    let passed_on = |pairs: &[(&str, &str)]| {
        let mut order = order("alipay_pc_direct");
        order.params.passed_on =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        order.params.store_id = Some("S1".into());
        content(&page(&order))
    };
    let read = passed_on(&[
        ("qr_pay_mode", "\"4\""),
        ("qrcode_width", "200"),
        ("goods_detail", r#"[{"goods_id":"g1","price":0.10}]"#),
        ("disable_pay_channels", "\"credit_group\""),
        ("ext_user_info", "null"),
        ("extend_params", r#"{"hb_fq_num":"3"}"#),
        ("out_trade_no", "\"STOLEN\""),
        ("total_amount", "\"0.01\""),
        ("rn_check", "\"T\""),
    ]);
    assert_eq!(read["qr_pay_mode"], "4");
    assert_eq!(read["qrcode_width"], 200);
    assert_eq!(read["goods_detail"][0]["goods_id"], "g1");
    assert_eq!(read["disable_pay_channels"], "credit_group");
    assert_eq!(read["extend_params"], json!({"hb_fq_num": "3"}));
    assert_eq!(read["store_id"], "S1");
    assert_eq!((&read["out_trade_no"], &read["total_amount"]), (&json!(NUMBER), &json!("19.90")));
    for absent in ["ext_user_info", "rn_check"] {
        assert!(read.get(absent).is_none(), "{absent}");
    }
    assert!(passed_on(&[]).get("extend_params").is_none());
}

#[test]
fn the_text_to_be_signed_matches_the_vector() {
    // specs/channels.md §8, with everything in one query.
    let settings = Settings::parse(&settings_json("https://openapi.example").to_string()).unwrap();
    let request = Request {
        method: Method::Precreate,
        at: NOON,
        notify_url: Some("http://127.0.0.1:9/n"),
        return_url: None,
        content: r#"{"out_trade_no":"T1","subject":"测试 a+b","total_amount":"0.01"}"#,
    };
    let read = verified(parameters(&request.to_query(&settings)), &APP_KEY.public());
    let text: Vec<String> = read.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        sha256_hex(text.join("&").as_bytes()),
        "a71fca6239222f78a8c038c9bb44db07e5b22f94bd3948953ef76599e3d8aa67"
    );
}

#[test]
fn an_application_that_acts_for_a_merchant_shows_its_token() {
    let mut settings = settings_json("https://openapi.example/gateway.do");
    settings["app_auth_token"] = "201510BBb507dc9f5efe41a0b98ae22f01519X62".into();
    let plan = alipay_with(&settings).plan(&order("alipay"), NOTIFY_URL).unwrap();
    let Preparation::Ready(Credential::OrderString(text)) = plan else { panic!("{plan:?}") };
    let read = verified(parameters(&text), &APP_KEY.public());
    assert_eq!(read["app_auth_token"], "201510BBb507dc9f5efe41a0b98ae22f01519X62");
}

use domain::payment::Credential;
use domain::text::{ChannelName, TradeNo};
use domain::time::Timestamp;

use super::super::sample::{app, batch, money, paid, payment, refund};
use super::*;

fn value(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}

fn charge(payment: &Payment) -> serde_json::Value {
    value(&to_json(&Charge::new(payment, &[], None)))
}

fn with_credential(channel: &str, credential: Credential) -> Payment {
    Payment {
        channel: ChannelName::parse(channel).unwrap(),
        state: PaymentState::Pending { credential },
        ..payment()
    }
}

#[test]
fn a_charge_is_rendered_field_for_field_in_the_documented_order() {
    let expected = concat!(
        r#"{"id":"ch_Hm5uTSifDOuTy9iLeLPSurrD","object":"charge","created":1410778843,"#,
        r#""livemode":true,"paid":false,"refunded":false,"reversed":false,"#,
        r#""app":"app_1Gqj58ynP0mHeX1q","channel":"alipay_qr","order_no":"123456789","#,
        r#""client_ip":"127.0.0.1","amount":100,"amount_settle":100,"currency":"cny","#,
        r#""subject":"Your Subject","body":"Your Body","extra":{},"time_paid":null,"#,
        r#""time_expire":1410782443,"time_settle":null,"transaction_no":null,"#,
        r#""refunds":{"object":"list","url":"/v1/charges/ch_Hm5uTSifDOuTy9iLeLPSurrD/refunds","#,
        r#""has_more":false,"data":[]},"amount_refunded":0,"failure_code":null,"#,
        r#""failure_msg":null,"metadata":{},"#,
        r#""credential":{"object":"credential","alipay_qr":"https://qr.example/1"},"#,
        r#""description":null}"#,
    );
    assert_eq!(to_json(&Charge::new(&payment(), &[], None)), expected);
}

#[test]
fn a_paid_charge_has_its_money_its_number_and_no_credential() {
    let mut payment = paid();
    payment.echo = Echo::from_json(r#"{"extra":{"own":[1.10,"茶"]},"metadata":{"k":"v"}}"#);
    payment.fee = money(1).amount;
    let json = to_json(&Charge::new(&payment, &[], None));
    let charge = value(&json);
    assert_eq!(charge["paid"], true);
    assert_eq!(charge["time_paid"], 1_410_778_900);
    assert_eq!(charge["transaction_no"], "2014091522");
    assert_eq!(charge["credential"], value("{}"));
    assert_eq!(charge["amount_settle"], 99);
    let extra = r#""extra":{"buyer_account":"a**@b.cn","buyer_user_id":"2088","own":[1.10,"茶"]}"#;
    assert!(json.contains(extra), "{json}");
    assert!(json.contains(r#""metadata":{"k":"v"}"#));
}

#[test]
fn lists_that_the_channel_tells_become_lists() {
    let mut payment = paid();
    if let PaymentState::Paid(receipt) = &mut payment.state {
        receipt.details = vec![
            ("fund_bill_list".into(), r#"[{"amount":"1.00"}]"#.into()),
            ("voucher_detail_list".into(), "[broken".into()),
        ];
    }
    let charge = charge(&payment);
    assert_eq!(charge["extra"]["fund_bill_list"], value(r#"[{"amount":"1.00"}]"#));
    assert_eq!(charge["extra"]["voucher_detail_list"], "[broken");
}

#[test]
fn every_channels_credential_has_its_documented_shape() {
    let page = "https://gw.example/gateway.do?app_id=1&biz_content=%7B%22a%22%3A1%7D&sign=x%2By%3D";
    for (channel, credential, expected) in [
        (
            "alipay_wap",
            Credential::Page(page.into()),
            concat!(
                r#"{"channel_url":"https://gw.example/gateway.do","app_id":"1","#,
                r#""biz_content":"{\"a\":1}","sign":"x+y="}"#
            ),
        ),
        ("alipay", Credential::OrderString("a=1&sign=x".into()), r#"{"orderInfo":"a=1&sign=x"}"#),
        ("alipay_qr", Credential::Qr("https://qr/1".into()), r#""https://qr/1""#),
        ("alipay_lite", Credential::Trade("2014".into()), r#""2014""#),
    ] {
        let charge = charge(&with_credential(channel, credential));
        assert_eq!(charge["credential"]["object"], "credential");
        assert_eq!(charge["credential"][channel], value(expected), "{channel}");
    }
    let scan = charge(&with_credential("alipay_scan", Credential::Nothing));
    assert_eq!(scan["credential"], value("{}"));
}

#[test]
fn reversed_is_told_only_when_it_is_certain() {
    let at = Timestamp::from_seconds(1);
    let why = CloseReason::Reversed;
    let receipt = paid().receipt().unwrap().clone();
    for (state, reversed, paid) in [
        (PaymentState::Created, false, false),
        (PaymentState::Closing { why }, false, false),
        (PaymentState::Closed { why, at }, true, false),
        (PaymentState::Closed { why: CloseReason::Expired, at }, false, false),
        (PaymentState::Paid(receipt.clone()), false, true),
        (PaymentState::Reversing(receipt.clone()), false, true),
        (PaymentState::Reversed { receipt, at }, true, true),
    ] {
        let charge = charge(&Payment { state: state.clone(), ..payment() });
        assert_eq!(charge["reversed"], reversed, "{state:?}");
        assert_eq!(charge["paid"], paid, "{state:?}");
    }
}

#[test]
fn a_charge_that_the_channel_refused_tells_why() {
    let at = Timestamp::from_seconds(1);
    let (code, message) = ("ACQ.NO_MONEY".into(), "no money".into());
    let failed = Payment { state: PaymentState::Failed { code, message, at }, ..payment() };
    let charge = charge(&failed);
    assert_eq!(charge["failure_code"], "channel_request_error");
    assert_eq!(charge["failure_msg"], "no money (ACQ.NO_MONEY)");
}

#[test]
fn an_expanded_app_shows_the_channels_of_its_mode() {
    let (payment, app) = (payment(), app());
    let charge = value(&to_json(&Charge::new(&payment, &[], Some(&app))));
    let expected = r#"{"id":"app_1Gqj58ynP0mHeX1q","object":"app","created":1400000000,
        "display_name":"Tea shop","notify_url":null,"goods_type":0,
        "channels_supported":["alipay_qr"]}"#;
    assert_eq!(charge["app"], value(expected));
}

#[test]
fn a_pending_refund_is_rendered_field_for_field() {
    let expected = concat!(
        r#"{"id":"re_101251103000000000000001","object":"refund","#,
        r#""order_no":"101251103000000000000001","amount":40,"currency":"cny","#,
        r#""created":1410779000,"succeed":false,"status":"pending","time_succeed":null,"#,
        r#""description":"One box broken","failure_code":null,"failure_msg":null,"#,
        r#""metadata":{"why":"broken"},"charge":"ch_Hm5uTSifDOuTy9iLeLPSurrD","#,
        r#""charge_order_no":"123456789","transaction_no":null,"extra":{},"#,
        r#""app":"app_1Gqj58ynP0mHeX1q"}"#,
    );
    assert_eq!(to_json(&RefundObject::new(&refund(1, 40), &paid())), expected);
}

#[test]
fn a_final_refund_tells_its_end() {
    let at = Timestamp::from_seconds(5);
    let mut done = refund(1, 40);
    done.state = RefundState::Succeeded { at, trade_no: TradeNo::parse("77").ok() };
    done.echo = Echo::from_json(r#"{"funding_source":"recharge_funds"}"#);
    let paid = paid();
    let json = value(&to_json(&RefundObject::new(&done, &paid)));
    assert_eq!((&json["succeed"], &json["status"]), (&true.into(), &"succeeded".into()));
    assert_eq!((&json["time_succeed"], &json["transaction_no"]), (&5.into(), &"77".into()));
    assert_eq!(json["funding_source"], "recharge_funds");
    assert_eq!((&json["extra"], &json["metadata"]), (&value("{}"), &value("{}")));
    let (code, message) = ("ACQ.X".into(), "refused".into());
    done.state = RefundState::Failed { at, code, message };
    let json = value(&to_json(&RefundObject::new(&done, &paid)));
    assert_eq!((&json["succeed"], &json["status"]), (&false.into(), &"failed".into()));
    assert_eq!(json["failure_code"], "refund_refused_msg");
    assert_eq!(json["failure_msg"], "refused (ACQ.X)");
}

#[test]
fn a_charge_embeds_its_ten_newest_refunds() {
    let mut payment = paid();
    payment.refunds = 11;
    let refunds: Vec<Refund> = (0..11).map(|n| refund(n % 10, 1)).collect();
    for (count, has_more) in [(10, false), (11, true)] {
        let charge = value(&to_json(&Charge::new(&payment, &refunds[..count], None)));
        assert_eq!(charge["refunds"]["data"].as_array().unwrap().len(), 10);
        assert_eq!(charge["refunds"]["has_more"], has_more);
        assert_eq!(charge["refunded"], true);
    }
}

#[test]
fn a_batch_echoes_ids_and_adds_to_maps() {
    let refunds = [refund(1, 40)];
    let payments = [paid()];
    let batch = batch();
    let json = value(&to_json(&Batch::new(&batch, &refunds, &payments)));
    let charges = r#"["ch_other",{"charge":"ch_Hm5uTSifDOuTy9iLeLPSurrD","failure_msg":null,
                      "refund":"re_101251103000000000000001","status":"pending"}]"#;
    assert_eq!(json["charges"], value(charges));
    assert_eq!(json["refunds"]["url"], serde_json::Value::Null);
    assert_eq!(json["refunds"]["data"][0]["id"], "re_101251103000000000000001");
    assert_eq!(json["status"], "pending");
    assert_eq!(json["time_succeeded"], serde_json::Value::Null);
    assert_eq!(json["livemode"], true);
}

#[test]
fn a_finished_batch_tells_how_it_ended() {
    for (succeeded, failed, status, time) in [
        (2, 0, "succeeded", Some(9)),
        (1, 1, "partially_succeeded", Some(9)),
        (0, 2, "failed", None),
    ] {
        let finished = Some(Timestamp::from_seconds(9));
        let batch = RefundBatch { succeeded, failed, finished, ..batch() };
        let json = value(&to_json(&Batch::new(&batch, &[], &[])));
        assert_eq!(json["status"], status);
        assert_eq!(json["time_succeeded"].as_i64(), time);
    }
}

#[test]
fn an_echo_that_cannot_be_read_is_shown_as_empty_maps() {
    for broken in ["", "[]", r#"{"extra":[],"metadata":null}"#] {
        let charge = charge(&Payment { echo: Echo::from_json(broken), ..payment() });
        assert_eq!(charge["extra"], value("{}"), "{broken}");
        assert_eq!(charge["metadata"], value("{}"), "{broken}");
    }
}

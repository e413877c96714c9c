use super::*;

fn map(json: &str) -> Map {
    match Value::from_json(json).unwrap() {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}

fn rules(name: &str) -> &'static Rules {
    Rules::of(name).unwrap()
}

#[test]
fn every_channel_is_listed_once() {
    let mut names: Vec<_> = CHANNELS.iter().map(|rules| rules.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(Rules::of("nothing").is_none() && Rules::of("ALIPAY").is_none());
}

#[test]
fn order_numbers_end_at_each_channels_limits() {
    for (name, min, max) in [
        ("alipay", 1, 64),
        ("alipay_lite", 1, 64),
        ("wx", 2, 32),
        ("wx_wap", 2, 32),
        ("wx_pub_scan", 1, 32),
        ("cb_wx_pub_qr", 1, 32),
        ("paypal", 1, 32),
        ("bfb_wap", 1, 20),
        ("upacp", 8, 40),
        ("upacp_b2b", 8, 40),
        ("applepay_upacp", 8, 40),
        ("cp_b2b", 8, 40),
        ("yeepay_wap", 1, 50),
        ("jdpay_wap", 1, 30),
        ("qpay", 1, 30),
        ("ccb_qr", 1, 30),
        ("isv_qr", 8, 32),
        ("cmb_wallet", 6, 32),
        ("balance", 8, 20),
    ] {
        let fits = |len: usize| rules(name).order_no(&"7".repeat(len)).is_ok();
        assert!(!fits(min - 1) && fits(min) && fits(min + 1), "{name}");
        assert!(fits(max - 1) && fits(max) && !fits(max + 1), "{name}");
    }
}

#[test]
fn order_numbers_are_lenient_except_at_unionpay() {
    assert!(rules("alipay").order_no("a-b_c").is_ok());
    assert!(rules("upacp").order_no("a-b_c123").is_err());
    assert!(rules("upacp").order_no("aBc12345").is_ok());
    for bad in ["", "a b", "ab\n", "a/b", "订单一二三四", "１２３４５６７８", "a\u{0}b"]
    {
        assert!(rules("alipay").order_no(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn each_required_key_is_named_when_it_is_missing_or_wrong() {
    for rules in CHANNELS {
        for (key, _) in rules.required {
            let complete: Map =
                rules.required.iter().map(|(k, s)| ((*k).into(), good(*s))).collect();
            assert_eq!(rules.check_extra(&complete), Ok(()), "{}", rules.name);
            let param = format!("\"param\":\"extra[{key}]\"");
            for spoil in [None, Some(Value::Null), Some(Value::Map(Map::new()))] {
                let mut extra = complete.clone();
                match spoil {
                    None => extra.remove(*key),
                    Some(value) => extra.insert((*key).into(), value),
                };
                let problem = rules.check_extra(&extra).unwrap_err();
                assert!(problem.to_json().contains(&param), "{} {key}", rules.name);
            }
        }
    }
}

fn good(shape: Shape) -> Value {
    Value::Text(match shape {
        Shape::Text(_) | Shape::Scalar => "x".into(),
        Shape::Digits(_) => "1".into(),
        Shape::OneOf(words) => words[0].into(),
        Shape::Flag => "true".into(),
        Shape::List => return Value::List(vec![Value::Map(Map::new())]),
    })
}

#[test]
fn extra_texts_end_at_their_limits() {
    let with = |name: &str, key: &str, value: &str| {
        let mut extra: Map =
            rules(name).required.iter().map(|(k, s)| ((*k).into(), good(*s))).collect();
        extra.insert(key.into(), Value::Text(value.into()));
        rules(name).check_extra(&extra).is_ok()
    };
    for (name, key, max) in [
        ("wx_pub_qr", "product_id", 32),
        ("isv_scan", "scan_code", 32),
        ("isv_scan", "terminal_id", 8),
        ("cmb_wallet", "p_no", 30),
        ("cmb_wallet", "seq", 20),
        ("cmb_wallet", "m_uid", 20),
        ("cmb_wallet", "mobile", 11),
        ("yeepay_wap", "identity_id", 50),
        ("balance", "user", 64),
    ] {
        assert!(with(name, key, &"1".repeat(max)), "{name} {key}");
        assert!(!with(name, key, &"1".repeat(max + 1)), "{name} {key}");
        assert!(!with(name, key, ""), "{name} {key}");
    }
    assert!(!with("qpay", "device", "symbian"));
    assert!(!with("cmb_wallet", "p_no", "12a"));
}

#[test]
fn reversal_follows_the_table() {
    let expected = [
        ("isv_scan", Reversal::Any(Window::ChinaDay)),
        ("alipay_scan", Reversal::Any(Window::Seconds(86_400))),
        ("wx_pub_scan", Reversal::Any(Window::Seconds(604_800))),
        ("upacp_scan", Reversal::Any(Window::UnionpayDay)),
        ("alipay_qr", Reversal::Unpaid),
        ("alipay_lite", Reversal::Unpaid),
        ("upacp_wap", Reversal::UnpaidSameDay),
        ("alipay", Reversal::Never),
        ("alipay_wap", Reversal::Never),
        ("balance", Reversal::Never),
    ];
    for (name, reversal) in expected {
        assert_eq!(rules(name).reversal(), reversal, "{name}");
    }
}

#[test]
fn a_window_ends_with_its_day() {
    let at = |text: &str| Timestamp::from_china_text(text).unwrap();
    let end = |window: Window, text: &str| {
        at(text).plus_seconds(window.seconds_after(at(text))).china_text()
    };
    let noon = "2025-11-03 12:00:00";
    assert_eq!(end(Window::ChinaDay, noon), "2025-11-03 23:59:59");
    assert_eq!(end(Window::ChinaDay, "2025-11-03 23:59:59"), "2025-11-03 23:59:59");
    assert_eq!(end(Window::ChinaDay, "2025-11-04 00:00:00"), "2025-11-04 23:59:59");
    assert_eq!(end(Window::UnionpayDay, noon), "2025-11-03 22:59:59");
    assert_eq!(end(Window::UnionpayDay, "2025-11-03 23:00:00"), "2025-11-04 22:59:59");
    assert_eq!(end(Window::Seconds(60), noon), "2025-11-03 12:01:00");
}

#[test]
fn alipays_keys_take_the_channels_names() {
    let extra = map(r#"{"success_url":"https://a/","cancel_url":"https://b/","hb_fq_num":3,
            "hb_fq_seller_percent":"100","disable_pay_channels":"credit_group","qr_pay_mode":"4",
            "goods_list":[{"goods_id":"1"}],"new_version":true}"#);
    let params = rules("alipay_wap").pay_params(&extra).unwrap();
    assert_eq!(params.return_url.as_deref(), Some("https://a/"));
    assert_eq!(params.cancel_url.as_deref(), Some("https://b/"));
    let passed: Vec<_> = params.passed_on.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        passed,
        [
            ("extend_params", r#"{"hb_fq_num":"3","hb_fq_seller_percent":"100"}"#),
            ("disable_pay_channels", r#""credit_group""#),
            ("qr_pay_mode", r#""4""#),
            ("goods_detail", r#"[{"goods_id":"1"}]"#),
        ]
    );
    for bad in [r#"{"hb_fq_num":4}"#, r#"{"hb_fq_seller_percent":"50"}"#] {
        assert!(rules("alipay").pay_params(&map(bad)).is_err(), "{bad}");
    }
    let lite = rules("alipay_lite").pay_params(&map(r#"{"buyer_user_id":"2088"}"#)).unwrap();
    assert_eq!(lite.buyer_id.as_deref(), Some("2088"));
    let wx = rules("wx_wap").pay_params(&map(r#"{"hb_fq_num":4}"#)).unwrap();
    assert!(wx.passed_on.is_empty());
}

#[test]
fn currencies_and_families_follow_the_tables() {
    assert!(rules("alipay").takes_currency("cny") && !rules("alipay").takes_currency("usd"));
    assert!(rules("isv_lite").takes_currency("hkd") && !rules("isv_lite").takes_currency("usd"));
    assert!(rules("cb_alipay").takes_currency("usd"));
    assert_eq!(rules("wx_lite").expiry(), Expiry::Wechat);
    assert_eq!(rules("upacp_pc").expiry(), Expiry::Unionpay);
    assert_eq!(rules("applepay_upacp").expiry(), Expiry::General);
    assert!(rules("wx_pub").has_funding_source() && rules("qpay").has_funding_source());
    assert!(!rules("alipay").has_funding_source());
}

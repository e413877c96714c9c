use domain::channel::SettingsError;

use super::*;

fn trouble(change: impl Fn(&mut Value)) -> String {
    let mut settings = settings_json("https://openapi.example/gateway.do");
    change(&mut settings);
    match Settings::parse(&settings.to_string()) {
        Ok(_) => "none".into(),
        Err(SettingsError(message)) => message,
    }
}

#[test]
fn keys_are_read_in_every_usual_form() {
    for key in [APP_KEY.to_pkcs8_pem(), APP_KEY.to_pkcs1_pem(), APP_KEY.to_pkcs8_base64()] {
        assert_eq!(trouble(|s| s["app_private_key"] = key.clone().into()), "none");
    }
    let (one, two) = (ALIPAY_KEY.public(), STRANGERS_KEY.public());
    let both = one.to_spki_pem() + &two.to_spki_pem();
    for key in [one.to_spki_pem(), one.to_spki_base64(), both] {
        assert_eq!(trouble(|s| s["alipay_public_key"] = key.clone().into()), "none");
    }
}

#[test]
fn gateway_and_account_have_their_defaults() {
    let mut settings = settings_json("");
    settings["control_url"] = Value::Null;
    let settings = Settings::parse(&settings.to_string()).unwrap();
    assert_eq!(settings.gateway_url, "https://openapi.alipay.com/gateway.do");
    assert_eq!(settings.account(), SELLER_ID);
    assert!(!settings.is_simulated());
}

#[test]
fn every_message_names_the_setting_and_a_way_to_mend_it() {
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 19] = [
        ("app_id", "is missing", |s| s["app_id"] = Value::Null),
        ("app_id", "2021", |s| s["app_id"] = "not an id".into()),
        ("app_id", "quotes", |s| s["app_id"] = 2021.into()),
        ("seller_id", "is missing", |s| s["seller_id"] = "  ".into()),
        ("seller_id", "2088", |s| s["seller_id"] = "a@example.com".into()),
        ("app_private_key", "is missing", |s| s["app_private_key"] = "".into()),
        ("app_private_key", "private key", |s| {
            s["app_private_key"] = APP_KEY.public().to_spki_pem().into();
        }),
        ("app_private_key", "private key", |s| s["app_private_key"] = "AAAA".into()),
        ("alipay_public_key", "public key", |s| s["alipay_public_key"] = Value::Null),
        ("alipay_public_key", "its open platform", |s| s["alipay_public_key"] = "hm".into()),
        ("alipay_public_key", "belongs to the application", |s| {
            s["alipay_public_key"] = APP_KEY.public().to_spki_base64().into();
        }),
        ("alipay_public_key", "mode", |s| s["app_certificate"] = "x".into()),
        ("alipay_public_key", "all of", |s| {
            s["alipay_public_key"] = Value::Null;
            s["app_certificate"] = "x".into();
        }),
        ("app_certificate", "PEM", |s| {
            s["alipay_public_key"] = Value::Null;
            s["app_certificate"] = "x".into();
            s["alipay_certificate"] = ALIPAY_KEY.public().to_spki_pem().into();
            s["alipay_root_certificate"] = "x".into();
        }),
        ("gateway_url", "http or https", |s| s["gateway_url"] = "openapi.alipay.com".into()),
        ("gateway_url", "without user", |s| s["gateway_url"] = "https://a:b@x/".into()),
        ("gateway_url", "query", |s| s["gateway_url"] = "https://x/?a=b".into()),
        ("control_url", "http or https", |s| s["control_url"] = "ftp://x/".into()),
        ("sellerid", "seller_id", |s| s["sellerid"] = "2088".into()),
    ];
    for (name, how, change) in cases {
        let message = trouble(change);
        assert!(message.starts_with(&format!("{name}: ")), "{name} in {message}");
        assert!(message.contains(how), "{how} in {message}");
    }
    for bad in ["", "[]", "null", "\"text\"", "{"] {
        assert!(Settings::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn no_message_shows_a_key() {
    let key = APP_KEY.to_pkcs8_base64();
    let spoilt = format!("{key}!");
    for message in [
        trouble(|s| s["app_private_key"] = spoilt.clone().into()),
        trouble(|s| s["app_private_key"] = json!([key])),
        trouble(|s| s["alipay_public_key"] = key.clone().into()),
        trouble(|s| *s = spoilt.clone().into()),
        trouble(|s| *s = json!([spoilt])),
    ] {
        assert!(!message.contains(&key[..20]), "{message}");
    }
}

use askama::Template;

use super::*;

fn mock(language: Language) -> Mock {
    Mock {
        language,
        charge: "ch_1".into(),
        channel: "alipay_wap".into(),
        order_no: "shop1".into(),
        subject: "明前龙井 250克".into(),
        amount: "19.90".into(),
        currency: "CNY".into(),
        state: MockState::Open,
        last: None,
        back: None,
    }
}

#[test]
fn what_merchants_write_is_escaped() {
    let evil = "\"><script>alert(1)</script>&'";
    let text = || evil.to_owned();
    let page = Mock {
        charge: text(),
        channel: text(),
        order_no: text(),
        subject: text(),
        state: MockState::Paid,
        back: Some(format!("https://shop.example.com/?{evil}")),
        ..mock(Language::English)
    };
    let message = Message { language: Language::English, title: text(), text: text() };
    for page in [page.render().unwrap(), message.render().unwrap()] {
        assert!(page.contains("alert(1)"));
        assert!(!page.contains("<script") && !page.contains(evil), "{page}");
    }
}

#[test]
fn both_languages_name_the_three_buttons() {
    let english = mock(Language::English).render().unwrap();
    let chinese = mock(Language::Chinese).render().unwrap();
    for id in ["id=\"pay\"", "id=\"fail\"", "id=\"cancel\""] {
        assert!(english.contains(id) && chinese.contains(id), "{id}");
    }
    assert!(english.contains("<html lang=\"en\"") && chinese.contains("<html lang=\"zh-CN\""));
    assert!(english.contains("Pay CNY 19.90") && chinese.contains("支付 CNY 19.90"));
    assert!(english.contains("lang=zh-CN") && chinese.contains("lang=en"));
}

#[test]
fn a_finished_payment_offers_no_button() {
    for state in [MockState::Paid, MockState::Closed] {
        let page = Mock { state, ..mock(Language::Chinese) }.render().unwrap();
        assert!(!page.contains("<button"), "{state:?}");
        assert!(page.contains("id=\"result\""), "{state:?}");
    }
}

#[test]
fn the_way_back_to_the_merchant_is_shown_after_the_payment_only() {
    let back = Some("https://shop.example.com/done".to_owned());
    let shown = |state| {
        let page = Mock { state, back: back.clone(), ..mock(Language::English) };
        page.render().unwrap().contains("id=\"back\"")
    };
    assert!(shown(MockState::Paid));
    assert!(!shown(MockState::Open));
}

#[test]
fn the_page_says_what_came_of_the_last_try() {
    for (deed, words) in [
        (Deed::Failed, "The payment failed"),
        (Deed::Cancelled, "You cancelled"),
        (Deed::Unavailable, "cannot be paid right now"),
    ] {
        assert_eq!(Deed::of_word(deed.word()), Some(deed));
        let page = Mock { last: Some(deed), ..mock(Language::English) }.render().unwrap();
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(Deed::of_word("<b>"), None);
}

#[test]
fn the_landing_page_links_to_the_simulator_of_a_demo_only() {
    for language in [Language::Chinese, Language::English] {
        let page = |demo| Landing { language, demo }.render().unwrap();
        assert!(page(true).contains("href=\"/simulator/?lang="));
        assert!(!page(false).contains("/simulator"));
        assert!(page(false).contains("href=\"/ready\""));
    }
}

#[test]
fn nothing_on_a_page_needs_another_host_or_a_script() {
    for page in [
        mock(Language::Chinese).render().unwrap(),
        Landing { language: Language::English, demo: true }.render().unwrap(),
    ] {
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
        for active in ["<script", "style=", "onclick", "javascript:"] {
            assert!(!page.contains(active), "{active}");
        }
        assert!(page.contains(&format!("href=\"/assets/{}\"", stylesheet_name())));
    }
    assert!(!STYLESHEET.contains("url(") && !STYLESHEET.contains("@import"));
}

#[test]
fn the_policy_allows_no_script_and_no_frame() {
    let policy = content_security_policy("https://shop.example.com");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("script-src"));
    assert!(policy.contains("form-action 'self' https://shop.example.com;"));
    assert!(policy.ends_with("frame-ancestors 'none'"));
}

#[test]
fn the_language_follows_the_browser_unless_the_page_says_otherwise() {
    assert_eq!(Language::choose(None, Some("en-GB,en;q=0.9")), Language::English);
    assert_eq!(Language::choose(None, Some("zh-CN,zh;q=0.9,en;q=0.8")), Language::Chinese);
    assert_eq!(Language::choose(Some("en"), Some("zh-CN")), Language::English);
    assert_eq!(Language::choose(None, None), Language::Chinese);
}

//! What people see: view models and templates, zh-CN and English. Loads no data, decides nothing.
//!
//! Every page works without script; the Content-Security-Policy allows none.

mod landing;
mod language;
mod mock;

pub use landing::{Landing, Message};
pub use language::Language;
pub use mock::{Mock, MockState};

/// The one stylesheet.
pub const STYLESHEET: &str = include_str!("../assets/sycee.css");

/// The policy that every page is sent with. `form_action` names further hosts to which a form may
/// lead in the end, because browsers apply it to redirects too.
pub fn content_security_policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{}{}; \
         base-uri 'none'; frame-ancestors 'none'",
        if form_action.is_empty() { "" } else { " " },
        form_action
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use askama::Template;

    fn mock(language: Language) -> Mock {
        Mock {
            language,
            charge: "ch_1".into(),
            channel: "alipay_wap".into(),
            order_no: "shop1".into(),
            subject: "<script>alert(1)</script> & 绿茶".into(),
            amount: "19.90".into(),
            currency: "CNY".into(),
            state: MockState::Open,
        }
    }

    #[test]
    fn what_merchants_write_is_escaped() {
        let page = mock(Language::English).render().unwrap();
        assert!(!page.contains("<script>"));
        assert!(page.contains("alert(1)") && page.contains("绿茶"));
    }

    #[test]
    fn both_languages_name_the_three_buttons() {
        let english = mock(Language::English).render().unwrap();
        let chinese = mock(Language::Chinese).render().unwrap();
        for id in ["id=\"pay\"", "id=\"fail\"", "id=\"cancel\""] {
            assert!(english.contains(id) && chinese.contains(id), "{id}");
        }
        assert!(english.contains("lang=\"en\"") && chinese.contains("lang=\"zh-CN\""));
        assert!(chinese.contains("支付"));
    }

    #[test]
    fn a_finished_payment_offers_no_button() {
        for state in [MockState::Paid, MockState::Closed] {
            let page = Mock { state, ..mock(Language::Chinese) }.render().unwrap();
            assert!(!page.contains("<button"), "{state:?}");
        }
    }

    #[test]
    fn the_language_follows_the_browser_unless_the_page_says_otherwise() {
        assert_eq!(Language::choose(None, Some("en-GB,en;q=0.9")), Language::English);
        assert_eq!(Language::choose(None, Some("zh-CN,zh;q=0.9,en;q=0.8")), Language::Chinese);
        assert_eq!(Language::choose(Some("en"), Some("zh-CN")), Language::English);
        assert_eq!(Language::choose(None, None), Language::Chinese);
    }
}

//! Pages for people: the landing page, the mock cashier of test charges, the stylesheet.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use dialects::pingpp::{MockDeed, MockError, MockState as Stands, MockView, Pingpp};
use pages::{Deed, Landing, Language, Message, Mock, MockState};
use serde::Deserialize;

pub(crate) fn router<S: Clone + Send + Sync + 'static>(pingpp: Arc<Pingpp>) -> Router<S> {
    Router::new().route("/mock.php", get(show)).route("/mock.php/act", post(act)).with_state(pingpp)
}

/// A page with the headers that every page has.
fn page(status: StatusCode, page: &impl Template, form_action: &str) -> Response {
    match page.render() {
        Ok(text) => {
            let policy = pages::content_security_policy(form_action);
            let headers = [
                (header::CONTENT_SECURITY_POLICY, policy),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ];
            (status, headers, Html(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn language(wish: Option<&str>, headers: &HeaderMap) -> Language {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Language::choose(wish, accept)
}

pub(crate) async fn landing(Query(wish): Query<Wish>, headers: HeaderMap, demo: bool) -> Response {
    let language = language(wish.lang.as_deref(), &headers);
    page(StatusCode::OK, &Landing { language, demo }, "")
}

/// `GET /assets/{file}`: the stylesheet is the only one, and its name changes with its content.
pub(crate) async fn asset(Path(file): Path<String>) -> Response {
    if file != pages::stylesheet_name() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, pages::STYLESHEET).into_response()
}

/// What an address may say.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    ch_id: String,
    lang: Option<String>,
    last: Option<String>,
}

async fn show(
    State(pingpp): State<Arc<Pingpp>>,
    headers: HeaderMap,
    Query(wish): Query<Wish>,
) -> Response {
    let language = language(wish.lang.as_deref(), &headers);
    match pingpp.mock_view(&wish.ch_id).await {
        Some(view) => cashier(language, wish.last.as_deref().and_then(Deed::of_word), view),
        None => absent(language),
    }
}

fn cashier(language: Language, last: Option<Deed>, view: MockView) -> Response {
    let state = match view.state {
        Stands::Paid => MockState::Paid,
        Stands::Payable => MockState::Open,
        Stands::Ended => MockState::Closed,
    };
    // Browsers hold a form's redirects to the policy too.
    let origins: Vec<String> = [&view.return_url, &view.cancel_url]
        .into_iter()
        .flatten()
        .filter_map(|url| origin(url))
        .collect();
    let mock = Mock {
        language,
        charge: view.charge,
        channel: view.channel,
        order_no: view.order_no,
        subject: view.subject,
        amount: view.amount,
        currency: view.currency,
        state,
        last,
        back: view.return_url.filter(|url| origin(url).is_some()),
    };
    page(StatusCode::OK, &mock, &origins.join(" "))
}

/// Scheme, host and port of an http(s) address; anything else leads nowhere. Only characters that
/// also mean nothing in a policy pass.
fn origin(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|s| *s == "http" || *s == "https")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let authority = uri.authority().filter(|a| a.as_str().chars().all(plain))?;
    Some(format!("{scheme}://{authority}"))
}

fn absent(language: Language) -> Response {
    let title = language.say("没有这笔测试付款", "There is no such test payment");
    let text = language.say("请检查链接。", "Please check the link.");
    let message = Message { language, title: title.into(), text: text.into() };
    page(StatusCode::NOT_FOUND, &message, "")
}

#[derive(Deserialize)]
struct Act {
    ch_id: String,
    r#do: String,
    lang: Option<String>,
}

/// Plays the payer and sends the browser where the merchant wants it.
async fn act(
    State(pingpp): State<Arc<Pingpp>>,
    headers: HeaderMap,
    Form(act): Form<Act>,
) -> Response {
    let deed = match act.r#do.as_str() {
        "pay" => MockDeed::Pay,
        "fail" => MockDeed::Fail,
        _ => MockDeed::Cancel,
    };
    let language = language(act.lang.as_deref(), &headers);
    let (target, last) = match (pingpp.mock_act(&act.ch_id, deed).await, deed) {
        (Err(MockError::Unknown), _) => return absent(language),
        (Ok(view), MockDeed::Pay) => (view.return_url, None),
        (Ok(view), MockDeed::Cancel) => (view.cancel_url, Some(Deed::Cancelled)),
        // The charge stays as it is, as at a real cashier; its page says so.
        (Ok(_), MockDeed::Fail) => (None, Some(Deed::Failed)),
        (Err(MockError::Ended), _) => (None, None),
        (Err(MockError::Unavailable), _) => (None, Some(Deed::Unavailable)),
    };
    if let Some(url) = target.filter(|url| origin(url).is_some()) {
        return Redirect::to(&url).into_response();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("ch_id", &act.ch_id).append_pair("lang", language.tag());
    if let Some(last) = last {
        query.append_pair("last", last.word());
    }
    Redirect::to(&format!("/mock.php?{}", query.finish())).into_response()
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn a_browser_is_led_to_web_addresses_only() {
        let good = [
            ("https://shop.example.com/paid?a=1#b", "https://shop.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://[::1]:8443/x", "https://[::1]:8443"),
        ];
        for (url, expected) in good {
            assert_eq!(origin(url).as_deref(), Some(expected), "{url}");
        }
        for url in [
            "",
            "/paid",
            "//shop.example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://shop.example.com",
            "https:shop.example.com",
            "https://user@shop.example.com",
            "https://shop.example.com\\@evil.example",
            "https://shop.example.com;sandbox",
            "https://a,b",
            "https://shop.example.com/\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(origin(url), None, "{url}");
        }
    }
}

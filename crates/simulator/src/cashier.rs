//! The payer's pages: cashier, QR code, list of recent trades, refusals.
//!
//! Server-rendered, without script, for phones first. Every act is a form; paying twice by a
//! reload or a double click pays once. A page must say that it is a simulation.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use qrcode::render::svg;
use serde::Deserialize;

use crate::Simulator;
use crate::address;
use crate::language::Language;
use crate::notice::china;
use crate::refusal::Refusal;
use crate::trade::{LastTry, OpenedBy, State as TradeState, Trade};
use crate::wire::yuan;

/// How many trades the list shows.
const ROWS_MAX: usize = 50;
const STYLESHEET: &str = include_str!("../assets/simulator.css");

/// What the address may say besides its path.
#[derive(Deserialize)]
pub(crate) struct Asked {
    lang: Option<String>,
}

struct Frame<'a> {
    language: Language,
    base_path: &'a str,
}

#[derive(Template)]
#[template(path = "cashier.html")]
struct CashierPage<'a> {
    frame: Frame<'a>,
    heading: &'a str,
    tone: &'a str,
    hint: &'a str,
    amount: String,
    subject: &'a str,
    payee: &'a str,
    out_trade_no: &'a str,
    trade_no: &'a str,
    refunded: String,
    deadline: String,
    left: String,
    open: bool,
    token: &'a str,
    back: String,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    frame: Frame<'a>,
    heading: &'a str,
    tone: &'a str,
    amount: String,
    subject: &'a str,
    out_trade_no: &'a str,
    usable: bool,
    image: String,
    target: String,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage<'a> {
    frame: Frame<'a>,
    rows: Vec<Row>,
}

struct Row {
    link: String,
    subject: String,
    amount: String,
    out_trade_no: String,
    state: &'static str,
    tone: &'static str,
    time: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    frame: Frame<'a>,
    heading: &'a str,
    words: &'a str,
    code: &'a str,
}

/// `GET /assets/simulator.css`.
pub(crate) async fn stylesheet() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLESHEET).into_response()
}

/// `GET /`: the newest trades.
pub(crate) async fn index(
    State(sim): State<Arc<Simulator>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(asked.lang.as_ref(), &headers);
    let now = sim.now();
    let mut book = sim.book();
    book.expire_due(now);
    let rows = book.newest(ROWS_MAX).map(|trade| row(&sim, trade, language)).collect();
    drop(book);
    page(&IndexPage { frame: frame(&sim, language), rows }, &[])
}

fn row(sim: &Simulator, trade: &Trade, language: Language) -> Row {
    let (tone, state) = match trade.state {
        TradeState::Coded { .. } => ("mark", language.say("待扫码", "not scanned")),
        TradeState::Waiting => ("main", language.say("待支付", "unpaid")),
        TradeState::Paid { .. } if trade.refunded_fen() > 0 => {
            ("good", language.say("部分退款", "partly refunded"))
        }
        TradeState::Paid { .. } | TradeState::Finished { .. } => {
            ("good", language.say("已支付", "paid"))
        }
        TradeState::Refunded { .. } => ("bad", language.say("已退款", "refunded")),
        TradeState::Closed { .. } => ("bad", language.say("已关闭", "closed")),
    };
    let kind = if matches!(trade.state, TradeState::Coded { .. }) { "code" } else { "cashier" };
    Row {
        link: format!("{}/{kind}/{}?lang={}", sim.base_path(), trade.token, language.word()),
        subject: trade.subject.clone(),
        amount: yuan(trade.total_fen),
        out_trade_no: trade.out_trade_no.clone(),
        state,
        tone,
        time: china(trade.created_at),
    }
}

/// `GET /code/{token}`: the QR code of a trade, as a merchant's page would show it. Looking at a
/// code does not scan it.
pub(crate) async fn code(
    State(sim): State<Arc<Simulator>>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(asked.lang.as_ref(), &headers);
    let now = sim.now();
    let Some(trade) = look(&sim, &token, now) else { return no_such_page(&sim, language) };
    let (tone, heading, usable) = match trade.state {
        TradeState::Coded { code_expires_at } if now < code_expires_at.min(trade.expires_at) => {
            ("plain", language.say("扫码支付", "Scan to pay"), true)
        }
        TradeState::Coded { .. } => ("bad", language.say("二维码已失效", "Code expired"), false),
        TradeState::Waiting => ("plain", language.say("已扫码，待支付", "Scanned, unpaid"), true),
        TradeState::Paid { .. } | TradeState::Finished { .. } => {
            ("good", language.say("支付成功", "Paid"), false)
        }
        TradeState::Refunded { .. } => ("bad", language.say("已全额退款", "Refunded"), false),
        TradeState::Closed { .. } => ("bad", language.say("交易已关闭", "Closed"), false),
    };
    let target = format!("{}/cashier/{}", sim.base_url(), trade.token);
    let view = CodePage {
        frame: frame(&sim, language),
        heading,
        tone,
        amount: yuan(trade.total_fen),
        subject: &trade.subject,
        out_trade_no: &trade.out_trade_no,
        usable,
        image: if usable { qr_image(&target) } else { String::new() },
        target,
    };
    page(&view, &[])
}

/// The code as a data address; empty if the text is too long for any code.
fn qr_image(text: &str) -> String {
    let Ok(code) = qrcode::QrCode::new(text.as_bytes()) else { return String::new() };
    let image = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    let image: String = form_urlencoded::byte_serialize(image.as_bytes()).collect();
    format!("data:image/svg+xml,{}", image.replace('+', "%20"))
}

/// `GET /cashier/{token}`: the cashier. Opening the page of a code scans it.
pub(crate) async fn cashier(
    State(sim): State<Arc<Simulator>>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(asked.lang.as_ref(), &headers);
    let now = sim.now();
    let scanned = act(&sim, &token, now, |trade| trade.scan(now).map(|()| ((), Vec::new())));
    let Some(trade) = look(&sim, &token, now) else { return no_such_page(&sim, language) };
    if let Err(refusal) = scanned {
        return refusal_page(&sim, &refusal, language);
    }
    cashier_page(&sim, &trade, language, now)
}

fn cashier_page(sim: &Simulator, trade: &Trade, language: Language, now: i64) -> Response {
    let open = trade.state == TradeState::Waiting;
    let (tone, heading) = match trade.state {
        TradeState::Coded { .. } | TradeState::Waiting => match trade.last_try {
            None => ("plain", language.say("确认付款", "Confirm payment")),
            Some(LastTry::Failed) => ("bad", language.say("支付失败", "Payment failed")),
            Some(LastTry::Cancelled) => ("plain", language.say("已取消支付", "Payment cancelled")),
        },
        TradeState::Paid { .. } | TradeState::Finished { .. } => {
            ("good", language.say("支付成功", "Payment succeeded"))
        }
        TradeState::Refunded { .. } => ("bad", language.say("已全额退款", "Refunded in full")),
        TradeState::Closed { .. } => ("bad", language.say("交易已关闭", "This trade is closed")),
    };
    let hint = match (open, trade.last_try) {
        (true, Some(LastTry::Failed)) => {
            language.say("余额不足，请重试或更换付款方式。", "Not enough money. You can try again.")
        }
        (true, Some(LastTry::Cancelled)) => language.say(
            "订单仍可支付，直到截止时间。",
            "The order can still be paid until its time ends.",
        ),
        _ => "",
    };
    let refunded = trade.refunded_fen();
    let left = (trade.expires_at - now).max(0) / 1_000_000;
    let back = if trade.paid_at().is_some() {
        signed_return(sim, trade, now)
    } else {
        quit_address(trade).filter(|_| trade.last_try.is_some() || !open)
    };
    let view = CashierPage {
        frame: frame(sim, language),
        heading,
        tone,
        hint,
        amount: yuan(trade.total_fen),
        subject: &trade.subject,
        payee: &sim.payee(trade),
        out_trade_no: &trade.out_trade_no,
        trade_no: if open { "" } else { &trade.trade_no },
        refunded: if refunded > 0 { yuan(refunded) } else { String::new() },
        deadline: if open { china(trade.expires_at) } else { String::new() },
        left: time_left(left, language),
        open,
        token: &trade.token,
        back: back.unwrap_or_default(),
    };
    let targets = [&trade.return_url, &trade.quit_url];
    let origins: Vec<String> =
        targets.into_iter().flatten().filter_map(|url| address::origin(url)).collect();
    page(&view, &origins)
}

fn time_left(seconds: i64, language: Language) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (language, days, hours) {
        (Language::Chinese, 0, 0) => format!("剩余 {minutes} 分 {seconds} 秒"),
        (Language::Chinese, 0, _) => format!("剩余 {hours} 小时 {minutes} 分"),
        (Language::Chinese, ..) => format!("剩余 {days} 天 {hours} 小时"),
        (Language::English, 0, 0) => format!("{minutes} min {seconds} s left"),
        (Language::English, 0, _) => format!("{hours} h {minutes} min left"),
        (Language::English, ..) => format!("{days} d {hours} h left"),
    }
}

/// `POST /cashier/{token}/pay`.
pub(crate) async fn pay(
    State(sim): State<Arc<Simulator>>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(asked.lang.as_ref(), &headers);
    let now = sim.now();
    let paid = act(&sim, &token, now, |trade| Ok(((), trade.pay(now)?)));
    sim.wake();
    let Some(trade) = look(&sim, &token, now) else { return no_such_page(&sim, language) };
    match signed_return(&sim, &trade, now).filter(|_| paid.is_ok()) {
        Some(to) => {
            sim.write_return(&trade, &to);
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
        None => to_cashier(&sim, &token, language),
    }
}

/// `POST /cashier/{token}/fail`.
pub(crate) async fn fail(
    State(sim): State<Arc<Simulator>>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    give_up(&sim, &token, LastTry::Failed, Language::of(asked.lang.as_ref(), &headers))
}

/// `POST /cashier/{token}/cancel`.
pub(crate) async fn cancel(
    State(sim): State<Arc<Simulator>>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    give_up(&sim, &token, LastTry::Cancelled, Language::of(asked.lang.as_ref(), &headers))
}

fn give_up(sim: &Simulator, token: &str, how: LastTry, language: Language) -> Response {
    let now = sim.now();
    let gave_up = act(sim, token, now, |trade| Ok(((), trade.give_up(how, now)?)));
    sim.wake();
    let Some(trade) = look(sim, token, now) else { return no_such_page(sim, language) };
    match quit_address(&trade).filter(|_| gave_up.is_ok() && how == LastTry::Cancelled) {
        Some(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        None => to_cashier(sim, token, language),
    }
}

/// Where a payer who gave up may go.
fn quit_address(trade: &Trade) -> Option<String> {
    address::web(trade.quit_url.as_deref()?).map(String::from)
}

/// Where a payer who paid goes, for the two products that have a way back.
fn signed_return(sim: &Simulator, trade: &Trade, now: i64) -> Option<String> {
    let method = match trade.opened_by {
        OpenedBy::PagePay => "alipay.trade.page.pay.return",
        OpenedBy::WapPay => "alipay.trade.wap.pay.return",
        OpenedBy::AppPay | OpenedBy::Precreate | OpenedBy::Create | OpenedBy::ScanPay => {
            return None;
        }
    };
    let mut to = address::web(trade.return_url.as_deref()?)?;
    let fields = sim.signed_return_fields(trade, method, now);
    to.query_pairs_mut().extend_pairs(fields);
    Some(to.into())
}

/// See Other: a reload of the page that follows repeats nothing.
fn to_cashier(sim: &Simulator, token: &str, language: Language) -> Response {
    let to = format!("{}/cashier/{token}?lang={}", sim.base_path(), language.word());
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

fn act(
    sim: &Simulator,
    token: &str,
    now: i64,
    act: impl FnOnce(&mut Trade) -> Result<((), Vec<crate::trade::News>), Refusal>,
) -> Result<(), Refusal> {
    let mut book = sim.book();
    let id = book.find_by_token(token).ok_or(Refusal::TRADE_NOT_EXIST)?;
    book.change(id, now, act)
}

fn look(sim: &Simulator, token: &str, now: i64) -> Option<Trade> {
    let mut book = sim.book();
    let id = book.find_by_token(token)?;
    book.trade(id, now).ok().cloned()
}

fn no_such_page(sim: &Simulator, language: Language) -> Response {
    let mut response = refusal_page(sim, &Refusal::TRADE_NOT_EXIST, language);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// What a payer sees when the gateway refuses.
pub(crate) fn refusal_page(sim: &Simulator, refusal: &Refusal, language: Language) -> Response {
    let view = RefusalPage {
        frame: frame(sim, language),
        heading: language.say("无法付款", "Payment is not possible"),
        words: match language {
            Language::Chinese => refusal.sub_msg,
            Language::English => refusal.msg,
        },
        code: refusal.sub_code,
    };
    page(&view, &[])
}

fn frame(sim: &Simulator, language: Language) -> Frame<'_> {
    Frame { language, base_path: sim.base_path() }
}

/// A page under a policy that lets nothing in but our stylesheet and the QR code. Forms may lead
/// to the merchant: browsers apply `form-action` to the redirect that follows a form, too.
fn page(view: &impl Template, form_origins: &[String]) -> Response {
    let Ok(html) = view.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut policy =
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      frame-ancestors 'none'; form-action 'self'"
            .to_owned();
    for origin in form_origins {
        policy.push(' ');
        policy.push_str(origin);
    }
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(html)).into_response()
}

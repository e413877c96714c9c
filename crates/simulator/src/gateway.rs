//! `gateway.do`: takes a request in any placement, does the work, answers signed — or spoilt, when
//! a fault says so (specs/channels.md §1.4 and §1.5).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{Full, Limited};

use crate::Simulator;
use crate::app::App;
use crate::calls::{self, Done};
use crate::faults::AnswerFault;
use crate::journal::{Direction, Entry};
use crate::language::Language;
use crate::method::Method;
use crate::refusal::Refusal;
use crate::request::{self, Call};
use crate::wire::{self, Node, Parameters};

const REQUEST_BODY_BYTES_MAX: usize = 256 * 1024;
const CONTENT_TYPE: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/html;charset=utf-8");

/// How a request went, before it is put into words.
struct Outcome {
    done: Result<Done, Refusal>,
    /// Who signs and with which certificate number; `None` before the app is known.
    app: Option<Arc<App>>,
    out_trade_no: String,
    fault: Option<AnswerFault>,
    delay_ms: u64,
}

impl Outcome {
    fn refused(refusal: Refusal) -> Outcome {
        Outcome {
            done: Err(refusal),
            app: None,
            out_trade_no: String::new(),
            fault: None,
            delay_ms: 0,
        }
    }
}

/// An answer that can be sent, and what the journal says about it.
struct Reply {
    response: Response,
    status: Option<u16>,
    body: Option<String>,
}

/// GET and POST of `gateway.do`.
pub(crate) async fn handle(State(sim): State<Arc<Simulator>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(form) = axum::body::to_bytes(body, REQUEST_BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = parts.uri.query().unwrap_or_default();
    let (all, outcome) = match wire::merge(query, &form) {
        Ok(all) => {
            let outcome = work(&sim, &all);
            (all, outcome)
        }
        Err(refusal) => (Parameters::new(), Outcome::refused(refusal)),
    };
    // Whatever the work left in the outbox may go now.
    sim.wake();
    let reply = put_into_words(&sim, &all, &outcome, &parts.headers);
    sim.write(Entry {
        method: all.get("method").cloned().unwrap_or_default(),
        app_id: all.get("app_id").cloned().unwrap_or_default(),
        out_trade_no: outcome.out_trade_no.clone(),
        parameters: all,
        result: result_text(&outcome),
        fault: outcome.fault.map(AnswerFault::name),
        status: reply.status,
        body: reply.body,
        ..Entry::new(Direction::Request)
    });
    if outcome.delay_ms > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(outcome.delay_ms)).await;
    }
    reply.response
}

fn result_text(outcome: &Outcome) -> String {
    match &outcome.done {
        Ok(Done::Answer(node)) if node.is_waiting() => "10003".to_owned(),
        Ok(_) => "10000".to_owned(),
        Err(refusal) => format!("{} {}", refusal.code, refusal.sub_code),
    }
}

fn work(sim: &Simulator, all: &Parameters) -> Outcome {
    let now = sim.now();
    let call = match request::verify(all, |app_id| sim.book().app(app_id)) {
        Ok(call) => call,
        Err(refusal) => {
            let app = all.get("app_id").and_then(|app_id| sim.book().app(app_id));
            return Outcome { app, ..Outcome::refused(refusal) };
        }
    };
    let mut book = sim.book();
    let out_trade_no = calls::number_of(&book, &call).unwrap_or_default();
    let method = all.get("method").map_or("", String::as_str);
    let seller = &call.app.merchant.seller_id;
    let (fault, delay_ms) = match book.answer_fault(seller, &out_trade_no, method) {
        Ok(found) => found,
        Err(refusal) => return Outcome::refused(refusal),
    };
    let done = match fault {
        Some(AnswerFault::Reset | AnswerFault::Http500 | AnswerFault::UnknownBefore) => {
            Err(Refusal::UNKNOWN)
        }
        Some(AnswerFault::RateLimit) => Err(Refusal::RATE_LIMIT),
        Some(
            AnswerFault::Unknown
            | AnswerFault::LostAfter
            | AnswerFault::Unsigned
            | AnswerFault::WrongSign
            | AnswerFault::Truncated
            | AnswerFault::Waiting
            | AnswerFault::RefundPending,
        )
        | None => calls::perform(&mut book, &call, fault, now, sim.base_url()),
    };
    drop(book);
    let done = if fault == Some(AnswerFault::Unknown) { Err(Refusal::UNKNOWN) } else { done };
    let Call { app, .. } = call;
    Outcome { done, app: Some(app), out_trade_no, fault, delay_ms }
}

fn put_into_words(
    sim: &Simulator,
    all: &Parameters,
    outcome: &Outcome,
    headers: &HeaderMap,
) -> Reply {
    match outcome.fault {
        Some(AnswerFault::Reset | AnswerFault::LostAfter) => {
            return Reply { response: broken(), status: None, body: None };
        }
        Some(AnswerFault::Http500) => {
            let body = "<html><body>500 Internal Server Error</body></html>";
            let response =
                (StatusCode::INTERNAL_SERVER_ERROR, [CONTENT_TYPE], body).into_response();
            return Reply { response, status: Some(500), body: Some(body.to_owned()) };
        }
        _ => {}
    }
    let name = all.get("method").map_or("", String::as_str);
    let method = Method::named(name);
    if method.is_some_and(Method::is_for_browsers) {
        return browser_reply(sim, outcome, Language::of(None, headers));
    }
    let node = match &outcome.done {
        Ok(Done::Answer(node)) => node.clone(),
        // Only browsers are sent to the cashier, and they were answered above.
        Ok(Done::Cashier(_)) => Node::success(),
        Err(refusal) if *refusal == Refusal::UNKNOWN && method == Some(Method::Cancel) => {
            Node::refusal(refusal).put("retry_flag", "Y")
        }
        Err(refusal) => Node::refusal(refusal),
    };
    let root = match method {
        Some(_) => format!("{}_response", name.replace('.', "_")),
        None => "error_response".to_owned(),
    };
    let text = node.text();
    let numbers = outcome.app.as_ref().and_then(|app| app.numbers.as_ref());
    let certificate = numbers.map(|numbers| numbers.alipay_cert_sn.as_str());
    let sign = match outcome.fault {
        Some(AnswerFault::Unsigned) => None,
        Some(AnswerFault::WrongSign) => Some(sim.sign_for(outcome.app.as_deref(), "another text")),
        _ => Some(sim.sign_for(outcome.app.as_deref(), &text)),
    };
    let mut body = wire::document(&root, &text, certificate, sign.as_deref());
    if outcome.fault == Some(AnswerFault::Truncated) {
        body = body.chars().take(body.chars().count() / 2).collect();
    }
    let response = (StatusCode::OK, [CONTENT_TYPE], body.clone()).into_response();
    Reply { response, status: Some(200), body: Some(body) }
}

fn browser_reply(sim: &Simulator, outcome: &Outcome, language: Language) -> Reply {
    match &outcome.done {
        Ok(Done::Cashier(token)) => {
            let to = format!("{}/cashier/{token}", sim.base_url());
            let response = (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response();
            Reply { response, status: Some(302), body: Some(to) }
        }
        Ok(Done::Answer(_)) => Reply {
            response: StatusCode::NO_CONTENT.into_response(),
            status: Some(204),
            body: None,
        },
        Err(refusal) => {
            let response = crate::cashier::refusal_page(sim, refusal, language);
            Reply { response, status: Some(200), body: None }
        }
    }
}

/// A response whose body fails: the server then drops the connection, and a client sees an answer
/// that ends before it began.
fn broken() -> Response {
    const LIMIT: usize = 1; // less than the body, so that reading it fails
    Response::new(Body::new(Limited::new(Full::new(Bytes::from_static(b"broken")), LIMIT)))
}

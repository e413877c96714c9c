//! The Ping++ API (specs/pingpp.md): charges, refunds, events, batch refunds and webhooks, as the
//! unmodified SDKs speak them.
//!
//! Parses, calls one use case, renders. Decides nothing about money and names no upstream's type.

mod answer;
mod auth;
mod batch_refund;
mod channel_extra;
mod charge;
mod charge_list;
mod credential;
mod error;
mod event;
mod ids;
mod mock;
mod page;
mod refund;
mod render;
mod request;
mod running;
#[cfg(test)]
mod sample;
mod unanswered;
mod value;
pub(crate) mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::request::Parts;
use axum::routing::any;
use domain::text::RequestId;
use engine::{Caller, Engine};
use sign::rsa::PrivateKey;

use auth::{Evidence, Keys};
use error::Problem;
use request::Call;

pub use mock::{MockDeed, MockError, MockState, MockView, mock_router};

/// This face of the platform.
pub struct Pingpp {
    /// The use cases.
    pub engine: Arc<Engine>,
    /// Signs answers (§1.4).
    pub platform_key: Arc<PrivateKey>,
    /// What operators may change.
    pub settings: PingppSettings,
}

/// What operators may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingppSettings {
    /// How far a signed request's timestamp may be from our clock, in seconds; 0 is not checked.
    pub clock_skew_seconds: i64,
    /// The largest amount of a charge in minor units; never more than 2³¹ − 1 (§0, R20).
    pub amount_max: i64,
    /// Requests of one API key at one time; beyond, 403. 0 is no limit.
    pub calls_per_key_max: u32,
    /// Seconds to live of a charge that names no expiry (§3.4).
    pub life_seconds: i64,
    /// The same for WeChat's channels.
    pub wechat_life_seconds: i64,
    /// The same for UnionPay's own pages.
    pub unionpay_life_seconds: i64,
}

impl Default for PingppSettings {
    fn default() -> PingppSettings {
        PingppSettings {
            clock_skew_seconds: 900,
            amount_max: 1_000_000_000,
            calls_per_key_max: 512,
            life_seconds: 86_400,
            wechat_life_seconds: 7_200,
            unionpay_life_seconds: 3_600,
        }
    }
}

/// The face and what it remembers between requests.
struct Service {
    pingpp: Arc<Pingpp>,
    keys: Keys,
    running: running::Running,
    unanswered: Arc<unanswered::Unanswered>,
}

/// All routes of this API, from the root. Every method is answered in this dialect's shape.
pub fn router(state: Arc<Pingpp>) -> Router {
    let service = Arc::new(Service {
        pingpp: state,
        keys: Keys::default(),
        running: running::Running::default(),
        unanswered: Arc::default(),
    });
    let mut router = Router::new();
    for path in [
        "/v1/charges",
        "/v1/charges/{charge}",
        "/v1/charges/{charge}/reverse",
        "/v1/charges/{charge}/refunds",
        "/v1/charges/{charge}/refunds/{refund}",
        "/v1/events",
        "/v1/events/{event}",
        "/v1/batch_refunds",
        "/v1/batch_refunds/{batch}",
    ] {
        router = router.route(path, any(enter));
    }
    router.with_state(service)
}

/// Answers what no route takes, for callers whose credentials speak this dialect: 404, or 401
/// without a valid key.
pub async fn unknown_route(State(pingpp): State<Arc<Pingpp>>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let close = answer::must_close(&parts.headers);
    let request = ids::request(pingpp.engine.entropy());
    let caller = auth::caller(&pingpp.engine, &parts.headers, &request).await;
    match caller {
        Ok(caller) => {
            let problem = Problem::no_route(parts.method.as_str(), parts.uri.path());
            answer::write(Err(problem), signing_key(&pingpp, &caller), close)
        }
        Err(problem) => answer::write(Err(problem), None, close),
    }
}

fn signing_key<'a>(pingpp: &'a Pingpp, caller: &Caller) -> Option<&'a PrivateKey> {
    caller.merchant.sign_responses.then_some(&*pingpp.platform_key)
}

/// The way of every request: who, is it theirs, what, answer.
async fn enter(State(service): State<Arc<Service>>, request: Request) -> Response<Body> {
    let pingpp = &service.pingpp;
    let (parts, body) = request.into_parts();
    let close = answer::must_close(&parts.headers);
    let id = ids::request(pingpp.engine.entropy());
    let caller = match auth::caller(&pingpp.engine, &parts.headers, &id).await {
        Ok(caller) => caller,
        Err(problem) => return answer::write(Err(problem), None, close),
    };
    let reply = admit(&service, &caller, id, parts, body).await;
    answer::write(reply, signing_key(pingpp, &caller), close)
}

async fn admit(
    service: &Service,
    caller: &Caller,
    id: RequestId,
    parts: Parts,
    body: Body,
) -> Result<String, Problem> {
    let settings = &service.pingpp.settings;
    let place = service.running.enter(caller.key.hash, settings.calls_per_key_max);
    let _place = place.ok_or_else(Problem::too_many)?;
    let call = Call::read(caller, id, parts, body).await?;
    let evidence = Evidence {
        method: &call.method,
        target: &call.target,
        body: &call.body,
        now_seconds: service.pingpp.engine.now().seconds(),
        clock_skew_seconds: settings.clock_skew_seconds,
    };
    service.keys.check(caller, &call.signed, &evidence)?;
    dispatch(service, &call).await
}

async fn dispatch(service: &Service, call: &Call<'_>) -> Result<String, Problem> {
    let engine = &service.pingpp.engine;
    let segments: Vec<&str> = call.path().split('/').skip(2).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("POST", ["charges"]) => charge::create(&service.pingpp, call).await,
        ("GET", ["charges"]) => charge_list::list(engine, call).await,
        ("GET", ["charges", id]) => charge::retrieve(engine, call, id).await,
        ("POST", ["charges", id, "reverse"]) => charge::reverse(engine, call, id).await,
        ("POST", ["charges", id, "refunds"]) => refund::create(service, call, id).await,
        ("GET", ["charges", id, "refunds"]) => refund::list(engine, call, id).await,
        ("GET", ["charges", id, "refunds", refund]) => {
            refund::retrieve(engine, call, id, refund).await
        }
        ("GET", ["events"]) => event::list(engine, call).await,
        ("GET", ["events", id]) => event::retrieve(engine, call, id).await,
        ("POST", ["batch_refunds"]) => batch_refund::create(engine, call).await,
        ("GET", ["batch_refunds"]) => batch_refund::list(engine, call).await,
        ("GET", ["batch_refunds", id]) => batch_refund::retrieve(engine, call, id).await,
        (method, _) => Err(Problem::no_route(method, call.path())),
    }
}

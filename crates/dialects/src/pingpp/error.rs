//! The one place where refusals become the error object (specs/pingpp.md §5).
//!
//! `type` and `message` are always there; `code` and `param` only when they exist, never as null
//! (§0, R6 and R8). Internal details go to the log, once, and never to a merchant.

use axum::http::StatusCode;
use domain::channel::OrderError;
use domain::operation::RefusalClass;
use domain::payment::Payment;
use domain::refusal::Refusal;
use domain::text::RequestId;
use domain::time::Timestamp;
use engine::PayError;
use serde::Serialize;

use super::value::Unreadable;

const CLOSED: &str = "charge_closed";
const ORDER_NO_USED: &str = "charge_order_no_used";
const UNEXPECTED_STATUS: &str = "charge_unexpected_status";
const REQUEST_ERROR: &str = "channel_request_error";

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub status: StatusCode,
    kind: Kind,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Kind {
    #[serde(rename = "invalid_request_error")]
    InvalidRequest,
    #[serde(rename = "channel_error")]
    Channel,
    #[serde(rename = "api_error")]
    Api,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: Kind,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl Problem {
    fn new(status: StatusCode, kind: Kind, message: impl Into<String>) -> Problem {
        Problem { status, kind, message: message.into(), param: None, code: None }
    }

    /// 400 without a parameter.
    pub(super) fn bad(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, Kind::InvalidRequest, message)
    }

    /// 400 that names the wrong parameter; the message begins with its name.
    pub(super) fn wrong(param: &str, what: impl std::fmt::Display) -> Problem {
        Problem::bad(format!("{param} {what}")).with_param(param)
    }

    /// 400 for a parameter that is not there.
    pub(super) fn missing(param: &str) -> Problem {
        Problem::bad(format!("missing required parameter: {param}")).with_param(param)
    }

    /// 401 (§1.1): shows the key with its secret part replaced.
    pub(super) fn unauthorized(key: Option<&str>) -> Problem {
        let message = match key {
            Some(key) => format!("invalid API key provided: {}", masked(key)),
            None => {
                "no API key provided: give it as the user name of Basic authorization, with an \
                     empty password, or as a Bearer token"
                    .to_owned()
            }
        };
        Problem::new(StatusCode::UNAUTHORIZED, Kind::InvalidRequest, message)
    }

    /// 403 (§5.2): the only status that most SDKs take for a rate limit.
    pub(super) fn too_many() -> Problem {
        let message = "too many requests at once with this API key; try again later";
        Problem::new(StatusCode::FORBIDDEN, Kind::InvalidRequest, message)
    }

    /// 404 for an object; `param` is `id` unless the id stood elsewhere.
    pub(super) fn not_found(what: &str, id: &str, param: &str) -> Problem {
        let message = format!("no such {what}: {}", super::value::excerpt(id));
        Problem::new(StatusCode::NOT_FOUND, Kind::InvalidRequest, message).with_param(param)
    }

    /// 404 for a route.
    pub(super) fn no_route(method: &str, path: &str) -> Problem {
        let path = super::value::excerpt(path);
        let message = format!("unrecognized request URL ({method} {path})");
        Problem::new(StatusCode::NOT_FOUND, Kind::InvalidRequest, message)
    }

    /// 402.
    fn channel(code: &'static str, message: impl Into<String>) -> Problem {
        let problem = Problem::new(StatusCode::PAYMENT_REQUIRED, Kind::Channel, message);
        Problem { code: Some(code), ..problem }
    }

    /// 402 for a charge whose end is on its way but not here.
    pub(super) fn still_closing() -> Problem {
        let message = "the channel has not confirmed yet; retrieve the charge later";
        Problem::channel(UNEXPECTED_STATUS, message)
    }

    /// 402 for a charge whose credential is not here yet.
    pub(super) fn still_preparing() -> Problem {
        let message = "the channel has not answered yet; send the same request again later";
        Problem::channel("channel_connection_error", message)
    }

    /// 500: details to the log, the request's id to the merchant.
    fn fault(what: &str, request: &RequestId) -> Problem {
        tracing::error!(%request, what, "a request met a fault");
        let message = format!("internal error; please name the request {request} when asking");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Kind::Api, message)
    }

    /// 503: nothing was changed.
    fn unavailable(message: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Api, message)
    }

    fn with_param(mut self, param: &str) -> Problem {
        self.param = (!param.is_empty()).then(|| param.to_owned());
        self
    }

    /// Whether the caller may try again at once or nearly so.
    pub(super) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Whether it says that the fault is ours, so that SDKs send again (§1.5).
    pub(super) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    /// The body.
    pub(super) fn to_json(&self) -> String {
        let param = self.param.as_deref();
        let body = Body { r#type: self.kind, message: &self.message, param, code: self.code };
        serde_json::to_string(&Envelope { error: body })
            .expect("a struct of texts always serialises")
    }

    /// What a rule's refusal says in this dialect.
    pub(super) fn of_refusal(refusal: Refusal, request: &RequestId) -> Problem {
        match refusal {
            Refusal::NotFound("app") => Problem {
                status: StatusCode::NOT_FOUND,
                ..Problem::wrong("app[id]", "names no app of this account")
            },
            Refusal::NotFound(what) => Problem {
                status: StatusCode::NOT_FOUND,
                ..Problem::bad(format!("no such {what}")).with_param("id")
            },
            Refusal::AppDisabled => Problem::wrong("app[id]", "names an app that is disabled"),
            Refusal::OrderNoUsed(before) => Problem::channel(
                ORDER_NO_USED,
                format!(
                    "the order number {} is used by the charge {}",
                    before.order_no, before.public_id
                ),
            ),
            Refusal::NumberTaken => {
                Problem::channel(ORDER_NO_USED, "the order number is used at the channel")
            }
            Refusal::MemberUnknown => {
                Problem::wrong("extra[user]", "names no user who can pay from a balance")
            }
            Refusal::InsufficientBalance => {
                Problem::channel(REQUEST_ERROR, "the balance is not sufficient")
            }
            Refusal::AmountDiffers => Problem::channel(
                UNEXPECTED_STATUS,
                "the channel reports another amount than was asked for",
            ),
            Refusal::TradeUsed => {
                Problem::channel(UNEXPECTED_STATUS, "the channel's trade belongs to another charge")
            }
            Refusal::PaymentClosed => Problem::channel(CLOSED, "the charge is closed"),
            Refusal::NotPaid => Problem::bad("the charge is not paid"),
            Refusal::NotReversible => Problem::bad(
                "the charge cannot be reversed: its channel does not allow it in this state, its \
                 time is over, or it is partly refunded",
            ),
            Refusal::AlreadyRefunded => Problem::bad("the charge is refunded in full"),
            Refusal::OverRefundable { left } => Problem::wrong(
                "amount",
                format!("is more than what can still be refunded: {}", left.minor()),
            ),
            Refusal::TooManyRefunds => Problem::bad("the charge has too many refunds"),
            Refusal::BatchNoUsed => Problem::wrong("batch_no", "is used by another batch"),
            Refusal::BatchItem { index, why } => {
                let why = match *why {
                    Refusal::NotFound(_) => "no such charge in this app".to_owned(),
                    why => Problem::of_refusal(why, request).message,
                };
                Problem::wrong("charges", format!("cannot be refunded: element {index}: {why}"))
            }
            Refusal::Exists(what) => Problem::bad(format!("this {what} exists already")),
            Refusal::Busy => Problem::unavailable("the service is busy; nothing was changed"),
            Refusal::Stale | Refusal::Unavailable => {
                Problem::unavailable("the service is not available; please try again")
            }
            Refusal::Fault(what) => Problem::fault(&what, request),
        }
    }

    /// What a use case's error says in this dialect.
    pub(super) fn of_pay(error: PayError, request: &RequestId) -> Problem {
        match error {
            PayError::Refused(refusal) => Problem::of_refusal(refusal, request),
            PayError::ChannelNotEnabled => Problem::wrong("channel", "is not enabled for this app"),
            PayError::Order(OrderError::ChannelUnknown) => {
                Problem::wrong("channel", "is not carried by the route of this app")
            }
            PayError::Order(OrderError::Missing(name)) => Problem::missing(&param_of(name)),
            PayError::Order(OrderError::Unacceptable(name)) => {
                Problem::wrong(&param_of(name), "is not acceptable to the channel")
            }
            PayError::Channel(refusal) => {
                let code = match refusal.why {
                    RefusalClass::Connection => "channel_connection_error",
                    RefusalClass::Garbled => "channel_parse_error",
                    RefusalClass::BadSignature => "channel_sign_error",
                    RefusalClass::Configuration => "channel_auth_error",
                    RefusalClass::Business | RefusalClass::NotFound => REQUEST_ERROR,
                    RefusalClass::Busy | RefusalClass::Unclassified => "channel_unexpected_error",
                };
                Problem::channel(code, format!("{} ({})", refusal.message, refusal.code))
            }
        }
    }

    /// The same for a refund, where the message names its charge (§2.6).
    pub(super) fn of_refund(
        error: PayError,
        payment: &Payment,
        now: Timestamp,
        request: &RequestId,
    ) -> Problem {
        match error {
            PayError::Refused(Refusal::AlreadyRefunded) => Problem::bad(format!(
                "the charge is refunded in full: order number {}, charge {}",
                payment.order_no, payment.public_id
            )),
            // Its time is over, though nobody has closed it yet (§3.3).
            PayError::Refused(Refusal::NotPaid) if now >= payment.expires => {
                Problem::of_refusal(Refusal::PaymentClosed, request)
            }
            other => Problem::of_pay(other, request),
        }
    }
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Problem {
        Problem::bad(unreadable.message).with_param(unreadable.param.as_deref().unwrap_or(""))
    }
}

/// The parameter of this dialect that a connector's word stands for.
fn param_of(name: &str) -> String {
    match name {
        "amount" | "currency" | "subject" | "body" => name.to_owned(),
        "number" => "order_no".into(),
        "expires" => "time_expire".into(),
        "return_url" => "extra[success_url]".into(),
        "buyer_id" => "extra[buyer_user_id]".into(),
        other => format!("extra[{other}]"),
    }
}

/// `sk_test_` and asterisks; of anything else only asterisks.
fn masked(key: &str) -> String {
    let shown = ["sk_test_", "sk_live_"].into_iter().find(|prefix| key.starts_with(prefix));
    let shown = shown.unwrap_or("");
    let hidden = key.len().saturating_sub(shown.len()).clamp(4, 24);
    format!("{shown}{}", "*".repeat(hidden))
}

#[cfg(test)]
mod tests {
    use domain::money::Amount;
    use domain::operation::ChannelRefusal;

    use super::*;

    fn request() -> RequestId {
        RequestId::parse("iar_1").unwrap()
    }

    #[test]
    fn code_and_param_are_absent_rather_than_null() {
        assert_eq!(
            Problem::wrong("limit", "must be between 1 and 100").to_json(),
            concat!(
                r#"{"error":{"type":"invalid_request_error","#,
                r#""message":"limit must be between 1 and 100","param":"limit"}}"#
            )
        );
        assert_eq!(
            Problem::bad("x \"y\"").to_json(),
            r#"{"error":{"type":"invalid_request_error","message":"x \"y\""}}"#
        );
        let closed = Problem::of_refusal(Refusal::PaymentClosed, &request());
        assert_eq!(
            closed.to_json(),
            concat!(
                r#"{"error":{"type":"channel_error","message":"the charge is closed","#,
                r#""code":"charge_closed"}}"#
            )
        );
    }

    #[test]
    fn a_key_is_never_shown() {
        let secret = "sk_test_abcdefghijklmnopqrstuvwx";
        let json = Problem::unauthorized(Some(secret)).to_json();
        assert!(json.contains("sk_test_************************"), "{json}");
        assert!(!json.contains("abcdef"));
        assert!(!Problem::unauthorized(Some("hunter2")).to_json().contains("hunter2"));
        assert!(Problem::unauthorized(Some(&"x".repeat(5_000))).to_json().len() < 200);
    }

    #[test]
    fn every_refusal_has_its_status_code_and_param() {
        let left = Amount::new(5).unwrap();
        let item = |why| Refusal::BatchItem { index: 3, why: Box::new(why) };
        for (refusal, status, param, code) in [
            (Refusal::NotFound("app"), 404, Some("app[id]"), None),
            (Refusal::NotFound("payment"), 404, Some("id"), None),
            (Refusal::AppDisabled, 400, Some("app[id]"), None),
            (Refusal::NumberTaken, 402, None, Some("charge_order_no_used")),
            (Refusal::MemberUnknown, 400, Some("extra[user]"), None),
            (Refusal::InsufficientBalance, 402, None, Some("channel_request_error")),
            (Refusal::AmountDiffers, 402, None, Some("charge_unexpected_status")),
            (Refusal::TradeUsed, 402, None, Some("charge_unexpected_status")),
            (Refusal::PaymentClosed, 402, None, Some("charge_closed")),
            (Refusal::NotPaid, 400, None, None),
            (Refusal::NotReversible, 400, None, None),
            (Refusal::AlreadyRefunded, 400, None, None),
            (Refusal::OverRefundable { left }, 400, Some("amount"), None),
            (Refusal::TooManyRefunds, 400, None, None),
            (Refusal::BatchNoUsed, 400, Some("batch_no"), None),
            (item(Refusal::NotPaid), 400, Some("charges"), None),
            (item(Refusal::PaymentClosed), 400, Some("charges"), None),
            (item(Refusal::NotFound("payment")), 400, Some("charges"), None),
            (Refusal::Exists("merchant"), 400, None, None),
            (Refusal::Stale, 503, None, None),
            (Refusal::Busy, 503, None, None),
            (Refusal::Unavailable, 503, None, None),
            (Refusal::Fault("secret detail".into()), 500, None, None),
        ] {
            let problem = Problem::of_refusal(refusal.clone(), &request());
            let found = (problem.status.as_u16(), problem.param.as_deref(), problem.code);
            assert_eq!(found, (status, param, code), "{refusal:?}");
            assert!(!problem.to_json().contains("secret detail"));
        }
        let fault = Problem::of_refusal(Refusal::Fault("x".into()), &request());
        assert!(fault.to_json().contains("iar_1") && fault.is_ours() && !fault.is_temporary());
        assert!(Problem::of_refusal(Refusal::Busy, &request()).is_temporary());
    }

    #[test]
    fn channel_trouble_is_told_apart_by_its_code() {
        for (why, code) in [
            (RefusalClass::Connection, "channel_connection_error"),
            (RefusalClass::Garbled, "channel_parse_error"),
            (RefusalClass::BadSignature, "channel_sign_error"),
            (RefusalClass::Configuration, "channel_auth_error"),
            (RefusalClass::Business, "channel_request_error"),
            (RefusalClass::NotFound, "channel_request_error"),
            (RefusalClass::Busy, "channel_unexpected_error"),
            (RefusalClass::Unclassified, "channel_unexpected_error"),
        ] {
            let refusal = ChannelRefusal { why, code: "X".into(), message: "no".into() };
            let problem = Problem::of_pay(PayError::Channel(refusal), &request());
            assert_eq!((problem.status.as_u16(), problem.code), (402, Some(code)));
        }
        let missing = PayError::Order(OrderError::Missing("buyer_id"));
        let problem = Problem::of_pay(missing, &request());
        assert_eq!(problem.param.as_deref(), Some("extra[buyer_user_id]"));
    }
}

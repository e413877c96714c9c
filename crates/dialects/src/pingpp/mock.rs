//! What the client SDKs of test mode call to pay a charge without a payer (specs/pingpp.md §7).
//!
//! Goes through the simulator like any payment; live charges do not exist here.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::channel::PayerDeed;
use domain::payment::{Payment, PaymentState};
use domain::refusal::Refusal;
use domain::text::PublicId;
use engine::PayError;

use super::Pingpp;
use super::request::flag;
use super::value::Value;

/// `GET /notify/charges/{charge}?livemode=false`, which needs no key.
pub fn mock_router(state: Arc<Pingpp>) -> Router {
    Router::new().route("/notify/charges/{charge}", get(notify)).with_state(state)
}

/// A test charge as its mock page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockView {
    /// Its id.
    pub charge: String,
    /// The way to pay.
    pub channel: String,
    /// The merchant's number.
    pub order_no: String,
    /// What is bought.
    pub subject: String,
    /// More about it.
    pub body: String,
    /// How much, in major units: `19.90`.
    pub amount: String,
    /// Three capitals.
    pub currency: String,
    /// Where it stands.
    pub state: MockState,
    /// Where the merchant wants the payer to go after paying (`success_url` or `result_url`).
    pub return_url: Option<String>,
    /// Where the merchant wants the payer to go after giving up.
    pub cancel_url: Option<String>,
}

/// Where a test charge stands, as far as a payer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockState {
    /// Can be paid.
    Payable,
    /// Is paid.
    Paid,
    /// Cannot be paid any more, or not yet.
    Ended,
}

/// What the payer does on the mock page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockDeed {
    /// Pays.
    Pay,
    /// Tries to pay and fails.
    Fail,
    /// Goes away; nothing changes.
    Cancel,
}

/// Why a deed was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MockError {
    /// No such test charge, or its channel is no simulator.
    #[error("there is no such test charge")]
    Unknown,
    /// Closed, expired or not ready.
    #[error("the charge cannot be paid any more")]
    Ended,
    /// The simulator or the store did not answer.
    #[error("the payment could not be made now")]
    Unavailable,
}

impl Pingpp {
    /// A test charge by its id alone; `None` for unknown and live ones.
    pub async fn mock_view(&self, ch_id: &str) -> Option<MockView> {
        let payment = self.test_payment(ch_id).await.ok()?;
        Some(self.view(&payment))
    }

    /// Plays the payer and shows what came of it. Paying twice is paying once.
    pub async fn mock_act(&self, ch_id: &str, deed: MockDeed) -> Result<MockView, MockError> {
        let payment = self.test_payment(ch_id).await?;
        let deed = match deed {
            MockDeed::Pay => PayerDeed::Pay,
            MockDeed::Fail => PayerDeed::Fail,
            MockDeed::Cancel => return Ok(self.view(&payment)),
        };
        let played = self.engine.play_payer(&payment, deed).await;
        let payment = played.map_err(|error| match error {
            PayError::Refused(Refusal::NotFound(_)) => MockError::Unknown,
            PayError::Refused(Refusal::PaymentClosed) => MockError::Ended,
            other => {
                tracing::warn!(error = %other, "a test payment was not made");
                MockError::Unavailable
            }
        })?;
        Ok(self.view(&payment))
    }

    async fn test_payment(&self, ch_id: &str) -> Result<Payment, MockError> {
        let id = PublicId::parse(ch_id).map_err(|_| MockError::Unknown)?;
        let found = self.engine.read(|q| q.test_payment(&id)).await;
        found.map_err(|_| MockError::Unavailable)?.ok_or(MockError::Unknown)
    }

    fn view(&self, payment: &Payment) -> MockView {
        let extra = match Value::from_json(payment.echo.as_str()) {
            Ok(Value::Map(echo)) => echo.get("extra").cloned(),
            _ => None,
        };
        let text = |key: &str| match &extra {
            Some(Value::Map(extra)) => extra.get(key).and_then(Value::scalar_text).map(Into::into),
            _ => None,
        };
        let pending = matches!(payment.state, PaymentState::Pending { .. });
        let state = if payment.receipt().is_some() {
            MockState::Paid
        } else if pending && payment.is_payable(self.engine.now()) {
            MockState::Payable
        } else {
            MockState::Ended
        };
        MockView {
            charge: payment.public_id.as_str().into(),
            channel: payment.channel.as_str().into(),
            order_no: payment.order_no.as_str().into(),
            subject: payment.subject.as_str().into(),
            body: payment.body.as_str().into(),
            amount: payment.money.to_major_text(),
            currency: payment.money.currency.code().into(),
            state,
            return_url: text("success_url").or_else(|| text("result_url")),
            cancel_url: text("cancel_url"),
        }
    }
}

/// Browsers call it from anywhere and look for exactly `success`.
async fn notify(
    State(pingpp): State<Arc<Pingpp>>,
    Path(charge): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Value::from_form(query.as_deref().unwrap_or("")).unwrap_or_default();
    let (status, body) = match flag(&query, "livemode") {
        Ok(Some(false)) => match pingpp.mock_act(&charge, MockDeed::Pay).await {
            Ok(view) if view.state == MockState::Paid => (StatusCode::OK, "success"),
            Ok(_) | Err(MockError::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, "not paid"),
            Err(MockError::Ended) => (StatusCode::BAD_REQUEST, "the charge is closed"),
            Err(MockError::Unknown) => (StatusCode::NOT_FOUND, "no such test charge"),
        },
        _ => (StatusCode::NOT_FOUND, "no such test charge"),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-cache, no-store"),
        // Node scripts pay with the agent that their SDK shares, and the SDK hangs on a kept
        // connection (§0, R4).
        (header::CONNECTION, "close"),
    ];
    (status, headers, body).into_response()
}

//! Events in this dialect's words, and the headers under which they travel (specs/pingpp.md §6).
//!
//! A body is made inside the commit that it speaks of and never changes; the signature is made at
//! the first sending and kept for the next ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::event::{Delivery, Event, EventId, Happening, Worded};
use domain::id::Fresh;
use domain::payment::Payment;
use domain::tenant::{App, Mode};
use domain::text::RequestId;
use domain::time::Timestamp;
use domain::webhook::WebhookFormat;
use serde::{Deserialize, Serialize};
use sign::rsa::PrivateKey;

use super::answer::{CONTENT_TYPE, SIGNATURE};
use super::ids::Look;
use super::render::{Batch, Charge, RefundObject, to_json};

/// Seconds between one failed try and the next (§6.3): ten retries, about 25 hours.
const SCHEDULE_SECONDS: &[i64] = &[5, 10, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 54_000];

/// Signatures kept for retries; past it the memory starts anew.
const SIGNATURES_MAX: usize = 4_096;

/// The format of this dialect's webhooks.
pub(crate) struct Format {
    key: Arc<PrivateKey>,
    signatures: Mutex<HashMap<EventId, Arc<str>>>,
}

impl Format {
    pub(crate) fn new(key: Arc<PrivateKey>) -> Format {
        Format { key, signatures: Mutex::default() }
    }

    fn signature(&self, event: &Event) -> Arc<str> {
        let known = self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signature) = known.get(&event.id) {
            return signature.clone();
        }
        drop(known); // signing takes a while; two makers of one signature make the same
        let signature: Arc<str> = sign::pingpp::sign_body(&self.key, event.body.as_bytes()).into();
        let mut known = self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SIGNATURES_MAX {
            known.clear();
        }
        known.insert(event.id, signature.clone());
        signature
    }
}

/// The event object (§6.1). `pending_webhooks` is 0, as in delivered samples: the body is frozen,
/// so that retrieving an event gives the very bytes that were delivered.
#[derive(Serialize)]
struct EventObject<'a, T> {
    id: &'a str,
    created: i64,
    livemode: bool,
    r#type: &'a str,
    data: Data<T>,
    object: &'static str,
    pending_webhooks: i32,
    request: Option<&'a str>,
}

#[derive(Serialize)]
struct Data<T> {
    object: T,
}

impl WebhookFormat for Format {
    fn word(
        &self,
        happening: Happening<'_>,
        app: &App,
        request: Option<&RequestId>,
        now: Timestamp,
        fresh: &mut Fresh,
    ) -> Option<Worded> {
        let mode = match happening {
            Happening::PaymentSucceeded(payment)
            | Happening::PaymentFailed(payment)
            | Happening::PaymentPaidAfterClose(payment)
            | Happening::RefundSucceeded(_, payment)
            | Happening::RefundFailed(_, payment) => payment.tenant.mode,
            Happening::BatchFinished(batch, ..) => batch.tenant.mode,
        };
        let look = Look { scheme: app.id_scheme, mode, now };
        let id = match look.event(fresh) {
            Ok(id) => id,
            Err(error) => {
                tracing::error!(%error, "an event has no id and is not told");
                return None;
            }
        };
        let head =
            Head { id: id.as_str(), created: now.seconds(), live: mode == Mode::Live, request };
        let (event_type, body) = match happening {
            Happening::PaymentSucceeded(payment) => {
                head.with("charge.succeeded", Charge::new(payment, &[], None))
            }
            // The vendor tells failures of contract deductions only, which do not exist here.
            Happening::PaymentFailed(_) => return None,
            // A word of our own: money that came too late and goes back by itself.
            Happening::PaymentPaidAfterClose(payment) => {
                head.with("charge.paid_after_close", Charge::new(payment, &[], None))
            }
            Happening::RefundSucceeded(refund, payment) => {
                head.with("refund.succeeded", RefundObject::new(refund, payment))
            }
            Happening::RefundFailed(refund, payment) => {
                head.with("refund.failed", RefundObject::new(refund, payment))
            }
            Happening::BatchFinished(batch, refunds, payments) if batch.succeeded > 0 => {
                head.with("batch_refund.succeeded", Batch::new(batch, refunds, payments))
            }
            Happening::BatchFinished(..) => return None,
        };
        Some(Worded { public_id: id, event_type: event_type.into(), body: body.into() })
    }

    fn departures(&self, happening: Happening<'_>) -> Vec<i64> {
        match happening {
            Happening::PaymentSucceeded(payment) if payment.tenant.mode == Mode::Test => {
                match test_case(payment).as_deref() {
                    Some("001") => vec![0, 0],
                    Some("002") => vec![300],
                    _ => vec![0],
                }
            }
            _ => vec![0],
        }
    }

    /// Receivers know a repeat by the event's id (§6.3), so that is the message's id too.
    fn headers(&self, _: &Delivery, event: &Event, now: Timestamp) -> Vec<(String, String)> {
        vec![
            ("Content-Type".into(), CONTENT_TYPE.into()),
            (SIGNATURE.as_str().into(), self.signature(event).as_ref().into()),
            ("webhook-id".into(), event.public_id.as_str().into()),
            ("webhook-timestamp".into(), now.seconds().to_string()),
        ]
    }

    fn schedule(&self) -> &'static [i64] {
        SCHEDULE_SECONDS
    }
}

struct Head<'a> {
    id: &'a str,
    created: i64,
    live: bool,
    request: Option<&'a RequestId>,
}

impl Head<'_> {
    fn with<T: Serialize>(&self, event_type: &'static str, object: T) -> (&'static str, String) {
        let body = to_json(&EventObject {
            id: self.id,
            created: self.created,
            livemode: self.live,
            r#type: event_type,
            data: Data { object },
            object: "event",
            pending_webhooks: 0,
            request: self.request.map(RequestId::as_str),
        });
        (event_type, body)
    }
}

/// The anomaly that a test charge asks for by `metadata[pingpp_tc]` (§7).
fn test_case(payment: &Payment) -> Option<String> {
    #[derive(Deserialize)]
    struct Echoed {
        metadata: Wish,
    }
    #[derive(Deserialize)]
    struct Wish {
        pingpp_tc: String,
    }
    serde_json::from_str::<Echoed>(payment.echo.as_str()).ok().map(|e| e.metadata.pingpp_tc)
}

#[cfg(test)]
mod tests;

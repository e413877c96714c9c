//! What operators look at.

use domain::event::{CourierAnswer, DeliveryState};
use domain::tenant::{App, Endpoint, IdScheme, Merchant, Route};
use domain::text::PublicId;
use serde_json::{Value, json};

use super::request::{OfEvent, OfMerchant, OfTenant, merchant as merchant_of, mode_word, tenant};
use super::{AdminDesk, AdminError};

pub(super) fn merchant(m: &Merchant) -> Value {
    json!({
        "merchant": m.id.raw(),
        "name": m.name,
        "live_signature_required": m.live_signature_required,
        "test_signature_required": m.test_signature_required,
        "sign_responses": m.sign_responses,
        "disabled": m.disabled,
    })
}

pub(super) fn app(a: &App) -> Value {
    let channels: Vec<Value> = a
        .channels
        .iter()
        .map(|c| {
            let (mode, channel) = (mode_word(c.mode), c.channel.as_str());
            json!({ "mode": mode, "channel": channel, "route": c.route.raw() })
        })
        .collect();
    json!({
        "app": a.id.as_str(),
        "merchant": a.merchant.raw(),
        "name": a.display_name,
        "fee_bp": a.fee.value(),
        "alphanumeric_ids": a.id_scheme == IdScheme::Alphanumeric,
        "channels": channels,
        "disabled": a.disabled,
    })
}

pub(super) fn route(r: &Route) -> Value {
    json!({
        "route": r.id.raw(),
        "mode": mode_word(r.tenant.mode),
        "name": r.name,
        "connector": r.connector,
        "disabled": r.disabled,
    })
}

pub(super) fn endpoint(e: &Endpoint) -> Value {
    json!({
        "endpoint": e.id.raw(),
        "app": e.app.as_str(),
        "mode": mode_word(e.tenant.mode),
        "url": e.url,
        "events": e.events,
        "disabled": e.disabled,
    })
}

pub(super) async fn merchants(desk: &AdminDesk) -> Result<Value, AdminError> {
    let rows = desk.engine.read(|q| q.merchants_of_operator()).await?;
    Ok(rows.iter().map(merchant).collect())
}

pub(super) async fn apps(desk: &AdminDesk, r: OfMerchant) -> Result<Value, AdminError> {
    let merchant = merchant_of(desk, r.merchant).await?;
    let rows = desk.engine.read(|q| q.apps(merchant.id)).await?;
    Ok(rows.iter().map(app).collect())
}

pub(super) async fn keys(desk: &AdminDesk, r: OfMerchant) -> Result<Value, AdminError> {
    let merchant = merchant_of(desk, r.merchant).await?;
    let rows = desk.engine.read(|q| q.api_keys(merchant.id)).await?;
    let show = |k: &domain::tenant::ApiKey| {
        let revoked = k.revoked.map(|at| at.seconds());
        json!({ "hint": k.hint, "mode": mode_word(k.mode), "revoked": revoked })
    };
    Ok(rows.iter().map(show).collect())
}

pub(super) async fn routes(desk: &AdminDesk, r: OfTenant) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let rows = desk.engine.read(|q| q.routes(tenant)).await?;
    Ok(rows.iter().map(route).collect())
}

pub(super) async fn endpoints(desk: &AdminDesk, r: OfTenant) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let rows = desk.engine.read(|q| q.endpoints(tenant)).await?;
    Ok(rows.iter().map(endpoint).collect())
}

pub(super) async fn balances(desk: &AdminDesk, r: OfTenant) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let rows = desk.engine.read(|q| q.accounts(tenant)).await?;
    // Balances are i128 in the book; as text they lose nothing.
    let show = |a: &domain::ledger::Account| {
        json!({
            "account": a.key.path.to_text(),
            "balance": a.balance().to_string(),
            "held": a.held.minor().to_string(),
            "available": a.available().to_string(),
        })
    };
    Ok(rows.iter().map(show).collect())
}

pub(super) async fn deliveries(desk: &AdminDesk, r: OfEvent) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let id = PublicId::parse(&r.event).map_err(|e| AdminError::new(format!("event: {e}")))?;
    let event = desk.engine.read(|q| q.event(tenant, &id)).await?;
    let event = event.ok_or_else(|| AdminError::new("event: there is no such event"))?;
    let rows = desk.engine.read(|q| q.deliveries(tenant, event.id)).await?;
    let rows = rows.iter().map(|(delivery, attempts)| {
        let tries: Vec<Value> = attempts
            .iter()
            .map(|a| {
                let (status, said) = match &a.answer {
                    CourierAnswer::Answered { status, excerpt } => (Some(*status), &**excerpt),
                    CourierAnswer::Failed(_) => (None, "no answer"),
                };
                json!({ "number": a.number, "at": a.at.seconds(), "status": status, "body": said })
            })
            .collect();
        let state = match delivery.state {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sending => "sending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        };
        json!({
            "delivery": delivery.id.raw(),
            "endpoint": delivery.endpoint.raw(),
            "state": state,
            "tries": delivery.tries,
            "next_at": delivery.next_at.map(|at| at.seconds()),
            "log": tries,
        })
    });
    Ok(rows.collect())
}

pub(super) fn platform_key(desk: &AdminDesk) -> Result<Value, AdminError> {
    Ok(json!({ "platform_public_key_pem": desk.platform_key.public().to_spki_pem() }))
}

pub(super) async fn backlog(desk: &AdminDesk) -> Result<Value, AdminError> {
    let b = desk.engine.read(|q| q.backlog_of_all()).await?;
    Ok(json!({
        "deliveries_waiting": b.deliveries_waiting,
        "deliveries_dead": b.deliveries_dead,
        "operations_unknown": b.operations_unknown,
        "operations_in_review": b.operations_in_review,
        "notices_unmatched": b.notices_unmatched,
    }))
}

//! Listing charges (specs/pingpp.md §2.4).

use std::collections::HashMap;

use domain::payment::PaymentId;
use domain::refund::Refund;
use domain::text::{AppId, ChannelName};
use engine::{Engine, PaymentFilter};

use super::channel_extra::Rules;
use super::charge::known_app;
use super::error::Problem;
use super::page::{page, span};
use super::render::{self, Charge, EMBEDDED_REFUNDS_MAX, to_json};
use super::request::{self, Call, expands_app, flag};
use super::value::{Map, Value};

/// `GET /v1/charges`.
pub(super) async fn list(engine: &Engine, call: &Call<'_>) -> Result<String, Problem> {
    let query = call.query()?;
    let filter = filter_of(engine, call, &query)?;
    let tenant = call.caller.tenant;
    let page = page(engine, call, &query, |q, id| {
        Ok(q.payment(tenant, id)?.map(|payment| (payment.created, payment.id.raw())))
    })
    .await?;
    let read = engine.read(|q| {
        let listed = q.payments(tenant, &filter, &page)?;
        let refunded = listed.rows.iter().filter(|p| p.refunds > 0).map(|p| p.id);
        let refunded: Vec<PaymentId> = refunded.collect();
        let limit = u32::try_from(EMBEDDED_REFUNDS_MAX + 1).unwrap_or(u32::MAX);
        let refunds =
            if refunded.is_empty() { Vec::new() } else { q.refunds_of(tenant, &refunded, limit)? };
        Ok((listed, refunds))
    });
    let (listed, refunds) = read.await.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let mut refunds_of: HashMap<PaymentId, Vec<Refund>> = HashMap::new();
    for refund in refunds {
        refunds_of.entry(refund.payment).or_default().push(refund);
    }
    let expand = expands_app(&query);
    let charges = listed.rows.iter().map(|payment| {
        let refunds = refunds_of.get(&payment.id).map(Vec::as_slice).unwrap_or_default();
        let app = if expand { call.caller.app(&payment.app) } else { None };
        to_json(&Charge::new(payment, refunds, app.map(|app| &**app)))
    });
    Ok(render::list("/v1/charges", listed.has_more, &charges.collect::<Vec<_>>()))
}

fn filter_of(engine: &Engine, call: &Call<'_>, query: &Map) -> Result<PaymentFilter, Problem> {
    let (from, to) = span(query, engine.now())?;
    Ok(PaymentFilter {
        app: app_filter(call, query)?,
        channel: channel_of(query)?,
        from,
        to,
        paid: flag(query, "paid")?,
        refunded: flag(query, "refunded")?,
        reversed: flag(query, "reversed")?,
    })
}

/// The app in `app[id]`; without one, all apps of the account.
pub(super) fn app_filter(call: &Call<'_>, query: &Map) -> Result<Option<AppId>, Problem> {
    match request::map(query, "app")?.and_then(|app| app.get("id")) {
        None => Ok(None),
        Some(Value::Text(id)) => known_app(call, id, "app[id]").map(|app| Some(app.id.clone())),
        Some(_) => Err(Problem::wrong("app[id]", "must be an id")),
    }
}

fn channel_of(query: &Map) -> Result<Option<ChannelName>, Problem> {
    const NAME: &str = "channel";
    match query.get(NAME) {
        None => Ok(None),
        Some(Value::Text(name)) if Rules::of(name).is_some() => {
            ChannelName::parse(name).map(Some).map_err(|e| Problem::wrong(NAME, e))
        }
        Some(_) => Err(Problem::wrong(NAME, "is unknown")),
    }
}

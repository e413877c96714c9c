//! Retrieving and listing events (specs/pingpp.md §2.7). An event is shown as the very bytes that
//! were delivered.

use domain::event::Event;
use engine::{Engine, EventFilter};

use super::charge_list::app_filter;
use super::error::Problem;
use super::page::{page, span};
use super::render;
use super::request::{Call, id_in_path, optional_text};

const TYPE_LEN_MAX: usize = 64;

/// `GET /v1/events/{id}`.
pub(super) async fn retrieve(
    engine: &Engine,
    call: &Call<'_>,
    id: &str,
) -> Result<String, Problem> {
    let unknown = || Problem::not_found("event", id, "id");
    let public_id = id_in_path(id).ok_or_else(unknown)?;
    let found = engine.read(|q| q.event(call.caller.tenant, &public_id)).await;
    let event = found.map_err(|e| Problem::of_refusal(e, &call.request))?.ok_or_else(unknown)?;
    Ok(event.body.into())
}

/// `GET /v1/events`.
pub(super) async fn list(engine: &Engine, call: &Call<'_>) -> Result<String, Problem> {
    let query = call.query()?;
    let tenant = call.caller.tenant;
    let (from, to) = span(&query, engine.now())?;
    let event_type = optional_text(&query, "type", TYPE_LEN_MAX)?.map(Into::into);
    let filter = EventFilter { app: app_filter(call, &query)?, event_type, from, to };
    let page = page(engine, call, &query, |q, id| {
        Ok(q.event(tenant, id)?.map(|event| (event.created, event.id.raw())))
    })
    .await?;
    let listed = engine.read(|q| q.events(tenant, &filter, &page)).await;
    let listed = listed.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let body = |event: Event| String::from(event.body);
    let bodies: Vec<String> = listed.rows.into_iter().map(body).collect();
    Ok(render::list("/v1/events", listed.has_more, &bodies))
}

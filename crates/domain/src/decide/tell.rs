//! Events and their deliveries, written in the commit that they speak of.

use super::Context;
use crate::event::{About, Delivery, DeliveryState, Event, Happening};
use crate::id::Fresh;
use crate::refusal::Refusal;
use crate::state::State;
use crate::tenant::{Dialect, Tenant};
use crate::text::{AppId, RequestId};

/// Where an event belongs.
pub(super) struct Teller<'a> {
    pub tenant: Tenant,
    pub app: &'a AppId,
    pub dialect: Dialect,
    pub request: Option<&'a RequestId>,
}

/// Writes the event, if the dialect tells it, and one delivery for each endpoint that wants it.
pub(super) fn tell(
    state: &mut State,
    teller: &Teller<'_>,
    about: About,
    happening: Happening<'_>,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(), Refusal> {
    let Teller { tenant, app: app_id, dialect, request } = *teller;
    let app_key = (tenant.merchant, app_id.clone());
    let Some(app) = state.apps.get(&app_key)? else {
        return Err(Refusal::Fault("an object's app does not exist".into()));
    };
    let format = context.formats.of(dialect);
    let Some(worded) = format.word(happening, app, request, context.now, fresh) else {
        return Ok(());
    };
    let event = Event {
        tenant,
        id: fresh.id(),
        app: app_id.clone(),
        dialect,
        public_id: worded.public_id,
        event_type: worded.event_type,
        about,
        created: context.now,
        body: worded.body,
    };
    let endpoints = state.endpoints_of.get(&(tenant, app_id.clone()))?.cloned().unwrap_or_default();
    for endpoint in endpoints {
        let Some(row) = state.endpoints.get(&(tenant, endpoint))? else { continue };
        if row.dialect != dialect || !row.wants(&event.event_type) {
            continue;
        }
        for seconds in format.departures(happening) {
            let delivery = Delivery {
                tenant,
                id: fresh.id(),
                event: event.id,
                endpoint,
                state: DeliveryState::Waiting,
                tries: 0,
                token: 0,
                next_at: Some(context.now.plus_seconds(seconds)),
                created: context.now,
                version: 1,
            };
            state.deliveries.put((tenant, delivery.id), delivery);
        }
    }
    state.events.push(event);
    Ok(())
}

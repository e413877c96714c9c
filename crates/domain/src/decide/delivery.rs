//! Deliveries decided: claimed, recorded, sent again by hand.

use super::Context;
use crate::command::{ClaimDeliveries, Decided, RecordDelivery, Resend};
use crate::event::{Delivery, DeliveryAttempt, DeliveryState};
use crate::operation::LEASE_SECONDS;
use crate::refusal::Refusal;
use crate::state::State;

pub(super) fn claim(
    state: &mut State,
    c: &ClaimDeliveries,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut claimed = Vec::with_capacity(c.deliveries.len());
    for key in &c.deliveries {
        let Some(delivery) = state.deliveries.get(key)?.cloned() else { continue };
        if delivery.next_at.is_none_or(|at| at > context.now) {
            continue;
        }
        let delivery = Delivery {
            state: DeliveryState::Sending,
            tries: delivery.tries.saturating_add(1),
            token: delivery.token.saturating_add(1),
            next_at: Some(context.now.plus_seconds(LEASE_SECONDS)),
            version: delivery.version + 1,
            ..delivery
        };
        state.deliveries.put(*key, delivery.clone());
        claimed.push(delivery);
    }
    Ok(Decided::Deliveries(claimed))
}

pub(super) fn record(
    state: &mut State,
    c: &RecordDelivery,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let key = (c.tenant, c.delivery);
    let delivery = state.deliveries.get(&key)?.cloned().ok_or(Refusal::NotFound("delivery"))?;
    if delivery.token != c.token || delivery.state != DeliveryState::Sending {
        return Err(Refusal::Stale);
    }
    state.delivery_attempts.push(DeliveryAttempt {
        tenant: c.tenant,
        delivery: c.delivery,
        number: delivery.tries,
        at: context.now,
        answer: c.answer.clone(),
    });
    let (next_state, next_at) = match (c.answer.is_success(), c.retry_seconds) {
        (true, _) => (DeliveryState::Delivered, None),
        (false, Some(s)) => (DeliveryState::Waiting, Some(context.now.plus_seconds(s))),
        (false, None) => (DeliveryState::Dead, None),
    };
    let version = delivery.version + 1;
    let delivery = Delivery { state: next_state, next_at, version, ..delivery };
    state.deliveries.put(key, delivery.clone());
    Ok(Decided::Delivery(delivery))
}

pub(super) fn resend(
    state: &mut State,
    c: &Resend,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let key = (c.tenant, c.delivery);
    let delivery = state.deliveries.get(&key)?.cloned().ok_or(Refusal::NotFound("delivery"))?;
    if delivery.state == DeliveryState::Sending {
        return Ok(Decided::Delivery(delivery));
    }
    let delivery = Delivery {
        state: DeliveryState::Waiting,
        next_at: Some(context.now),
        version: delivery.version + 1,
        ..delivery
    };
    state.deliveries.put(key, delivery.clone());
    Ok(Decided::Delivery(delivery))
}

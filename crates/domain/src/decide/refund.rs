//! Refunds decided: made, sent, ended; alone and in batches.

use super::payment::{add_refund, load, save, teller};
use super::post::{end_hold, hold, post};
use super::tell::tell;
use super::{Audited, Context, audit, note_step, step_of};
use crate::channel::RefundFound;
use crate::command::{CreateBatch, CreateRefund, Decided, RecordRefund};
use crate::event::{About, Actor, Happening};
use crate::id::Fresh;
use crate::ledger::{Cause, recipe};
use crate::money::{Amount, Money};
use crate::operation::{ChannelRefusal, Operation, OperationKind, OperationState, Outcome};
use crate::payment::{Payment, PaymentState};
use crate::refund::{
    BatchId, REFUNDS_PER_PAYMENT_MAX, Refund, RefundBatch, RefundOrigin, RefundState,
};
use crate::refusal::Refusal;
use crate::state::{HoldState, State};
use crate::text::TradeNo;
use crate::time::Timestamp;

/// How often a refund may be sent under its one number (specs/reliability.md §7.2, rule 12).
const REFUND_TRIES_MAX: u16 = 5;

pub(super) fn create(
    state: &mut State,
    c: &CreateRefund,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let payment = load(state, c.tenant, c.payment)?;
    if let Some(before) = made_before(state, c)? {
        return Ok(Decided::RefundBefore(before, payment));
    }
    let money = checked_amount(&payment, c.amount)?;
    let mut fresh = c.fresh.clone();
    let refund = Refund {
        tenant: c.tenant,
        id: fresh.id(),
        app: payment.app.clone(),
        payment: payment.id,
        public_id: c.public_id.clone(),
        route: payment.route,
        number: c.number.clone(),
        money,
        description: c.description.clone(),
        echo: c.echo.clone(),
        origin: RefundOrigin::Merchant,
        created: context.now,
        state: RefundState::Pending,
        operation: Some(Operation::dispatched(OperationKind::Refund, context.now)),
        request: c.request.clone(),
        exact_request: c.exact_request,
        body_hash: c.body_hash,
        version: 1,
    };
    let about = (c.tenant, About::Refund(refund.id));
    if payment.payer.is_none() {
        note_step(state, about, 1, ("sent", None), context);
    }
    let (refund, payment) = add(state, refund, payment, context, &mut fresh)?;
    Ok(Decided::Refund(refund, payment))
}

/// The refund that an earlier sending of this very request made (specs/pingpp.md §2.6).
fn made_before(state: &State, c: &CreateRefund) -> Result<Option<Refund>, Refusal> {
    let ids = state.refunds_of.get(&(c.tenant, c.payment))?.cloned().unwrap_or_default();
    for id in ids {
        let Some(refund) = state.refunds.get(&(c.tenant, id))? else { continue };
        let exact = c.exact_request.is_some() && refund.exact_request == c.exact_request;
        let unanswered = c.unanswered_since.is_some_and(|since| {
            refund.created >= since && refund.body_hash == c.body_hash && refund.is_shown()
        });
        if exact || unanswered {
            return Ok(Some(refund.clone()));
        }
    }
    Ok(None)
}

fn checked_amount(payment: &Payment, amount: Option<Amount>) -> Result<Money, Refusal> {
    match &payment.state {
        PaymentState::Paid(_) => {}
        PaymentState::Created | PaymentState::Pending { .. } => return Err(Refusal::NotPaid),
        PaymentState::Closing { .. }
        | PaymentState::Reversing(_)
        | PaymentState::Closed { .. }
        | PaymentState::Reversed { .. }
        | PaymentState::Failed { .. } => return Err(Refusal::PaymentClosed),
    }
    if payment.refunds >= REFUNDS_PER_PAYMENT_MAX {
        return Err(Refusal::TooManyRefunds);
    }
    let left = payment.refundable();
    if left.is_zero() {
        return Err(Refusal::AlreadyRefunded);
    }
    let amount = amount.unwrap_or(left);
    if amount > left || amount.is_zero() {
        return Err(Refusal::OverRefundable { left });
    }
    Ok(Money::new(amount, payment.money.currency))
}

/// Holds the money and writes the refund; one of a wallet payment is done at once.
fn add(
    state: &mut State,
    mut refund: Refund,
    mut payment: Payment,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(Refund, Payment), Refusal> {
    let amount = refund.money.amount;
    hold(state, refund.tenant, refund.id, refund.from_account(), amount)?;
    payment.refunding = payment.refunding.plus(amount)?;
    payment.refunds += 1;
    if payment.payer.is_some() {
        refund.operation = None;
    }
    add_refund(state, &refund);
    let payment = save(state, payment);
    let audited = Audited { actor: Actor::Api, action: "refund.created", object: refund.id.raw() };
    audit(state, refund.tenant, audited, context);
    if payment.payer.is_some() {
        return succeed(state, refund, payment, (None, None), context, fresh);
    }
    Ok((refund, payment))
}

pub(super) fn record(
    state: &mut State,
    c: &RecordRefund,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let refund = state.refunds.get(&(c.tenant, c.refund))?.cloned();
    let mut refund = refund.ok_or(Refusal::NotFound("refund"))?;
    let payment = load(state, c.tenant, refund.payment)?;
    let about = (c.tenant, About::Refund(refund.id));
    note_step(state, about, c.token.unwrap_or(0), step_of(&c.outcome), context);
    // A reversal's end is told by its payment's own operation.
    if refund.state.is_final() || refund.origin == RefundOrigin::Reversal {
        return Ok(Decided::Refund(refund, payment));
    }
    let mut fresh = c.fresh.clone();
    // What the channel says is done is done, whoever asked; anything less needs the claim.
    if let Outcome::Accepted(RefundFound::Done { trade_no, at }) = &c.outcome {
        let done = (trade_no.clone(), *at);
        let (refund, payment) = succeed(state, refund, payment, done, context, &mut fresh)?;
        return Ok(Decided::Refund(refund, payment));
    }
    let Some(operation) = refund.operation.as_mut().filter(|o| Some(o.token) == c.token) else {
        return Ok(Decided::Refund(refund, payment));
    };
    match &c.outcome {
        Outcome::Accepted(RefundFound::Done { .. }) => {} // handled above
        Outcome::Accepted(RefundFound::Failed { code }) => {
            let refusal = ("the channel refused the refund", &**code);
            let (refund, payment) = fail(state, refund, payment, refusal, context, &mut fresh)?;
            return Ok(Decided::Refund(refund, payment));
        }
        Outcome::Refused(r) => {
            let refusal = (&*r.message, &*r.code);
            let (refund, payment) = fail(state, refund, payment, refusal, context, &mut fresh)?;
            return Ok(Decided::Refund(refund, payment));
        }
        Outcome::Accepted(RefundFound::Nothing) if operation.tries < REFUND_TRIES_MAX => {
            // Not found is no proof that it never will be; the channel gives once per number, so
            // sending it again under the same number is safe (specs/channels.md §1.10).
            operation.state = OperationState::Intent;
            operation.next_at = Some(context.now.plus_seconds(10));
        }
        Outcome::Accepted(RefundFound::Nothing | RefundFound::Pending) => {
            operation.unknown(&pending(), context.now);
        }
        Outcome::Unknown(r) => operation.unknown(r, context.now),
        Outcome::NotSent(r) => {
            if !operation.not_sent(r, REFUND_TRIES_MAX, context.now) {
                operation.unknown(r, context.now);
            }
        }
    }
    refund.version += 1;
    state.refunds.put((c.tenant, refund.id), refund.clone());
    Ok(Decided::Refund(refund, payment))
}

fn pending() -> ChannelRefusal {
    ChannelRefusal {
        why: crate::operation::RefusalClass::Busy,
        code: "pending".into(),
        message: "the refund is pending at the channel".into(),
    }
}

fn succeed(
    state: &mut State,
    mut refund: Refund,
    mut payment: Payment,
    (trade_no, at): (Option<TradeNo>, Option<Timestamp>),
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(Refund, Payment), Refusal> {
    end_hold(state, refund.tenant, refund.id, HoldState::Captured)?;
    let lines =
        recipe::refund_settled(refund.from_account(), refund.target(&payment), refund.money);
    post(state, refund.tenant, Cause::RefundSettled(refund.id), &lines, context)?;
    if counts(refund.origin) {
        payment.refunding = payment.refunding.minus(refund.money.amount)?;
        payment.refunded = payment.refunded.plus(refund.money.amount)?;
        payment = save(state, payment);
    }
    refund.state = RefundState::Succeeded { at: at.unwrap_or(context.now), trade_no };
    let refund = end(state, refund, "refund.succeeded", context);
    if refund.is_shown() {
        let happening = Happening::RefundSucceeded(&refund, &payment);
        tell_refund(state, &refund, &payment, happening, context, fresh)?;
    }
    progress(state, &refund, true, context, fresh)?;
    Ok((refund, payment))
}

fn fail(
    state: &mut State,
    mut refund: Refund,
    mut payment: Payment,
    (message, code): (&str, &str),
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(Refund, Payment), Refusal> {
    if refund.origin == RefundOrigin::Late {
        // Money that must go back cannot be kept because a channel says no: people decide.
        if let Some(operation) = &mut refund.operation {
            operation.state = OperationState::Review;
            operation.next_at = None;
            operation.last_code = Some(code.into());
        }
        refund.version += 1;
        state.refunds.put((refund.tenant, refund.id), refund.clone());
        return Ok((refund, payment));
    }
    end_hold(state, refund.tenant, refund.id, HoldState::Released)?;
    if counts(refund.origin) {
        payment.refunding = payment.refunding.minus(refund.money.amount)?;
        payment = save(state, payment);
    }
    refund.state =
        RefundState::Failed { at: context.now, code: code.into(), message: message.into() };
    let refund = end(state, refund, "refund.failed", context);
    if refund.is_shown() {
        let happening = Happening::RefundFailed(&refund, &payment);
        tell_refund(state, &refund, &payment, happening, context, fresh)?;
    }
    progress(state, &refund, false, context, fresh)?;
    Ok((refund, payment))
}

/// Whether it counts among the payment's refunds; money that came too late never belonged to it,
/// and a reversal has a state of its own.
fn counts(origin: RefundOrigin) -> bool {
    match origin {
        RefundOrigin::Merchant | RefundOrigin::Batch(_) | RefundOrigin::Import => true,
        RefundOrigin::Late | RefundOrigin::Reversal => false,
    }
}

fn end(
    state: &mut State,
    mut refund: Refund,
    action: &'static str,
    context: &Context<'_>,
) -> Refund {
    refund.operation = None;
    refund.version += 1;
    state.refunds.put((refund.tenant, refund.id), refund.clone());
    let audited = Audited { actor: Actor::Channel, action, object: refund.id.raw() };
    audit(state, refund.tenant, audited, context);
    refund
}

fn tell_refund(
    state: &mut State,
    refund: &Refund,
    payment: &Payment,
    happening: Happening<'_>,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(), Refusal> {
    let mut teller = teller(payment);
    teller.request = refund.request.as_ref();
    tell(state, &teller, About::Refund(refund.id), happening, context, fresh)
}

/// Counts a finished refund in its batch and tells when the batch is done.
fn progress(
    state: &mut State,
    refund: &Refund,
    succeeded: bool,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(), Refusal> {
    let RefundOrigin::Batch(id) = refund.origin else { return Ok(()) };
    let batch = state.batches.get(&(refund.tenant, id))?.cloned();
    let mut batch = batch.ok_or(Refusal::NotFound("batch"))?;
    if succeeded {
        batch.succeeded += 1;
    } else {
        batch.failed += 1;
    }
    batch.version += 1;
    let finished = batch.succeeded + batch.failed == batch.total;
    batch.finished = finished.then_some(context.now);
    state.batches.put((refund.tenant, id), batch.clone());
    if finished { tell_batch(state, &batch, context, fresh) } else { Ok(()) }
}

fn tell_batch(
    state: &mut State,
    batch: &RefundBatch,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<(), Refusal> {
    let refunds = refunds_of_batch(state, batch)?;
    let mut payments = Vec::with_capacity(refunds.len());
    for refund in &refunds {
        payments.push(load(state, batch.tenant, refund.payment)?);
    }
    let Some(dialect) = payments.first().map(|p| p.dialect) else { return Ok(()) };
    let request = batch.request.as_ref();
    let teller = super::tell::Teller { tenant: batch.tenant, app: &batch.app, dialect, request };
    let happening = Happening::BatchFinished(batch, &refunds, &payments);
    tell(state, &teller, About::Batch(batch.id), happening, context, fresh)
}

fn refunds_of_batch(state: &State, batch: &RefundBatch) -> Result<Vec<Refund>, Refusal> {
    let ids = state.refunds_of_batch.get(&(batch.tenant, batch.id))?.cloned().unwrap_or_default();
    let mut refunds = Vec::with_capacity(ids.len());
    for id in ids {
        refunds.extend(state.refunds.get(&(batch.tenant, id))?.cloned());
    }
    Ok(refunds)
}

pub(super) fn create_batch(
    state: &mut State,
    c: &CreateBatch,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let number_key = (c.tenant, c.app.clone(), c.batch_no.clone());
    if state.batch_numbers.get(&number_key)?.is_some() {
        return Err(Refusal::BatchNoUsed);
    }
    let mut fresh = c.fresh.clone();
    let id: BatchId = fresh.id();
    let batch = RefundBatch {
        tenant: c.tenant,
        id,
        app: c.app.clone(),
        public_id: c.public_id.clone(),
        batch_no: c.batch_no.clone(),
        description: c.description.clone(),
        echo: c.echo.clone(),
        created: context.now,
        total: u32::try_from(c.items.len()).unwrap_or(u32::MAX),
        succeeded: 0,
        failed: 0,
        finished: None,
        request: c.request.clone(),
        version: 1,
    };
    state.batch_numbers.put(number_key, id);
    state.batches.put((c.tenant, id), batch);
    let refund_ids: Vec<_> = c.items.iter().map(|_| fresh.id()).collect();
    state.refunds_of_batch.put((c.tenant, id), refund_ids.clone());
    for (index, (item, refund_id)) in c.items.iter().zip(refund_ids).enumerate() {
        let spoil = |why| Refusal::BatchItem { index, why: Box::new(why) };
        let payment = load(state, c.tenant, item.payment).map_err(spoil)?;
        if payment.app != c.app {
            return Err(spoil(Refusal::NotFound("payment")));
        }
        let money = checked_amount(&payment, item.amount).map_err(spoil)?;
        let mut operation = Operation::dispatched(OperationKind::Refund, context.now);
        operation.state = OperationState::Intent;
        operation.tries = 0;
        operation.next_at = Some(context.now);
        let refund = Refund {
            tenant: c.tenant,
            id: refund_id,
            app: payment.app.clone(),
            payment: payment.id,
            public_id: item.public_id.clone(),
            route: payment.route,
            number: item.number.clone(),
            money,
            description: item.description.clone(),
            echo: item.echo.clone(),
            origin: RefundOrigin::Batch(id),
            created: context.now,
            state: RefundState::Pending,
            operation: Some(operation),
            request: c.request.clone(),
            exact_request: None,
            body_hash: [0; 32],
            version: 1,
        };
        add(state, refund, payment, context, &mut fresh).map_err(spoil)?;
    }
    let audited = Audited { actor: Actor::Api, action: "batch.created", object: id.raw() };
    audit(state, c.tenant, audited, context);
    let batch = state.batches.get(&(c.tenant, id))?.cloned().ok_or(Refusal::NotFound("batch"))?;
    let refunds = refunds_of_batch(state, &batch)?;
    Ok(Decided::Batch(batch, refunds))
}

//! Payments decided: opening, settling, closing, reversing.

use super::post::{end_hold, hold, post};
use super::tell::{Teller, tell};
use super::{Audited, Context, audit, note_step, step_of};
use crate::channel::{Closed, PaymentFound, Prepared, ReversedAs};
use crate::command::{
    BeginClose, Decided, Ending, OpenPayment, RecordClosed, RecordFound, RecordPrepared,
    RecordReversed, SettlePayment, Start,
};
use crate::event::{About, Actor, Happening};
use crate::id::Fresh;
use crate::ledger::{Cause, recipe};
use crate::money::Amount;
use crate::operation::{
    ChannelRefusal, Operation, OperationKind, OperationState, Outcome, RefusalClass,
};
use crate::payment::{
    CloseReason, Payment, PaymentId, PaymentState, Proof, Receipt, SettleRefusal, Settling,
};
use crate::refund::{Refund, RefundOrigin, RefundState};
use crate::refusal::Refusal;
use crate::state::{HoldState, ReceiptRow, State};
use crate::tenant::Tenant;
use crate::text::{ChannelNumber, Echo, Note, PublicId, TradeNo};

/// How often a close or reverse that was surely not sent is tried again.
const CLOSE_TRIES_MAX: u16 = 5;

pub(super) fn open(
    state: &mut State,
    c: &OpenPayment,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let app_key = (c.tenant.merchant, c.app.clone());
    let app = state.apps.get(&app_key)?.ok_or(Refusal::NotFound("app"))?;
    if app.disabled {
        return Err(Refusal::AppDisabled);
    }
    let order_key = (c.tenant, c.app.clone(), c.channel.clone(), c.order_no.clone());
    if let Some(id) = state.orders.get(&order_key)?.copied() {
        let before = load(state, c.tenant, id)?;
        let failed = matches!(before.state, PaymentState::Failed { .. });
        if before.is_payable(context.now) && is_same_request(&before, c) {
            return Ok(Decided::OpenedBefore(before));
        } else if !failed {
            return Err(Refusal::OrderNoUsed(Box::new(before)));
        }
    }
    let number_key = (c.tenant, c.route, c.number.clone());
    if state.numbers.get(&number_key)?.is_some() {
        return Err(Refusal::NumberTaken);
    }
    let mut fresh = c.fresh.clone();
    let mut payment = Payment {
        tenant: c.tenant,
        id: fresh.id(),
        app: c.app.clone(),
        dialect: c.dialect,
        public_id: c.public_id.clone(),
        channel: c.channel.clone(),
        route: c.route,
        order_no: c.order_no.clone(),
        number: c.number.clone(),
        money: c.money,
        fee: c.fee,
        subject: c.subject.clone(),
        body: c.body.clone(),
        description: c.description.clone(),
        client_ip: c.client_ip.clone(),
        echo: c.echo.clone(),
        payer: None,
        created: c.created,
        expires: c.expires.unwrap_or(c.created.plus_seconds(c.default_life_seconds)),
        state: PaymentState::Created,
        refunded: Amount::ZERO,
        refunding: Amount::ZERO,
        refunds: 0,
        operation: None,
        queries: 0,
        next_at: None,
        request: c.request.clone(),
        version: 1,
    };
    state.orders.put(order_key, payment.id);
    state.numbers.put(number_key, payment.id);
    let audited = Audited { actor: Actor::Api, action: "payment.opened", object: payment.id.raw() };
    audit(state, c.tenant, audited, context);
    match &c.start {
        Start::Ready(credential) => {
            payment.state = PaymentState::Pending { credential: credential.clone() };
        }
        Start::Ask => {
            let operation = Operation::dispatched(OperationKind::Prepare, context.now);
            let about = About::Payment(payment.id);
            note_step(state, (c.tenant, about), operation.token, ("sent", None), context);
            payment.operation = Some(operation);
        }
        Start::Wallet(user) => {
            let member_key = (c.tenant, c.app.clone(), user.clone());
            let member = state.members.get(&member_key)?.filter(|m| !m.disabled);
            payment.payer = Some(member.ok_or(Refusal::MemberUnknown)?.id);
            // A wallet has no trade numbers of its own: ours is unique already.
            let trade_no = TradeNo::parse(&format!("{}", payment.id.raw()))
                .map_err(|e| Refusal::Fault(e.to_string()))?;
            let (money, paid_at) = (payment.money, context.now);
            let proof = Proof { money, trade_no, paid_at, details: Vec::new() };
            return pay(state, payment, &proof, context, &mut fresh).map(Decided::Opened);
        }
    }
    payment.next_at = payment.watch(context.now);
    state.payments.put((c.tenant, payment.id), payment.clone());
    Ok(Decided::Opened(payment))
}

/// A repeated create continues the first one only if it asks for the same (specs/pingpp.md §2.1);
/// the payer's address may differ.
fn is_same_request(before: &Payment, c: &OpenPayment) -> bool {
    before.money == c.money
        && before.subject == c.subject
        && before.body == c.body
        && before.description == c.description
        && before.echo == c.echo
        && c.expires.is_none_or(|expires| expires == before.expires)
}

pub(super) fn settle_by_notice(
    state: &mut State,
    c: &SettlePayment,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let payment = load(state, c.tenant, c.payment)?;
    settle(state, payment, &c.proof, context, &mut c.fresh.clone())
}

/// Applies proof of payment, whatever way it came.
fn settle(
    state: &mut State,
    payment: Payment,
    proof: &Proof,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<Decided, Refusal> {
    let settling = payment.settling(proof).map_err(|refusal| match refusal {
        SettleRefusal::AmountDiffers => Refusal::AmountDiffers,
    })?;
    match settling {
        Settling::Before => Ok(Decided::Payment(payment)),
        Settling::Now => pay(state, payment, proof, context, fresh).map(Decided::Payment),
        Settling::Late => pay_late(state, payment, proof, context, fresh).map(Decided::Payment),
    }
}

/// The payment becomes paid.
fn pay(
    state: &mut State,
    mut payment: Payment,
    proof: &Proof,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<Payment, Refusal> {
    if payment.payer.is_none() && receipt_of(state, &payment, proof)?.is_some() {
        return Err(Refusal::TradeUsed);
    }
    put_receipt(state, &payment, proof, false);
    let lines = recipe::payment_settled(payment.source(), payment.money, payment.fee);
    post(state, payment.tenant, Cause::PaymentSettled(payment.id), &lines, context)?;
    payment.state = PaymentState::Paid(Receipt {
        trade_no: proof.trade_no.clone(),
        paid_at: proof.paid_at,
        details: proof.details.clone(),
    });
    let reverse = payment.operation.take().filter(|o| o.kind == OperationKind::Reverse);
    payment.next_at = None;
    let id = payment.id;
    let audited = Audited { actor: Actor::Channel, action: "payment.settled", object: id.raw() };
    audit(state, payment.tenant, audited, context);
    let payment = save(state, payment);
    let happening = Happening::PaymentSucceeded(&payment);
    tell(state, &teller(&payment), About::Payment(id), happening, context, fresh)?;
    match reverse {
        Some(operation) => paid_in_reverse(state, payment, operation, context, fresh),
        None => Ok(payment),
    }
}

/// The payer was faster than a reverse that is on its way. It may have given the money back
/// already, so it goes on until the channel has said which.
fn paid_in_reverse(
    state: &mut State,
    mut payment: Payment,
    mut operation: Operation,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<Payment, Refusal> {
    let Some(receipt) = payment.receipt().cloned() else { return Ok(payment) };
    let refund = own_refund(&payment, RefundOrigin::Reversal, fresh.id(), context)?;
    match hold(state, payment.tenant, refund.id, refund.from_account(), refund.money.amount) {
        Ok(()) => {}
        // Proof of payment is applied whatever the merchant's balance: it stays paid.
        Err(Refusal::InsufficientBalance) => return Ok(payment),
        Err(refusal) => return Err(refusal),
    }
    add_refund(state, &refund);
    if operation.next_at.is_none() {
        ask_now(&mut operation, context);
    }
    payment.state = PaymentState::Reversing(receipt);
    payment.operation = Some(operation);
    payment.next_at = payment.watch(context.now);
    Ok(save(state, payment))
}

/// Money for a payment that is closed, or paid by another trade: suspense, and one refund of it
/// that sends itself (DESIGN §4, specs/reliability.md §7.5).
fn pay_late(
    state: &mut State,
    payment: Payment,
    proof: &Proof,
    context: &Context<'_>,
    fresh: &mut Fresh,
) -> Result<Payment, Refusal> {
    match receipt_of(state, &payment, proof)? {
        Some(before) if before.payment == payment.id => return Ok(payment),
        Some(_) => return Err(Refusal::TradeUsed),
        None => put_receipt(state, &payment, proof, true),
    }
    let tenant = payment.tenant;
    let id = fresh.id();
    let lines = recipe::payment_late(payment.source(), payment.money);
    post(state, tenant, Cause::PaymentLate(id), &lines, context)?;
    let refund = own_refund(&payment, RefundOrigin::Late, id, context)?;
    hold(state, tenant, id, refund.from_account(), refund.money.amount)?;
    add_refund(state, &refund);
    let audited = Audited { actor: Actor::Channel, action: "payment.late", object: id.raw() };
    audit(state, tenant, audited, context);
    let happening = Happening::PaymentPaidAfterClose(&payment);
    tell(state, &teller(&payment), About::Payment(payment.id), happening, context, fresh)?;
    Ok(payment)
}

/// A refund that nobody asked for by number: of the whole payment, with a number of our own.
fn own_refund(
    payment: &Payment,
    origin: RefundOrigin,
    id: crate::refund::RefundId,
    context: &Context<'_>,
) -> Result<Refund, Refusal> {
    let fault = |e: crate::text::TextError| Refusal::Fault(e.to_string());
    let mut operation = Operation::dispatched(OperationKind::Refund, context.now);
    operation.state = OperationState::Intent;
    operation.tries = 0;
    operation.next_at = Some(context.now);
    Ok(Refund {
        tenant: payment.tenant,
        id,
        app: payment.app.clone(),
        payment: payment.id,
        public_id: PublicId::parse(&format!("own_{}", id.raw())).map_err(fault)?,
        route: payment.route,
        number: ChannelNumber::parse(&format!("own{}", id.raw())).map_err(fault)?,
        money: payment.money,
        description: Note::parse("paid after close").map_err(fault)?,
        echo: Echo::from_json("{}"),
        origin,
        created: context.now,
        state: RefundState::Pending,
        operation: (origin == RefundOrigin::Late).then_some(operation),
        request: None,
        exact_request: None,
        body_hash: [0; 32],
        version: 1,
    })
}

/// Puts a new refund in, with the look-up of its payment where that is loaded.
pub(super) fn add_refund(state: &mut State, refund: &Refund) {
    let of = (refund.tenant, refund.payment);
    if let Some(ids) = state.refunds_of.peek(&of).cloned() {
        state.refunds_of.put(of, [ids, vec![refund.id]].concat());
    }
    state.refunds.put((refund.tenant, refund.id), refund.clone());
}

fn receipt_of<'a>(
    state: &'a State,
    payment: &Payment,
    proof: &Proof,
) -> Result<Option<&'a ReceiptRow>, Refusal> {
    Ok(state.receipts.get(&(payment.tenant, payment.route, proof.trade_no.clone()))?)
}

fn put_receipt(state: &mut State, payment: &Payment, proof: &Proof, late: bool) {
    let row = ReceiptRow {
        tenant: payment.tenant,
        route: payment.route,
        trade_no: proof.trade_no.clone(),
        payment: payment.id,
        amount: proof.money.amount,
        late,
    };
    state.receipts.put((row.tenant, row.route, row.trade_no.clone()), row);
}

pub(super) fn record_prepared(
    state: &mut State,
    c: &RecordPrepared,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = load(state, c.tenant, c.payment)?;
    let about = (c.tenant, About::Payment(payment.id));
    note_step(state, about, c.token, step_of(&c.outcome), context);
    let Some(operation) = current(&mut payment.operation, OperationKind::Prepare, c.token) else {
        // A notice or a query was faster: what it said stands. If the answer was proof of payment,
        // the channel's notice and the queries tell it again.
        return Ok(Decided::Payment(payment));
    };
    match &c.outcome {
        Outcome::Accepted(Prepared::Credential(credential)) => {
            payment.operation = None;
            payment.state = PaymentState::Pending { credential: credential.clone() };
        }
        Outcome::Accepted(Prepared::Paid(proof)) => {
            return settle(state, payment, proof, context, &mut c.fresh.clone());
        }
        Outcome::Accepted(Prepared::Paying) => {
            operation.unknown(&paying(), context.now);
        }
        // Refused, or surely not sent: the merchant hears it at once and may ask again, so the
        // order number is free for another payment.
        Outcome::Refused(refusal) | Outcome::NotSent(refusal) => {
            payment.operation = None;
            payment.state = PaymentState::Failed {
                code: refusal.code.clone(),
                message: refusal.message.clone(),
                at: context.now,
            };
            let payment = finish(state, payment, "payment.failed", context);
            let happening = Happening::PaymentFailed(&payment);
            let mut fresh = c.fresh.clone();
            tell(state, &teller(&payment), about.1, happening, context, &mut fresh)?;
            return Ok(Decided::Payment(payment));
        }
        Outcome::Unknown(refusal) => operation.unknown(refusal, context.now),
    }
    payment.next_at = payment.watch(context.now);
    Ok(Decided::Payment(save(state, payment)))
}

fn paying() -> ChannelRefusal {
    ChannelRefusal {
        why: RefusalClass::Busy,
        code: "paying".into(),
        message: "the payer is confirming".into(),
    }
}

pub(super) fn record_found(
    state: &mut State,
    c: &RecordFound,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = load(state, c.tenant, c.payment)?;
    let mut fresh = c.fresh.clone();
    // A call is on its way and the query was answered before it: unless that tells something final,
    // only the call's own answer counts, for the channel may still do what it asks.
    let in_flight =
        payment.operation.as_ref().is_some_and(|o| o.state == OperationState::Dispatching);
    let is_final = match &c.outcome {
        Outcome::Accepted(PaymentFound::Paid { .. }) => payment.receipt().is_none(),
        Outcome::Accepted(PaymentFound::Closed) => true,
        Outcome::Accepted(PaymentFound::Nothing | PaymentFound::Waiting)
        | Outcome::Refused(_)
        | Outcome::Unknown(_)
        | Outcome::NotSent(_) => false,
    };
    if in_flight && !is_final {
        return Ok(Decided::Payment(payment));
    }
    let found = match &c.outcome {
        Outcome::Accepted(found) => found,
        Outcome::Refused(r) | Outcome::Unknown(r) | Outcome::NotSent(r) => {
            if let Some(operation) = &mut payment.operation {
                operation.unknown(r, context.now);
            }
            payment.next_at = payment.watch(context.now);
            return Ok(Decided::Payment(save(state, payment)));
        }
    };
    match (found, payment.state.clone()) {
        (PaymentFound::Paid { .. }, PaymentState::Reversing(_)) => {
            // The reverse did not happen: send it again under the same number.
            resend(&mut payment, OperationKind::Reverse, context);
        }
        (PaymentFound::Paid { proof }, _) if proof.money != payment.money => {
            // Nothing is booked that was not asked for; the schedule goes on to its end, where
            // people look.
            let object = payment.id.raw();
            let action = "payment.amount_differs";
            audit(state, c.tenant, Audited { actor: Actor::Channel, action, object }, context);
            if let Some(operation) = &mut payment.operation {
                operation.unknown(&paying(), context.now);
            }
        }
        (PaymentFound::Paid { proof }, _) => {
            return settle(state, payment, proof, context, &mut fresh);
        }
        (PaymentFound::Closed, PaymentState::Created | PaymentState::Pending { .. }) => {
            close(&mut payment, CloseReason::Expired, context);
            return Ok(Decided::Payment(finish(state, payment, "payment.closed", context)));
        }
        (PaymentFound::Closed | PaymentFound::Nothing, PaymentState::Closing { why }) => {
            // A trade that nobody opened cannot be paid any more once its time is over; if it is
            // all the same, the queries after the close or the notice will tell.
            close(&mut payment, why, context);
            return Ok(Decided::Payment(finish(state, payment, "payment.closed", context)));
        }
        (PaymentFound::Closed, PaymentState::Reversing(receipt)) => {
            return reversed(state, payment, receipt, context).map(Decided::Payment);
        }
        (PaymentFound::Waiting, PaymentState::Closing { .. }) => {
            let kind = payment.operation.as_ref().map_or(OperationKind::Close, |o| o.kind);
            resend(&mut payment, kind, context);
        }
        (
            PaymentFound::Waiting | PaymentFound::Nothing,
            PaymentState::Created
            | PaymentState::Pending { .. }
            | PaymentState::Paid(_)
            | PaymentState::Reversing(_)
            | PaymentState::Closed { .. }
            | PaymentState::Reversed { .. }
            | PaymentState::Failed { .. },
        )
        | (
            PaymentFound::Closed,
            PaymentState::Paid(_)
            | PaymentState::Closed { .. }
            | PaymentState::Reversed { .. }
            | PaymentState::Failed { .. },
        ) => {
            if let Some(operation) = &mut payment.operation {
                operation.unknown(&paying(), context.now);
            }
        }
    }
    payment.next_at = payment.watch(context.now);
    Ok(Decided::Payment(save(state, payment)))
}

/// Makes the operation due again, to be sent under the same number.
fn resend(payment: &mut Payment, kind: OperationKind, context: &Context<'_>) {
    let (tries, token) = payment.operation.as_ref().map_or((0, 0), |o| (o.tries, o.token));
    let mut operation = Operation::dispatched(kind, context.now);
    operation.tries = tries;
    operation.token = token;
    operation.state = OperationState::Intent;
    operation.next_at = crate::retry::after(crate::retry::RESEND_SECONDS, tries, context.now)
        .or(Some(context.now.plus_seconds(3_600)));
    payment.operation = Some(operation);
}

pub(super) fn begin_close(
    state: &mut State,
    c: &BeginClose,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = load(state, c.tenant, c.payment)?;
    let (why, kind) = match c.how {
        Ending::Expire => (CloseReason::Expired, OperationKind::Close),
        Ending::ReverseUnpaid => (CloseReason::Reversed, OperationKind::Close),
        Ending::ReverseAny { .. } => (CloseReason::Reversed, OperationKind::Reverse),
    };
    let is_over = why == CloseReason::Reversed && context.now >= payment.expires;
    match payment.state.clone() {
        // An expired payment is past every wish of its merchant (specs/pingpp.md §3.3).
        PaymentState::Created | PaymentState::Pending { .. } if is_over => {
            return Err(Refusal::PaymentClosed);
        }
        PaymentState::Created | PaymentState::Pending { .. } => {
            payment.state = PaymentState::Closing { why };
        }
        PaymentState::Closing { why: CloseReason::Expired } if why == CloseReason::Reversed => {
            return Err(Refusal::PaymentClosed);
        }
        // Somebody is at it.
        PaymentState::Closing { .. } | PaymentState::Reversing(_) => {
            return Ok(Decided::Payment(payment));
        }
        PaymentState::Closed { why: before, .. } => {
            return match (c.how, before) {
                (Ending::Expire, _) | (_, CloseReason::Reversed) => Ok(Decided::Payment(payment)),
                (Ending::ReverseUnpaid | Ending::ReverseAny { .. }, CloseReason::Expired) => {
                    Err(Refusal::PaymentClosed)
                }
            };
        }
        PaymentState::Reversed { .. } => return Ok(Decided::Payment(payment)),
        PaymentState::Failed { .. } => return Err(Refusal::PaymentClosed),
        PaymentState::Paid(receipt) => match c.how {
            Ending::Expire => return Ok(Decided::Payment(payment)),
            Ending::ReverseUnpaid => return Err(Refusal::NotReversible),
            Ending::ReverseAny { window_seconds } => {
                let in_time = context.now <= receipt.paid_at.plus_seconds(window_seconds);
                if !in_time || payment.refundable() != payment.money.amount {
                    return Err(Refusal::NotReversible);
                }
                let id = c.fresh.clone().id();
                let refund = own_refund(&payment, RefundOrigin::Reversal, id, context)?;
                hold(state, c.tenant, id, refund.from_account(), refund.money.amount)?;
                add_refund(state, &refund);
                payment.state = PaymentState::Reversing(receipt);
            }
        },
    }
    let operation = Operation::dispatched(kind, context.now);
    let about = About::Payment(payment.id);
    note_step(state, (c.tenant, about), operation.token, ("sent", None), context);
    payment.operation = Some(operation);
    payment.next_at = payment.watch(context.now);
    let actor = if c.how == Ending::Expire { Actor::Timer } else { Actor::Api };
    let audited = Audited { actor, action: "payment.closing", object: payment.id.raw() };
    audit(state, c.tenant, audited, context);
    Ok(Decided::Payment(save(state, payment)))
}

pub(super) fn record_closed(
    state: &mut State,
    c: &RecordClosed,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = load(state, c.tenant, c.payment)?;
    let about = (c.tenant, About::Payment(payment.id));
    note_step(state, about, c.token, step_of(&c.outcome), context);
    let why = match &payment.state {
        PaymentState::Closing { why } => *why,
        PaymentState::Created
        | PaymentState::Pending { .. }
        | PaymentState::Paid(_)
        | PaymentState::Reversing(_)
        | PaymentState::Closed { .. }
        | PaymentState::Reversed { .. }
        | PaymentState::Failed { .. } => return Ok(Decided::Payment(payment)),
    };
    let Some(operation) = current(&mut payment.operation, OperationKind::Close, c.token) else {
        return Ok(Decided::Payment(payment));
    };
    match &c.outcome {
        Outcome::Accepted(Closed::Closed) => close(&mut payment, why, context),
        Outcome::Refused(r) if r.why == RefusalClass::NotFound => {
            close(&mut payment, why, context);
        }
        Outcome::Accepted(Closed::AlreadyPaid) => ask_now(operation, context),
        Outcome::Refused(r) | Outcome::Unknown(r) => operation.unknown(r, context.now),
        Outcome::NotSent(r) => not_sent(operation, r, context),
    }
    if matches!(payment.state, PaymentState::Closed { .. }) {
        return Ok(Decided::Payment(finish(state, payment, "payment.closed", context)));
    }
    payment.next_at = payment.watch(context.now);
    Ok(Decided::Payment(save(state, payment)))
}

/// The channel hints at another truth than ours: ask it at once.
fn ask_now(operation: &mut Operation, context: &Context<'_>) {
    operation.state = OperationState::Unknown;
    operation.next_at = Some(context.now);
}

fn not_sent(operation: &mut Operation, refusal: &ChannelRefusal, context: &Context<'_>) {
    if !operation.not_sent(refusal, CLOSE_TRIES_MAX, context.now) {
        operation.unknown(refusal, context.now);
    }
}

pub(super) fn record_reversed(
    state: &mut State,
    c: &RecordReversed,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = load(state, c.tenant, c.payment)?;
    let about = (c.tenant, About::Payment(payment.id));
    note_step(state, about, c.token, step_of(&c.outcome), context);
    let Some(operation) = current(&mut payment.operation, OperationKind::Reverse, c.token) else {
        return Ok(Decided::Payment(payment));
    };
    let known = match payment.state.clone() {
        PaymentState::Closing { .. } => None,
        PaymentState::Reversing(receipt) => Some(receipt),
        PaymentState::Created
        | PaymentState::Pending { .. }
        | PaymentState::Paid(_)
        | PaymentState::Closed { .. }
        | PaymentState::Reversed { .. }
        | PaymentState::Failed { .. } => return Ok(Decided::Payment(payment)),
    };
    match (&c.outcome, known) {
        (Outcome::Accepted(ReversedAs::Refunded), Some(receipt)) => {
            return reversed(state, payment, receipt, context).map(Decided::Payment);
        }
        (Outcome::Accepted(ReversedAs::Closed | ReversedAs::Refunded), None) => {
            close(&mut payment, CloseReason::Reversed, context);
            return Ok(Decided::Payment(finish(state, payment, "payment.closed", context)));
        }
        (Outcome::Refused(r), None) if r.why == RefusalClass::NotFound => {
            close(&mut payment, CloseReason::Reversed, context);
            return Ok(Decided::Payment(finish(state, payment, "payment.closed", context)));
        }
        (Outcome::Refused(r), Some(receipt)) => {
            let id = open_reversal(state, &payment)?;
            end_hold(state, c.tenant, id, HoldState::Released)?;
            set_refund(
                state,
                c.tenant,
                id,
                |at| RefundState::Failed { at, code: r.code.clone(), message: r.message.clone() },
                context,
            )?;
            payment.operation = None;
            payment.state = PaymentState::Paid(receipt);
            return Ok(Decided::Payment(finish(state, payment, "payment.not_reversed", context)));
        }
        (Outcome::Accepted(ReversedAs::Closed), Some(_)) => ask_now(operation, context),
        (Outcome::Refused(r), None) | (Outcome::Unknown(r), _) => {
            operation.unknown(r, context.now);
        }
        (Outcome::NotSent(r), _) => not_sent(operation, r, context),
    }
    payment.next_at = payment.watch(context.now);
    Ok(Decided::Payment(save(state, payment)))
}

/// The whole payment went back.
fn reversed(
    state: &mut State,
    mut payment: Payment,
    receipt: Receipt,
    context: &Context<'_>,
) -> Result<Payment, Refusal> {
    let tenant = payment.tenant;
    let id = open_reversal(state, &payment)?;
    end_hold(state, tenant, id, HoldState::Captured)?;
    let refund =
        set_refund(state, tenant, id, |at| RefundState::Succeeded { at, trade_no: None }, context)?;
    let lines = recipe::refund_settled(refund.from_account(), payment.source(), refund.money);
    post(state, tenant, Cause::RefundSettled(id), &lines, context)?;
    payment.operation = None;
    payment.state = PaymentState::Reversed { receipt, at: context.now };
    Ok(finish(state, payment, "payment.reversed", context))
}

fn open_reversal(state: &State, payment: &Payment) -> Result<crate::refund::RefundId, Refusal> {
    let ids = state.refunds_of.get(&(payment.tenant, payment.id))?.cloned().unwrap_or_default();
    for id in ids {
        if let Some(refund) = state.refunds.get(&(payment.tenant, id))?
            && refund.origin == RefundOrigin::Reversal
            && !refund.state.is_final()
        {
            return Ok(id);
        }
    }
    Err(Refusal::Fault("a payment being reversed has no reversal".into()))
}

fn set_refund(
    state: &mut State,
    tenant: Tenant,
    id: crate::refund::RefundId,
    end: impl FnOnce(crate::time::Timestamp) -> RefundState,
    context: &Context<'_>,
) -> Result<Refund, Refusal> {
    let refund = state.refunds.get(&(tenant, id))?.cloned().ok_or(Refusal::NotFound("refund"))?;
    let version = refund.version + 1;
    let refund = Refund { state: end(context.now), operation: None, version, ..refund };
    state.refunds.put((tenant, id), refund.clone());
    Ok(refund)
}

fn close(payment: &mut Payment, why: CloseReason, context: &Context<'_>) {
    payment.operation = None;
    payment.queries = 0;
    payment.state = PaymentState::Closed { why, at: context.now };
}

/// Saves with the next look, and an audit row.
fn finish(
    state: &mut State,
    mut payment: Payment,
    action: &'static str,
    context: &Context<'_>,
) -> Payment {
    payment.next_at = payment.watch(context.now);
    let audited = Audited { actor: Actor::Channel, action, object: payment.id.raw() };
    audit(state, payment.tenant, audited, context);
    save(state, payment)
}

/// The operation if it is of this kind and under this claim.
fn current(
    operation: &mut Option<Operation>,
    kind: OperationKind,
    token: u32,
) -> Option<&mut Operation> {
    operation.as_mut().filter(|o| o.kind == kind && o.token == token)
}

pub(super) fn load(state: &State, tenant: Tenant, id: PaymentId) -> Result<Payment, Refusal> {
    state.payments.get(&(tenant, id))?.cloned().ok_or(Refusal::NotFound("payment"))
}

pub(super) fn save(state: &mut State, mut payment: Payment) -> Payment {
    let key = (payment.tenant, payment.id);
    if state.payments.peek(&key).is_some() {
        payment.version += 1;
    }
    state.payments.put(key, payment.clone());
    payment
}

pub(super) fn teller(payment: &Payment) -> Teller<'_> {
    Teller {
        tenant: payment.tenant,
        app: &payment.app,
        dialect: payment.dialect,
        request: payment.request.as_ref(),
    }
}

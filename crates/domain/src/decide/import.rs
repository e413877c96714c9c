//! History brought along from another system: objects keep their own ids, money is booked.

use super::payment::{add_refund, save};
use super::post::post;
use super::{Audited, Context, audit};
use crate::command::{Decided, ImportPayment};
use crate::event::Actor;
use crate::ledger::{Cause, recipe};
use crate::money::Amount;
use crate::payment::PaymentState;
use crate::refund::{RefundOrigin, RefundState};
use crate::refusal::Refusal;
use crate::state::{ReceiptRow, State};

/// Books one finished payment with its refunds. The same public id again changes nothing.
pub(super) fn payment(
    state: &mut State,
    c: &ImportPayment,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut payment = c.payment.clone();
    let tenant = payment.tenant;
    let public_key = (tenant, payment.public_id.clone());
    if state.public_payments.get(&public_key)?.is_some() {
        return Ok(Decided::Unchanged);
    }
    if state.apps.get(&(tenant.merchant, payment.app.clone()))?.is_none() {
        return Err(Refusal::NotFound("app"));
    }
    let channel = payment.channel.clone();
    let order_key = (tenant, payment.app.clone(), channel, payment.order_no.clone());
    if let Some(id) = state.orders.get(&order_key)?.copied() {
        let before = super::payment::load(state, tenant, id)?;
        return Err(Refusal::OrderNoUsed(Box::new(before)));
    }
    let number_key = (tenant, payment.route, payment.number.clone());
    if state.numbers.get(&number_key)?.is_some() {
        return Err(Refusal::NumberTaken);
    }
    state.public_payments.put(public_key, payment.id);
    state.orders.put(order_key, payment.id);
    state.numbers.put(number_key, payment.id);

    if let PaymentState::Paid(receipt) = &payment.state {
        let row = ReceiptRow {
            tenant,
            route: payment.route,
            trade_no: receipt.trade_no.clone(),
            payment: payment.id,
            amount: payment.money.amount,
            late: false,
        };
        let key = (tenant, payment.route, row.trade_no.clone());
        if state.receipts.get(&key)?.is_some() {
            return Err(Refusal::TradeUsed);
        }
        state.receipts.put(key, row);
        let lines = recipe::payment_settled(payment.source(), payment.money, payment.fee);
        post(state, tenant, Cause::PaymentSettled(payment.id), &lines, context)?;
    } else if !c.refunds.is_empty() {
        return Err(Refusal::NotPaid);
    }
    payment.refunded = Amount::ZERO;
    payment.refunding = Amount::ZERO;
    for refund in &c.refunds {
        if refund.origin != RefundOrigin::Import || !refund.state.is_final() {
            return Err(Refusal::Fault("an imported refund must be final".into()));
        }
        payment.refunds += 1;
        add_refund(state, refund);
        if let RefundState::Succeeded { .. } = refund.state {
            if refund.money.amount > payment.refundable() {
                return Err(Refusal::OverRefundable { left: payment.refundable() });
            }
            payment.refunded = payment.refunded.plus(refund.money.amount)?;
            let from = refund.from_account();
            let lines = recipe::refund_settled(from, payment.source(), refund.money);
            post(state, tenant, Cause::RefundSettled(refund.id), &lines, context)?;
        }
    }
    let object = payment.id.raw();
    save(state, payment);
    let audited = Audited { actor: Actor::Operator, action: "payment.imported", object };
    audit(state, tenant, audited, context);
    Ok(Decided::Done)
}

//! Due work claimed, and notices about unknown payments kept.

use super::{Context, note_step};
use crate::command::{ClaimWork, Decided, ParkNotice, Task, WorkItem};
use crate::event::{About, UnmatchedNotice};
use crate::operation::{LEASE_SECONDS, Operation, OperationState};
use crate::payment::{Payment, PaymentState};
use crate::refund::Refund;
use crate::refusal::Refusal;
use crate::retry;
use crate::state::State;

pub(super) fn work(
    state: &mut State,
    c: &ClaimWork,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mut tasks = Vec::with_capacity(c.items.len());
    for item in &c.items {
        match *item {
            WorkItem::Payment(tenant, id) => {
                let Some(payment) = state.payments.get(&(tenant, id))?.cloned() else { continue };
                if payment.next_at.is_some_and(|at| at <= context.now) {
                    tasks.extend(claim_payment(state, payment, context));
                }
            }
            WorkItem::Refund(tenant, id, of) => {
                let Some(refund) = state.refunds.get(&(tenant, id))?.cloned() else { continue };
                let Some(payment) = state.payments.get(&(tenant, of))?.cloned() else { continue };
                tasks.extend(claim_refund(state, refund, payment, context));
            }
        }
    }
    Ok(Decided::Tasks(tasks))
}

fn claim_payment(state: &mut State, mut payment: Payment, context: &Context<'_>) -> Option<Task> {
    let about = (payment.tenant, About::Payment(payment.id));
    let task: fn(Payment) -> Task;
    if let Some(operation) = &mut payment.operation {
        task = match claim_operation(operation, context)? {
            Step::Send => Task::Send,
            Step::Query => Task::Query,
        };
        let step = if operation.state == OperationState::Dispatching { "sent" } else { "query" };
        payment.next_at = operation.next_at;
        note_step(state, about, operation.token, (step, None), context);
    } else {
        task = match &payment.state {
            PaymentState::Created | PaymentState::Pending { .. }
                if context.now >= retry::close_at(payment.created, payment.expires) =>
            {
                Task::Expire
            }
            PaymentState::Created
            | PaymentState::Pending { .. }
            | PaymentState::Closing { .. }
            | PaymentState::Reversing(_)
            | PaymentState::Closed { .. } => {
                payment.queries = payment.queries.saturating_add(1);
                Task::Query
            }
            PaymentState::Paid(_) | PaymentState::Reversed { .. } | PaymentState::Failed { .. } => {
                return None;
            }
        };
        payment.next_at = Some(context.now.plus_seconds(LEASE_SECONDS));
    }
    Some(task(super::payment::save(state, payment)))
}

fn claim_refund(
    state: &mut State,
    mut refund: Refund,
    payment: Payment,
    context: &Context<'_>,
) -> Option<Task> {
    let about = (refund.tenant, About::Refund(refund.id));
    let operation = refund.operation.as_mut()?;
    if operation.next_at.is_none_or(|at| at > context.now) {
        return None;
    }
    let step = claim_operation(operation, context)?;
    let word = match step {
        Step::Send => "sent",
        Step::Query => "query",
    };
    note_step(state, about, operation.token, (word, None), context);
    refund.version += 1;
    state.refunds.put((refund.tenant, refund.id), refund.clone());
    Some(match step {
        Step::Send => Task::SendRefund(refund, payment),
        Step::Query => Task::QueryRefund(refund, payment),
    })
}

enum Step {
    Send,
    Query,
}

/// An operation found `Dispatching` past its lease was perhaps sent: it is asked after, not sent
/// again (specs/reliability.md §7.2, rule 2).
fn claim_operation(operation: &mut Operation, context: &Context<'_>) -> Option<Step> {
    match operation.state {
        OperationState::Intent => {
            operation.claim_send(context.now);
            Some(Step::Send)
        }
        OperationState::Dispatching | OperationState::Unknown => {
            operation.state = OperationState::Unknown;
            operation.claim_query(context.now);
            Some(Step::Query)
        }
        OperationState::Review => None,
    }
}

pub(super) fn park(
    state: &mut State,
    c: &ParkNotice,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let key = (c.tenant, c.notice_id.clone());
    if state.unmatched.get(&key)?.is_some() {
        return Ok(Decided::Unchanged);
    }
    let notice = UnmatchedNotice {
        tenant: c.tenant,
        number: c.number.clone(),
        notice_id: c.notice_id.clone(),
        at: context.now,
    };
    state.unmatched.put(key, notice);
    Ok(Decided::Done)
}

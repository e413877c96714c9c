//! Commands applied to rows: the only place where anything is decided.
//!
//! Pure: rows in, rows out, the time and the dialects' words as arguments. The same command on the
//! same rows decides the same.

mod admin;
mod claim;
mod delivery;
mod import;
mod payment;
mod post;
mod refund;
mod tell;

#[cfg(test)]
pub(crate) mod tests;

use crate::command::{Command, Decided};
use crate::event::{About, Attempt, AuditRow};
use crate::operation::{ChannelRefusal, Outcome};
use crate::refusal::Refusal;
use crate::state::State;
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::webhook::WebhookFormats;

/// What deciding needs besides rows.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The present instant.
    pub now: Timestamp,
    /// The dialects' words.
    pub formats: &'a dyn WebhookFormats,
}

/// Decides one command. On refusal the state is as before.
pub fn decide(
    state: &mut State,
    command: &Command,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let mark = state.mark();
    let decided = apply(state, command, context);
    match &decided {
        Ok(_) => state.keep(),
        Err(_) => state.roll_back(&mark),
    }
    decided
}

fn apply(state: &mut State, command: &Command, context: &Context<'_>) -> Result<Decided, Refusal> {
    match command {
        Command::OpenPayment(c) => payment::open(state, c, context),
        Command::RecordPrepared(c) => payment::record_prepared(state, c, context),
        Command::SettlePayment(c) => payment::settle_by_notice(state, c, context),
        Command::RecordFound(c) => payment::record_found(state, c, context),
        Command::BeginClose(c) => payment::begin_close(state, c, context),
        Command::RecordClosed(c) => payment::record_closed(state, c, context),
        Command::RecordReversed(c) => payment::record_reversed(state, c, context),
        Command::CreateRefund(c) => refund::create(state, c, context),
        Command::CreateBatch(c) => refund::create_batch(state, c, context),
        Command::RecordRefund(c) => refund::record(state, c, context),
        Command::ClaimWork(c) => claim::work(state, c, context),
        Command::ClaimDeliveries(c) => delivery::claim(state, c, context),
        Command::RecordDelivery(c) => delivery::record(state, c, context),
        Command::Resend(c) => delivery::resend(state, c, context),
        Command::ParkNotice(c) => claim::park(state, c, context),
        Command::Admin(c) => admin::apply(state, c, context),
        Command::Import(c) => import::payment(state, c, context),
    }
}

fn audit(state: &mut State, tenant: Tenant, command: Audited, context: &Context<'_>) {
    let Audited { actor, action, object } = command;
    state.audit.push(AuditRow { tenant, at: context.now, actor, action, object });
}

struct Audited {
    actor: crate::event::Actor,
    action: &'static str,
    object: i64,
}

/// The audit trail's word for an outcome, and the channel's code.
fn step_of<T>(outcome: &Outcome<T>) -> (&'static str, Option<&ChannelRefusal>) {
    match outcome {
        Outcome::Accepted(_) => ("accepted", None),
        Outcome::Refused(r) => ("refused", Some(r)),
        Outcome::Unknown(r) => ("unknown", Some(r)),
        Outcome::NotSent(r) => ("not_sent", Some(r)),
    }
}

fn note_step(
    state: &mut State,
    (tenant, about): (Tenant, About),
    token: u32,
    (step, refusal): (&'static str, Option<&ChannelRefusal>),
    context: &Context<'_>,
) {
    let code = refusal.map(|r| r.code.clone());
    state.attempts.push(Attempt { tenant, about, at: context.now, token, step, code });
}

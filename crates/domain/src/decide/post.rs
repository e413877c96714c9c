//! Posting journals and moving holds: the only functions that touch balances.

use super::Context;
use crate::ledger::{Account, AccountKey, AccountPath, Cause, ChainHead, Entry, Journal, Line};
use crate::money::Amount;
use crate::refund::RefundId;
use crate::refusal::Refusal;
use crate::state::{Hold, HoldState, State};
use crate::tenant::Tenant;

/// Posts balanced lines: accounts, chain and journal change together or not at all.
pub(super) fn post(
    state: &mut State,
    tenant: Tenant,
    cause: Cause,
    lines: &[Line],
    context: &Context<'_>,
) -> Result<(), Refusal> {
    Journal::check(lines)?;
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let mut account = account(state, tenant, line.path)?;
        let balance_after = account.post(line.side, line.amount)?;
        entries.push(Entry { line: *line, balance_after, account_seq: account.entries });
        state.accounts.put(account.key, account);
    }
    let head = state.chains.get(&tenant)?.cloned().unwrap_or(ChainHead::start(tenant));
    let journal = Journal::balanced(&head, cause, context.now, entries)?;
    state.chains.put(tenant, journal.head());
    state.journals.push(journal);
    Ok(())
}

/// The account as it stands; one that was never posted to is empty.
pub(super) fn account(
    state: &State,
    tenant: Tenant,
    path: AccountPath,
) -> Result<Account, Refusal> {
    let key = AccountKey { tenant, path };
    Ok(state.accounts.get(&key)?.cloned().unwrap_or(Account::empty(key)))
}

/// Reserves money for a refund.
pub(super) fn hold(
    state: &mut State,
    tenant: Tenant,
    refund: RefundId,
    path: AccountPath,
    amount: Amount,
) -> Result<(), Refusal> {
    let mut account = account(state, tenant, path)?;
    account.hold(amount)?;
    state.accounts.put(account.key, account);
    let hold = Hold { tenant, refund, path, amount, state: HoldState::Open, version: 1 };
    state.holds.put((tenant, refund), hold);
    Ok(())
}

/// Ends a refund's hold, once: captured right before its journal is posted, or released.
pub(super) fn end_hold(
    state: &mut State,
    tenant: Tenant,
    refund: RefundId,
    end: HoldState,
) -> Result<(), Refusal> {
    let Some(hold) = state.holds.get(&(tenant, refund))?.cloned() else {
        return Err(Refusal::Fault(format!("refund {refund:?} has no hold")));
    };
    if hold.state != HoldState::Open {
        return Err(Refusal::Fault(format!("the hold of refund {refund:?} ended before")));
    }
    let mut account = account(state, tenant, hold.path)?;
    account.release(hold.amount)?;
    state.accounts.put(account.key, account);
    let ended = Hold { state: end, version: hold.version + 1, ..hold };
    state.holds.put((tenant, refund), ended);
    Ok(())
}

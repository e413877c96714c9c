//! Operators' changes decided.

use super::post::{account, post};
use super::{Audited, Context, audit};
use crate::command::{Admin, Decided};
use crate::event::Actor;
use crate::ledger::{AccountPath, Cause, recipe};
use crate::money::Amount;
use crate::refusal::Refusal;
use crate::state::State;
use crate::tenant::{Member, Mode, Tenant};

pub(super) fn apply(
    state: &mut State,
    command: &Admin,
    context: &Context<'_>,
) -> Result<Decided, Refusal> {
    let (tenant, action, object) = match command {
        Admin::PutMerchant(merchant) => {
            state.merchants.get(&merchant.id)?;
            state.merchants.put(merchant.id, merchant.clone());
            (tenant_of(merchant.id), "merchant.put", merchant.id.raw())
        }
        Admin::PutApp(app) => {
            state.apps.get(&(app.merchant, app.id.clone()))?;
            state.apps.put((app.merchant, app.id.clone()), app.clone());
            (tenant_of(app.merchant), "app.put", 0)
        }
        Admin::PutApiKey(key) => {
            let before = state.api_keys.get(&key.hash)?;
            if before.is_some_and(|b| b.merchant != key.merchant || b.mode != key.mode) {
                return Err(Refusal::Exists("API key"));
            }
            state.api_keys.put(key.hash, key.clone());
            (Tenant { merchant: key.merchant, mode: key.mode }, "api_key.put", 0)
        }
        Admin::PutMerchantKey(key) => {
            state.merchant_keys.get(&(key.tenant, key.fingerprint.clone()))?;
            state.merchant_keys.put((key.tenant, key.fingerprint.clone()), key.clone());
            (key.tenant, "merchant_key.put", 0)
        }
        Admin::PutRoute(route) => {
            let mut route = route.clone();
            let before = state.routes.get(&(route.tenant, route.id))?;
            route.version = before.map_or(0, |b| b.version) + 1;
            let put = (route.tenant, "route.put", route.id.raw());
            state.routes.put((route.tenant, route.id), route);
            put
        }
        Admin::PutEndpoint(endpoint) => {
            state.endpoints.get(&(endpoint.tenant, endpoint.id))?;
            state.endpoints.put((endpoint.tenant, endpoint.id), endpoint.clone());
            (endpoint.tenant, "endpoint.put", endpoint.id.raw())
        }
        Admin::PutMember { tenant, app, user, id, disabled } => {
            let key = (*tenant, app.clone(), user.clone());
            let before = state.members.get(&key)?;
            let id = before.map_or(*id, |b| b.id);
            let created = before.map_or(context.now, |b| b.created);
            let (app, user, disabled) = (app.clone(), user.clone(), *disabled);
            let member = Member { tenant: *tenant, app, id, user, created, disabled };
            state.members.put(key, member);
            (*tenant, "member.put", id.raw())
        }
        Admin::OpenBalance { tenant, path, balance, fresh } => {
            let cause = Cause::Opening(fresh.clone().id());
            if !open_balance(state, *tenant, *path, *balance, (cause, context))? {
                return Ok(Decided::Unchanged);
            }
            (*tenant, "balance.opened", cause.parts().1)
        }
    };
    audit(state, tenant, Audited { actor: Actor::Operator, action, object }, context);
    Ok(Decided::Done)
}

fn tenant_of(merchant: crate::tenant::MerchantId) -> Tenant {
    Tenant { merchant, mode: Mode::Live }
}

/// Posts the difference to the stated balance; false if there is none.
fn open_balance(
    state: &mut State,
    tenant: Tenant,
    path: AccountPath,
    balance: Amount,
    (cause, context): (Cause, &Context<'_>),
) -> Result<bool, Refusal> {
    let now = account(state, tenant, path)?.balance();
    let difference = i128::from(balance.minor()) - now;
    let size = i64::try_from(difference.unsigned_abs())
        .map_err(|_| Refusal::Fault("a balance is out of range".into()))?;
    let size = Amount::new(size)?;
    let lines = match difference {
        0 => return Ok(false),
        1.. => recipe::opening(path, size),
        ..0 => recipe::opening_lowered(path, size),
    };
    post(state, tenant, cause, &lines, context)?;
    Ok(true)
}

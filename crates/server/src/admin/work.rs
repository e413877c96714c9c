//! Wallet users and their balances; messages sent again.

use domain::command::{Admin, Command, Resend as ResendCommand};
use domain::currency::Currency;
use domain::event::DeliveryState;
use domain::money::Amount;
use domain::text::{PublicId, UserId};
use serde_json::{Value, json};

use super::request::{MemberAdd, MemberBalance, Resend, app, tenant};
use super::settings::submit;
use super::{AdminDesk, AdminError};

fn user_id(text: &str) -> Result<UserId, AdminError> {
    UserId::parse(text).map_err(|e| AdminError::new(format!("user: {e}")))
}

pub(super) async fn member_add(desk: &AdminDesk, r: MemberAdd) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let app = app(desk, tenant.merchant, r.app.as_deref()).await?.id;
    let (user, id) = (user_id(&r.user)?, desk.engine.id());
    let disabled = r.disabled;
    submit(desk, Admin::PutMember { tenant, app, user, id, disabled }).await?;
    Ok(json!({ "user": r.user, "disabled": disabled }))
}

pub(super) async fn member_balance(
    desk: &AdminDesk,
    r: MemberBalance,
) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let app = app(desk, tenant.merchant, r.app.as_deref()).await?.id;
    let user = user_id(&r.user)?;
    let currency = Currency::from_code(r.currency.as_deref().unwrap_or("cny"))
        .ok_or_else(|| AdminError::new("currency: three letters of ISO 4217, such as cny"))?;
    let balance = Amount::new(r.balance).map_err(|e| AdminError::new(format!("balance: {e}")))?;
    let member = desk.engine.read(|q| q.member(tenant, &app, &user)).await?;
    let member = member.ok_or_else(|| {
        AdminError::new("user: there is no such wallet user; make it with `member add`")
    })?;
    let path = member.wallet(currency);
    let fresh = desk.engine.fresh();
    submit(desk, Admin::OpenBalance { tenant, path, balance, fresh }).await?;
    Ok(json!({ "user": r.user, "balance": balance.minor(), "currency": currency.code() }))
}

pub(super) async fn resend(desk: &AdminDesk, r: Resend) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let id = PublicId::parse(&r.event).map_err(|e| AdminError::new(format!("event: {e}")))?;
    let event = desk.engine.read(|q| q.event(tenant, &id)).await?;
    let event = event.ok_or_else(|| AdminError::new("event: there is no such event"))?;
    let rows = desk.engine.read(|q| q.deliveries(tenant, event.id)).await?;
    let mut resent = 0;
    for (delivery, _) in rows {
        if r.all || delivery.state != DeliveryState::Delivered {
            let command = ResendCommand { tenant, delivery: delivery.id };
            desk.engine.submit(Command::Resend(command)).await?;
            resent += 1;
        }
    }
    Ok(json!({ "event": r.event, "resent": resent }))
}

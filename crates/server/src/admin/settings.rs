//! Merchants, apps, keys, routes, channels and endpoints: made and changed.

use domain::ambient::random_alphanumeric;
use domain::command::{Admin, Command};
use domain::money::BasisPoints;
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, IdScheme, Merchant, MerchantKey, Mode, Route,
};
use domain::text::{AppId, ChannelName};
use serde_json::{Value, json};
use sign::rsa::PublicKey;

use super::request::{
    AppAdd, AppSet, ChannelDisable, ChannelEnable, EndpointAdd, EndpointRemove, KeyAdd, KeyRevoke,
    MerchantAdd, MerchantSet, PublicKeyAdd, PublicKeyRevoke, RouteAdd, RouteSet, app, merchant,
    mode_word, tenant,
};
use super::{AdminDesk, AdminError, route_settings_place};

pub(super) async fn submit(desk: &AdminDesk, admin: Admin) -> Result<(), AdminError> {
    desk.engine.submit(Command::Admin(Box::new(admin))).await?;
    Ok(())
}

pub(super) async fn merchant_add(desk: &AdminDesk, r: MerchantAdd) -> Result<Value, AdminError> {
    if r.name.trim().is_empty() {
        return Err(AdminError::new("name: a merchant needs a name"));
    }
    let row = Merchant {
        id: desk.engine.id(),
        name: r.name.trim().into(),
        created: desk.engine.now(),
        live_signature_required: false,
        test_signature_required: false,
        sign_responses: true,
        disabled: false,
    };
    let answer = json!({ "merchant": row.id.raw(), "name": row.name });
    submit(desk, Admin::PutMerchant(row)).await?;
    Ok(answer)
}

pub(super) async fn merchant_set(desk: &AdminDesk, r: MerchantSet) -> Result<Value, AdminError> {
    let before = merchant(desk, r.merchant).await?;
    let row = Merchant {
        live_signature_required: r
            .live_signature_required
            .unwrap_or(before.live_signature_required),
        test_signature_required: r
            .test_signature_required
            .unwrap_or(before.test_signature_required),
        sign_responses: r.sign_responses.unwrap_or(before.sign_responses),
        disabled: r.disabled.unwrap_or(before.disabled),
        ..before
    };
    let answer = super::show::merchant(&row);
    submit(desk, Admin::PutMerchant(row)).await?;
    Ok(answer)
}

fn fee(fee_bp: u16) -> Result<BasisPoints, AdminError> {
    BasisPoints::new(fee_bp)
        .ok_or_else(|| AdminError::new("fee_bp: at most 10000 ten-thousandths, the whole amount"))
}

fn scheme(alphanumeric: bool) -> IdScheme {
    if alphanumeric { IdScheme::Alphanumeric } else { IdScheme::Digits }
}

pub(super) async fn app_add(desk: &AdminDesk, r: AppAdd) -> Result<Value, AdminError> {
    let merchant = merchant(desk, r.merchant).await?;
    let made_up = format!("app_{}", random_alphanumeric(desk.engine.entropy(), 16));
    let id = AppId::parse(r.id.as_deref().unwrap_or(&made_up))
        .map_err(|e| AdminError::new(format!("id: {e}")))?;
    let apps = desk.engine.read(|q| q.apps(merchant.id)).await?;
    if apps.iter().any(|a| a.id == id) {
        return Err(AdminError::new(format!("id: the merchant has an app {id} already")));
    }
    let row = App {
        merchant: merchant.id,
        id,
        display_name: r.name.into(),
        created: desk.engine.now(),
        id_scheme: scheme(r.alphanumeric_ids),
        fee: fee(r.fee_bp.unwrap_or(0))?,
        channels: Vec::new(),
        disabled: false,
    };
    let answer = super::show::app(&row);
    submit(desk, Admin::PutApp(row)).await?;
    Ok(answer)
}

pub(super) async fn app_set(desk: &AdminDesk, r: AppSet) -> Result<Value, AdminError> {
    let merchant = merchant(desk, r.merchant).await?;
    let before = app(desk, merchant.id, Some(&r.app)).await?;
    let row = App {
        display_name: r.name.map_or(before.display_name, Into::into),
        fee: r.fee_bp.map_or(Ok(before.fee), fee)?,
        id_scheme: r.alphanumeric_ids.map_or(before.id_scheme, scheme),
        disabled: r.disabled.unwrap_or(before.disabled),
        ..before
    };
    let answer = super::show::app(&row);
    submit(desk, Admin::PutApp(row)).await?;
    Ok(answer)
}

/// What people may see of a key: its prefix and last four characters.
pub(super) fn key_hint(key: &str) -> Box<str> {
    let prefix: String = key.chars().take(8).collect();
    let end: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
    format!("{prefix}…{end}").into()
}

pub(super) async fn key_add(desk: &AdminDesk, r: KeyAdd) -> Result<Value, AdminError> {
    let merchant = merchant(desk, r.merchant).await?;
    let mode: Mode = r.mode.into();
    // Exactly 32 characters: one client tells a key argument by its length
    // (specs/pingpp.md §1.1).
    let random = random_alphanumeric(desk.engine.entropy(), 24);
    let key = format!("sk_{}_{random}", mode_word(mode));
    let row = ApiKey {
        hash: sign::digest::sha256(key.as_bytes()),
        merchant: merchant.id,
        mode,
        dialect: Dialect::Pingpp,
        hint: key_hint(&key),
        created: desk.engine.now(),
        revoked: None,
    };
    submit(desk, Admin::PutApiKey(row)).await?;
    Ok(json!({ "api_key": key, "mode": mode_word(mode), "merchant": merchant.id.raw() }))
}

pub(super) async fn key_revoke(desk: &AdminDesk, r: KeyRevoke) -> Result<Value, AdminError> {
    let merchant = merchant(desk, r.merchant).await?;
    let keys = desk.engine.read(|q| q.api_keys(merchant.id)).await?;
    let mut revoked = Vec::new();
    for key in keys.into_iter().filter(|k| *k.hint == *r.hint && k.revoked.is_none()) {
        revoked.push(key.hint.clone());
        let revoked = Some(desk.engine.now());
        submit(desk, Admin::PutApiKey(ApiKey { revoked, ..key })).await?;
    }
    if revoked.is_empty() {
        let text = format!("hint: no working key looks like {}; `key list` shows all", r.hint);
        return Err(AdminError::new(text));
    }
    Ok(json!({ "revoked": revoked }))
}

pub(super) async fn public_key_add(desk: &AdminDesk, r: PublicKeyAdd) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let key = PublicKey::from_pem(&r.pem).map_err(|e| {
        AdminError::new(format!(
            "pem: {e}; give the public key (BEGIN PUBLIC KEY), not the private one"
        ))
    })?;
    let row = MerchantKey {
        tenant,
        fingerprint: key.fingerprint().into(),
        pem: key.to_spki_pem().into(),
        created: desk.engine.now(),
        revoked: None,
    };
    let fingerprint = row.fingerprint.clone();
    submit(desk, Admin::PutMerchantKey(row)).await?;
    Ok(json!({ "fingerprint": fingerprint, "mode": mode_word(tenant.mode) }))
}

pub(super) async fn public_key_revoke(
    desk: &AdminDesk,
    r: PublicKeyRevoke,
) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let keys = desk.engine.read(|q| q.merchant_keys(tenant)).await?;
    let found = keys.into_iter().find(|k| k.fingerprint.starts_with(&r.fingerprint));
    let key = found.ok_or_else(|| AdminError::new("fingerprint: no such key is registered"))?;
    let revoked = Some(desk.engine.now());
    let fingerprint = key.fingerprint.clone();
    submit(desk, Admin::PutMerchantKey(MerchantKey { revoked, ..key })).await?;
    Ok(json!({ "revoked": fingerprint }))
}

pub(super) async fn route_add(desk: &AdminDesk, r: RouteAdd) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let id = desk.engine.id();
    let route = Route {
        tenant,
        id,
        connector: r.connector.into(),
        name: r.name.into(),
        settings: seal(desk, id, &r.settings),
        version: 0,
        disabled: false,
    };
    desk.connectors.connect(&route).map_err(|e| AdminError::new(format!("settings: {e}")))?;
    submit(desk, Admin::PutRoute(route)).await?;
    Ok(json!({ "route": id.raw(), "notify_url": desk.engine.notify_url(id) }))
}

fn seal(desk: &AdminDesk, id: domain::tenant::RouteId, settings: &Value) -> Box<str> {
    let text = if settings.is_null() { "{}".to_owned() } else { settings.to_string() };
    desk.sealer.seal(&route_settings_place(id), text.as_bytes()).into()
}

pub(super) async fn route_set(desk: &AdminDesk, r: RouteSet) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let before = route(desk, tenant, r.route).await?;
    let settings = r.settings.map_or(before.settings.clone(), |s| seal(desk, before.id, &s));
    let disabled = r.disabled.unwrap_or(before.disabled);
    let row = Route { settings, disabled, ..before };
    desk.connectors.connect(&row).map_err(|e| AdminError::new(format!("settings: {e}")))?;
    let answer = super::show::route(&row);
    submit(desk, Admin::PutRoute(row)).await?;
    Ok(answer)
}

async fn route(
    desk: &AdminDesk,
    tenant: domain::tenant::Tenant,
    number: i64,
) -> Result<Route, AdminError> {
    let routes = desk.engine.read(|q| q.routes(tenant)).await?;
    routes.into_iter().find(|r| r.id.raw() == number).ok_or_else(|| {
        AdminError::new(format!(
            "route: there is no route {number} in this mode; `route list` shows all"
        ))
    })
}

fn channel_names(names: &[String]) -> Result<Vec<ChannelName>, AdminError> {
    if names.is_empty() {
        return Err(AdminError::new("channels: name at least one, such as alipay_wap"));
    }
    let parse = |name: &String| {
        ChannelName::parse(name).map_err(|e| AdminError::new(format!("channels: {name:?} {e}")))
    };
    names.iter().map(parse).collect()
}

pub(super) async fn channel_enable(
    desk: &AdminDesk,
    r: ChannelEnable,
) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let mut row = app(desk, tenant.merchant, Some(&r.app)).await?;
    let route = route(desk, tenant, r.route).await?.id;
    for channel in channel_names(&r.channels)? {
        row.channels.retain(|c| c.mode != tenant.mode || c.channel != channel);
        row.channels.push(AppChannel { mode: tenant.mode, channel, route });
    }
    let answer = super::show::app(&row);
    submit(desk, Admin::PutApp(row)).await?;
    Ok(answer)
}

pub(super) async fn channel_disable(
    desk: &AdminDesk,
    r: ChannelDisable,
) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let mut row = app(desk, tenant.merchant, Some(&r.app)).await?;
    for channel in channel_names(&r.channels)? {
        row.channels.retain(|c| c.mode != tenant.mode || c.channel != channel);
    }
    let answer = super::show::app(&row);
    submit(desk, Admin::PutApp(row)).await?;
    Ok(answer)
}

pub(super) async fn endpoint_add(desk: &AdminDesk, r: EndpointAdd) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let app = app(desk, tenant.merchant, r.app.as_deref()).await?;
    let scheme_ok = r.url.starts_with("https://") || r.url.starts_with("http://");
    if !scheme_ok || r.url.len() > 250 {
        let text = "url: an http or https address of at most 250 characters is needed";
        return Err(AdminError::new(text));
    }
    let row = Endpoint {
        tenant,
        app: app.id,
        id: desk.engine.id(),
        dialect: Dialect::Pingpp,
        url: r.url.into(),
        events: r.events.into_iter().map(Into::into).collect(),
        created: desk.engine.now(),
        disabled: false,
    };
    let answer = super::show::endpoint(&row);
    submit(desk, Admin::PutEndpoint(row)).await?;
    Ok(answer)
}

pub(super) async fn endpoint_remove(
    desk: &AdminDesk,
    r: EndpointRemove,
) -> Result<Value, AdminError> {
    let tenant = tenant(desk, r.merchant, r.mode).await?;
    let id = domain::id::Id::from_raw(r.endpoint);
    let found = desk.engine.read(|q| q.endpoint(tenant, id)).await?;
    let before = found.ok_or_else(|| AdminError::new("endpoint: there is none of this number"))?;
    let row = Endpoint { disabled: true, ..before };
    let answer = super::show::endpoint(&row);
    submit(desk, Admin::PutEndpoint(row)).await?;
    Ok(answer)
}

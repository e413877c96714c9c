//! Creating, retrieving and reversing charges (specs/pingpp.md §2.1, §2.3, §2.5).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::command::Ending;
use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::operation::OperationState;
use domain::payment::{Payment, PaymentState};
use domain::refusal::Refusal;
use domain::tenant::{App, Dialect};
use domain::text::{AppId, ChannelName, Echo, Note, Subject, UserId};
use domain::time::Timestamp;
use engine::{Engine, NewPayment};

use super::channel_extra::{Expiry, Reversal, Rules, Window};
use super::error::Problem;
use super::ids::Look;
use super::render::{self, Charge, EMBEDDED_REFUNDS_MAX, to_json};
use super::request::{self, Call, expands_app, id_in_path, integer, metadata, optional_text, text};
use super::value::{Map, Value};
use super::{Pingpp, PingppSettings};

const SUBJECT_MAX: usize = 32;
const DESCRIPTION_MAX: usize = 255;
/// Amounts fit a signed 32-bit number whatever the settings say (§0, R20).
const AMOUNT_CEILING: i64 = 2_147_483_647;

/// `POST /v1/charges`.
pub(super) async fn create(pingpp: &Pingpp, call: &Call<'_>) -> Result<String, Problem> {
    let engine = &pingpp.engine;
    let fields = call.fields()?;
    let expand = expands_app(&fields) || expands_app(&call.query()?);
    let new = new_payment(pingpp, call, &fields)?;
    let app = new.app.clone();
    let opening = engine.open_payment(new).await;
    let opening = opening.map_err(|e| Problem::of_pay(e, &call.request))?;
    let payment = if opening.is_new {
        opening.payment
    } else {
        first_answer(engine, call, opening.payment).await?
    };
    Ok(to_json(&Charge::new(&payment, &[], expand.then_some(&*app))))
}

/// Two equal requests at once make one charge: the second waits for the channel's answer to the
/// first, because a charge without a credential is of no use to it.
async fn first_answer(
    engine: &Engine,
    call: &Call<'_>,
    mut payment: Payment,
) -> Result<Payment, Problem> {
    const WAIT: Duration = Duration::from_millis(50);
    const LOOKS_MAX: usize = 200;
    for _ in 0..LOOKS_MAX {
        let operation = payment.operation.as_ref();
        let asking = matches!(payment.state, PaymentState::Created)
            && operation.is_some_and(|o| o.state == OperationState::Dispatching);
        if !asking {
            return Ok(payment);
        }
        tokio::time::sleep(WAIT).await;
        payment = find_by_id(engine, call, payment).await?;
    }
    Err(Problem::still_preparing())
}

async fn find_by_id(
    engine: &Engine,
    call: &Call<'_>,
    payment: Payment,
) -> Result<Payment, Problem> {
    let read = engine.read(|q| q.payments_by_id(payment.tenant, &[payment.id])).await;
    let found = read.map_err(|e| Problem::of_refusal(e, &call.request))?;
    Ok(found.into_iter().next().unwrap_or(payment))
}

/// `GET /v1/charges/{id}`.
pub(super) async fn retrieve(
    engine: &Engine,
    call: &Call<'_>,
    id: &str,
) -> Result<String, Problem> {
    let expand = expands_app(&call.query()?);
    let payment = find(engine, call, id).await?;
    render(engine, call, &payment, expand).await
}

/// `POST /v1/charges/{id}/reverse`; the body says nothing.
pub(super) async fn reverse(engine: &Engine, call: &Call<'_>, id: &str) -> Result<String, Problem> {
    let payment = find(engine, call, id).await?;
    call.fields()?;
    let how = ending_of(&payment, engine.now());
    let how = how.ok_or_else(|| Problem::of_refusal(Refusal::NotReversible, &call.request))?;
    let ended = engine.reverse(&payment, how, Some(call.request.clone())).await;
    let ended = ended.map_err(|e| Problem::of_pay(e, &call.request))?;
    match &ended.state {
        _ if render::is_reversed(&ended) => render(engine, call, &ended, false).await,
        // The payer was faster than the close.
        PaymentState::Paid(_) => Err(Problem::of_refusal(Refusal::NotReversible, &call.request)),
        _ => Err(Problem::still_closing()),
    }
}

/// How the channel lets a charge be ended now (§2.5); a reversed one may be reversed again.
fn ending_of(payment: &Payment, now: Timestamp) -> Option<Ending> {
    if render::is_reversed(payment) {
        return Some(Ending::ReverseUnpaid);
    }
    let rules = Rules::of(payment.channel.as_str())?;
    match rules.reversal() {
        Reversal::Never => None,
        Reversal::Unpaid => Some(Ending::ReverseUnpaid),
        Reversal::UnpaidSameDay => {
            let window = Window::UnionpayDay.seconds_after(payment.created);
            let end = payment.created.plus_seconds(window);
            (now <= end).then_some(Ending::ReverseUnpaid)
        }
        Reversal::Any(window) => {
            let paid_at = payment.receipt().map_or(now, |receipt| receipt.paid_at);
            Some(Ending::ReverseAny { window_seconds: window.seconds_after(paid_at) })
        }
    }
}

/// A charge of this account by the id in the path.
pub(super) async fn find(engine: &Engine, call: &Call<'_>, id: &str) -> Result<Payment, Problem> {
    let unknown = || Problem::not_found("charge", id, "id");
    let public_id = id_in_path(id).ok_or_else(unknown)?;
    let found = engine.read(|q| q.payment(call.caller.tenant, &public_id)).await;
    found.map_err(|e| Problem::of_refusal(e, &call.request))?.ok_or_else(unknown)
}

async fn render(
    engine: &Engine,
    call: &Call<'_>,
    payment: &Payment,
    expand: bool,
) -> Result<String, Problem> {
    let refunds = if payment.refunds == 0 {
        Vec::new()
    } else {
        let limit = u32::try_from(EMBEDDED_REFUNDS_MAX + 1).unwrap_or(u32::MAX);
        let read = engine.read(|q| q.refunds_of(payment.tenant, &[payment.id], limit)).await;
        read.map_err(|e| Problem::of_refusal(e, &call.request))?
    };
    let app = if expand { call.caller.app(&payment.app) } else { None };
    Ok(to_json(&Charge::new(payment, &refunds, app.map(|app| &**app))))
}

/// Checks every parameter (§2.1); the first wrong one names itself.
fn new_payment(pingpp: &Pingpp, call: &Call<'_>, fields: &Map) -> Result<NewPayment, Problem> {
    let now = pingpp.engine.now();
    let tenant = call.caller.tenant;
    let app = app_of(call, fields)?;
    let channel = text(fields, "channel", ChannelName::LEN_MAX)?;
    let rules = Rules::of(channel).ok_or_else(|| Problem::wrong("channel", "is unknown"))?;
    let channel = ChannelName::parse(channel).map_err(|e| Problem::wrong("channel", e))?;
    let order_no = rules.order_no(text(fields, "order_no", 64)?)?;
    let amount = amount_of(&pingpp.settings, fields)?;
    let client_ip = text(fields, "client_ip", 45)?;
    if client_ip.parse::<IpAddr>().is_err() {
        return Err(Problem::wrong("client_ip", "must be an IPv4 or IPv6 address"));
    }
    let currency = currency_of(rules, fields)?;
    let subject = subject_of(rules, fields)?;
    let body = text(fields, "body", rules.body_chars_max())?;
    let body = Note::parse(body).map_err(|e| Problem::wrong("body", e))?;
    let description = optional_text(fields, "description", DESCRIPTION_MAX)?;
    let description = description.filter(|text| !text.is_empty()).map(Note::parse).transpose();
    let description = description.map_err(|e| Problem::wrong("description", e))?;
    let extra = request::map(fields, "extra")?.cloned().unwrap_or_default();
    let metadata = metadata(fields)?;
    let expires = expiry_of(rules, fields, now)?;
    if app.route(tenant.mode, &channel).is_none() {
        return Err(Problem::wrong("channel", "is not enabled for this app"));
    }
    rules.check_extra(&extra)?;
    let look = Look { scheme: app.id_scheme, mode: tenant.mode, now };
    let public_id = look.charge(pingpp.engine.entropy());
    Ok(NewPayment {
        tenant,
        dialect: Dialect::Pingpp,
        public_id: public_id.map_err(|e| Problem::of_refusal(e, &call.request))?,
        order_no,
        money: Money::new(amount, currency),
        subject,
        body,
        description,
        client_ip: client_ip.into(),
        expires,
        default_life_seconds: life_of(&pingpp.settings, rules.expiry()),
        params: rules.pay_params(&extra)?,
        wallet: if rules.name == "balance" { Some(user_of(&extra)?) } else { None },
        request: Some(call.request.clone()),
        echo: echo(&[("extra", Value::Map(extra)), ("metadata", Value::Map(metadata))]),
        app: app.clone(),
        channel,
    })
}

/// What is given back unread, as one JSON object with sorted names: the same request in another
/// order of names is the same.
pub(super) fn echo(parts: &[(&str, Value)]) -> Echo {
    let parts = parts.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Echo::from_json(Value::Map(parts.collect()).to_json())
}

/// The app in `app[id]`; another account's is as unknown as none.
fn app_of<'a>(call: &'a Call<'_>, fields: &Map) -> Result<&'a Arc<App>, Problem> {
    let Some(app) = fields.get("app") else { return Err(Problem::missing("app[id]")) };
    let id = match app {
        Value::Map(app) => app.get("id"),
        _ => return Err(Problem::wrong("app", "must be a map with an id")),
    };
    match id {
        Some(Value::Text(id)) if !id.is_empty() => known_app(call, id, "app[id]"),
        None | Some(Value::Null) => Err(Problem::missing("app[id]")),
        Some(_) => Err(Problem::wrong("app[id]", "must be a string")),
    }
}

/// One of the caller's apps; `param` is where its id stood.
pub(super) fn known_app<'a>(
    call: &'a Call<'_>,
    id: &str,
    param: &str,
) -> Result<&'a Arc<App>, Problem> {
    let found = AppId::parse(id).ok().and_then(|id| call.caller.app(&id));
    found.ok_or_else(|| Problem::not_found("app", id, param))
}

fn amount_of(settings: &PingppSettings, fields: &Map) -> Result<Amount, Problem> {
    const NAME: &str = "amount";
    let max = settings.amount_max.min(AMOUNT_CEILING);
    let amount = integer(fields, NAME)?.ok_or_else(|| Problem::missing(NAME))?;
    let amount = Some(amount).filter(|amount| (1..=max).contains(amount));
    let amount = amount.and_then(|amount| Amount::new(amount).ok());
    amount.ok_or_else(|| Problem::wrong(NAME, format!("must be between 1 and {max}")))
}

fn currency_of(rules: &Rules, fields: &Map) -> Result<Currency, Problem> {
    const NAME: &str = "currency";
    let code = text(fields, NAME, 3)?;
    let lower = code.bytes().all(|b| b.is_ascii_lowercase());
    let currency = Some(code).filter(|_| lower).and_then(Currency::from_code);
    let currency = currency
        .ok_or_else(|| Problem::wrong(NAME, "must be three lower-case letters of ISO 4217"))?;
    if !rules.takes_currency(code) {
        return Err(Problem::wrong(NAME, format!("is not settled by {}", rules.name)));
    }
    Ok(currency)
}

fn subject_of(rules: &Rules, fields: &Map) -> Result<Subject, Problem> {
    const NAME: &str = "subject";
    let subject = text(fields, NAME, SUBJECT_MAX)?;
    if rules.is_unionpay() && subject.len() > SUBJECT_MAX {
        return Err(Problem::wrong(NAME, format!("must be at most {SUBJECT_MAX} bytes")));
    }
    Subject::parse(subject).map_err(|e| Problem::wrong(NAME, e))
}

/// An explicit expiry within the channel's bounds (§3.4), in absolute Unix seconds.
fn expiry_of(rules: &Rules, fields: &Map, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    const NAME: &str = "time_expire";
    let Some(seconds) = integer(fields, NAME)? else { return Ok(None) };
    let life = seconds.saturating_sub(now.seconds());
    let max = rules.expiry().seconds_max();
    if !(Expiry::SECONDS_MIN..=max).contains(&life) {
        let limit = format!("must be {} to {max} seconds from now", Expiry::SECONDS_MIN);
        return Err(Problem::wrong(NAME, limit));
    }
    Ok(Some(Timestamp::from_seconds(seconds)))
}

fn life_of(settings: &PingppSettings, expiry: Expiry) -> i64 {
    match expiry {
        Expiry::General => settings.life_seconds,
        Expiry::Wechat => settings.wechat_life_seconds,
        Expiry::Unionpay => settings.unionpay_life_seconds,
    }
}

fn user_of(extra: &Map) -> Result<UserId, Problem> {
    let user = extra.get("user").and_then(Value::scalar_text).unwrap_or("");
    UserId::parse(user).map_err(|e| Problem::wrong("extra[user]", e))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{paid, payment};
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_china_text(text).unwrap()
    }

    fn of(channel: &str, payment: Payment) -> Payment {
        Payment { channel: ChannelName::parse(channel).unwrap(), ..payment }
    }

    #[test]
    fn unionpays_unpaid_charges_are_reversed_on_their_business_day_only() {
        let payment = Payment { created: at("2025-11-03 12:00:00"), ..of("upacp", payment()) };
        let ending = |now| ending_of(&payment, at(now));
        assert_eq!(ending("2025-11-03 22:59:59"), Some(Ending::ReverseUnpaid));
        assert_eq!(ending("2025-11-03 23:00:00"), None);
    }

    #[test]
    fn the_window_of_a_paid_charge_begins_with_the_payment() {
        let paid = of("isv_scan", paid());
        let paid_at = paid.receipt().unwrap().paid_at;
        let end = paid_at.plus_seconds(Window::ChinaDay.seconds_after(paid_at));
        let Some(Ending::ReverseAny { window_seconds }) = ending_of(&paid, end.plus_seconds(9))
        else {
            panic!("a scanned charge can be reversed when paid");
        };
        assert_eq!(paid_at.plus_seconds(window_seconds), end);
        assert_eq!(ending_of(&of("alipay_wap", payment()), end), None);
        assert_eq!(ending_of(&of("unknown", payment()), end), None);
    }
}

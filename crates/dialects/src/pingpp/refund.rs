//! Refunds of one charge (specs/pingpp.md §2.6), with the two guards against asking twice.

use domain::command::CreateRefund;
use domain::money::Amount;
use domain::payment::Payment;
use domain::text::Note;
use engine::Engine;

use super::Service;
use super::channel_extra::Rules;
use super::charge::{echo, find};
use super::error::Problem;
use super::ids::Look;
use super::page::page;
use super::render::{self, RefundObject, to_json};
use super::request::{self, Call, id_in_path, integer, metadata, text};
use super::value::{Map, Value};

const DESCRIPTION_MAX: usize = 255;

/// `POST /v1/charges/{id}/refunds`.
pub(super) async fn create(
    service: &Service,
    call: &Call<'_>,
    id: &str,
) -> Result<String, Problem> {
    let engine = &service.pingpp.engine;
    let payment = find(engine, call, id).await?;
    let fields = call.fields()?;
    let wanted = Wanted::read(&payment, &fields)?;
    let now = engine.now();
    let scheme = call.caller.app(&payment.app).map(|app| app.id_scheme);
    let look = Look { scheme: scheme.unwrap_or(DEFAULT_SCHEME), mode: payment.tenant.mode, now };
    let (public_id, number) =
        look.refund(engine.entropy()).map_err(|e| Problem::of_refusal(e, &call.request))?;
    let path = call.path().as_bytes();
    let body_hash = sign::digest::sha256_of_parts(&[path, &call.body]);
    let asked = (payment.id, body_hash);
    let command = CreateRefund {
        tenant: payment.tenant,
        payment: payment.id,
        public_id,
        number,
        amount: wanted.amount,
        description: wanted.description,
        echo: echo(&wanted.echo),
        request: Some(call.request.clone()),
        exact_request: call.signed.exact_request(&call.target, &call.body),
        body_hash,
        unanswered_since: service.unanswered.since(&asked, now, engine.started_at()),
        fresh: engine.fresh(),
    };
    let watch = service.unanswered.watch(asked, now);
    let made = engine.refund(command).await;
    let made = made.map_err(|e| Problem::of_refund(e, &payment, now, &call.request));
    match made {
        Ok((refund, payment, _)) => {
            watch.answered();
            Ok(to_json(&RefundObject::new(&refund, &payment)))
        }
        Err(problem) => {
            if !problem.is_ours() {
                watch.answered();
            }
            Err(problem)
        }
    }
}

const DEFAULT_SCHEME: domain::tenant::IdScheme = domain::tenant::IdScheme::Digits;

/// The parameters of one refund.
struct Wanted {
    amount: Option<Amount>,
    description: Note,
    echo: Vec<(&'static str, Value)>,
}

impl Wanted {
    fn read(payment: &Payment, fields: &Map) -> Result<Wanted, Problem> {
        let rules = Rules::of(payment.channel.as_str());
        let mut echo = vec![
            ("extra", Value::Map(extra_of(payment, fields)?)),
            ("metadata", Value::Map(metadata(fields)?)),
        ];
        if let Some(source) = funding_source(rules, fields)? {
            echo.push(("funding_source", Value::Text(source)));
        }
        let description = text(fields, "description", DESCRIPTION_MAX)?;
        Ok(Wanted {
            amount: amount(fields)?,
            description: checked_description(rules, description)?,
            echo,
        })
    }
}

/// A refund's description within its channel's limit.
pub(super) fn checked_description(rules: Option<&Rules>, text: &str) -> Result<Note, Problem> {
    const NAME: &str = "description";
    if let Some(max) = rules.and_then(Rules::refund_description_bytes_max)
        && text.len() > max
    {
        return Err(Problem::wrong(NAME, format!("must be at most {max} bytes")));
    }
    Note::parse(text).map_err(|e| Problem::wrong(NAME, e))
}

/// How much, if not all that is left.
pub(super) fn amount(fields: &Map) -> Result<Option<Amount>, Problem> {
    const NAME: &str = "amount";
    let Some(amount) = integer(fields, NAME)? else { return Ok(None) };
    let amount = Amount::new(amount).ok().filter(|amount| !amount.is_zero());
    amount.map(Some).ok_or_else(|| Problem::wrong(NAME, "must be at least 1"))
}

/// Where the money comes from, which only WeChat and QQ know.
pub(super) fn funding_source(
    rules: Option<&Rules>,
    fields: &Map,
) -> Result<Option<String>, Problem> {
    const NAME: &str = "funding_source";
    let Some(source) = request::optional_text(fields, NAME, 64)? else { return Ok(None) };
    if !matches!(source, "unsettled_funds" | "recharge_funds") {
        return Err(Problem::wrong(NAME, "must be unsettled_funds or recharge_funds"));
    }
    if !rules.is_some_and(Rules::has_funding_source) {
        return Err(Problem::wrong(NAME, "is for WeChat and QQ only"));
    }
    Ok(Some(source.to_owned()))
}

fn extra_of(payment: &Payment, fields: &Map) -> Result<Map, Problem> {
    const NAME: &str = "extra";
    let extra = request::map(fields, NAME)?.cloned().unwrap_or_default();
    if !extra.is_empty() && !payment.channel.as_str().starts_with("cb_alipay") {
        return Err(Problem::wrong(NAME, "is for cross-border Alipay only"));
    }
    Ok(extra)
}

/// `GET /v1/charges/{id}/refunds/{refund}`.
pub(super) async fn retrieve(
    engine: &Engine,
    call: &Call<'_>,
    id: &str,
    refund_id: &str,
) -> Result<String, Problem> {
    let payment = find(engine, call, id).await?;
    let unknown = || Problem::not_found("refund", refund_id, "id");
    let public_id = id_in_path(refund_id).ok_or_else(unknown)?;
    let found = engine.read(|q| q.refund(payment.tenant, &public_id)).await;
    let found = found.map_err(|e| Problem::of_refusal(e, &call.request))?;
    // Another charge's refund is as unknown as none (SEC-22).
    let refund = found.filter(|refund| refund.payment == payment.id && refund.is_shown());
    let refund = refund.ok_or_else(unknown)?;
    Ok(to_json(&RefundObject::new(&refund, &payment)))
}

/// `GET /v1/charges/{id}/refunds`.
pub(super) async fn list(engine: &Engine, call: &Call<'_>, id: &str) -> Result<String, Problem> {
    let payment = find(engine, call, id).await?;
    let query = call.query()?;
    let page = page(engine, call, &query, |q, id| {
        let refund = q.refund(payment.tenant, id)?;
        let refund = refund.filter(|refund| refund.payment == payment.id && refund.is_shown());
        Ok(refund.map(|refund| (refund.created, refund.id.raw())))
    })
    .await?;
    let listed = engine.read(|q| q.refunds(payment.tenant, payment.id, &page)).await;
    let listed = listed.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let refunds = listed.rows.iter().map(|refund| to_json(&RefundObject::new(refund, &payment)));
    let refunds: Vec<String> = refunds.collect();
    Ok(render::list(&render::refunds_url(&payment), listed.has_more, &refunds))
}

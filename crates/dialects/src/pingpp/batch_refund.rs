//! Several refunds asked for together (specs/pingpp.md §2.8). One bad element refuses the batch.

use std::collections::HashSet;

use domain::command::{BatchItem, CreateBatch};
use domain::payment::{Payment, PaymentId};
use domain::refund::{Refund, RefundBatch};
use domain::text::{AppId, Note, PublicId};
use engine::Engine;

use super::channel_extra::Rules;
use super::charge::{echo, known_app};
use super::error::Problem;
use super::ids::Look;
use super::refund::{amount, checked_description, funding_source};
use super::render::{self, Batch, to_json};
use super::request::{Call, id_in_path, integer_within, metadata, optional_text, text};
use super::value::{Map, Value};

const DESCRIPTION_MAX: usize = 255;
const CHARGES_MAX: usize = 100;
/// Pages that can be turned; a list is not for walking through years.
const PAGES_MAX: u32 = 10_000;

/// `POST /v1/batch_refunds`.
pub(super) async fn create(engine: &Engine, call: &Call<'_>) -> Result<String, Problem> {
    let fields = call.fields()?;
    let app = known_app(call, text(&fields, "app", AppId::LEN_MAX)?, "app")?.clone();
    let batch_no = batch_no(&fields)?;
    let description = text(&fields, "description", DESCRIPTION_MAX)?;
    let metadata = metadata(&fields)?;
    let wanted = wanted(&fields)?;
    let ids: Vec<&PublicId> = wanted.iter().map(|w| &w.charge).collect();
    let tenant = call.caller.tenant;
    let read =
        engine.read(|q| ids.iter().map(|id| q.payment(tenant, id)).collect::<Result<Vec<_>, _>>());
    let found = read.await.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let look = Look { scheme: app.id_scheme, mode: tenant.mode, now: engine.now() };
    let mut items = Vec::with_capacity(wanted.len());
    for (index, (wanted, payment)) in wanted.iter().zip(found).enumerate() {
        let here = format!("charges[{index}]");
        let unknown =
            || Problem::wrong("charges", format!("holds no charge of this app at {here}"));
        let payment = payment.filter(|payment| payment.app == app.id).ok_or_else(unknown)?;
        let (public_id, number) =
            look.refund(engine.entropy()).map_err(|e| Problem::of_refusal(e, &call.request))?;
        items.push(wanted.item(&payment, description, public_id, number)?);
    }
    let public_id = look.batch(engine.entropy());
    let description = Note::parse(description).map_err(|e| Problem::wrong("description", e))?;
    let charges = fields.get("charges").and_then(Value::elements).unwrap_or_default();
    let charges = Value::List(charges.into_iter().cloned().collect());
    let command = CreateBatch {
        tenant,
        app: app.id.clone(),
        public_id: public_id.map_err(|e| Problem::of_refusal(e, &call.request))?,
        batch_no: batch_no.into(),
        description,
        echo: echo(&[("charges", charges), ("metadata", Value::Map(metadata))]),
        items,
        request: Some(call.request.clone()),
        fresh: engine.fresh(),
    };
    let made = engine.create_batch(command).await;
    let made = made.map_err(|e| Problem::of_refusal(e, &call.request))?;
    render_all(engine, call, &[made]).await.map(|mut batches| batches.remove(0))
}

/// One element of `charges`.
struct Wanted<'a> {
    charge: PublicId,
    fields: Option<&'a Map>,
}

impl Wanted<'_> {
    fn item(
        &self,
        payment: &Payment,
        common_description: &str,
        public_id: PublicId,
        number: domain::text::ChannelNumber,
    ) -> Result<BatchItem, Problem> {
        let rules = Rules::of(payment.channel.as_str());
        let none = Map::new();
        let fields = self.fields.unwrap_or(&none);
        let own = optional_text(fields, "description", DESCRIPTION_MAX)?;
        let description = own.filter(|d| !d.is_empty()).unwrap_or(common_description);
        let mut parts =
            vec![("extra", Value::Map(Map::new())), ("metadata", Value::Map(Map::new()))];
        if let Some(source) = funding_source(rules, fields)? {
            parts.push(("funding_source", Value::Text(source)));
        }
        Ok(BatchItem {
            payment: payment.id,
            public_id,
            number,
            amount: amount(fields)?,
            description: checked_description(rules, description)?,
            echo: echo(&parts),
        })
    }
}

fn batch_no(fields: &Map) -> Result<&str, Problem> {
    const NAME: &str = "batch_no";
    let number = text(fields, NAME, 24)?;
    if number.len() < 3 || !number.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Problem::wrong(NAME, "must be 3 to 24 letters and digits"));
    }
    Ok(number)
}

fn wanted(fields: &Map) -> Result<Vec<Wanted<'_>>, Problem> {
    const NAME: &str = "charges";
    let list = match fields.get(NAME) {
        None | Some(Value::Null) => return Err(Problem::missing(NAME)),
        Some(list) => list.elements().ok_or_else(|| Problem::wrong(NAME, "must be a list"))?,
    };
    if !(1..=CHARGES_MAX).contains(&list.len()) {
        return Err(Problem::wrong(NAME, format!("must hold 1 to {CHARGES_MAX} charges")));
    }
    let mut seen = HashSet::new();
    let mut all = Vec::with_capacity(list.len());
    for element in list {
        let (id, fields) = match element {
            Value::Text(id) => (id.as_str(), None),
            Value::Map(map) => {
                let id = map.get("charge").and_then(Value::scalar_text).unwrap_or("");
                (id, Some(map))
            }
            _ => return Err(Problem::wrong(NAME, "must hold ids or maps with a charge")),
        };
        let charge = PublicId::parse(id);
        let charge = charge.map_err(|_| Problem::wrong(NAME, "holds something that is no id"))?;
        if !seen.insert(id) {
            return Err(Problem::wrong(NAME, "names a charge twice"));
        }
        all.push(Wanted { charge, fields });
    }
    Ok(all)
}

/// `GET /v1/batch_refunds/{id}`.
pub(super) async fn retrieve(
    engine: &Engine,
    call: &Call<'_>,
    id: &str,
) -> Result<String, Problem> {
    let unknown = || Problem::not_found("batch_refund", id, "id");
    let public_id = id_in_path(id).ok_or_else(unknown)?;
    let found = engine.read(|q| q.batch(call.caller.tenant, &public_id)).await;
    let found = found.map_err(|e| Problem::of_refusal(e, &call.request))?.ok_or_else(unknown)?;
    render_all(engine, call, &[found]).await.map(|mut batches| batches.remove(0))
}

/// `GET /v1/batch_refunds`.
pub(super) async fn list(engine: &Engine, call: &Call<'_>) -> Result<String, Problem> {
    let query = call.query()?;
    let app = match optional_text(&query, "app", AppId::LEN_MAX)? {
        Some(id) => Some(known_app(call, id, "app")?.id.clone()),
        None => None,
    };
    let page = integer_within(&query, "page", (1, PAGES_MAX), 1)?;
    let per_page = integer_within(&query, "per_page", (1, 100), 20)?;
    let skip = (page - 1) * per_page;
    let tenant = call.caller.tenant;
    let listed = engine.read(|q| q.batches(tenant, app.as_ref(), skip, per_page)).await;
    let listed = listed.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let batches = render_all(engine, call, &listed.rows).await?;
    Ok(render::list("/v1/batch_refunds", listed.has_more, &batches))
}

async fn render_all(
    engine: &Engine,
    call: &Call<'_>,
    batches: &[(RefundBatch, Vec<Refund>)],
) -> Result<Vec<String>, Problem> {
    let ids: HashSet<PaymentId> =
        batches.iter().flat_map(|(_, refunds)| refunds).map(|refund| refund.payment).collect();
    let ids: Vec<PaymentId> = ids.into_iter().collect();
    let read = engine.read(|q| q.payments_by_id(call.caller.tenant, &ids)).await;
    let payments = read.map_err(|e| Problem::of_refusal(e, &call.request))?;
    let render = |(batch, refunds): &(RefundBatch, Vec<Refund>)| {
        to_json(&Batch::new(batch, refunds, &payments))
    };
    Ok(batches.iter().map(render).collect())
}

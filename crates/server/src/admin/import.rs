//! History brought along from another system, with its own ids (docs/import.md).
//!
//! The whole file is read and checked before the first command; each command is idempotent, so a
//! repeated import changes nothing and an interrupted one is continued by repeating it.

use domain::command::{Admin, Command, Decided, ImportPayment};
use domain::currency::Currency;
use domain::ledger::AccountPath;
use domain::money::{Amount, BasisPoints, Money};
use domain::payment::{CloseReason, Payment, PaymentState, Receipt};
use domain::refund::{Refund, RefundOrigin, RefundState};
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, IdScheme, Merchant, MerchantId, MerchantKey, Mode,
    Route, RouteId, Tenant,
};
use domain::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, Subject, TradeNo,
};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sign::rsa::PublicKey;

use super::request::ModeWord;
use super::settings::{key_hint, submit};
use super::{AdminDesk, AdminError, route_settings_place};

/// An import file. Field names follow the Ping++ objects where there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportFile {
    /// Form of the file; 1.
    pub version: u32,
    /// The merchants with all that is theirs.
    pub merchants: Vec<MerchantIn>,
}

/// One merchant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantIn {
    /// Tells merchants apart on a repeated import.
    pub name: String,
    /// API keys that go on to work; stored as hashes.
    #[serde(default)]
    pub api_keys: Vec<String>,
    /// Public keys for request signatures.
    #[serde(default)]
    pub public_keys: Vec<PublicKeyIn>,
    /// Apps.
    #[serde(default)]
    pub apps: Vec<AppIn>,
    /// Charges, any order.
    #[serde(default)]
    pub charges: Vec<ChargeIn>,
    /// What the merchant's account shall hold after the import.
    #[serde(default)]
    pub opening_balances: Vec<BalanceIn>,
}

/// A public key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeyIn {
    /// For which mode.
    pub mode: ModeWord,
    /// PEM.
    pub pem: String,
}

/// An app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppIn {
    /// Its own id.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Webhook endpoints.
    #[serde(default)]
    pub webhooks: Vec<WebhookIn>,
}

/// A webhook endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookIn {
    /// Of which mode.
    pub mode: ModeWord,
    /// Where to send.
    pub url: String,
    /// Which event types; empty means all.
    #[serde(default)]
    pub events: Vec<String>,
}

/// A charge as the vendor's API shows it; unknown fields are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChargeIn {
    /// Its own id.
    pub id: String,
    /// Unix seconds.
    pub created: i64,
    /// Live or test.
    pub livemode: bool,
    /// Whether it was paid.
    pub paid: bool,
    /// Whether it was taken back.
    #[serde(default)]
    pub reversed: bool,
    /// Its app's id.
    pub app: String,
    /// The way to pay.
    pub channel: String,
    /// The merchant's number.
    pub order_no: String,
    /// The payer's address.
    #[serde(default)]
    pub client_ip: String,
    /// Minor units.
    pub amount: i64,
    /// Three letters.
    pub currency: String,
    /// What was bought.
    pub subject: String,
    /// More about it.
    pub body: String,
    /// Channel parameters.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// Unix seconds.
    #[serde(default)]
    pub time_paid: Option<i64>,
    /// Unix seconds.
    #[serde(default)]
    pub time_expire: Option<i64>,
    /// The channel's number.
    #[serde(default)]
    pub transaction_no: Option<String>,
    /// The merchant's own data.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// A note.
    #[serde(default)]
    pub description: Option<String>,
    /// Refunds, as the vendor's list object or a plain list.
    #[serde(default)]
    pub refunds: RefundsIn,
}

/// Refunds of a charge: a list object or a plain list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RefundsIn {
    /// `[…]`.
    Plain(Vec<RefundIn>),
    /// `{"object":"list","data":[…]}`.
    Object {
        /// The refunds.
        data: Vec<RefundIn>,
    },
}

impl Default for RefundsIn {
    fn default() -> Self {
        RefundsIn::Plain(Vec::new())
    }
}

impl RefundsIn {
    fn rows(&self) -> &[RefundIn] {
        match self {
            RefundsIn::Plain(rows) | RefundsIn::Object { data: rows } => rows,
        }
    }
}

/// A refund as the vendor's API shows it; unknown fields are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefundIn {
    /// Its own id.
    pub id: String,
    /// Minor units.
    pub amount: i64,
    /// Unix seconds.
    pub created: i64,
    /// `succeeded` or `failed`.
    pub status: String,
    /// Unix seconds.
    #[serde(default)]
    pub time_succeed: Option<i64>,
    /// Why.
    #[serde(default)]
    pub description: Option<String>,
    /// The channel's code.
    #[serde(default)]
    pub failure_code: Option<String>,
    /// The channel's words.
    #[serde(default)]
    pub failure_msg: Option<String>,
    /// The merchant's own data.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The channel's number.
    #[serde(default)]
    pub transaction_no: Option<String>,
}

/// A balance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceIn {
    /// Of which mode.
    pub mode: ModeWord,
    /// Three letters.
    pub currency: String,
    /// Minor units.
    pub balance: i64,
}

#[derive(Default)]
struct Count {
    created: u64,
    unchanged: u64,
}

impl Count {
    fn add(&mut self, decided: &Decided) {
        match decided {
            Decided::Unchanged => self.unchanged += 1,
            _ => self.created += 1,
        }
    }

    fn note(&mut self, is_new: bool) {
        if is_new {
            self.created += 1;
        } else {
            self.unchanged += 1;
        }
    }

    fn show(&self) -> Value {
        json!({ "created": self.created, "unchanged": self.unchanged })
    }
}

impl ImportFile {
    /// Finds what is wrong with the file before anything is written; names the place.
    pub fn check(&self) -> Result<(), AdminError> {
        if self.version != 1 {
            return Err(AdminError::new("version: this build reads version 1"));
        }
        for (index, merchant) in self.merchants.iter().enumerate() {
            check(merchant).map_err(|e| AdminError::new(format!("merchants[{index}].{e}")))?;
        }
        Ok(())
    }

    /// Cuts the file into files of at most `charges_max` charges, in order; opening balances stand
    /// in a merchant's last one, where its whole history is booked.
    pub fn slices(self, charges_max: usize) -> Vec<ImportFile> {
        let mut slices = Vec::new();
        for mut merchant in self.merchants {
            let mut charges = std::mem::take(&mut merchant.charges);
            let balances = std::mem::take(&mut merchant.opening_balances);
            loop {
                let rest = charges.split_off(charges.len().min(charges_max));
                let is_last = rest.is_empty();
                let slice = MerchantIn {
                    charges: std::mem::replace(&mut charges, rest),
                    opening_balances: if is_last { balances.clone() } else { Vec::new() },
                    ..merchant.clone()
                };
                slices.push(ImportFile { version: self.version, merchants: vec![slice] });
                if is_last {
                    break;
                }
            }
        }
        slices
    }
}

/// Brings the file's contents along and answers how much of it was new.
pub(super) async fn import(desk: &AdminDesk, file: &ImportFile) -> Result<Value, AdminError> {
    file.check()?;
    let (mut settings, mut charges, mut refunds) =
        (Count::default(), Count::default(), Count::default());
    for merchant in &file.merchants {
        let id = put_merchant(desk, merchant, &mut settings).await?;
        for charge in &merchant.charges {
            let tenant = Tenant { merchant: id, mode: mode_of(charge.livemode) };
            let route = history_route(desk, tenant, &mut settings).await?;
            let command = import_command(desk, tenant, route, charge)?;
            let count = u64::try_from(command.refunds.len()).unwrap_or(0);
            let decided = desk.engine.submit(Command::Import(Box::new(command))).await;
            let decided = decided.map_err(|e| {
                AdminError::new(format!(
                    "charge {}: {e}; mend the file and import it again: what was imported stays \
                     and is skipped",
                    charge.id
                ))
            })?;
            charges.add(&decided);
            match decided {
                Decided::Unchanged => refunds.unchanged += count,
                _ => refunds.created += count,
            }
        }
        for balance in &merchant.opening_balances {
            let tenant = Tenant { merchant: id, mode: balance.mode.into() };
            let (currency, amount) = balance_of(balance)?;
            let path = AccountPath::merchant_available(currency);
            let fresh = desk.engine.fresh();
            let admin = Admin::OpenBalance { tenant, path, balance: amount, fresh };
            let decided = desk.engine.submit(Command::Admin(Box::new(admin))).await?;
            settings.add(&decided);
        }
    }
    Ok(json!({
        "settings": settings.show(),
        "charges": charges.show(),
        "refunds": refunds.show(),
    }))
}

fn mode_of(livemode: bool) -> Mode {
    if livemode { Mode::Live } else { Mode::Test }
}

/// Finds what is wrong before anything is written.
fn check(merchant: &MerchantIn) -> Result<(), String> {
    for (index, key) in merchant.api_keys.iter().enumerate() {
        key_mode(key).ok_or(format!("api_keys[{index}]: a key begins sk_live_ or sk_test_"))?;
    }
    for (index, key) in merchant.public_keys.iter().enumerate() {
        PublicKey::from_pem(&key.pem).map_err(|e| format!("public_keys[{index}].pem: {e}"))?;
    }
    for (index, app) in merchant.apps.iter().enumerate() {
        AppId::parse(&app.id).map_err(|e| format!("apps[{index}].id: {e}"))?;
    }
    for (index, balance) in merchant.opening_balances.iter().enumerate() {
        balance_of(balance).map_err(|e| format!("opening_balances[{index}].{e}"))?;
    }
    let tenant = Tenant { merchant: domain::id::Id::from_raw(0), mode: Mode::Test };
    for (index, charge) in merchant.charges.iter().enumerate() {
        if !merchant.apps.iter().any(|a| a.id == charge.app) {
            return Err(format!("charges[{index}].app: the file has no app {}", charge.app));
        }
        let mut ids = Ids::Zero;
        payment_of(tenant, domain::id::Id::from_raw(0), charge, &mut ids)
            .map_err(|e| format!("charges[{index}].{e}"))?;
    }
    Ok(())
}

fn key_mode(key: &str) -> Option<Mode> {
    match key.get(..8) {
        Some("sk_live_") => Some(Mode::Live),
        Some("sk_test_") => Some(Mode::Test),
        Some(_) | None => None,
    }
}

fn balance_of(balance: &BalanceIn) -> Result<(Currency, Amount), AdminError> {
    let currency = Currency::from_code(&balance.currency);
    let currency = currency.ok_or_else(|| AdminError::new("currency: not a currency"))?;
    let amount = Amount::new(balance.balance);
    Ok((currency, amount.map_err(|e| AdminError::new(format!("balance: {e}")))?))
}

async fn put_merchant(
    desk: &AdminDesk,
    merchant: &MerchantIn,
    count: &mut Count,
) -> Result<MerchantId, AdminError> {
    let all = desk.engine.read(|q| q.merchants_of_operator()).await?;
    let before = all.into_iter().find(|m| *m.name == *merchant.name);
    count.note(before.is_none());
    let id = match before {
        Some(before) => before.id,
        None => {
            let row = Merchant {
                id: desk.engine.id(),
                name: merchant.name.as_str().into(),
                created: desk.engine.now(),
                live_signature_required: false,
                test_signature_required: false,
                sign_responses: true,
                disabled: false,
            };
            let id = row.id;
            submit(desk, Admin::PutMerchant(row)).await?;
            id
        }
    };
    for key in &merchant.api_keys {
        put_key(desk, id, key, count).await?;
    }
    for key in &merchant.public_keys {
        let tenant = Tenant { merchant: id, mode: key.mode.into() };
        put_public_key(desk, tenant, &key.pem, count).await?;
    }
    for app in &merchant.apps {
        put_app(desk, id, app, count).await?;
    }
    Ok(id)
}

async fn put_key(
    desk: &AdminDesk,
    merchant: MerchantId,
    key: &str,
    count: &mut Count,
) -> Result<(), AdminError> {
    let hash = sign::digest::sha256(key.as_bytes());
    let before = desk.engine.read(|q| q.api_key(&hash)).await?;
    count.note(before.is_none());
    if before.is_some() {
        return Ok(());
    }
    let mode = key_mode(key).ok_or_else(|| AdminError::new("api_keys: of no mode"))?;
    let row = ApiKey {
        hash,
        merchant,
        mode,
        dialect: Dialect::Pingpp,
        hint: key_hint(key),
        created: desk.engine.now(),
        revoked: None,
    };
    submit(desk, Admin::PutApiKey(row)).await
}

async fn put_public_key(
    desk: &AdminDesk,
    tenant: Tenant,
    pem: &str,
    count: &mut Count,
) -> Result<(), AdminError> {
    let key = PublicKey::from_pem(pem).map_err(|e| AdminError::new(format!("pem: {e}")))?;
    let fingerprint = key.fingerprint();
    let known = desk.engine.read(|q| q.merchant_keys(tenant)).await?;
    let is_new = !known.iter().any(|k| *k.fingerprint == *fingerprint);
    count.note(is_new);
    if !is_new {
        return Ok(());
    }
    let row = MerchantKey {
        tenant,
        fingerprint: fingerprint.into(),
        pem: key.to_spki_pem().into(),
        created: desk.engine.now(),
        revoked: None,
    };
    submit(desk, Admin::PutMerchantKey(row)).await
}

async fn put_app(
    desk: &AdminDesk,
    merchant: MerchantId,
    app: &AppIn,
    count: &mut Count,
) -> Result<(), AdminError> {
    let id = AppId::parse(&app.id).map_err(|e| AdminError::new(format!("apps.id: {e}")))?;
    let apps = desk.engine.read(|q| q.apps(merchant)).await?;
    let is_new = !apps.iter().any(|a| a.id == id);
    count.note(is_new);
    if is_new {
        let row = App {
            merchant,
            id: id.clone(),
            display_name: app.name.as_str().into(),
            created: desk.engine.now(),
            id_scheme: IdScheme::Digits,
            fee: BasisPoints::default(),
            channels: Vec::<AppChannel>::new(),
            disabled: false,
        };
        submit(desk, Admin::PutApp(row)).await?;
    }
    for webhook in &app.webhooks {
        let tenant = Tenant { merchant, mode: webhook.mode.into() };
        let known = desk.engine.read(|q| q.endpoints(tenant)).await?;
        let is_new = !known.iter().any(|e| e.app == id && *e.url == *webhook.url);
        count.note(is_new);
        if is_new {
            let row = Endpoint {
                tenant,
                app: id.clone(),
                id: desk.engine.id(),
                dialect: Dialect::Pingpp,
                url: webhook.url.as_str().into(),
                events: webhook.events.iter().map(|e| e.as_str().into()).collect(),
                created: desk.engine.now(),
                disabled: false,
            };
            submit(desk, Admin::PutEndpoint(row)).await?;
        }
    }
    Ok(())
}

/// The route that stands for the channels by which imported money once came. It carries nothing
/// new: it is disabled, and its connector reaches no upstream.
async fn history_route(
    desk: &AdminDesk,
    tenant: Tenant,
    count: &mut Count,
) -> Result<RouteId, AdminError> {
    const NAME: &str = "imported history";
    let routes = desk.engine.read(|q| q.routes(tenant)).await?;
    if let Some(route) = routes.into_iter().find(|r| *r.name == *NAME) {
        return Ok(route.id);
    }
    count.note(true);
    let id = desk.engine.id();
    let row = Route {
        tenant,
        id,
        connector: "balance".into(),
        name: NAME.into(),
        settings: desk.sealer.seal(&route_settings_place(id), b"{}").into(),
        version: 0,
        disabled: true,
    };
    submit(desk, Admin::PutRoute(row)).await?;
    Ok(id)
}

/// Where ids come from: the engine, or nowhere while a file is only checked.
enum Ids<'a> {
    Engine(&'a engine::Engine),
    Zero,
}

impl Ids<'_> {
    fn next<K>(&mut self) -> domain::id::Id<K> {
        match self {
            Ids::Engine(engine) => engine.id(),
            Ids::Zero => domain::id::Id::from_raw(0),
        }
    }
}

fn import_command(
    desk: &AdminDesk,
    tenant: Tenant,
    route: RouteId,
    charge: &ChargeIn,
) -> Result<ImportPayment, AdminError> {
    let mut ids = Ids::Engine(&desk.engine);
    payment_of(tenant, route, charge, &mut ids)
        .map_err(|e| AdminError::new(format!("charge {}: {e}", charge.id)))
}

fn payment_of(
    tenant: Tenant,
    route: RouteId,
    charge: &ChargeIn,
    ids: &mut Ids<'_>,
) -> Result<ImportPayment, String> {
    let field = |name: &str, e: &dyn std::fmt::Display| format!("{name}: {e}");
    let currency = Currency::from_code(&charge.currency).ok_or("currency: not a currency")?;
    let amount = Amount::new(charge.amount).map_err(|e| field("amount", &e))?;
    if amount.is_zero() {
        return Err("amount: must be more than nothing".into());
    }
    let created = Timestamp::from_seconds(charge.created);
    let id = ids.next();
    let state = state_of(charge, created)?;
    let echo = json!({ "extra": charge.extra, "metadata": charge.metadata });
    let description = charge.description.as_deref().filter(|d| !d.is_empty());
    let payment = Payment {
        tenant,
        id,
        app: AppId::parse(&charge.app).map_err(|e| field("app", &e))?,
        dialect: Dialect::Pingpp,
        public_id: PublicId::parse(&charge.id).map_err(|e| field("id", &e))?,
        channel: ChannelName::parse(&charge.channel).map_err(|e| field("channel", &e))?,
        route,
        order_no: OrderNo::parse(&charge.order_no).map_err(|e| field("order_no", &e))?,
        // The vendor's number is not ours to use again; an id of ours stands in.
        number: ChannelNumber::parse(&format!("imported{}", charge.id))
            .map_err(|e| field("id", &e))?,
        money: Money::new(amount, currency),
        fee: Amount::ZERO,
        subject: Subject::parse(&charge.subject).map_err(|e| field("subject", &e))?,
        body: Note::parse(&charge.body).map_err(|e| field("body", &e))?,
        description: description
            .map(Note::parse)
            .transpose()
            .map_err(|e| field("description", &e))?,
        client_ip: charge.client_ip.as_str().into(),
        echo: Echo::from_json(echo.to_string()),
        payer: None,
        created,
        expires: charge.time_expire.map_or(created.plus_seconds(86_400), Timestamp::from_seconds),
        state,
        refunded: Amount::ZERO,
        refunding: Amount::ZERO,
        refunds: 0,
        operation: None,
        queries: 0,
        next_at: None,
        request: None,
        version: 1,
    };
    let mut refunds = Vec::new();
    for (index, refund) in charge.refunds.rows().iter().enumerate() {
        let row = refund_of(&payment, refund, ids.next());
        refunds.push(row.map_err(|e| format!("refunds[{index}].{e}"))?);
    }
    Ok(ImportPayment { payment, refunds })
}

/// Unpaid history is closed: nobody can pay at the vendor any more.
fn state_of(charge: &ChargeIn, created: Timestamp) -> Result<PaymentState, String> {
    if charge.paid && charge.reversed {
        return Err(
            "reversed: a charge both paid and reversed is given as paid, with a refund".into()
        );
    }
    if !charge.paid {
        let why = if charge.reversed { CloseReason::Reversed } else { CloseReason::Expired };
        return Ok(PaymentState::Closed { why, at: created });
    }
    let trade_no = charge.transaction_no.as_deref().unwrap_or(&charge.id);
    Ok(PaymentState::Paid(Receipt {
        trade_no: TradeNo::parse(trade_no).map_err(|e| format!("transaction_no: {e}"))?,
        paid_at: Timestamp::from_seconds(charge.time_paid.ok_or("time_paid: when was it paid?")?),
        details: Vec::new(),
    }))
}

fn refund_of(
    payment: &Payment,
    refund: &RefundIn,
    id: domain::refund::RefundId,
) -> Result<Refund, String> {
    let created = Timestamp::from_seconds(refund.created);
    let amount = Amount::new(refund.amount).map_err(|e| format!("amount: {e}"))?;
    let at = Timestamp::from_seconds(refund.time_succeed.unwrap_or(refund.created));
    let trade_no = refund.transaction_no.as_deref().map(TradeNo::parse).transpose();
    let state = match refund.status.as_str() {
        "succeeded" => RefundState::Succeeded {
            at,
            trade_no: trade_no.map_err(|e| format!("transaction_no: {e}"))?,
        },
        "failed" => RefundState::Failed {
            at: created,
            code: refund.failure_code.as_deref().unwrap_or("refund_failed").into(),
            message: refund.failure_msg.as_deref().unwrap_or("").into(),
        },
        other => {
            return Err(format!(
                "status: {other:?} is not final; wait until it is succeeded or failed"
            ));
        }
    };
    let description = refund.description.as_deref().filter(|d| !d.is_empty()).unwrap_or("refund");
    let suffix = refund.id.strip_prefix("re_").unwrap_or(&refund.id);
    Ok(Refund {
        tenant: payment.tenant,
        id,
        app: payment.app.clone(),
        payment: payment.id,
        public_id: PublicId::parse(&refund.id).map_err(|e| format!("id: {e}"))?,
        route: payment.route,
        number: ChannelNumber::parse(suffix).map_err(|e| format!("id: {e}"))?,
        money: Money::new(amount, payment.money.currency),
        description: Note::parse(description).map_err(|e| format!("description: {e}"))?,
        echo: Echo::from_json(json!({ "extra": {}, "metadata": refund.metadata }).to_string()),
        origin: RefundOrigin::Import,
        created,
        state,
        operation: None,
        request: None,
        exact_request: None,
        body_hash: [0; 32],
        version: 1,
    })
}

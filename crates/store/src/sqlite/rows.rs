//! Rows to values and back. A row that no state explains is an error that names its table, never a
//! guess.

use domain::currency::Currency;
use domain::event::{About, CourierAnswer, CourierFailure, Delivery, DeliveryAttempt};
use domain::event::{DeliveryState, Event, UnmatchedNotice};
use domain::id::Id;
use domain::ledger::{Account, AccountKey, AccountPath};
use domain::money::{Amount, BasisPoints, Money};
use domain::operation::{Operation, OperationKind, OperationState};
use domain::payment::{CloseReason, Credential, Payment, PaymentState, Receipt};
use domain::refund::{Refund, RefundBatch, RefundOrigin, RefundState};
use domain::state::{Hold, HoldState, ReceiptRow};
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, IdScheme, Member, Merchant, MerchantKey, Mode,
    Route, Tenant,
};
use domain::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, TradeNo,
    UserId,
};
use domain::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::StoreError;

/// Reads a row's columns one after the other, in the order of the column lists below.
pub(super) struct Columns<'a> {
    table: &'static str,
    row: &'a Row<'a>,
    next: usize,
}

type Read<T> = Result<T, StoreError>;

impl<'a> Columns<'a> {
    pub(super) fn new(table: &'static str, row: &'a Row<'a>) -> Columns<'a> {
        Columns { table, row, next: 0 }
    }

    fn bad(&self) -> StoreError {
        let column = self.next.saturating_sub(1);
        let name = self.row.as_ref().column_name(column).unwrap_or("?");
        StoreError::Inconsistent(format!("{}.{name}", self.table))
    }

    fn take<T: FromSql>(&mut self) -> Read<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value.map_err(|_| self.bad())
    }

    fn number<T: TryFrom<i64>>(&mut self) -> Read<T> {
        let number: i64 = self.take()?;
        T::try_from(number).map_err(|_| self.bad())
    }

    fn text(&mut self) -> Read<Box<str>> {
        self.take()
    }

    fn parsed<T, E>(&mut self, parse: impl Fn(&str) -> Result<T, E>) -> Read<T> {
        let value = self.row.get_ref(self.next);
        self.next += 1;
        let text = value.ok().and_then(|v| v.as_str().ok());
        text.and_then(|t| parse(t).ok()).ok_or_else(|| self.bad())
    }

    fn maybe_parsed<T, E>(&mut self, parse: impl Fn(&str) -> Result<T, E>) -> Read<Option<T>> {
        let text: Option<Box<str>> = self.take()?;
        text.map(|t| parse(&t)).transpose().map_err(|_| self.bad())
    }

    fn id<K>(&mut self) -> Read<Id<K>> {
        Ok(Id::from_raw(self.take()?))
    }

    fn time(&mut self) -> Read<Timestamp> {
        Ok(Timestamp::from_micros(self.take()?))
    }

    fn maybe_time(&mut self) -> Read<Option<Timestamp>> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    fn amount(&mut self) -> Read<Amount> {
        let minor = self.take()?;
        Amount::new(minor).map_err(|_| self.bad())
    }

    fn hash(&mut self) -> Read<[u8; 32]> {
        self.take()
    }

    fn mode(&mut self) -> Read<Mode> {
        match self.take::<i64>()? {
            1 => Ok(Mode::Live),
            0 => Ok(Mode::Test),
            _ => Err(self.bad()),
        }
    }

    fn tenant(&mut self) -> Read<Tenant> {
        Ok(Tenant { merchant: self.id()?, mode: self.mode()? })
    }

    fn dialect(&mut self) -> Read<Dialect> {
        self.parsed(|t| if t == "pingpp" { Ok(Dialect::Pingpp) } else { Err(()) })
    }

    fn currency(&mut self) -> Read<Currency> {
        self.parsed(|t| Currency::from_code(t).ok_or(()))
    }

    fn path(&mut self) -> Read<AccountPath> {
        self.parsed(|t| AccountPath::from_text(t).ok_or(()))
    }

    fn operation(&mut self) -> Read<Option<Operation>> {
        let kind: Option<Box<str>> = self.take()?;
        let state: Option<Box<str>> = self.take()?;
        let (tries, queries): (Option<i64>, Option<i64>) = (self.take()?, self.take()?);
        let token: Option<i64> = self.take()?;
        let next_at = self.maybe_time()?;
        let last_code = self.take()?;
        let (Some(kind), Some(state)) = (kind, state) else { return Ok(None) };
        let kind = match &*kind {
            "prepare" => OperationKind::Prepare,
            "close" => OperationKind::Close,
            "reverse" => OperationKind::Reverse,
            "refund" => OperationKind::Refund,
            _ => return Err(self.bad()),
        };
        let state = match &*state {
            "intent" => OperationState::Intent,
            "dispatching" => OperationState::Dispatching,
            "unknown" => OperationState::Unknown,
            "review" => OperationState::Review,
            _ => return Err(self.bad()),
        };
        let tries = tries.and_then(|n| u16::try_from(n).ok()).ok_or_else(|| self.bad())?;
        let queries = queries.and_then(|n| u16::try_from(n).ok()).ok_or_else(|| self.bad())?;
        let token = token.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| self.bad())?;
        Ok(Some(Operation { kind, state, tries, queries, token, next_at, last_code }))
    }
}

pub(super) fn mode_number(mode: Mode) -> i64 {
    match mode {
        Mode::Live => 1,
        Mode::Test => 0,
    }
}

pub(super) fn dialect_word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Pingpp => "pingpp",
    }
}

pub(super) const MERCHANT: &str = "id, name, created, live_signature_required, \
    test_signature_required, sign_responses, disabled";

pub(super) fn merchant(row: &Row<'_>) -> Read<Merchant> {
    let mut c = Columns::new("merchant", row);
    Ok(Merchant {
        id: c.id()?,
        name: c.text()?,
        created: c.time()?,
        live_signature_required: c.take()?,
        test_signature_required: c.take()?,
        sign_responses: c.take()?,
        disabled: c.take()?,
    })
}

pub(super) const APP: &str =
    "merchant, id, display_name, created, id_scheme, fee_bp, channels, disabled";

pub(super) fn app(row: &Row<'_>) -> Read<App> {
    let mut c = Columns::new("app", row);
    Ok(App {
        merchant: c.id()?,
        id: c.parsed(AppId::parse)?,
        display_name: c.text()?,
        created: c.time()?,
        id_scheme: c.parsed(|t| match t {
            "digits" => Ok(IdScheme::Digits),
            "alphanumeric" => Ok(IdScheme::Alphanumeric),
            _ => Err(()),
        })?,
        fee: {
            let fee = c.number()?;
            BasisPoints::new(fee).ok_or_else(|| c.bad())?
        },
        channels: c.parsed(channels_from_text)?,
        disabled: c.take()?,
    })
}

/// `[["test","alipay_wap",4711], …]`
pub(super) fn channels_to_text(channels: &[AppChannel]) -> String {
    let rows: Vec<(i64, &str, i64)> =
        channels.iter().map(|c| (mode_number(c.mode), c.channel.as_str(), c.route.raw())).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

fn channels_from_text(text: &str) -> Result<Vec<AppChannel>, ()> {
    let rows: Vec<(i64, String, i64)> = serde_json::from_str(text).map_err(|_| ())?;
    let mut channels = Vec::with_capacity(rows.len());
    for (mode, channel, route) in rows {
        let mode = if mode == 1 { Mode::Live } else { Mode::Test };
        let channel = ChannelName::parse(&channel).map_err(|_| ())?;
        channels.push(AppChannel { mode, channel, route: Id::from_raw(route) });
    }
    Ok(channels)
}

pub(super) const API_KEY: &str = "hash, merchant, mode, dialect, hint, created, revoked";

pub(super) fn api_key(row: &Row<'_>) -> Read<ApiKey> {
    let mut c = Columns::new("api_key", row);
    Ok(ApiKey {
        hash: c.hash()?,
        merchant: c.id()?,
        mode: c.mode()?,
        dialect: c.dialect()?,
        hint: c.text()?,
        created: c.time()?,
        revoked: c.maybe_time()?,
    })
}

pub(super) const MERCHANT_KEY: &str = "merchant, mode, fingerprint, pem, created, revoked";

pub(super) fn merchant_key(row: &Row<'_>) -> Read<MerchantKey> {
    let mut c = Columns::new("merchant_key", row);
    Ok(MerchantKey {
        tenant: c.tenant()?,
        fingerprint: c.text()?,
        pem: c.text()?,
        created: c.time()?,
        revoked: c.maybe_time()?,
    })
}

pub(super) const ROUTE: &str = "merchant, mode, id, connector, name, settings, version, disabled";

pub(super) fn route(row: &Row<'_>) -> Read<Route> {
    let mut c = Columns::new("route", row);
    Ok(Route {
        tenant: c.tenant()?,
        id: c.id()?,
        connector: c.text()?,
        name: c.text()?,
        settings: c.text()?,
        version: c.take()?,
        disabled: c.take()?,
    })
}

pub(super) const ENDPOINT: &str =
    "merchant, mode, id, app, dialect, url, events, created, disabled";

pub(super) fn endpoint(row: &Row<'_>) -> Read<Endpoint> {
    let mut c = Columns::new("endpoint", row);
    Ok(Endpoint {
        tenant: c.tenant()?,
        id: c.id()?,
        app: c.parsed(AppId::parse)?,
        dialect: c.dialect()?,
        url: c.text()?,
        events: c.parsed(|t| serde_json::from_str::<Vec<Box<str>>>(t))?,
        created: c.time()?,
        disabled: c.take()?,
    })
}

pub(super) const MEMBER: &str = "merchant, mode, app, user, id, created, disabled";

pub(super) fn member(row: &Row<'_>) -> Read<Member> {
    let mut c = Columns::new("member", row);
    Ok(Member {
        tenant: c.tenant()?,
        app: c.parsed(AppId::parse)?,
        user: c.parsed(UserId::parse)?,
        id: c.id()?,
        created: c.time()?,
        disabled: c.take()?,
    })
}

pub(super) const PAYMENT: &str = "merchant, mode, id, app, dialect, public_id, channel, route, \
    order_no, number, currency, amount, fee, subject, body, description, client_ip, echo, payer, \
    created, expires, state, credential_kind, credential, why, state_at, trade_no, paid_at, \
    details, code, message, refunded, refunding, refunds, op_kind, op_state, op_tries, \
    op_queries, op_token, op_next_at, op_code, queries, next_at, request, version";

pub(super) fn payment(row: &Row<'_>) -> Read<Payment> {
    let mut c = Columns::new("payment", row);
    let (tenant, id) = (c.tenant()?, c.id()?);
    let (app, dialect, public_id) =
        (c.parsed(AppId::parse)?, c.dialect()?, c.parsed(PublicId::parse)?);
    let (channel, route) = (c.parsed(ChannelName::parse)?, c.id()?);
    let (order_no, number) = (c.parsed(OrderNo::parse)?, c.parsed(ChannelNumber::parse)?);
    let currency = c.currency()?;
    let (amount, fee) = (c.amount()?, c.amount()?);
    let (subject, body) = (c.parsed(Subject::parse)?, c.parsed(Note::parse)?);
    let description = c.maybe_parsed(Note::parse)?;
    let (client_ip, echo) = (c.text()?, Echo::from_json(c.text()?));
    let payer = c.take::<Option<i64>>()?.map(Id::from_raw);
    let (created, expires) = (c.time()?, c.time()?);
    let state = payment_state(&mut c)?;
    let (refunded, refunding, refunds) = (c.amount()?, c.amount()?, c.number()?);
    Ok(Payment {
        tenant,
        id,
        app,
        dialect,
        public_id,
        channel,
        route,
        order_no,
        number,
        money: Money::new(amount, currency),
        fee,
        subject,
        body,
        description,
        client_ip,
        echo,
        payer,
        created,
        expires,
        state,
        refunded,
        refunding,
        refunds,
        operation: c.operation()?,
        queries: c.number()?,
        next_at: c.maybe_time()?,
        request: c.maybe_parsed(RequestId::parse)?,
        version: c.take()?,
    })
}

/// The nullable columns of a payment's state, matched together.
fn payment_state(c: &mut Columns<'_>) -> Read<PaymentState> {
    let word = c.text()?;
    let (kind, credential): (Option<Box<str>>, Option<Box<str>>) = (c.take()?, c.take()?);
    let why = c.maybe_parsed(|t| match t {
        "expired" => Ok(CloseReason::Expired),
        "reversed" => Ok(CloseReason::Reversed),
        _ => Err(()),
    })?;
    let at = c.maybe_time()?;
    let (trade_no, paid_at) = (c.maybe_parsed(TradeNo::parse)?, c.maybe_time()?);
    let details = c.maybe_parsed(|t| serde_json::from_str::<Vec<(Box<str>, Box<str>)>>(t))?;
    let (code, message): (Option<Box<str>>, Option<Box<str>>) = (c.take()?, c.take()?);
    let receipt = trade_no.zip(paid_at).map(|(trade_no, paid_at)| Receipt {
        trade_no,
        paid_at,
        details: details.unwrap_or_default(),
    });
    Ok(match (&*word, kind, why, at, receipt) {
        ("created", None, None, None, None) => PaymentState::Created,
        ("pending", Some(kind), None, None, None) => {
            let text = credential.unwrap_or_default();
            let credential = match &*kind {
                "nothing" => Credential::Nothing,
                "page" => Credential::Page(text),
                "order_string" => Credential::OrderString(text),
                "qr" => Credential::Qr(text),
                "trade" => Credential::Trade(text),
                _ => return Err(c.bad()),
            };
            PaymentState::Pending { credential }
        }
        ("closing", None, Some(why), None, None) => PaymentState::Closing { why },
        ("paid", None, None, None, Some(receipt)) => PaymentState::Paid(receipt),
        ("reversing", None, None, None, Some(receipt)) => PaymentState::Reversing(receipt),
        ("closed", None, Some(why), Some(at), None) => PaymentState::Closed { why, at },
        ("reversed", None, None, Some(at), Some(receipt)) => PaymentState::Reversed { receipt, at },
        ("failed", None, None, Some(at), None) => {
            let (Some(code), Some(message)) = (code, message) else { return Err(c.bad()) };
            PaymentState::Failed { code, message, at }
        }
        _ => return Err(c.bad()),
    })
}

pub(super) const RECEIPT: &str = "merchant, mode, route, trade_no, payment, amount, late";

pub(super) fn receipt(row: &Row<'_>) -> Read<ReceiptRow> {
    let mut c = Columns::new("receipt", row);
    Ok(ReceiptRow {
        tenant: c.tenant()?,
        route: c.id()?,
        trade_no: c.parsed(TradeNo::parse)?,
        payment: c.id()?,
        amount: c.amount()?,
        late: c.take()?,
    })
}

pub(super) const REFUND: &str = "merchant, mode, id, app, payment, public_id, route, number, \
    currency, amount, description, echo, origin, batch, created, state, state_at, trade_no, code, \
    message, op_kind, op_state, op_tries, op_queries, op_token, op_next_at, op_code, request, \
    exact_request, body_hash, version";

pub(super) fn refund(row: &Row<'_>) -> Read<Refund> {
    let mut c = Columns::new("refund", row);
    let (tenant, id, app) = (c.tenant()?, c.id()?, c.parsed(AppId::parse)?);
    let (payment, public_id, route) = (c.id()?, c.parsed(PublicId::parse)?, c.id()?);
    let (number, currency) = (c.parsed(ChannelNumber::parse)?, c.currency()?);
    let money = Money::new(c.amount()?, currency);
    let (description, echo) = (c.parsed(Note::parse)?, Echo::from_json(c.text()?));
    let (origin, batch): (Box<str>, Option<i64>) = (c.text()?, c.take()?);
    let origin = match (&*origin, batch) {
        ("merchant", None) => RefundOrigin::Merchant,
        ("batch", Some(batch)) => RefundOrigin::Batch(Id::from_raw(batch)),
        ("reversal", None) => RefundOrigin::Reversal,
        ("late", None) => RefundOrigin::Late,
        ("import", None) => RefundOrigin::Import,
        _ => return Err(c.bad()),
    };
    let created = c.time()?;
    let (word, at) = (c.text()?, c.maybe_time()?);
    let trade_no = c.maybe_parsed(TradeNo::parse)?;
    let (code, message): (Option<Box<str>>, Option<Box<str>>) = (c.take()?, c.take()?);
    let state = match (&*word, at, code) {
        ("pending", None, None) => RefundState::Pending,
        ("succeeded", Some(at), None) => RefundState::Succeeded { at, trade_no },
        ("failed", Some(at), Some(code)) => {
            RefundState::Failed { at, code, message: message.unwrap_or_default() }
        }
        _ => return Err(c.bad()),
    };
    Ok(Refund {
        tenant,
        id,
        app,
        payment,
        public_id,
        route,
        number,
        money,
        description,
        echo,
        origin,
        created,
        state,
        operation: c.operation()?,
        request: c.maybe_parsed(RequestId::parse)?,
        exact_request: c.take()?,
        body_hash: c.hash()?,
        version: c.take()?,
    })
}

pub(super) const BATCH: &str = "merchant, mode, id, app, public_id, batch_no, description, echo, \
    created, total, succeeded, failed, finished, request, version";

pub(super) fn batch(row: &Row<'_>) -> Read<RefundBatch> {
    let mut c = Columns::new("refund_batch", row);
    Ok(RefundBatch {
        tenant: c.tenant()?,
        id: c.id()?,
        app: c.parsed(AppId::parse)?,
        public_id: c.parsed(PublicId::parse)?,
        batch_no: c.text()?,
        description: c.parsed(Note::parse)?,
        echo: Echo::from_json(c.text()?),
        created: c.time()?,
        total: c.number()?,
        succeeded: c.number()?,
        failed: c.number()?,
        finished: c.maybe_time()?,
        request: c.maybe_parsed(RequestId::parse)?,
        version: c.take()?,
    })
}

pub(super) const HOLD: &str = "merchant, mode, refund, path, amount, state, version";

pub(super) fn hold(row: &Row<'_>) -> Read<Hold> {
    let mut c = Columns::new("hold", row);
    Ok(Hold {
        tenant: c.tenant()?,
        refund: c.id()?,
        path: c.path()?,
        amount: c.amount()?,
        state: c.parsed(|t| match t {
            "open" => Ok(HoldState::Open),
            "captured" => Ok(HoldState::Captured),
            "released" => Ok(HoldState::Released),
            _ => Err(()),
        })?,
        version: c.take()?,
    })
}

pub(super) const ACCOUNT: &str = "merchant, mode, path, debits, credits, held, entries";

pub(super) fn account(row: &Row<'_>) -> Read<Account> {
    let mut c = Columns::new("account", row);
    Ok(Account {
        key: AccountKey { tenant: c.tenant()?, path: c.path()? },
        debits: i128::from(c.take::<i64>()?),
        credits: i128::from(c.take::<i64>()?),
        held: c.amount()?,
        entries: c.take()?,
    })
}

pub(super) const EVENT: &str =
    "merchant, mode, id, app, dialect, public_id, event_type, about, object, created, body";

pub(super) fn event(row: &Row<'_>) -> Read<Event> {
    let mut c = Columns::new("event", row);
    let (tenant, id, app) = (c.tenant()?, c.id()?, c.parsed(AppId::parse)?);
    let (dialect, public_id) = (c.dialect()?, c.parsed(PublicId::parse)?);
    let event_type = c.text()?;
    let (word, object): (Box<str>, i64) = (c.text()?, c.take()?);
    let about = About::from_parts(&word, object).ok_or_else(|| c.bad())?;
    let (created, body) = (c.time()?, c.text()?);
    Ok(Event { tenant, id, app, dialect, public_id, event_type, about, created, body })
}

pub(super) const DELIVERY: &str =
    "merchant, mode, id, event, endpoint, state, tries, token, next_at, created, version";

pub(super) fn delivery(row: &Row<'_>) -> Read<Delivery> {
    let mut c = Columns::new("delivery", row);
    Ok(Delivery {
        tenant: c.tenant()?,
        id: c.id()?,
        event: c.id()?,
        endpoint: c.id()?,
        state: c.parsed(|t| match t {
            "waiting" => Ok(DeliveryState::Waiting),
            "sending" => Ok(DeliveryState::Sending),
            "delivered" => Ok(DeliveryState::Delivered),
            "dead" => Ok(DeliveryState::Dead),
            _ => Err(()),
        })?,
        tries: c.number()?,
        token: c.number()?,
        next_at: c.maybe_time()?,
        created: c.time()?,
        version: c.take()?,
    })
}

/// The words under which failures of the courier are stored.
pub(super) const NOT_ALLOWED: &str = "address not allowed";
pub(super) const UNREACHABLE: &str = "unreachable";

pub(super) const DELIVERY_ATTEMPT: &str = "merchant, mode, delivery, number, at, status, excerpt";

pub(super) fn delivery_attempt(row: &Row<'_>) -> Read<DeliveryAttempt> {
    let mut c = Columns::new("delivery_attempt", row);
    let (tenant, delivery, number, at) = (c.tenant()?, c.id()?, c.number()?, c.time()?);
    let status: Option<i64> = c.take()?;
    let excerpt = c.text()?;
    let answer = match status.map(u16::try_from) {
        Some(Ok(status)) => CourierAnswer::Answered { status, excerpt },
        Some(Err(_)) => return Err(c.bad()),
        None if *excerpt == *NOT_ALLOWED => {
            CourierAnswer::Failed(CourierFailure::AddressNotAllowed)
        }
        None => CourierAnswer::Failed(CourierFailure::Unreachable),
    };
    Ok(DeliveryAttempt { tenant, delivery, number, at, answer })
}

pub(super) fn unmatched(
    row: &Row<'_>,
    tenant: Tenant,
    notice_id: Box<str>,
) -> Read<UnmatchedNotice> {
    let mut c = Columns::new("unmatched_notice", row);
    Ok(UnmatchedNotice {
        tenant,
        number: c.parsed(ChannelNumber::parse)?,
        notice_id,
        at: c.time()?,
    })
}

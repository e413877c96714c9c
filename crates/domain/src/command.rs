//! Every change that anyone can ask for, and which rows it needs.

use crate::channel::{Closed, PaymentFound, Prepared, RefundFound, ReversedAs};
use crate::event::{Actor, CourierAnswer, DeliveryId};
use crate::id::Fresh;
use crate::ledger::{AccountKind, AccountPath};
use crate::money::{Amount, Money};
use crate::operation::Outcome;
use crate::payment::{Credential, Payment, PaymentId, Proof};
use crate::refund::{BatchId, Refund, RefundId};
use crate::state::Key;
use crate::tenant::{
    ApiKey, App, Dialect, Endpoint, MemberId, Merchant, MerchantKey, Route, RouteId, Tenant,
};
use crate::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, UserId,
};
use crate::time::Timestamp;

/// A change, with everything that deciding it needs besides rows and time.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens a payment, or finds the one that its order number already names.
    OpenPayment(Box<OpenPayment>),
    /// Notes what a channel made of an order.
    RecordPrepared(RecordPrepared),
    /// Applies proof of payment.
    SettlePayment(SettlePayment),
    /// Notes what a query told of a payment, and when to ask again.
    RecordFound(RecordFound),
    /// Begins to end a payment.
    BeginClose(BeginClose),
    /// Notes what came of a close.
    RecordClosed(RecordClosed),
    /// Notes what came of a reverse.
    RecordReversed(RecordReversed),
    /// Makes a refund and claims it for sending.
    CreateRefund(Box<CreateRefund>),
    /// Makes a batch of refunds, all or none; each is sent when its turn comes.
    CreateBatch(Box<CreateBatch>),
    /// Notes what a channel says of a refund.
    RecordRefund(RecordRefund),
    /// Claims due work on payments and refunds.
    ClaimWork(ClaimWork),
    /// Claims due deliveries.
    ClaimDeliveries(ClaimDeliveries),
    /// Notes what came of one try to deliver.
    RecordDelivery(RecordDelivery),
    /// Makes a delivery due again by hand.
    Resend(Resend),
    /// Keeps a notice about an unknown payment.
    ParkNotice(ParkNotice),
    /// An operator's change.
    Admin(Box<Admin>),
    /// Brings one payment of another system along, with its refunds.
    Import(Box<ImportPayment>),
}

/// Opens a payment.
#[derive(Clone, Debug)]
pub struct OpenPayment {
    /// Whose.
    pub tenant: Tenant,
    /// Of which app.
    pub app: AppId,
    /// In which dialect.
    pub dialect: Dialect,
    /// The id that the dialect minted.
    pub public_id: PublicId,
    /// The way to pay.
    pub channel: ChannelName,
    /// The contract.
    pub route: RouteId,
    /// The merchant's number.
    pub order_no: OrderNo,
    /// Our number at the channel.
    pub number: ChannelNumber,
    /// What is asked for.
    pub money: Money,
    /// What the platform keeps.
    pub fee: Amount,
    /// What is bought.
    pub subject: Subject,
    /// More about it.
    pub body: Note,
    /// A note.
    pub description: Option<Note>,
    /// The payer's address as told.
    pub client_ip: Box<str>,
    /// What the dialect echoes.
    pub echo: Echo,
    /// When it stops to be payable; `None` where the caller set none: then `default_life_seconds`.
    pub expires: Option<Timestamp>,
    /// Seconds to live without an explicit end.
    pub default_life_seconds: i64,
    /// How it begins.
    pub start: Start,
    /// The API call.
    pub request: Option<RequestId>,
    /// When it was asked for: what was signed says so.
    pub created: Timestamp,
    /// Ids.
    pub fresh: Fresh,
}

/// How a payment begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Signing was enough.
    Ready(Credential),
    /// The channel is asked next.
    Ask,
    /// Paid at once from a member's wallet.
    Wallet(UserId),
}

/// Notes what a channel made of an order.
#[derive(Clone, Debug)]
pub struct RecordPrepared {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// The claim under which it was asked.
    pub token: u32,
    /// What came back.
    pub outcome: Outcome<Prepared>,
    /// Ids.
    pub fresh: Fresh,
}

/// Applies proof of payment.
#[derive(Clone, Debug)]
pub struct SettlePayment {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// Of which app, so that its endpoints are loaded in the first round.
    pub app: AppId,
    /// By which contract.
    pub route: RouteId,
    /// The proof.
    pub proof: Proof,
    /// Ids.
    pub fresh: Fresh,
}

/// Notes what a query told of a payment.
#[derive(Clone, Debug)]
pub struct RecordFound {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// Of which app.
    pub app: AppId,
    /// By which contract.
    pub route: RouteId,
    /// What came back. No claim is needed: what a channel says of a payment is true whenever it
    /// arrives, and only proof of payment or of a close changes anything.
    pub outcome: Outcome<PaymentFound>,
    /// Ids.
    pub fresh: Fresh,
}

/// Begins to end a payment.
#[derive(Clone, Debug)]
pub struct BeginClose {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// Why and how.
    pub how: Ending,
    /// The API call.
    pub request: Option<RequestId>,
    /// Ids.
    pub fresh: Fresh,
}

/// Why and how a payment is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its time ran out.
    Expire,
    /// The merchant takes it back while unpaid.
    ReverseUnpaid,
    /// The merchant takes it back, paid or not, until this instant.
    ReverseAny {
        /// Seconds after payment within which paid money still goes back.
        window_seconds: i64,
    },
}

/// Notes what came of a close.
#[derive(Clone, Debug)]
pub struct RecordClosed {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// The claim.
    pub token: u32,
    /// What came back.
    pub outcome: Outcome<Closed>,
}

/// Notes what came of a reverse.
#[derive(Clone, Debug)]
pub struct RecordReversed {
    /// Whose.
    pub tenant: Tenant,
    /// Which payment.
    pub payment: PaymentId,
    /// The claim.
    pub token: u32,
    /// What came back.
    pub outcome: Outcome<ReversedAs>,
    /// Ids.
    pub fresh: Fresh,
}

/// Makes a refund.
#[derive(Clone, Debug)]
pub struct CreateRefund {
    /// Whose.
    pub tenant: Tenant,
    /// Of which payment.
    pub payment: PaymentId,
    /// The id that the dialect minted.
    pub public_id: PublicId,
    /// Our number at the channel.
    pub number: ChannelNumber,
    /// How much; `None` for all that remains.
    pub amount: Option<Amount>,
    /// Why.
    pub description: Note,
    /// What the dialect echoes.
    pub echo: Echo,
    /// The API call.
    pub request: Option<RequestId>,
    /// SHA-256 of the whole signed request.
    pub exact_request: Option<[u8; 32]>,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    /// An identical refund made since then was perhaps never answered: it is this one.
    pub unanswered_since: Option<Timestamp>,
    /// Ids.
    pub fresh: Fresh,
}

/// One refund of a batch.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// Of which payment.
    pub payment: PaymentId,
    /// The id that the dialect minted.
    pub public_id: PublicId,
    /// Our number at the channel.
    pub number: ChannelNumber,
    /// How much; `None` for all that remains.
    pub amount: Option<Amount>,
    /// Why.
    pub description: Note,
    /// What the dialect echoes.
    pub echo: Echo,
}

/// Makes a batch of refunds.
#[derive(Clone, Debug)]
pub struct CreateBatch {
    /// Whose.
    pub tenant: Tenant,
    /// Of which app.
    pub app: AppId,
    /// The id that the dialect minted.
    pub public_id: PublicId,
    /// The merchant's number.
    pub batch_no: Box<str>,
    /// Why.
    pub description: Note,
    /// What the dialect echoes.
    pub echo: Echo,
    /// The refunds, 1 to 100, each of another payment.
    pub items: Vec<BatchItem>,
    /// The API call.
    pub request: Option<RequestId>,
    /// Ids.
    pub fresh: Fresh,
}

/// Notes what a channel says of a refund.
#[derive(Clone, Debug)]
pub struct RecordRefund {
    /// Whose.
    pub tenant: Tenant,
    /// Which refund.
    pub refund: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Of which app.
    pub app: AppId,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
    /// The claim under which it was asked; `None` for a notice.
    pub token: Option<u32>,
    /// What came back.
    pub outcome: Outcome<RefundFound>,
    /// Ids.
    pub fresh: Fresh,
}

/// One piece of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkItem {
    /// A payment.
    Payment(Tenant, PaymentId),
    /// A refund and its payment.
    Refund(Tenant, RefundId, PaymentId),
}

/// Claims due work. What was done or claimed meanwhile is silently left out of the answer.
#[derive(Clone, Debug)]
pub struct ClaimWork {
    /// What the query found due.
    pub items: Vec<WorkItem>,
}

/// What a claimed piece of work asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask the channel for the payment's state.
    Query(Payment),
    /// Send the payment's operation.
    Send(Payment),
    /// Begin to close: its time ran out.
    Expire(Payment),
    /// Send the refund.
    SendRefund(Refund, Payment),
    /// Ask the channel for the refund's state.
    QueryRefund(Refund, Payment),
}

/// Claims due deliveries.
#[derive(Clone, Debug)]
pub struct ClaimDeliveries {
    /// What the query found due.
    pub deliveries: Vec<(Tenant, DeliveryId)>,
}

/// Notes what came of one try to deliver.
#[derive(Clone, Debug)]
pub struct RecordDelivery {
    /// Whose.
    pub tenant: Tenant,
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The claim.
    pub token: u32,
    /// What the courier brought back.
    pub answer: CourierAnswer,
    /// Seconds until the next try, had it failed; `None` past the schedule's end.
    pub retry_seconds: Option<i64>,
}

/// Makes a delivery due again by hand.
#[derive(Clone, Debug)]
pub struct Resend {
    /// Whose.
    pub tenant: Tenant,
    /// Which delivery.
    pub delivery: DeliveryId,
}

/// Keeps a notice about an unknown payment.
#[derive(Clone, Debug)]
pub struct ParkNotice {
    /// Whose route it came by.
    pub tenant: Tenant,
    /// The number that it named.
    pub number: ChannelNumber,
    /// The channel's id of the message.
    pub notice_id: Box<str>,
}

/// An operator's change.
#[derive(Clone, Debug)]
pub enum Admin {
    /// Makes or changes a merchant.
    PutMerchant(Merchant),
    /// Makes or changes an app.
    PutApp(App),
    /// Makes or changes (revokes) an API key.
    PutApiKey(ApiKey),
    /// Registers or revokes a merchant's public key.
    PutMerchantKey(MerchantKey),
    /// Makes or changes a route.
    PutRoute(Route),
    /// Makes or changes an endpoint.
    PutEndpoint(Endpoint),
    /// Makes a wallet user, or changes whether it may pay.
    PutMember {
        /// Whose.
        tenant: Tenant,
        /// Of which app.
        app: AppId,
        /// The merchant's name for the user.
        user: UserId,
        /// Its id, if new.
        id: MemberId,
        /// Whether it may not pay.
        disabled: bool,
    },
    /// Brings an account to a stated balance by an opening journal; the same again changes nothing.
    OpenBalance {
        /// Whose book.
        tenant: Tenant,
        /// Which account.
        path: AccountPath,
        /// The balance it shall have.
        balance: Amount,
        /// Ids.
        fresh: Fresh,
    },
}

/// Brings one payment along.
#[derive(Clone, Debug)]
pub struct ImportPayment {
    /// As it stands, with its own public id. `version` and `refunded` are recomputed.
    pub payment: Payment,
    /// Its refunds, with their own public ids.
    pub refunds: Vec<Refund>,
}

impl Command {
    /// The first round of rows: what the caller knows.
    pub fn keys(&self, keys: &mut Vec<Key>) {
        match self {
            Command::OpenPayment(c) => {
                keys.push(Key::Order(
                    c.tenant,
                    c.app.clone(),
                    c.channel.clone(),
                    c.order_no.clone(),
                ));
                keys.push(Key::Number(c.tenant, c.route, c.number.clone()));
                keys.push(Key::App(c.tenant.merchant, c.app.clone()));
                if let Start::Wallet(user) = &c.start {
                    keys.push(Key::Member(c.tenant, c.app.clone(), user.clone()));
                    keys.push(Key::Endpoints(c.tenant, c.app.clone()));
                    settle_accounts(c.tenant, None, c.money, keys);
                }
            }
            Command::RecordPrepared(c) => {
                keys.push(Key::Payment(c.tenant, c.payment));
            }
            Command::SettlePayment(c) => {
                settling_keys(c.tenant, c.payment, &c.app, keys);
                keys.push(Key::Receipt(c.tenant, c.route, c.proof.trade_no.clone()));
                settle_accounts(c.tenant, Some(c.route), c.proof.money, keys);
            }
            Command::RecordFound(c) => {
                settling_keys(c.tenant, c.payment, &c.app, keys);
                keys.push(Key::RefundsOf(c.tenant, c.payment));
                if let Outcome::Accepted(PaymentFound::Paid { proof }) = &c.outcome {
                    keys.push(Key::Receipt(c.tenant, c.route, proof.trade_no.clone()));
                    settle_accounts(c.tenant, Some(c.route), proof.money, keys);
                }
            }
            Command::BeginClose(c) => {
                keys.push(Key::Payment(c.tenant, c.payment));
                keys.push(Key::RefundsOf(c.tenant, c.payment));
                keys.push(Key::Chain(c.tenant));
            }
            Command::RecordClosed(c) => keys.push(Key::Payment(c.tenant, c.payment)),
            Command::RecordReversed(c) => {
                keys.push(Key::Payment(c.tenant, c.payment));
                keys.push(Key::RefundsOf(c.tenant, c.payment));
                keys.push(Key::Chain(c.tenant));
            }
            Command::CreateRefund(c) => {
                keys.push(Key::Payment(c.tenant, c.payment));
                keys.push(Key::RefundsOf(c.tenant, c.payment));
                keys.push(Key::Chain(c.tenant));
            }
            Command::CreateBatch(c) => {
                keys.push(Key::Batch(c.tenant, c.app.clone(), c.batch_no.clone()));
                keys.push(Key::App(c.tenant.merchant, c.app.clone()));
                keys.push(Key::Endpoints(c.tenant, c.app.clone()));
                keys.push(Key::Chain(c.tenant));
                for item in &c.items {
                    keys.push(Key::Payment(c.tenant, item.payment));
                }
            }
            Command::RecordRefund(c) => {
                settling_keys(c.tenant, c.payment, &c.app, keys);
                keys.push(Key::Refund(c.tenant, c.refund));
                if let Some(batch) = c.batch {
                    keys.push(Key::BatchById(c.tenant, batch));
                    keys.push(Key::RefundsOfBatch(c.tenant, batch));
                }
            }
            Command::ClaimWork(c) => {
                for item in &c.items {
                    match item {
                        WorkItem::Payment(tenant, id) => keys.push(Key::Payment(*tenant, *id)),
                        WorkItem::Refund(tenant, id, payment) => {
                            keys.push(Key::Refund(*tenant, *id));
                            keys.push(Key::Payment(*tenant, *payment));
                        }
                    }
                }
            }
            Command::ClaimDeliveries(c) => {
                keys.extend(c.deliveries.iter().map(|(tenant, id)| Key::Delivery(*tenant, *id)));
            }
            Command::RecordDelivery(c) => keys.push(Key::Delivery(c.tenant, c.delivery)),
            Command::Resend(c) => keys.push(Key::Delivery(c.tenant, c.delivery)),
            Command::ParkNotice(c) => {
                keys.push(Key::Unmatched(c.tenant, c.notice_id.clone()));
            }
            Command::Admin(admin) => admin.keys(keys),
            Command::Import(c) => {
                let p = &c.payment;
                keys.push(Key::PublicPayment(p.tenant, p.public_id.clone()));
                keys.push(Key::Order(
                    p.tenant,
                    p.app.clone(),
                    p.channel.clone(),
                    p.order_no.clone(),
                ));
                keys.push(Key::Number(p.tenant, p.route, p.number.clone()));
                keys.push(Key::App(p.tenant.merchant, p.app.clone()));
                if let Some(receipt) = p.receipt() {
                    keys.push(Key::Receipt(p.tenant, p.route, receipt.trade_no.clone()));
                }
                settle_accounts(p.tenant, Some(p.route), p.money, keys);
            }
        }
    }

    /// The second round: what the loaded rows name.
    pub fn more_keys(&self, state: &crate::state::State, keys: &mut Vec<Key>) {
        match self {
            Command::OpenPayment(c) => {
                if let Start::Wallet(user) = &c.start
                    && let Some(member) = state.peek_member(c.tenant, &c.app, user)
                {
                    keys.push(Key::Account(c.tenant, member.wallet(c.money.currency)));
                }
            }
            Command::RecordPrepared(c) => {
                let Some(payment) = state.peek_payment(c.tenant, c.payment) else { return };
                settling_keys(c.tenant, c.payment, &payment.app, keys);
                if let Outcome::Accepted(Prepared::Paid(proof)) = &c.outcome {
                    keys.push(Key::Receipt(c.tenant, payment.route, proof.trade_no.clone()));
                    settle_accounts(c.tenant, Some(payment.route), payment.money, keys);
                }
            }
            Command::CreateRefund(c) => refund_keys(state, c.tenant, c.payment, keys),
            Command::RecordReversed(c) => reversal_keys(state, c.tenant, c.payment, keys),
            Command::RecordFound(c) => reversal_keys(state, c.tenant, c.payment, keys),
            Command::BeginClose(c) => refund_keys(state, c.tenant, c.payment, keys),
            Command::CreateBatch(c) => {
                for item in &c.items {
                    keys.push(Key::RefundsOf(c.tenant, item.payment));
                    refund_keys(state, c.tenant, item.payment, keys);
                }
            }
            Command::RecordRefund(c) => {
                refund_keys(state, c.tenant, c.payment, keys);
                for refund in state.peek_refunds_of_batch(c.tenant, c.batch) {
                    keys.push(Key::Payment(c.tenant, refund.payment));
                }
                keys.push(Key::Hold(c.tenant, c.refund));
            }
            Command::SettlePayment(_)
            | Command::RecordClosed(_)
            | Command::ClaimWork(_)
            | Command::ClaimDeliveries(_)
            | Command::RecordDelivery(_)
            | Command::Resend(_)
            | Command::ParkNotice(_)
            | Command::Admin(_)
            | Command::Import(_) => {}
        }
    }

    /// Who causes the change.
    pub fn actor(&self) -> Actor {
        match self {
            Command::OpenPayment(_)
            | Command::CreateRefund(_)
            | Command::CreateBatch(_)
            | Command::Resend(_) => Actor::Api,
            Command::RecordPrepared(_)
            | Command::SettlePayment(_)
            | Command::RecordFound(_)
            | Command::RecordClosed(_)
            | Command::RecordReversed(_)
            | Command::RecordRefund(_)
            | Command::ParkNotice(_) => Actor::Channel,
            Command::BeginClose(c) => match c.how {
                Ending::Expire => Actor::Timer,
                Ending::ReverseUnpaid | Ending::ReverseAny { .. } => Actor::Api,
            },
            Command::ClaimWork(_) | Command::ClaimDeliveries(_) | Command::RecordDelivery(_) => {
                Actor::Timer
            }
            Command::Admin(_) | Command::Import(_) => Actor::Operator,
        }
    }
}

impl Admin {
    fn keys(&self, keys: &mut Vec<Key>) {
        match self {
            Admin::PutMerchant(merchant) => keys.push(Key::Merchant(merchant.id)),
            Admin::PutApp(app) => keys.push(Key::App(app.merchant, app.id.clone())),
            Admin::PutApiKey(key) => keys.push(Key::ApiKey(key.hash)),
            Admin::PutMerchantKey(key) => {
                keys.push(Key::MerchantKey(key.tenant, key.fingerprint.clone()));
            }
            Admin::PutRoute(route) => keys.push(Key::Route(route.tenant, route.id)),
            Admin::PutEndpoint(endpoint) => {
                keys.push(Key::Endpoint(endpoint.tenant, endpoint.id));
            }
            Admin::PutMember { tenant, app, user, .. } => {
                keys.push(Key::Member(*tenant, app.clone(), user.clone()));
            }
            Admin::OpenBalance { tenant, path, .. } => {
                keys.push(Key::Chain(*tenant));
                keys.push(Key::Account(*tenant, *path));
                keys.push(Key::Account(
                    *tenant,
                    AccountPath::platform(AccountKind::Opening, path.currency),
                ));
            }
        }
    }
}

fn settling_keys(tenant: Tenant, payment: PaymentId, app: &AppId, keys: &mut Vec<Key>) {
    keys.push(Key::Payment(tenant, payment));
    keys.push(Key::Endpoints(tenant, app.clone()));
    keys.push(Key::App(tenant.merchant, app.clone()));
    keys.push(Key::Chain(tenant));
}

fn settle_accounts(tenant: Tenant, route: Option<RouteId>, money: Money, keys: &mut Vec<Key>) {
    let currency = money.currency;
    keys.push(Key::Chain(tenant));
    keys.push(Key::Account(tenant, AccountPath::merchant_available(currency)));
    keys.push(Key::Account(tenant, AccountPath::platform(AccountKind::FeeIncome, currency)));
    keys.push(Key::Account(tenant, AccountPath::platform(AccountKind::Suspense, currency)));
    if let Some(route) = route {
        keys.push(Key::Account(tenant, AccountPath::receivable(route, currency)));
    }
}

fn refund_keys(
    state: &crate::state::State,
    tenant: Tenant,
    payment: PaymentId,
    keys: &mut Vec<Key>,
) {
    let Some(payment) = state.peek_payment(tenant, payment) else { return };
    let currency = payment.money.currency;
    keys.push(Key::App(tenant.merchant, payment.app.clone()));
    keys.push(Key::Endpoints(tenant, payment.app.clone()));
    keys.push(Key::Account(tenant, AccountPath::merchant_available(currency)));
    keys.push(Key::Account(tenant, AccountPath::platform(AccountKind::Suspense, currency)));
    keys.push(Key::Account(tenant, payment.source()));
}

fn reversal_keys(
    state: &crate::state::State,
    tenant: Tenant,
    payment: PaymentId,
    keys: &mut Vec<Key>,
) {
    let Some(ids) = state.refunds_of.peek(&(tenant, payment)) else { return };
    let open = ids.iter().filter_map(|id| state.refunds.peek(&(tenant, *id)));
    let open: Vec<RefundId> = open.filter(|r| !r.state.is_final()).map(|r| r.id).collect();
    if !open.is_empty() {
        refund_keys(state, tenant, payment, keys);
        keys.extend(open.into_iter().map(|id| Key::Hold(tenant, id)));
    }
}

/// What a decided command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// A payment was made.
    Opened(Payment),
    /// The order number named this payment already, and the request is the same.
    OpenedBefore(Payment),
    /// The payment as it stands now.
    Payment(Payment),
    /// A refund was made; send it under this token unless it is final.
    Refund(Refund, Payment),
    /// The request was seen before: this is its refund.
    RefundBefore(Refund, Payment),
    /// A batch was made.
    Batch(crate::refund::RefundBatch, Vec<Refund>),
    /// Claimed work.
    Tasks(Vec<Task>),
    /// Claimed deliveries.
    Deliveries(Vec<crate::event::Delivery>),
    /// A delivery as it stands now.
    Delivery(crate::event::Delivery),
    /// Done; there is nothing to say.
    Done,
    /// It was so already.
    Unchanged,
}

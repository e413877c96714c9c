//! Payments as use cases: command, call, command. No lock or transaction spans a call.

use std::sync::Arc;

use domain::channel::{Channel, Order, PayParams, PayerDeed, PaymentFound, Preparation};
use domain::command::{
    BeginClose, Command, Decided, Ending, OpenPayment, RecordClosed, RecordFound, RecordPrepared,
    RecordReversed, Start,
};
use domain::money::{Amount, Money};
use domain::operation::{ChannelRefusal, OperationKind, OperationState, Outcome, RefusalClass};
use domain::payment::{Payment, PaymentState};
use domain::refusal::Refusal;
use domain::tenant::{App, Dialect, Mode, RouteId, Tenant};
use domain::text::{
    ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, UserId,
};
use domain::time::Timestamp;

use crate::{Engine, PayError};

/// A payment as a dialect asks for it; everything in it is checked already.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Whose.
    pub tenant: Tenant,
    /// Of which app.
    pub app: Arc<App>,
    /// In which dialect.
    pub dialect: Dialect,
    /// The id that the dialect minted.
    pub public_id: PublicId,
    /// The way to pay.
    pub channel: ChannelName,
    /// The merchant's number. It is our number at the channel too, unless that is taken there.
    pub order_no: OrderNo,
    /// What is asked for.
    pub money: Money,
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
    /// When it stops to be payable, if the merchant says so.
    pub expires: Option<Timestamp>,
    /// Seconds to live otherwise.
    pub default_life_seconds: i64,
    /// What depends on the way to pay.
    pub params: PayParams,
    /// The wallet user who pays, for channel `balance`.
    pub wallet: Option<UserId>,
    /// The API call.
    pub request: Option<RequestId>,
}

/// An opened payment.
#[derive(Clone, Debug)]
pub struct Opening {
    /// As it stands now.
    pub payment: Payment,
    /// False when the order number had named it before.
    pub is_new: bool,
}

impl Engine {
    /// Opens a payment, or continues the one that the same request opened before.
    ///
    /// Errors: [`PayError::Channel`] when the channel refused or did not answer; then the same
    /// request may be sent again and continues.
    pub async fn open_payment(&self, new: NewPayment) -> Result<Opening, PayError> {
        let mode = new.tenant.mode;
        let route = new.app.route(mode, &new.channel).ok_or(PayError::ChannelNotEnabled)?;
        let channel = self.channel(new.tenant, route)?;
        let created = self.now();
        let fresh = self.fresh();
        // The merchant's own number goes to the channel, where people compare it; when another
        // payment holds it there, an id of ours does.
        let own = format!("{}", fresh.clone().id::<Payment>().raw());
        for number in [new.order_no.as_str(), &own] {
            let number = ChannelNumber::parse(number).map_err(|e| Refusal::Fault(e.to_string()))?;
            let order = order_of(&new, number.clone(), created);
            let start = match &new.wallet {
                Some(user) => Start::Wallet(user.clone()),
                None => match channel.plan(&order, &self.notify_url(route))? {
                    Preparation::Ready(credential) => Start::Ready(credential),
                    Preparation::MustAsk => Start::Ask,
                },
            };
            let command = open_command(&new, route, number, start, fresh.clone(), created);
            return match self.submit(command).await {
                Ok(Decided::Opened(payment)) => {
                    let payment = self.ask_if_needed(&channel, payment, &order).await?;
                    Ok(Opening { payment, is_new: true })
                }
                Ok(Decided::OpenedBefore(payment)) => {
                    let order = order_of(&new, payment.number.clone(), payment.created);
                    let payment = self.continue_asking(&channel, payment, &order).await?;
                    Ok(Opening { payment, is_new: false })
                }
                Ok(other) => Err(unexpected(&other)),
                Err(Refusal::NumberTaken) => continue,
                Err(refusal) => Err(refusal.into()),
            };
        }
        Err(Refusal::NumberTaken.into())
    }

    async fn ask_if_needed(
        &self,
        channel: &Arc<dyn Channel>,
        payment: Payment,
        order: &Order,
    ) -> Result<Payment, PayError> {
        let Some(token) = claimed(&payment, OperationKind::Prepare) else { return Ok(payment) };
        self.ask(channel, &payment, token, order).await
    }

    /// Asks for a credential and records what came back.
    async fn ask(
        &self,
        channel: &Arc<dyn Channel>,
        payment: &Payment,
        token: u32,
        order: &Order,
    ) -> Result<Payment, PayError> {
        let outcome = channel.prepare(order, &self.notify_url(payment.route)).await;
        self.count(&outcome);
        let trouble = trouble_of(&outcome);
        let command = RecordPrepared {
            tenant: payment.tenant,
            payment: payment.id,
            token,
            outcome,
            fresh: self.fresh(),
        };
        match (self.submit(Command::RecordPrepared(command)).await?, trouble) {
            (Decided::Payment(p), None) => Ok(p),
            // A notice may have been faster than the answer that we did not understand.
            (Decided::Payment(p), Some(_)) if p.receipt().is_some() => Ok(p),
            (_, Some(refusal)) => Err(PayError::Channel(refusal)),
            (other, None) => Err(unexpected(&other)),
        }
    }

    /// The first sending's answer was lost: ask again under the same number, which the channel
    /// answers with the same credential.
    async fn continue_asking(
        &self,
        channel: &Arc<dyn Channel>,
        payment: Payment,
        order: &Order,
    ) -> Result<Payment, PayError> {
        // A dispatch of a former process has nobody behind it any more.
        let orphaned = payment.created < self.started_at();
        let unknown = payment.operation.as_ref().is_some_and(|o| {
            let dispatching = o.state == OperationState::Dispatching;
            o.kind == OperationKind::Prepare && (orphaned || !dispatching)
        });
        if !matches!(payment.state, PaymentState::Created) || !unknown {
            return Ok(payment);
        }
        let token = payment.operation.as_ref().map_or(0, |o| o.token);
        self.ask(channel, &payment, token, order).await
    }

    /// Ends a payment on the merchant's wish and returns it as it stands then. An outcome that is
    /// not known yet is a [`PayError::Channel`]; it is found out in the background.
    pub async fn reverse(
        &self,
        payment: &Payment,
        how: Ending,
        request: Option<RequestId>,
    ) -> Result<Payment, PayError> {
        let command = BeginClose {
            tenant: payment.tenant,
            payment: payment.id,
            how,
            request,
            fresh: self.fresh(),
        };
        match self.submit(Command::BeginClose(command)).await? {
            Decided::Payment(payment) => self.send_ending(payment).await,
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a payment's close or reverse, if it is claimed, and records what came back.
    pub(crate) async fn send_ending(&self, payment: Payment) -> Result<Payment, PayError> {
        let (tenant, id) = (payment.tenant, payment.id);
        let channel = self.channel(tenant, payment.route)?;
        let (recorded, trouble) = if let Some(token) = claimed(&payment, OperationKind::Close) {
            let outcome = channel.close(&payment.number).await;
            self.count(&outcome);
            let trouble = trouble_of(&outcome).filter(|r| r.why != RefusalClass::NotFound);
            let paid = matches!(&outcome, Outcome::Accepted(domain::channel::Closed::AlreadyPaid));
            let command = RecordClosed { tenant, payment: id, token, outcome };
            let recorded = self.submit(Command::RecordClosed(command)).await?;
            if paid {
                let payment = self.ask_payment(&payment).await?;
                return Ok(payment);
            }
            (recorded, trouble)
        } else if let Some(token) = claimed(&payment, OperationKind::Reverse) {
            let outcome = channel.reverse(&payment.number).await;
            self.count(&outcome);
            let trouble = trouble_of(&outcome).filter(|r| r.why != RefusalClass::NotFound);
            let fresh = self.fresh();
            let command = RecordReversed { tenant, payment: id, token, outcome, fresh };
            (self.submit(Command::RecordReversed(command)).await?, trouble)
        } else {
            return Ok(payment);
        };
        match (recorded, trouble) {
            (Decided::Payment(payment), None) => Ok(payment),
            (_, Some(refusal)) => Err(PayError::Channel(refusal)),
            (other, None) => Err(unexpected(&other)),
        }
    }

    /// Asks the channel for the payment's state now and applies what it says.
    pub async fn ask_payment(&self, payment: &Payment) -> Result<Payment, PayError> {
        let channel = self.channel(payment.tenant, payment.route)?;
        let outcome = channel.query(&payment.number).await;
        self.count(&outcome);
        self.record_found(payment, outcome).await
    }

    async fn record_found(
        &self,
        payment: &Payment,
        outcome: Outcome<PaymentFound>,
    ) -> Result<Payment, PayError> {
        let command = RecordFound {
            tenant: payment.tenant,
            payment: payment.id,
            app: payment.app.clone(),
            route: payment.route,
            outcome,
            fresh: self.fresh(),
        };
        match self.submit(Command::RecordFound(command)).await? {
            Decided::Payment(payment) => Ok(payment),
            other => Err(unexpected(&other)),
        }
    }

    /// Plays the payer of a test payment at a simulator, then asks what came of it. Live payments
    /// and upstreams that are no simulators answer `NotFound`, as if the payment did not exist.
    pub async fn play_payer(
        &self,
        payment: &Payment,
        deed: PayerDeed,
    ) -> Result<Payment, PayError> {
        if payment.tenant.mode != Mode::Test {
            return Err(Refusal::NotFound("payment").into());
        }
        let credential = match &payment.state {
            PaymentState::Pending { credential } => credential,
            PaymentState::Paid(_) | PaymentState::Reversing(_) | PaymentState::Reversed { .. } => {
                return Ok(payment.clone());
            }
            PaymentState::Created
            | PaymentState::Closing { .. }
            | PaymentState::Closed { .. }
            | PaymentState::Failed { .. } => return Err(Refusal::PaymentClosed.into()),
        };
        if !payment.is_payable(self.now()) {
            return Err(Refusal::PaymentClosed.into());
        }
        let channel = self.channel(payment.tenant, payment.route)?;
        let Some(play) = channel.play_payer(&payment.number, credential, deed) else {
            return Err(Refusal::NotFound("payment").into());
        };
        if let Some(refusal) = trouble_of(&play.await) {
            return Err(PayError::Channel(refusal));
        }
        self.ask_payment(payment).await
    }

    /// Where a channel's notices for a route arrive.
    pub fn notify_url(&self, route: RouteId) -> String {
        format!("{}/notify/route/{}", self.public_url, route.raw())
    }

    /// How the outside reaches us, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    pub(crate) fn count<T>(&self, outcome: &Outcome<T>) {
        self.stats.count_call(matches!(outcome, Outcome::Unknown(_)));
    }
}

fn order_of(new: &NewPayment, number: ChannelNumber, created: Timestamp) -> Order {
    Order {
        channel: new.channel.clone(),
        number,
        money: new.money,
        subject: new.subject.clone(),
        body: new.body.clone(),
        created,
        expires: new.expires.unwrap_or(created.plus_seconds(new.default_life_seconds)),
        params: new.params.clone(),
    }
}

fn open_command(
    new: &NewPayment,
    route: RouteId,
    number: ChannelNumber,
    start: Start,
    fresh: domain::id::Fresh,
    created: Timestamp,
) -> Command {
    // Test money earns nothing (specs/pingpp.md §3.5).
    let fee = match new.tenant.mode {
        Mode::Live => new.money.amount.share(new.app.fee),
        Mode::Test => Amount::ZERO,
    };
    Command::OpenPayment(Box::new(OpenPayment {
        tenant: new.tenant,
        app: new.app.id.clone(),
        dialect: new.dialect,
        public_id: new.public_id.clone(),
        channel: new.channel.clone(),
        route,
        order_no: new.order_no.clone(),
        number,
        money: new.money,
        fee,
        subject: new.subject.clone(),
        body: new.body.clone(),
        description: new.description.clone(),
        client_ip: new.client_ip.clone(),
        echo: new.echo.clone(),
        expires: new.expires,
        default_life_seconds: new.default_life_seconds,
        start,
        request: new.request.clone(),
        created,
        fresh,
    }))
}

/// The token of an operation that this caller has claimed and must send.
fn claimed(payment: &Payment, kind: OperationKind) -> Option<u32> {
    let operation = payment.operation.as_ref()?;
    let mine = operation.kind == kind && operation.state == OperationState::Dispatching;
    mine.then_some(operation.token)
}

pub(crate) fn trouble_of<T>(outcome: &Outcome<T>) -> Option<ChannelRefusal> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Refused(r) | Outcome::Unknown(r) | Outcome::NotSent(r) => Some(r.clone()),
    }
}

pub(crate) fn unexpected(decided: &Decided) -> PayError {
    Refusal::Fault(format!("a command answered {decided:?}")).into()
}

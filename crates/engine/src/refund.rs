//! Refunds as use cases: command, call, command.

use domain::channel::RefundOrder;
use domain::command::{Command, CreateBatch, CreateRefund, Decided, RecordRefund};
use domain::operation::OperationState;
use domain::payment::Payment;
use domain::refund::{Refund, RefundBatch, RefundOrigin};
use domain::refusal::Refusal;

use crate::pay::unexpected;
use crate::{Engine, PayError};

impl Engine {
    /// Makes a refund and asks the channel for it. What the channel refuses is a refund that
    /// failed, what it leaves open one that is pending; both are answers, not errors. The flag
    /// tells whether this call made it.
    pub async fn refund(&self, command: CreateRefund) -> Result<(Refund, Payment, bool), PayError> {
        match self.submit(Command::CreateRefund(Box::new(command))).await? {
            Decided::Refund(refund, payment) => {
                let sent = self.send_refund(&refund, &payment).await;
                // Whatever went wrong after the commit, the refund exists and is pending: an error
                // now would make the merchant's software ask for another one.
                let (refund, payment) = sent.unwrap_or((refund, payment));
                Ok((refund, payment, true))
            }
            Decided::RefundBefore(refund, payment) => Ok((refund, payment, false)),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a batch of refunds; each is sent in its turn.
    pub async fn create_batch(
        &self,
        command: CreateBatch,
    ) -> Result<(RefundBatch, Vec<Refund>), Refusal> {
        match self.submit(Command::CreateBatch(Box::new(command))).await? {
            Decided::Batch(batch, refunds) => Ok((batch, refunds)),
            other => Err(Refusal::Fault(format!("a command answered {other:?}"))),
        }
    }

    /// Sends a claimed refund and records what came back.
    pub(crate) async fn send_refund(
        &self,
        refund: &Refund,
        payment: &Payment,
    ) -> Result<(Refund, Payment), PayError> {
        let claimed = refund.operation.as_ref();
        let Some(operation) = claimed.filter(|o| o.state == OperationState::Dispatching) else {
            return Ok((refund.clone(), payment.clone()));
        };
        let token = operation.token;
        let channel = self.channel(refund.tenant, refund.route)?;
        let outcome = channel.refund(&order_of(refund, payment)).await;
        self.count(&outcome);
        self.record_refund(refund, Some(token), outcome).await
    }

    /// Asks the channel for a refund's state and records what it says.
    pub(crate) async fn ask_refund(
        &self,
        refund: &Refund,
        payment: &Payment,
    ) -> Result<(Refund, Payment), PayError> {
        let token = refund.operation.as_ref().map(|o| o.token);
        let channel = self.channel(refund.tenant, refund.route)?;
        let outcome = channel.query_refund(&order_of(refund, payment)).await;
        self.count(&outcome);
        self.record_refund(refund, token, outcome).await
    }

    async fn record_refund(
        &self,
        refund: &Refund,
        token: Option<u32>,
        outcome: domain::operation::Outcome<domain::channel::RefundFound>,
    ) -> Result<(Refund, Payment), PayError> {
        let batch = match refund.origin {
            RefundOrigin::Batch(id) => Some(id),
            RefundOrigin::Merchant
            | RefundOrigin::Reversal
            | RefundOrigin::Late
            | RefundOrigin::Import => None,
        };
        let command = RecordRefund {
            tenant: refund.tenant,
            refund: refund.id,
            payment: refund.payment,
            app: refund.app.clone(),
            batch,
            token,
            outcome,
            fresh: self.fresh(),
        };
        match self.submit(Command::RecordRefund(command)).await? {
            Decided::Refund(refund, payment) => Ok((refund, payment)),
            other => Err(unexpected(&other)),
        }
    }
}

fn order_of(refund: &Refund, payment: &Payment) -> RefundOrder {
    RefundOrder {
        payment: payment.number.clone(),
        number: refund.number.clone(),
        money: refund.money,
        total: payment.money.amount,
        reason: refund.description.clone(),
    }
}

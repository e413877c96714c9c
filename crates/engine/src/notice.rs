//! Notices from channels: read by the connector, applied by one command, answered after the commit.

use domain::channel::{News, Notice, RawNotice};
use domain::command::{Command, ParkNotice, SettlePayment};
use domain::refusal::Refusal;
use domain::tenant::{RouteId, Tenant};

use crate::{Engine, PayError, refusal_of};

/// What to answer the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeReply {
    /// The body, in the channel's own word.
    pub body: &'static str,
    /// Whether the channel may forget the notice.
    pub taken: bool,
}

impl Engine {
    /// Takes a notice that came by a route; `None` for an unknown route. Nothing is believed
    /// before the connector has verified it, and nothing is answered before the commit; what is
    /// refused comes again, and that is our retry.
    pub async fn take_notice(
        &self,
        route: RouteId,
        raw: RawNotice<'_>,
    ) -> Result<Option<NoticeReply>, Refusal> {
        let found = self.channel_of_notice(route);
        let found = found.map_err(|error| match error {
            PayError::Refused(refusal) => refusal,
            other => Refusal::Fault(other.to_string()),
        })?;
        let Some((tenant, channel)) = found else { return Ok(None) };
        let applied = match channel.read_notice(raw) {
            Ok(notice) => self.apply_notice(tenant, route, notice).await,
            Err(error) => {
                let (route, bytes) = (route.raw(), raw.body.len());
                tracing::warn!(%error, route, bytes, "a notice was refused");
                Err(Refusal::NotFound("notice"))
            }
        };
        let taken = match applied {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, route = route.raw(), "a notice was not applied");
                false
            }
        };
        self.stats.count_notice(taken);
        let body = if taken { channel.notice_taken() } else { channel.notice_refused() };
        Ok(Some(NoticeReply { body, taken }))
    }

    async fn apply_notice(
        &self,
        tenant: Tenant,
        route: RouteId,
        notice: Notice,
    ) -> Result<(), Refusal> {
        let q = &*self.queries;
        let payment = q.payment_by_number(tenant, route, &notice.number).map_err(refusal_of)?;
        let Some(payment) = payment else {
            // Signed by the channel, about nothing that we know: kept for people, never dropped.
            let Notice { number, notice_id, .. } = notice;
            self.submit(Command::ParkNotice(ParkNotice { tenant, number, notice_id })).await?;
            return Ok(());
        };
        match notice.news {
            News::Nothing => {}
            News::Paid(proof) => {
                let command = SettlePayment {
                    tenant,
                    payment: payment.id,
                    app: payment.app.clone(),
                    route,
                    proof,
                    fresh: self.fresh(),
                };
                self.submit(Command::SettlePayment(command)).await?;
            }
            // Less than proof: the channel is asked, and its answer decides.
            News::Closed => {
                self.ask_payment(&payment).await.map_err(refusal_in)?;
            }
            News::Refunded { refund } => {
                let known = q.refund_by_number(tenant, route, &refund).map_err(refusal_of)?;
                if let Some(refund) = known.filter(|r| !r.state.is_final()) {
                    self.ask_refund(&refund, &payment).await.map_err(refusal_in)?;
                }
            }
        }
        Ok(())
    }
}

fn refusal_in(error: PayError) -> Refusal {
    match error {
        PayError::Refused(refusal) => refusal,
        PayError::ChannelNotEnabled | PayError::Order(_) | PayError::Channel(_) => {
            Refusal::Unavailable
        }
    }
}

//! Carries webhooks to addresses that merchants name (specs/reliability.md §2.5, §4.5).
//!
//! It sends once and tells what came back; when to send again is the engine's. It never follows a
//! redirect and never tells a refused address from its reason.

use std::sync::Arc;

use domain::channel::PortFuture;
use domain::event::{CourierAnswer, CourierFailure};
use domain::webhook::{Courier, Message};
use reqwest::Client;

use crate::address::{AddressRule, Gatekeeper, Ports, Resolver, SystemResolver};
use crate::http::{self, Limits, Reply, Trouble};

/// How much of an answer is kept.
const EXCERPT_BYTES_MAX: usize = 1_024;

/// Where messages may go.
#[derive(Clone, Debug, Default)]
pub struct CourierSettings {
    /// Also to loopback and private networks; for tests and demonstrations.
    pub allow_private: bool,
    /// Also over plain http.
    pub allow_plain_http: bool,
    /// To which ports.
    pub ports: Ports,
}

/// The courier for a process; it keeps connections, so make one and share it.
pub fn courier(settings: CourierSettings) -> Arc<dyn Courier> {
    Arc::new(HttpCourier::new(settings, Arc::new(SystemResolver), Limits::WEBHOOK))
}

struct HttpCourier {
    client: Client,
    rule: AddressRule,
    limits: Limits,
}

impl HttpCourier {
    fn new(settings: CourierSettings, resolver: Arc<dyn Resolver>, limits: Limits) -> HttpCourier {
        let rule = AddressRule {
            allow_private: settings.allow_private,
            allow_plain_http: settings.allow_plain_http,
            ports: settings.ports,
        };
        let gatekeeper = Arc::new(Gatekeeper { resolver, rule: rule.clone() });
        let client = http::client(limits, |builder| builder.dns_resolver(gatekeeper.clone()));
        HttpCourier { client, rule, limits }
    }

    async fn carry(&self, message: Message) -> CourierAnswer {
        let Ok(url) = self.rule.check(&message.url) else {
            return CourierAnswer::Failed(CourierFailure::AddressNotAllowed);
        };
        let mut request = self.client.post(url).body(String::from(message.body));
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        match http::exchange(request, self.limits).await {
            Ok(reply) => self.answer_of(reply),
            Err(Trouble::AddressNotAllowed) => {
                CourierAnswer::Failed(CourierFailure::AddressNotAllowed)
            }
            Err(Trouble::NotConnected | Trouble::TimedOut | Trouble::Broken) => {
                CourierAnswer::Failed(CourierFailure::Unreachable)
            }
        }
    }

    fn answer_of(&self, reply: Reply) -> CourierAnswer {
        // The second wall of SEC-61: whoever answered must be somebody whom we may dial.
        if reply.peer.is_some_and(|peer| !self.rule.allows(peer.ip())) {
            return CourierAnswer::Failed(CourierFailure::AddressNotAllowed);
        }
        CourierAnswer::Answered { status: reply.status, excerpt: excerpt(&reply.body) }
    }
}

/// The beginning of a body as text that any store can hold.
fn excerpt(body: &[u8]) -> Box<str> {
    let beginning = &body[..body.len().min(EXCERPT_BYTES_MAX)];
    let text = String::from_utf8_lossy(beginning).replace('\0', "\u{fffd}");
    // A replacement is longer than what it replaces.
    text[..text.floor_char_boundary(EXCERPT_BYTES_MAX)].into()
}

impl Courier for HttpCourier {
    fn send(&self, message: Message) -> PortFuture<'_, CourierAnswer> {
        Box::pin(self.carry(message))
    }
}

#[cfg(test)]
mod tests;

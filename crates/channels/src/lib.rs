//! The far side as we reach it: one module for each upstream, and the courier of webhooks.
//!
//! Connectors fill the ports of `domain`. They touch no store, never retry by themselves, and never
//! call a time-out a failure: what is not known to be refused is unknown
//! (specs/reliability.md §7.3).

mod address;
pub mod alipay;
mod balance;
mod courier;
#[cfg(test)]
mod far_side;
mod http;

use std::fmt;
use std::sync::Arc;

use domain::ambient::Clock;
use domain::channel::{Channel, Connectors, SettingsError};
use domain::tenant::{Mode, Route};
use reqwest::Client;

pub use crate::address::Ports;
pub use crate::courier::{CourierSettings, courier};

use crate::alipay::{Alipay, Settings};
use crate::balance::Balance;
use crate::http::Limits;

/// Opens a route's sealed settings: JSON text.
pub type OpenSettings = Arc<dyn Fn(&Route) -> Result<String, SettingsError> + Send + Sync>;

/// The connectors of this house. They share connections, so make them once.
///
/// `clock` gives the time that requests bear.
pub fn connectors(open: OpenSettings, clock: Arc<dyn Clock>) -> Arc<dyn Connectors> {
    let client = http::client(Limits::CHANNEL, |builder| builder);
    Arc::new(House { open, clock, client })
}

struct House {
    open: OpenSettings,
    clock: Arc<dyn Clock>,
    client: Client,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connectors of alipay and balance")
    }
}

impl Connectors for House {
    fn connect(&self, route: &Route) -> Result<Arc<dyn Channel>, SettingsError> {
        match &*route.connector {
            "alipay" => {
                let settings = Settings::parse(&(self.open)(route)?)?;
                if route.tenant.mode == Mode::Live && settings.is_simulated() {
                    return Err(SettingsError(
                        "control_url: a live route cannot lead to a simulator; leave it out".into(),
                    ));
                }
                let (client, clock) = (self.client.clone(), self.clock.clone());
                Ok(Arc::new(Alipay::new(settings, client, clock, Limits::CHANNEL)))
            }
            "balance" => Ok(Arc::new(Balance)),
            other => Err(SettingsError(format!(
                "there is no connector {other:?}; the connectors are alipay and balance"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;

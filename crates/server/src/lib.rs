//! HTTP assembly: mounting, limits, health, and operators' operations. Holds no rule about money.

pub mod admin;
mod clock;
mod envelope;
mod health;
mod metrics;
mod mock;
mod notify;
mod serve;
mod site;

pub use clock::TestClockDesk;
pub use serve::{Limits, serve};
pub use site::{Site, router};

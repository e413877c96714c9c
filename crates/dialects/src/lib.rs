//! The wire APIs that merchants speak: authentication, parsing, rendering, errors, event bodies.
//!
//! One module for each API, and none knows another. This room decides nothing about money, names no
//! channel's type and stores nothing.

pub mod pingpp;

use std::sync::Arc;

use domain::tenant::Dialect;
use domain::webhook::{WebhookFormat, WebhookFormats};
use sign::rsa::PrivateKey;

/// The words of every dialect for what happened, signed with the platform's key where a dialect
/// signs.
pub fn formats(platform_key: Arc<PrivateKey>) -> Arc<dyn WebhookFormats> {
    Arc::new(Formats { pingpp: pingpp::webhook::Format::new(platform_key) })
}

struct Formats {
    pingpp: pingpp::webhook::Format,
}

impl WebhookFormats for Formats {
    fn of(&self, dialect: Dialect) -> &dyn WebhookFormat {
        match dialect {
            Dialect::Pingpp => &self.pingpp,
        }
    }
}

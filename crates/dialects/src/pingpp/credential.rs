//! The credential as each way to pay hands it to the payer's device (specs/pingpp.md §4.2): an
//! envelope whose one key besides `object` is the channel's name.

use domain::payment::{Credential, Payment, PaymentState};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A payment's credential, or an empty map once there is nothing to hand over (R9: never null).
pub(super) struct Envelope<'a>(pub &'a Payment);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let credential = match &self.0.state {
            PaymentState::Pending { credential } => credential,
            PaymentState::Created
            | PaymentState::Closing { .. }
            | PaymentState::Paid(_)
            | PaymentState::Reversing(_)
            | PaymentState::Closed { .. }
            | PaymentState::Reversed { .. }
            | PaymentState::Failed { .. } => &Credential::Nothing,
        };
        if *credential == Credential::Nothing {
            return serializer.serialize_map(Some(0))?.end();
        }
        let mut envelope = serializer.serialize_map(Some(2))?;
        envelope.serialize_entry("object", "credential")?;
        envelope.serialize_entry(self.0.channel.as_str(), &Inside(credential))?;
        envelope.end()
    }
}

struct Inside<'a>(&'a Credential);

impl Serialize for Inside<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Credential::Nothing => serializer.serialize_map(Some(0))?.end(),
            Credential::Page(url) => {
                // The client library builds the channel's form again from these fields.
                let (address, query) = url.split_once('?').unwrap_or((url, ""));
                let mut fields = serializer.serialize_map(None)?;
                fields.serialize_entry("channel_url", address)?;
                for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                    fields.serialize_entry(&*name, &*value)?;
                }
                fields.end()
            }
            Credential::OrderString(text) => {
                let mut fields = serializer.serialize_map(Some(1))?;
                fields.serialize_entry("orderInfo", text)?;
                fields.end()
            }
            Credential::Qr(text) | Credential::Trade(text) => serializer.serialize_str(text),
        }
    }
}

//! The book: accounts, journals and the recipes that turn business events into entries.
//!
//! Rows of a journal are never updated or deleted; a mistake is corrected by another journal.

mod account;
mod journal;
pub mod recipe;

pub use account::{Account, AccountError, AccountKey, AccountKind, AccountPath, Owner, Side};
pub use journal::{Cause, ChainHead, Entry, Hash, Journal, Line, Unbalanced};

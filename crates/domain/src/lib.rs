//! What money may do: values, rules and the ledger. Pure.
//!
//! This room does no I/O, is never asynchronous, reads no clock, draws no number and knows
//! neither SQL, HTTP, a wire format, a channel nor a dialect. Core types are not serialisable: a
//! wire format is somebody else's contract.
//!
//! Start reading at [`command`] (what can be asked), [`decide`] (what is done about it) and
//! [`state`] (the rows in between).

pub mod ambient;
pub mod channel;
pub mod command;
pub mod currency;
pub mod decide;
pub mod event;
pub mod id;
pub mod invariant;
pub mod ledger;
pub mod money;
pub mod operation;
pub mod payment;
pub mod refund;
pub mod refusal;
pub mod retry;
pub mod state;
pub mod tenant;
pub mod text;
pub mod time;
pub mod webhook;

//! The simulator from outside: over a loopback socket, with a client written from the protocol's
//! description. Nothing here uses the simulator's own parsing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod harness;

mod bills;
mod calls;
mod cashier;
mod certificates;
mod faults;
mod notifications;
mod persistence;
mod refusals;

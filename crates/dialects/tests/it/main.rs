//! The API of this dialect through its router, on the engine with a store of maps and a channel
//! that does what it is told.

// The harness is test code through and through.
#![cfg(test)]

mod batches;
mod charges;
mod credentials;
mod events;
mod lists;
mod parameters;
mod refunds;
mod world;

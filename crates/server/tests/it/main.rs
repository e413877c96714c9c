//! The server as its clients see it: through the router, and over a real socket where the limits
//! of the listener matter.

// The harness is test code through and through.
#![cfg(test)]

mod channel;
mod clock;
mod faces;
mod health;
mod limits;
mod notices;
mod pages;
mod stopping;
mod wire;
mod world;

//! The simulator from outside: over a loopback socket, with a client written from the protocol's
//! description. Nothing here uses the simulator's own parsing.

mod harness;

mod bills;
mod calls;
mod cashier;
mod certificates;
mod faults;
mod notifications;
mod persistence;
mod refusals;

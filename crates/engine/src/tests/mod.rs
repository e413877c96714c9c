//! The engine with a real store, a moved clock, a scripted channel and a scripted receiver.

mod delivering;
mod paying;
mod world;

//! One file for each subcommand.

pub mod admin;
pub mod demo;
pub mod serve;
pub mod verify;

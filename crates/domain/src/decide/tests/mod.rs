//! Proof that `decide` keeps the book, by search, by chance and by example.

pub(crate) mod book;
mod by_hand;
mod deliveries;
mod oracle;
mod search;

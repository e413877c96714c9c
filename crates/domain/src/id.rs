//! Identifiers: our own, one kind per type, and the public ones that merchants see.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, Ordering};

use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// Our identifier of one thing of kind `K`: 63 bits that grow with time.
///
/// Layout from the top: milliseconds since 2020 (41 bits), counter (16), node (6). It never leaves
/// the process as such; merchants see a [`crate::text::PublicId`].
pub struct Id<K> {
    value: i64,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// From the stored number.
    pub const fn from_raw(value: i64) -> Id<K> {
        Id { value, kind: PhantomData }
    }

    /// The number as stored.
    pub const fn raw(self) -> i64 {
        self.value
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.value)
    }
}

const EPOCH_MS: i64 = 1_577_836_800_000; // 2020-01-01T00:00:00Z
const NODE_BITS: u32 = 6;
const COUNTER_BITS: u32 = 16;
const STEP: i64 = 1 << NODE_BITS;

/// How many ids one [`Fresh`] may hand out.
pub const FRESH_IDS_MAX: i64 = 512;

/// Makes ids for one node. Shared by all threads; takes no lock.
#[derive(Debug)]
pub struct IdMaker {
    node: i64,
    last: AtomicI64,
}

impl IdMaker {
    /// `node` 0–63 must be different for every process on one database; `after` is the largest id
    /// that the database already holds, so that a clock set back repeats nothing.
    pub fn new(node: u8, after: i64) -> IdMaker {
        let node = i64::from(node) & (STEP - 1);
        IdMaker { node, last: AtomicI64::new((after & !(STEP - 1)) | node) }
    }

    /// Reserves `count` ids that follow each other and returns the first one.
    fn reserve(&self, now: Timestamp, count: i64) -> i64 {
        let ms = (now.micros() / 1_000 - EPOCH_MS).max(0);
        let floor = (ms << (NODE_BITS + COUNTER_BITS)) | self.node;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let first = floor.max(last + STEP);
            let end = first + (count - 1) * STEP;
            match self.last.compare_exchange_weak(last, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return first,
                Err(seen) => last = seen,
            }
        }
    }

    /// One new id.
    pub fn id<K>(&self, now: Timestamp) -> Id<K> {
        Id::from_raw(self.reserve(now, 1))
    }

    /// Material for the ids that one command may need.
    pub fn fresh(&self, now: Timestamp, seed: [u8; 16]) -> Fresh {
        Fresh { next: self.reserve(now, FRESH_IDS_MAX), used: 0, seed, draws: 0 }
    }
}

/// Ids and unpredictable text for one command, drawn beforehand so that `decide` stays pure: the
/// same command decided twice (after a lost serialisation race) names the same things.
#[derive(Clone, Debug)]
pub struct Fresh {
    next: i64,
    used: i64,
    seed: [u8; 16],
    draws: u32,
}

impl Fresh {
    /// For tests: ids from `first`, text from `seed`.
    pub fn for_test(first: i64, seed: [u8; 16]) -> Fresh {
        Fresh { next: first, used: 0, seed, draws: 0 }
    }

    /// The next reserved id.
    pub fn id<K>(&mut self) -> Id<K> {
        // A command names at most a few hundred things (a batch refund of 100); the block is
        // larger. Past it, ids would collide with a neighbour's block and the store's primary key
        // would refuse them: nothing is overwritten.
        debug_assert!(self.used < FRESH_IDS_MAX);
        let id = Id::from_raw(self.next);
        self.next += STEP;
        self.used += 1;
        id
    }

    /// `len` unpredictable decimal digits (at most 32).
    pub fn digits(&mut self, len: usize) -> String {
        self.symbols(len, b"0123456789")
    }

    /// `len` unpredictable letters and digits (at most 32).
    pub fn alphanumeric(&mut self, len: usize) -> String {
        self.symbols(len, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }

    fn symbols(&mut self, len: usize, symbols: &[u8]) -> String {
        let mut text = String::with_capacity(len);
        while text.len() < len {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.draws.to_be_bytes());
            self.draws += 1;
            let fair = (256 / symbols.len()) * symbols.len();
            for byte in hash.finalize() {
                if usize::from(byte) < fair && text.len() < len {
                    text.push(char::from(symbols[usize::from(byte) % symbols.len()]));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_never_repeat_even_when_the_clock_is_set_back() {
        let maker = IdMaker::new(3, 0);
        let now = Timestamp::from_seconds(1_800_000_000);
        let a = maker.id::<()>(now);
        let b = maker.id::<()>(now);
        let c = maker.id::<()>(now.plus_seconds(-3600));
        let d = maker.id::<()>(now.plus_seconds(1));
        assert!(a < b && b < c && c < d);
        assert!([a, b, c, d].iter().all(|id| id.raw() & 63 == 3));
        let restarted = IdMaker::new(3, d.raw());
        assert!(restarted.id::<()>(now.plus_seconds(-3600)) > d);
    }

    #[test]
    fn two_commands_never_share_an_id() {
        let maker = IdMaker::new(0, 0);
        let now = Timestamp::from_seconds(1_800_000_000);
        let mut first = maker.fresh(now, [1; 16]);
        let mut second = maker.fresh(now, [1; 16]);
        let last_of_first = (0..FRESH_IDS_MAX).map(|_| first.id::<()>()).last().unwrap();
        assert!(second.id::<()>() > last_of_first);
    }

    #[test]
    fn the_same_seed_draws_the_same_text_and_another_draws_another() {
        let draw = |seed| {
            let mut fresh = Fresh::for_test(0, seed);
            (fresh.digits(15), fresh.alphanumeric(24))
        };
        assert_eq!(draw([7; 16]), draw([7; 16]));
        assert_ne!(draw([7; 16]), draw([8; 16]));
        assert!(draw([7; 16]).0.bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(draw([7; 16]).1.len(), 24);
    }
}

//! Journals: balanced sets of entries, chained by hash.

use sha2::{Digest, Sha256};

use super::account::{AccountPath, Side};
use crate::id::Id;
use crate::money::Amount;
use crate::payment::Payment;
use crate::refund::Refund;
use crate::tenant::Tenant;
use crate::time::{Day, Timestamp};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The business event behind a journal. Each happens once: the store refuses a second journal of
/// one cause (INV-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A payment was received.
    PaymentSettled(Id<Payment>),
    /// Money arrived for a payment already closed; the number tells several arrivals apart.
    PaymentLate(Id<Refund>),
    /// A refund left.
    RefundSettled(Id<Refund>),
    /// An operator put money into an account, or a balance was brought along.
    Opening(Id<Journal>),
}

impl Cause {
    /// The stored form: a word and the object's id.
    pub const fn parts(self) -> (&'static str, i64) {
        match self {
            Cause::PaymentSettled(id) => ("payment_settled", id.raw()),
            Cause::PaymentLate(id) => ("payment_late", id.raw()),
            Cause::RefundSettled(id) => ("refund_settled", id.raw()),
            Cause::Opening(id) => ("opening", id.raw()),
        }
    }

    /// Reads the stored form.
    pub fn from_parts(word: &str, id: i64) -> Option<Cause> {
        Some(match word {
            "payment_settled" => Cause::PaymentSettled(Id::from_raw(id)),
            "payment_late" => Cause::PaymentLate(Id::from_raw(id)),
            "refund_settled" => Cause::RefundSettled(Id::from_raw(id)),
            "opening" => Cause::Opening(Id::from_raw(id)),
            _ => return None,
        })
    }
}

/// What is to be posted to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub path: AccountPath,
    /// On which side.
    pub side: Side,
    /// How much; never zero.
    pub amount: Amount,
}

/// One posted line with what it left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was posted.
    pub line: Line,
    /// The account's balance on its normal side after this entry.
    pub balance_after: i128,
    /// The position among the account's entries, from 1, without gaps.
    pub account_seq: i64,
}

/// A balanced set of entries. Only [`Journal::balanced`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    tenant: Tenant,
    seq: i64,
    cause: Cause,
    at: Timestamp,
    entries: Vec<Entry>,
    previous: Hash,
    hash: Hash,
}

/// The end of a tenant's chain: the last journal's number and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose chain.
    pub tenant: Tenant,
    /// Number of the last journal; 0 before the first.
    pub seq: i64,
    /// Its hash; zeros before the first.
    pub hash: Hash,
}

impl ChainHead {
    /// Before the first journal.
    pub const fn start(tenant: Tenant) -> ChainHead {
        ChainHead { tenant, seq: 0, hash: [0; 32] }
    }
}

/// Why lines make no journal. Every one is a programming error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    /// Fewer than two lines.
    #[error("a journal needs at least two lines")]
    TooFew,
    /// A line of nothing.
    #[error("a journal line must not be zero")]
    Zero,
    /// Debits and credits of a currency differ.
    #[error("debits and credits differ")]
    Differ,
}

impl Journal {
    /// Checks that the lines balance per currency (INV-01).
    pub fn check(lines: &[Line]) -> Result<(), Unbalanced> {
        if lines.len() < 2 {
            return Err(Unbalanced::TooFew);
        }
        for line in lines {
            if line.amount.is_zero() {
                return Err(Unbalanced::Zero);
            }
            let sum: i128 = lines
                .iter()
                .filter(|other| other.path.currency == line.path.currency)
                .map(|other| match other.side {
                    Side::Debit => i128::from(other.amount.minor()),
                    Side::Credit => -i128::from(other.amount.minor()),
                })
                .sum();
            if sum != 0 {
                return Err(Unbalanced::Differ);
            }
        }
        Ok(())
    }

    /// Makes the journal that follows `head`, from lines already posted to their accounts.
    pub fn balanced(
        head: &ChainHead,
        cause: Cause,
        at: Timestamp,
        entries: Vec<Entry>,
    ) -> Result<Journal, Unbalanced> {
        let lines: Vec<Line> = entries.iter().map(|e| e.line).collect();
        Journal::check(&lines)?;
        let (tenant, seq, previous) = (head.tenant, head.seq + 1, head.hash);
        let mut journal = Journal { tenant, seq, cause, at, entries, previous, hash: [0; 32] };
        journal.hash = journal.computed_hash();
        Ok(journal)
    }

    /// Puts a stored journal together as it was read; nothing is checked, so that `verify` can tell
    /// what is wrong with it.
    pub fn from_stored(
        head_before: ChainHead,
        cause: Cause,
        at: Timestamp,
        entries: Vec<Entry>,
        hash: Hash,
    ) -> Journal {
        let ChainHead { tenant, seq, hash: previous } = head_before;
        Journal { tenant, seq: seq + 1, cause, at, entries, previous, hash }
    }

    /// The hash that the contents should have: SHA-256 over the previous hash and every field.
    pub fn computed_hash(&self) -> Hash {
        let mut hash = Sha256::new();
        hash.update(self.previous);
        hash.update(self.tenant.merchant.raw().to_be_bytes());
        hash.update([match self.tenant.mode {
            crate::tenant::Mode::Live => 1,
            crate::tenant::Mode::Test => 0,
        }]);
        hash.update(self.seq.to_be_bytes());
        let (word, id) = self.cause.parts();
        hash.update(word.as_bytes());
        hash.update(id.to_be_bytes());
        hash.update(self.at.micros().to_be_bytes());
        for entry in &self.entries {
            let path = entry.line.path.to_text();
            hash.update(u64::try_from(path.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(path.as_bytes());
            hash.update([match entry.line.side {
                Side::Debit => b'D',
                Side::Credit => b'C',
            }]);
            hash.update(entry.line.amount.minor().to_be_bytes());
            hash.update(entry.balance_after.to_be_bytes());
            hash.update(entry.account_seq.to_be_bytes());
        }
        hash.finalize().into()
    }

    /// Whose book.
    pub const fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// The number in the tenant's chain, from 1, without gaps (INV-13).
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// Why it was posted.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// When it was posted.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The accounting day, Asia/Shanghai (REL-22).
    pub fn day(&self) -> Day {
        self.at.china_day()
    }

    /// The posted lines.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The hash of the journal before.
    pub const fn previous(&self) -> Hash {
        self.previous
    }

    /// The hash as stored.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The chain's end after this journal.
    pub const fn head(&self) -> ChainHead {
        ChainHead { tenant: self.tenant, seq: self.seq, hash: self.hash }
    }
}

//! Counters for operators: cheap to raise, read as one set of figures.

use std::sync::atomic::{AtomicU64, Ordering};

/// Growing counters.
#[derive(Debug, Default)]
pub struct Stats {
    commands: AtomicU64,
    batches: AtomicU64,
    busy: AtomicU64,
    deliveries_ok: AtomicU64,
    deliveries_failed: AtomicU64,
    notices_taken: AtomicU64,
    notices_refused: AtomicU64,
    channel_calls: AtomicU64,
    channel_unknown: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatsNow {
    /// Commands decided.
    pub commands: u64,
    /// Commits.
    pub batches: u64,
    /// Commands turned away because the queue was full.
    pub busy: u64,
    /// Commands waiting now.
    pub queued: u64,
    /// Messages that receivers took.
    pub deliveries_ok: u64,
    /// Messages that they did not take.
    pub deliveries_failed: u64,
    /// Channel notices applied or known.
    pub notices_taken: u64,
    /// Channel notices refused.
    pub notices_refused: u64,
    /// Calls to channels.
    pub channel_calls: u64,
    /// Calls whose outcome was not known.
    pub channel_unknown: u64,
}

impl Stats {
    pub(crate) fn count_batch(&self, commands: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(u64::try_from(commands).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn count_busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_delivery(&self, ok: bool) {
        let counter = if ok { &self.deliveries_ok } else { &self.deliveries_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_notice(&self, taken: bool) {
        let counter = if taken { &self.notices_taken } else { &self.notices_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_call(&self, unknown: bool) {
        self.channel_calls.fetch_add(1, Ordering::Relaxed);
        if unknown {
            self.channel_unknown.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn now(&self, queued: usize) -> StatsNow {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsNow {
            commands: read(&self.commands),
            batches: read(&self.batches),
            busy: read(&self.busy),
            queued: u64::try_from(queued).unwrap_or(u64::MAX),
            deliveries_ok: read(&self.deliveries_ok),
            deliveries_failed: read(&self.deliveries_failed),
            notices_taken: read(&self.notices_taken),
            notices_refused: read(&self.notices_refused),
            channel_calls: read(&self.channel_calls),
            channel_unknown: read(&self.channel_unknown),
        }
    }
}

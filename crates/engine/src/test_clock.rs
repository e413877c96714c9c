//! A clock that can be moved forward, for demonstrations and tests. It never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::ambient::Clock;
use domain::time::Timestamp;

/// Another clock's time plus an offset that only grows.
pub struct TestClock {
    base: Arc<dyn Clock>,
    offset_micros: AtomicI64,
}

impl TestClock {
    /// Starts `offset_seconds` ahead of `base`.
    pub fn new(base: Arc<dyn Clock>, offset_seconds: i64) -> TestClock {
        let offset_micros = AtomicI64::new(offset_seconds.saturating_mul(1_000_000));
        TestClock { base, offset_micros }
    }

    /// Moves time forward; negative numbers are ignored. Returns the whole offset in seconds.
    pub fn advance(&self, seconds: i64) -> i64 {
        let micros = seconds.max(0).saturating_mul(1_000_000);
        let before = self.offset_micros.fetch_add(micros, Ordering::SeqCst);
        before.saturating_add(micros) / 1_000_000
    }

    /// How far it is ahead, in seconds.
    pub fn offset_seconds(&self) -> i64 {
        self.offset_micros.load(Ordering::SeqCst) / 1_000_000
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.base.now().micros();
        Timestamp::from_micros(micros.saturating_add(self.offset_micros.load(Ordering::SeqCst)))
    }
}

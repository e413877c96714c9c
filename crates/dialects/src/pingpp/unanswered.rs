//! Refunds whose answer may have been lost (specs/pingpp.md §2.6, guard 2): an SDK that re-signs
//! and sends again after a 5xx or a broken connection must get the refund that exists.
//!
//! Kept in memory for seconds. What a restart forgets is covered by a grace after the start.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::payment::PaymentId;
use domain::time::Timestamp;

/// How long an unanswered request is remembered: SDKs send again after half a second.
const MEMORY: Duration = Duration::from_secs(10);
/// Requests remembered; the oldest are forgotten first.
const LEN_MAX: usize = 1_024;
/// For so long after the start, an answer may have died with the process before.
const GRACE_AFTER_START_SECONDS: i64 = 30;
/// And for so long before the start it may have been working on it.
const WORK_BEFORE_START_SECONDS: i64 = 60;

/// A refund request: of which charge, and SHA-256 of path and body.
pub(super) type Asked = (PaymentId, [u8; 32]);

struct Entry {
    asked: Asked,
    began: Timestamp,
    noted: Instant,
}

/// The requests that were not answered.
#[derive(Default)]
pub(super) struct Unanswered(Mutex<VecDeque<Entry>>);

/// Watches one request; unless told that it was answered, it notes it when dropped.
pub(super) struct Watch {
    memory: Arc<Unanswered>,
    asked: Asked,
    began: Timestamp,
    answered: bool,
}

impl Unanswered {
    /// Since when an identical refund would be this request's own, if its answer may be lost.
    pub(super) fn since(
        &self,
        asked: &Asked,
        now: Timestamp,
        started_at: Timestamp,
    ) -> Option<Timestamp> {
        if now < started_at.plus_seconds(GRACE_AFTER_START_SECONDS) {
            return Some(started_at.plus_seconds(-WORK_BEFORE_START_SECONDS));
        }
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = entries.iter().filter(|e| e.asked == *asked && e.noted.elapsed() < MEMORY);
        fresh.map(|entry| entry.began).min()
    }

    /// Begins to watch a request.
    pub(super) fn watch(self: &Arc<Self>, asked: Asked, began: Timestamp) -> Watch {
        Watch { memory: self.clone(), asked, began, answered: false }
    }
}

impl Watch {
    /// The answer is made: the request and the ones that it repeated are settled.
    pub(super) fn answered(mut self) {
        self.answered = true;
        let mut entries = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.asked != self.asked && entry.noted.elapsed() < MEMORY);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let mut entries = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= LEN_MAX {
            entries.pop_front();
        }
        entries.push_back(Entry { asked: self.asked, began: self.began, noted: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn asked(n: u8) -> Asked {
        (PaymentId::from_raw(7), [n; 32])
    }

    #[test]
    fn only_a_request_that_was_not_answered_is_known_again() {
        let memory = Arc::new(Unanswered::default());
        let now = START.plus_seconds(100);
        memory.watch(asked(1), now).answered();
        assert_eq!(memory.since(&asked(1), now, START), None);
        drop(memory.watch(asked(1), now));
        assert_eq!(memory.since(&asked(1), now, START), Some(now));
        assert_eq!(memory.since(&asked(2), now, START), None);
        memory.watch(asked(1), now.plus_seconds(1)).answered();
        assert_eq!(memory.since(&asked(1), now, START), None);
    }

    #[test]
    fn after_a_start_every_request_may_be_a_repeat() {
        let memory = Unanswered::default();
        let since = Some(START.plus_seconds(-60));
        assert_eq!(memory.since(&asked(1), START.plus_seconds(29), START), since);
        assert_eq!(memory.since(&asked(1), START.plus_seconds(30), START), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let memory = Arc::new(Unanswered::default());
        for _ in 0..LEN_MAX + 5 {
            drop(memory.watch(asked(1), START));
        }
        assert_eq!(memory.0.lock().unwrap().len(), LEN_MAX);
    }
}

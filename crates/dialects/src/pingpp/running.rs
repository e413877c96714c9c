//! How many requests of each API key are being served (specs/pingpp.md §5.2, 403).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Counts by the hash of the key.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<[u8; 32], u32>>);

/// One request being served; leaves when dropped.
pub(super) struct Place<'a> {
    running: &'a Running,
    key: [u8; 32],
}

impl Running {
    /// Takes a place, if the key has fewer than `max` (0 is no limit).
    pub(super) fn enter(&self, key: [u8; 32], max: u32) -> Option<Place<'_>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if max > 0 && *count >= max {
            return None;
        }
        *count += 1;
        Some(Place { running: self, key })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_places_and_gets_them_back() {
        let running = Running::default();
        let first = running.enter([1; 32], 2);
        let second = running.enter([1; 32], 2);
        assert!(first.is_some() && second.is_some());
        assert!(running.enter([1; 32], 2).is_none());
        assert!(running.enter([2; 32], 2).is_some());
        drop(first);
        assert!(running.enter([1; 32], 2).is_some());
        assert!((0..9).map(|_| running.enter([3; 32], 0)).all(|place| place.is_some()));
    }
}

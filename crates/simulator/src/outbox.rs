//! Open notifications in memory: which may be sent now, and in which order.
//!
//! First sends of one trade keep their order; retries do not block one another. Pure bookkeeping:
//! it neither sends nor writes to disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::notice::Notice;

/// All notices that are not yet acknowledged or given up.
#[derive(Default)]
pub(crate) struct Outbox {
    notices: BTreeMap<u64, Notice>,
    due: BTreeSet<(i64, u64)>,
    by_trade: HashMap<u64, BTreeSet<u64>>,
    /// Trades with a send under way: one at a time, so that answers keep their order too.
    flying: HashSet<u64>,
    last_id: u64,
}

impl Outbox {
    /// A number for the next notice.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds or replaces a notice.
    pub fn put(&mut self, id: u64, notice: Notice) {
        self.remove(id);
        self.last_id = self.last_id.max(id);
        self.due.insert((notice.due, id));
        self.by_trade.entry(notice.trade).or_default().insert(id);
        self.notices.insert(id, notice);
    }

    /// Takes a notice out for good.
    pub fn remove(&mut self, id: u64) -> Option<Notice> {
        let notice = self.notices.remove(&id)?;
        self.due.remove(&(notice.due, id));
        if let Some(ids) = self.by_trade.get_mut(&notice.trade) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_trade.remove(&notice.trade);
            }
        }
        Some(notice)
    }

    /// The notice, if it is still open.
    pub fn get(&self, id: u64) -> Option<&Notice> {
        self.notices.get(&id)
    }

    /// Open notices of a trade, oldest first.
    pub fn of_trade(&self, trade: u64) -> impl Iterator<Item = (u64, &Notice)> {
        self.by_trade
            .get(&trade)
            .into_iter()
            .flatten()
            .filter_map(|id| self.notices.get(id).map(|notice| (*id, notice)))
    }

    /// Up to `max` notices that may be sent now; their trades count as busy until [`Self::landed`].
    pub fn take_due(&mut self, now: i64, max: usize) -> Vec<(u64, Notice)> {
        let mut taken = Vec::new();
        for (due, id) in &self.due {
            if *due > now || taken.len() == max {
                break;
            }
            let Some(notice) = self.notices.get(id) else { continue };
            if notice.held
                || self.flying.contains(&notice.trade)
                || self.waits_its_turn(*id, notice)
            {
                continue;
            }
            self.flying.insert(notice.trade);
            taken.push((*id, notice.clone()));
        }
        taken
    }

    fn waits_its_turn(&self, id: u64, notice: &Notice) -> bool {
        notice.attempts == 0
            && self
                .of_trade(notice.trade)
                .any(|(other, earlier)| other < id && earlier.attempts == 0 && !earlier.held)
    }

    /// The send of a trade's notice has ended.
    pub fn landed(&mut self, trade: u64) {
        self.flying.remove(&trade);
    }

    /// No send is under way: the loop that sends has just begun.
    pub fn ground_all(&mut self) {
        self.flying.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(trade: u64, due: i64) -> Notice {
        Notice {
            trade,
            notify_id: String::new(),
            url: String::new(),
            fields: BTreeMap::new(),
            attempts: 0,
            due,
            held: false,
            copies: 0,
            acknowledged: false,
        }
    }

    fn ids(taken: Vec<(u64, Notice)>) -> Vec<u64> {
        taken.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn first_sends_of_a_trade_keep_their_order() {
        let mut outbox = Outbox::default();
        outbox.put(1, notice(7, 50));
        outbox.put(2, notice(7, 10));
        outbox.put(3, notice(8, 20));
        assert_eq!(ids(outbox.take_due(30, 9)), [3]);
        assert_eq!(ids(outbox.take_due(60, 9)), [1]);
        assert_eq!(ids(outbox.take_due(60, 9)), [0; 0]);
        outbox.landed(7);
        outbox.put(1, Notice { attempts: 1, due: 100, ..notice(7, 0) });
        assert_eq!(ids(outbox.take_due(60, 9)), [2]);
    }

    #[test]
    fn a_held_notice_lets_later_ones_pass() {
        let mut outbox = Outbox::default();
        outbox.put(1, Notice { held: true, ..notice(7, 0) });
        outbox.put(2, notice(7, 0));
        assert_eq!(ids(outbox.take_due(1, 9)), [2]);
        assert_eq!(outbox.of_trade(7).count(), 2);
        outbox.remove(1);
        outbox.remove(2);
        assert_eq!(outbox.of_trade(7).count(), 0);
        assert_eq!(outbox.next_id(), 3);
    }

    #[test]
    fn no_more_are_taken_than_asked_for() {
        let mut outbox = Outbox::default();
        for trade in 1..=5 {
            outbox.put(trade, notice(trade, 0));
        }
        assert_eq!(ids(outbox.take_due(0, 2)), [1, 2]);
        assert_eq!(ids(outbox.take_due(0, 9)), [3, 4, 5]);
        outbox.ground_all();
        assert_eq!(outbox.take_due(0, 9).len(), 5);
    }
}

//! What crossed the wire, newest last: every gateway request, browser return and notification.
//!
//! Kept in memory, bounded, for tests and for people who debug an integration.

use std::collections::VecDeque;

use serde::Serialize;

use crate::wire::Parameters;

/// Older entries are dropped beyond this number.
const ENTRIES_MAX: usize = 10_000;

/// Which way something went, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// A call of the gateway, by a merchant's server or a payer's browser.
    Request,
    /// A notification to a merchant's server.
    Notification,
    /// A payer's browser sent back to the merchant with signed fields.
    Return,
}

/// One line of the journal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// Counts from 1 since the start.
    pub seq: u64,
    /// China time on the simulator's clock.
    pub time: String,
    pub direction: Direction,
    /// The method called; for a notification its `trade_status`.
    pub method: String,
    pub app_id: String,
    pub out_trade_no: String,
    /// Where a notification or a browser was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Everything as received or sent, signature included.
    pub parameters: Parameters,
    /// A request's `code` with its `sub_code`, or what became of a notification: `acknowledged`,
    /// `refused`, `unreachable`, `lost`.
    pub result: String,
    /// The fault that spoilt this line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// HTTP status given (request) or received (notification).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body given (request) or received (notification).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Which send of a notification this was, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<usize>,
}

impl Entry {
    /// An entry with nothing but its direction; [`Journal::write`] numbers it.
    pub fn new(direction: Direction) -> Entry {
        Entry {
            seq: 0,
            time: String::new(),
            direction,
            method: String::new(),
            app_id: String::new(),
            out_trade_no: String::new(),
            url: None,
            parameters: Parameters::new(),
            result: String::new(),
            fault: None,
            status: None,
            body: None,
            attempt: None,
        }
    }
}

/// The journal.
#[derive(Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// Writes an entry and gives it the next number.
    pub fn write(&mut self, entry: Entry) {
        self.last += 1;
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { seq: self.last, ..entry });
    }

    /// Entries after `since`, of one number if it is given.
    pub fn read(&self, since: u64, out_trade_no: Option<&str>) -> Vec<Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.seq > since)
            .filter(|entry| out_trade_no.is_none_or(|number| entry.out_trade_no == number))
            .cloned()
            .collect()
    }

    /// The number of the newest entry.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_dropped_and_numbers_go_on() {
        let mut journal = Journal::default();
        for i in 0..=ENTRIES_MAX {
            let number = if i % 2 == 0 { "even" } else { "odd" };
            journal
                .write(Entry { out_trade_no: number.to_owned(), ..Entry::new(Direction::Request) });
        }
        let all = journal.read(0, None);
        assert_eq!(all.len(), ENTRIES_MAX);
        assert_eq!(all[0].seq, 2);
        assert_eq!(journal.last(), 10_001);
        let tail: Vec<u64> = journal.read(9_998, Some("even")).iter().map(|e| e.seq).collect();
        assert_eq!(tail, [9_999, 10_001]);
    }
}

//! Schedules as tables. Due times are stored, so they survive a restart; no loop sleeps them away.

use crate::time::Timestamp;

/// Queries of an open payment: seconds from one to the next (specs/reliability.md §7.4).
pub const OPEN_QUERY_SECONDS: &[i64] = &[5, 30, 60, 180, 300, 600, 1_800];

/// Repeated tries to close.
pub const CLOSE_SECONDS: &[i64] = &[30, 120, 600, 3_600, 21_600];

/// Queries after a close: a late payment is caught even when its notice is lost.
pub const CLOSED_QUERY_SECONDS: &[i64] = &[60, 600, 3_600, 86_400];

/// Queries of a refund whose outcome is unknown; then daily to day 7, then people decide.
pub const REFUND_QUERY_SECONDS: &[i64] = &[
    10, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400, 86_400, 86_400, 86_400, 86_400,
];

/// Sending again what surely was not sent.
pub const RESEND_SECONDS: &[i64] = &[5, 30, 120, 600, 1_800];

/// A payment is closed at its expiry, but not within five minutes of its creation: a payer may
/// stand before the channel's cashier (specs/reliability.md §7.4).
pub fn close_at(created: Timestamp, expires: Timestamp) -> Timestamp {
    expires.max(created.plus_seconds(300))
}

/// The instant of step `step` (from 0) counted from `now`, or nothing past the table's end.
pub fn after(table: &[i64], step: u16, now: Timestamp) -> Option<Timestamp> {
    table.get(usize::from(step)).map(|seconds| now.plus_seconds(*seconds))
}

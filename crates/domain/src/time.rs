//! Instants and days. China has one offset all year, so no zone database is needed.

use jiff::tz::{Offset, TimeZone};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS: i64 = 1_000_000;

impl Timestamp {
    /// The first instant that the platform can name.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros)
    }

    /// From whole seconds since 1970; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(MICROS))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// The instant `seconds` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(MICROS)))
    }

    /// The instant `millis` milliseconds later; saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis.saturating_mul(1_000)))
    }

    /// Microseconds from `earlier` to here; negative when it is later.
    pub const fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The accounting day in Asia/Shanghai on which this instant falls.
    pub fn china_day(self) -> Day {
        let date = self.china().date();
        Day { year: date.year(), month: date.month(), day: date.day() }
    }

    /// `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai, the form that Alipay reads and writes
    /// (specs/channels.md §1.2).
    pub fn china_text(self) -> String {
        let c = self.china();
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            c.year(),
            c.month(),
            c.day(),
            c.hour(),
            c.minute(),
            c.second()
        )
    }

    /// Reads `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai; a fraction of a second after a dot is dropped.
    pub fn from_china_text(text: &str) -> Option<Timestamp> {
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", whole).ok()?;
        let zoned = civil.to_zoned(china_zone()).ok()?;
        Some(Timestamp(zoned.timestamp().as_microsecond()))
    }

    fn china(self) -> jiff::civil::DateTime {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        instant.to_zoned(china_zone()).datetime()
    }
}

fn china_zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// A calendar day of the accounting calendar (Asia/Shanghai).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: i16,
    month: i8,
    day: i8,
}

impl Day {
    /// The day as one number, `yyyymmdd`, as stored.
    pub fn number(self) -> i64 {
        i64::from(self.year) * 10_000 + i64::from(self.month) * 100 + i64::from(self.day)
    }

    /// Reads the stored number; `None` when it names no day.
    pub fn from_number(number: i64) -> Option<Day> {
        let year = i16::try_from(number / 10_000).ok()?;
        let month = i8::try_from(number / 100 % 100).ok()?;
        let day = i8::try_from(number % 100).ok()?;
        jiff::civil::Date::new(year, month, day).ok()?;
        Some(Day { year, month, day })
    }

    /// `yymmdd`, as it stands inside Ping++ ids (specs/pingpp.md §3.2).
    pub fn short(self) -> String {
        format!("{:02}{:02}{:02}", self.year.rem_euclid(100), self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_china_time_and_read_back() {
        let t = Timestamp::from_seconds(1_762_128_000);
        assert_eq!(t.china_text(), "2025-11-03 08:00:00");
        assert_eq!(Timestamp::from_china_text("2025-11-03 08:00:00"), Some(t));
        assert_eq!(Timestamp::from_china_text("2025-11-03 08:00:00.123"), Some(t));
        assert_eq!(Timestamp::from_china_text("2025-13-03 08:00:00"), None);
    }

    #[test]
    fn the_day_turns_at_midnight_in_shanghai() {
        let before = Timestamp::from_china_text("2025-12-31 23:59:59").unwrap();
        assert_eq!(before.china_day().number(), 20251231);
        assert_eq!(before.plus_seconds(1).china_day().number(), 20260101);
        assert_eq!(Day::from_number(20260101), Some(before.plus_seconds(1).china_day()));
        assert_eq!(Day::from_number(20260230), None);
        assert_eq!(before.china_day().short(), "251231");
    }
}

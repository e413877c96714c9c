//! The ids that this dialect mints (specs/pingpp.md §3.2). On input every id is opaque text.

use domain::ambient::{Entropy, random_alphanumeric, random_digits};
use domain::id::Fresh;
use domain::refusal::Refusal;
use domain::tenant::{IdScheme, Mode};
use domain::text::{ChannelNumber, PublicId, RequestId};
use domain::time::Timestamp;

/// Digits or letters that nobody can guess, from a node's chance or from a command's own.
pub(super) trait Draw {
    fn digits(&mut self, len: usize) -> String;
    fn alphanumeric(&mut self, len: usize) -> String;
}

impl Draw for &dyn Entropy {
    fn digits(&mut self, len: usize) -> String {
        random_digits(*self, len)
    }

    fn alphanumeric(&mut self, len: usize) -> String {
        random_alphanumeric(*self, len)
    }
}

impl Draw for &mut Fresh {
    fn digits(&mut self, len: usize) -> String {
        Fresh::digits(self, len)
    }

    fn alphanumeric(&mut self, len: usize) -> String {
        Fresh::alphanumeric(self, len)
    }
}

/// How the next id looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub scheme: IdScheme,
    pub mode: Mode,
    pub now: Timestamp,
}

impl Look {
    /// 24 characters: kind, mode, the day in China and 15 digits; or letters and digits.
    fn suffix(self, kind: &str, mut draw: impl Draw) -> String {
        match self.scheme {
            IdScheme::Digits => {
                let mode = mode_digit(self.mode);
                let day = self.now.china_day().short();
                format!("{kind}{mode}{day}{}", draw.digits(15))
            }
            IdScheme::Alphanumeric => draw.alphanumeric(24),
        }
    }

    /// `ch_` + 24.
    pub(super) fn charge(self, draw: impl Draw) -> Result<PublicId, Refusal> {
        public(&format!("ch_{}", self.suffix("10", draw)))
    }

    /// `re_` + 24, and the 24 alone: the refund's number at the channel.
    pub(super) fn refund(self, draw: impl Draw) -> Result<(PublicId, ChannelNumber), Refusal> {
        let suffix = self.suffix("10", draw);
        let number = ChannelNumber::parse(&suffix).map_err(|e| Refusal::Fault(e.to_string()))?;
        Ok((public(&format!("re_{suffix}"))?, number))
    }

    /// `evt_` + 24.
    pub(super) fn event(self, draw: impl Draw) -> Result<PublicId, Refusal> {
        public(&format!("evt_{}", self.suffix("40", draw)))
    }

    /// 19 digits, whatever the scheme: mode, day and 10 digits.
    pub(super) fn batch(self, mut draw: impl Draw) -> Result<PublicId, Refusal> {
        let (mode, day) = (mode_digit(self.mode), self.now.china_day().short());
        public(&format!("15{mode}{day}{}", draw.digits(10)))
    }
}

/// `iar_` + 24: the id of one API call.
pub(super) fn request(entropy: &dyn Entropy) -> RequestId {
    RequestId::parse(&format!("iar_{}", random_alphanumeric(entropy, 24)))
        .expect("28 letters, digits and a low line fit a request id")
}

fn public(text: &str) -> Result<PublicId, Refusal> {
    PublicId::parse(text).map_err(|e| Refusal::Fault(e.to_string()))
}

fn mode_digit(mode: Mode) -> char {
    match mode {
        Mode::Test => '0',
        Mode::Live => '1',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_documented_lengths_and_beginnings() {
        let now = Timestamp::from_china_text("2025-11-03 00:00:00").unwrap();
        let mut fresh = Fresh::for_test(1, [3; 16]);
        for (mode, charge, event, batch) in [
            (Mode::Test, "ch_100251103", "evt_400251103", "150251103"),
            (Mode::Live, "ch_101251103", "evt_401251103", "151251103"),
        ] {
            let look = Look { scheme: IdScheme::Digits, mode, now };
            let id = look.charge(&mut fresh).unwrap();
            assert!(id.as_str().starts_with(charge) && id.as_str().len() == 27, "{id}");
            assert!(id.as_str()[3..].bytes().all(|b| b.is_ascii_digit()));
            let id = look.event(&mut fresh).unwrap();
            assert!(id.as_str().starts_with(event) && id.as_str().len() == 28, "{id}");
            let id = look.batch(&mut fresh).unwrap();
            assert!(id.as_str().starts_with(batch) && id.as_str().len() == 19, "{id}");
            let (id, number) = look.refund(&mut fresh).unwrap();
            assert_eq!(id.as_str(), format!("re_{number}"));
            assert_eq!(number.as_str().len(), 24);
        }
        let look = Look { scheme: IdScheme::Alphanumeric, mode: Mode::Live, now };
        let (one, other) = (look.charge(&mut fresh).unwrap(), look.charge(&mut fresh).unwrap());
        assert_eq!(one.as_str().len(), 27);
        assert_ne!(one, other);
    }

    #[test]
    fn the_day_inside_an_id_turns_at_midnight_in_china() {
        let now = Timestamp::from_china_text("2025-12-31 23:59:59").unwrap();
        let id = |now| {
            let look = Look { scheme: IdScheme::Digits, mode: Mode::Test, now };
            look.charge(&mut Fresh::for_test(1, [0; 16])).unwrap()
        };
        assert!(id(now).as_str().starts_with("ch_100251231"));
        assert!(id(now.plus_seconds(1)).as_str().starts_with("ch_100260101"));
    }
}

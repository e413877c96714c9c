//! Money: whole minor units of a currency, with checked arithmetic. No float ever touches it.

use crate::currency::Currency;

/// The largest amount that every JSON reader can hold exactly: 2⁵³ − 1 minor units.
pub const AMOUNT_MAX: i64 = 9_007_199_254_740_991;

/// A number of minor units (fen for CNY), never negative, at most [`AMOUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i64);

/// Why a number is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Below zero.
    #[error("the amount is negative")]
    Negative,
    /// Above [`AMOUNT_MAX`].
    #[error("the amount is too large")]
    TooLarge,
    /// The text is not a plain decimal number.
    #[error("the amount is not a plain decimal number")]
    NotANumber,
    /// More decimals than the currency has.
    #[error("the amount has more decimals than its currency")]
    TooPrecise,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// From minor units.
    pub const fn new(minor: i64) -> Result<Amount, AmountError> {
        if minor < 0 {
            Err(AmountError::Negative)
        } else if minor > AMOUNT_MAX {
            Err(AmountError::TooLarge)
        } else {
            Ok(Amount(minor))
        }
    }

    /// The minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// True for nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `TooLarge`.
    pub const fn plus(self, other: Amount) -> Result<Amount, AmountError> {
        Amount::new(self.0 + other.0) // both are below 2^53, so the sum fits an i64
    }

    /// The difference, or `Negative`.
    pub const fn minus(self, other: Amount) -> Result<Amount, AmountError> {
        Amount::new(self.0 - other.0)
    }

    /// The difference, or nothing where it would be negative.
    #[must_use]
    pub const fn saturating_minus(self, other: Amount) -> Amount {
        if self.0 > other.0 { Amount(self.0 - other.0) } else { Amount(0) }
    }

    /// `rate` ten-thousandths of the amount, rounded half up to the minor unit.
    #[must_use]
    pub fn share(self, rate: BasisPoints) -> Amount {
        let parts = i128::from(self.0) * i128::from(rate.0) + 5_000;
        // At most 2^53 * 10^4 / 10^4: the quotient never exceeds the amount.
        Amount(i64::try_from(parts / 10_000).unwrap_or(self.0))
    }

    /// Reads major units with at most `exponent` decimals: `0.10`, `12`, `1000.5`.
    ///
    /// No sign, no exponent, no spaces, no bare dot: the whole text must be digits with at most one
    /// dot between them (specs/reliability.md SEC-41, SEC-42).
    pub fn from_major_text(text: &str, exponent: u8) -> Result<Amount, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(AmountError::NotANumber);
        }
        let kept = fraction.trim_end_matches('0');
        if kept.len() > usize::from(exponent) {
            return Err(AmountError::TooPrecise);
        }
        let mut minor: i64 = 0;
        let zeros = usize::from(exponent) - kept.len();
        let digits = whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', zeros));
        for byte in digits {
            minor = minor
                .checked_mul(10)
                .and_then(|m| m.checked_add(i64::from(byte - b'0')))
                .ok_or(AmountError::TooLarge)?;
        }
        Amount::new(minor)
    }

    /// Major units with exactly `exponent` decimals: `0.10`.
    pub fn to_major_text(self, exponent: u8) -> String {
        if exponent == 0 {
            return self.0.to_string();
        }
        let scale = 10_i64.pow(u32::from(exponent.min(9)));
        let width = usize::from(exponent);
        format!("{}.{:0width$}", self.0 / scale, self.0 % scale)
    }
}

/// A rate in ten-thousandths: 60 is 0.6 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// At most the whole (10,000).
    pub const fn new(value: u16) -> Option<BasisPoints> {
        if value <= 10_000 { Some(BasisPoints(value)) } else { None }
    }

    /// The number of ten-thousandths.
    pub const fn value(self) -> u16 {
        self.0
    }
}

/// An amount of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// Puts the two together.
    pub const fn new(amount: Amount, currency: Currency) -> Money {
        Money { amount, currency }
    }

    /// Major units with the currency's own number of decimals, as channels write it: `19.90`.
    pub fn to_major_text(self) -> String {
        self.amount.to_major_text(self.currency.exponent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_end_at_their_limits() {
        assert_eq!(Amount::new(-1), Err(AmountError::Negative));
        assert!(Amount::new(AMOUNT_MAX).is_ok());
        assert_eq!(Amount::new(AMOUNT_MAX + 1), Err(AmountError::TooLarge));
        let top = Amount::new(AMOUNT_MAX).unwrap();
        assert_eq!(top.plus(Amount::new(1).unwrap()), Err(AmountError::TooLarge));
        assert_eq!(Amount::ZERO.minus(Amount::new(1).unwrap()), Err(AmountError::Negative));
    }

    #[test]
    fn text_that_is_no_plain_decimal_is_refused() {
        for bad in
            ["", ".", "1.", ".5", "-1", "+1", " 1", "1 ", "1e2", "NaN", "１.00", "1,00", "0x1"]
        {
            assert_eq!(Amount::from_major_text(bad, 2), Err(AmountError::NotANumber), "{bad:?}");
        }
        assert_eq!(Amount::from_major_text("0.001", 2), Err(AmountError::TooPrecise));
        assert_eq!(Amount::from_major_text("1.100", 2).unwrap().minor(), 110);
        assert_eq!(Amount::from_major_text(&"9".repeat(400), 2), Err(AmountError::TooLarge));
    }

    #[test]
    fn a_share_is_rounded_half_up() {
        let rate = BasisPoints::new(60).unwrap();
        assert_eq!(Amount::new(3990).unwrap().share(rate).minor(), 24);
        assert_eq!(Amount::new(100).unwrap().share(rate).minor(), 1);
        assert_eq!(Amount::new(83).unwrap().share(rate).minor(), 0);
        assert_eq!(Amount::new(84).unwrap().share(rate).minor(), 1);
        assert_eq!(BasisPoints::new(10_001), None);
    }

    proptest! {
        #[test]
        fn major_text_round_trips(minor in 0..=AMOUNT_MAX, exponent in 0u8..4) {
            let amount = Amount::new(minor).unwrap();
            let text = amount.to_major_text(exponent);
            prop_assert_eq!(Amount::from_major_text(&text, exponent), Ok(amount));
        }

        #[test]
        fn a_share_never_exceeds_the_whole(minor in 0..=AMOUNT_MAX, rate in 0u16..=10_000) {
            let amount = Amount::new(minor).unwrap();
            prop_assert!(amount.share(BasisPoints::new(rate).unwrap()) <= amount);
        }
    }
}

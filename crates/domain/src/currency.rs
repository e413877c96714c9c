//! Currencies by their ISO 4217 letters.

/// A currency of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The yuan, of a hundred fen.
    pub const CNY: Currency = Currency(iso_currency::Currency::CNY);

    /// Reads three letters of either case.
    pub fn from_code(code: &str) -> Option<Currency> {
        if code.len() != 3 {
            return None;
        }
        iso_currency::Currency::from_code(&code.to_ascii_uppercase()).map(Currency)
    }

    /// Three capitals: `CNY`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the major unit: 2 for CNY, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u8 {
        self.0.exponent().and_then(|e| u8::try_from(e).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_known_by_their_letters() {
        assert_eq!(Currency::from_code("cny"), Some(Currency::CNY));
        assert_eq!(Currency::from_code("CNY").map(Currency::exponent), Some(2));
        assert_eq!(Currency::from_code("kwd").map(Currency::exponent), Some(3));
        assert_eq!(Currency::from_code("rmb"), None);
        assert_eq!(Currency::from_code("cn"), None);
    }
}

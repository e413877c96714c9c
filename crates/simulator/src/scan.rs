//! What a payer's payment code does at `alipay.trade.pay`.

use crate::refusal::Refusal;

/// From this amount on a payer must confirm at the phone: more than 1,000 yuan, in fen.
const CONFIRM_ABOVE_FEN: i64 = 100_000;

/// How the payer's side takes a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Paid at once.
    Paid,
    /// The payer has to confirm: 10003.
    Waiting,
}

/// Judges the code. Real codes have 16 to 24 digits and begin with 25 to 30. Magic ones are `28`,
/// fourteen zeros, and two digits:
///
/// | ends in | effect |
/// |---|---|
/// | `01` | the payer must confirm (10003) |
/// | `02` | `ACQ.BUYER_BALANCE_NOT_ENOUGH` |
/// | `03` | `ACQ.PAYMENT_AUTH_CODE_INVALID` |
///
/// Any other code pays at once up to 1,000.00 yuan and waits for the payer above.
pub(crate) fn judge(auth_code: &str, fen: i64) -> Result<Scan, Refusal> {
    let digits = auth_code.bytes().all(|b| b.is_ascii_digit());
    let known = auth_code.get(..2).is_some_and(|head| ("25"..="30").contains(&head));
    if !digits || !known || !(16..=24).contains(&auth_code.len()) {
        return Err(Refusal::AUTH_CODE_INVALID);
    }
    match auth_code.strip_prefix("2800000000000000") {
        Some("01") => Ok(Scan::Waiting),
        Some("02") => Err(Refusal::BUYER_BALANCE_NOT_ENOUGH),
        Some("03") => Err(Refusal::AUTH_CODE_INVALID),
        _ if fen > CONFIRM_ABOVE_FEN => Ok(Scan::Waiting),
        _ => Ok(Scan::Paid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_judged_by_form_magic_and_amount() {
        assert_eq!(judge("280000000000000000", 1), Ok(Scan::Paid));
        assert_eq!(judge("280000000000000001", 1), Ok(Scan::Waiting));
        assert_eq!(judge("280000000000000002", 1), Err(Refusal::BUYER_BALANCE_NOT_ENOUGH));
        assert_eq!(judge("280000000000000003", 1), Err(Refusal::AUTH_CODE_INVALID));
        assert_eq!(judge("2512345678901234", 100_000), Ok(Scan::Paid));
        assert_eq!(judge("2512345678901234", 100_001), Ok(Scan::Waiting));
        for bad in ["", "1", "2412345678901234", "251234567890123", "25123456789012x4"] {
            assert_eq!(judge(bad, 1), Err(Refusal::AUTH_CODE_INVALID), "{bad}");
        }
    }
}

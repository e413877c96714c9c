//! The only ways to time and chance.
//!
//! Rules never read a clock or draw a number: they take both as arguments, so that a test, a
//! demonstration with a moved clock and production run the same code.

use crate::time::Timestamp;

/// Tells the time. Cheap to call; shared by every room.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Draws unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with random bytes fit for secrets and identifiers.
    fn fill(&self, buffer: &mut [u8]);
}

/// A random text of `len` letters and digits (62 symbols, 5.95 bits each).
pub fn random_alphanumeric(entropy: &dyn Entropy, len: usize) -> String {
    const SYMBOLS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    random_symbols(entropy, len, SYMBOLS)
}

/// A random text of `len` decimal digits.
pub fn random_digits(entropy: &dyn Entropy, len: usize) -> String {
    random_symbols(entropy, len, b"0123456789")
}

fn random_symbols(entropy: &dyn Entropy, len: usize, symbols: &[u8]) -> String {
    // Bytes past the largest multiple of the alphabet are drawn again, so no symbol is favoured.
    let fair = (256 / symbols.len()) * symbols.len();
    let mut text = String::with_capacity(len);
    let mut buffer = [0u8; 32];
    while text.len() < len {
        entropy.fill(&mut buffer);
        for byte in buffer {
            if usize::from(byte) < fair && text.len() < len {
                text.push(char::from(symbols[usize::from(byte) % symbols.len()]));
            }
        }
    }
    text
}

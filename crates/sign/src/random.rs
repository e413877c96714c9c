//! Randomness from the operating system, fit for secrets.

/// Fills the buffer. The process cannot go on without randomness.
pub fn fill(buffer: &mut [u8]) {
    aws_lc_rs::rand::fill(buffer).expect("the operating system gives randomness");
}

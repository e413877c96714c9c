//! Canonical strings and signatures: bytes in, bytes out, one file for each scheme.
//!
//! This room knows no payment, chooses no key and reads no file. All cryptography is aws-lc-rs;
//! only the MD5 in Alipay's certificate numbers, which protects nothing, comes from elsewhere.

pub mod alipay;
pub mod certificate;
pub mod digest;
pub mod pingpp;
pub mod random;
pub mod rsa;
pub mod seal;
pub mod secret;
pub mod standard_webhooks;

//! What a simulator is told when it is opened: where it lives and which merchants it knows.

use std::path::PathBuf;

use sign::rsa::{PrivateKey, PublicKey};

/// How to open a [`crate::Simulator`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where `simulator.db` is kept; `None` keeps everything in memory.
    pub folder: Option<PathBuf>,
    /// The address under which the router is mounted, without a final slash:
    /// `http://127.0.0.1:8420/simulator`. Cashier links and QR codes begin with it.
    pub base_url: String,
    /// Apps known from the start; more can be added by [`crate::Simulator::register`].
    pub merchants: Vec<MerchantApp>,
    /// How much faster than written the notification schedule runs: 3600 turns an hour into a
    /// second, 1 is real time. Expiries are not scaled: merchants name them as instants.
    pub time_scale: u32,
}

/// One application of a merchant, as it would be registered at the channel.
#[derive(Clone, Debug)]
pub struct MerchantApp {
    /// `app_id` of every request.
    pub app_id: String,
    /// The account that receives the money, 16 digits; trade numbers are unique per seller.
    pub seller_id: String,
    /// The login of that account, shown in notifications.
    pub seller_email: String,
    /// Verifies the merchant's requests.
    pub app_public_key: PublicKey,
    /// Set for an app in certificate mode (specs/channels.md §1.7).
    pub certificates: Option<CertificateMode>,
}

/// The certificates of an app in certificate mode, as PEM text, and the channel's key behind them.
#[derive(Clone, Debug)]
pub struct CertificateMode {
    /// The application certificate; its number must arrive as `app_cert_sn`.
    pub app_certificate: String,
    /// The channel's certificate; its number is sent as `alipay_cert_sn`.
    pub alipay_certificate: String,
    /// The channel's root bundle; its number must arrive as `alipay_root_cert_sn`.
    pub alipay_root: String,
    /// The private key that belongs to `alipay_certificate`; signs everything for this app.
    pub alipay_private_key: PrivateKey,
}

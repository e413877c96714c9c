//! A registered app with what is derived from its certificates (specs/channels.md §1.7).

use sign::certificate::Certificate;
use sign::rsa::PrivateKey;

use crate::settings::MerchantApp;

/// An app, ready to verify and to sign.
pub(crate) struct App {
    pub merchant: MerchantApp,
    /// Signs answers and notifications for this app.
    pub signer: PrivateKey,
    /// Set in certificate mode.
    pub numbers: Option<CertificateNumbers>,
}

/// The certificate numbers that travel as parameters.
pub(crate) struct CertificateNumbers {
    pub app_cert_sn: String,
    pub alipay_cert_sn: String,
    pub root_cert_sn: String,
}

/// A certificate that cannot be read or does not fit its key.
pub(crate) struct BadCertificate;

impl App {
    /// Reads the certificates, if there are any. The channel's certificate must belong to the key
    /// that is to sign, and the app's to the key that is to verify.
    pub fn new(merchant: MerchantApp, channel_key: &PrivateKey) -> Result<App, BadCertificate> {
        let Some(mode) = &merchant.certificates else {
            return Ok(App { merchant, signer: channel_key.clone(), numbers: None });
        };
        let own = Certificate::from_pem(&mode.app_certificate).map_err(|_| BadCertificate)?;
        let channel =
            Certificate::from_pem(&mode.alipay_certificate).map_err(|_| BadCertificate)?;
        let fits = |certified: sign::rsa::PublicKey, key: &sign::rsa::PublicKey| {
            certified.to_spki_base64() == key.to_spki_base64()
        };
        let own_key = own.public_key().map_err(|_| BadCertificate)?;
        let channel_certified = channel.public_key().map_err(|_| BadCertificate)?;
        if !fits(own_key, &merchant.app_public_key)
            || !fits(channel_certified, &mode.alipay_private_key.public())
        {
            return Err(BadCertificate);
        }
        let numbers = CertificateNumbers {
            app_cert_sn: own.serial_number_alipay(),
            alipay_cert_sn: channel.serial_number_alipay(),
            root_cert_sn: sign::certificate::root_serial_number(&mode.alipay_root)
                .map_err(|_| BadCertificate)?,
        };
        let signer = mode.alipay_private_key.clone();
        Ok(App { merchant, signer, numbers: Some(numbers) })
    }
}

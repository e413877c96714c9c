//! A contract with Alipay: who we are there, with which keys, at which gateway.
//!
//! Messages tell how to mend a setting and never show its value.

use domain::channel::SettingsError;
use serde_json::{Map, Value};
use sign::certificate::{Certificate, root_serial_number};
use sign::rsa::{KeyError, PrivateKey, PublicKey};
use sign::secret::Secret;
use url::Url;

/// The production gateway (specs/channels.md §1.1).
const GATEWAY_URL: &str = "https://openapi.alipay.com/gateway.do";

const NAMES: &[&str] = &[
    "app_id",
    "seller_id",
    "seller_email",
    "app_private_key",
    "alipay_public_key",
    "app_certificate",
    "alipay_certificate",
    "alipay_root_certificate",
    "gateway_url",
    "control_url",
    "app_auth_token",
];

/// The settings of one route, read and checked. Keys are parsed once.
///
/// | name | need | what |
/// |---|---|---|
/// | `app_id` | yes | the application |
/// | `seller_id` | yes | the account that receives the money (`2088…`) |
/// | `seller_email` | no | the login of that account, checked in notices where given |
/// | `app_private_key` | yes | PEM or base64; PKCS#8 or PKCS#1 |
/// | `alipay_public_key` | public-key mode | Alipay's key, PEM or base64 |
/// | `app_certificate` | certificate mode | ours, as PEM |
/// | `alipay_certificate` | certificate mode | Alipay's, as PEM |
/// | `alipay_root_certificate` | certificate mode | Alipay's bundle of roots, as PEM |
/// | `gateway_url` | no | another gateway than production |
/// | `control_url` | no | the control API of a simulator; only test routes may have one |
/// | `app_auth_token` | no | for a third-party application that acts for the merchant |
///
/// During a rotation of Alipay's key, its setting may hold several PEM blocks: any of them counts.
pub struct Settings {
    pub(super) app_id: String,
    pub(super) seller_id: String,
    pub(super) seller_email: Option<String>,
    pub(super) private_key: PrivateKey,
    /// Any of these may sign for Alipay: the present key, and the next one during a rotation.
    pub(super) alipay_keys: Vec<PublicKey>,
    pub(super) certificate_numbers: Option<CertificateNumbers>,
    pub(super) gateway_url: String,
    pub(super) control_url: Option<String>,
    pub(super) app_auth_token: Option<Secret<String>>,
}

/// What requests bear in certificate mode (specs/channels.md §1.7).
pub(super) struct CertificateNumbers {
    pub app: String,
    pub root: String,
}

impl Settings {
    /// Reads the JSON text of a route's settings.
    ///
    /// Errors name the setting and say how to mend it.
    pub fn parse(text: &str) -> Result<Settings, SettingsError> {
        let members: Map<String, Value> = serde_json::from_str(text)
            .map_err(|_| SettingsError("the settings of a route are one JSON object".into()))?;
        if let Some(name) = members.keys().find(|name| !NAMES.contains(&name.as_str())) {
            let known = NAMES.join(", ");
            return Err(SettingsError(format!(
                "{name}: is no setting of alipay; there are {known}"
            )));
        }
        let members = Members(members);
        let private_key = private_key(&members.needed("app_private_key")?)?;
        let (alipay_keys, certificate_numbers) = trust(&members, &private_key)?;
        Ok(Settings {
            app_id: members.number("app_id", "the application's number, such as 2021…")?,
            seller_id: members.number("seller_id", "the account's number, such as 2088…")?,
            seller_email: members.text("seller_email")?,
            private_key,
            alipay_keys,
            certificate_numbers,
            gateway_url: members.address("gateway_url")?.unwrap_or_else(|| GATEWAY_URL.to_owned()),
            control_url: members.address("control_url")?,
            app_auth_token: members.text("app_auth_token")?.map(Secret::new),
        })
    }

    /// The account at Alipay that receives the money.
    pub fn account(&self) -> &str {
        &self.seller_id
    }

    /// Whether the far side is a simulator.
    pub fn is_simulated(&self) -> bool {
        self.control_url.is_some()
    }

    /// Whether Alipay signed this text.
    pub(super) fn is_signed(&self, text: &str, signature: &str) -> bool {
        self.alipay_keys.iter().any(|k| k.verify_sha256_base64(text.as_bytes(), signature).is_ok())
    }
}

struct Members(Map<String, Value>);

impl Members {
    /// A text; null and empty count as absent.
    fn text(&self, name: &str) -> Result<Option<String>, SettingsError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
            Some(_) => Err(mend(name, "must be a text in quotes")),
        }
    }

    fn needed(&self, name: &str) -> Result<String, SettingsError> {
        self.text(name)?.ok_or_else(|| mend(name, "is missing"))
    }

    fn number(&self, name: &str, what: &str) -> Result<String, SettingsError> {
        let text = self.needed(name)?;
        if text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(text)
        } else {
            Err(mend(name, &format!("give {what}, at most 32 digits")))
        }
    }

    fn address(&self, name: &str) -> Result<Option<String>, SettingsError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let plain = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match Url::parse(&text) {
            Ok(url) if plain(&url) => Ok(Some(text.trim_end_matches('/').to_owned())),
            Ok(_) | Err(_) => {
                Err(mend(name, "must be an http or https address without user, query and fragment"))
            }
        }
    }
}

fn mend(name: &str, how: &str) -> SettingsError {
    SettingsError(format!("{name}: {how}"))
}

fn key_trouble(name: &str, error: KeyError, how: &str) -> SettingsError {
    SettingsError(format!("{name}: {error}; {how}"))
}

fn private_key(text: &str) -> Result<PrivateKey, SettingsError> {
    let read = if text.contains("-----BEGIN") {
        PrivateKey::from_pem(text)
    } else {
        PrivateKey::from_base64_der(text)
    };
    let how = "give the application's private key, of 2048 bits or more, as PEM or base64";
    read.map_err(|e| key_trouble("app_private_key", e, how))
}

/// Whom we trust to speak for Alipay, and what we show of ourselves in certificate mode.
fn trust(
    members: &Members,
    private_key: &PrivateKey,
) -> Result<(Vec<PublicKey>, Option<CertificateNumbers>), SettingsError> {
    const THREE: [&str; 3] = ["app_certificate", "alipay_certificate", "alipay_root_certificate"];
    let key = members.text("alipay_public_key")?;
    let mut certificates = Vec::new();
    for name in THREE {
        certificates.extend(members.text(name)?);
    }
    match (key, &certificates[..]) {
        (Some(key), []) => Ok((public_keys("alipay_public_key", &key, private_key)?, None)),
        (None, [app, alipay, root]) => {
            let keys = public_keys("alipay_certificate", alipay, private_key)?;
            Ok((keys, Some(certificate_numbers(app, root, private_key)?)))
        }
        (Some(_), _) => Err(mend(
            "alipay_public_key",
            "an application is in public-key mode or in certificate mode; leave out this key or \
             the certificates",
        )),
        (None, _) => Err(mend(
            "alipay_public_key",
            "give Alipay's public key, or for certificate mode all of app_certificate, \
             alipay_certificate and alipay_root_certificate",
        )),
    }
}

/// One key as bare base64, or every PEM block of the text.
fn public_keys(
    name: &str,
    text: &str,
    private_key: &PrivateKey,
) -> Result<Vec<PublicKey>, SettingsError> {
    let how = "give Alipay's own, as shown on its open platform";
    let mut keys = Vec::new();
    if text.contains("-----BEGIN") {
        for block in text.split("-----BEGIN").skip(1) {
            keys.push(PublicKey::from_pem(&format!("-----BEGIN{block}")));
        }
    } else {
        keys.push(PublicKey::from_base64_der(text));
    }
    let keys: Result<Vec<PublicKey>, KeyError> = keys.into_iter().collect();
    let keys = keys.map_err(|e| key_trouble(name, e, how))?;
    // The two public keys stand side by side on Alipay's site and are often mixed up; then every
    // answer would seem forged.
    if keys.contains(&private_key.public()) {
        return Err(mend(name, &format!("this belongs to the application; {how}")));
    }
    Ok(keys)
}

fn certificate_numbers(
    app: &str,
    root: &str,
    private_key: &PrivateKey,
) -> Result<CertificateNumbers, SettingsError> {
    let how = "give the certificate as PEM text";
    let certificate =
        Certificate::from_pem(app).map_err(|e| key_trouble("app_certificate", e, how))?;
    if certificate.public_key() != Ok(private_key.public()) {
        return Err(mend("app_certificate", "it does not belong to app_private_key"));
    }
    let root = root_serial_number(root)
        .map_err(|e| key_trouble("alipay_root_certificate", e, "give Alipay's bundle as PEM"))?;
    Ok(CertificateNumbers { app: certificate.serial_number_alipay(), root })
}

//! Requests as Alipay reads them: common parameters, signature, placement
//! (specs/channels.md §1.2 to §1.4).

use domain::time::Timestamp;
use form_urlencoded::Serializer;
use serde::Serialize;

use super::settings::Settings;

/// The type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

/// What Alipay is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    AppPay,
    WapPay,
    PagePay,
    Precreate,
    Pay,
    Create,
    Query,
    Close,
    Cancel,
    Refund,
    RefundQuery,
}

impl Method {
    /// The word on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Method::AppPay => "alipay.trade.app.pay",
            Method::WapPay => "alipay.trade.wap.pay",
            Method::PagePay => "alipay.trade.page.pay",
            Method::Precreate => "alipay.trade.precreate",
            Method::Pay => "alipay.trade.pay",
            Method::Create => "alipay.trade.create",
            Method::Query => "alipay.trade.query",
            Method::Close => "alipay.trade.close",
            Method::Cancel => "alipay.trade.cancel",
            Method::Refund => "alipay.trade.refund",
            Method::RefundQuery => "alipay.trade.fastpay.refund.query",
        }
    }

    /// The member of an answer that holds what was asked for (specs/channels.md §1.5).
    pub(super) fn node(self) -> String {
        format!("{}_response", self.name().replace('.', "_"))
    }
}

/// `biz_content` from a structure of texts.
pub(super) fn json(content: &impl Serialize) -> String {
    serde_json::to_string(content).expect("a structure of texts and raw JSON has a JSON form")
}

/// Text for people without line ends, which not every field takes, and no longer than `chars_max`.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

/// A request before it is signed.
pub(super) struct Request<'a> {
    pub method: Method,
    /// Signed as the request's time.
    pub at: Timestamp,
    pub notify_url: Option<&'a str>,
    pub return_url: Option<&'a str>,
    /// `biz_content`: a JSON object.
    pub content: &'a str,
}

/// A signed request for a server, in two parts. The character set must stand in the query, or the
/// gateway may read the form as GBK (specs/channels.md §1.4).
pub(super) struct Placed {
    pub url: String,
    pub form: String,
}

impl Request<'_> {
    /// Everything in one query: what a browser or the SDK on a phone gets.
    pub(super) fn to_query(&self, settings: &Settings) -> String {
        let time = self.at.china_text();
        let parameters = self.parameters(settings, &time);
        let sign = sign(&parameters, settings);
        let mut query = Serializer::new(String::with_capacity(self.content.len() * 2 + 1_024));
        query.extend_pairs(parameters).append_pair("sign", &sign);
        query.finish()
    }

    /// The address of the gateway with everything in its query.
    pub(super) fn to_page(&self, settings: &Settings) -> String {
        format!("{}?{}", settings.gateway_url, self.to_query(settings))
    }

    /// Common parameters in the query, `biz_content` in the form.
    pub(super) fn to_post(&self, settings: &Settings) -> Placed {
        let time = self.at.china_text();
        let parameters = self.parameters(settings, &time);
        let sign = sign(&parameters, settings);
        let mut query = Serializer::new(String::with_capacity(1_024));
        query.extend_pairs(parameters.iter().filter(|(name, _)| *name != "biz_content"));
        query.append_pair("sign", &sign);
        let mut form = Serializer::new(String::with_capacity(self.content.len() * 2));
        form.append_pair("biz_content", self.content);
        Placed { url: format!("{}?{}", settings.gateway_url, query.finish()), form: form.finish() }
    }

    fn parameters<'a>(&'a self, settings: &'a Settings, time: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut all = Vec::with_capacity(14);
        all.extend([
            ("app_id", &*settings.app_id),
            ("method", self.method.name()),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", time),
            ("version", "1.0"),
        ]);
        all.extend(self.notify_url.map(|url| ("notify_url", url)));
        all.extend(self.return_url.map(|url| ("return_url", url)));
        all.extend(settings.app_auth_token.as_ref().map(|t| ("app_auth_token", &**t.expose())));
        if let Some(numbers) = &settings.certificate_numbers {
            all.push(("app_cert_sn", &numbers.app));
            all.push(("alipay_root_cert_sn", &numbers.root));
        }
        all.push(("biz_content", self.content));
        all
    }
}

fn sign(parameters: &[(&str, &str)], settings: &Settings) -> String {
    let text = sign::alipay::request_text(parameters.iter().copied());
    settings.private_key.sign_sha256_base64(text.as_bytes())
}

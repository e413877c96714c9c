//! A gateway request, verified: the order of the checks and the code of each refusal.
//!
//! Nothing of a request is believed, and no fault is used up, before its signature holds.

use std::sync::Arc;

use domain::time::Timestamp;

use crate::app::App;
use crate::content::Content;
use crate::method::Method;
use crate::refusal::Refusal;
use crate::wire::{Parameters, request_text};

/// A request whose signature holds.
pub(crate) struct Call {
    pub app: Arc<App>,
    pub method: Method,
    pub content: Content,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
}

/// Checks the common parameters and the signature (specs/channels.md §1.2, §1.3).
pub(crate) fn verify(
    all: &Parameters,
    find_app: impl FnOnce(&str) -> Option<Arc<App>>,
) -> Result<Call, Refusal> {
    let get = |name: &str| all.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let need = |name: &str, sub_code: &'static str| get(name).ok_or(Refusal::missing(sub_code));
    let app_id = need("app_id", "isv.missing-app-id")?;
    let method = need("method", "isv.missing-method")?;
    let method =
        Method::named(method).ok_or(Refusal::invalid("isv.invalid-method", "不存在的方法名"))?;
    let app =
        find_app(app_id).ok_or(Refusal::invalid("isv.invalid-app-id", "无效的 AppID 参数"))?;
    if get("format").is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式"));
    }
    let charset = need("charset", "isv.missing-charset")?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return Err(Refusal::invalid("isv.invalid-charset", "无效的编码格式"));
    }
    if need("sign_type", "isv.missing-signature-type")? != "RSA2" {
        return Err(Refusal::invalid("isv.invalid-signature-type", "无效的签名类型"));
    }
    let sign = need("sign", "isv.missing-signature")?;
    let timestamp = need("timestamp", "isv.missing-timestamp")?;
    // The tolerance of the real gateway is unconfirmed, so only the form is checked.
    if Timestamp::from_china_text(timestamp).is_none() {
        return Err(Refusal::invalid("isv.invalid-timestamp", "非法的时间戳参数"));
    }
    if need("version", "isv.missing-version")? != "1.0" {
        return Err(Refusal::invalid("isv.invalid-version", "无效的版本"));
    }
    if get("encrypt_type").is_some() {
        return Err(Refusal::invalid("isv.invalid-encrypt-type", "不支持加密的请求"));
    }
    if let Some(numbers) = &app.numbers {
        if need("app_cert_sn", "isv.missing-app-cert-sn")? != numbers.app_cert_sn {
            return Err(Refusal::invalid("isv.invalid-app-cert-sn", "应用公钥证书序列号无效"));
        }
        if need("alipay_root_cert_sn", "isv.missing-alipay-root-cert-sn")? != numbers.root_cert_sn {
            return Err(Refusal::invalid(
                "isv.invalid-alipay-root-cert-sn",
                "支付宝根证书序列号无效",
            ));
        }
    }
    app.merchant
        .app_public_key
        .verify_sha256_base64(request_text(all).as_bytes(), sign)
        .map_err(|_| Refusal::invalid("isv.invalid-signature", "验签出错，建议检查签名字符串"))?;
    let content = Content::read(get("biz_content").unwrap_or("{}"))?;
    Ok(Call {
        app,
        method,
        content,
        notify_url: address(get("notify_url"))?,
        return_url: address(get("return_url"))?,
    })
}

/// An address of at most 256 characters that a notification or a browser may be sent to.
fn address(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    if text.len() > 256 || crate::address::web(text).is_none() {
        return Err(Refusal::invalid("isv.invalid-parameter", "notify_url 或 return_url 无效"));
    }
    Ok(Some(text.to_owned()))
}

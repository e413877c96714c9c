//! What depends on the way to pay: the known names with the `extra` keys that they need
//! (specs/pingpp.md §4.1), order number lengths (§2.2), reversal (§2.5) and expiry (§3.4).
//!
//! Tables, as the document has them. Whether an app may use a channel is not known here.

use domain::channel::PayParams;
use domain::text::OrderNo;
use domain::time::Timestamp;

use super::error::Problem;
use super::value::{Map, Value, quoted};

/// One way to pay.
#[derive(Debug)]
pub(super) struct Rules {
    pub name: &'static str,
    required: &'static [Key],
}

/// A key of `extra` that must be there.
type Key = (&'static str, Shape);

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// 1 to so many characters.
    Text(usize),
    /// 1 to so many digits.
    Digits(usize),
    OneOf(&'static [&'static str]),
    /// True or false, also as text.
    Flag,
    /// A text or a number.
    Scalar,
    List,
}

const URL: Shape = Shape::Text(512);
const ANY: Shape = Shape::Text(256);
const SUCCESS: &[Key] = &[("success_url", URL)];
const RESULT: &[Key] = &[("result_url", URL)];
const OPEN_ID: &[Key] = &[("open_id", ANY)];
const SCAN: &[Key] = &[("scan_code", Shape::Text(32)), ("terminal_id", Shape::Text(32))];
const GOODS: Key = ("goods_list", Shape::List);
const PAY_CHANNEL: Key = ("pay_channel", Shape::OneOf(&["alipay", "wx", "bfb"]));
const TERMINAL_8: Key = ("terminal_id", Shape::Text(8));

const fn of(name: &'static str, required: &'static [Key]) -> Rules {
    Rules { name, required }
}

const CHANNELS: &[Rules] = &[
    of("alipay", &[]),
    of("alipay_wap", SUCCESS),
    of("alipay_pc_direct", SUCCESS),
    of("alipay_qr", &[]),
    of("alipay_scan", SCAN),
    of("alipay_lite", &[]),
    of("wx", &[]),
    of("wx_pub", OPEN_ID),
    of("wx_pub_qr", &[("product_id", Shape::Text(32))]),
    of("wx_pub_scan", &[("scan_code", Shape::Text(32))]),
    of("wx_lite", OPEN_ID),
    of("wx_wap", &[]),
    of("qpay", &[("device", Shape::OneOf(&["ios", "android"]))]),
    of("qpay_pub", &[]),
    of("upacp", &[]),
    of("upacp_pc", RESULT),
    of("upacp_wap", RESULT),
    of("upacp_qr", &[]),
    of("upacp_scan", SCAN),
    of("upacp_b2b", RESULT),
    of("applepay_upacp", &[]),
    of("cp_b2b", &[]),
    of(
        "cmb_wallet",
        &[
            ("result_url", URL),
            ("p_no", Shape::Digits(30)),
            ("seq", Shape::Digits(20)),
            ("m_uid", Shape::Text(20)),
            ("mobile", Shape::Digits(11)),
        ],
    ),
    of("cmb_pc_qr", &[]),
    of("bfb", &[]),
    of("bfb_wap", &[("result_url", URL), ("bfb_login", Shape::Flag)]),
    of("jdpay_wap", &[("success_url", URL), ("fail_url", URL)]),
    of(
        "yeepay_wap",
        &[
            ("product_category", Shape::Scalar),
            ("identity_id", Shape::Text(50)),
            ("identity_type", Shape::Scalar),
            ("terminal_type", Shape::Scalar),
            ("terminal_id", ANY),
            ("user_ua", Shape::Text(512)),
            ("result_url", URL),
        ],
    ),
    of("isv_scan", &[("scan_code", Shape::Text(32)), TERMINAL_8]),
    of("isv_qr", &[TERMINAL_8, PAY_CHANNEL]),
    of("isv_wap", &[TERMINAL_8, PAY_CHANNEL, ("result_url", URL)]),
    of("isv_lite", OPEN_ID),
    of("balance", &[("user", Shape::Text(64))]),
    of("cb_alipay", &[]),
    of("cb_alipay_wap", SUCCESS),
    of("cb_alipay_qr", &[]),
    of("cb_alipay_scan", SCAN),
    of("cb_alipay_pc_direct", SUCCESS),
    of("cb_wx", &[GOODS]),
    of("cb_wx_pub", &[GOODS, ("open_id", ANY)]),
    of("cb_wx_pub_qr", &[GOODS, ("product_id", Shape::Text(32))]),
    of("cb_wx_pub_scan", &[GOODS, ("scan_code", Shape::Text(32))]),
    of("paypal", &[]),
    of("ccb_pay", &[]),
    of("ccb_qr", &[]),
    of("ccb_wap", &[("pos_id", ANY)]),
    of("cmpay", &[]),
    of("coolcredit", &[]),
    of("fqlpay_wap", &[("c_merch_id", ANY)]),
    of("qgbc_wap", &[("phone", ANY)]),
    of("mmdpay_wap", &[("phone", ANY), ("id_no", ANY), ("name", ANY)]),
    of("abc_pay", &[]),
    of("abc_pub", &[]),
    of("pab_pc", &[]),
    of("wx_pub_pab", &[]),
    of("wx_lite_pab", &[]),
    of("alipay_wap_lakala", &[]),
    of("alipay_qr_lakala", &[]),
    of("alipay_app_lakala", &[]),
    of("wx_app_lakala", &[]),
    of("nucc_b2b_lakala", &[]),
    of("nucc_b2c_lakala", &[]),
    of("chinaums_alipay_pub", &[]),
    of("chinaums_alipay_wap", &[]),
    of("chinaums_upacp_wap", &[]),
    of("chinaums_wx_pub", &[]),
    of("chinaums_wx_wap", &[]),
    of("yeepay_wx_pub", OPEN_ID),
    of("yeepay_wx_lite", OPEN_ID),
    of("yeepay_wx_pub_ofl", OPEN_ID),
    of("yeepay_wx_lite_ofl", OPEN_ID),
    of("cb_isv_alipay", &[]),
    of("cb_isv_wx", &[]),
    of("cnp_u", &[]),
    of("cnp_f", &[]),
    of("upmp", &[]),
    of("upmp_wap", &[]),
    of("custom", &[]),
];

/// How long an unpaid charge lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Up to 15 days.
    General,
    /// WeChat: up to 7 days.
    Wechat,
    /// UnionPay's own pages: up to an hour.
    Unionpay,
}

impl Expiry {
    /// The shortest explicit life.
    pub(super) const SECONDS_MIN: i64 = 60;

    /// The longest explicit life.
    pub(super) const fn seconds_max(self) -> i64 {
        match self {
            Expiry::General => 15 * 86_400,
            Expiry::Wechat => 7 * 86_400,
            Expiry::Unionpay => 3_600,
        }
    }
}

/// Until when paid money can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Seconds(i64),
    /// Until midnight in China.
    ChinaDay,
    /// Until 23:00 in China, when UnionPay's business day ends.
    UnionpayDay,
}

/// What a reverse may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reversal {
    Never,
    /// While unpaid.
    Unpaid,
    /// While unpaid, on the business day of its creation.
    UnpaidSameDay,
    /// Also when paid, within the window.
    Any(Window),
}

impl Rules {
    /// The rules of a channel that the document knows.
    pub(super) fn of(name: &str) -> Option<&'static Rules> {
        CHANNELS.iter().find(|rules| rules.name == name)
    }

    /// Whether UnionPay's stricter texts apply: bytes instead of characters, no `-` and `_`.
    pub(super) fn is_unionpay(&self) -> bool {
        self.name.starts_with("upacp") || matches!(self.name, "applepay_upacp" | "cp_b2b")
    }

    /// Whether it is WeChat or QQ, which alone know where a refund's money comes from (§2.6).
    pub(super) fn has_funding_source(&self) -> bool {
        ["wx", "cb_wx", "qpay"].iter().any(|family| self.name.starts_with(family))
    }

    /// The longest `body`.
    pub(super) fn body_chars_max(&self) -> usize {
        if self.name == "yeepay_wap" { 100 } else { 128 }
    }

    /// Bytes that a refund's description may have, where they are fewer than its characters (§2.6).
    pub(super) fn refund_description_bytes_max(&self) -> Option<usize> {
        match self.name {
            "cmb_wallet" | "cmb_pc_qr" => Some(99),
            "jdpay_wap" => Some(128),
            "paypal" => Some(30),
            "coolcredit" => Some(100),
            _ => None,
        }
    }

    /// Whether the channel settles in the currency (three lower-case letters).
    pub(super) fn takes_currency(&self, code: &str) -> bool {
        match self.name {
            "isv_lite" => matches!(code, "cny" | "hkd"),
            "paypal" => true,
            name if name.starts_with("cb_") => true,
            _ => code == "cny",
        }
    }

    fn order_no_len(&self) -> (usize, usize) {
        match self.name {
            "alipay" | "alipay_wap" | "alipay_qr" | "alipay_scan" | "alipay_pc_direct"
            | "alipay_lite" => (1, 64),
            "wx" | "wx_pub" | "wx_pub_qr" | "wx_lite" | "wx_wap" => (2, 32),
            "wx_pub_scan" | "cb_wx" | "cb_wx_pub" | "cb_wx_pub_qr" | "cb_wx_pub_scan"
            | "paypal" | "coolcredit" => (1, 32),
            "bfb" | "bfb_wap" => (1, 20),
            _ if self.is_unionpay() => (8, 40),
            "yeepay_wap" | "cmpay" => (1, 50),
            "jdpay_wap" | "qpay" | "qpay_pub" | "ccb_pay" | "ccb_qr" => (1, 30),
            "isv_qr" | "isv_scan" | "isv_wap" | "isv_lite" => (8, 32),
            "cmb_wallet" => (6, 32),
            _ => (8, 20),
        }
    }

    /// Checks the merchant's number (§2.2): letters, digits, and except at UnionPay `_` and `-`.
    pub(super) fn order_no(&self, text: &str) -> Result<OrderNo, Problem> {
        const NAME: &str = "order_no";
        let number = OrderNo::parse(text).map_err(|e| Problem::wrong(NAME, e))?;
        let (min, max) = self.order_no_len();
        if !(min..=max).contains(&text.len()) {
            let limit = format!("must have {min} to {max} characters for {}", self.name);
            return Err(Problem::wrong(NAME, limit));
        }
        if self.is_unionpay() && !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let limit = format!("must be letters and digits for {}", self.name);
            return Err(Problem::wrong(NAME, limit));
        }
        Ok(number)
    }

    /// How long it may live unpaid.
    pub(super) fn expiry(&self) -> Expiry {
        match self.name {
            "wx" | "wx_pub" | "wx_pub_qr" | "wx_pub_scan" | "wx_lite" | "wx_wap" => Expiry::Wechat,
            name if name.starts_with("cb_wx") => Expiry::Wechat,
            "upacp" | "upacp_pc" | "upacp_wap" => Expiry::Unionpay,
            _ => Expiry::General,
        }
    }

    /// What a reverse may do.
    pub(super) fn reversal(&self) -> Reversal {
        match self.name {
            "isv_scan" | "isv_qr" | "isv_wap" => Reversal::Any(Window::ChinaDay),
            "alipay_scan" | "cb_alipay_scan" => Reversal::Any(Window::Seconds(86_400)),
            "wx_pub_scan" | "cb_wx_pub_scan" => Reversal::Any(Window::Seconds(7 * 86_400)),
            "upacp_scan" => Reversal::Any(Window::UnionpayDay),
            "upacp" | "upacp_pc" | "upacp_wap" => Reversal::UnpaidSameDay,
            "alipay_qr" | "alipay_lite" | "wx" | "wx_wap" | "wx_lite" | "wx_pub" | "wx_pub_qr" => {
                Reversal::Unpaid
            }
            _ => Reversal::Never,
        }
    }

    /// Checks that everything that the channel needs stands in `extra`.
    pub(super) fn check_extra(&self, extra: &Map) -> Result<(), Problem> {
        if self.name == "cp_b2b" && !extra.is_empty() {
            return Err(Problem::wrong("extra", "is not accepted for cp_b2b"));
        }
        for (key, shape) in self.required {
            let param = format!("extra[{key}]");
            match extra.get(*key) {
                None | Some(Value::Null) => return Err(Problem::missing(&param)),
                Some(value) => shape.check(value).map_err(|what| Problem::wrong(&param, what))?,
            }
        }
        Ok(())
    }

    /// Reads `extra` into the parameters that connectors know. What no connector knows is only
    /// echoed.
    pub(super) fn pay_params(&self, extra: &Map) -> Result<PayParams, Problem> {
        let text = |key: &str| match extra.get(key) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.as_str().into()),
            _ => None,
        };
        Ok(PayParams {
            return_url: text("success_url").or_else(|| text("result_url")),
            cancel_url: text("cancel_url"),
            scan_code: text("scan_code"),
            terminal_id: text("terminal_id"),
            store_id: text("store_id"),
            operator_id: text("operator_id"),
            buyer_id: text("buyer_user_id").or_else(|| text("buyer_id")),
            passed_on: if self.name.starts_with("alipay") { alipay(extra)? } else { Vec::new() },
        })
    }
}

impl Shape {
    fn check(self, value: &Value) -> Result<(), String> {
        let text = match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        };
        let length = text.map_or(0, |text| text.chars().count());
        let (fits, what) = match self {
            Shape::Text(max) => {
                ((1..=max).contains(&length), format!("a string of 1 to {max} characters"))
            }
            Shape::Digits(max) => {
                let digits = text.is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()));
                (digits && (1..=max).contains(&length), format!("1 to {max} digits"))
            }
            Shape::OneOf(words) => (text.is_some_and(|t| words.contains(&t)), words.join(" or ")),
            Shape::Flag => {
                let flag =
                    matches!(value, Value::Bool(_)) || matches!(text, Some("true" | "false"));
                (flag, "true or false".into())
            }
            Shape::Scalar => {
                let scalar = value.scalar_text().is_some_and(|t| !t.is_empty());
                (scalar, "a string or a number".into())
            }
            Shape::List => (value.elements().is_some_and(|e| !e.is_empty()), "a list".into()),
        };
        if fits { Ok(()) } else { Err(format!("must be {what}")) }
    }
}

/// Parameters that a channel takes by the same name: name and JSON value.
type PassedOn = Vec<(Box<str>, Box<str>)>;

/// Optional keys of the Alipay family under the names that the channel takes (§4.1).
fn alipay(extra: &Map) -> Result<PassedOn, Problem> {
    let mut passed = PassedOn::new();
    let scalar = |key: &str| extra.get(key).and_then(Value::scalar_text).filter(|t| !t.is_empty());
    let mut extend = Map::new();
    for (ours, theirs, allowed) in [
        ("hb_fq_num", "hb_fq_num", &["3", "6", "12"][..]),
        ("hb_fq_seller_percent", "hb_fq_seller_percent", &["0", "100"]),
        ("need_buyer_real_named", "needBuyerRealnamed", &["T", "F"]),
        ("sys_service_provider_id", "sys_service_provider_id", &[]),
    ] {
        let Some(text) = scalar(ours) else { continue };
        if !allowed.is_empty() && !allowed.contains(&text) {
            let param = format!("extra[{ours}]");
            return Err(Problem::wrong(&param, format!("must be {}", allowed.join(" or "))));
        }
        extend.insert(theirs.to_owned(), Value::Text(text.to_owned()));
    }
    if !extend.is_empty() {
        passed.push(("extend_params".into(), Value::Map(extend).to_json().into()));
    }
    for name in ["disable_pay_channels", "qr_pay_mode", "qrcode_width", "buyer_open_id"] {
        if let Some(text) = scalar(name) {
            passed.push((name.into(), quoted(text).into()));
        }
    }
    if let Some(goods) = extra.get("goods_list").filter(|goods| goods.elements().is_some()) {
        passed.push(("goods_detail".into(), goods.to_json().into()));
    }
    Ok(passed)
}

const CHINA_SECONDS: i64 = 8 * 3_600;
const DAY_SECONDS: i64 = 86_400;

impl Window {
    /// Seconds from `from` to the window's end.
    pub(super) fn seconds_after(self, from: Timestamp) -> i64 {
        let to_end_of_day = |shift: i64| {
            let second_of_day = (from.seconds() + CHINA_SECONDS + shift).rem_euclid(DAY_SECONDS);
            DAY_SECONDS - 1 - second_of_day
        };
        match self {
            Window::Seconds(seconds) => seconds,
            Window::ChinaDay => to_end_of_day(0),
            Window::UnionpayDay => to_end_of_day(3_600),
        }
    }
}

#[cfg(test)]
mod tests;

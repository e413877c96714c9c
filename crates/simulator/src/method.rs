//! The methods that the pretend gateway answers.

use crate::trade::OpenedBy;

/// A known method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Opens a trade: by browser, by code, by number, or at a scanner.
    Open(OpenedBy),
    Query,
    Close,
    Cancel,
    Refund,
    RefundQuery,
    BillUrl,
}

const NAMES: [(&str, Method); 12] = [
    ("alipay.trade.page.pay", Method::Open(OpenedBy::PagePay)),
    ("alipay.trade.wap.pay", Method::Open(OpenedBy::WapPay)),
    ("alipay.trade.app.pay", Method::Open(OpenedBy::AppPay)),
    ("alipay.trade.precreate", Method::Open(OpenedBy::Precreate)),
    ("alipay.trade.create", Method::Open(OpenedBy::Create)),
    ("alipay.trade.pay", Method::Open(OpenedBy::ScanPay)),
    ("alipay.trade.query", Method::Query),
    ("alipay.trade.close", Method::Close),
    ("alipay.trade.cancel", Method::Cancel),
    ("alipay.trade.refund", Method::Refund),
    ("alipay.trade.fastpay.refund.query", Method::RefundQuery),
    ("alipay.data.dataservice.bill.downloadurl.query", Method::BillUrl),
];

impl Method {
    /// The method of this name.
    pub fn named(name: &str) -> Option<Method> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// True where a payer's browser is on the other side, not the merchant's server.
    pub fn is_for_browsers(self) -> bool {
        matches!(self, Method::Open(OpenedBy::PagePay | OpenedBy::WapPay | OpenedBy::AppPay))
    }
}

/// The words that may stand as `product_code`; an empty one allows none to be given.
pub(crate) fn product_codes(opened_by: OpenedBy) -> &'static [&'static str] {
    match opened_by {
        OpenedBy::PagePay => &["FAST_INSTANT_TRADE_PAY"],
        OpenedBy::WapPay => &["QUICK_WAP_WAY", "QUICK_WAP_PAY"],
        OpenedBy::AppPay => &["QUICK_MSECURITY_PAY"],
        OpenedBy::Precreate => &["", "FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE"],
        OpenedBy::Create => &["", "FACE_TO_FACE_PAYMENT", "JSAPI_PAY"],
        OpenedBy::ScanPay => &["", "FACE_TO_FACE_PAYMENT"],
    }
}

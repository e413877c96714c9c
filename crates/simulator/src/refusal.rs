//! Why a call was refused, in the channel's own codes (specs/channels.md §1.6).

/// A refusal as it stands in an answer: `code`, `msg`, `sub_code`, `sub_msg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: &'static str,
    pub msg: &'static str,
    pub sub_code: &'static str,
    pub sub_msg: &'static str,
}

impl Refusal {
    const fn new(
        code: &'static str,
        msg: &'static str,
        sub_code: &'static str,
        sub_msg: &'static str,
    ) -> Refusal {
        Refusal { code, msg, sub_code, sub_msg }
    }

    /// 40001: a common parameter is missing.
    pub const fn missing(sub_code: &'static str) -> Refusal {
        Refusal::new("40001", "Missing Required Arguments", sub_code, "缺少必选参数")
    }

    /// 40002: a common parameter is wrong.
    pub const fn invalid(sub_code: &'static str, sub_msg: &'static str) -> Refusal {
        Refusal::new("40002", "Invalid Arguments", sub_code, sub_msg)
    }

    /// 40004: the business refuses.
    pub const fn business(sub_code: &'static str, sub_msg: &'static str) -> Refusal {
        Refusal::new("40004", "Business Failed", sub_code, sub_msg)
    }

    pub const UNKNOWN: Refusal = Refusal::new(
        "20000",
        "Service Currently Unavailable",
        "isp.unknow-error",
        "系统繁忙，结果未知，请查询后重试",
    );
    pub const RATE_LIMIT: Refusal =
        Refusal::new("40005", "Call Limited", "isv.app-call-limited", "应用调用次数超限");
    pub const INVALID_PARAMETER: Refusal = Refusal::business("ACQ.INVALID_PARAMETER", "参数无效");
    pub const TRADE_NOT_EXIST: Refusal = Refusal::business("ACQ.TRADE_NOT_EXIST", "交易不存在");
    pub const TRADE_STATUS_ERROR: Refusal =
        Refusal::business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法");
    pub const TRADE_HAS_SUCCESS: Refusal =
        Refusal::business("ACQ.TRADE_HAS_SUCCESS", "交易已被支付");
    pub const TRADE_HAS_CLOSE: Refusal = Refusal::business("ACQ.TRADE_HAS_CLOSE", "交易已经关闭");
    pub const TRADE_HAS_FINISHED: Refusal =
        Refusal::business("ACQ.TRADE_HAS_FINISHED", "交易已完结");
    pub const CONTEXT_INCONSISTENT: Refusal =
        Refusal::business("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改");
    pub const TOTAL_FEE_EXCEED: Refusal =
        Refusal::business("ACQ.TOTAL_FEE_EXCEED", "订单总金额不在允许范围内");
    pub const AUTH_CODE_INVALID: Refusal =
        Refusal::business("ACQ.PAYMENT_AUTH_CODE_INVALID", "支付授权码无效");
    pub const BUYER_BALANCE_NOT_ENOUGH: Refusal =
        Refusal::business("ACQ.BUYER_BALANCE_NOT_ENOUGH", "买家余额不足");
    pub const SELLER_BALANCE_NOT_ENOUGH: Refusal =
        Refusal::business("ACQ.SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足");
    pub const REFUND_AMT_NOT_EQUAL_TOTAL: Refusal =
        Refusal::business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额与订单总金额不等");
    pub const REFUND_FEE_ERROR: Refusal =
        Refusal::business("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额超出可退金额");
    pub const DISCORDANT_REPEAT_REQUEST: Refusal =
        Refusal::business("ACQ.DISCORDANT_REPEAT_REQUEST", "同一退款请求号的金额不一致");
    pub const CANCEL_TIME_OUT: Refusal =
        Refusal::business("ACQ.TRADE_CANCEL_TIME_OUT", "超过撤销时间范围");
    pub const CANCEL_NOT_ALLOWED: Refusal =
        Refusal::business("ACQ.CANCEL_NOT_ALLOWED", "部分退款的交易不允许撤销");
    pub const BILL_NOT_EXIST: Refusal = Refusal::business("isp.bill_not_exist", "账单不存在");
}

impl From<rusqlite::Error> for Refusal {
    /// A book that cannot be written means that nothing was decided.
    fn from(error: rusqlite::Error) -> Refusal {
        tracing::error!(%error, "the simulator's book failed");
        Refusal::UNKNOWN
    }
}

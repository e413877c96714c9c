//! A trade of the pretend channel and what may happen to it (specs/channels.md §1.10).
//!
//! Pure: acts change the value they are given and name what the merchant must be told. It never
//! reads a clock and never touches the book.

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// A refund by `alipay.trade.cancel` is possible for so long after the trade was created.
const CANCEL_WINDOW_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Which call opened the trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpenedBy {
    PagePay,
    WapPay,
    AppPay,
    Precreate,
    Create,
    ScanPay,
}

/// Where a trade stands; each state owns its facts. Instants are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Only a QR code exists; the gateway answers that there is no trade.
    Coded { code_expires_at: i64 },
    /// `WAIT_BUYER_PAY`.
    Waiting,
    /// `TRADE_SUCCESS`.
    Paid { paid_at: i64 },
    /// `TRADE_FINISHED`: paid, and no longer refundable.
    Finished { paid_at: i64 },
    /// `TRADE_CLOSED` after a full refund.
    Refunded { paid_at: i64, closed_at: i64 },
    /// `TRADE_CLOSED` without payment.
    Closed { closed_at: i64 },
}

/// A refund, accepted once per `out_request_no`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub out_request_no: String,
    pub fen: i64,
    pub at: i64,
    /// False while the money has not moved (fault `refund_pending`).
    pub done: bool,
}

/// What a merchant is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Paid,
    /// The refund at this place of the list is done.
    Refunded(usize),
    /// Closed without payment.
    Closed,
    /// The refund period is over; sent on demand only.
    Finished,
}

/// How the payer's last try ended without a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LastTry {
    Failed,
    Cancelled,
}

/// What a refund call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefundDone {
    /// False on a repeat, and while the refund is pending.
    pub fund_change: bool,
    /// Place in the trade's list of refunds.
    pub index: usize,
}

/// A trade. Amounts are fen, instants microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trade {
    pub app_id: String,
    pub seller_id: String,
    pub out_trade_no: String,
    pub trade_no: String,
    /// Names the cashier page.
    pub token: String,
    pub opened_by: OpenedBy,
    pub total_fen: i64,
    pub subject: String,
    pub body: Option<String>,
    pub passback_params: Option<String>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    pub quit_url: Option<String>,
    pub created_at: i64,
    /// When an unpaid trade closes by itself.
    pub expires_at: i64,
    pub state: State,
    pub refunds: Vec<Refund>,
    /// Set by the control API: refunds are refused for want of money.
    pub refuses_refunds: bool,
    pub last_try: Option<LastTry>,
}

impl Trade {
    /// `trade_status`, or `None` while only a code exists.
    pub fn status(&self) -> Option<&'static str> {
        match self.state {
            State::Coded { .. } => None,
            State::Waiting => Some("WAIT_BUYER_PAY"),
            State::Paid { .. } => Some("TRADE_SUCCESS"),
            State::Finished { .. } => Some("TRADE_FINISHED"),
            State::Refunded { .. } | State::Closed { .. } => Some("TRADE_CLOSED"),
        }
    }

    /// When the money arrived.
    pub fn paid_at(&self) -> Option<i64> {
        match self.state {
            State::Paid { paid_at }
            | State::Finished { paid_at }
            | State::Refunded { paid_at, .. } => Some(paid_at),
            State::Coded { .. } | State::Waiting | State::Closed { .. } => None,
        }
    }

    /// When the trade was closed, paid or not.
    pub fn closed_at(&self) -> Option<i64> {
        match self.state {
            State::Refunded { closed_at, .. } | State::Closed { closed_at } => Some(closed_at),
            State::Coded { .. } | State::Waiting | State::Paid { .. } | State::Finished { .. } => {
                None
            }
        }
    }

    /// Money given back so far.
    pub fn refunded_fen(&self) -> i64 {
        self.refunds.iter().filter(|r| r.done).map(|r| r.fen).sum()
    }

    /// Money given back or promised.
    fn committed_fen(&self) -> i64 {
        self.refunds.iter().map(|r| r.fen).sum()
    }

    /// True when an unpaid trade's time is over.
    pub fn is_overdue(&self, now: i64) -> bool {
        self.state == State::Waiting && now >= self.expires_at
    }

    /// Closes an overdue trade as of the instant when its time ran out.
    pub fn expire(&mut self) -> Vec<News> {
        self.state = State::Closed { closed_at: self.expires_at };
        vec![News::Closed]
    }

    /// The payer scans the code; the trade appears. Repeating it changes nothing.
    pub fn scan(&mut self, now: i64) -> Result<(), Refusal> {
        match self.state {
            State::Coded { code_expires_at } if now < code_expires_at.min(self.expires_at) => {
                self.state = State::Waiting;
                self.created_at = now;
                Ok(())
            }
            State::Coded { .. } => Err(Refusal::TRADE_NOT_EXIST),
            State::Waiting
            | State::Paid { .. }
            | State::Finished { .. }
            | State::Refunded { .. }
            | State::Closed { .. } => Ok(()),
        }
    }

    /// The payer pays; scans first where needed. Paying a paid trade changes nothing.
    pub fn pay(&mut self, now: i64) -> Result<Vec<News>, Refusal> {
        self.scan(now)?;
        match self.state {
            State::Waiting => {
                self.state = State::Paid { paid_at: now };
                self.last_try = None;
                Ok(vec![News::Paid])
            }
            State::Paid { .. } | State::Finished { .. } | State::Refunded { .. } => Ok(Vec::new()),
            State::Closed { .. } => Err(Refusal::TRADE_HAS_CLOSE),
            State::Coded { .. } => Err(Refusal::TRADE_NOT_EXIST),
        }
    }

    /// The payer's try ends without a payment. The trade stays open, except at a scanner, where
    /// the till is waiting for this very try.
    pub fn give_up(&mut self, how: LastTry, now: i64) -> Result<Vec<News>, Refusal> {
        self.scan(now)?;
        if self.state != State::Waiting {
            return Err(Refusal::TRADE_STATUS_ERROR);
        }
        self.last_try = Some(how);
        match self.opened_by {
            OpenedBy::ScanPay => self.close(now),
            OpenedBy::PagePay
            | OpenedBy::WapPay
            | OpenedBy::AppPay
            | OpenedBy::Precreate
            | OpenedBy::Create => Ok(Vec::new()),
        }
    }

    /// `alipay.trade.close`: only an unpaid trade.
    pub fn close(&mut self, now: i64) -> Result<Vec<News>, Refusal> {
        match self.state {
            State::Coded { .. } => Err(Refusal::TRADE_NOT_EXIST),
            State::Waiting => {
                self.state = State::Closed { closed_at: now };
                Ok(vec![News::Closed])
            }
            State::Paid { .. }
            | State::Finished { .. }
            | State::Refunded { .. }
            | State::Closed { .. } => Err(Refusal::TRADE_STATUS_ERROR),
        }
    }

    /// The refund period ends.
    pub fn finish(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Paid { paid_at } => {
                self.state = State::Finished { paid_at };
                Ok(())
            }
            State::Finished { .. } => Ok(()),
            State::Coded { .. }
            | State::Waiting
            | State::Refunded { .. }
            | State::Closed { .. } => Err(Refusal::TRADE_STATUS_ERROR),
        }
    }

    /// `alipay.trade.refund`. One `out_request_no` moves money once; without one, only the whole
    /// amount can be refunded, under the trade's own number.
    pub fn refund(
        &mut self,
        out_request_no: Option<&str>,
        fen: i64,
        pending: bool,
        now: i64,
    ) -> Result<(RefundDone, Vec<News>), Refusal> {
        match self.state {
            State::Coded { .. } => return Err(Refusal::TRADE_NOT_EXIST),
            State::Waiting | State::Closed { .. } => return Err(Refusal::TRADE_STATUS_ERROR),
            State::Finished { .. } => return Err(Refusal::TRADE_HAS_FINISHED),
            State::Paid { .. } | State::Refunded { .. } => {}
        }
        let number = out_request_no.unwrap_or(&self.out_trade_no).to_owned();
        if let Some(index) = self.refunds.iter().position(|r| r.out_request_no == number) {
            return if self.refunds[index].fen == fen {
                Ok((RefundDone { fund_change: false, index }, Vec::new()))
            } else {
                Err(Refusal::DISCORDANT_REPEAT_REQUEST)
            };
        }
        if out_request_no.is_none() && fen != self.total_fen {
            return Err(Refusal::REFUND_AMT_NOT_EQUAL_TOTAL);
        }
        if fen > self.total_fen - self.committed_fen() {
            return Err(Refusal::REFUND_FEE_ERROR);
        }
        if self.refuses_refunds {
            return Err(Refusal::SELLER_BALANCE_NOT_ENOUGH);
        }
        let index = self.refunds.len();
        self.refunds.push(Refund { out_request_no: number, fen, at: now, done: !pending });
        let news = if pending { Vec::new() } else { self.after_refund(index, now) };
        Ok((RefundDone { fund_change: !pending, index }, news))
    }

    /// The channel cannot pay refunds: pending ones are dropped, new ones refused.
    pub fn fail_refunds(&mut self) {
        self.refuses_refunds = true;
        self.refunds.retain(|r| r.done);
    }

    /// The channel can pay refunds again: pending ones are done now.
    pub fn complete_refunds(&mut self, now: i64) -> Vec<News> {
        self.refuses_refunds = false;
        let mut news = Vec::new();
        for index in 0..self.refunds.len() {
            if !self.refunds[index].done {
                self.refunds[index].done = true;
                self.refunds[index].at = now;
                news.extend(self.after_refund(index, now));
            }
        }
        news
    }

    fn after_refund(&mut self, index: usize, now: i64) -> Vec<News> {
        if let State::Paid { paid_at } = self.state
            && self.refunded_fen() == self.total_fen
        {
            self.state = State::Refunded { paid_at, closed_at: now };
        }
        vec![News::Refunded(index)]
    }

    /// `alipay.trade.cancel`: closes an unpaid trade, refunds a paid one whole. The word is the
    /// answer's `action`; repeating gives the same word and moves nothing.
    pub fn cancel(&mut self, now: i64) -> Result<(&'static str, Vec<News>), Refusal> {
        match self.state {
            State::Coded { .. } => Err(Refusal::TRADE_NOT_EXIST),
            State::Waiting => Ok(("close", self.close(now)?)),
            State::Closed { .. } => Ok(("close", Vec::new())),
            State::Refunded { .. } => Ok(("refund", Vec::new())),
            State::Finished { .. } => Err(Refusal::TRADE_HAS_FINISHED),
            State::Paid { .. } if now > self.created_at + CANCEL_WINDOW_MICROS => {
                Err(Refusal::CANCEL_TIME_OUT)
            }
            State::Paid { .. } if !self.refunds.is_empty() => Err(Refusal::CANCEL_NOT_ALLOWED),
            State::Paid { .. } => {
                let (_, news) = self.refund(None, self.total_fen, false, now)?;
                Ok(("refund", news))
            }
        }
    }

    /// What a resent notification would say about the present state.
    pub fn latest_news(&self) -> Option<News> {
        match self.state {
            State::Coded { .. } | State::Waiting => None,
            State::Finished { .. } => Some(News::Finished),
            State::Closed { .. } => Some(News::Closed),
            State::Paid { .. } | State::Refunded { .. } => {
                Some(self.refunds.iter().rposition(|r| r.done).map_or(News::Paid, News::Refunded))
            }
        }
    }
}

#[cfg(test)]
mod tests;

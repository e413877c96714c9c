//! What each method does and answers (specs/channels.md §1.8 and §1.10).

use crate::bill::{self, BillOf};
use crate::book::{Book, NewTrade};
use crate::content::Content;
use crate::faults::AnswerFault;
use crate::method::{Method, product_codes};
use crate::notice::{BUYER_ID, BUYER_LOGON_ID, china};
use crate::refusal::Refusal;
use crate::request::Call;
use crate::scan::{self, Scan};
use crate::trade::{OpenedBy, State, Trade};
use crate::wire::{Node, yuan};

/// The work of a call, done.
pub(crate) enum Done {
    /// An answer for the merchant's server.
    Answer(Node),
    /// The browser goes to the cashier page of this token.
    Cashier(String),
}

/// Does the work of a verified call.
pub(crate) fn perform(
    book: &mut Book,
    call: &Call,
    fault: Option<AnswerFault>,
    now: i64,
    base_url: &str,
) -> Result<Done, Refusal> {
    match call.method {
        Method::Open(OpenedBy::ScanPay) => scan_pay(book, call, fault, now),
        Method::Open(opened_by) => open(book, call, opened_by, now, base_url),
        Method::Query => query(book, call, now),
        Method::Close => close(book, call, now),
        Method::Cancel => cancel(book, call, now),
        Method::Refund => refund(book, call, fault, now),
        Method::RefundQuery => refund_query(book, call, now),
        Method::BillUrl => bill_url(book, call, now, base_url),
    }
}

/// The order number that a call is about, if it names a known trade or its own number.
pub(crate) fn number_of(book: &Book, call: &Call) -> Option<String> {
    let text = |name| call.content.text(name, 64).ok().flatten();
    let by_trade_no = || {
        let id = book.find_by_trade_no(&call.app.merchant.seller_id, &text("trade_no")?)?;
        book.known(id).map(|trade| trade.out_trade_no.clone())
    };
    by_trade_no().or_else(|| text("out_trade_no"))
}

fn open(
    book: &mut Book,
    call: &Call,
    opened_by: OpenedBy,
    now: i64,
    base_url: &str,
) -> Result<Done, Refusal> {
    if opened_by == OpenedBy::Create {
        let buyer = ["buyer_id", "buyer_open_id", "buyer_logon_id"];
        let mut named = buyer.iter().map(|name| call.content.text(name, 128));
        if !named.any(|text| matches!(text, Ok(Some(_)))) {
            return Err(Refusal::INVALID_PARAMETER);
        }
    }
    let id = open_trade(book, call, opened_by, now)?;
    let trade = book.trade(id, now)?;
    let node = Node::success().put("out_trade_no", &trade.out_trade_no);
    Ok(match opened_by {
        OpenedBy::PagePay | OpenedBy::WapPay | OpenedBy::AppPay => {
            Done::Cashier(trade.token.clone())
        }
        OpenedBy::Precreate => {
            Done::Answer(node.put("qr_code", &format!("{base_url}/cashier/{}", trade.token)))
        }
        OpenedBy::Create | OpenedBy::ScanPay => Done::Answer(node.put("trade_no", &trade.trade_no)),
    })
}

fn open_trade(book: &mut Book, call: &Call, opened_by: OpenedBy, now: i64) -> Result<u64, Refusal> {
    let product_code = call.content.text("product_code", 64)?.unwrap_or_default();
    if !product_codes(opened_by).contains(&product_code.as_str()) {
        return Err(Refusal::INVALID_PARAMETER);
    }
    book.open_trade(
        &call.app,
        NewTrade {
            opened_by,
            content: &call.content,
            notify_url: call.notify_url.clone(),
            return_url: call.return_url.clone(),
        },
        now,
    )
}

fn scan_pay(
    book: &mut Book,
    call: &Call,
    fault: Option<AnswerFault>,
    now: i64,
) -> Result<Done, Refusal> {
    let content = &call.content;
    let auth_code = content.required("auth_code", 32)?;
    let mut scan = scan::judge(&auth_code, content.total_fen()?)?;
    if fault == Some(AnswerFault::Waiting) {
        scan = Scan::Waiting;
    }
    let id = open_trade(book, call, OpenedBy::ScanPay, now)?;
    if scan == Scan::Paid {
        book.change(id, now, |trade| Ok(((), trade.pay(now)?)))?;
    }
    let trade = book.trade(id, now)?;
    let node = match scan {
        Scan::Paid => Node::success(),
        Scan::Waiting => Node::waiting(),
    };
    let node = with_numbers(node, trade)
        .put("buyer_logon_id", BUYER_LOGON_ID)
        .put("buyer_user_id", BUYER_ID)
        .put("total_amount", &yuan(trade.total_fen));
    Ok(Done::Answer(match trade.paid_at() {
        Some(paid_at) => with_money(node, trade).put("gmt_payment", &china(paid_at)),
        None => node,
    }))
}

fn query(book: &mut Book, call: &Call, now: i64) -> Result<Done, Refusal> {
    let id = existing(book, call, now)?;
    let trade = book.trade(id, now)?;
    let node = with_numbers(Node::success(), trade)
        .put("buyer_logon_id", BUYER_LOGON_ID)
        .put("buyer_user_id", BUYER_ID)
        .put("trade_status", trade.status().unwrap_or_default())
        .put("total_amount", &yuan(trade.total_fen));
    Ok(Done::Answer(match trade.paid_at() {
        Some(paid_at) => with_money(node, trade).put("send_pay_date", &china(paid_at)),
        None => node,
    }))
}

fn close(book: &mut Book, call: &Call, now: i64) -> Result<Done, Refusal> {
    let id = existing(book, call, now)?;
    book.change(id, now, |trade| Ok(((), trade.close(now)?)))?;
    Ok(Done::Answer(with_numbers(Node::success(), book.trade(id, now)?)))
}

/// A number that bears no trade is answered like one that is closed: the real table of refusals
/// has no "not exist" for this method. A code that nobody scanned dies.
fn cancel(book: &mut Book, call: &Call, now: i64) -> Result<Done, Refusal> {
    let Some(id) = named(book, call)? else {
        let number = call.content.text("out_trade_no", 64)?.unwrap_or_default();
        let node = Node::success().put("out_trade_no", &number).put("retry_flag", "N");
        return Ok(Done::Answer(node.put("action", "close")));
    };
    if matches!(book.trade(id, now)?.state, State::Coded { .. }) {
        let number = book.trade(id, now)?.out_trade_no.clone();
        book.forget_code(id)?;
        let node = Node::success().put("out_trade_no", &number).put("retry_flag", "N");
        return Ok(Done::Answer(node.put("action", "close")));
    }
    let action = book.change(id, now, |trade| trade.cancel(now))?;
    let node = with_numbers(Node::success(), book.trade(id, now)?);
    Ok(Done::Answer(node.put("retry_flag", "N").put("action", action)))
}

fn refund(
    book: &mut Book,
    call: &Call,
    fault: Option<AnswerFault>,
    now: i64,
) -> Result<Done, Refusal> {
    let fen = call.content.fen("refund_amount")?;
    let out_request_no = call.content.text("out_request_no", 64)?;
    call.content.text("refund_reason", 256)?;
    let id = existing(book, call, now)?;
    let pending = fault == Some(AnswerFault::RefundPending);
    let done =
        book.change(id, now, |trade| trade.refund(out_request_no.as_deref(), fen, pending, now))?;
    let trade = book.trade(id, now)?;
    let refund = &trade.refunds[done.index];
    let node = with_numbers(Node::success(), trade)
        .put("buyer_logon_id", BUYER_LOGON_ID)
        .put("buyer_user_id", BUYER_ID)
        .put("fund_change", if done.fund_change { "Y" } else { "N" })
        .put("refund_fee", &yuan(trade.refunded_fen()))
        .put("send_back_fee", &yuan(if done.fund_change { refund.fen } else { 0 }));
    Ok(Done::Answer(if refund.done { node.put("gmt_refund_pay", &china(refund.at)) } else { node }))
}

/// An unknown or unfinished refund is answered without `refund_status`.
fn refund_query(book: &mut Book, call: &Call, now: i64) -> Result<Done, Refusal> {
    let out_request_no = call.content.required("out_request_no", 64)?;
    let id = existing(book, call, now)?;
    let trade = book.trade(id, now)?;
    let node = with_numbers(Node::success(), trade).put("out_request_no", &out_request_no);
    let done = |r: &&crate::trade::Refund| r.done && r.out_request_no == out_request_no;
    let Some(refund) = trade.refunds.iter().find(done) else { return Ok(Done::Answer(node)) };
    let node = node
        .put("refund_status", "REFUND_SUCCESS")
        .put("refund_amount", &yuan(refund.fen))
        .put("total_amount", &yuan(trade.total_fen));
    Ok(Done::Answer(if call.content.lists("query_options", "gmt_refund_pay") {
        node.put("gmt_refund_pay", &china(refund.at))
    } else {
        node
    }))
}

/// Only trades have bills here; a day without any has none.
fn bill_url(book: &mut Book, call: &Call, now: i64, base_url: &str) -> Result<Done, Refusal> {
    let kind = call.content.required("bill_type", 20)?;
    let date = call.content.required("bill_date", 10)?;
    let seller = &call.app.merchant.seller_id;
    let of = BillOf::day(seller, &date, now)?;
    if kind != "trade" || !bill::exists(book, &of) {
        return Err(Refusal::BILL_NOT_EXIST);
    }
    let ticket = book.give_bill(of, now);
    let digits = date.replace('-', "");
    let url = format!(
        "{base_url}/bills/{ticket}?bizType=trade&userId={seller}&fileType=csv.zip&\
         bizDates={digits}&downloadFileName={seller}_{digits}.csv.zip&fileId={ticket}"
    );
    Ok(Done::Answer(Node::success().put("bill_download_url", &url)))
}

/// The trade or code that a call names; `trade_no` wins.
fn named(book: &Book, call: &Call) -> Result<Option<u64>, Refusal> {
    let content: &Content = &call.content;
    let seller = &call.app.merchant.seller_id;
    match (content.text("trade_no", 64)?, content.text("out_trade_no", 64)?) {
        (Some(trade_no), _) => Ok(book.find_by_trade_no(seller, &trade_no)),
        (None, Some(number)) => Ok(book.find(seller, &number)),
        (None, None) => Err(Refusal::INVALID_PARAMETER),
    }
}

/// The trade that a call names. A code is none.
fn existing(book: &mut Book, call: &Call, now: i64) -> Result<u64, Refusal> {
    let id = named(book, call)?.ok_or(Refusal::TRADE_NOT_EXIST)?;
    match book.trade(id, now)?.status() {
        Some(_) => Ok(id),
        None => Err(Refusal::TRADE_NOT_EXIST),
    }
}

fn with_numbers(node: Node, trade: &Trade) -> Node {
    node.put("trade_no", &trade.trade_no).put("out_trade_no", &trade.out_trade_no)
}

fn with_money(node: Node, trade: &Trade) -> Node {
    let total = yuan(trade.total_fen);
    node.put("receipt_amount", &total)
        .put("buyer_pay_amount", &total)
        .put("point_amount", "0.00")
        .put("invoice_amount", &total)
        .put_json(
            "fund_bill_list",
            &format!(r#"[{{"amount":"{total}","fund_channel":"ALIPAYACCOUNT"}}]"#),
        )
}

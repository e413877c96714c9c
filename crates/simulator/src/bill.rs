//! The daily bill of trades: two GBK tables in a zip, fetched from an address that lives for
//! thirty seconds (specs/channels.md §1.13 and §5.1).
//!
//! Read from the book when it is fetched, so a bill always agrees with the book.

use std::io::{Cursor, Write};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::time::Timestamp;
use encoding_rs::GBK;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::Simulator;
use crate::book::Book;
use crate::notice::{BUYER_LOGON_ID, china};
use crate::refusal::Refusal;
use crate::trade::Trade;
use crate::wire::yuan;

/// How long a download address works.
pub(crate) const TICKET_MICROS: i64 = 30_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// What the channel keeps of a payment, in ten-thousandths, and gives back with a refund.
const FEE_RATE: i64 = 60;
const DETAIL_HEADER: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,\
    门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,\
    支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,\
    卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";
const SUMMARY_HEADER: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,\
    商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,\
    实收净额（元）";

/// A day of a seller, as a download address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BillOf {
    pub seller_id: String,
    /// `yyyy-MM-dd`.
    pub date: String,
    /// Midnight in China, microseconds since 1970.
    from: i64,
}

impl BillOf {
    /// The bill of a day that is over. Monthly bills are not made.
    pub fn day(seller_id: &str, date: &str, now: i64) -> Result<BillOf, Refusal> {
        let from = Timestamp::from_china_text(&format!("{date} 00:00:00"))
            .filter(|_| date.len() == 10)
            .ok_or(Refusal::BILL_NOT_EXIST)?
            .micros();
        if from + DAY_MICROS > now {
            return Err(Refusal::BILL_NOT_EXIST);
        }
        Ok(BillOf { seller_id: seller_id.to_owned(), date: date.to_owned(), from })
    }

    fn holds(&self, at: i64) -> bool {
        (self.from..self.from + DAY_MICROS).contains(&at)
    }

    fn digits(&self) -> String {
        self.date.replace('-', "")
    }
}

/// One line: a payment, or a refund of one.
struct Line<'a> {
    trade: &'a Trade,
    refund: Option<&'a str>,
    fen: i64,
    at: i64,
}

impl Line<'_> {
    /// Rounded half up.
    fn fee_fen(&self) -> i64 {
        (self.fen * FEE_RATE + 5_000) / 10_000
    }
}

fn lines<'a>(book: &'a Book, of: &BillOf) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (_, trade) in book.trades().filter(|(_, trade)| trade.seller_id == of.seller_id) {
        if let Some(at) = trade.paid_at().filter(|at| of.holds(*at)) {
            lines.push(Line { trade, refund: None, fen: trade.total_fen, at });
        }
        for refund in trade.refunds.iter().filter(|refund| refund.done && of.holds(refund.at)) {
            lines.push(Line {
                trade,
                refund: Some(&refund.out_request_no),
                fen: refund.fen,
                at: refund.at,
            });
        }
    }
    lines.sort_by_key(|line| line.at);
    lines
}

/// True if the day has anything to tell; other days have no bill.
pub(crate) fn exists(book: &Book, of: &BillOf) -> bool {
    !lines(book, of).is_empty()
}

/// Fen with the sign in front: `-0.30`.
fn signed_yuan(fen: i64) -> String {
    if fen < 0 { format!("-{}", yuan(-fen)) } else { yuan(fen) }
}

/// A text cell: it ends with a tab, and holds nothing that would end it early.
fn cell(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c == ',' || c.is_control() { ' ' } else { c }).collect();
    format!("{clean}\t")
}

fn head(of: &BillOf, title: &str, list: &str) -> String {
    let day = |at: i64| {
        let text = china(at);
        format!("{}年{}月{}日 00:00:00", &text[..4], &text[5..7], &text[8..10])
    };
    format!(
        "#{title}\r\n#账号：[{}]\r\n#起始日期：[{}]   终止日期：[{}]\r\n{}",
        of.seller_id,
        day(of.from),
        day(of.from + DAY_MICROS),
        ruled(list),
    )
}

/// A comment line that opens or ends a table.
fn ruled(words: &str) -> String {
    const DASHES: &str = "----------------------------------------";
    format!("#{DASHES}{words}{DASHES}\r\n")
}

fn detail(of: &BillOf, lines: &[Line<'_>], now: i64) -> String {
    let mut text = head(of, "支付宝业务明细查询", "业务明细列表");
    text.push_str(DETAIL_HEADER);
    text.push_str("\r\n");
    for line in lines {
        let sign = if line.refund.is_some() { -1 } else { 1 };
        let row = [
            cell(&line.trade.trade_no),
            cell(&line.trade.out_trade_no),
            cell(if line.refund.is_some() { "退款" } else { "交易" }),
            cell(&line.trade.subject),
            cell(&china(line.trade.created_at)),
            cell(&china(line.at)),
            cell(""),
            cell(""),
            cell(""),
            cell(""),
            cell(BUYER_LOGON_ID),
            signed_yuan(sign * line.fen),
            signed_yuan(sign * line.fen),
            "0.00".to_owned(),
            "0.00".to_owned(),
            "0.00".to_owned(),
            "0.00".to_owned(),
            "0.00".to_owned(),
            cell(""),
            "0.00".to_owned(),
            "0.00".to_owned(),
            cell(line.refund.unwrap_or_default()),
            signed_yuan(-sign * line.fee_fen()),
            "0.00".to_owned(),
            cell(""),
        ];
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    let totals = Totals::of(lines);
    text.push_str(&ruled("业务明细列表结束"));
    text.push_str(&format!(
        "#交易合计：{}笔，商家实收共{}元，商家优惠共0.00元\r\n\
         #退款合计：{}笔，商家实收退款共{}元，商家优惠退款共0.00元\r\n",
        totals.payments,
        yuan(totals.paid_fen),
        totals.refunds,
        signed_yuan(-totals.refunded_fen),
    ));
    text.push_str(&exported(now));
    text
}

fn summary(of: &BillOf, lines: &[Line<'_>], now: i64) -> String {
    let mut text = head(of, "支付宝业务汇总查询", "业务汇总列表");
    let totals = Totals::of(lines);
    let taken = totals.paid_fen - totals.refunded_fen;
    text.push_str(&format!(
        "{SUMMARY_HEADER}\r\n合计\t,\t,{},{},{},{},0.00,0.00,0.00,{},0.00,{}\r\n",
        totals.payments,
        totals.refunds,
        signed_yuan(taken),
        signed_yuan(taken),
        signed_yuan(-totals.fee_fen),
        signed_yuan(taken - totals.fee_fen),
    ));
    text.push_str(&ruled("业务汇总列表结束"));
    text.push_str(&exported(now));
    text
}

fn exported(now: i64) -> String {
    let text = china(now);
    let (date, time) = text.split_at(10);
    format!("#导出时间：[{}年{}月{}日{time}]\r\n", &date[..4], &date[5..7], &date[8..10])
}

#[derive(Default)]
struct Totals {
    payments: usize,
    refunds: usize,
    paid_fen: i64,
    refunded_fen: i64,
    fee_fen: i64,
}

impl Totals {
    fn of(lines: &[Line<'_>]) -> Totals {
        let mut totals = Totals::default();
        for line in lines {
            if line.refund.is_some() {
                totals.refunds += 1;
                totals.refunded_fen += line.fen;
                totals.fee_fen -= line.fee_fen();
            } else {
                totals.payments += 1;
                totals.paid_fen += line.fen;
                totals.fee_fen += line.fee_fen();
            }
        }
        totals
    }
}

fn packed(of: &BillOf, detail: &str, summary: &str) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stem = format!("{}_{}", of.seller_id, of.digits());
    for (suffix, text) in [("业务明细", detail), ("业务明细(汇总)", summary)] {
        // Names are GBK without the flag for UTF-8, as the channel writes them.
        let name = format!("{stem}_{suffix}.csv");
        let name = GBK.encode(&name).0;
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).name(&name);
        zip.start_file_with_options(options)?;
        zip.write_all(&GBK.encode(text).0)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// `GET /bills/{ticket}`: the zip, while the ticket is fresh.
pub(crate) async fn download(
    State(sim): State<Arc<Simulator>>,
    Path(ticket): Path<String>,
) -> Response {
    let now = sim.now();
    let book = sim.book();
    let Some(of) = book.bill(&ticket, now) else { return StatusCode::FORBIDDEN.into_response() };
    let lines = lines(&book, of);
    match packed(of, &detail(of, &lines, now), &summary(of, &lines, now)) {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_DISPOSITION, "attachment; filename=bill.csv.zip"),
            ];
            (headers, bytes).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

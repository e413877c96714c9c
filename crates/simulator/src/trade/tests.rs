use super::*;

fn trade() -> Trade {
    Trade {
        app_id: "app".to_owned(),
        seller_id: "seller".to_owned(),
        out_trade_no: "T1".to_owned(),
        trade_no: "1".to_owned(),
        token: "token".to_owned(),
        opened_by: OpenedBy::PagePay,
        total_fen: 100,
        subject: "tea".to_owned(),
        body: None,
        passback_params: None,
        notify_url: None,
        return_url: None,
        quit_url: None,
        created_at: 0,
        expires_at: 1_000,
        state: State::Waiting,
        refunds: Vec::new(),
        refuses_refunds: false,
        last_try: None,
    }
}

fn paid() -> Trade {
    let mut trade = trade();
    assert_eq!(trade.pay(5), Ok(vec![News::Paid]));
    trade
}

#[test]
fn paying_twice_pays_once() {
    let mut trade = paid();
    assert_eq!(trade.pay(6), Ok(Vec::new()));
    assert_eq!(trade.state, State::Paid { paid_at: 5 });
}

#[test]
fn a_closed_trade_takes_no_money() {
    let mut trade = trade();
    assert_eq!(trade.close(1), Ok(vec![News::Closed]));
    assert_eq!(trade.pay(2), Err(Refusal::TRADE_HAS_CLOSE));
    assert_eq!(trade.close(3), Err(Refusal::TRADE_STATUS_ERROR));
}

#[test]
fn a_code_is_no_trade_until_it_is_scanned() {
    let mut trade = trade();
    trade.state = State::Coded { code_expires_at: 10 };
    assert_eq!(trade.status(), None);
    assert_eq!(trade.close(1), Err(Refusal::TRADE_NOT_EXIST));
    assert_eq!(trade.scan(10), Err(Refusal::TRADE_NOT_EXIST));
    assert_eq!(trade.scan(9), Ok(()));
    assert_eq!(trade.status(), Some("WAIT_BUYER_PAY"));
}

#[test]
fn refunds_add_up_to_the_total_and_no_further() {
    let mut trade = paid();
    let (first, news) = trade.refund(Some("R1"), 60, false, 6).unwrap();
    assert!(first.fund_change);
    assert_eq!(news, vec![News::Refunded(0)]);
    assert_eq!(trade.status(), Some("TRADE_SUCCESS"));
    assert_eq!(trade.refund(Some("R2"), 41, false, 7), Err(Refusal::REFUND_FEE_ERROR));
    assert_eq!(
        trade.refund(Some("R1"), 60, false, 7),
        Ok((RefundDone { fund_change: false, index: 0 }, Vec::new()))
    );
    assert_eq!(trade.refund(Some("R1"), 61, false, 7), Err(Refusal::DISCORDANT_REPEAT_REQUEST));
    assert_eq!(trade.refund(None, 40, false, 7), Err(Refusal::REFUND_AMT_NOT_EQUAL_TOTAL));
    assert!(trade.refund(Some("R2"), 40, false, 8).unwrap().0.fund_change);
    assert_eq!(trade.state, State::Refunded { paid_at: 5, closed_at: 8 });
    assert_eq!(trade.refund(Some("R3"), 1, false, 9), Err(Refusal::REFUND_FEE_ERROR));
    assert_eq!(trade.refunded_fen(), 100);
}

#[test]
fn a_pending_refund_reserves_its_money_until_it_is_decided() {
    let mut trade = paid();
    let (first, news) = trade.refund(Some("R1"), 60, true, 6).unwrap();
    assert!(!first.fund_change && news.is_empty());
    assert_eq!(trade.refunded_fen(), 0);
    assert_eq!(trade.refund(Some("R2"), 60, false, 7), Err(Refusal::REFUND_FEE_ERROR));
    let mut failed = trade.clone();
    failed.fail_refunds();
    assert!(failed.refunds.is_empty());
    assert_eq!(failed.refund(Some("R3"), 1, false, 8), Err(Refusal::SELLER_BALANCE_NOT_ENOUGH));
    assert_eq!(trade.complete_refunds(9), vec![News::Refunded(0)]);
    assert_eq!(trade.refunded_fen(), 60);
}

#[test]
fn cancelling_closes_or_refunds_and_repeats_its_word() {
    let mut unpaid = trade();
    assert_eq!(unpaid.cancel(1), Ok(("close", vec![News::Closed])));
    assert_eq!(unpaid.cancel(2), Ok(("close", Vec::new())));
    let mut trade = paid();
    assert_eq!(trade.cancel(7), Ok(("refund", vec![News::Refunded(0)])));
    assert_eq!(trade.cancel(8), Ok(("refund", Vec::new())));
    assert_eq!(trade.refunded_fen(), 100);
    let mut old = paid();
    assert_eq!(old.cancel(CANCEL_WINDOW_MICROS + 1), Err(Refusal::CANCEL_TIME_OUT));
    let mut partly = paid();
    partly.refund(Some("R1"), 1, false, 6).unwrap();
    assert_eq!(partly.cancel(7), Err(Refusal::CANCEL_NOT_ALLOWED));
}

#[test]
fn a_finished_trade_gives_nothing_back() {
    let mut trade = paid();
    assert_eq!(trade.finish(), Ok(()));
    assert_eq!(trade.refund(Some("R1"), 1, false, 6), Err(Refusal::TRADE_HAS_FINISHED));
    assert_eq!(trade.cancel(6), Err(Refusal::TRADE_HAS_FINISHED));
}

#[test]
fn a_failed_try_leaves_the_trade_open_except_at_a_scanner() {
    let mut online = trade();
    assert_eq!(online.give_up(LastTry::Failed, 1), Ok(Vec::new()));
    assert_eq!(online.state, State::Waiting);
    let mut till = trade();
    till.opened_by = OpenedBy::ScanPay;
    assert_eq!(till.give_up(LastTry::Failed, 1), Ok(vec![News::Closed]));
}

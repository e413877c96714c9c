//! Single rules by example: repeated orders, guards of refunds, batches, races in one batch.

use super::book::*;
use crate::channel::RefundFound;
use crate::command::{
    Admin, BatchItem, Command, CreateBatch, Decided, Ending, OpenPayment, RecordPrepared, Start,
    Task, WorkItem,
};
use crate::currency::Currency;
use crate::ledger::AccountPath;
use crate::money::{Amount, Money};
use crate::operation::{OperationState, Outcome, RefusalClass};
use crate::payment::{Payment, PaymentState};
use crate::refund::{RefundBatch, RefundState};
use crate::refusal::Refusal;
use crate::text::{ChannelName, Echo, Subject, UserId};

fn again(book: &mut Book, change: impl FnOnce(&mut OpenPayment)) -> Result<Decided, Refusal> {
    let mut command = opening(book, tenant(1), "a", 100, ready());
    change(&mut command);
    book.run(Command::OpenPayment(Box::new(command)))
}

#[test]
fn the_same_order_asked_for_again_is_the_same_payment() {
    let mut book = Book::with_merchants(1);
    let first = book.opened("a", 100, ready());
    let same = |book: &mut Book, change: fn(&mut OpenPayment)| {
        assert_eq!(again(book, change), Ok(Decided::OpenedBefore(first.clone())));
    };
    same(&mut book, |_| {});
    same(&mut book, |c| c.client_ip = "198.51.100.1".into());
    let end = first.expires;
    assert_eq!(
        again(&mut book, |c| c.expires = Some(end)),
        Ok(Decided::OpenedBefore(first.clone()))
    );
    book.now = first.expires.plus_seconds(-1);
    same(&mut book, |_| {});
    assert_eq!(book.payments.len(), 1);
}

#[test]
fn another_request_under_the_same_order_number_is_refused() {
    type Change = (&'static str, fn(&mut OpenPayment));
    let changes: [Change; 7] = [
        ("amount", |c| c.money = cny(101)),
        ("currency", |c| c.money = Money::new(fen(100), Currency::from_code("USD").unwrap())),
        ("subject", |c| c.subject = Subject::parse("coffee").unwrap()),
        ("body", |c| c.body = note("black coffee")),
        ("description", |c| c.description = Some(note("gift"))),
        ("extra", |c| c.echo = Echo::from_json("{\"a\":1}")),
        ("expiry", |c| c.expires = Some(c.created.plus_seconds(60))),
    ];
    for (name, change) in changes {
        let mut book = Book::with_merchants(1);
        let first = book.opened("a", 100, ready());
        let answer = again(&mut book, change);
        assert_eq!(answer, Err(Refusal::OrderNoUsed(Box::new(first))), "{name}");
        assert_eq!(book.payments.len(), 1);
    }
}

#[test]
fn an_order_that_was_paid_reversed_or_expired_is_not_opened_again() {
    let ends: [fn(&mut Book, &Payment); 4] = [
        |book, payment| {
            let command = settle(book, payment, "t", 100);
            book.run(command).unwrap();
        },
        |book, payment| {
            let command = close(book, payment, Ending::ReverseUnpaid);
            book.run(command).unwrap();
        },
        |book, payment| book.now = payment.expires,
        |book, payment| {
            let command =
                found(book, payment, Outcome::Accepted(crate::channel::PaymentFound::Closed));
            book.run(command).unwrap();
        },
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let mut book = Book::with_merchants(1);
        let first = book.opened("a", 100, ready());
        end(&mut book, &first);
        let now = book.payment(first.tenant, first.id).clone();
        assert_eq!(again(&mut book, |_| {}), Err(Refusal::OrderNoUsed(Box::new(now))), "{index}");
        book.assert_clean();
    }
}

#[test]
fn a_payment_that_the_channel_refused_leaves_its_order_number_to_the_next_try() {
    let mut book = Book::with_merchants(1);
    let first = book.opened("a", 100, Start::Ask);
    let command = RecordPrepared {
        tenant: first.tenant,
        payment: first.id,
        token: 1,
        outcome: Outcome::Refused(trouble(RefusalClass::Business)),
        fresh: book.fresh(),
    };
    book.run(Command::RecordPrepared(command)).unwrap();
    let Ok(Decided::Opened(second)) = again(&mut book, |_| {}) else { panic!("not opened") };
    assert_ne!(first.id, second.id);
    book.assert_clean();
}

#[test]
fn the_same_order_number_on_another_channel_or_at_another_merchant_is_another_payment() {
    let mut book = Book::with_merchants(2);
    book.opened("a", 100, ready());
    let other = again(&mut book, |c| c.channel = ChannelName::parse("alipay_wap").unwrap());
    assert!(matches!(other, Ok(Decided::Opened(_))));
    let other = open(&mut book, tenant(2), "a", 100, ready());
    assert!(matches!(book.run(other), Ok(Decided::Opened(_))));
    assert_eq!(book.payments.len(), 3);
}

#[test]
fn a_number_taken_at_the_channel_or_a_disabled_app_opens_nothing() {
    let mut book = Book::with_merchants(1);
    let first = book.opened("a", 100, ready());
    let mut command = opening(&mut book, tenant(1), "b", 100, ready());
    command.number = first.number.clone();
    let answer = book.run(Command::OpenPayment(Box::new(command)));
    assert_eq!(answer, Err(Refusal::NumberTaken));
    let mut shop = book.apps.values().next().unwrap().clone();
    shop.disabled = true;
    book.admin(Admin::PutApp(shop));
    let command = open(&mut book, tenant(1), "c", 100, ready());
    assert_eq!(book.run(command), Err(Refusal::AppDisabled));
    assert_eq!(book.payments.len(), 1);
}

#[test]
fn one_trade_pays_one_payment() {
    let mut book = Book::with_merchants(1);
    let first = book.opened("a", 100, ready());
    let second = book.opened("b", 100, ready());
    let one = settle(&mut book, &first, "t", 100);
    let other = settle(&mut book, &second, "t", 100);
    // In one batch and one by one.
    let answers = book.clone().run_batch(&[one.clone(), other.clone()]);
    assert_eq!(answers[1], Err(Refusal::TradeUsed));
    book.run(one).unwrap();
    assert_eq!(book.run(other), Err(Refusal::TradeUsed));
    book.assert_clean();
}

#[test]
fn the_very_same_signed_refund_request_is_one_refund() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    let mut first = refunding(&mut book, &payment, Some(10));
    first.exact_request = Some([1; 32]);
    let mut second = refunding(&mut book, &payment, Some(10));
    second.exact_request = Some([1; 32]);
    let commands = [first, second].map(|c| Command::CreateRefund(Box::new(c)));
    let answers = book.clone().run_batch(&commands);
    let Ok(Decided::Refund(made, _)) = &answers[0] else { panic!("{answers:?}") };
    let Ok(Decided::RefundBefore(same, _)) = &answers[1] else { panic!("{answers:?}") };
    assert_eq!(made, same);
    let one_by_one: Vec<_> = commands.into_iter().map(|c| book.run(c)).collect();
    assert_eq!(one_by_one, answers);
    // Signed anew it is another wish.
    let mut third = refunding(&mut book, &payment, Some(10));
    third.exact_request = Some([2; 32]);
    let answer = book.run(Command::CreateRefund(Box::new(third)));
    assert!(matches!(answer, Ok(Decided::Refund(..))));
    assert_eq!(book.refunds.len(), 2);
    book.assert_clean();
}

#[test]
fn an_unanswered_refund_asked_for_again_is_the_same_refund() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    let mut first = refunding(&mut book, &payment, Some(10));
    first.body_hash = [7; 32];
    let Ok(Decided::Refund(made, _)) = book.run(Command::CreateRefund(Box::new(first))) else {
        panic!("not made")
    };
    let ask = |book: &mut Book, since, hash| {
        let mut command = refunding(book, &payment, Some(10));
        (command.unanswered_since, command.body_hash) = (since, hash);
        book.run(Command::CreateRefund(Box::new(command))).unwrap()
    };
    book.now = book.now.plus_seconds(20);
    let since = made.created;
    let same = ask(&mut book, Some(since), [7; 32]);
    assert!(matches!(same, Decided::RefundBefore(r, _) if r == made));
    // Another body, an answered one, and one made before the window are new wishes.
    assert!(matches!(ask(&mut book, Some(since), [8; 32]), Decided::Refund(..)));
    assert!(matches!(ask(&mut book, None, [7; 32]), Decided::Refund(..)));
    let later = book.now.plus_seconds(1);
    assert!(matches!(ask(&mut book, Some(later), [7; 32]), Decided::Refund(..)));
    assert_eq!(book.refunds.len(), 4);
    book.assert_clean();
}

#[test]
fn refunds_racing_for_one_payment_never_give_more_than_was_paid() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    book.paid("other", 1_000); // so that the merchant's balance is not what stops them
    let commands: Vec<_> = (0..32).map(|_| refund(&mut book, &payment, Some(10))).collect();
    let answers = book.run_batch(&commands);
    assert!(answers[..10].iter().all(Result::is_ok));
    assert!(answers[10..].iter().all(|a| *a == Err(Refusal::AlreadyRefunded)));
    assert_eq!(book.payment(payment.tenant, payment.id).refunding, fen(100));
    book.assert_clean();
    // Only a definite refusal frees the money again.
    let refunds: Vec<_> = book.refunds.values().cloned().collect();
    for word in [RefusalClass::Connection, RefusalClass::Busy] {
        let command = refund_said(&mut book, &refunds[0], Some(1), Outcome::Unknown(trouble(word)));
        book.run(command).unwrap();
        let command = refund(&mut book, &payment, Some(10));
        assert_eq!(book.run(command), Err(Refusal::AlreadyRefunded));
    }
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    let command = refund_said(&mut book, &refunds[0], Some(1), refused);
    book.run(command).unwrap();
    let command = refund(&mut book, &payment, Some(11));
    assert_eq!(book.run(command), Err(Refusal::OverRefundable { left: fen(10) }));
    let command = refund(&mut book, &payment, Some(10));
    assert!(book.run(command).is_ok());
    book.assert_clean();
}

#[test]
fn a_refund_needs_a_paid_payment_an_amount_and_the_merchants_money() {
    let mut book = Book::with_merchants(1);
    let payment = book.opened("a", 100, ready());
    let command = refund(&mut book, &payment, None);
    assert_eq!(book.run(command), Err(Refusal::NotPaid));
    let payment = book.paid("b", 100);
    let command = refund(&mut book, &payment, Some(0));
    assert_eq!(book.run(command), Err(Refusal::OverRefundable { left: fen(100) }));
    let command = refund(&mut book, &payment, Some(101));
    assert_eq!(book.run(command), Err(Refusal::OverRefundable { left: fen(100) }));
    book.fund(tenant(1), AccountPath::merchant_available(Currency::CNY), 99);
    let command = refund(&mut book, &payment, None);
    assert_eq!(book.run(command), Err(Refusal::InsufficientBalance));
    let (_, payment) = book.refunded(&payment, Some(99));
    assert_eq!(payment.refundable(), fen(1));
    book.assert_clean();
}

#[test]
fn an_unknown_refund_is_asked_after_to_the_end_of_its_schedule_and_then_left_to_people() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    let (refund, payment) = book.refunded(&payment, None);
    let item = WorkItem::Refund(refund.tenant, refund.id, payment.id);
    let mut queries = 0;
    loop {
        let now = book.refund(refund.tenant, refund.id).clone();
        let operation = now.operation.clone().unwrap();
        let Some(due) = operation.next_at else {
            assert_eq!(operation.state, OperationState::Review);
            assert_eq!(now.state, RefundState::Pending, "nobody called it failed");
            break;
        };
        assert!(book.claimed(vec![item]).is_empty(), "not before it is due");
        book.now = due;
        let tasks = book.claimed(vec![item]);
        assert!(matches!(&tasks[..], [Task::QueryRefund(..)]), "asked, not sent again: {tasks:?}");
        queries += 1;
        let token = book.refund(refund.tenant, refund.id).operation.as_ref().unwrap().token;
        let unknown = Outcome::Unknown(trouble(RefusalClass::Connection));
        let command = refund_said(&mut book, &refund, Some(token), unknown);
        book.run(command).unwrap();
    }
    assert!(queries > crate::retry::REFUND_QUERY_SECONDS.len());
    // The last query falls on the seventh day.
    assert!(book.now.micros_since(refund.created) > 6 * 86_400_000_000);
    // A notice still ends it.
    let done = Outcome::Accepted(RefundFound::Done { trade_no: None, at: None });
    let command = refund_said(&mut book, &refund, None, done);
    book.run(command).unwrap();
    assert!(book.refund(refund.tenant, refund.id).state.is_final());
    book.assert_clean();
}

#[test]
fn a_refund_that_the_channel_does_not_know_is_sent_again_under_its_number_a_few_times_only() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    let (refund, payment) = book.refunded(&payment, None);
    let item = WorkItem::Refund(refund.tenant, refund.id, payment.id);
    let mut sent = 1;
    for _ in 0..12 {
        let token = book.refund(refund.tenant, refund.id).operation.as_ref().unwrap().token;
        let nothing = Outcome::Accepted(RefundFound::Nothing);
        let command = refund_said(&mut book, &refund, Some(token), nothing);
        book.run(command).unwrap();
        let operation = book.refund(refund.tenant, refund.id).operation.clone().unwrap();
        book.now = book.now.max(operation.next_at.unwrap());
        if let [Task::SendRefund(again, _)] = &book.claimed(vec![item])[..] {
            assert_eq!((&again.number, again.money), (&refund.number, refund.money));
            sent += 1;
        }
    }
    assert_eq!(sent, 5);
}

fn items(book: &mut Book, payments: &[(&Payment, Option<i64>)]) -> Vec<BatchItem> {
    let mut items = Vec::new();
    for (payment, amount) in payments {
        let one = refunding(book, payment, *amount);
        items.push(BatchItem {
            payment: payment.id,
            public_id: one.public_id,
            number: one.number,
            amount: one.amount,
            description: one.description,
            echo: one.echo,
        });
    }
    items
}

fn batch(book: &mut Book, number: &str, payments: &[(&Payment, Option<i64>)]) -> Command {
    let items = items(book, payments);
    Command::CreateBatch(Box::new(CreateBatch {
        tenant: tenant(1),
        app: app(),
        public_id: public(&format!("batch_{number}")),
        batch_no: number.into(),
        description: note("recall"),
        echo: Echo::from_json("{}"),
        items,
        request: None,
        fresh: book.fresh(),
    }))
}

fn the_batch(book: &Book) -> &RefundBatch {
    assert_eq!(book.batches.len(), 1);
    book.batches.values().next().unwrap()
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let mut book = Book::with_merchants(1);
    let (a, b) = (book.paid("a", 100), book.paid("b", 50));
    let unpaid = book.opened("c", 10, ready());
    let accounts = book.accounts.clone();
    let spoiled = batch(&mut book, "1", &[(&a, None), (&b, Some(51))]);
    let why = Box::new(Refusal::OverRefundable { left: fen(50) });
    assert_eq!(book.run(spoiled), Err(Refusal::BatchItem { index: 1, why }));
    let spoiled = batch(&mut book, "1", &[(&a, None), (&b, None), (&unpaid, None)]);
    let why = Box::new(Refusal::NotPaid);
    assert_eq!(book.run(spoiled), Err(Refusal::BatchItem { index: 2, why }));
    assert_eq!((book.refunds.len(), book.holds.len(), book.batches.len()), (0, 0, 0));
    assert_eq!(book.accounts, accounts);
    let good = batch(&mut book, "1", &[(&a, None), (&b, Some(20))]);
    assert!(matches!(book.run(good), Ok(Decided::Batch(_, refunds)) if refunds.len() == 2));
    let again = batch(&mut book, "1", &[(&b, Some(1))]);
    assert_eq!(book.run(again), Err(Refusal::BatchNoUsed));
    book.assert_clean();
}

#[test]
fn a_batch_is_told_once_when_its_last_refund_is_final() {
    let mut book = Book::with_merchants(1);
    let (a, b) = (book.paid("a", 100), book.paid("b", 50));
    let command = batch(&mut book, "1", &[(&a, None), (&b, None)]);
    let Ok(Decided::Batch(_, refunds)) = book.run(command) else { panic!("not made") };
    let told =
        |book: &Book| book.events.iter().filter(|e| &*e.event_type == "batch.finished").count();
    for refund in &refunds {
        let item = WorkItem::Refund(refund.tenant, refund.id, refund.payment);
        assert!(matches!(&book.claimed(vec![item])[..], [Task::SendRefund(..)]));
    }
    let done = Outcome::Accepted(RefundFound::Done { trade_no: None, at: None });
    let command = refund_said(&mut book, &refunds[1], Some(1), done);
    book.run(command.clone()).unwrap();
    book.run(command).unwrap();
    let now = the_batch(&book);
    assert_eq!((now.succeeded, now.failed, now.finished), (1, 0, None));
    assert_eq!(told(&book), 0);
    let token = book.refund(refunds[0].tenant, refunds[0].id).operation.as_ref().unwrap().token;
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    let command = refund_said(&mut book, &refunds[0], Some(token), refused);
    book.run(command.clone()).unwrap();
    book.run(command).unwrap();
    let now = the_batch(&book);
    assert_eq!((now.succeeded, now.failed, now.finished), (1, 1, Some(book.now)));
    assert_eq!(told(&book), 1);
    assert_eq!(book.payment(a.tenant, a.id).refundable(), fen(100));
    book.assert_clean();
}

#[test]
fn wallet_payments_and_their_refunds_are_done_at_once_even_in_a_batch() {
    let mut book = Book::with_merchants(1);
    let user = UserId::parse("u1").unwrap();
    let id = crate::id::Id::from_raw(42);
    let put = |disabled| Admin::PutMember {
        tenant: tenant(1),
        app: app(),
        user: user.clone(),
        id,
        disabled,
    };
    let wallet = AccountPath::member_available(id, Currency::CNY);
    let command = open(&mut book, tenant(1), "a", 100, Start::Wallet(user.clone()));
    assert_eq!(book.run(command), Err(Refusal::MemberUnknown));
    book.admin(put(false));
    book.fund(tenant(1), wallet, 150);
    let payment = book.opened("a", 100, Start::Wallet(user.clone()));
    assert!(matches!(payment.state, PaymentState::Paid(_)));
    assert_eq!(book.balance(tenant(1), wallet), 50);
    let command = open(&mut book, tenant(1), "b", 51, Start::Wallet(user.clone()));
    assert_eq!(book.run(command), Err(Refusal::InsufficientBalance));
    let second = book.opened("c", 50, Start::Wallet(user.clone()));
    let (refund, payment) = book.refunded(&payment, Some(30));
    assert!(matches!(refund.state, RefundState::Succeeded { .. }));
    assert_eq!(payment.refunded, fen(30));
    let command = batch(&mut book, "1", &[(&payment, None), (&second, Some(1))]);
    book.run(command).unwrap();
    let now = the_batch(&book);
    assert_eq!((now.succeeded, now.finished), (2, Some(book.now)));
    assert_eq!(book.balance(tenant(1), wallet), 101);
    book.admin(put(true));
    let command = open(&mut book, tenant(1), "d", 1, Start::Wallet(user.clone()));
    assert_eq!(book.run(command), Err(Refusal::MemberUnknown));
    book.assert_clean();
}

#[test]
fn a_fee_is_kept_from_the_merchant_and_stays_when_the_payer_gets_all_back() {
    let mut book = Book::with_merchants(1);
    let mut command = opening(&mut book, tenant(1), "a", 1_000, ready());
    command.fee = fen(6);
    let Ok(Decided::Opened(payment)) = book.run(Command::OpenPayment(Box::new(command))) else {
        panic!("not opened")
    };
    let command = settle(&mut book, &payment, "t", 1_000);
    book.run(command).unwrap();
    let merchant = AccountPath::merchant_available(Currency::CNY);
    assert_eq!(book.balance(tenant(1), merchant), 994);
    let command = refund(&mut book, &payment, None);
    assert_eq!(book.run(command), Err(Refusal::InsufficientBalance));
    book.paid("b", 6);
    book.refunded(&payment, None);
    assert_eq!(book.payment(payment.tenant, payment.id).refundable(), Amount::ZERO);
    book.assert_clean();
}

#[test]
fn a_reverse_of_paid_money_needs_its_window_and_no_refund() {
    let mut book = Book::with_merchants(1);
    let payment = book.paid("a", 100);
    let window = Ending::ReverseAny { window_seconds: 60 };
    let unpaid_only = close(&mut book, &payment, Ending::ReverseUnpaid);
    assert_eq!(book.run(unpaid_only), Err(Refusal::NotReversible));
    let mut later = book.clone();
    later.now = later.now.plus_seconds(61);
    let command = close(&mut later, &payment, window);
    assert_eq!(later.run(command), Err(Refusal::NotReversible));
    let mut refunded = book.clone();
    refunded.refunded(&payment, Some(1));
    let command = close(&mut refunded, &payment, window);
    assert_eq!(refunded.run(command), Err(Refusal::NotReversible));
    book.now = book.now.plus_seconds(60);
    let command = close(&mut book, &payment, window);
    book.run(command).unwrap();
    let now = book.payment(payment.tenant, payment.id).clone();
    assert!(matches!(now.state, PaymentState::Reversing(_)));
    let command = refund(&mut book, &now, None);
    assert_eq!(book.run(command), Err(Refusal::PaymentClosed));
    book.assert_clean();
}

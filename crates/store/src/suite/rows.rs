//! Rows: they come back as they were written, and look-ups bring what they name.

use domain::event::{Actor, Attempt, AuditRow, UnmatchedNotice};
use domain::event::{CourierAnswer, CourierFailure, DeliveryAttempt, DeliveryState};
use domain::id::Id;
use domain::ledger::{Cause, ChainHead};
use domain::operation::{OperationKind, OperationState};
use domain::payment::{CloseReason, Credential, Payment, PaymentState};
use domain::refund::{Refund, RefundOrigin, RefundState};
use domain::state::{Hold, HoldState, Key};
use domain::tenant::{App, IdScheme, Merchant, Route};

use super::sample::*;
use super::{Opened, on_both};
use crate::BookRow;

on_both! {
    every_kind_of_setup_comes_back_as_it_was_written_and_as_it_was_changed,
    a_payment_comes_back_in_each_of_its_states,
    a_refund_comes_back_in_each_of_its_states,
    money_and_messages_come_back_as_they_were_written,
    logs_can_be_written_again_and_again,
    what_is_not_there_is_known_as_absent,
    look_ups_bring_the_rows_that_they_name,
    lists_of_refunds_are_in_the_order_in_which_they_were_made,
    a_row_that_is_known_is_not_read_again,
    several_changes_in_one_batch_are_one_write,
    a_batch_that_only_looked_changes_nothing,
}

fn every_kind_of_setup_comes_back_as_it_was_written_and_as_it_was_changed(mut o: Opened) {
    let app_key = (TENANT.merchant, app_id("app"));
    let member_key = (TENANT, app_id("app"), user("u1"));
    let keys = [
        Key::Merchant(TENANT.merchant),
        Key::App(TENANT.merchant, app_id("app")),
        Key::ApiKey([3; 32]),
        Key::MerchantKey(TENANT, "f1".into()),
        Key::Route(TENANT, ROUTE),
        Key::Endpoint(TENANT, ENDPOINT),
        Key::Member(TENANT, app_id("app"), user("u1")),
    ];
    o.write(|s| {
        s.put_setup();
        s.api_keys.put([3; 32], api_key(3));
        s.merchant_keys.put((TENANT, "f1".into()), merchant_key("f1"));
        s.members.put(member_key.clone(), member(21, "u1"));
    });
    let s = o.load(&keys);
    assert_eq!(s.merchants.peek(&TENANT.merchant), Some(&merchant(1)));
    assert_eq!(s.apps.peek(&app_key), Some(&app("app")));
    assert_eq!(s.api_keys.peek(&[3; 32]), Some(&api_key(3)));
    assert_eq!(s.merchant_keys.peek(&(TENANT, "f1".into())), Some(&merchant_key("f1")));
    assert_eq!(s.routes.peek(&(TENANT, ROUTE)), Some(&route(TENANT, ROUTE)));
    assert_eq!(s.endpoints.peek(&(TENANT, ENDPOINT)), Some(&endpoint(ENDPOINT, "app")));
    assert_eq!(s.members.peek(&member_key), Some(&member(21, "u1")));
    o.end();

    let changed_merchant = Merchant { name: "other".into(), disabled: true, ..merchant(1) };
    let changed_app =
        App { channels: Vec::new(), id_scheme: IdScheme::Digits, disabled: true, ..app("app") };
    let changed_route =
        Route { version: 2, settings: "sealed anew".into(), ..route(TENANT, ROUTE) };
    let mut changed_key = api_key(3);
    changed_key.revoked = Some(at(9));
    let mut changed_merchant_key = merchant_key("f1");
    changed_merchant_key.revoked = Some(at(9));
    let mut changed_endpoint = endpoint(ENDPOINT, "app");
    changed_endpoint.events.clear();
    let mut changed_member = member(21, "u1");
    changed_member.disabled = true;
    o.batch(&keys, |s| {
        s.merchants.put(TENANT.merchant, changed_merchant.clone());
        s.apps.put(app_key.clone(), changed_app.clone());
        s.api_keys.put([3; 32], changed_key.clone());
        s.merchant_keys.put((TENANT, "f1".into()), changed_merchant_key.clone());
        s.routes.put((TENANT, ROUTE), changed_route.clone());
        s.endpoints.put((TENANT, ENDPOINT), changed_endpoint.clone());
        s.members.put(member_key.clone(), changed_member.clone());
    })
    .unwrap();
    let s = o.load(&keys);
    assert_eq!(s.merchants.peek(&TENANT.merchant), Some(&changed_merchant));
    assert_eq!(s.apps.peek(&app_key), Some(&changed_app));
    assert_eq!(s.api_keys.peek(&[3; 32]), Some(&changed_key));
    assert_eq!(s.merchant_keys.peek(&(TENANT, "f1".into())), Some(&changed_merchant_key));
    assert_eq!(s.routes.peek(&(TENANT, ROUTE)), Some(&changed_route));
    assert_eq!(s.endpoints.peek(&(TENANT, ENDPOINT)), Some(&changed_endpoint));
    assert_eq!(s.members.peek(&member_key), Some(&changed_member));
}

fn states_of_payment() -> Vec<PaymentState> {
    let why = CloseReason::Reversed;
    let pending = |credential| PaymentState::Pending { credential };
    vec![
        PaymentState::Created,
        pending(Credential::Nothing),
        pending(Credential::Page("https://pay.example/?a=1".into())),
        pending(Credential::OrderString("a=1&sign=x".into())),
        pending(Credential::Qr("https://qr.example/1".into())),
        pending(Credential::Trade("2026".into())),
        PaymentState::Closing { why: CloseReason::Expired },
        PaymentState::Closing { why },
        PaymentState::Paid(receipt("t1")),
        PaymentState::Reversing(receipt("t1")),
        PaymentState::Closed { why: CloseReason::Expired, at: at(70) },
        PaymentState::Closed { why, at: at(70) },
        PaymentState::Reversed { receipt: receipt("t1"), at: at(70) },
        PaymentState::Failed { code: "ACQ.X".into(), message: "不行".into(), at: at(70) },
    ]
}

/// Payments that differ in what is optional: one for each state.
fn payments_in_all_states() -> Vec<Payment> {
    let states = states_of_payment().into_iter().zip(101..);
    let mut payments: Vec<_> = states.map(|(s, id)| Payment { state: s, ..payment(id) }).collect();
    for (payment, kind) in payments.iter_mut().zip([
        OperationKind::Prepare,
        OperationKind::Close,
        OperationKind::Reverse,
        OperationKind::Refund,
    ]) {
        payment.operation = Some(operation(kind));
        payment.next_at = Some(at(30));
        payment.queries = 3;
        payment.description = None;
        payment.request = None;
    }
    payments[8].payer = Some(Id::from_raw(21));
    payments[8].refunded = fen(400);
    payments[8].refunding = fen(600);
    payments[8].refunds = 2;
    payments
}

fn a_payment_comes_back_in_each_of_its_states(mut o: Opened) {
    let mut payments = payments_in_all_states();
    let keys: Vec<_> = payments.iter().map(|p| Key::Payment(p.tenant, p.id)).collect();
    o.write(|s| payments.iter().for_each(|p| s.put_payment(p)));
    let s = o.load(&keys);
    for p in &payments {
        assert_eq!(s.peek_payment(p.tenant, p.id), Some(p));
    }
    o.end();
    // Every payment takes over the state, the operation and the sums of the next one.
    let was = payments.clone();
    for (index, payment) in payments.iter_mut().enumerate() {
        let next = &was[(index + 1) % was.len()];
        payment.state = next.state.clone();
        payment.operation = next.operation.clone();
        payment.next_at = next.next_at;
        payment.queries = next.queries;
        payment.refunded = next.refunded;
        payment.refunding = next.refunding;
        payment.refunds = next.refunds;
        payment.version += 1;
    }
    o.batch(&keys, |s| payments.iter().for_each(|p| s.put_payment(p))).unwrap();
    let s = o.load(&keys);
    for p in &payments {
        assert_eq!(s.peek_payment(p.tenant, p.id), Some(p));
    }
}

fn refunds_in_all_states() -> Vec<Refund> {
    let of = Id::from_raw(101);
    let mut refunds: Vec<_> = (201..210).map(|id| refund(id, of)).collect();
    refunds[1].origin = RefundOrigin::Batch(Id::from_raw(301));
    refunds[2].origin = RefundOrigin::Reversal;
    refunds[2].operation = None;
    refunds[3].origin = RefundOrigin::Late;
    refunds[4].origin = RefundOrigin::Import;
    refunds[4].state = RefundState::Succeeded { at: at(80), trade_no: Some(trade_no("t9")) };
    refunds[5].state = RefundState::Succeeded { at: at(80), trade_no: None };
    let (code, message) = ("ACQ.NO".into(), "余额不足".into());
    refunds[6].state = RefundState::Failed { at: at(80), code, message };
    refunds[7].exact_request = None;
    refunds[7].request = None;
    refunds[8].operation.as_mut().unwrap().state = OperationState::Review;
    refunds[8].operation.as_mut().unwrap().next_at = None;
    refunds
}

fn a_refund_comes_back_in_each_of_its_states(mut o: Opened) {
    let mut refunds = refunds_in_all_states();
    let keys: Vec<_> = refunds.iter().map(|r| Key::Refund(r.tenant, r.id)).collect();
    o.write(|s| {
        s.put_payment(&paid(101));
        s.put_batch(&batch(301));
        refunds.iter().for_each(|r| s.put_refund(r));
    });
    let s = o.load(&keys);
    for r in &refunds {
        assert_eq!(s.refunds.peek(&(r.tenant, r.id)), Some(r));
    }
    o.end();
    let was = refunds.clone();
    for (index, refund) in refunds.iter_mut().enumerate() {
        let next = &was[(index + 1) % was.len()];
        refund.state = next.state.clone();
        refund.operation = next.operation.clone();
        refund.version += 1;
    }
    o.batch(&keys, |s| refunds.iter().for_each(|r| s.put_refund(r))).unwrap();
    let s = o.load(&keys);
    for r in &refunds {
        assert_eq!(s.refunds.peek(&(r.tenant, r.id)), Some(r));
    }
}

fn money_and_messages_come_back_as_they_were_written(mut o: Opened) {
    let start = ChainHead::start(TENANT);
    let first = journal(&start, Cause::PaymentSettled(Id::from_raw(101)));
    let second = journal(&first.head(), Cause::Opening(Id::from_raw(102)));
    let holds = [HoldState::Open, HoldState::Captured, HoldState::Released];
    let holds: Vec<_> =
        holds.into_iter().zip(201..).map(|(s, id)| Hold { state: s, ..hold(id) }).collect();
    let mut deliveries: Vec<_> =
        (501..504).map(|id| delivery(id, 401, (id < 503).then_some(5))).collect();
    deliveries[1].state = DeliveryState::Sending;
    deliveries[2].state = DeliveryState::Dead;
    let mut unmatched_receipt = receipt_row("t2", Id::from_raw(101));
    unmatched_receipt.late = true;
    let notice = UnmatchedNotice {
        tenant: TENANT,
        number: number("n1"),
        notice_id: "notice-1".into(),
        at: at(3),
    };
    let tries: Vec<_> = [
        CourierAnswer::Answered { status: 500, excerpt: "oh".into() },
        CourierAnswer::Failed(CourierFailure::Unreachable),
        CourierAnswer::Failed(CourierFailure::AddressNotAllowed),
        CourierAnswer::Answered { status: 200, excerpt: "".into() },
    ]
    .into_iter()
    .zip(1..)
    .map(|(answer, n)| DeliveryAttempt {
        tenant: TENANT,
        delivery: deliveries[0].id,
        number: n,
        at: at(i64::from(n)),
        answer,
    })
    .collect();
    o.write(|s| {
        s.put_payment(&paid(101));
        s.receipts.put((TENANT, ROUTE, trade_no("t2")), unmatched_receipt.clone());
        s.put_batch(&batch(301));
        holds.iter().for_each(|h| s.holds.put((TENANT, h.refund), h.clone()));
        s.accounts.put(available(TENANT), account(TENANT));
        s.chains.put(TENANT, second.head());
        s.journals.extend([first.clone(), second.clone()]);
        s.events.push(event(401, "charge.succeeded"));
        deliveries.iter().for_each(|d| s.put_delivery(d));
        s.delivery_attempts.extend(tries.iter().cloned());
        s.unmatched.put((TENANT, "notice-1".into()), notice.clone());
    });
    let keys: Vec<_> = [
        Key::Receipt(TENANT, ROUTE, trade_no("t2")),
        Key::BatchById(TENANT, Id::from_raw(301)),
        Key::Account(TENANT, available(TENANT).path),
        Key::Chain(TENANT),
        Key::Unmatched(TENANT, "notice-1".into()),
    ]
    .into_iter()
    .chain(holds.iter().map(|h| Key::Hold(TENANT, h.refund)))
    .chain(deliveries.iter().map(|d| Key::Delivery(TENANT, d.id)))
    .collect();
    let s = o.load(&keys);
    assert_eq!(s.receipts.rows().next(), Some(&unmatched_receipt));
    assert_eq!(s.batches.rows().next(), Some(&batch(301)));
    assert_eq!(s.accounts.rows().next(), Some(&account(TENANT)));
    assert_eq!(s.chains.rows().next(), Some(&second.head()));
    assert_eq!(s.unmatched.rows().next(), Some(&notice));
    for h in &holds {
        assert_eq!(s.holds.peek(&(TENANT, h.refund)), Some(h));
    }
    for d in &deliveries {
        assert_eq!(s.deliveries.peek(&(TENANT, d.id)), Some(d));
    }
    o.end();
    let mut journals = Vec::new();
    o.queries
        .walk_books_of_all(&mut |row| {
            if let BookRow::Journal(journal) = row {
                journals.push(journal);
            }
            true
        })
        .unwrap();
    assert_eq!(journals, [first, second]);
    let told = o.queries.event_by_id(TENANT, Id::from_raw(401)).unwrap();
    assert_eq!(told, Some(event(401, "charge.succeeded")));
    assert_eq!(o.queries.event(TENANT, &public("evt_401")).unwrap(), told);
    let listed = o.queries.deliveries(TENANT, Id::from_raw(401)).unwrap();
    let with_tries: Vec<_> = deliveries.into_iter().zip([tries, Vec::new(), Vec::new()]).collect();
    assert_eq!(listed, with_tries);
    assert_eq!(o.queries.accounts(TENANT).unwrap(), [account(TENANT)]);
    assert_eq!(o.queries.accounts(LIVE).unwrap(), []);
}

fn logs_can_be_written_again_and_again(mut o: Opened) {
    let about = domain::event::About::Refund(Id::from_raw(201));
    for _ in 0..2 {
        o.write(|s| {
            let (tenant, object, action) = (TENANT, 101, "payment.settled");
            s.audit.push(AuditRow { tenant, at: at(1), actor: Actor::Timer, action, object });
            let (token, step, code) = (1, "sent", None);
            s.attempts.push(Attempt { tenant, about, at: at(1), token, step, code });
        });
    }
}

fn every_key() -> Vec<Key> {
    let (app, payment) = (app_id("app"), Id::from_raw(101));
    vec![
        Key::Merchant(TENANT.merchant),
        Key::App(TENANT.merchant, app.clone()),
        Key::ApiKey([3; 32]),
        Key::MerchantKey(TENANT, "f1".into()),
        Key::Route(TENANT, ROUTE),
        Key::Endpoint(TENANT, ENDPOINT),
        Key::Endpoints(TENANT, app.clone()),
        Key::Member(TENANT, app.clone(), user("u1")),
        Key::Payment(TENANT, payment),
        Key::Order(TENANT, app.clone(), channel("alipay_wap"), order_no("order101")),
        Key::Number(TENANT, ROUTE, number("number101")),
        Key::PublicPayment(TENANT, public("ch_101")),
        Key::Receipt(TENANT, ROUTE, trade_no("t1")),
        Key::Refund(TENANT, Id::from_raw(201)),
        Key::RefundsOf(TENANT, payment),
        Key::Batch(TENANT, app, "no301".into()),
        Key::BatchById(TENANT, Id::from_raw(301)),
        Key::RefundsOfBatch(TENANT, Id::from_raw(301)),
        Key::Hold(TENANT, Id::from_raw(201)),
        Key::Account(TENANT, available(TENANT).path),
        Key::Chain(TENANT),
        Key::Delivery(TENANT, Id::from_raw(501)),
        Key::Unmatched(TENANT, "notice-1".into()),
    ]
}

fn what_is_not_there_is_known_as_absent(mut o: Opened) {
    let s = o.load(&every_key());
    for key in every_key() {
        assert!(s.knows(&key), "{key:?}");
    }
    assert_eq!(s.payments.get(&(TENANT, Id::from_raw(101))), Ok(None));
    assert_eq!(s.public_payments.get(&(TENANT, public("ch_101"))), Ok(None));
    assert_eq!(s.numbers.get(&(TENANT, ROUTE, number("number101"))), Ok(None));
    assert_eq!(s.batch_numbers.get(&(TENANT, app_id("app"), "no301".into())), Ok(None));
    assert_eq!(s.refunds_of.get(&(TENANT, Id::from_raw(101))), Ok(Some(&Vec::new())));
    assert_eq!(s.endpoints_of.get(&(TENANT, app_id("app"))), Ok(Some(&Vec::new())));
    assert_eq!(s.chains.get(&TENANT), Ok(None));
    // Nobody asked for this one.
    assert!(s.payments.get(&(TENANT, Id::from_raw(102))).is_err());
}

fn look_ups_bring_the_rows_that_they_name(mut o: Opened) {
    let other = endpoint(Id::from_raw(12), "app");
    let foreign = endpoint(Id::from_raw(13), "other");
    o.write(|s| {
        s.put_setup();
        s.endpoints.put((TENANT, other.id), other.clone());
        s.endpoints.put((TENANT, foreign.id), foreign.clone());
        s.put_payment(&payment(101));
        s.put_batch(&batch(301));
    });
    let id: domain::payment::PaymentId = Id::from_raw(101);
    let order = (TENANT, app_id("app"), channel("alipay_wap"), order_no("order101"));
    let by_order = Key::Order(TENANT, order.1.clone(), order.2.clone(), order.3.clone());
    let s = o.load(&[by_order]);
    assert_eq!(s.orders.get(&order), Ok(Some(&id)));
    assert_eq!(s.peek_payment(TENANT, id), Some(&payment(101)));
    o.end();
    let s = o.load(&[Key::Number(TENANT, ROUTE, number("number101"))]);
    assert_eq!(s.numbers.get(&(TENANT, ROUTE, number("number101"))), Ok(Some(&id)));
    assert_eq!(s.peek_payment(TENANT, id), Some(&payment(101)));
    o.end();
    let s = o.load(&[Key::PublicPayment(TENANT, public("ch_101"))]);
    assert_eq!(s.public_payments.get(&(TENANT, public("ch_101"))), Ok(Some(&id)));
    assert_eq!(s.peek_payment(TENANT, id), Some(&payment(101)));
    o.end();
    let s = o.load(&[Key::Batch(TENANT, app_id("app"), "no301".into())]);
    let batch_key = (TENANT, app_id("app"), "no301".into());
    assert_eq!(s.batch_numbers.get(&batch_key), Ok(Some(&Id::from_raw(301))));
    assert_eq!(s.batches.peek(&(TENANT, Id::from_raw(301))), Some(&batch(301)));
    o.end();
    let s = o.load(&[Key::Endpoints(TENANT, app_id("app"))]);
    let ids = vec![ENDPOINT, other.id];
    assert_eq!(s.endpoints_of.get(&(TENANT, app_id("app"))), Ok(Some(&ids)));
    assert_eq!(s.endpoints.peek(&(TENANT, other.id)), Some(&other));
    assert!(!s.endpoints.knows(&(TENANT, foreign.id)));
}

fn lists_of_refunds_are_in_the_order_in_which_they_were_made(mut o: Opened) {
    let (of, in_batch) = (Id::from_raw(101), RefundOrigin::Batch(Id::from_raw(301)));
    let mut refunds: Vec<_> = (201..206).map(|id| refund(id, of)).collect();
    refunds[0].created = at(900); // made last, though its number is the smallest
    refunds[3].origin = in_batch;
    refunds[1].origin = in_batch;
    refunds[4].payment = Id::from_raw(102);
    o.write(|s| {
        s.put_payment(&paid(101));
        s.put_payment(&paid(102));
        s.put_batch(&batch(301));
        refunds.iter().for_each(|r| s.put_refund(r));
    });
    let s = o.load(&[Key::RefundsOf(TENANT, of), Key::RefundsOfBatch(TENANT, Id::from_raw(301))]);
    let ids = |list: &[usize]| list.iter().map(|i| refunds[*i].id).collect::<Vec<_>>();
    assert_eq!(s.refunds_of.get(&(TENANT, of)), Ok(Some(&ids(&[1, 2, 3, 0]))));
    let of_batch = s.refunds_of_batch.get(&(TENANT, Id::from_raw(301)));
    assert_eq!(of_batch, Ok(Some(&ids(&[1, 3]))));
    assert_eq!(s.refunds.peek(&(TENANT, refunds[3].id)), Some(&refunds[3]));
}

fn a_row_that_is_known_is_not_read_again(mut o: Opened) {
    o.write(|s| s.put_payment(&payment(101)));
    let key = [Key::Payment(TENANT, Id::from_raw(101))];
    let mut state = o.load(&key);
    let changed = Payment { queries: 9, version: 2, ..payment(101) };
    state.put_payment(&changed);
    let by_id = Key::PublicPayment(TENANT, public("ch_101"));
    o.store.load(&[key[0].clone(), by_id], &mut state).unwrap();
    assert_eq!(state.peek_payment(TENANT, Id::from_raw(101)), Some(&changed));
}

fn several_changes_in_one_batch_are_one_write(mut o: Opened) {
    o.write(|s| {
        s.put_payment(&payment(101));
        s.put_payment(&Payment { version: 2, queries: 1, ..payment(101) });
    });
    let key = [Key::Payment(TENANT, Id::from_raw(101))];
    let last = Payment { version: 5, queries: 4, ..payment(101) };
    o.batch(&key, |s| {
        s.put_payment(&Payment { version: 3, queries: 2, ..payment(101) });
        s.put_payment(&last);
    })
    .unwrap();
    assert_eq!(o.load(&key).peek_payment(TENANT, last.id), Some(&last));
}

fn a_batch_that_only_looked_changes_nothing(mut o: Opened) {
    let key = [Key::Payment(TENANT, Id::from_raw(101))];
    let state = o.load(&key);
    o.store.save(&state).unwrap();
    o.write(|s| s.put_payment(&payment(101)));
    assert_eq!(o.load(&key).peek_payment(TENANT, Id::from_raw(101)), Some(&payment(101)));
}

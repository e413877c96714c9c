//! Races: what is taken or newer in the store refuses the whole batch, and nothing of it remains.

use domain::currency::Currency;
use domain::event::{Delivery, UnmatchedNotice};
use domain::id::Id;
use domain::ledger::{Account, AccountKey, AccountKind, AccountPath, Cause, ChainHead};
use domain::payment::{Payment, PaymentState};
use domain::refund::{Refund, RefundBatch};
use domain::state::{Hold, Key, State};

use super::sample::*;
use super::{Opened, Saved, on_both};
use crate::StoreError;

/// A change of a working set.
type Change = Box<dyn Fn(&mut State)>;
/// A kind of row, and a write of it that comes too late.
type Stale = (&'static str, fn(&mut State));

on_both! {
    a_failed_payment_leaves_its_order_number_to_another,
    two_universes_and_two_apps_may_use_the_same_texts,
    what_is_taken_loses_the_race_and_leaves_nothing_behind,
    a_stale_version_loses_the_race_and_leaves_nothing_behind,
}

fn failed(id: i64) -> Payment {
    let (code, message) = ("no".into(), "no".into());
    let state = PaymentState::Failed { code, message, at: at(1) };
    Payment { state, version: 2, ..payment(id) }
}

fn a_failed_payment_leaves_its_order_number_to_another(mut o: Opened) {
    let order = payment(101).order_no;
    let by_order = Key::Order(TENANT, app_id("app"), channel("alipay_wap"), order.clone());
    let order_key = (TENANT, app_id("app"), channel("alipay_wap"), order.clone());
    o.write(|s| s.put_payment(&payment(101)));
    let second = Payment { order_no: order.clone(), ..payment(102) };
    let taken = o.batch(&[], |s| s.put_payment(&second));
    assert!(matches!(taken, Err(StoreError::Race(_))), "{taken:?}");
    o.batch(&[Key::Payment(TENANT, Id::from_raw(101))], |s| s.put_payment(&failed(101))).unwrap();
    let s = o.load(std::slice::from_ref(&by_order));
    assert_eq!(s.orders.get(&order_key), Ok(None));
    o.end();
    o.write(|s| s.put_payment(&second));
    let s = o.load(&[by_order]);
    assert_eq!(s.orders.get(&order_key), Ok(Some(&Id::from_raw(102))));
    // Its number at the channel stays its own.
    let s = {
        o.end();
        o.load(&[Key::Number(TENANT, ROUTE, number("number101"))])
    };
    assert_eq!(s.numbers.rows().next(), Some(&Id::from_raw(101)));
}

fn two_universes_and_two_apps_may_use_the_same_texts(mut o: Opened) {
    let live = Payment { tenant: LIVE, ..payment(101) };
    let mut other_app = payment(102);
    other_app.app = app_id("other");
    other_app.order_no = payment(101).order_no;
    let mut other_channel = payment(103);
    other_channel.channel = channel("wx");
    other_channel.order_no = payment(101).order_no;
    o.write(|s| {
        for p in [&payment(101), &live, &other_app, &other_channel] {
            s.put_payment(p);
        }
    });
    assert_eq!(o.queries.payment(LIVE, &public("ch_101")).unwrap(), Some(live));
    assert_eq!(o.queries.payment(TENANT, &public("ch_101")).unwrap(), Some(payment(101)));
}

/// What each kind of unique thing looks like when it is taken a second time.
fn second_takers() -> Vec<(&'static str, Change)> {
    fn taker(f: impl Fn(&mut State) + 'static) -> Change {
        Box::new(f)
    }
    let with_payment = |change: fn(&mut Payment)| {
        taker(move |s| {
            let mut p = payment(102);
            change(&mut p);
            s.put_payment(&p);
        })
    };
    let with_refund = |change: fn(&mut Refund)| {
        taker(move |s| {
            let mut r = refund(202, Id::from_raw(101));
            change(&mut r);
            s.put_refund(&r);
        })
    };
    let start = ChainHead::start(TENANT);
    let second = journal(&start, Cause::PaymentSettled(Id::from_raw(101)));
    let later = chain(1, second.hash());
    vec![
        ("payment id", with_payment(|p| p.id = Id::from_raw(101))),
        ("public payment id", with_payment(|p| p.public_id = public("ch_101"))),
        ("order number", with_payment(|p| p.order_no = order_no("order101"))),
        ("number at a channel", with_payment(|p| p.number = number("number101"))),
        ("public refund id", with_refund(|r| r.public_id = public("re_201"))),
        ("refund number", with_refund(|r| r.number = number("refund201"))),
        (
            "trade",
            taker(|s| {
                let row = receipt_row("t1", Id::from_raw(102));
                s.receipts.put((TENANT, ROUTE, trade_no("t1")), row);
            }),
        ),
        (
            "public batch id",
            taker(|s| {
                let mut b = batch(302);
                b.public_id = public("batch_301");
                s.put_batch(&b);
            }),
        ),
        (
            "batch number",
            taker(|s| {
                let mut b = batch(302);
                b.batch_no = "no301".into();
                s.put_batch(&b);
            }),
        ),
        (
            "public event id",
            taker(|s| {
                let mut e = event(402, "charge.succeeded");
                e.public_id = public("evt_401");
                s.events.push(e);
            }),
        ),
        (
            "number of a journal",
            taker(move |s| {
                let cause = Cause::Opening(Id::from_raw(9));
                s.journals.push(journal(&ChainHead::start(TENANT), cause));
            }),
        ),
        (
            "cause of a journal",
            taker(move |s| {
                let cause = Cause::PaymentSettled(Id::from_raw(101));
                s.journals.push(journal(&later, cause));
            }),
        ),
        ("delivery", taker(|s| s.put_delivery(&delivery(501, 401, Some(1))))),
        ("hold", taker(|s| s.holds.put((TENANT, Id::from_raw(201)), hold(201)))),
        ("account", taker(|s| s.accounts.put(available(TENANT), account(TENANT)))),
        (
            "route id of another tenant",
            taker(|s| {
                s.routes.put((LIVE, ROUTE), route(LIVE, ROUTE));
            }),
        ),
        ("notice", taker(|s| s.unmatched.put((TENANT, "notice-1".into()), notice()))),
    ]
}

fn notice() -> UnmatchedNotice {
    let (number, notice_id) = (number("n1"), "notice-1".into());
    UnmatchedNotice { tenant: TENANT, number, notice_id, at: at(3) }
}

fn what_is_taken_loses_the_race_and_leaves_nothing_behind(mut o: Opened) {
    o.write(|s| {
        s.put_setup();
        s.put_payment(&payment(101));
        s.receipts.put((TENANT, ROUTE, trade_no("t1")), receipt_row("t1", Id::from_raw(101)));
        s.put_refund(&refund(201, Id::from_raw(101)));
        s.put_batch(&batch(301));
        s.holds.put((TENANT, Id::from_raw(201)), hold(201));
        s.accounts.put(available(TENANT), account(TENANT));
        let first = journal(&ChainHead::start(TENANT), Cause::PaymentSettled(Id::from_raw(101)));
        s.journals.push(first);
        s.events.push(event(401, "charge.succeeded"));
        s.put_delivery(&delivery(501, 401, Some(1)));
        s.unmatched.put((TENANT, "notice-1".into()), notice());
    });
    for (what, take) in second_takers() {
        let innocent = payment(109);
        let saved: Saved = o.batch(&[], |s| {
            s.put_payment(&innocent);
            s.members.put((TENANT, app_id("app"), user("u9")), member(29, "u9"));
            take(s);
        });
        assert!(matches!(saved, Err(StoreError::Race(_))), "{what}: {saved:?}");
        let key = [Key::Payment(TENANT, innocent.id)];
        assert_eq!(o.load(&key).peek_payment(TENANT, innocent.id), None, "{what}");
        o.end();
        let member = o.queries.member(TENANT, &app_id("app"), &user("u9")).unwrap();
        assert_eq!(member, None, "{what}");
    }
    assert_eq!(o.queries.payment(TENANT, &public("ch_101")).unwrap(), Some(payment(101)));
    // The store is as good as before.
    o.write(|s| s.put_payment(&payment(109)));
}

fn a_stale_version_loses_the_race_and_leaves_nothing_behind(mut o: Opened) {
    let path = AccountPath::platform(AccountKind::Suspense, Currency::CNY);
    let keys = [
        Key::Payment(TENANT, Id::from_raw(101)),
        Key::Refund(TENANT, Id::from_raw(201)),
        Key::BatchById(TENANT, Id::from_raw(301)),
        Key::Hold(TENANT, Id::from_raw(201)),
        Key::Delivery(TENANT, Id::from_raw(501)),
        Key::Chain(TENANT),
        Key::Account(TENANT, available(TENANT).path),
        Key::Account(TENANT, path),
    ];
    o.write(|s| {
        s.put_payment(&Payment { version: 3, ..paid(101) });
        s.put_refund(&Refund { version: 3, ..refund(201, Id::from_raw(101)) });
        let mut b = batch(301);
        b.version = 3;
        s.put_batch(&b);
        s.holds.put((TENANT, Id::from_raw(201)), Hold { version: 3, ..hold(201) });
        let mut d = delivery(501, 401, Some(1));
        d.version = 3;
        s.put_delivery(&d);
        s.chains.put(TENANT, chain(3, [1; 32]));
        s.accounts.put(available(TENANT), account(TENANT));
    });
    let stale: [Stale; 7] = [
        ("payment", |s| s.put_payment(&Payment { version: 3, ..paid(101) })),
        ("refund", |s| s.put_refund(&Refund { version: 3, ..refund(201, Id::from_raw(101)) })),
        ("batch", |s| s.put_batch(&RefundBatch { version: 3, ..batch(301) })),
        ("hold", |s| s.holds.put((TENANT, Id::from_raw(201)), Hold { version: 3, ..hold(201) })),
        ("delivery", |s| s.put_delivery(&Delivery { version: 3, ..delivery(501, 401, None) })),
        ("chain", |s| s.chains.put(TENANT, chain(3, [2; 32]))),
        ("account", |s| {
            s.accounts.put(available(TENANT), Account { entries: 2, ..account(TENANT) });
        }),
    ];
    for (what, change) in stale {
        let saved = o.batch(&keys, |s| {
            s.accounts.put(
                AccountKey { tenant: TENANT, path },
                Account::empty(AccountKey { tenant: TENANT, path }),
            );
            change(s);
        });
        assert!(matches!(saved, Err(StoreError::Race(_))), "{what}: {saved:?}");
        assert_eq!(o.queries.accounts(TENANT).unwrap(), [account(TENANT)], "{what}");
    }
}

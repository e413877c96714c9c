//! Lists: pages in both directions, filters, limits, and whether more follows.

use domain::id::Id;
use domain::payment::{CloseReason, Payment, PaymentState};
use domain::refund::RefundOrigin;
use domain::time::Timestamp;

use super::sample::*;
use super::{Opened, on_both};
use crate::{EventFilter, Page, PaymentFilter, Queries};

on_both! {
    pages_go_both_ways_through_equal_times_and_miss_nothing,
    a_page_says_whether_the_list_goes_on,
    a_page_between_two_cursors_holds_what_is_between,
    payments_are_listed_by_every_filter,
    filters_and_pages_go_together,
    refunds_are_listed_newest_first_and_only_those_shown,
    refunds_of_many_payments_are_limited_for_each,
    batches_are_listed_newest_first_with_their_refunds,
    events_are_listed_by_filter_and_page,
    setup_is_listed_in_order,
    payments_are_found_by_every_name,
    a_test_payment_is_found_by_its_id_alone_and_a_live_one_never,
}

fn page(limit: u32) -> Page {
    Page { limit, ..Page::default() }
}

fn ids(queries: &dyn Queries, filter: &PaymentFilter, page: &Page) -> (Vec<i64>, bool) {
    let listed = queries.payments(TENANT, filter, page).unwrap();
    (listed.rows.iter().map(|p| p.id.raw()).collect(), listed.has_more)
}

/// Nine payments, three to an instant.
fn nine(o: &mut Opened) -> Vec<(Timestamp, i64)> {
    let payments: Vec<_> =
        (101..110).map(|id| Payment { created: at((id - 101) / 3), ..payment(id) }).collect();
    o.write(|s| payments.iter().for_each(|p| s.put_payment(p)));
    payments.iter().map(|p| (p.created, p.id.raw())).collect()
}

fn pages_go_both_ways_through_equal_times_and_miss_nothing(mut o: Opened) {
    let mut places = nine(&mut o);
    places.reverse();
    let all: Vec<i64> = places.iter().map(|(_, id)| *id).collect();
    for limit in 1..=9 {
        let size = usize::try_from(limit).unwrap();
        let mut down: Vec<i64> = Vec::new();
        let mut after = None;
        loop {
            let (rows, more) =
                ids(&*o.queries, &PaymentFilter::default(), &Page { after, ..page(limit) });
            down.extend(&rows);
            after = places.get(down.len().saturating_sub(1)).copied();
            assert_eq!(more, down.len() < all.len(), "limit {limit}");
            if !more {
                break;
            }
            assert_eq!(rows.len(), size);
        }
        assert_eq!(down, all, "limit {limit}");
        let mut up: Vec<i64> = Vec::new();
        let mut before = Some((at(-100), 0));
        loop {
            let (rows, more) =
                ids(&*o.queries, &PaymentFilter::default(), &Page { before, ..page(limit) });
            up.splice(0..0, rows);
            before = Some(places[all.len() - up.len()]);
            assert_eq!(more, up.len() < all.len(), "limit {limit}");
            if !more {
                break;
            }
        }
        assert_eq!(up, all, "limit {limit}");
    }
}

fn a_page_says_whether_the_list_goes_on(mut o: Opened) {
    assert_eq!(ids(&*o.queries, &PaymentFilter::default(), &page(3)), (vec![], false));
    let places = nine(&mut o);
    let any = PaymentFilter::default();
    assert!(!ids(&*o.queries, &any, &page(9)).1);
    assert!(ids(&*o.queries, &any, &page(8)).1);
    let last = Page { after: Some(places[0]), ..page(3) };
    assert_eq!(ids(&*o.queries, &any, &last), (vec![], false));
    let first = Page { before: Some(places[8]), ..page(3) };
    assert_eq!(ids(&*o.queries, &any, &first), (vec![], false));
    let nearest = Page { before: Some(places[3]), ..page(2) };
    assert_eq!(ids(&*o.queries, &any, &nearest), (vec![106, 105], true));
    assert_eq!(ids(&*o.queries, &any, &page(0)), (vec![], true));
}

fn a_page_between_two_cursors_holds_what_is_between(mut o: Opened) {
    let places = nine(&mut o);
    let between = Page { after: Some(places[6]), before: Some(places[2]), ..page(9) };
    let found = ids(&*o.queries, &PaymentFilter::default(), &between);
    assert_eq!(found, (vec![106, 105, 104], false));
}

/// Payments 101…108, each with something that a filter asks for.
fn eight(o: &mut Opened) {
    let mut list: Vec<_> = (101..109).map(payment).collect();
    list[0].state = PaymentState::Paid(receipt("t101"));
    list[1].state = PaymentState::Paid(receipt("t102"));
    list[1].refunds = 1;
    list[2].state = PaymentState::Reversed { receipt: receipt("t103"), at: at(70) };
    list[3].state = PaymentState::Closed { why: CloseReason::Reversed, at: at(70) };
    list[4].state = PaymentState::Closed { why: CloseReason::Expired, at: at(70) };
    list[5].app = app_id("other");
    list[6].channel = channel("wx");
    list[7].state = PaymentState::Reversing(receipt("t108"));
    let foreign = Payment { tenant: LIVE, ..payment(111) };
    o.write(|s| {
        list.iter().for_each(|p| s.put_payment(p));
        s.put_payment(&foreign);
    });
}

fn payments_are_listed_by_every_filter(mut o: Opened) {
    eight(&mut o);
    let check = |filter: PaymentFilter, expected: &[i64]| {
        let found = ids(&*o.queries, &filter, &page(100));
        assert_eq!(found, (expected.to_vec(), false), "{filter:?}");
    };
    let any = PaymentFilter::default;
    check(any(), &[108, 107, 106, 105, 104, 103, 102, 101]);
    check(PaymentFilter { app: Some(app_id("other")), ..any() }, &[106]);
    check(PaymentFilter { app: Some(app_id("nobody")), ..any() }, &[]);
    check(PaymentFilter { channel: Some(channel("wx")), ..any() }, &[107]);
    check(PaymentFilter { from: Some(at(107)), ..any() }, &[108, 107]);
    check(PaymentFilter { to: Some(at(103)), ..any() }, &[102, 101]);
    let (from, to) = (Some(at(103)), Some(at(105)));
    check(PaymentFilter { from, to, ..any() }, &[104, 103]);
    check(PaymentFilter { paid: Some(true), ..any() }, &[108, 103, 102, 101]);
    check(PaymentFilter { paid: Some(false), ..any() }, &[107, 106, 105, 104]);
    check(PaymentFilter { refunded: Some(true), ..any() }, &[102]);
    check(PaymentFilter { refunded: Some(false), paid: Some(true), ..any() }, &[108, 103, 101]);
    check(PaymentFilter { reversed: Some(true), ..any() }, &[104, 103]);
    let reversed = Some(false);
    check(PaymentFilter { reversed, ..any() }, &[108, 107, 106, 105, 102, 101]);
    let (app, channel) = (Some(app_id("app")), Some(channel("alipay_wap")));
    let both = PaymentFilter { app, channel, paid: Some(false), reversed, ..any() };
    check(both, &[105]);
}

fn filters_and_pages_go_together(mut o: Opened) {
    eight(&mut o);
    let filter = PaymentFilter {
        app: Some(app_id("app")),
        from: Some(at(102)),
        to: Some(at(108)),
        ..PaymentFilter::default()
    };
    assert_eq!(ids(&*o.queries, &filter, &page(2)), (vec![107, 105], true));
    let next = Page { after: Some((at(105), 105)), ..page(2) };
    assert_eq!(ids(&*o.queries, &filter, &next), (vec![104, 103], true));
    let last = Page { after: Some((at(103), 103)), ..page(2) };
    assert_eq!(ids(&*o.queries, &filter, &last), (vec![102], false));
    let back = Page { before: Some((at(103), 103)), ..page(2) };
    assert_eq!(ids(&*o.queries, &filter, &back), (vec![105, 104], true));
    // A cursor outside the bounds does not widen them.
    let outside = Page { after: Some((at(900), 1)), ..page(1) };
    assert_eq!(ids(&*o.queries, &filter, &outside), (vec![107], true));
}

/// Five refunds of payment 101, two of them not shown, and one of payment 102.
fn refunds(o: &mut Opened) {
    let mut list: Vec<_> = (201..206).map(|id| refund(id, Id::from_raw(101))).collect();
    list[1].origin = RefundOrigin::Reversal;
    list[3].origin = RefundOrigin::Late;
    list[4].origin = RefundOrigin::Import;
    list[4].created = list[0].created;
    list.push(refund(206, Id::from_raw(102)));
    o.write(|s| {
        s.put_payment(&paid(101));
        s.put_payment(&paid(102));
        list.iter().for_each(|r| s.put_refund(r));
    });
}

fn refunds_are_listed_newest_first_and_only_those_shown(mut o: Opened) {
    refunds(&mut o);
    let list = |page: &Page| {
        let listed = o.queries.refunds(TENANT, Id::from_raw(101), page).unwrap();
        (listed.rows.iter().map(|r| r.id.raw()).collect::<Vec<_>>(), listed.has_more)
    };
    assert_eq!(list(&page(9)), (vec![203, 205, 201], false));
    assert_eq!(list(&page(2)), (vec![203, 205], true));
    assert_eq!(list(&Page { after: Some((at(201), 205)), ..page(2) }), (vec![201], false));
    assert_eq!(list(&Page { before: Some((at(201), 201)), ..page(1) }), (vec![205], true));
    let found = |id: &str| o.queries.refund(TENANT, &public(id)).unwrap().map(|r| r.id.raw());
    assert_eq!(found("re_203"), Some(203));
    assert_eq!(found("re_202"), None, "a reversal is no refund that a merchant sees");
    let by_number = o.queries.refund_by_number(TENANT, ROUTE, &number("refund202")).unwrap();
    assert_eq!(by_number.map(|r| r.id.raw()), Some(202), "a channel names it all the same");
}

fn refunds_of_many_payments_are_limited_for_each(mut o: Opened) {
    refunds(&mut o);
    let of = [Id::from_raw(102), Id::from_raw(101), Id::from_raw(103)];
    let found = o.queries.refunds_of(TENANT, &of, 2).unwrap();
    assert_eq!(found.iter().map(|r| r.id.raw()).collect::<Vec<_>>(), [206, 203, 205]);
    assert_eq!(o.queries.refunds_of(LIVE, &of, 2).unwrap(), []);
}

fn batches_are_listed_newest_first_with_their_refunds(mut o: Opened) {
    let mut other = batch(303);
    other.app = app_id("other");
    let mut in_batch = refund(201, Id::from_raw(101));
    in_batch.origin = RefundOrigin::Batch(Id::from_raw(302));
    o.write(|s| {
        for b in [&batch(301), &batch(302), &other] {
            s.put_batch(b);
        }
        s.put_payment(&paid(101));
        s.put_refund(&in_batch);
    });
    let list = |app: Option<&str>, skip, limit| {
        let app = app.map(app_id);
        let listed = o.queries.batches(TENANT, app.as_ref(), skip, limit).unwrap();
        (listed.rows.iter().map(|(b, _)| b.id.raw()).collect::<Vec<_>>(), listed.has_more)
    };
    assert_eq!(list(None, 0, 9), (vec![303, 302, 301], false));
    assert_eq!(list(None, 1, 1), (vec![302], true));
    assert_eq!(list(Some("app"), 0, 2), (vec![302, 301], false));
    assert_eq!(list(Some("app"), 2, 2), (vec![], false));
    let found = o.queries.batch(TENANT, &public("batch_302")).unwrap();
    assert_eq!(found, Some((batch(302), vec![in_batch])));
    assert_eq!(o.queries.batch(LIVE, &public("batch_302")).unwrap(), None);
    assert_eq!(o.queries.batch_by_id(TENANT, Id::from_raw(303)).unwrap(), Some(other));
}

fn events_are_listed_by_filter_and_page(mut o: Opened) {
    let mut other = event(403, "refund.succeeded");
    other.app = app_id("other");
    let list = [event(401, "charge.succeeded"), event(402, "refund.succeeded"), other];
    o.write(|s| s.events.extend(list.iter().cloned()));
    let find = |filter: EventFilter, page: Page| {
        let listed = o.queries.events(TENANT, &filter, &page).unwrap();
        (listed.rows.iter().map(|e| e.id.raw()).collect::<Vec<_>>(), listed.has_more)
    };
    let any = EventFilter::default;
    assert_eq!(find(any(), page(9)), (vec![403, 402, 401], false));
    assert_eq!(find(any(), page(2)), (vec![403, 402], true));
    assert_eq!(find(any(), Page { after: Some((at(403), 403)), ..page(1) }), (vec![402], true));
    assert_eq!(find(any(), Page { before: Some((at(401), 401)), ..page(1) }), (vec![402], true));
    let of_type = EventFilter { event_type: Some("refund.succeeded".into()), ..any() };
    assert_eq!(find(of_type, page(9)), (vec![403, 402], false));
    let of_app = EventFilter { app: Some(app_id("app")), ..any() };
    assert_eq!(find(of_app, page(9)), (vec![402, 401], false));
    let within = EventFilter { from: Some(at(402)), to: Some(at(403)), ..any() };
    assert_eq!(find(within, page(9)), (vec![402], false));
}

fn setup_is_listed_in_order(mut o: Opened) {
    let second = {
        let mut app = app("a-younger-app");
        app.created = at(-800);
        app
    };
    let revoked = {
        let mut key = merchant_key("f2");
        key.revoked = Some(at(1));
        key
    };
    o.write(|s| {
        s.put_setup();
        s.merchants.put(Id::from_raw(2), merchant(2));
        s.apps.put((TENANT.merchant, second.id.clone()), second.clone());
        s.api_keys.put([3; 32], api_key(3));
        s.merchant_keys.put((TENANT, "f1".into()), merchant_key("f1"));
        s.merchant_keys.put((TENANT, "f2".into()), revoked.clone());
        s.members.put((TENANT, app_id("app"), user("u1")), member(21, "u1"));
    });
    let q = &o.queries;
    assert_eq!(q.merchants_of_operator().unwrap(), [merchant(1), merchant(2)]);
    assert_eq!(q.merchant(Id::from_raw(2)).unwrap(), Some(merchant(2)));
    assert_eq!(q.merchant(Id::from_raw(3)).unwrap(), None);
    assert_eq!(q.apps(TENANT.merchant).unwrap(), [app("app"), second]);
    assert_eq!(q.api_key(&[3; 32]).unwrap(), Some(api_key(3)));
    assert_eq!(q.api_key(&[4; 32]).unwrap(), None);
    assert_eq!(q.api_keys(TENANT.merchant).unwrap(), [api_key(3)]);
    assert_eq!(q.merchant_keys(TENANT).unwrap(), [merchant_key("f1")]);
    assert_eq!(q.routes(TENANT).unwrap(), [route(TENANT, ROUTE)]);
    assert_eq!(q.routes(LIVE).unwrap(), []);
    assert_eq!(q.route_of_notice(ROUTE).unwrap(), Some(route(TENANT, ROUTE)));
    assert_eq!(q.route_of_notice(Id::from_raw(8)).unwrap(), None);
    assert_eq!(q.endpoints(TENANT).unwrap(), [endpoint(ENDPOINT, "app")]);
    assert_eq!(q.endpoint(TENANT, ENDPOINT).unwrap(), Some(endpoint(ENDPOINT, "app")));
    assert_eq!(q.endpoint(LIVE, ENDPOINT).unwrap(), None);
    let found = q.member(TENANT, &app_id("app"), &user("u1")).unwrap();
    assert_eq!(found, Some(member(21, "u1")));
    assert_eq!(q.member(TENANT, &app_id("other"), &user("u1")).unwrap(), None);
}

fn payments_are_found_by_every_name(mut o: Opened) {
    o.write(|s| {
        s.put_payment(&payment(101));
        s.put_payment(&payment(102));
    });
    let q = &o.queries;
    assert_eq!(q.payment(TENANT, &public("ch_102")).unwrap(), Some(payment(102)));
    assert_eq!(q.payment(TENANT, &public("ch_103")).unwrap(), None);
    let by_number = |route, n: &str| q.payment_by_number(TENANT, route, &number(n)).unwrap();
    assert_eq!(by_number(ROUTE, "number101"), Some(payment(101)));
    assert_eq!(by_number(Id::from_raw(8), "number101"), None);
    let wanted = [Id::from_raw(102), Id::from_raw(999), Id::from_raw(101)];
    assert_eq!(q.payments_by_id(TENANT, &wanted).unwrap(), [payment(102), payment(101)]);
    assert_eq!(q.payments_by_id(LIVE, &wanted).unwrap(), []);
}

fn a_test_payment_is_found_by_its_id_alone_and_a_live_one_never(mut o: Opened) {
    let live = Payment { tenant: LIVE, ..payment(102) };
    o.write(|s| {
        s.put_setup();
        s.put_payment(&payment(101));
        s.put_payment(&live);
    });
    assert_eq!(o.queries.test_payment(&public("ch_101")).unwrap(), Some(payment(101)));
    assert_eq!(o.queries.test_payment(&public("ch_102")).unwrap(), None);
}

//! Due work, figures for operators, settings, and the walk through every book.

use domain::event::DeliveryState;
use domain::id::Id;
use domain::ledger::{Cause, ChainHead};
use domain::operation::{OperationKind, OperationState};
use domain::payment::Payment;
use domain::refund::{Refund, RefundOrigin};
use domain::state::Key;
use domain::tenant::Tenant;

use super::sample::*;
use super::{Opened, on_both};
use crate::{Backlog, BookRow, DueRow};

on_both! {
    due_work_of_all_tenants_comes_longest_due_first_and_limited,
    due_deliveries_leave_out_busy_endpoints,
    the_next_due_moment_is_the_earliest_of_all,
    work_that_is_done_is_not_due_any_more,
    operators_see_what_is_left_undone,
    the_largest_id_is_known,
    settings_are_kept_by_name,
    the_walk_passes_every_row_once_and_in_order,
    the_walk_ends_when_it_is_told_to,
    the_store_answers,
}

fn due_payment(tenant: Tenant, id: i64, due: i64) -> Payment {
    Payment { tenant, next_at: Some(at(due)), ..payment(id) }
}

fn due_refund(id: i64, due: Option<i64>) -> Refund {
    let mut row = refund(id, Id::from_raw(101));
    row.operation.as_mut().unwrap().next_at = due.map(at);
    row
}

fn due_work_of_all_tenants_comes_longest_due_first_and_limited(mut o: Opened) {
    assert_eq!(o.queries.due_work_of_all(at(9_000), 9).unwrap(), []);
    o.write(|s| {
        s.put_payment(&due_payment(TENANT, 101, 30));
        s.put_payment(&due_payment(LIVE, 102, 10));
        s.put_payment(&due_payment(TENANT, 103, 41));
        s.put_payment(&payment(104));
        s.put_refund(&due_refund(201, Some(20)));
        s.put_refund(&due_refund(202, Some(50)));
        s.put_refund(&due_refund(203, None));
    });
    let expected = [
        DueRow::Payment(LIVE, Id::from_raw(102)),
        DueRow::Refund(TENANT, Id::from_raw(201), Id::from_raw(101)),
        DueRow::Payment(TENANT, Id::from_raw(101)),
    ];
    assert_eq!(o.queries.due_work_of_all(at(40), 9).unwrap(), expected);
    assert_eq!(o.queries.due_work_of_all(at(40), 2).unwrap(), expected[..2]);
    assert_eq!(o.queries.due_work_of_all(at(10), 9).unwrap(), expected[..1], "due means now");
    assert_eq!(o.queries.due_work_of_all(at(9), 9).unwrap(), []);
}

fn due_deliveries_leave_out_busy_endpoints(mut o: Opened) {
    let other = Id::from_raw(12);
    o.write(|s| {
        s.events.push(event(401, "charge.succeeded"));
        for (id, due) in [(501, Some(30)), (502, Some(10)), (503, None), (505, Some(90))] {
            s.put_delivery(&delivery(id, 401, due));
        }
        let mut elsewhere = delivery(504, 401, Some(20));
        elsewhere.endpoint = other;
        s.put_delivery(&elsewhere);
    });
    let due = |now, limit, busy: &[_]| {
        let found = o.queries.due_deliveries_of_all(at(now), limit, busy).unwrap();
        found.into_iter().map(|(_, id, endpoint)| (id.raw(), endpoint)).collect::<Vec<_>>()
    };
    assert_eq!(due(40, 9, &[]), [(502, ENDPOINT), (504, other), (501, ENDPOINT)]);
    assert_eq!(due(40, 2, &[]), [(502, ENDPOINT), (504, other)]);
    assert_eq!(due(40, 9, &[ENDPOINT]), [(504, other)]);
    assert_eq!(due(40, 1, &[other, ENDPOINT]), []);
    assert_eq!(due(10, 9, &[]), [(502, ENDPOINT)]);
}

fn the_next_due_moment_is_the_earliest_of_all(mut o: Opened) {
    assert_eq!(o.queries.next_due_of_all().unwrap(), None);
    o.write(|s| s.put_payment(&due_payment(LIVE, 101, 30)));
    assert_eq!(o.queries.next_due_of_all().unwrap(), Some(at(30)));
    o.write(|s| s.put_refund(&due_refund(201, Some(20))));
    assert_eq!(o.queries.next_due_of_all().unwrap(), Some(at(20)));
    o.write(|s| {
        s.events.push(event(401, "charge.succeeded"));
        s.put_delivery(&delivery(501, 401, Some(10)));
    });
    assert_eq!(o.queries.next_due_of_all().unwrap(), Some(at(10)));
}

fn work_that_is_done_is_not_due_any_more(mut o: Opened) {
    let row = due_payment(TENANT, 101, 10);
    o.write(|s| {
        s.put_payment(&row);
        s.put_refund(&due_refund(201, Some(10)));
    });
    let keys = [Key::Payment(TENANT, row.id), Key::Refund(TENANT, Id::from_raw(201))];
    o.batch(&keys, |s| {
        s.put_payment(&Payment { next_at: None, version: 2, ..row.clone() });
        s.put_refund(&Refund { operation: None, version: 2, ..due_refund(201, None) });
    })
    .unwrap();
    assert_eq!(o.queries.due_work_of_all(at(40), 9).unwrap(), []);
    assert_eq!(o.queries.next_due_of_all().unwrap(), None);
}

fn operators_see_what_is_left_undone(mut o: Opened) {
    assert_eq!(o.queries.backlog_of_all().unwrap(), Backlog::default());
    let mut unknown = payment(101);
    let mut asked = operation(OperationKind::Close);
    asked.state = OperationState::Unknown;
    unknown.next_at = asked.next_at;
    unknown.operation = Some(asked);
    let mut in_review = refund(201, Id::from_raw(101));
    let operation = in_review.operation.as_mut().unwrap();
    operation.state = OperationState::Review;
    operation.next_at = None;
    o.write(|s| {
        s.put_payment(&unknown);
        s.put_refund(&in_review);
        s.put_refund(&refund(202, Id::from_raw(101)));
        s.events.push(event(401, "charge.succeeded"));
        s.put_delivery(&delivery(501, 401, Some(1)));
        s.put_delivery(&delivery(502, 401, None));
        let mut dead = delivery(503, 401, None);
        dead.state = DeliveryState::Dead;
        s.put_delivery(&dead);
        let notice = domain::event::UnmatchedNotice {
            tenant: TENANT,
            number: number("n1"),
            notice_id: "notice-1".into(),
            at: at(3),
        };
        s.unmatched.put((TENANT, "notice-1".into()), notice);
    });
    let expected = Backlog {
        deliveries_waiting: 1,
        deliveries_dead: 1,
        operations_unknown: 1,
        operations_in_review: 1,
        notices_unmatched: 1,
    };
    assert_eq!(o.queries.backlog_of_all().unwrap(), expected);
}

fn the_largest_id_is_known(mut o: Opened) {
    assert_eq!(o.queries.largest_id().unwrap(), 0);
    o.write(|s| s.put_setup());
    assert_eq!(o.queries.largest_id().unwrap(), ENDPOINT.raw());
    o.write(|s| s.members.put((TENANT, app_id("app"), user("u1")), member(21, "u1")));
    assert_eq!(o.queries.largest_id().unwrap(), 21);
    o.write(|s| s.put_payment(&Payment { tenant: LIVE, ..payment(101) }));
    assert_eq!(o.queries.largest_id().unwrap(), 101);
    o.write(|s| s.put_refund(&refund(201, Id::from_raw(101))));
    assert_eq!(o.queries.largest_id().unwrap(), 201);
    o.write(|s| s.events.push(event(401, "charge.succeeded")));
    assert_eq!(o.queries.largest_id().unwrap(), 401);
    o.write(|s| s.put_delivery(&delivery(501, 401, None)));
    assert_eq!(o.queries.largest_id().unwrap(), 501);
}

fn settings_are_kept_by_name(o: Opened) {
    let q = &o.queries;
    assert_eq!(q.setting("clock").unwrap(), None);
    q.put_setting("clock", "1").unwrap();
    q.put_setting("other", "x").unwrap();
    q.put_setting("clock", "2").unwrap();
    assert_eq!(q.setting("clock").unwrap().as_deref(), Some("2"));
}

/// One row of every kind, two journals for each of two tenants.
fn a_book(o: &mut Opened) {
    let mut in_batch = refund(201, Id::from_raw(101));
    in_batch.origin = RefundOrigin::Batch(Id::from_raw(301));
    o.write(|s| {
        for tenant in [LIVE, TENANT] {
            let start = ChainHead::start(tenant);
            let first = journal(&start, Cause::PaymentSettled(Id::from_raw(101)));
            let second = journal(&first.head(), Cause::PaymentSettled(Id::from_raw(102)));
            s.chains.put(tenant, second.head());
            s.journals.extend([first, second]);
            s.accounts.put(available(tenant), account(tenant));
        }
        s.holds.put((TENANT, Id::from_raw(201)), hold(201));
        s.put_payment(&payment(101));
        s.put_refund(&in_batch);
        s.receipts.put((TENANT, ROUTE, trade_no("t1")), receipt_row("t1", Id::from_raw(101)));
        s.put_batch(&batch(301));
        s.events.push(event(401, "charge.succeeded"));
    });
}

/// The kind's place in the walk, whose row it is, and a journal's number.
fn place(row: &BookRow) -> (u8, Tenant, i64) {
    match row {
        BookRow::Account(r) => (0, r.key.tenant, 0),
        BookRow::Journal(r) => (1, r.tenant(), r.seq()),
        BookRow::Hold(r) => (2, r.tenant, 0),
        BookRow::Payment(r) => (3, r.tenant, 0),
        BookRow::Refund(r) => (4, r.tenant, 0),
        BookRow::Receipt(r) => (5, r.tenant, 0),
        BookRow::Batch(r) => (6, r.tenant, 0),
        BookRow::Event(r) => (7, r.tenant, 0),
    }
}

fn the_walk_passes_every_row_once_and_in_order(mut o: Opened) {
    a_book(&mut o);
    let mut seen = Vec::new();
    o.queries
        .walk_books_of_all(&mut |row| {
            seen.push(place(&row));
            true
        })
        .unwrap();
    assert!(seen.is_sorted_by_key(|(kind, _, _)| *kind), "{seen:?}");
    for tenant in [TENANT, LIVE] {
        let journals: Vec<_> = seen.iter().filter(|p| p.0 == 1 && p.1 == tenant).collect();
        assert_eq!(journals.iter().map(|p| p.2).collect::<Vec<_>>(), [1, 2]);
    }
    // A tenant's journals follow each other without another's between.
    let tenants: Vec<_> = seen.iter().filter(|p| p.0 == 1).map(|p| p.1).collect();
    assert!(tenants[0] == tenants[1] && tenants[2] == tenants[3], "{tenants:?}");
    let counts: Vec<_> = (0..8).map(|kind| seen.iter().filter(|p| p.0 == kind).count()).collect();
    assert_eq!(counts, [2, 4, 1, 1, 1, 1, 1, 1]);
}

fn the_walk_ends_when_it_is_told_to(mut o: Opened) {
    a_book(&mut o);
    for stop_after in 1..=12 {
        let mut count = 0;
        o.queries
            .walk_books_of_all(&mut |_| {
                count += 1;
                count < stop_after
            })
            .unwrap();
        assert_eq!(count, stop_after);
    }
    // The snapshot is closed again: what is written now is seen.
    o.write(|s| s.put_payment(&payment(102)));
    assert!(o.queries.payment(TENANT, &public("ch_102")).unwrap().is_some());
}

fn the_store_answers(o: Opened) {
    o.queries.ping().unwrap();
    assert_eq!(o.queries.check_file().unwrap(), Vec::<String>::new());
}

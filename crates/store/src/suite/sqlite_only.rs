//! What only the file can show: the lock, the history, constraints, plans, and damaged rows.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use domain::id::Id;
use domain::ledger::{Account, Cause, ChainHead};
use domain::payment::Payment;
use domain::state::{Key, State};
use rusqlite::Connection;
use tempfile::TempDir;

use super::sample::*;
use crate::sqlite::{self, OpenError};
use crate::{Queries, Store, StoreError};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A connection of somebody else's to the same file.
fn intruder(folder: &Path) -> Connection {
    Connection::open(folder.join("sycee.db")).unwrap()
}

fn write(store: &mut dyn Store, change: impl FnOnce(&mut State)) {
    let mut state = begun(store);
    change(&mut state);
    store.save(&state).unwrap();
}

/// A working set whose batch has begun: the first load begins the transaction.
fn begun(store: &mut dyn Store) -> State {
    let mut state = State::default();
    store.load(&[], &mut state).unwrap();
    state
}

/// One payment, one refund with its hold, one journal, one event with a delivery.
fn a_little_of_everything(store: &mut dyn Store) {
    write(store, |s| {
        s.put_setup();
        s.put_payment(&paid(101));
        s.put_refund(&refund(201, Id::from_raw(101)));
        s.put_batch(&batch(301));
        s.holds.put((TENANT, Id::from_raw(201)), hold(201));
        s.accounts.put(available(TENANT), account(TENANT));
        let cause = Cause::PaymentSettled(Id::from_raw(101));
        s.journals.push(journal(&ChainHead::start(TENANT), cause));
        s.events.push(event(401, "charge.succeeded"));
        s.put_delivery(&delivery(501, 401, Some(1)));
    });
}

#[test]
fn a_second_process_is_refused_and_told_how_to_mend_it() {
    let folder = folder();
    let first = sqlite::open(folder.path()).unwrap();
    let second = sqlite::open(folder.path()).err().unwrap();
    assert!(matches!(second, OpenError::Locked(_)));
    let text = second.to_string();
    assert!(text.contains("another process") && text.contains("--data"), "{text}");
    drop(first);
    sqlite::open(folder.path()).unwrap();
}

#[test]
fn a_new_folder_is_its_owners_alone() {
    let parent = folder();
    let inner = parent.path().join("deep").join("data");
    sqlite::open(&inner).unwrap();
    let mode = inner.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_was_saved_is_there_after_opening_again_and_what_was_only_loaded_is_not() {
    let folder = folder();
    {
        let (mut store, _) = sqlite::open(folder.path()).unwrap();
        write(&mut store, |s| s.put_payment(&payment(101)));
        let mut state = State::default();
        store.load(&[Key::Payment(TENANT, Id::from_raw(102))], &mut state).unwrap();
        state.put_payment(&payment(102));
    }
    let (_store, queries) = sqlite::open(folder.path()).unwrap();
    assert_eq!(queries.payment(TENANT, &public("ch_101")).unwrap(), Some(payment(101)));
    assert_eq!(queries.payment(TENANT, &public("ch_102")).unwrap(), None);
}

#[test]
fn the_file_keeps_a_write_ahead_log() {
    let folder = folder();
    let _store = sqlite::open(folder.path()).unwrap();
    let mode: String =
        intruder(folder.path()).pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn an_altered_or_newer_history_is_refused_by_writers_and_readers() {
    for tamper in [
        "UPDATE migration SET checksum = 'x'",
        "UPDATE migration SET name = 'x'",
        "INSERT INTO migration VALUES (2, '0002_later', 'x')",
    ] {
        let folder = folder();
        drop(sqlite::open(folder.path()).unwrap());
        intruder(folder.path()).execute(tamper, []).unwrap();
        let writer = sqlite::open(folder.path()).err();
        assert!(matches!(writer, Some(OpenError::History(_))), "{tamper}: {writer:?}");
        let reader = sqlite::open_reader(folder.path()).err();
        assert!(matches!(reader, Some(OpenError::History(_))), "{tamper}: {reader:?}");
    }
}

#[test]
fn a_reader_of_an_empty_folder_is_told_how_to_make_a_store() {
    let folder = folder();
    let refused = sqlite::open_reader(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Absent(_)));
    assert!(refused.to_string().contains("sycee serve"));
    assert!(!folder.path().join("sycee.db").exists());
}

#[test]
fn a_reader_sees_what_is_committed_beside_a_writer_and_after_it() {
    let folder = folder();
    let (mut store, _queries) = sqlite::open(folder.path()).unwrap();
    let reader = sqlite::open_reader(folder.path()).unwrap();
    write(&mut store, |s| s.put_payment(&payment(101)));
    assert!(reader.payment(TENANT, &public("ch_101")).unwrap().is_some());
    assert_eq!(reader.check_file().unwrap(), Vec::<String>::new());
    drop((store, _queries, reader));
    let reader = sqlite::open_reader(folder.path()).unwrap();
    assert!(reader.payment(TENANT, &public("ch_101")).unwrap().is_some());
}

#[test]
fn an_open_batch_is_not_seen_before_its_commit() {
    let folder = folder();
    let (mut store, queries) = sqlite::open(folder.path()).unwrap();
    let mut state = State::default();
    store.load(&[Key::Payment(TENANT, Id::from_raw(101))], &mut state).unwrap();
    state.put_payment(&payment(101));
    assert!(queries.payment(TENANT, &public("ch_101")).unwrap().is_none());
    store.save(&state).unwrap();
    assert!(queries.payment(TENANT, &public("ch_101")).unwrap().is_some());
}

#[test]
fn journals_and_entries_can_be_neither_changed_nor_deleted() {
    let folder = folder();
    let (mut store, _) = sqlite::open(folder.path()).unwrap();
    a_little_of_everything(&mut store);
    let connection = intruder(folder.path());
    for attack in [
        "UPDATE journal SET at = at + 1",
        "UPDATE entry SET amount = 1",
        "DELETE FROM journal",
        "DELETE FROM entry",
    ] {
        let refused = connection.execute(attack, []).unwrap_err().to_string();
        assert!(refused.contains("is never"), "{attack}: {refused}");
    }
}

#[test]
fn columns_hold_only_their_own_kind_of_value() {
    let folder = folder();
    let (mut store, _) = sqlite::open(folder.path()).unwrap();
    a_little_of_everything(&mut store);
    let connection = intruder(folder.path());
    for attack in [
        "UPDATE payment SET amount = 'ten'",
        "UPDATE payment SET created = 1.5",
        "UPDATE account SET debits = 'x'",
        "UPDATE refund SET body_hash = 5",
    ] {
        let refused = connection.execute(attack, []).unwrap_err().to_string();
        assert!(refused.contains("cannot store"), "{attack}: {refused}");
    }
}

#[test]
fn impossible_rows_are_refused_by_the_file_itself() {
    let folder = folder();
    let (mut store, _) = sqlite::open(folder.path()).unwrap();
    a_little_of_everything(&mut store);
    let connection = intruder(folder.path());
    for attack in [
        "UPDATE payment SET amount = 0",
        "UPDATE payment SET refunded = amount, refunding = 1",
        "UPDATE payment SET fee = amount + 1",
        "UPDATE payment SET state = 'lost'",
        "UPDATE payment SET paid_at = NULL",
        "UPDATE payment SET state = 'closed'",
        "UPDATE payment SET mode = 2",
        "UPDATE payment SET op_kind = 'close'",
        "UPDATE refund SET amount = 0",
        "UPDATE refund SET state = 'succeeded'",
        "UPDATE refund SET origin = 'batch'",
        "UPDATE refund_batch SET succeeded = total + 1",
        "UPDATE hold SET amount = 0",
        "UPDATE hold SET state = 'gone'",
        "UPDATE account SET held = -1",
        "UPDATE account SET debits = -1",
        "UPDATE delivery SET next_at = NULL",
    ] {
        let refused = connection.execute(attack, []).unwrap_err().to_string();
        assert!(refused.contains("CHECK constraint failed"), "{attack}: {refused}");
    }
}

#[test]
fn a_row_that_no_state_explains_is_named_and_the_next_batch_goes_on() {
    let folder = folder();
    let (mut store, queries) = sqlite::open(folder.path()).unwrap();
    a_little_of_everything(&mut store);
    let connection = intruder(folder.path());
    connection.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let damage = [
        ("UPDATE payment SET state = 'lost'", "payment."),
        ("UPDATE payment SET state = 'paid', paid_at = NULL", "payment."),
        ("UPDATE payment SET paid_at = 1, currency = 'XXY'", "payment.currency"),
    ];
    let key = [Key::Payment(TENANT, Id::from_raw(101))];
    for (attack, column) in damage {
        connection.execute(attack, []).unwrap();
        let loaded = store.load(&key, &mut State::default()).unwrap_err();
        let read = queries.payment(TENANT, &public("ch_101")).unwrap_err();
        for error in [loaded, read] {
            let StoreError::Inconsistent(text) = &error else { panic!("{attack}: {error:?}") };
            assert!(text.starts_with(column), "{attack}: {text}");
        }
        write(&mut store, |s| s.audit.clear());
    }
    write(&mut store, |s| s.put_payment(&payment(102)));
    assert!(queries.payment(TENANT, &public("ch_102")).unwrap().is_some());
}

#[test]
fn a_sum_beyond_the_column_is_refused_and_leaves_nothing_behind() {
    let folder = folder();
    let (mut store, queries) = sqlite::open(folder.path()).unwrap();
    let fits = Account { debits: i128::from(i64::MAX), ..Account::empty(available(TENANT)) };
    write(&mut store, |s| s.accounts.put(available(TENANT), fits.clone()));
    assert_eq!(queries.accounts(TENANT).unwrap(), [fits]);
    let over = Account { debits: i128::from(i64::MAX) + 1, ..Account::empty(available(LIVE)) };
    let mut state = begun(&mut store);
    state.put_payment(&payment(101));
    state.accounts.put(available(LIVE), over);
    let refused = store.save(&state);
    assert!(matches!(refused, Err(StoreError::Inconsistent(_))), "{refused:?}");
    assert_eq!(queries.payment(TENANT, &public("ch_101")).unwrap(), None);
}

/// The statements that run for every call, in the shapes in which the store writes them.
const HOT: &[(&str, &str)] = &[
    ("payment", "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND id = 1"),
    (
        "payment",
        "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND app = 'a' \
         AND channel = 'c' AND order_no = 'o' AND state <> 'failed'",
    ),
    (
        "payment",
        "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND route = 7 \
         AND number = 'n'",
    ),
    ("payment", "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND public_id = 'p'"),
    (
        "payment",
        "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 \
         AND (created, id) < (5, 5) ORDER BY created DESC, id DESC LIMIT 9",
    ),
    (
        "payment",
        "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND app = 'a' \
         AND channel = 'c' AND created >= 1 AND paid_at IS NOT NULL \
         AND (created, id) < (5, 5) ORDER BY created DESC, id DESC LIMIT 9",
    ),
    (
        "payment",
        "SELECT version FROM payment WHERE merchant = 1 AND mode = 0 AND app = 'a' \
         AND (created, id) > (5, 5) ORDER BY created, id LIMIT 9",
    ),
    (
        "payment",
        "SELECT merchant, mode, id, next_at FROM payment WHERE next_at IS NOT NULL \
         AND next_at <= 9 ORDER BY next_at LIMIT 9",
    ),
    (
        "refund",
        "SELECT merchant, mode, id, payment FROM refund WHERE op_next_at IS NOT NULL \
         AND op_next_at <= 9 ORDER BY op_next_at LIMIT 9",
    ),
    (
        "refund",
        "SELECT version FROM refund WHERE merchant = 1 AND mode = 0 AND payment = 1 \
         ORDER BY created, id",
    ),
    (
        "refund",
        "SELECT version FROM refund WHERE merchant = 1 AND mode = 0 AND batch = 1 ORDER BY id",
    ),
    (
        "delivery",
        "SELECT merchant, mode, id, endpoint FROM delivery WHERE next_at IS NOT NULL \
         AND next_at <= 9 AND endpoint NOT IN (1, 2) ORDER BY next_at LIMIT 9",
    ),
    (
        "delivery",
        "SELECT version FROM delivery WHERE merchant = 1 AND mode = 0 AND event = 1 ORDER BY id",
    ),
    (
        "receipt",
        "SELECT late FROM receipt WHERE merchant = 1 AND mode = 0 AND route = 7 \
         AND trade_no = 't'",
    ),
    ("account", "SELECT held FROM account WHERE merchant = 1 AND mode = 0 AND path = 'p'"),
    ("route", "SELECT name FROM route WHERE id = 7"),
    ("api_key", "SELECT hint FROM api_key WHERE hash = x'00'"),
    ("event", "SELECT body FROM event WHERE merchant = 1 AND mode = 0 AND public_id = 'e'"),
];

#[test]
fn the_schema_serves_every_hot_statement_without_a_scan_or_a_sort() {
    let folder = folder();
    let _store = sqlite::open(folder.path()).unwrap();
    let connection = intruder(folder.path());
    for (table, sql) in HOT {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        let plan = plan.join("; ");
        assert!(plan.starts_with(&format!("SEARCH {table} USING ")), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn a_thousand_payments_are_written_in_batches_and_listed() {
    let folder = folder();
    let (mut store, queries) = sqlite::open(folder.path()).unwrap();
    for first in (1..=961).step_by(64) {
        write(&mut store, |s| {
            for id in first..first + 64 {
                s.put_payment(&Payment { created: at(0), ..payment(id) });
            }
        });
    }
    let page = crate::Page { limit: 100, after: Some((at(0), 512)), before: None };
    let listed = queries.payments(TENANT, &crate::PaymentFilter::default(), &page).unwrap();
    assert_eq!(listed.rows.first().map(|p| p.id.raw()), Some(511));
    assert_eq!((listed.rows.len(), listed.has_more), (100, true));
}

//! Payments and refunds through the engine.

use domain::channel::{Closed, PaymentFound, Prepared, RefundFound};
use domain::command::Ending;
use domain::operation::{OperationState, Outcome, RefusalClass};
use domain::payment::{CloseReason, Credential, PaymentState};
use domain::refund::RefundState;
use domain::refusal::Refusal;

use super::world::{World, proof, trouble};
use crate::PayError;

fn is_paid(state: &PaymentState) -> bool {
    matches!(state, PaymentState::Paid(_))
}

#[tokio::test]
async fn a_repeated_create_is_the_same_payment_and_another_one_is_refused() {
    let world = World::new().await;
    let first = world.engine.open_payment(world.new_payment("a1", 100)).await.unwrap();
    let again = world.engine.open_payment(world.new_payment("a1", 100)).await.unwrap();
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.payment.id, again.payment.id);
    let other = world.engine.open_payment(world.new_payment("a1", 101)).await;
    assert!(matches!(other, Err(PayError::Refused(Refusal::OrderNoUsed(_)))), "{other:?}");
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn many_creates_at_once_of_one_order_make_one_payment() {
    let world = World::new().await;
    let mut tasks = Vec::new();
    for _ in 0..32 {
        let (engine, new) = (world.engine.clone(), world.new_payment("race", 100));
        tasks.push(tokio::spawn(async move { engine.open_payment(new).await }));
    }
    let mut ids = std::collections::HashSet::new();
    let mut new = 0;
    for task in tasks {
        let opening = task.await.unwrap().unwrap();
        ids.insert(opening.payment.id);
        new += usize::from(opening.is_new);
    }
    assert_eq!((ids.len(), new), (1, 1));
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_notice_settles_once_however_often_it_comes() {
    let world = World::new().await;
    let payment = world.open("a1").await;
    for _ in 0..3 {
        assert_eq!(world.notice("a1 100 t1").await, "success");
    }
    assert!(is_paid(&world.payment(&payment).state));
    let events = world.queries.events(
        world.tenant,
        &Default::default(),
        &store::Page { limit: 10, ..Default::default() },
    );
    assert_eq!(events.unwrap().rows.len(), 1);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_forged_or_wrong_notice_changes_nothing() {
    let world = World::new().await;
    let payment = world.open("a1").await;
    assert_eq!(world.notice("garbled").await, "failure");
    assert_eq!(world.notice("a1 99 t1").await, "failure");
    assert!(matches!(world.payment(&payment).state, PaymentState::Pending { .. }));
    // Signed by the channel about nothing we know: kept for people, not asked for again.
    assert_eq!(world.notice("unknown 100 t1").await, "success");
    assert_eq!(world.queries.backlog_of_all().unwrap().notices_unmatched, 1);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn one_trade_pays_one_payment() {
    let world = World::new().await;
    world.open("a1").await;
    let second = world.open("a2").await;
    assert_eq!(world.notice("a1 100 t1").await, "success");
    assert_eq!(world.notice("a2 100 t1").await, "failure");
    assert!(!is_paid(&world.payment(&second).state));
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_lost_notice_is_found_by_the_query_schedule() {
    let world = World::new().await;
    let payment = world.open("a1").await;
    let found = PaymentFound::Paid { proof: proof(100, "t1") };
    world.channel.0.lock().unwrap().query.push_back(Outcome::Accepted(found));
    world.advance(6);
    world.until("the query settles it", || is_paid(&world.payment(&payment).state)).await;
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn an_expired_payment_is_asked_after_then_closed_and_money_after_that_goes_back() {
    let world = World::new().await;
    let payment = world.open("a1").await;
    world.advance(3_601);
    let closed =
        |p: &PaymentState| matches!(p, PaymentState::Closed { why: CloseReason::Expired, .. });
    world.until("it is closed", || closed(&world.payment(&payment).state)).await;
    let calls = world.calls();
    assert_eq!(calls.last().map(String::as_str), Some("close a1"), "{calls:?}");
    assert!(calls.iter().any(|c| c == "query a1"));

    assert_eq!(world.notice("a1 100 t1").await, "success");
    assert_eq!(world.notice("a1 100 t1").await, "success");
    let sent = || world.calls().iter().filter(|c| c.starts_with("refund ")).count();
    world.until("the money goes back", || sent() == 1).await;
    assert!(closed(&world.payment(&payment).state));
    let queries = world.queries.clone();
    let suspense = || {
        let accounts = queries.accounts(world.tenant).unwrap();
        accounts.iter().find(|a| a.key.path.to_text().contains("suspense")).unwrap().balance()
    };
    world.until("suspense is empty", || suspense() == 0).await;
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_payment_that_arrives_while_it_is_closed_counts() {
    let world = World::new().await;
    let payment = world.open("a1").await;
    {
        let mut script = world.channel.0.lock().unwrap();
        script.close.push_back(Outcome::Accepted(Closed::AlreadyPaid));
        let found = PaymentFound::Paid { proof: proof(100, "t1") };
        script.query.push_back(Outcome::Accepted(found));
    }
    let after = world.engine.reverse(&payment, Ending::ReverseUnpaid, None).await.unwrap();
    assert!(is_paid(&after.state), "{:?}", after.state);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn an_unanswered_prepare_is_continued_by_the_same_request() {
    let world = World::new().await;
    world.channel.0.lock().unwrap().must_ask = true;
    let lost = Outcome::Unknown(trouble(RefusalClass::Connection));
    world.channel.0.lock().unwrap().prepare.push_back(lost);
    let first = world.engine.open_payment(world.new_payment("a1", 100)).await;
    assert!(matches!(first, Err(PayError::Channel(_))), "{first:?}");
    let second = world.engine.open_payment(world.new_payment("a1", 100)).await.unwrap();
    let PaymentState::Pending { credential } = &second.payment.state else {
        panic!("{:?}", second.payment.state)
    };
    assert!(matches!(credential, Credential::Qr(_)));
    assert_eq!(world.calls(), ["prepare a1", "prepare a1"]);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_refused_prepare_frees_its_order_number() {
    let world = World::new().await;
    world.channel.0.lock().unwrap().must_ask = true;
    let refused = Outcome::Refused(trouble(RefusalClass::Business));
    world.channel.0.lock().unwrap().prepare.push_back(refused);
    let first = world.engine.open_payment(world.new_payment("a1", 100)).await;
    assert!(matches!(first, Err(PayError::Channel(_))));
    let second = world.engine.open_payment(world.new_payment("a1", 100)).await.unwrap();
    assert!(second.is_new);
    assert_ne!(second.payment.number.as_str(), "a1", "the number is not used twice upstream");
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_scanned_payment_is_paid_at_once() {
    let world = World::new().await;
    {
        let mut script = world.channel.0.lock().unwrap();
        script.must_ask = true;
        script.prepare.push_back(Outcome::Accepted(Prepared::Paid(proof(100, "t1"))));
    }
    let payment = world.open("a1").await;
    assert!(is_paid(&payment.state));
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn a_refund_of_unknown_outcome_is_asked_after_and_never_renumbered() {
    let world = World::new().await;
    let payment = world.paid("a1").await;
    {
        let mut script = world.channel.0.lock().unwrap();
        script.refund.push_back(Outcome::Unknown(trouble(RefusalClass::Connection)));
        script.query_refund.push_back(Outcome::Accepted(RefundFound::Nothing));
    }
    let command = world.refund_command(&payment, None);
    let (number, id) = (command.number.to_string(), command.public_id.clone());
    let (refund, _, _) = world.engine.refund(command).await.unwrap();
    assert_eq!(refund.state, RefundState::Pending);
    let done = || {
        let refund = world.queries.refund(world.tenant, &id).unwrap().unwrap();
        matches!(refund.state, RefundState::Succeeded { .. })
    };
    world.advance(11);
    world
        .until("not found is recorded: it is to be sent again", || {
            let refund = world.queries.refund(world.tenant, &id).unwrap().unwrap();
            refund.operation.is_some_and(|o| o.state == OperationState::Intent)
        })
        .await;
    assert!(world.calls().contains(&format!("query_refund {number}")));
    world.advance(11);
    world.until("it is done", done).await;
    let sent = format!("refund {number}");
    assert_eq!(world.calls().iter().filter(|c| **c == sent).count(), 2);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn refunds_that_race_never_exceed_the_payment() {
    let world = World::new().await;
    let payment = world.paid("a1").await;
    let mut tasks = Vec::new();
    for _ in 0..32 {
        let (engine, command) = (world.engine.clone(), world.refund_command(&payment, Some(10)));
        tasks.push(tokio::spawn(async move { engine.refund(command).await }));
    }
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            Err(PayError::Refused(Refusal::AlreadyRefunded)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(done, 10);
    assert_eq!(world.payment(&payment).refunded.minor(), 100);
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn what_is_queued_at_the_end_is_committed() {
    let world = World::new().await;
    let (engine, new) = (world.engine.clone(), world.new_payment("last", 100));
    let task = tokio::spawn(async move { engine.open_payment(new).await });
    let opening = task.await.unwrap().unwrap();
    let folder = world.folder.path().to_owned();
    world.running.stop(world.engine).await;
    drop(world.queries);
    let (_, queries) = store::sqlite::open(&folder).unwrap();
    let queries: &dyn store::Queries = &*queries;
    assert!(queries.payment(world.tenant, &opening.payment.public_id).unwrap().is_some());
}

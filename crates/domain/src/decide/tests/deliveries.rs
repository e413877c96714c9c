//! Deliveries: claims and leases, tries again, the end, and sending again by hand.

use super::book::*;
use crate::command::{ClaimDeliveries, Command, Decided, RecordDelivery, Resend};
use crate::event::{CourierAnswer, CourierFailure, Delivery, DeliveryState};
use crate::operation::LEASE_SECONDS;
use crate::refusal::Refusal;

fn one_delivery() -> (Book, Delivery) {
    let mut book = Book::with_merchants(1);
    book.paid("a", 100);
    let mut all = book.deliveries.values();
    let delivery = all.next().unwrap().clone();
    assert!(all.next().is_none());
    (book, delivery)
}

fn claim(book: &mut Book, delivery: &Delivery) -> Option<Delivery> {
    let deliveries = vec![(delivery.tenant, delivery.id)];
    match book.run(Command::ClaimDeliveries(ClaimDeliveries { deliveries })) {
        Ok(Decided::Deliveries(mut claimed)) => claimed.pop(),
        other => panic!("{other:?}"),
    }
}

fn answered(status: u16) -> CourierAnswer {
    CourierAnswer::Answered { status, excerpt: "".into() }
}

fn record(
    book: &mut Book,
    delivery: &Delivery,
    answer: CourierAnswer,
    retry_seconds: Option<i64>,
) -> Result<Delivery, Refusal> {
    let (tenant, token, delivery) = (delivery.tenant, delivery.token, delivery.id);
    let record = RecordDelivery { tenant, delivery, token, answer, retry_seconds };
    match book.run(Command::RecordDelivery(record))? {
        Decided::Delivery(delivery) => Ok(delivery),
        other => panic!("{other:?}"),
    }
}

fn resend(book: &mut Book, delivery: &Delivery) -> Delivery {
    let resend = Resend { tenant: delivery.tenant, delivery: delivery.id };
    match book.run(Command::Resend(resend)) {
        Ok(Decided::Delivery(delivery)) => delivery,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_delivery_is_claimed_once_until_its_lease_ends() {
    let (mut book, delivery) = one_delivery();
    let first = claim(&mut book, &delivery).unwrap();
    assert_eq!((first.state, first.tries, first.token), (DeliveryState::Sending, 1, 1));
    assert_eq!(claim(&mut book, &delivery), None);
    book.now = book.now.plus_seconds(LEASE_SECONDS);
    let second = claim(&mut book, &delivery).unwrap();
    assert_eq!((second.tries, second.token), (2, 2));
    // The first worker was slow: its word no longer counts, the second's does.
    assert_eq!(record(&mut book, &first, answered(200), None), Err(Refusal::Stale));
    assert_eq!(book.tries.len(), 0);
    let done = record(&mut book, &second, answered(204), Some(60)).unwrap();
    assert_eq!((done.state, done.next_at), (DeliveryState::Delivered, None));
    assert_eq!(record(&mut book, &second, answered(500), Some(60)), Err(Refusal::Stale));
    assert_eq!(book.tries.iter().map(|t| t.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_failed_try_waits_for_the_next_and_the_last_one_is_the_end() {
    let (mut book, delivery) = one_delivery();
    let first = claim(&mut book, &delivery).unwrap();
    let waiting = record(&mut book, &first, answered(302), Some(60)).unwrap();
    assert_eq!(waiting.state, DeliveryState::Waiting);
    assert_eq!(waiting.next_at, Some(book.now.plus_seconds(60)));
    book.now = book.now.plus_seconds(59);
    assert_eq!(claim(&mut book, &delivery), None);
    book.now = book.now.plus_seconds(1);
    let last = claim(&mut book, &delivery).unwrap();
    let unreachable = CourierAnswer::Failed(CourierFailure::Unreachable);
    let dead = record(&mut book, &last, unreachable, None).unwrap();
    assert_eq!((dead.state, dead.next_at), (DeliveryState::Dead, None));
    book.now = book.now.plus_seconds(1_000_000);
    assert_eq!(claim(&mut book, &delivery), None);
}

#[test]
fn a_dead_or_delivered_message_can_be_sent_again_by_hand_but_not_one_on_its_way() {
    for status in [200, 500] {
        let (mut book, delivery) = one_delivery();
        let first = claim(&mut book, &delivery).unwrap();
        assert_eq!(resend(&mut book, &delivery), first, "it is on its way already");
        let ended = record(&mut book, &first, answered(status), None).unwrap();
        let again = resend(&mut book, &ended);
        assert_eq!((again.state, again.next_at), (DeliveryState::Waiting, Some(book.now)));
        let second = claim(&mut book, &delivery).unwrap();
        assert_eq!((second.id, second.tries, second.token), (first.id, 2, 2));
        record(&mut book, &second, answered(200), None).unwrap();
    }
}

#[test]
fn only_endpoints_that_want_an_event_get_it() {
    let mut book = Book::with_merchants(1);
    let mut endpoint = book.endpoints.values().next().unwrap().clone();
    endpoint.events = vec!["refund.succeeded".into()];
    book.admin(crate::command::Admin::PutEndpoint(endpoint));
    book.paid("a", 100);
    assert_eq!((book.events.len(), book.deliveries.len()), (1, 0));
}

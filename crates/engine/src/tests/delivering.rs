//! Deliveries through the engine.

use domain::event::DeliveryState;
use store::{EventFilter, Page};

use super::world::World;

fn deliveries(world: &World) -> Vec<domain::event::Delivery> {
    let page = Page { limit: 10, ..Page::default() };
    let events = world.queries.events(world.tenant, &EventFilter::default(), &page).unwrap();
    let event = events.rows.first().unwrap().id;
    world.queries.deliveries(world.tenant, event).unwrap().into_iter().map(|(d, _)| d).collect()
}

#[tokio::test]
async fn a_failed_delivery_is_sent_again_with_the_same_body_until_it_is_taken() {
    let mut world = World::new().await;
    world.courier.statuses.lock().unwrap().extend([500, 302]);
    world.paid("a1").await;
    let first = world.message().await;
    world
        .until("the failure is recorded", || {
            deliveries(&world)[0].tries == 1
                && deliveries(&world)[0].state == DeliveryState::Waiting
        })
        .await;
    world.advance(5);
    let second = world.message().await;
    world
        .until("the redirect is recorded", || {
            deliveries(&world)[0].tries == 2
                && deliveries(&world)[0].state == DeliveryState::Waiting
        })
        .await;
    world.advance(10);
    let third = world.message().await;
    assert_eq!([&*first, &*second, &*third], ["charge.succeeded a1"; 3]);
    world
        .until("it is delivered", || deliveries(&world)[0].state == DeliveryState::Delivered)
        .await;
    assert_eq!(world.finish().await, []);
}

#[tokio::test]
async fn past_the_schedule_a_delivery_is_dead_and_can_be_sent_again_by_hand() {
    let mut world = World::new().await;
    world.courier.statuses.lock().unwrap().extend([500, 500, 500]);
    world.paid("a1").await;
    for seconds in [5, 10, 0] {
        world.message().await;
        world
            .until("the failure is recorded", || {
                deliveries(&world)[0].state != DeliveryState::Sending
            })
            .await;
        world.advance(seconds);
    }
    let dead = deliveries(&world)[0].clone();
    assert_eq!(dead.state, DeliveryState::Dead);
    let resend = domain::command::Resend { tenant: world.tenant, delivery: dead.id };
    world.engine.submit(domain::command::Command::Resend(resend)).await.unwrap();
    assert_eq!(&*world.message().await, "charge.succeeded a1");
    world
        .until("it is delivered", || deliveries(&world)[0].state == DeliveryState::Delivered)
        .await;
    assert_eq!(world.finish().await, []);
}

//! The graceful end: no new connection, running requests finish, nothing is held for ever.

use std::time::Duration;

use serde_json::json;
use server::Limits;

use crate::wire::{Client, listen, statuses};
use crate::world::{TEST_KEY, World, charge, within};

fn create(order_no: &str) -> String {
    let body = charge(order_no, json!({"success_url": "https://s.invalid"}));
    format!(
        "POST /v1/charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TEST_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn payments(queries: &dyn store::Queries) -> Vec<String> {
    let mut found = Vec::new();
    let each = &mut |row: store::BookRow| {
        if let store::BookRow::Payment(payment) = row {
            found.push(payment.order_no.to_string());
        }
        true
    };
    queries.walk_books_of_all(each).unwrap();
    found
}

#[tokio::test]
async fn a_running_request_is_finished_and_no_new_connection_is_taken() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    let held = world.hold_store().await;
    let mut client = Client::connect(&server).await;
    world.until_in_lane(client.write(create("order1"))).await;
    server.stop.send(true).unwrap();
    within("the listener is gone", async {
        while tokio::net::TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!server.ended.is_finished(), "it must wait for the request");
    drop(held);
    let answer = client.read_to_end().await;
    assert_eq!(statuses(&answer), [200]);
    assert!(answer.contains("\"order_no\":\"order1\""), "{answer}");
    within("the server ends", server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_and_holds_nothing() {
    let world = World::new().await;
    let limits = Limits { drain_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = listen(world.site(), limits).await;
    // One that never speaks, one in the middle of its body, one that waits for the store.
    let silent = Client::connect(&server).await;
    let mut halfway = Client::connect(&server).await;
    halfway.write(&create("order1")[..200]).await;
    let held = world.hold_store().await;
    let mut waits = Client::connect(&server).await;
    world.until_in_lane(waits.write(create("order2"))).await;
    server.stop.send(true).unwrap();
    within("the server ends", server.ended).await.unwrap().unwrap();
    for client in [silent, halfway, waits] {
        assert_eq!(client.read_to_end().await, "");
    }
    drop(held);
    // The engine ends only when nobody holds it any more; then what was queued is decided, although
    // its client is gone.
    let queries = world.queries.clone();
    within("the engine ends", world.finish()).await;
    assert_eq!(payments(&*queries), ["order2"]);
}

#[tokio::test]
async fn a_full_server_stops_as_well() {
    let world = World::new().await;
    let drain_timeout = Duration::from_millis(200);
    let limits = Limits { connections_max: 1, drain_timeout, ..Limits::default() };
    let server = listen(world.site(), limits).await;
    let mut client = Client::connect(&server).await;
    client.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(statuses(&client.read_answer().await), [200]);
    server.stop.send(true).unwrap();
    within("the server ends", server.ended).await.unwrap().unwrap();
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn a_server_whose_owner_is_gone_stops() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    drop(server.stop);
    within("the server ends", server.ended).await.unwrap().unwrap();
}

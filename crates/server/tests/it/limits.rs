//! The limits of the listener (specs/reliability.md SEC-46, SEC-49, SEC-79), over a real socket.

use std::time::Duration;

use server::Limits;

use crate::wire::{Client, exchange, listen, statuses};
use crate::world::{TEST_KEY, World};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_slow_head_is_cut_and_others_are_served_meanwhile() {
    let world = World::new().await;
    let limits = Limits { header_timeout: SHORT, ..Limits::default() };
    let server = listen(world.site(), limits).await;
    let mut slow = Client::connect(&server).await;
    slow.write("GET /health HTTP/1.1\r\nHost: x\r\nX-Slow").await;
    let other = exchange(&server, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(statuses(&other), [200]);
    assert!(!statuses(&slow.read_to_end().await).contains(&200));
}

#[tokio::test]
async fn an_idle_connection_is_ended_after_its_answers() {
    let world = World::new().await;
    let limits = Limits { header_timeout: SHORT, ..Limits::default() };
    let server = listen(world.site(), limits).await;
    let mut client = Client::connect(&server).await;
    for _ in 0..2 {
        client.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(statuses(&client.read_answer().await), [200]);
    }
    assert_eq!(client.read_to_end().await, "");
}

fn post(headers: &str) -> String {
    format!("POST /v1/charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TEST_KEY}\r\n{headers}")
}

#[tokio::test]
async fn a_body_that_stalls_is_refused_in_the_dialects_shape() {
    let world = World::new().await;
    let limits = Limits { body_timeout: SHORT, ..Limits::default() };
    let server = listen(world.site(), limits).await;
    let answer = exchange(&server, post("Content-Length: 100\r\n\r\n{\"a\":")).await;
    assert_eq!(statuses(&answer), [400]);
    assert!(answer.contains("\"type\":\"invalid_request_error\""), "{answer}");
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_in_the_dialects_shape() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    let long = "x".repeat(64 * 1024 + 1);
    for body in [
        format!("Connection: close\r\nContent-Length: {}\r\n\r\n{long}", long.len()),
        format!(
            "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
            long.len()
        ),
    ] {
        let answer = exchange(&server, post(&body)).await;
        assert_eq!(statuses(&answer), [400]);
        assert!(answer.contains("\"message\":") && answer.contains("65536 bytes"), "{answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_and_one_that_waits_for_the_word_are_read() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    let chunked = "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = exchange(&server, post(chunked)).await;
    assert!(answer.contains("\"param\":\"order_no\"") || answer.contains("missing"), "{answer}");
    let mut client = Client::connect(&server).await;
    let waits = "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    client.write(post(waits)).await;
    client.write("{}").await;
    assert_eq!(statuses(&client.read_to_end().await), [100, 400]);
}

#[tokio::test]
async fn a_hundred_headers_are_read_and_more_are_not() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    for (count, status) in [(100, 200), (101, 431)] {
        let mut request = "GET /health HTTP/1.1\r\nConnection: close\r\n".to_owned();
        for n in 1..count {
            request += &format!("X-{n}: 1\r\n");
        }
        let answer = exchange(&server, request + "\r\n").await;
        assert_eq!(statuses(&answer), [status], "{count} headers");
    }
}

#[tokio::test]
async fn a_head_over_16_kib_is_refused() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    for (bytes, status) in [(15 * 1024, 200), (17 * 1024, 431)] {
        let filler = "x".repeat(bytes);
        let request = format!("GET /health HTTP/1.1\r\nConnection: close\r\nX: {filler}\r\n\r\n");
        assert_eq!(statuses(&exchange(&server, request).await), [status], "{bytes} bytes");
    }
}

/// Each of these could be read in two ways by two programs in a row. Either it is refused, or it is
/// answered once and the connection ends, so that what follows is never taken for a request.
#[tokio::test]
async fn a_request_hidden_behind_another_is_never_answered() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    let hidden = "GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n";
    let clear = post(&format!("Content-Length: 2\r\n\r\n{{}}{hidden}"));
    assert_eq!(statuses(&exchange(&server, clear).await), [400, 200], "what is clear is answered");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for framing in [
        format!("Content-Length: 3\r\n{chunked}\r\n0\r\n\r\n"),
        format!("{chunked}Content-Length: 3\r\n\r\n0\r\n\r\n"),
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc".into(),
        "Content-Length: 3, 4\r\n\r\nabc".into(),
        "Content-Length: +3\r\n\r\nabc".into(),
        "Content-Length: -1\r\n\r\n".into(),
        "Content-Length: 0x3\r\n\r\nabc".into(),
        "Content-Length: 99999999999999999999\r\n\r\nabc".into(),
        "Content-Length : 3\r\n\r\nabc".into(),
        " Content-Length: 3\r\n\r\nabc".into(),
        "Transfer-Encoding: gzip\r\n\r\nabc".into(),
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".into(),
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".into(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".into(),
        format!("{chunked}\r\nG\r\nabc\r\n0\r\n\r\n"),
        format!("{chunked}\r\n-1\r\nabc\r\n0\r\n\r\n"),
        format!("{chunked}\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        format!("{chunked}\r\n3\r\nabcd\r\n0\r\n\r\n"),
        "X: a\rb\r\n\r\n".into(),
        "X: a\0b\r\n\r\n".into(),
        "no colon\r\n\r\n".into(),
    ] {
        let answer = exchange(&server, format!("{}{hidden}", post(&framing))).await;
        let statuses = statuses(&answer);
        assert!(statuses.len() <= 1, "{framing:?}: {answer}");
        assert!(statuses.iter().all(|status| (400..500).contains(status)), "{framing:?}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    for garbage in [
        "\r\n\r\n\r\nnonsense\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
        "GET http://[::1 HTTP/1.1\r\n\r\n",
    ] {
        let answer = exchange(&server, garbage).await;
        assert!(statuses(&answer).iter().all(|s| (400..600).contains(s)), "{garbage:?}: {answer}");
    }
    let alive = exchange(&server, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(statuses(&alive), [200]);
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_a_place() {
    let world = World::new().await;
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let server = listen(world.site(), limits).await;
    let mut first = Client::connect(&server).await;
    first.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(statuses(&first.read_answer().await), [200]);
    let mut second = Client::connect(&server).await;
    second.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // The first is answered again although the second came before its next request.
    first.write("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(statuses(&first.read_answer().await), [200]);
    drop(first);
    assert_eq!(statuses(&second.read_answer().await), [200]);
}

#[tokio::test]
async fn the_node_sdk_is_never_kept_and_no_answer_names_the_program() {
    let world = World::new().await;
    let server = listen(world.site(), Limits::default()).await;
    let node = "User-Agent: Pingpp/v1 NodeBindings/2.1.6\r\nContent-Length: 2\r\n\r\n{}";
    let answer = exchange(&server, post(node)).await;
    assert_eq!(statuses(&answer), [400]);
    let head = answer.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    assert!(head.contains("connection: close") && !head.contains("server:"), "{head}");
}

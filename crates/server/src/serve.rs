//! The accept loop: limits on connections, headers and time; a graceful end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Limits of the listener (specs/reliability.md SEC-49, SEC-79).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at one time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Time for a whole request head, also between two requests of a connection.
    pub header_timeout: Duration,
    /// Time between two pieces of a body.
    pub body_timeout: Duration,
    /// Bytes of a request head, at least 8,192. (A hundred headers are hyper's own limit; stating
    /// it would cost an allocation a request.)
    pub head_bytes_max: usize,
    /// Time that running requests get at the end.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 10_000,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(15),
            head_bytes_max: 16 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves until `stop` turns true, then lets running requests finish and ends the connections that
/// do not. When it returns, nothing holds the router any more.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder
        // Without a timer hyper forgets the header time-out in silence.
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.head_bytes_max.max(8 * 1024))
        .keep_alive(true);
    let mut connections = JoinSet::new();
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    tokio::pin!(stopped);
    loop {
        let next = async { (places.clone().acquire_owned().await, listener.accept().await) };
        let (place, stream) = tokio::select! {
            next = next => match next {
                (place, Ok((stream, _))) => (place, stream),
                (_, Err(error)) => {
                    // A client that left, or too many open files: neither ends the server.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = &mut stopped => break,
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    connections.shutdown().await;
    Ok(())
}

//! A closed loop: each connection sends its next request when the answer to the last one is whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One request of a case.
#[derive(Clone)]
pub struct Shot {
    /// GET or POST.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// A word that the answer must hold.
    pub expect: &'static str,
}

/// Makes the n-th request, or none: then the case is over.
pub type Shots = Arc<dyn Fn(usize) -> Option<Shot> + Send + Sync>;

/// What a loop measured.
pub struct Measured {
    /// Time of each answer, microseconds.
    pub times_us: Vec<u64>,
    /// Answers other than expected.
    pub errors: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Measured {
    /// Answers a second.
    pub fn per_second(&self) -> u64 {
        per_second(self.times_us.len(), self.elapsed)
    }

    /// The time below which `percent` of the answers stayed.
    pub fn percentile_us(&mut self, percent: usize) -> u64 {
        self.times_us.sort_unstable();
        let last = self.times_us.len().saturating_sub(1);
        self.times_us.get(last * percent / 100).copied().unwrap_or(0)
    }
}

/// Whole things a second.
pub fn per_second(count: usize, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    let count = u128::try_from(count).unwrap_or(0);
    u64::try_from(count * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Drives `connections` loops until `time` is over or the shots run out.
pub async fn drive(
    address: SocketAddr,
    connections: usize,
    time: Option<Duration>,
    shots: Shots,
) -> Result<Measured> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = Vec::with_capacity(connections);
    for _ in 0..connections {
        senders.push(connect(address).await?);
    }
    let begin = Instant::now();
    let end = time.map(|t| begin + t);
    let mut loops = Vec::with_capacity(connections);
    for sender in senders {
        let (next, shots) = (next.clone(), shots.clone());
        loops.push(tokio::spawn(one_loop(sender, next, shots, end)));
    }
    let (mut times_us, mut errors) = (Vec::new(), 0);
    for one in loops {
        let (times, failed) = one.await.context("a loop ended badly")??;
        times_us.extend(times);
        errors += failed;
    }
    Ok(Measured { times_us, errors, elapsed: begin.elapsed() })
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn one_loop(
    mut sender: SendRequest<Full<Bytes>>,
    next: Arc<AtomicUsize>,
    shots: Shots,
    end: Option<Instant>,
) -> Result<(Vec<u64>, u64)> {
    let (mut times, mut errors) = (Vec::with_capacity(4_096), 0);
    while end.is_none_or(|end| Instant::now() < end) {
        let Some(shot) = shots(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let mut request = Request::builder()
            .method(shot.method)
            .uri(shot.target)
            .header(header::HOST, "127.0.0.1");
        for (name, value) in shot.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(shot.body))?;
        let begin = Instant::now();
        let answer = sender.send_request(request).await?;
        let ok = answer.status().is_success();
        let body = answer.into_body().collect().await?.to_bytes();
        times.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
        let expected = shot.expect.as_bytes();
        let found = expected.is_empty() || body.windows(expected.len()).any(|w| w == expected);
        if !ok || !found {
            if errors == 0 {
                eprintln!("unexpected answer: {}", String::from_utf8_lossy(&body));
            }
            errors += 1;
        }
    }
    Ok((times, errors))
}

//! For tests: a host on loopback that answers byte by byte as it is told, and remembers what it was
//! asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The request line.
    pub line: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Counts connections from 0.
    pub connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What follows the `?` of the request line.
    pub(crate) fn query(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// One thing that the host does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes again and again, with a pause between.
    Repeat(Vec<u8>, Duration),
    /// Holds the connection open and says nothing more.
    Stall,
    /// Resets the connection.
    Reset,
    /// Closes it in good order.
    Close,
}

/// A whole answer of HTTP/1.1.
pub(crate) fn answer(status: u16, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
    vec![Step::Send([head.as_bytes(), body].concat())]
}

pub(crate) struct FarSide {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FarSide {
    /// Starts a host on loopback; it ends with its test's runtime.
    pub(crate) async fn start(act: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> FarSide {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = FarSide { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, act) = (far.seen.clone(), Arc::new(act));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, connection, seen.clone(), act.clone()));
                connection += 1;
            }
        });
        far
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
    act: Arc<impl Fn(&Seen) -> Vec<Step>>,
) {
    while let Some(request) = read(&mut stream, connection).await {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        for step in act(&request) {
            let go_on = match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
                Step::Repeat(bytes, pause) => {
                    while stream.write_all(&bytes).await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                    false
                }
                Step::Stall => {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    false
                }
                Step::Reset => {
                    let _ = stream.set_zero_linger();
                    false
                }
                Step::Close => false,
            };
            if !go_on {
                return;
            }
        }
    }
}

async fn read(stream: &mut TcpStream, connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let split = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<(String, String)> = lines.filter_map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap_or(0));
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).ok()?;
    Some(Seen { line, headers, body, connection })
}

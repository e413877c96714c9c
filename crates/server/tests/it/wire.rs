//! A real listener, and a client that writes bytes as they are.

use std::net::SocketAddr;

use server::{Limits, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::within;

pub struct Listening {
    pub address: SocketAddr,
    pub stop: watch::Sender<bool>,
    pub ended: JoinHandle<std::io::Result<()>>,
}

/// Serves the site on a port of its own.
pub async fn listen(site: Site, limits: Limits) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let router = server::router(Site { limits: limits.clone(), ..site });
    let ended = tokio::spawn(server::serve(listener, router, limits, stopped));
    Listening { address, stop, ended }
}

pub struct Client(TcpStream);

impl Client {
    pub async fn connect(server: &Listening) -> Client {
        Client(TcpStream::connect(server.address).await.unwrap())
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have closed already, which reading will tell.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Everything until the server ends the connection.
    pub async fn read_to_end(mut self) -> String {
        let mut bytes = Vec::new();
        // A connection reset while bytes of ours lie unread ends it as well.
        let _ = within("the server ends the connection", self.0.read_to_end(&mut bytes)).await;
        String::from_utf8(bytes).unwrap()
    }

    /// One answer with a content length, the connection stays open.
    pub async fn read_answer(&mut self) -> String {
        let mut bytes = Vec::new();
        while !is_whole(&bytes) {
            let mut piece = [0; 4096];
            let read = within("the server answers", self.0.read(&mut piece)).await.unwrap();
            assert_ne!(read, 0, "cut off: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(bytes).unwrap()
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap())
}

/// What the server answers to exactly these bytes, until it ends the connection.
pub async fn exchange(server: &Listening, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(server).await;
    client.write(bytes).await;
    client.read_to_end().await
}

/// The statuses in what came over one connection.
pub fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

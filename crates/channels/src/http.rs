//! The one place that builds HTTP clients and runs exchanges with hosts that we do not trust.
//!
//! No redirects, no proxy from the environment, no cookies, no decompression, no retries; a
//! deadline around the whole exchange and a cap on what is read (specs/reliability.md REL-36,
//! REL-71). It never decides what an answer means.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

use crate::address;

/// What one exchange may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Until the connection stands, name and TLS included. Shorter than `deadline`, so that what
    /// surely was not sent is told apart from what may have been.
    pub connect: Duration,
    /// From the first look-up to the last byte of the body.
    pub deadline: Duration,
    /// How much of the body is read.
    pub body_bytes_max: usize,
}

impl Limits {
    /// For calls to channels.
    pub(crate) const CHANNEL: Limits = Limits {
        connect: Duration::from_secs(5),
        deadline: Duration::from_secs(15),
        body_bytes_max: 1024 * 1024,
    };

    /// For messages to merchants.
    pub(crate) const WEBHOOK: Limits = Limits {
        connect: Duration::from_secs(5),
        deadline: Duration::from_secs(10),
        body_bytes_max: 64 * 1024,
    };
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether `body` is all of it.
    pub is_whole: bool,
    /// Who answered.
    pub peer: Option<SocketAddr>,
}

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The resolver's gatekeeper refused the address; nothing was sent.
    AddressNotAllowed,
    /// No connection, or no TLS on it; nothing was sent.
    NotConnected,
    /// The deadline passed; something may have been sent.
    TimedOut,
    /// The connection broke, or what came was no HTTP; something may have been sent.
    Broken,
}

/// Builds a client; `setup` adds what is special to it.
pub(crate) fn client(limits: Limits, setup: impl Fn(ClientBuilder) -> ClientBuilder) -> Client {
    // Installed once per process; whoever came first has installed the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = || {
        setup(
            Client::builder()
                .user_agent(concat!("sycee/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(limits.connect)
                .pool_idle_timeout(Duration::from_secs(20))
                .pool_max_idle_per_host(32),
        )
    };
    builder().build().unwrap_or_else(|error| {
        tracing::error!(
            %error,
            "this machine has no certificate authorities, so no https host can be reached; \
             install the package ca-certificates and start again"
        );
        let trusting_nobody = builder().tls_certs_only([]).build();
        trusting_nobody.expect("only the machine's certificates can keep a client from being built")
    })
}

/// Runs one exchange within its limits.
pub(crate) async fn exchange(request: RequestBuilder, limits: Limits) -> Result<Reply, Trouble> {
    let whole = async {
        let response = request.send().await.map_err(trouble_of)?;
        read(response, limits.body_bytes_max).await
    };
    tokio::time::timeout(limits.deadline, whole).await.unwrap_or(Err(Trouble::TimedOut))
}

fn trouble_of(error: reqwest::Error) -> Trouble {
    // The address may hold what a payer or a merchant would not like to read in a log.
    let error = error.without_url();
    tracing::debug!(?error, "an exchange broke");
    if address::is_not_allowed(&error) {
        Trouble::AddressNotAllowed
    } else if error.is_connect() || error.is_builder() {
        Trouble::NotConnected
    } else {
        Trouble::Broken
    }
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Reply, Trouble> {
    let (status, peer) = (response.status().as_u16(), response.remote_addr());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Trouble::Broken)? {
        let room = bytes_max - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok(Reply { status, body, is_whole: false, peer });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body, is_whole: true, peer })
}

//! Which addresses a merchant may make us dial (specs/reliability.md §4.5, SEC-61).
//!
//! A name is resolved once, inside the connector, and the answers that were judged are the ones
//! that are dialled; nothing resolves it a second time. This file never sends anything.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::channel::PortFuture;
use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The longest address of a receiver, in characters.
pub(crate) const URL_CHARS_MAX: usize = 250;
/// Ports that are dialled unless others are configured.
const PORTS: &[u16] = &[80, 443, 8080, 8443];
/// How long a name may take to resolve.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(3);

/// An address that may not be dialled. It does not say why, so that nobody maps a network with it
/// (SEC-62).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is not allowed")]
pub(crate) struct NotAllowed;

/// What may be dialled.
#[derive(Clone, Debug)]
pub(crate) struct AddressRule {
    /// Also loopback and private networks; for tests and demonstrations.
    pub allow_private: bool,
    /// Also plain http.
    pub allow_plain_http: bool,
    /// Which ports.
    pub ports: Ports,
}

/// Ports that may be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// 80, 443, 8080 and 8443.
    #[default]
    Usual,
    /// These and no others.
    These(Vec<u16>),
    /// Any; for tests and demonstrations.
    Any,
}

impl Ports {
    fn allow(&self, port: u16) -> bool {
        match self {
            Ports::Usual => PORTS.contains(&port),
            Ports::These(ports) => ports.contains(&port),
            Ports::Any => true,
        }
    }
}

impl AddressRule {
    /// Checks all that can be checked before a name is resolved.
    pub(crate) fn check(&self, text: &str) -> Result<Url, NotAllowed> {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if text.chars().count() > URL_CHARS_MAX || text.contains(odd) {
            return Err(NotAllowed);
        }
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        let scheme = match url.scheme() {
            "https" => true,
            "http" => self.allow_plain_http,
            _ => false,
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        let port = url.port_or_known_default().is_some_and(|port| self.ports.allow(port));
        if !scheme || has_user || !port {
            return Err(NotAllowed);
        }
        // A literal address is never given to the resolver, so it is judged here.
        let host = match url.host().ok_or(NotAllowed)? {
            Host::Domain(name) => is_public_name(name),
            Host::Ipv4(ip) => self.allows(ip.into()),
            Host::Ipv6(ip) => self.allows(ip.into()),
        };
        if host || self.allow_private { Ok(url) } else { Err(NotAllowed) }
    }

    /// Whether this very address may be dialled.
    pub(crate) fn allows(&self, ip: IpAddr) -> bool {
        self.allow_private || is_public(ip)
    }
}

/// Looks names up. A port of its own, so that tests can lie.
pub(crate) trait Resolver: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Stands between the HTTP client and the resolver: the client dials what passes here and nothing
/// else. One answer that may not be dialled spoils all of them.
pub(crate) struct Gatekeeper {
    pub resolver: Arc<dyn Resolver>,
    pub rule: AddressRule,
}

impl Resolve for Gatekeeper {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, rule) = (self.resolver.clone(), self.rule.clone());
        Box::pin(async move {
            let looked_up = tokio::time::timeout(RESOLVE_DEADLINE, resolver.resolve(name.as_str()));
            let found = looked_up.await??;
            if !found.iter().all(|ip| rule.allows(*ip)) {
                return Err(NotAllowed.into());
            }
            let dialled: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(dialled)
        })
    }
}

/// Whether an error began with an address that may not be dialled.
pub(crate) fn is_not_allowed(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotAllowed>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Names that only mean something inside somebody's network.
fn is_public_name(name: &str) -> bool {
    const INSIDE: &[&str] =
        &["localhost", "local", "internal", "localdomain", "lan", "intranet", "home.arpa"];
    let name = name.strip_suffix('.').unwrap_or(name);
    let inside = |zone: &&str| {
        name.strip_suffix(*zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_dotted = name.contains('.') && name.split('.').all(|label| !label.is_empty());
    is_dotted && !INSIDE.iter().any(inside)
}

/// Whether an address is on the public internet. What is not known to be is not.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len)
}

const fn v6(a: u16, b: u16, c: u16, len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), len)
}

/// The special-purpose ranges of IANA's registry, and the metadata host of one cloud that lies
/// outside of them.
const INSIDE_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's host
    v4(169, 254, 0, 0, 16),   // link-local, metadata
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 52, 193, 0, 24),  // AMT
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(192, 175, 48, 0, 24),  // AS112
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !INSIDE_V4.iter().any(|net| net.contains(&ip))
}

/// All that is given out for the public internet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// What of it is special.
const INSIDE_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23),         // protocol assignments: Teredo, ORCHID, benchmarks
    v6(0x2001, 0xdb8, 0, 32),     // documentation
    v6(0x2002, 0, 0, 16),         // 6to4
    v6(0x2620, 0x4f, 0x8000, 48), // AS112
    v6(0x3fff, 0, 0, 20),         // documentation
];
/// Translates to the IPv4 address in its last 32 bits (RFC 6052).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let last = Ipv4Addr::from((u32::from(segments[6]) << 16) | u32::from(segments[7]));
    if ip.to_ipv4_mapped().is_some() || NAT64.contains(&ip) {
        return is_public_v4(last);
    }
    // ISATAP carries an IPv4 address behind a fixed mark (RFC 5214).
    let isatap = matches!(segments[4], 0 | 0x0200) && segments[5] == 0x5efe;
    GLOBAL_V6.contains(&ip)
        && !INSIDE_V6.iter().any(|net| net.contains(&ip))
        && (!isatap || is_public_v4(last))
}

#[cfg(test)]
mod tests;

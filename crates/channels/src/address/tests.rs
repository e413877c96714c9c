use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Mutex;

use super::*;

fn strict() -> AddressRule {
    AddressRule { allow_private: false, allow_plain_http: true, ports: Ports::Usual }
}

/// Hosts as they may stand in an address, with their port where one belongs to the trick. None of
/// them leads to the public internet.
const INSIDE: &[&str] = &[
    // this network
    "0.0.0.0",
    "0",
    "0.0.0.1",
    "0.255.255.255",
    "0x0",
    "00000000000",
    // loopback in all the ways that browsers and libraries read it
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "2130706433.",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F.0.0.0x1",
    "127.0.0.0x1",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    // private and shared
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "012.0.0.1",
    "0xa.1",
    "167772161",
    "172.16.0.0",
    "172.16.0.1",
    "172.31.255.255",
    "0xac.16.1",
    "2886729729",
    "192.168.0.0",
    "192.168.1.1",
    "192.168.255.255",
    "0300.0250.1.1",
    "3232235777",
    "192.168.257",
    "100.64.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    // link-local and metadata
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "0251.0376.0251.0376",
    "2852039166",
    "0xa9fea9fe",
    "168.63.129.16",
    "192.0.0.192",
    // protocol assignments, documentation, relays, benchmarks
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.0.2.255",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.7",
    // multicast, reserved, broadcast
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    // IPv6: nowhere, here, mapped, compatible
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:c0a8:101]",
    "[::ffff:0:0]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::8.8.8.8]",
    "[::ffff:0:127.0.0.1]",
    // NAT64, local NAT64, discard, SRv6
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::10.1.2.3]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[64:ff9b:1::8.8.8.8]",
    "[100::1]",
    "[100:0:0:1::1]",
    "[5f00::1]",
    // Teredo, ORCHID, benchmarks and the other protocol assignments
    "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:1ff:ffff::1]",
    // documentation, 6to4, AS112
    "[2001:db8::1]",
    "[2001:db8:ffff:ffff::1]",
    "[3fff::1]",
    "[3fff:fff::1]",
    "[2002::1]",
    "[2002:7f00:1::1]",
    "[2002:808:808::1]",
    "[2002:c0a8:101::1]",
    "[2620:4f:8000::1]",
    // unique local, link-local, site-local, multicast, not given out
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[4000::1]",
    "[8000::1]",
    "[e000::1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    // ISATAP around private addresses
    "[2600:1:2:3:0:5efe:10.0.0.1]",
    "[2600:1:2:3:200:5efe:127.0.0.1]",
    // names that only mean something inside
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ｌｏｃａｌｈｏｓｔ",
    "a.localhost",
    "x.y.localhost.",
    "metadata.google.internal",
    "metadata.google.internal.",
    "db.internal",
    "printer.local",
    "nas.lan",
    "host.localdomain",
    "router.home.arpa",
    "wiki.intranet",
    "redis",
    "redis.",
    "metadata",
    // no hosts at all
    "",
    ".",
    "..",
    "[",
    "[::1",
    "::1",
    "1.2.3.4.5",
    "256.0.0.1",
    "0x100000000",
    "08.8.8.8",
    "a b.com",
    "a\tb.com",
    "a\u{0}b.com",
    "exa<mple.com",
    "1.2.3.400",
];

/// Hosts that may be dialled, next to the borders of the ranges above.
const OUTSIDE: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "0x08080808",
    "134744072",
    "[2600::1]",
    "[2001:200::1]",
    "[2001:4860:4860::8888]",
    "[2400:3200::1]",
    "[2a00::1]",
    "[2003::1]",
    "[3ffe::1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::8.8.8.8]",
    "[2600:1:2:3:0:5efe:8.8.8.8]",
    "example.com",
    "example.com.",
    "a.b.example.cn",
    "支付.example.cn",
    "localhost.example.com",
    "internal.example.com",
    "notlocal.com",
    "xn--fiq228c.example",
];

#[test]
fn no_way_to_write_an_inside_address_passes() {
    assert!(INSIDE.len() >= 120, "{}", INSIDE.len());
    for host in INSIDE {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/hook");
            // A port does not make it better, and neither does a second slash.
            for url in [url.clone(), url.replace("/hook", ":8080/hook"), url.replace("//", "\\\\")]
            {
                assert_eq!(strict().check(&url).err(), Some(NotAllowed), "{url:?}");
            }
        }
    }
}

#[test]
fn public_hosts_pass_on_both_sides_of_every_border() {
    for host in OUTSIDE {
        let url = format!("http://{host}/hook");
        assert!(strict().check(&url).is_ok(), "{url}");
    }
}

#[test]
fn schemes_users_ports_and_lengths_are_checked_even_for_public_hosts() {
    for bad in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:80/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "//example.com/",
        "example.com",
        "",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://:pass@example.com/",
        "http://example.com:22/",
        "http://example.com:0/",
        "http://example.com:6379/",
        "http://example.com:65536/",
        " http://example.com/",
        "http://example.com/ ",
        "http://example.com/a b",
        "http://example.com/a\nb",
        "http://example.com/a\u{7f}",
    ] {
        assert_eq!(strict().check(bad).err(), Some(NotAllowed), "{bad:?}");
    }
    for good in ["http://example.com", "https://example.com:8443/a?b=c", "http://example.com:8080/"]
    {
        assert!(strict().check(good).is_ok(), "{good}");
    }
    let longest = format!("http://example.com/{}", "支".repeat(URL_CHARS_MAX - 19));
    assert!(strict().check(&longest).is_ok());
    assert!(strict().check(&format!("{longest}x")).is_err());
}

#[test]
fn plain_http_other_ports_and_private_networks_are_opened_by_their_own_settings_only() {
    let rule = AddressRule {
        allow_private: false,
        allow_plain_http: false,
        ports: Ports::These(vec![9000]),
    };
    assert!(rule.check("http://example.com:9000/").is_err());
    assert!(rule.check("https://example.com:9000/").is_ok());
    assert!(rule.check("https://example.com/").is_err(), "configured ports replace the usual ones");
    assert!(rule.check("https://127.0.0.1:9000/").is_err());
    let rule = AddressRule { allow_private: true, ..rule };
    assert!(rule.check("https://127.0.0.1:9000/").is_ok());
    assert!(rule.check("https://localhost:9000/").is_ok());
    assert!(rule.check("http://localhost:9000/").is_err());
    assert!(rule.check("https://user@localhost:9000/").is_err());
}

/// Gives the next of its answers at each look-up.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolver for Script {
    fn resolve<'a>(&'a self, _name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>> {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(std::future::ready(next.ok_or_else(|| io::Error::other("no such name"))))
    }
}

fn gatekeeper(answers: &[&[&str]]) -> Gatekeeper {
    let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
    let script = Script(Mutex::new(answers.iter().map(parse).collect()));
    Gatekeeper { resolver: Arc::new(script), rule: strict() }
}

async fn ask(gatekeeper: &Gatekeeper) -> Result<Vec<String>, bool> {
    match gatekeeper.resolve(Name::from_str("example.com").unwrap()).await {
        Ok(found) => Ok(found.map(|address| address.to_string()).collect()),
        Err(error) => Err(is_not_allowed(&*error)),
    }
}

#[tokio::test]
async fn one_inside_answer_spoils_all_of_them() {
    let public = ["8.8.8.8", "2600::1"];
    assert_eq!(
        ask(&gatekeeper(&[&public])).await,
        Ok(vec!["8.8.8.8:0".to_owned(), "[2600::1]:0".to_owned()])
    );
    for inside in ["127.0.0.1", "10.1.1.1", "::1", "::ffff:10.0.0.1", "fd00::1", "169.254.169.254"]
    {
        assert_eq!(ask(&gatekeeper(&[&[inside]])).await, Err(true), "{inside}");
        assert_eq!(ask(&gatekeeper(&[&[public[0], inside]])).await, Err(true), "{inside}");
        assert_eq!(ask(&gatekeeper(&[&[inside, public[1]]])).await, Err(true), "{inside}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_by_the_answer_that_is_dialled() {
    let rebinding = gatekeeper(&[&["8.8.8.8"], &["127.0.0.1"]]);
    assert!(ask(&rebinding).await.is_ok());
    assert_eq!(ask(&rebinding).await, Err(true));
    assert_eq!(ask(&rebinding).await, Err(false), "an unknown name is no refused address");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_resolve_in_three_seconds_is_given_up() {
    struct Never;
    impl Resolver for Never {
        fn resolve<'a>(&'a self, _name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let gatekeeper = Gatekeeper { resolver: Arc::new(Never), rule: strict() };
    let start = tokio::time::Instant::now();
    assert_eq!(ask(&gatekeeper).await, Err(false));
    assert_eq!(start.elapsed().as_secs(), 3);
}

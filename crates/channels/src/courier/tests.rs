use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::far_side::{FarSide, Seen, Step, answer};

const UNREACHABLE: CourierAnswer = CourierAnswer::Failed(CourierFailure::Unreachable);
const NOT_ALLOWED: CourierAnswer = CourierAnswer::Failed(CourierFailure::AddressNotAllowed);

/// Short enough for a test, long enough for a slow machine.
const SHORT: Limits = Limits {
    connect: Duration::from_millis(700),
    deadline: Duration::from_millis(1_000),
    body_bytes_max: 64 * 1024,
};

/// Every name is this host.
struct Everywhere(IpAddr, AtomicUsize);

impl Resolver for Everywhere {
    fn resolve<'a>(&'a self, _name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(vec![self.0])))
    }
}

fn loopback() -> Arc<Everywhere> {
    Arc::new(Everywhere(Ipv4Addr::LOCALHOST.into(), AtomicUsize::new(0)))
}

fn open(port: u16) -> CourierSettings {
    CourierSettings { allow_private: true, allow_plain_http: true, ports: Ports::These(vec![port]) }
}

fn message(url: String) -> Message {
    Message {
        url: url.into(),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("x-signature".into(), "c2lnbmVk".into()),
        ],
        body: r#"{"type":"charge.succeeded"}"#.into(),
    }
}

/// Sends one message to a host that does this.
async fn send_to(act: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> CourierAnswer {
    let far = FarSide::start(act).await;
    let courier = HttpCourier::new(open(far.address.port()), loopback(), SHORT);
    courier.send(message(far.url("/hook"))).await
}

fn head(more: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes())
}

#[tokio::test]
async fn a_message_arrives_as_it_was_signed_and_the_answer_comes_back() {
    let far = FarSide::start(|_| answer(202, "thanks")).await;
    let courier = HttpCourier::new(open(far.address.port()), loopback(), SHORT);
    let port = far.address.port();
    let answered = courier.send(message(format!("http://shop.example:{port}/hook?a=b"))).await;
    assert_eq!(answered, CourierAnswer::Answered { status: 202, excerpt: "thanks".into() });
    let [seen] = &far.seen()[..] else { panic!("one request") };
    assert_eq!(seen.line, "POST /hook?a=b HTTP/1.1");
    assert_eq!(seen.header("host"), Some(&*format!("shop.example:{port}")));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("x-signature"), Some("c2lnbmVk"));
    assert_eq!(seen.body, r#"{"type":"charge.succeeded"}"#);
    assert_eq!(seen.header("accept-encoding"), None, "nothing is asked to be compressed");
    assert_eq!(seen.header("cookie"), None);
}

#[tokio::test]
async fn connections_are_kept_and_a_kept_one_resolves_nothing_again() {
    let far = FarSide::start(|_| answer(200, "ok")).await;
    let resolver = loopback();
    let courier = HttpCourier::new(open(far.address.port()), resolver.clone(), SHORT);
    for _ in 0..3 {
        let url = format!("http://shop.example:{}/hook", far.address.port());
        assert!(courier.send(message(url)).await.is_success());
    }
    assert!(far.seen().iter().all(|seen| seen.connection == 0));
    assert_eq!(resolver.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cookies_are_not_given_back() {
    let act = |_: &Seen| vec![head("set-cookie: a=b\r\ncontent-length: 0\r\n")];
    let far = FarSide::start(act).await;
    let courier = HttpCourier::new(open(far.address.port()), loopback(), SHORT);
    for _ in 0..2 {
        assert!(courier.send(message(far.url("/"))).await.is_success());
    }
    assert!(far.seen().iter().all(|seen| seen.header("cookie").is_none()));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let trap = FarSide::start(|_| answer(200, "caught")).await;
        let to = trap.url("/inside");
        let act = move |_: &Seen| {
            let text = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {to}\r\nrefresh: 0;url={to}\r\n\
                 content-length: 0\r\n\r\n"
            );
            vec![Step::Send(text.into_bytes())]
        };
        let answered = send_to(act).await;
        assert_eq!(answered, CourierAnswer::Answered { status, excerpt: "".into() });
        assert!(!answered.is_success());
        assert!(trap.seen().is_empty());
    }
}

#[tokio::test]
async fn an_inside_address_is_refused_without_a_byte() {
    let far = FarSide::start(|_| answer(200, "secret")).await;
    let port = far.address.port();
    let strict = || CourierSettings { allow_private: false, ..open(port) };
    let courier = HttpCourier::new(strict(), loopback(), SHORT);
    for host in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "rebound.example", "user@a.example"]
    {
        let answered = courier.send(message(format!("http://{host}:{port}/"))).await;
        assert_eq!(answered, NOT_ALLOWED, "{host}");
    }
    assert!(far.seen().is_empty());
    let plain = CourierSettings { allow_plain_http: false, ..open(port) };
    let courier = HttpCourier::new(plain, loopback(), SHORT);
    assert_eq!(courier.send(message(far.url("/"))).await, NOT_ALLOWED);
    let usual = CourierSettings { ports: Ports::Usual, ..open(port) };
    let courier = HttpCourier::new(usual, loopback(), SHORT);
    assert_eq!(courier.send(message(far.url("/"))).await, NOT_ALLOWED);
    assert!(far.seen().is_empty());
}

#[test]
fn whoever_answered_from_inside_is_not_listened_to() {
    let strict = CourierSettings { allow_private: false, ..open(80) };
    let courier = HttpCourier::new(strict, loopback(), SHORT);
    let from = |peer: &str| Reply {
        status: 200,
        body: b"ok".to_vec(),
        is_whole: true,
        peer: Some(peer.parse().unwrap()),
    };
    assert_eq!(courier.answer_of(from("10.0.0.7:80")), NOT_ALLOWED);
    assert!(courier.answer_of(from("8.8.8.8:80")).is_success());
}

#[tokio::test]
async fn what_cannot_be_reached_is_unreachable_whatever_the_reason() {
    let gone = FarSide::start(|_| vec![Step::Close]).await.address.port();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    struct Nobody;
    impl Resolver for Nobody {
        fn resolve<'a>(&'a self, _name: &'a str) -> PortFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::ready(Err(io::Error::other("no such name"))))
        }
    }
    for (port, scheme) in [(gone, "http"), (closed, "http"), (gone, "https")] {
        let courier = HttpCourier::new(open(port), loopback(), SHORT);
        let answered = courier.send(message(format!("{scheme}://a.example:{port}/"))).await;
        assert_eq!(answered, UNREACHABLE, "{scheme} {port}");
    }
    let courier = HttpCourier::new(open(80), Arc::new(Nobody), SHORT);
    assert_eq!(courier.send(message("http://a.example/".into())).await, UNREACHABLE);
    let broken = Message {
        headers: vec![("bad name".into(), "x".into())],
        ..message("http://a.example/".into())
    };
    let courier = HttpCourier::new(open(80), loopback(), SHORT);
    assert_eq!(courier.send(broken).await, UNREACHABLE);
}

#[tokio::test]
async fn hostile_receivers_cost_no_more_than_the_deadline() {
    const PAUSE: Duration = Duration::from_millis(20);
    let headers = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let hostile: Vec<(&str, Vec<Step>)> = vec![
        ("says nothing", vec![Step::Stall]),
        ("closes", vec![Step::Close]),
        ("resets", vec![Step::Reset]),
        ("drips its head", vec![Step::Repeat(b"H".to_vec(), PAUSE)]),
        ("drips headers", vec![head_begun(), Step::Repeat(b"a: b\r\n".to_vec(), PAUSE)]),
        ("floods headers", vec![head_begun(), Step::Repeat(vec![b'a'; 65_536], Duration::ZERO)]),
        ("10,000 headers", vec![head(&headers)]),
        ("begins its body and stalls", vec![head("content-length: 9\r\n"), Step::Stall]),
        (
            "drips its body",
            vec![head("content-length: 1000\r\n"), Step::Repeat(b"x".to_vec(), PAUSE)],
        ),
        (
            "drips chunks",
            vec![
                head("transfer-encoding: chunked\r\n"),
                Step::Repeat(b"1\r\nx\r\n".to_vec(), PAUSE),
            ],
        ),
        ("never closes", vec![head(""), Step::Stall]),
        ("promises more than it sends", vec![head("content-length: 99\r\n"), Step::Close]),
        ("resets in its body", vec![head("content-length: 99\r\n"), Step::Reset]),
        ("lies about chunks", vec![head("transfer-encoding: chunked\r\n"), bytes(b"zz\r\nx")]),
        ("sends a negative length", vec![head("content-length: -1\r\n"), Step::Close]),
        (
            "sends two lengths",
            vec![head("content-length: 1\r\ncontent-length: 2\r\n"), Step::Close],
        ),
        ("speaks SSH", vec![bytes(b"SSH-2.0-OpenSSH_9.2\r\n"), Step::Stall]),
        ("speaks no known HTTP", vec![bytes(b"HTTP/9.9 200 OK\r\n\r\n"), Step::Close]),
        ("sends zeros", vec![Step::Repeat(vec![0; 4_096], Duration::ZERO)]),
        ("informs for ever", vec![Step::Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), PAUSE)]),
    ];
    assert_eq!(hostile.len(), 20);
    let start = Instant::now();
    let mut sent = tokio::task::JoinSet::new();
    for (name, steps) in hostile {
        sent.spawn(async move { (name, send_to(move |_| steps.clone()).await) });
    }
    for (name, answered) in sent.join_all().await {
        assert_eq!(answered, UNREACHABLE, "{name}");
    }
    assert!(start.elapsed() < SHORT.deadline * 5, "{:?}", start.elapsed());
}

fn head_begun() -> Step {
    bytes(b"HTTP/1.1 200 OK\r\n")
}

fn bytes(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

#[tokio::test]
async fn a_gigabyte_is_not_read_and_its_beginning_is_kept() {
    let act = |_: &Seen| {
        vec![
            head("content-length: 1073741824\r\n"),
            Step::Repeat(vec![b'x'; 65_536], Duration::ZERO),
        ]
    };
    let answered = send_to(act).await;
    let excerpt = "x".repeat(1_024).into();
    assert_eq!(answered, CourierAnswer::Answered { status: 200, excerpt });
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let act = |_: &Seen| {
        vec![head("content-encoding: gzip\r\ncontent-length: 3\r\n"), bytes(&[0x1f, 0x8b, 0x08])]
    };
    let excerpt = "\u{1f}\u{fffd}\u{8}".into();
    assert_eq!(send_to(act).await, CourierAnswer::Answered { status: 200, excerpt });
}

#[test]
fn an_excerpt_is_text_of_at_most_a_thousand_and_twenty_four_bytes() {
    assert_eq!(&*excerpt(b"ok\0"), "ok\u{fffd}");
    assert_eq!(excerpt("支".repeat(1_000).as_bytes()).len(), 1_023);
    assert_eq!(excerpt(&[0xff; 5_000]).len(), 1_023);
    assert_eq!(excerpt(b"").len(), 0);
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_up_the_others() {
    let slow = FarSide::start(|_| vec![Step::Stall]).await;
    let quick = FarSide::start(|_| answer(200, "ok")).await;
    let ports = Ports::These(vec![slow.address.port(), quick.address.port()]);
    let courier = HttpCourier::new(CourierSettings { ports, ..open(0) }, loopback(), SHORT);
    let start = Instant::now();
    let (waiting, others) = tokio::join!(courier.send(message(slow.url("/"))), async {
        let mut delivered = 0;
        for _ in 0..50 {
            delivered += usize::from(courier.send(message(quick.url("/"))).await.is_success());
        }
        (delivered, start.elapsed())
    });
    assert_eq!(waiting, UNREACHABLE);
    assert_eq!(others.0, 50);
    assert!(others.1 < SHORT.deadline, "{:?}", others.1);
}

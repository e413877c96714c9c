//! The table of specs/reliability.md §7.3, row by row: what is observed, and what it means to a
//! payment, a close, a cancellation, a refund and to questions.

use domain::channel::{Channel, Closed, PaymentFound, RefundFound};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};

use super::*;
use crate::alipay::codes::{BUSINESS, Verdict};
use crate::alipay::request::Method;
use crate::far_side::answer;

/// What a call came to, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Accepted(&'static str),
    Refused(RefusalClass),
    Unknown(RefusalClass),
    NotSent(RefusalClass),
}

fn came<T>(
    outcome: Outcome<T>,
    word: impl Fn(&T) -> &'static str,
) -> (Came, Option<ChannelRefusal>) {
    match outcome {
        Outcome::Accepted(what) => (Came::Accepted(word(&what)), None),
        Outcome::Refused(r) => (Came::Refused(r.why), Some(r)),
        Outcome::Unknown(r) => (Came::Unknown(r.why), Some(r)),
        Outcome::NotSent(r) => (Came::NotSent(r.why), Some(r)),
    }
}

const METHODS: [Method; 8] = [
    Method::Precreate,
    Method::Pay,
    Method::Create,
    Method::Query,
    Method::Close,
    Method::Cancel,
    Method::Refund,
    Method::RefundQuery,
];

async fn run(alipay: &Alipay, method: Method) -> (Came, Option<ChannelRefusal>) {
    let prepare = async |channel| {
        let outcome = alipay.prepare(&order(channel), NOTIFY_URL).await;
        came(outcome, |_| "prepared")
    };
    match method {
        Method::Precreate => prepare("alipay_qr").await,
        Method::Pay => prepare("alipay_scan").await,
        Method::Create => prepare("alipay_lite").await,
        Method::Query => came(alipay.query(&number()).await, |found| match found {
            PaymentFound::Nothing => "nothing",
            PaymentFound::Waiting | PaymentFound::Paid { .. } | PaymentFound::Closed => "something",
        }),
        Method::Close => came(alipay.close(&number()).await, |closed| match closed {
            Closed::Closed => "closed",
            Closed::AlreadyPaid => "already paid",
        }),
        Method::Cancel => came(alipay.reverse(&number()).await, |_| "reversed"),
        Method::Refund => came(alipay.refund(&refund_order()).await, |_| "refunded"),
        Method::RefundQuery => {
            came(alipay.query_refund(&refund_order()).await, |found| match found {
                RefundFound::Nothing => "nothing",
                RefundFound::Pending | RefundFound::Done { .. } | RefundFound::Failed { .. } => {
                    "something"
                }
            })
        }
        Method::AppPay | Method::WapPay | Method::PagePay => unreachable!("no server call"),
    }
}

fn is_question(method: Method) -> bool {
    matches!(method, Method::Query | Method::RefundQuery)
}

async fn coded(method: Method, code: &str, sub_code: &str) -> (Came, Option<ChannelRefusal>) {
    let node = match sub_code {
        "" => format!(r#"{{"code":"{code}","msg":"words"}}"#),
        _ => format!(
            r#"{{"code":"{code}","msg":"words","sub_code":"{sub_code}","sub_msg":"more words"}}"#
        ),
    };
    let body = signed(method.name(), &node);
    let (alipay, _far) = gateway(move |_| answer(200, &body)).await;
    run(&alipay, method).await
}

/// What steps of the far side come to, for every method.
async fn observed(steps: Vec<Step>, wanted: Came) {
    let (alipay, far) = gateway(move |_| steps.clone()).await;
    for method in METHODS {
        assert_eq!(run(&alipay, method).await.0, wanted, "{method:?}");
    }
    assert_eq!(far.seen().len(), METHODS.len(), "nothing is sent twice");
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let no_tls = FarSide::start(|_| vec![Step::Close]).await.address;
    for gateway_url in [
        format!("http://{closed}/gateway.do"),
        format!("https://{no_tls}/gateway.do"),
        "http://no-such-host.invalid/gateway.do".to_owned(),
    ] {
        let alipay = alipay_with(&settings_json(&gateway_url));
        for method in METHODS {
            let (came, refusal) = run(&alipay, method).await;
            assert_eq!(came, Came::NotSent(RefusalClass::Connection), "{gateway_url} {method:?}");
            assert_eq!(&*refusal.unwrap().code, "not_connected");
        }
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_in_time_was_not_used() {
    struct Never;
    impl reqwest::dns::Resolve for Never {
        fn resolve(&self, _name: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(std::future::pending())
        }
    }
    let settings = Settings::parse(&settings_json("http://slow.example/").to_string()).unwrap();
    let client = http::client(SHORT, |builder| builder.dns_resolver(Arc::new(Never)));
    let alipay = Alipay::new(settings, client, Arc::new(StoppedClock), SHORT);
    let came = run(&alipay, Method::Refund).await.0;
    assert_eq!(came, Came::NotSent(RefusalClass::Connection));
}

#[tokio::test]
async fn whatever_breaks_after_sending_is_unknown() {
    let broken = Came::Unknown(RefusalClass::Connection);
    let head = || Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"alipay".to_vec());
    observed(vec![Step::Close], broken.clone()).await;
    observed(vec![Step::Reset], broken.clone()).await;
    observed(vec![head(), Step::Close], broken.clone()).await;
    observed(vec![head(), Step::Reset], broken.clone()).await;
    observed(vec![Step::Send(b"no http at all\r\n\r\n".to_vec()), Step::Close], broken).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_unknown() {
    let pause = Duration::from_millis(20);
    let head = || Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".to_vec());
    let slow = [
        vec![Step::Stall],
        vec![head(), Step::Stall],
        vec![head(), Step::Repeat(b" ".to_vec(), pause)],
        vec![Step::Repeat(b"H".to_vec(), pause)],
    ];
    for steps in slow {
        let (alipay, _far) = gateway(move |_| steps.clone()).await;
        let start = std::time::Instant::now();
        let (came, refusal) = run(&alipay, Method::Refund).await;
        assert_eq!(came, Came::Unknown(RefusalClass::Connection));
        assert_eq!(&*refusal.unwrap().code, "timeout");
        assert!(start.elapsed() < SHORT.deadline * 3, "{:?}", start.elapsed());
    }
}

/// A document that a close would believe.
fn closed() -> String {
    signed("alipay.trade.close", &format!(r#"{{"code":"10000","out_trade_no":"{NUMBER}"}}"#))
}

#[tokio::test]
async fn an_http_status_is_no_answer() {
    let done = closed();
    for status in [500, 502, 503, 504, 429] {
        observed(answer(status, &done), Came::Unknown(RefusalClass::Busy)).await;
    }
    for status in [201, 204, 301, 302, 400, 403, 404] {
        let body = if status == 204 { "" } else { &done };
        observed(answer(status, body), Came::Unknown(RefusalClass::Garbled)).await;
    }
}

#[tokio::test]
async fn what_is_no_document_is_unknown() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    for body in ["", "ok", "<html></html>", "{", "null", "[]", "{\"sign\":\"AAAA\"}", &deep] {
        observed(answer(200, body), Came::Unknown(RefusalClass::Garbled)).await;
    }
    observed(answer(200, [0xff, 0xfe, 0x00]), Came::Unknown(RefusalClass::Garbled)).await;
    // Too long, though its beginning would do.
    let long = answer(200, closed() + &" ".repeat(1024 * 1024));
    observed(long, Came::Unknown(RefusalClass::Garbled)).await;
    let huge = vec![
        Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n".to_vec()),
        Step::Repeat(vec![b' '; 65_536], Duration::ZERO),
    ];
    observed(huge, Came::Unknown(RefusalClass::Garbled)).await;
}

/// Every row of the table of codes, for every method that it names.
#[tokio::test]
async fn business_codes_mean_what_the_table_says() {
    for (methods, sub_code, meaning) in BUSINESS {
        for method in *methods {
            let (came, refusal) = coded(*method, "40004", sub_code).await;
            let wanted = match (meaning.verdict, is_question(*method)) {
                (Verdict::NotFound, true) => Came::Accepted("nothing"),
                (Verdict::NotFound, false) => Came::Refused(RefusalClass::NotFound),
                (Verdict::NotOpen, _) => Came::Accepted("already paid"),
                (Verdict::Refused, true) => Came::Unknown(meaning.why),
                (Verdict::Refused, false) => Came::Refused(meaning.why),
                (Verdict::NotDone, _) => Came::NotSent(meaning.why),
                (Verdict::Unknown, _) => Came::Unknown(meaning.why),
                (Verdict::Done | Verdict::Paying, _) => panic!("{sub_code} is no refusal"),
            };
            assert_eq!(came, wanted, "{method:?} {sub_code}");
            if let Some(refusal) = refusal {
                assert_eq!(&*refusal.code, *sub_code);
                assert_eq!(&*refusal.message, "more words");
            }
        }
    }
}

/// The codes of specs/channels.md §1.6, spelt out, so that a slip in the table is seen.
#[tokio::test]
async fn the_codes_that_money_hangs_on_are_classified_as_documented() {
    use Came::{Accepted, NotSent, Refused, Unknown};
    use RefusalClass::{Business, Busy, Configuration, NotFound};
    let cases = [
        (Method::Refund, "40004", "ACQ.SYSTEM_ERROR", Unknown(Busy)),
        (Method::Refund, "40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH", NotSent(Business)),
        (Method::Refund, "40004", "ACQ.REASON_TRADE_REFUND_FEE_ERR", Refused(Business)),
        (Method::Refund, "40004", "ACQ.DISCORDANT_REPEAT_REQUEST", Refused(Business)),
        (Method::Refund, "40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", Refused(Business)),
        (Method::Refund, "40004", "ACQ.TRADE_HAS_FINISHED", Refused(Business)),
        (Method::Refund, "40004", "ACQ.TRADE_STATUS_ERROR", Unknown(Business)),
        (Method::Refund, "40004", "ACQ.TRADE_NOT_EXIST", Refused(NotFound)),
        (Method::Pay, "40004", "ACQ.TRADE_HAS_SUCCESS", Unknown(Business)),
        (Method::Pay, "40004", "ACQ.PAYMENT_AUTH_CODE_INVALID", Refused(Business)),
        (Method::Precreate, "40004", "ACQ.CONTEXT_INCONSISTENT", Refused(Business)),
        (Method::Precreate, "40004", "ACQ.TRADE_HAS_CLOSE", Refused(Business)),
        (Method::Create, "40004", "ACQ.ACCESS_FORBIDDEN", Refused(Configuration)),
        (Method::Query, "40004", "ACQ.TRADE_NOT_EXIST", Accepted("nothing")),
        (Method::Query, "40004", "ACQ.INVALID_PARAMETER", Unknown(Business)),
        (Method::RefundQuery, "40004", "ACQ.TRADE_NOT_EXIST", Accepted("nothing")),
        (Method::RefundQuery, "40002", "isv.invalid-signature", Unknown(Configuration)),
        (Method::Close, "40004", "ACQ.TRADE_NOT_EXIST", Refused(NotFound)),
        (Method::Close, "40004", "ACQ.TRADE_STATUS_ERROR", Accepted("already paid")),
        (Method::Close, "40004", "ACQ.REASON_TRADE_STATUS_INVALID", Accepted("already paid")),
        (Method::Close, "40004", "ACQ.REASON_ILLEGAL_STATUS", Accepted("already paid")),
        (Method::Cancel, "40004", "ACQ.TRADE_CANCEL_TIME_OUT", Refused(Business)),
        (Method::Cancel, "40004", "ACQ.CANCEL_NOT_ALLOWED", Refused(Business)),
        (Method::Cancel, "40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH", NotSent(Business)),
        (Method::Cancel, "40004", "ACQ.REASON_TRADE_BEEN_FREEZEN", Refused(Business)),
        (Method::Refund, "20001", "aop.invalid-app-auth-token", Refused(Configuration)),
        (Method::Refund, "40001", "isv.missing-signature", Refused(Configuration)),
        (Method::Refund, "40002", "isv.invalid-signature", Refused(Configuration)),
        (Method::Refund, "40003", "isv.app-unbind-partner", Refused(Configuration)),
        (Method::Refund, "40006", "isv.insufficient-isv-permissions", Refused(Configuration)),
        (Method::Refund, "40005", "isv.app-call-limited", NotSent(Busy)),
        (Method::Query, "40005", "isv.app-call-limited", NotSent(Busy)),
        (Method::Refund, "20000", "isp.unknow-error", Unknown(Busy)),
        (Method::Precreate, "20000", "aop.unknow-error", Unknown(Busy)),
        (Method::Close, "20000", "", Unknown(Busy)),
    ];
    for (method, code, sub_code, wanted) in cases {
        let (came, refusal) = coded(method, code, sub_code).await;
        assert_eq!(came, wanted, "{method:?} {code} {sub_code}");
        if let Some(refusal) = refusal {
            assert_eq!(&*refusal.code, if sub_code.is_empty() { code } else { sub_code });
        }
    }
}

#[tokio::test]
async fn a_code_that_is_not_in_the_table_is_unknown_and_unclassified() {
    for method in METHODS {
        for (code, sub_code) in [
            ("40004", "ACQ.SOMETHING_NEW"),
            ("40004", ""),
            ("40004", "acq.system_error"),
            ("40007", "isv.something"),
            ("50000", ""),
            ("10000", "ACQ.SUCCESS_BUT"),
            ("1", ""),
            ("", ""),
        ] {
            let (came, _) = coded(method, code, sub_code).await;
            assert_eq!(came, Came::Unknown(RefusalClass::Unclassified), "{method:?} {code}");
        }
        // A code of another method says nothing about this one.
        if method != Method::Cancel {
            let (came, _) = coded(method, "40004", "ACQ.CANCEL_NOT_ALLOWED").await;
            assert_eq!(came, Came::Unknown(RefusalClass::Unclassified), "{method:?}");
        }
        if method != Method::Pay {
            let (came, _) = coded(method, "10003", "").await;
            assert_eq!(came, Came::Unknown(RefusalClass::Unclassified), "{method:?}");
        }
    }
}

#[tokio::test]
async fn a_channels_words_are_cut_and_cleaned_before_they_are_passed_on() {
    let node = format!(
        r#"{{"code":"40004","sub_code":"ACQ.\n{}","sub_msg":"a\u0000b\n{}"}}"#,
        "X".repeat(500),
        "字".repeat(5_000)
    );
    let body = signed("alipay.trade.refund", &node);
    let (alipay, _far) = gateway(move |_| answer(200, &body)).await;
    let refusal = run(&alipay, Method::Refund).await.1.unwrap();
    assert_eq!(refusal.code.len(), 64);
    assert!(refusal.code.starts_with("ACQ.X"));
    assert!(refusal.message.starts_with("ab字"));
    assert_eq!(refusal.message.chars().count(), 200);
}

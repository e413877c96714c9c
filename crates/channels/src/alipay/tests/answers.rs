//! Signatures of answers: in which documents they are found, and what is believed without one.

use domain::channel::{Channel, Closed};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};

use super::*;
use crate::far_side::answer;

const METHOD: &str = "alipay.trade.close";

fn done() -> String {
    format!(r#"{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}"}}"#)
}

fn signature_of(key: &PrivateKey, node: &str) -> String {
    key.sign_sha256_base64(node.as_bytes())
}

async fn close(body: &str) -> Outcome<Closed> {
    let body = body.to_owned();
    let (alipay, _far) = gateway(move |_| answer(200, &body)).await;
    alipay.close(&number()).await
}

async fn unsigned(body: &str) -> ChannelRefusal {
    match close(body).await {
        Outcome::Unknown(refusal) if refusal.why == RefusalClass::BadSignature => refusal,
        other => panic!("{other:?} from {body}"),
    }
}

#[tokio::test]
async fn documents_of_every_order_and_spacing_are_read() {
    let node = done();
    let sign = signature_of(&ALIPAY_KEY, &node);
    let slashed = sign.replace('/', r"\/").replace('=', r"\u003d");
    for body in [
        signed(METHOD, &node),
        format!(r#"{{"sign":"{sign}","alipay_trade_close_response":{node}}}"#),
        format!(" {{ \"alipay_trade_close_response\" : {node} ,\r\n \"sign\" : \"{sign}\" }}\n"),
        format!(
            r#"{{"alipay_trade_close_response":{node},"alipay_cert_sn":"0f","sign":"{sign}"}}"#
        ),
        format!(r#"{{"alipay_trade_close_response":{node},"sign":"{slashed}"}}"#),
        format!(r#"{{"error_response":{node},"sign":"{sign}"}}"#),
    ] {
        assert_eq!(close(&body).await, Outcome::Accepted(Closed::Closed), "{body}");
    }
    // The signature covers the raw text, odd as it may be.
    let odd = format!(
        "{{ \"msg\":\"a }} \\\" {{ \\/ \\u6210\", \"out_trade_no\" :\"{NUMBER}\",\"code\": 10000 }}"
    );
    assert_eq!(close(&signed(METHOD, &odd)).await, Outcome::Accepted(Closed::Closed));
}

#[tokio::test]
async fn an_answer_without_a_fitting_signature_is_unknown_whatever_it_says() {
    let node = done();
    let refused = r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}"#;
    for node in [&*node, refused] {
        let sign = signature_of(&ALIPAY_KEY, node);
        let other_node = node.replace("\"code\"", " \"code\"");
        let swapped = sign.chars().rev().collect::<String>();
        for body in [
            format!(r#"{{"alipay_trade_close_response":{node}}}"#),
            format!(r#"{{"alipay_trade_close_response":{node},"sign":""}}"#),
            format!(r#"{{"alipay_trade_close_response":{node},"sign":null}}"#),
            format!(r#"{{"alipay_trade_close_response":{node},"sign":"AAAA"}}"#),
            format!(r#"{{"alipay_trade_close_response":{node},"sign":"{swapped}"}}"#),
            format!(r#"{{"alipay_trade_close_response":{other_node},"sign":"{sign}"}}"#),
            signed_by(&STRANGERS_KEY, METHOD, node),
            signed_by(&APP_KEY, METHOD, node),
            format!(r#"{{"error_response":{node}}}"#),
        ] {
            let refusal = unsigned(&body).await;
            assert_eq!(&*refusal.code, "signature");
        }
    }
}

#[tokio::test]
async fn an_unsigned_error_is_shown_to_people_and_not_believed() {
    let body = r#"{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}"#;
    let refusal = unsigned(body).await;
    assert!(refusal.message.contains("40002 isv.invalid-app-id"), "{}", refusal.message);
}

#[tokio::test]
async fn a_truncated_or_doubled_document_is_unknown() {
    let whole = signed(METHOD, &done());
    for end in [whole.len() - 1, whole.len() / 2, 40, 1] {
        let outcome = close(&whole[..end]).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{end}: {outcome:?}");
    }
    let node = done();
    let sign = signature_of(&ALIPAY_KEY, &node);
    let name = "alipay_trade_close_response";
    for body in [
        format!(r#"{{"{name}":{node},"{name}":{node},"sign":"{sign}"}}"#),
        format!(r#"{{"{name}":{node},"sign":"{sign}","sign":"{sign}"}}"#),
        format!("{whole}{whole}"),
    ] {
        let outcome = close(&body).await;
        assert!(
            matches!(&outcome, Outcome::Unknown(r) if r.why == RefusalClass::Garbled),
            "{outcome:?}"
        );
    }
    // The right words for another question.
    let other = signed("alipay.trade.cancel", &node);
    assert!(matches!(close(&other).await, Outcome::Unknown(_)));
}

#[tokio::test]
async fn either_key_of_a_rotation_may_sign() {
    for key in [&*ALIPAY_KEY, &*STRANGERS_KEY] {
        let body = signed_by(key, METHOD, &done());
        let far = FarSide::start(move |_| answer(200, &body)).await;
        let mut settings = settings_json(&far.url("/gateway.do"));
        let both = ALIPAY_KEY.public().to_spki_pem() + &STRANGERS_KEY.public().to_spki_pem();
        settings["alipay_public_key"] = both.into();
        let closed = alipay_with(&settings).close(&number()).await;
        assert_eq!(closed, Outcome::Accepted(Closed::Closed));
    }
}

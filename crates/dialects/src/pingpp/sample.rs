//! Objects for the unit tests of this dialect.

use domain::currency::Currency;
use domain::id::Id;
use domain::money::{Amount, BasisPoints, Money};
use domain::payment::{Credential, Payment, PaymentState, Receipt};
use domain::refund::{Refund, RefundBatch, RefundOrigin, RefundState};
use domain::tenant::{App, AppChannel, Dialect, IdScheme, Mode, Tenant};
use domain::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, Subject, TradeNo,
};
use domain::time::Timestamp;

pub(super) fn money(minor: i64) -> Money {
    Money::new(Amount::new(minor).unwrap(), Currency::CNY)
}

/// The unpaid charge of the documentation's sample, over Alipay's QR code.
pub(super) fn payment() -> Payment {
    Payment {
        tenant: Tenant { merchant: Id::from_raw(1), mode: Mode::Live },
        id: Id::from_raw(11),
        app: AppId::parse("app_1Gqj58ynP0mHeX1q").unwrap(),
        dialect: Dialect::Pingpp,
        public_id: PublicId::parse("ch_Hm5uTSifDOuTy9iLeLPSurrD").unwrap(),
        channel: ChannelName::parse("alipay_qr").unwrap(),
        route: Id::from_raw(3),
        order_no: OrderNo::parse("123456789").unwrap(),
        number: ChannelNumber::parse("123456789").unwrap(),
        money: money(100),
        fee: Amount::ZERO,
        subject: Subject::parse("Your Subject").unwrap(),
        body: Note::parse("Your Body").unwrap(),
        description: None,
        client_ip: "127.0.0.1".into(),
        echo: Echo::from_json(r#"{"extra":{},"metadata":{}}"#),
        payer: None,
        created: Timestamp::from_seconds(1_410_778_843),
        expires: Timestamp::from_seconds(1_410_782_443),
        state: PaymentState::Pending { credential: Credential::Qr("https://qr.example/1".into()) },
        refunded: Amount::ZERO,
        refunding: Amount::ZERO,
        refunds: 0,
        operation: None,
        queries: 0,
        next_at: None,
        request: None,
        version: 1,
    }
}

/// The same, paid.
pub(super) fn paid() -> Payment {
    let details = [("buyer_logon_id", "a**@b.cn"), ("buyer_id", "2088")];
    Payment {
        state: PaymentState::Paid(Receipt {
            trade_no: TradeNo::parse("2014091522").unwrap(),
            paid_at: Timestamp::from_seconds(1_410_778_900),
            details: details.map(|(n, v)| (n.into(), v.into())).to_vec(),
        }),
        ..payment()
    }
}

/// A pending refund of [`paid`]; `n` is the last digit of its number.
pub(super) fn refund(n: i64, minor: i64) -> Refund {
    let number = format!("10125110300000000000000{n}");
    Refund {
        tenant: payment().tenant,
        id: Id::from_raw(100 + n),
        app: payment().app,
        payment: payment().id,
        public_id: PublicId::parse(&format!("re_{number}")).unwrap(),
        route: payment().route,
        number: ChannelNumber::parse(&number).unwrap(),
        money: money(minor),
        description: Note::parse("One box broken").unwrap(),
        echo: Echo::from_json(r#"{"extra":{},"metadata":{"why":"broken"}}"#),
        origin: RefundOrigin::Merchant,
        created: Timestamp::from_seconds(1_410_779_000),
        state: RefundState::Pending,
        operation: None,
        request: None,
        exact_request: None,
        body_hash: [0; 32],
        version: 1,
    }
}

/// A batch of two, sent as an id and as a map, of the charge of [`paid`] and of no other.
pub(super) fn batch() -> RefundBatch {
    RefundBatch {
        tenant: payment().tenant,
        id: Id::from_raw(50),
        app: payment().app,
        public_id: PublicId::parse("1512511031234567890").unwrap(),
        batch_no: "batch1".into(),
        description: Note::parse("season").unwrap(),
        echo: Echo::from_json(
            r#"{"charges":["ch_other",{"charge":"ch_Hm5uTSifDOuTy9iLeLPSurrD"}],"metadata":{}}"#,
        ),
        created: Timestamp::from_seconds(1_410_779_100),
        total: 2,
        succeeded: 0,
        failed: 0,
        finished: None,
        request: None,
        version: 1,
    }
}

pub(super) fn app() -> App {
    let channel = |mode, name: &str| AppChannel {
        mode,
        channel: ChannelName::parse(name).unwrap(),
        route: Id::from_raw(3),
    };
    App {
        merchant: Id::from_raw(1),
        id: AppId::parse("app_1Gqj58ynP0mHeX1q").unwrap(),
        display_name: "Tea shop".into(),
        created: Timestamp::from_seconds(1_400_000_000),
        id_scheme: IdScheme::Digits,
        fee: BasisPoints::default(),
        channels: vec![channel(Mode::Live, "alipay_qr"), channel(Mode::Test, "alipay_wap")],
        disabled: false,
    }
}

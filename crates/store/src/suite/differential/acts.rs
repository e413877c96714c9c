//! What may happen next, and the command that it is.

use domain::channel::{Closed, PaymentFound, Prepared, RefundFound, ReversedAs};
use domain::command::{
    Admin, BatchItem, BeginClose, ClaimDeliveries, ClaimWork, Command, CreateBatch, CreateRefund,
    Ending, OpenPayment, ParkNotice, RecordClosed, RecordDelivery, RecordFound, RecordPrepared,
    RecordRefund, RecordReversed, Resend, SettlePayment, Start, WorkItem,
};
use domain::currency::Currency;
use domain::event::{CourierAnswer, CourierFailure};
use domain::id::Id;
use domain::ledger::AccountPath;
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::{Credential, Payment, Proof};
use domain::refund::{Refund, RefundOrigin};
use domain::tenant::Dialect;
use domain::text::{Echo, Note, Subject};
use proptest::prelude::*;

use super::super::sample::*;
use super::Pair;
use crate::DueRow;

/// One thing to do; numbers pick objects among those that exist.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Open {
        order: u8,
        start: u8,
        amount: i64,
    },
    Prepared {
        which: u8,
        outcome: u8,
    },
    Settle {
        which: u8,
        trade: u8,
        amount_differs: bool,
    },
    Found {
        which: u8,
        outcome: u8,
        trade: u8,
    },
    Close {
        which: u8,
        how: u8,
    },
    Closed {
        which: u8,
        outcome: u8,
    },
    Reversed {
        which: u8,
        outcome: u8,
    },
    Refund {
        which: u8,
        amount: Option<i64>,
        number: u8,
    },
    RefundRecorded {
        which: u8,
        outcome: u8,
        stale: bool,
    },
    Batch {
        first: u8,
        no: u8,
    },
    ClaimWork,
    ClaimDeliveries,
    Delivered {
        outcome: u8,
    },
    Resend {
        which: u8,
    },
    Park {
        notice: u8,
    },
    Balance {
        amount: i64,
    },
    /// Lets time pass.
    Wait {
        seconds: i64,
    },
}

pub(super) fn any_act() -> impl Strategy<Value = Act> {
    let which = || any::<u8>();
    prop_oneof![
        4 => (0..12u8, 0..4u8, 1..400i64)
            .prop_map(|(order, start, amount)| Act::Open { order, start, amount }),
        3 => (which(), 0..6u8).prop_map(|(which, outcome)| Act::Prepared { which, outcome }),
        4 => (which(), 0..20u8, prop::bool::weighted(0.1)).prop_map(
            |(which, trade, amount_differs)| Act::Settle { which, trade, amount_differs }
        ),
        2 => (which(), 0..6u8, 0..20u8)
            .prop_map(|(which, outcome, trade)| Act::Found { which, outcome, trade }),
        2 => (which(), 0..3u8).prop_map(|(which, how)| Act::Close { which, how }),
        2 => (which(), 0..5u8).prop_map(|(which, outcome)| Act::Closed { which, outcome }),
        2 => (which(), 0..5u8).prop_map(|(which, outcome)| Act::Reversed { which, outcome }),
        4 => (which(), prop::option::of(1..200i64), 0..40u8)
            .prop_map(|(which, amount, number)| Act::Refund { which, amount, number }),
        4 => (which(), 0..7u8, prop::bool::weighted(0.1)).prop_map(
            |(which, outcome, stale)| Act::RefundRecorded { which, outcome, stale }
        ),
        1 => (which(), 0..4u8).prop_map(|(first, no)| Act::Batch { first, no }),
        2 => Just(Act::ClaimWork),
        2 => Just(Act::ClaimDeliveries),
        2 => (0..4u8).prop_map(|outcome| Act::Delivered { outcome }),
        1 => which().prop_map(|which| Act::Resend { which }),
        1 => (0..3u8).prop_map(|notice| Act::Park { notice }),
        1 => (0..2_000i64).prop_map(|amount| Act::Balance { amount }),
        2 => (1..4_000i64).prop_map(|seconds| Act::Wait { seconds }),
    ]
}

fn refusal(why: RefusalClass) -> ChannelRefusal {
    ChannelRefusal { why, code: "ACQ.X".into(), message: "不行".into() }
}

fn trouble<T>(kind: u8) -> Outcome<T> {
    match kind {
        0 => Outcome::Refused(refusal(RefusalClass::Business)),
        1 => Outcome::Unknown(refusal(RefusalClass::Connection)),
        2 => Outcome::NotSent(refusal(RefusalClass::Busy)),
        _ => Outcome::Refused(refusal(RefusalClass::NotFound)),
    }
}

fn pick<T: Clone>(list: &[T], which: u8) -> Option<T> {
    list.get(usize::from(which) % list.len().max(1)).cloned()
}
impl Pair {
    /// The command of an act; none where there is nothing that it could be about.
    pub(super) fn command(&mut self, act: &Act) -> Option<Command> {
        let (tenant, app, now) = (TENANT, app_id("app"), self.now);
        let payment = |pair: &Pair, which| pick(&pair.payments(), which);
        // No channel ever tells of a payment from a wallet.
        let told = |pair: &Pair, which| payment(pair, which).filter(|p| p.payer.is_none());
        let proof = |p: &Payment, trade: u8, differs: bool| Proof {
            money: if differs { yuan(777_777) } else { p.money },
            trade_no: trade_no(&format!("t{trade}")),
            paid_at: now,
            details: vec![("buyer".into(), "159****".into())],
        };
        Some(match *act {
            Act::Open { order, start, amount } => self.open(order, start, amount),
            Act::Prepared { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0..=2 => trouble(outcome),
                    3 => {
                        let proof = proof(&p, which, false);
                        Outcome::Accepted(Prepared::Paid(proof))
                    }
                    4 => Outcome::Accepted(Prepared::Paying),
                    _ => Outcome::Accepted(Prepared::Credential(Credential::Qr("qr".into()))),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                let fresh = self.fresh();
                Command::RecordPrepared(RecordPrepared {
                    tenant,
                    payment: p.id,
                    token,
                    outcome,
                    fresh,
                })
            }
            Act::Settle { which, trade, amount_differs } => {
                let p = told(self, which)?;
                let proof = proof(&p, trade, amount_differs);
                let (payment, route, fresh) = (p.id, ROUTE, self.fresh());
                Command::SettlePayment(SettlePayment { tenant, payment, app, route, proof, fresh })
            }
            Act::Found { which, outcome, trade } => {
                let p = told(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(PaymentFound::Nothing),
                    1 => Outcome::Accepted(PaymentFound::Waiting),
                    2 => Outcome::Accepted(PaymentFound::Closed),
                    3 => trouble(1),
                    _ => {
                        let proof = proof(&p, trade, false);
                        Outcome::Accepted(PaymentFound::Paid { proof })
                    }
                };
                let (payment, route, fresh) = (p.id, ROUTE, self.fresh());
                Command::RecordFound(RecordFound { tenant, payment, app, route, outcome, fresh })
            }
            Act::Close { which, how } => {
                let payment = payment(self, which)?.id;
                let how = match how {
                    0 => Ending::Expire,
                    1 => Ending::ReverseUnpaid,
                    _ => Ending::ReverseAny { window_seconds: 5_000 },
                };
                let fresh = self.fresh();
                Command::BeginClose(BeginClose { tenant, payment, how, request: None, fresh })
            }
            Act::Closed { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(Closed::AlreadyPaid),
                    1..=3 => trouble(outcome),
                    _ => Outcome::Accepted(Closed::Closed),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                Command::RecordClosed(RecordClosed { tenant, payment: p.id, token, outcome })
            }
            Act::Reversed { which, outcome } => {
                let p = payment(self, which)?;
                let outcome = match outcome {
                    0 => Outcome::Accepted(ReversedAs::Closed),
                    1..=3 => trouble(outcome - 1),
                    _ => Outcome::Accepted(ReversedAs::Refunded),
                };
                let token = p.operation.as_ref().map_or(0, |o| o.token);
                let (payment, fresh) = (p.id, self.fresh());
                Command::RecordReversed(RecordReversed { tenant, payment, token, outcome, fresh })
            }
            Act::Refund { which, amount, number } => {
                let payment = payment(self, which)?.id;
                self.refund(payment, amount, number)
            }
            Act::RefundRecorded { which, outcome, stale } => {
                // A reversal is told by its payment's operation, never as a refund.
                let mut refunds = self.refunds();
                refunds.retain(|r| r.origin != RefundOrigin::Reversal);
                let r = pick(&refunds, which)?;
                self.record_refund(&r, outcome, stale)
            }
            Act::Batch { first, no } => self.refund_batch(first, no)?,
            Act::ClaimWork => {
                let due = self.memory.queries.due_work_of_all(now, 5).unwrap();
                let items = due.into_iter().map(|row| match row {
                    DueRow::Payment(t, id) => WorkItem::Payment(t, id),
                    DueRow::Refund(t, id, of) => WorkItem::Refund(t, id, of),
                });
                Command::ClaimWork(ClaimWork { items: items.collect() })
            }
            Act::ClaimDeliveries => {
                let due = self.memory.queries.due_deliveries_of_all(now, 5, &[]).unwrap();
                let deliveries = due.into_iter().map(|(tenant, id, _)| (tenant, id)).collect();
                Command::ClaimDeliveries(ClaimDeliveries { deliveries })
            }
            Act::Delivered { outcome } => {
                let sent = self.sending.pop()?;
                let answer = match outcome {
                    0 => CourierAnswer::Failed(CourierFailure::Unreachable),
                    1 => CourierAnswer::Answered { status: 500, excerpt: "no".into() },
                    _ => CourierAnswer::Answered { status: 200, excerpt: "success".into() },
                };
                let (delivery, token) = (sent.id, sent.token);
                let retry_seconds = (outcome == 0).then_some(120);
                Command::RecordDelivery(RecordDelivery {
                    tenant,
                    delivery,
                    token,
                    answer,
                    retry_seconds,
                })
            }
            Act::Resend { which } => {
                let delivery = pick(&self.sending, which)?.id;
                Command::Resend(Resend { tenant, delivery })
            }
            Act::Park { notice } => Command::ParkNotice(ParkNotice {
                tenant,
                number: number("unknown"),
                notice_id: format!("notice{notice}").into(),
            }),
            Act::Balance { amount } => {
                let path = AccountPath::member_available(Id::from_raw(21), Currency::CNY);
                let (balance, fresh) = (fen(amount), self.fresh());
                Command::Admin(Box::new(Admin::OpenBalance { tenant, path, balance, fresh }))
            }
            Act::Wait { .. } => return None,
        })
    }

    fn open(&mut self, order: u8, start: u8, amount: i64) -> Command {
        let fresh = self.fresh();
        Command::OpenPayment(Box::new(OpenPayment {
            tenant: TENANT,
            app: app_id("app"),
            dialect: Dialect::Pingpp,
            public_id: public(&format!("ch_{}", self.drawn)),
            channel: channel("alipay_wap"),
            route: ROUTE,
            order_no: order_no(&format!("order{order}")),
            number: number(&format!("n{}", self.drawn)),
            money: yuan(amount),
            fee: fen(amount / 100),
            subject: Subject::parse("绿茶").unwrap(),
            body: Note::parse("body").unwrap(),
            description: None,
            client_ip: "127.0.0.1".into(),
            echo: Echo::from_json("{}"),
            expires: None,
            default_life_seconds: 3_600,
            start: match start {
                0 => Start::Ready(Credential::Page("https://pay.example".into())),
                1 => Start::Wallet(user("u1")),
                _ => Start::Ask,
            },
            request: None,
            created: self.now,
            fresh,
        }))
    }

    /// Numbers come from a small set, so that some are taken: only the store can tell.
    fn refund(&mut self, payment: Id<Payment>, amount: Option<i64>, n: u8) -> Command {
        let fresh = self.fresh();
        Command::CreateRefund(Box::new(CreateRefund {
            tenant: TENANT,
            payment,
            public_id: public(&format!("re_{}", self.drawn)),
            number: number(&format!("r{n}")),
            amount: amount.map(fen),
            description: Note::parse("why").unwrap(),
            echo: Echo::from_json("{}"),
            request: None,
            exact_request: Some([n; 32]),
            body_hash: [n; 32],
            unanswered_since: None,
            fresh,
        }))
    }

    fn record_refund(&mut self, r: &Refund, outcome: u8, stale: bool) -> Command {
        let outcome = match outcome {
            0..=2 => trouble(outcome),
            3 => Outcome::Accepted(RefundFound::Nothing),
            4 => Outcome::Accepted(RefundFound::Failed { code: "ACQ.NO".into() }),
            _ => {
                let (trade_no, at) = (Some(trade_no("rt")), Some(self.now));
                Outcome::Accepted(RefundFound::Done { trade_no, at })
            }
        };
        let batch = match r.origin {
            RefundOrigin::Batch(id) => Some(id),
            RefundOrigin::Merchant
            | RefundOrigin::Reversal
            | RefundOrigin::Late
            | RefundOrigin::Import => None,
        };
        let token = r.operation.as_ref().map(|o| o.token).filter(|_| !stale);
        let (tenant, refund, payment, app) = (r.tenant, r.id, r.payment, r.app.clone());
        let fresh = self.fresh();
        Command::RecordRefund(RecordRefund {
            tenant,
            refund,
            payment,
            app,
            batch,
            token,
            outcome,
            fresh,
        })
    }

    fn refund_batch(&mut self, first: u8, no: u8) -> Option<Command> {
        let payments = self.payments();
        let items = payments.iter().cycle().skip(usize::from(first)).take(2.min(payments.len()));
        let items: Vec<_> = items.map(|p| p.id).collect();
        let mut list = Vec::new();
        for payment in items {
            self.drawn += 1;
            list.push(BatchItem {
                payment,
                public_id: public(&format!("re_{}", self.drawn)),
                number: number(&format!("rb{}", self.drawn)),
                amount: Some(fen(1)),
                description: Note::parse("why").unwrap(),
                echo: Echo::from_json("{}"),
            });
        }
        if list.is_empty() {
            return None;
        }
        let fresh = self.fresh();
        Some(Command::CreateBatch(Box::new(CreateBatch {
            tenant: TENANT,
            app: app_id("app"),
            public_id: public(&format!("batch_{}", self.drawn)),
            batch_no: format!("batch{no}").into(),
            description: Note::parse("all").unwrap(),
            echo: Echo::from_json("[]"),
            items: list,
            request: None,
            fresh,
        })))
    }
}

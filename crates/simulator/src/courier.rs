//! Carries notifications: sends what is due, writes down what came back, and closes what is
//! overdue. All instants come from the simulator's clock, so a clock that jumps is followed at the
//! next look.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Simulator;
use crate::faults::{Faults, Forge};
use crate::journal::{Direction, Entry};
use crate::notice::{self, Notice, china};
use crate::refusal::Refusal;
use crate::wire::{Parameters, notice_text};

/// How often the clock is looked at when nobody rings.
const LOOK_MS: u64 = 200;
/// Sends under way at the same time.
const FLIGHTS_MAX: usize = 32;
const SEND_DEADLINE_MS: u64 = 5_000;
const ANSWER_BYTES_MAX: usize = 4_096;
/// All that a receiver has to say.
const ACKNOWLEDGEMENT: &[u8] = b"success";

/// What became of one send.
struct Landing {
    result: &'static str,
    status: Option<u16>,
    body: Option<String>,
}

/// The client that carries notifications: no redirects, no proxies, a deadline.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_millis(SEND_DEADLINE_MS))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("sycee-simulator")
        .build()
}

/// Runs until `stop` turns true or its sender is gone. Sends under way are dropped then; they
/// count as not made and are repeated after the next start.
pub(crate) async fn run(sim: Arc<Simulator>, mut stop: watch::Receiver<bool>) {
    sim.book().outbox.ground_all();
    let mut flights = JoinSet::new();
    while !*stop.borrow_and_update() {
        let now = sim.now();
        let due = {
            let mut book = sim.book();
            book.expire_due(now);
            book.outbox.take_due(now, FLIGHTS_MAX - flights.len())
        };
        for (id, notice) in due {
            flights.spawn(fly(Arc::clone(&sim), id, notice));
        }
        tokio::select! {
            changed = stop.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            () = sim.rung() => {}
            Some(_) = flights.join_next(), if !flights.is_empty() => {}
            () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
        }
    }
    flights.shutdown().await;
}

/// One send from leaving to landing.
async fn fly(sim: Arc<Simulator>, id: u64, notice: Notice) {
    let faults = match prepare(&sim, &notice) {
        Ok(faults) => faults,
        Err(_) => {
            sim.book().outbox.landed(notice.trade);
            return;
        }
    };
    let fields = sealed_fields(&sim, &notice, faults.forge);
    let landing = if faults.lost {
        Landing { result: "lost", status: None, body: None }
    } else {
        send(&sim, &notice.url, &fields).await
    };
    // The outcome is kept before it is told: whoever reads the journal may move the clock at once.
    if let Err(refusal) = land(&sim, id, &notice, landing.result == "acknowledged") {
        tracing::warn!(sub_code = refusal.sub_code, "a notification's outcome was not kept");
    }
    sim.book().outbox.landed(notice.trade);
    sim.write(Entry {
        method: field(&fields, "trade_status"),
        app_id: field(&fields, "app_id"),
        out_trade_no: field(&notice.fields, "out_trade_no"),
        url: Some(notice.url),
        result: landing.result.to_owned(),
        fault: faults.name(),
        status: landing.status,
        body: landing.body,
        attempt: Some(notice.attempts + 1),
        parameters: fields,
        ..Entry::new(Direction::Notification)
    });
    sim.wake();
}

fn field(fields: &Parameters, name: &str) -> String {
    fields.get(name).cloned().unwrap_or_default()
}

/// The faults that apply to one send.
struct SendFaults {
    lost: bool,
    forge: Option<Forge>,
}

impl SendFaults {
    fn name(&self) -> Option<&'static str> {
        if self.lost {
            return Some("lose");
        }
        self.forge.map(|forge| match forge {
            Forge::Signature => "forge signature",
            Forge::Amount => "forge amount",
            Forge::App => "forge app",
            Forge::Seller => "forge seller",
            Forge::Order => "forge order",
        })
    }
}

fn prepare(sim: &Simulator, notice: &Notice) -> Result<SendFaults, Refusal> {
    let mut book = sim.book();
    let Some(trade) = book.known(notice.trade) else {
        return Ok(SendFaults { lost: false, forge: None });
    };
    let (seller, number) = (trade.seller_id.clone(), trade.out_trade_no.clone());
    let used = book.use_faults(&seller, &number, |faults: &mut Faults| {
        Some(SendFaults { lost: faults.notify.take_loss(), forge: faults.notify.forge })
    })?;
    Ok(used.unwrap_or(SendFaults { lost: false, forge: None }))
}

/// The fields of one send: time, lies, signature.
fn sealed_fields(sim: &Simulator, notice: &Notice, forged: Option<Forge>) -> Parameters {
    let app_id = field(&notice.fields, "app_id");
    let mut fields = notice.fields.clone();
    fields.insert("notify_time".to_owned(), china(sim.now()));
    fields.insert("sign_type".to_owned(), "RSA2".to_owned());
    if let Some(how) = forged {
        notice::forge(&mut fields, how);
    }
    let text = match forged {
        Some(Forge::Signature) => "another text".to_owned(),
        Some(Forge::Amount | Forge::App | Forge::Seller | Forge::Order) | None => {
            notice_text(&fields)
        }
    };
    let app = sim.book().app(&app_id);
    fields.insert("sign".to_owned(), sim.sign_for(app.as_deref(), &text));
    fields
}

async fn send(sim: &Simulator, url: &str, fields: &Parameters) -> Landing {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = sim
        .http()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(body);
    let Ok(mut answer) = request.send().await else {
        return Landing { result: "unreachable", status: None, body: None };
    };
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    while bytes.len() <= ANSWER_BYTES_MAX {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                return Landing { result: "unreachable", status: Some(status), body: None };
            }
        }
    }
    let said_yes = status == 200 && bytes == ACKNOWLEDGEMENT;
    bytes.truncate(ANSWER_BYTES_MAX);
    Landing {
        result: if said_yes { "acknowledged" } else { "refused" },
        status: Some(status),
        body: Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Writes down what became of a send and when the next one is due.
fn land(sim: &Simulator, id: u64, sent: &Notice, acknowledged: bool) -> Result<(), Refusal> {
    let now = sim.now();
    let mut book = sim.book();
    release_held(&mut book, id, sent.trade, now)?;
    let Some(mut notice) = book.outbox.get(id).cloned() else { return Ok(()) };
    if notice.acknowledged {
        // This was a copy: its answer is nobody's business.
        notice.copies = notice.copies.saturating_sub(1);
    } else {
        notice.attempts += 1;
        notice.acknowledged = acknowledged;
        if acknowledged {
            notice.copies = take_copies(&mut book, sent.trade)?;
        }
    }
    let due = match (notice.acknowledged, notice.copies) {
        (true, 0) => None,
        (true, _) => Some(now),
        (false, _) => notice.next_due(now, sim.time_scale()),
    };
    match due {
        Some(due) => book.put_notice(id, Notice { due, ..notice }),
        None => book.drop_notice(id),
    }
}

fn take_copies(book: &mut crate::book::Book, trade: u64) -> Result<u32, Refusal> {
    let Some(trade) = book.known(trade) else { return Ok(0) };
    let (seller, number) = (trade.seller_id.clone(), trade.out_trade_no.clone());
    book.use_faults(&seller, &number, |faults| std::mem::take(&mut faults.notify.duplicate))
}

/// A later notification of the trade has gone out, so an earlier one that was held may follow.
fn release_held(
    book: &mut crate::book::Book,
    sent: u64,
    trade: u64,
    now: i64,
) -> Result<(), Refusal> {
    let held: Vec<_> = book
        .outbox
        .of_trade(trade)
        .filter(|(id, notice)| notice.held && *id < sent)
        .map(|(id, notice)| (id, notice.clone()))
        .collect();
    for (id, notice) in held {
        book.put_notice(id, Notice { held: false, due: now.max(notice.due), ..notice })?;
    }
    Ok(())
}

//! Due work: queries, closes and refunds whose time has come, claimed by lease and done.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::command::{BeginClose, ClaimWork, Command, Decided, Ending, Task, WorkItem};
use domain::payment::PaymentState;
use store::DueRow;
use tokio::sync::{Semaphore, watch};

use crate::{Engine, PayError, pay};

/// Calls to channels at one time.
const CALLS_MAX: usize = 16;
/// Work claimed by one command.
const CLAIM_LEN_MAX: u32 = 32;
/// Looking again even when nothing woke us: another node may have written.
const LOOK_AGAIN: Duration = Duration::from_millis(1_000);
/// Time between two calls on average: after an outage the backlog drains at a bounded rate instead
/// of falling upon the channel, and never takes the lane from merchants (specs/reliability.md
/// REL-43).
const PACE: Duration = Duration::from_millis(5);
/// A pause after an empty look, so that a stream of commits does not make a stream of looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The objects that this process is working on: it does not claim them again, even when its clock
/// jumps past the lease.
#[derive(Default)]
struct InWork(Mutex<HashSet<i64>>);

impl InWork {
    fn set(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn object(row: &DueRow) -> i64 {
    match row {
        DueRow::Payment(_, id) => id.raw(),
        DueRow::Refund(_, id, _) => id.raw(),
    }
}

pub(crate) async fn run(engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
    let calls = Arc::new(Semaphore::new(CALLS_MAX));
    let in_work = Arc::new(InWork::default());
    while !*stop.borrow() {
        let found = look(&engine, &calls, &in_work).await;
        if let Looked::Claimed(count) = found {
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(PACE * count) => {}
            }
            continue;
        }
        let wait = wait_for_next(&engine, found);
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(wait) => {}
            () = engine.work_wake.notified() => tokio::time::sleep(PAUSE.min(wait)).await,
        }
    }
    // Calls on their way are recorded before the lane ends.
    let all = u32::try_from(CALLS_MAX).unwrap_or(u32::MAX);
    let _ = calls.acquire_many(all).await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    Idle,
    Trouble,
    Claimed(u32),
}

fn wait_for_next(engine: &Engine, looked: Looked) -> Duration {
    if looked == Looked::Trouble {
        return LOOK_AGAIN;
    }
    let Ok(Some(next)) = engine.queries.next_due_of_all() else { return LOOK_AGAIN };
    let micros = next.micros_since(engine.now()).max(1_000);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(LOOK_AGAIN)
}

async fn look(engine: &Arc<Engine>, calls: &Arc<Semaphore>, in_work: &Arc<InWork>) -> Looked {
    let free = u32::try_from(calls.available_permits()).unwrap_or(0).min(CLAIM_LEN_MAX);
    if free == 0 {
        // Wait for a call to end; its place is taken below.
        let _ = calls.acquire().await;
        return Looked::Claimed(0);
    }
    // What is in work may stand first among what is due: look as far past it.
    let limit = free.saturating_add(u32::try_from(CALLS_MAX).unwrap_or(0));
    let mut due = match engine.queries.due_work_of_all(engine.now(), limit) {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(%error, "due work cannot be read");
            return Looked::Trouble;
        }
    };
    due.retain(|row| !in_work.set().contains(&object(row)));
    due.truncate(usize::try_from(free).unwrap_or(0));
    if due.is_empty() {
        return Looked::Idle;
    }
    let items = due.into_iter().map(|row| match row {
        DueRow::Payment(tenant, id) => WorkItem::Payment(tenant, id),
        DueRow::Refund(tenant, id, payment) => WorkItem::Refund(tenant, id, payment),
    });
    let claim = ClaimWork { items: items.collect() };
    let tasks = match engine.submit(Command::ClaimWork(claim)).await {
        Ok(Decided::Tasks(tasks)) => tasks,
        Ok(_) => return Looked::Trouble,
        Err(error) => {
            tracing::warn!(%error, "due work cannot be claimed");
            return Looked::Trouble;
        }
    };
    let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    for task in tasks {
        let Ok(permit) = calls.clone().acquire_owned().await else { return Looked::Trouble };
        let (engine, in_work) = (engine.clone(), in_work.clone());
        let object = object_of(&task);
        in_work.set().insert(object);
        tokio::spawn(async move {
            if let Err(error) = carry_out(&engine, task).await {
                tracing::debug!(%error, "due work did not end well; its schedule goes on");
            }
            in_work.set().remove(&object);
            drop(permit);
            engine.work_wake.notify_one();
        });
    }
    Looked::Claimed(count)
}

fn object_of(task: &Task) -> i64 {
    match task {
        Task::Query(payment) | Task::Send(payment) | Task::Expire(payment) => payment.id.raw(),
        Task::SendRefund(refund, _) | Task::QueryRefund(refund, _) => refund.id.raw(),
    }
}

async fn carry_out(engine: &Engine, task: Task) -> Result<(), PayError> {
    match task {
        Task::Query(payment) => {
            engine.ask_payment(&payment).await?;
        }
        Task::Send(payment) => {
            engine.send_ending(payment).await?;
        }
        Task::Expire(payment) => {
            // The last question before the close: the payer may have paid a moment ago.
            let payment = engine.ask_payment(&payment).await?;
            let open =
                matches!(payment.state, PaymentState::Created | PaymentState::Pending { .. });
            if open {
                let command = BeginClose {
                    tenant: payment.tenant,
                    payment: payment.id,
                    how: Ending::Expire,
                    request: None,
                    fresh: engine.fresh(),
                };
                match engine.submit(Command::BeginClose(command)).await? {
                    Decided::Payment(payment) => {
                        engine.send_ending(payment).await?;
                    }
                    other => return Err(pay::unexpected(&other)),
                }
            }
        }
        Task::SendRefund(refund, payment) => {
            engine.send_refund(&refund, &payment).await?;
        }
        Task::QueryRefund(refund, payment) => {
            engine.ask_refund(&refund, &payment).await?;
        }
    }
    Ok(())
}

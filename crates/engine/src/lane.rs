//! A lane: the thread that owns the writer's connection. Queue → batch → load → decide → save →
//! commit → reply. Nothing slow happens here and nothing can be awaited between load and commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ambient::Clock;
use domain::command::{Command, Decided};
use domain::decide::{Context, decide};
use domain::refusal::Refusal;
use domain::state::State;
use domain::webhook::WebhookFormats;
use store::{Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::stats::Stats;

/// Commands that may wait. Beyond, callers hear "busy" at once.
pub const QUEUE_LEN_MAX: usize = 1_024;
/// Commands that one commit carries.
pub const WRITE_BATCH_LEN_MAX: usize = 256;
/// How often a batch that lost a race is decided again.
const RACES_MAX: u32 = 8;

/// A command and where its answer goes.
pub(crate) struct Job {
    pub command: Command,
    pub reply: oneshot::Sender<Result<Decided, Refusal>>,
}

pub(crate) struct Lane {
    pub store: Box<dyn Store>,
    pub formats: Arc<dyn WebhookFormats>,
    pub clock: Arc<dyn Clock>,
    /// Raised when a commit changed what caches hold.
    pub cache_epoch: Arc<AtomicU64>,
    pub stats: Arc<Stats>,
    pub work_wake: Arc<Notify>,
    pub delivery_wake: Arc<Notify>,
    pub on_fatal: Box<dyn Fn(&str) + Send + Sync>,
}

impl Lane {
    /// Runs until every sender of the queue is gone.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(WRITE_BATCH_LEN_MAX);
        while let Some(first) = jobs.blocking_recv() {
            batch.push(first);
            while batch.len() < WRITE_BATCH_LEN_MAX {
                match jobs.try_recv() {
                    Ok(job) => batch.push(job),
                    Err(_) => break,
                }
            }
            self.commit(&mut batch);
        }
    }

    fn commit(&mut self, batch: &mut Vec<Job>) {
        let mut races = 0;
        let answers = loop {
            match self.decide_and_save(batch) {
                Ok(answers) => break answers,
                Err(StoreError::Race(what)) if races < RACES_MAX => {
                    races += 1;
                    tracing::warn!(%what, races, "a batch lost a race and is decided again");
                }
                Err(StoreError::CommitFailed(what)) => {
                    // Nobody is answered: what the disk holds is not known until a restart.
                    (self.on_fatal)(&what);
                    break vec![Err(Refusal::Unavailable); batch.len()];
                }
                Err(error @ StoreError::Inconsistent(_)) => {
                    tracing::error!(%error, "a batch was refused whole");
                    break vec![Err(Refusal::Fault(error.to_string())); batch.len()];
                }
                Err(error @ (StoreError::Race(_) | StoreError::Unavailable(_))) => {
                    tracing::error!(%error, "a batch was refused whole");
                    break vec![Err(Refusal::Unavailable); batch.len()];
                }
            }
        };
        self.stats.count_batch(batch.len());
        for (job, answer) in batch.drain(..).zip(answers) {
            // A caller that went away gets no answer; what it asked for is done all the same.
            let _ = job.reply.send(answer);
        }
    }

    fn decide_and_save(
        &mut self,
        batch: &[Job],
    ) -> Result<Vec<Result<Decided, Refusal>>, StoreError> {
        let mut state = State::default();
        let mut keys = Vec::with_capacity(batch.len() * 6);
        for job in batch {
            job.command.keys(&mut keys);
        }
        self.store.load(&keys, &mut state)?;
        keys.clear();
        for job in batch {
            job.command.more_keys(&state, &mut keys);
        }
        keys.retain(|key| !state.knows(key));
        if !keys.is_empty() {
            self.store.load(&keys, &mut state)?;
        }
        let context = Context { now: self.clock.now(), formats: &*self.formats };
        let mut answers = Vec::with_capacity(batch.len());
        let mut admin = false;
        for job in batch {
            let answer = decide(&mut state, &job.command, &context);
            admin |= answer.is_ok() && matches!(job.command, Command::Admin(_));
            if let Err(Refusal::Fault(what)) = &answer {
                tracing::error!(%what, "a command met a fault");
            }
            answers.push(answer);
        }
        self.store.save(&state)?;
        if admin {
            self.cache_epoch.fetch_add(1, Ordering::Release);
        }
        if state.deliveries.dirty().next().is_some() {
            self.delivery_wake.notify_one();
        }
        if state.payments.dirty().next().is_some() || state.refunds.dirty().next().is_some() {
            self.work_wake.notify_one();
        }
        Ok(answers)
    }
}

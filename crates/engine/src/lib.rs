//! The one door to state, and everything that happens around a commit.
//!
//! Knows the order of things; knows no HTTP, no JSON, no dialect's words and no channel's words.
//! Every change is a command submitted here; nothing else writes.

mod cache;
mod deliver;
mod due;
mod lane;
mod notice;
mod pay;
mod refund;
mod stats;
pub mod test_clock;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use domain::ambient::{Clock, Entropy};
use domain::channel::Connectors;
use domain::command::{Command, Decided};
use domain::id::{Fresh, IdMaker};
use domain::operation::ChannelRefusal;
use domain::refusal::Refusal;
use domain::time::Timestamp;
use domain::webhook::{Courier, WebhookFormats};
use store::Store;
use tokio::sync::{Notify, mpsc, oneshot, watch};

pub use cache::Caller;
pub use lane::{QUEUE_LEN_MAX, WRITE_BATCH_LEN_MAX};
pub use notice::NoticeReply;
pub use pay::{NewPayment, Opening};
pub use stats::{Stats, StatsNow};
/// What lists are asked by; dialects name them without naming the store.
pub use store::{EventFilter, Listed, Page, PaymentFilter, Queries, StoreError};

/// What the engine is made of; filled by the binary.
pub struct Parts {
    /// The writer's connection.
    pub store: Box<dyn Store>,
    /// The readers.
    pub queries: Arc<dyn Queries>,
    /// Makers of connectors.
    pub connectors: Arc<dyn Connectors>,
    /// The dialects' words.
    pub formats: Arc<dyn WebhookFormats>,
    /// Carrier of messages.
    pub courier: Arc<dyn Courier>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// This process's number on its database, 0–63.
    pub node: u8,
    /// How channels reach us: `https://pay.example.com`, no slash at the end.
    pub public_url: String,
    /// Called when a commit's outcome is not known; must not return (specs/reliability.md D8).
    pub on_fatal: Box<dyn Fn(&str) + Send + Sync>,
}

/// The engine, shared by every handler.
pub struct Engine {
    queue: mpsc::Sender<lane::Job>,
    queries: Arc<dyn Queries>,
    connectors: Arc<dyn Connectors>,
    formats: Arc<dyn WebhookFormats>,
    courier: Arc<dyn Courier>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ids: IdMaker,
    public_url: String,
    started_at: Timestamp,
    cache: cache::Cache,
    stats: Arc<Stats>,
    work_wake: Arc<Notify>,
    delivery_wake: Arc<Notify>,
}

/// Handles of what runs beside the handlers.
pub struct Running {
    stop: watch::Sender<bool>,
    timers: Vec<tokio::task::JoinHandle<()>>,
    lane: std::thread::JoinHandle<()>,
}

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayError {
    /// The rules refuse.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The app may not use the channel.
    #[error("the channel is not enabled for the app")]
    ChannelNotEnabled,
    /// The order cannot go this way.
    #[error(transparent)]
    Order(#[from] domain::channel::OrderError),
    /// The channel refused, or its answer is not known; what is known is written down.
    #[error("the channel answered {}", .0.code)]
    Channel(ChannelRefusal),
}

impl Engine {
    /// Starts the lane, the timers and the courier. Needs a tokio runtime.
    pub fn start(parts: Parts) -> Result<(Arc<Engine>, Running), StoreError> {
        let after = parts.queries.largest_id()?;
        let (queue, jobs) = mpsc::channel(QUEUE_LEN_MAX);
        let stats = Arc::new(Stats::default());
        let (work_wake, delivery_wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let engine = Arc::new(Engine {
            queue,
            queries: parts.queries,
            connectors: parts.connectors,
            formats: parts.formats.clone(),
            courier: parts.courier,
            started_at: parts.clock.now(),
            clock: parts.clock.clone(),
            entropy: parts.entropy,
            ids: IdMaker::new(parts.node, after),
            public_url: parts.public_url,
            cache: cache::Cache::default(),
            stats: stats.clone(),
            work_wake: work_wake.clone(),
            delivery_wake: delivery_wake.clone(),
        });
        let lane = lane::Lane {
            store: parts.store,
            formats: parts.formats,
            clock: parts.clock,
            cache_epoch: engine.cache.epoch(),
            stats,
            work_wake,
            delivery_wake,
            on_fatal: parts.on_fatal,
        };
        let lane = std::thread::Builder::new()
            .name("lane-0".into())
            .spawn(move || lane.run(jobs))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let (stop, stopped) = watch::channel(false);
        let timers = vec![
            tokio::spawn(due::run(engine.clone(), stopped.clone())),
            tokio::spawn(deliver::run(engine.clone(), stopped)),
        ];
        Ok((engine, Running { stop, timers, lane }))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When this process began to serve.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Chance, for dialects that mint public ids.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Ids for one command.
    pub fn fresh(&self) -> Fresh {
        let mut seed = [0u8; 16];
        self.entropy.fill(&mut seed);
        self.ids.fresh(self.now(), seed)
    }

    /// One new id.
    pub fn id<K>(&self) -> domain::id::Id<K> {
        self.ids.id(self.now())
    }

    /// Queues a command and waits until it is decided and committed. A full queue answers
    /// [`Refusal::Busy`] at once. Dropping the future does not take the command back.
    pub async fn submit(&self, command: Command) -> Result<Decided, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = lane::Job { command, reply };
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.stats.count_busy();
                Refusal::Busy
            }
            mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
        })?;
        answer.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Reads, never through the queue. The closure may block for a look-up or a page of a list.
    pub async fn read<T>(
        &self,
        read: impl FnOnce(&dyn Queries) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        read(&*self.queries).map_err(refusal_of)
    }

    /// Figures for operators.
    pub fn stats(&self) -> StatsNow {
        self.stats.now(self.queue.max_capacity() - self.queue.capacity())
    }

    /// Wakes everything that waits for a moment: the clock was moved.
    pub fn clock_moved(&self) {
        self.work_wake.notify_one();
        self.delivery_wake.notify_one();
    }
}

impl Running {
    /// Stops the timers and the courier (calls on their way are finished), then decides and commits
    /// what is queued, and returns. The last handle of the engine must be dropped by the caller's
    /// side for the lane to see the end of its queue.
    pub async fn stop(self, engine: Arc<Engine>) {
        let _ = self.stop.send(true);
        for timer in self.timers {
            let _ = timer.await;
        }
        drop(engine);
        let _ = tokio::task::spawn_blocking(move || self.lane.join()).await;
    }
}

pub(crate) fn refusal_of(error: StoreError) -> Refusal {
    match error {
        StoreError::Inconsistent(what) => Refusal::Fault(what),
        StoreError::Race(what) | StoreError::Unavailable(what) | StoreError::CommitFailed(what) => {
            tracing::error!(%what, "a read failed");
            Refusal::Unavailable
        }
    }
}

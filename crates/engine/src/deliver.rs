//! Deliveries: claimed by lease, signed, carried, recorded. The body was frozen in the commit that
//! it speaks of; only the envelope is made here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::command::{ClaimDeliveries, Command, Decided, RecordDelivery};
use domain::event::{CourierAnswer, CourierFailure, Delivery, DeliveryId};
use domain::refusal::Refusal;
use domain::tenant::EndpointId;
use domain::webhook::Message;
use tokio::sync::{Semaphore, watch};

use crate::{Engine, refusal_of};

/// Messages on their way at one time.
const MESSAGES_MAX: usize = 64;
/// Of these to one endpoint, so that a slow receiver does not hold up the others (REL-74).
const MESSAGES_PER_ENDPOINT_MAX: usize = 8;
/// Looking again even when nothing woke us.
const LOOK_AGAIN: Duration = Duration::from_millis(1_000);

/// The messages on their way, by endpoint. What this process is carrying it does not claim again,
/// even when its clock jumps past the lease.
#[derive(Default)]
struct OnTheWay(Mutex<HashMap<EndpointId, HashSet<DeliveryId>>>);

impl OnTheWay {
    fn map(&self) -> MutexGuard<'_, HashMap<EndpointId, HashSet<DeliveryId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, delivery: &Delivery) {
        self.map().entry(delivery.endpoint).or_default().insert(delivery.id);
    }

    fn remove(&self, endpoint: EndpointId, delivery: DeliveryId) {
        let mut map = self.map();
        if let Some(ids) = map.get_mut(&endpoint) {
            ids.remove(&delivery);
            if ids.is_empty() {
                map.remove(&endpoint);
            }
        }
    }

    /// How many go to the endpoint, and whether this one is among them.
    fn place(&self, endpoint: EndpointId, delivery: DeliveryId) -> (usize, bool) {
        self.map().get(&endpoint).map_or((0, false), |ids| (ids.len(), ids.contains(&delivery)))
    }

    fn busy(&self) -> Vec<EndpointId> {
        let map = self.map();
        let full = map.iter().filter(|(_, ids)| ids.len() >= MESSAGES_PER_ENDPOINT_MAX);
        full.map(|(endpoint, _)| *endpoint).collect()
    }
}

pub(crate) async fn run(engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MESSAGES_MAX));
    let on_the_way = Arc::new(OnTheWay::default());
    while !*stop.borrow() {
        if look(&engine, &places, &on_the_way).await {
            continue;
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(wait_for_next(&engine)) => {}
            () = engine.delivery_wake.notified() => {}
        }
    }
    let all = u32::try_from(MESSAGES_MAX).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

fn wait_for_next(engine: &Engine) -> Duration {
    let Ok(Some(next)) = engine.queries.next_due_of_all() else { return LOOK_AGAIN };
    let micros = next.micros_since(engine.now()).max(5_000);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(LOOK_AGAIN)
}

/// Claims and starts what is due; true if there may be more.
async fn look(engine: &Arc<Engine>, places: &Arc<Semaphore>, on_the_way: &Arc<OnTheWay>) -> bool {
    if places.available_permits() == 0 {
        let _ = places.acquire().await;
    }
    let free = u32::try_from(places.available_permits()).unwrap_or(0);
    let due = engine.queries.due_deliveries_of_all(engine.now(), free, &on_the_way.busy());
    let due = match due {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(%error, "due deliveries cannot be read");
            return false;
        }
    };
    let mut new: HashMap<EndpointId, usize> = HashMap::new();
    let mut deliveries = Vec::with_capacity(due.len());
    for (tenant, id, endpoint) in due {
        let (going, is_going) = on_the_way.place(endpoint, id);
        let count = new.entry(endpoint).or_insert(going);
        if !is_going && *count < MESSAGES_PER_ENDPOINT_MAX {
            *count += 1;
            deliveries.push((tenant, id));
        }
    }
    if deliveries.is_empty() {
        return false;
    }
    let claim = Command::ClaimDeliveries(ClaimDeliveries { deliveries });
    let claimed = match engine.submit(claim).await {
        Ok(Decided::Deliveries(claimed)) => claimed,
        Ok(_) => return false,
        Err(error) => {
            tracing::warn!(%error, "due deliveries cannot be claimed");
            return false;
        }
    };
    for delivery in claimed {
        let Ok(place) = places.clone().acquire_owned().await else { return false };
        let (engine, on_the_way) = (engine.clone(), on_the_way.clone());
        on_the_way.add(&delivery);
        tokio::spawn(async move {
            let (endpoint, id) = (delivery.endpoint, delivery.id);
            if let Err(error) = carry(&engine, delivery).await {
                tracing::warn!(%error, "a delivery was not recorded; its lease will end");
            }
            on_the_way.remove(endpoint, id);
            drop(place);
            // A place at this endpoint is free: there may be more for it.
            engine.delivery_wake.notify_one();
        });
    }
    true
}

async fn carry(engine: &Engine, delivery: Delivery) -> Result<(), Refusal> {
    let q = &*engine.queries;
    let event = q.event_by_id(delivery.tenant, delivery.event).map_err(refusal_of)?;
    let endpoint = q.endpoint(delivery.tenant, delivery.endpoint).map_err(refusal_of)?;
    let (Some(event), Some(endpoint)) = (event, endpoint) else {
        return Err(Refusal::Fault("a delivery without event or endpoint".into()));
    };
    let format = engine.formats.of(event.dialect);
    let answer = if endpoint.disabled {
        CourierAnswer::Failed(CourierFailure::AddressNotAllowed)
    } else {
        let headers = format.headers(&delivery, &event, engine.now());
        let message = Message { url: endpoint.url, headers, body: event.body };
        engine.courier.send(message).await
    };
    engine.stats.count_delivery(answer.is_success());
    let step = usize::from(delivery.tries).saturating_sub(1);
    let command = RecordDelivery {
        tenant: delivery.tenant,
        delivery: delivery.id,
        token: delivery.token,
        answer,
        retry_seconds: format.schedule().get(step).copied(),
    };
    engine.submit(Command::RecordDelivery(command)).await.map(|_| ())
}

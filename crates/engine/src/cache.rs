//! What every request needs and hardly ever changes, kept in memory for a short time and dropped
//! as soon as a commit of this process changes it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::channel::Channel;
use domain::refusal::Refusal;
use domain::tenant::{ApiKey, App, Merchant, MerchantKey, RouteId, Tenant};
use domain::text::AppId;

use crate::{Engine, PayError, refusal_of};

/// How long a change made by another process may stay unseen.
const LIFE: Duration = Duration::from_secs(5);
/// Entries kept; past it the cache starts anew.
const LEN_MAX: usize = 10_000;

/// Who calls, as its API key says.
#[derive(Debug)]
pub struct Caller {
    /// The key.
    pub key: ApiKey,
    /// Whose book it opens.
    pub tenant: Tenant,
    /// The merchant.
    pub merchant: Merchant,
    /// Its apps, oldest first.
    pub apps: Vec<Arc<App>>,
    /// Its public keys for this mode.
    pub keys: Vec<MerchantKey>,
}

impl Caller {
    /// One of its apps.
    pub fn app(&self, id: &AppId) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.id == *id)
    }
}

struct Aged<T> {
    value: T,
    epoch: u64,
    since: Instant,
}

/// A connector and whose contract it serves.
type Connected = (Tenant, Arc<dyn Channel>);
type Map<K, T> = RwLock<HashMap<K, Aged<T>>>;

#[derive(Default)]
pub(crate) struct Cache {
    epoch: Arc<AtomicU64>,
    callers: Map<[u8; 32], Arc<Caller>>,
    channels: Map<RouteId, Connected>,
}

impl Cache {
    /// The counter that a lane raises when a commit changed what is kept here.
    pub(crate) fn epoch(&self) -> Arc<AtomicU64> {
        self.epoch.clone()
    }

    fn get<K: Eq + std::hash::Hash, T: Clone>(&self, map: &Map<K, T>, key: &K) -> Option<T> {
        let map = map.read().unwrap_or_else(PoisonError::into_inner);
        let aged = map.get(key)?;
        let fresh = aged.epoch == self.epoch.load(Ordering::Acquire) && aged.since.elapsed() < LIFE;
        fresh.then(|| aged.value.clone())
    }

    fn put<K: Eq + std::hash::Hash, T: Clone>(map: &Map<K, T>, key: K, value: &T, epoch: u64) {
        let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= LEN_MAX {
            map.clear();
        }
        map.insert(key, Aged { value: value.clone(), epoch, since: Instant::now() });
    }
}

impl Engine {
    /// Who owns the API key with this SHA-256; `None` for an unknown, revoked or disabled one.
    pub async fn caller(&self, key_hash: &[u8; 32]) -> Result<Option<Arc<Caller>>, Refusal> {
        if let Some(caller) = self.cache.get(&self.cache.callers, key_hash) {
            return Ok(Some(caller));
        }
        let epoch = self.cache.epoch.load(Ordering::Acquire);
        let q = &*self.queries;
        let Some(key) = q.api_key(key_hash).map_err(refusal_of)? else { return Ok(None) };
        if key.revoked.is_some() {
            return Ok(None);
        }
        let merchant = q.merchant(key.merchant).map_err(refusal_of)?.filter(|m| !m.disabled);
        let Some(merchant) = merchant else { return Ok(None) };
        let tenant = Tenant { merchant: merchant.id, mode: key.mode };
        let apps = q.apps(merchant.id).map_err(refusal_of)?.into_iter().map(Arc::new).collect();
        let keys = q.merchant_keys(tenant).map_err(refusal_of)?;
        let caller = Arc::new(Caller { key, tenant, merchant, apps, keys });
        Cache::put(&self.cache.callers, *key_hash, &caller, epoch);
        Ok(Some(caller))
    }

    /// The connector of a route.
    pub(crate) fn channel(
        &self,
        tenant: Tenant,
        route: RouteId,
    ) -> Result<Arc<dyn Channel>, PayError> {
        let (owner, channel) = self.channel_of_notice(route)?.ok_or(PayError::ChannelNotEnabled)?;
        if owner == tenant { Ok(channel) } else { Err(PayError::ChannelNotEnabled) }
    }

    /// The connector of a route by its id alone, and whose it is.
    pub(crate) fn channel_of_notice(&self, id: RouteId) -> Result<Option<Connected>, PayError> {
        if let Some(found) = self.cache.get(&self.cache.channels, &id) {
            return Ok(Some(found));
        }
        let epoch = self.cache.epoch.load(Ordering::Acquire);
        let Some(route) = self.queries.route_of_notice(id).map_err(refusal_of)? else {
            return Ok(None);
        };
        let channel = self.connectors.connect(&route).map_err(|error| {
            Refusal::Fault(format!("the settings of route {id:?} make no connector: {error}"))
        })?;
        let found = (route.tenant, channel);
        Cache::put(&self.cache.channels, id, &found, epoch);
        Ok(Some(found))
    }
}

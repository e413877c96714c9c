//! Saving into the maps: every row is checked before the first one is written, so that a lost race
//! leaves no trace. Decides nothing beyond keys and versions.

use std::collections::{BTreeMap, HashMap};

use domain::payment::{Payment, PaymentState};
use domain::state::{Fate, State};

use super::{Books, Owner, Unique, account_place};
use crate::StoreError;

type Done = Result<(), StoreError>;

fn race(what: &str) -> StoreError {
    StoreError::Race(what.to_owned())
}

/// A new row's key must be free; a changed row must be there, and older than what is written.
fn fits<K: Ord, R>(
    stored: &BTreeMap<K, R>,
    key: &K,
    fate: Fate,
    what: &str,
    is_older: impl Fn(&R) -> bool,
) -> Done {
    match (fate, stored.get(key)) {
        (Fate::Clean, _) | (Fate::New, None) => Ok(()),
        (Fate::Changed, Some(row)) if is_older(row) => Ok(()),
        (Fate::New, Some(_)) => Err(race(&format!("{what}: the key is taken"))),
        (Fate::Changed, Some(_)) => Err(race(&format!("{what}: a newer version is stored"))),
        (Fate::Changed, None) => Err(race(&format!("{what}: the row is gone"))),
    }
}

/// What a save takes and gives back of what must be unique.
#[derive(Default)]
struct Claims {
    taken: HashMap<Unique, Owner>,
    freed: Vec<Unique>,
}

impl Claims {
    /// Takes something unique for a row, which may own it already.
    fn take(&mut self, books: &Books, unique: Unique, owner: Owner) -> Done {
        let is_freed = self.freed.contains(&unique);
        let stored = books.unique.get(&unique).filter(|_| !is_freed);
        let other = self.taken.get(&unique).or(stored);
        if other.is_some_and(|other| *other != owner) {
            return Err(race(&format!("{unique:?} is taken")));
        }
        self.taken.insert(unique, owner);
        Ok(())
    }
}

fn order_of(p: &Payment) -> Unique {
    Unique::Order(p.tenant, p.app.clone(), p.channel.clone(), p.order_no.clone())
}

fn is_failed(payment: &Payment) -> bool {
    matches!(payment.state, PaymentState::Failed { .. })
}

impl Books {
    /// Writes everything new and changed, or nothing.
    pub(super) fn save(&mut self, state: &State) -> Done {
        self.check_setup(state)?;
        self.check_rows(state)?;
        let claims = self.claims(state)?;
        for unique in &claims.freed {
            self.unique.remove(unique);
        }
        self.unique.extend(claims.taken);
        self.write(state);
        Ok(())
    }

    fn check_setup(&self, state: &State) -> Done {
        let any = "setup";
        for (r, fate) in state.merchants.dirty() {
            fits(&self.merchants, &r.id, fate, any, |_| true)?;
        }
        for (r, fate) in state.apps.dirty() {
            fits(&self.apps, &(r.merchant, r.id.clone()), fate, any, |_| true)?;
        }
        for (r, fate) in state.api_keys.dirty() {
            fits(&self.api_keys, &r.hash, fate, any, |_| true)?;
        }
        for (r, fate) in state.merchant_keys.dirty() {
            let key = (r.tenant, r.fingerprint.clone());
            fits(&self.merchant_keys, &key, fate, any, |_| true)?;
        }
        for (r, fate) in state.routes.dirty() {
            fits(&self.routes, &(r.tenant, r.id), fate, "route", |_| true)?;
        }
        for (r, fate) in state.endpoints.dirty() {
            fits(&self.endpoints, &(r.tenant, r.id), fate, any, |_| true)?;
        }
        for (r, fate) in state.members.dirty() {
            let key = (r.tenant, r.app.clone(), r.user.clone());
            fits(&self.members, &key, fate, any, |_| true)?;
        }
        Ok(())
    }

    fn check_rows(&self, state: &State) -> Done {
        for (r, fate) in state.payments.dirty() {
            let older = |before: &Payment| before.version < r.version;
            fits(&self.payments, &(r.tenant, r.id), fate, "payment", older)?;
        }
        for (r, fate) in state.receipts.dirty() {
            let key = (r.tenant, r.route, r.trade_no.clone());
            fits(&self.receipts, &key, fate, "receipt", |_| false)?;
        }
        for (r, fate) in state.refunds.dirty() {
            let key = (r.tenant, r.id);
            fits(&self.refunds, &key, fate, "refund", |before| before.version < r.version)?;
        }
        for (r, fate) in state.batches.dirty() {
            let key = (r.tenant, r.id);
            fits(&self.batches, &key, fate, "refund_batch", |before| before.version < r.version)?;
        }
        for (r, fate) in state.holds.dirty() {
            let key = (r.tenant, r.refund);
            fits(&self.holds, &key, fate, "hold", |before| before.version < r.version)?;
        }
        for (r, fate) in state.accounts.dirty() {
            let key = account_place(r.key.tenant, r.key.path);
            fits(&self.accounts, &key, fate, "account", |before| before.entries <= r.entries)?;
        }
        for (r, fate) in state.chains.dirty() {
            fits(&self.chains, &r.tenant, fate, "chain", |before| before.seq < r.seq)?;
        }
        for r in &state.journals {
            fits(&self.journals, &(r.tenant(), r.seq()), Fate::New, "journal", |_| false)?;
        }
        for r in &state.events {
            fits(&self.events, &(r.tenant, r.id), Fate::New, "event", |_| false)?;
        }
        for (r, fate) in state.deliveries.dirty() {
            let key = (r.tenant, r.id);
            fits(&self.deliveries, &key, fate, "delivery", |before| before.version < r.version)?;
        }
        for (r, fate) in state.unmatched.dirty() {
            let key = (r.tenant, r.notice_id.clone());
            fits(&self.unmatched, &key, fate, "unmatched_notice", |_| false)?;
        }
        Ok(())
    }

    fn claims(&self, state: &State) -> Result<Claims, StoreError> {
        let mut claims = Claims::default();
        let owns = |p: &Payment| self.unique.get(&order_of(p)) == Some(&(p.tenant, p.id.raw()));
        let failed = state.payments.dirty().map(|(p, _)| p).filter(|p| is_failed(p) && owns(p));
        claims.freed.extend(failed.map(order_of));
        for (r, _) in state.routes.dirty() {
            claims.take(self, Unique::Route(r.id), (r.tenant, r.id.raw()))?;
        }
        for (p, _) in state.payments.dirty() {
            let owner = (p.tenant, p.id.raw());
            claims.take(self, Unique::PublicPayment(p.tenant, p.public_id.clone()), owner)?;
            claims.take(self, Unique::Number(p.tenant, p.route, p.number.clone()), owner)?;
            if !is_failed(p) {
                claims.take(self, order_of(p), owner)?;
            }
        }
        for (r, _) in state.refunds.dirty() {
            let owner = (r.tenant, r.id.raw());
            claims.take(self, Unique::PublicRefund(r.tenant, r.public_id.clone()), owner)?;
            claims.take(self, Unique::RefundNumber(r.tenant, r.route, r.number.clone()), owner)?;
        }
        for (b, _) in state.batches.dirty() {
            let owner = (b.tenant, b.id.raw());
            claims.take(self, Unique::PublicBatch(b.tenant, b.public_id.clone()), owner)?;
            let number = Unique::BatchNo(b.tenant, b.app.clone(), b.batch_no.clone());
            claims.take(self, number, owner)?;
        }
        for e in &state.events {
            let unique = Unique::PublicEvent(e.tenant, e.public_id.clone());
            claims.take(self, unique, (e.tenant, e.id.raw()))?;
        }
        for j in &state.journals {
            claims.take(self, Unique::Cause(j.tenant(), j.cause()), (j.tenant(), j.seq()))?;
        }
        Ok(claims)
    }

    fn write(&mut self, state: &State) {
        let s = state;
        self.merchants.extend(s.merchants.dirty().map(|(r, _)| (r.id, r.clone())));
        let apps = s.apps.dirty().map(|(r, _)| ((r.merchant, r.id.clone()), r.clone()));
        self.apps.extend(apps);
        self.api_keys.extend(s.api_keys.dirty().map(|(r, _)| (r.hash, r.clone())));
        let keys = s.merchant_keys.dirty();
        let keys = keys.map(|(r, _)| ((r.tenant, r.fingerprint.clone()), r.clone()));
        self.merchant_keys.extend(keys);
        self.routes.extend(s.routes.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        self.endpoints.extend(s.endpoints.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        let members = s.members.dirty();
        let members = members.map(|(r, _)| ((r.tenant, r.app.clone(), r.user.clone()), r.clone()));
        self.members.extend(members);
        self.payments.extend(s.payments.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        let receipts = s.receipts.dirty();
        let receipts = receipts.map(|(r, _)| ((r.tenant, r.route, r.trade_no.clone()), r.clone()));
        self.receipts.extend(receipts);
        self.refunds.extend(s.refunds.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        self.batches.extend(s.batches.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        self.holds.extend(s.holds.dirty().map(|(r, _)| ((r.tenant, r.refund), r.clone())));
        let accounts = s.accounts.dirty();
        let accounts = accounts.map(|(r, _)| (account_place(r.key.tenant, r.key.path), r.clone()));
        self.accounts.extend(accounts);
        self.chains.extend(s.chains.dirty().map(|(r, _)| (r.tenant, r.clone())));
        self.journals.extend(s.journals.iter().map(|r| ((r.tenant(), r.seq()), r.clone())));
        self.events.extend(s.events.iter().map(|r| ((r.tenant, r.id), r.clone())));
        self.deliveries.extend(s.deliveries.dirty().map(|(r, _)| ((r.tenant, r.id), r.clone())));
        let unmatched = s.unmatched.dirty();
        let unmatched = unmatched.map(|(r, _)| ((r.tenant, r.notice_id.clone()), r.clone()));
        self.unmatched.extend(unmatched);
        self.delivery_attempts.extend(s.delivery_attempts.iter().cloned());
        self.attempts.extend(s.attempts.iter().cloned());
        self.audit.extend(s.audit.iter().cloned());
    }
}

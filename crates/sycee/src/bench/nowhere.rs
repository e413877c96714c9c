//! A store that keeps nothing: what remains of a create when nothing is committed.

use domain::state::{Key, State};
use domain::tenant::App;
use store::{Store, StoreError};

/// Knows the bench's app; every other row is absent and every write forgotten.
pub struct Nowhere {
    /// The app that payments are made for.
    pub app: App,
}

impl Store for Nowhere {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> {
        for key in keys {
            match key {
                Key::App(merchant, id) => {
                    let row = (*id == self.app.id).then(|| self.app.clone());
                    state.apps.load((*merchant, id.clone()), row);
                }
                Key::Order(t, app, channel, no) => {
                    state.orders.load((*t, app.clone(), channel.clone(), no.clone()), None);
                }
                Key::Number(t, route, no) => {
                    state.numbers.load((*t, *route, no.clone()), None);
                }
                other => {
                    return Err(StoreError::Inconsistent(format!(
                        "the bench store was asked for {other:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn save(&mut self, _: &State) -> Result<(), StoreError> {
        Ok(())
    }
}

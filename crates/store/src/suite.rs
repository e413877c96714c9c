//! One list of behaviours, run on every engine: what holds for the maps holds for the database.
//!
//! Tests reach a store through its two traits alone; only `sqlite_only` knows a file.

mod differential;
mod lists;
mod races;
mod rows;
mod sample;
mod sqlite_only;
mod work;

use std::sync::Arc;

use domain::state::{Key, State};
use tempfile::TempDir;

use crate::{Queries, Store, StoreError};

/// An open store of some engine.
pub(super) struct Opened {
    pub store: Box<dyn Store>,
    pub queries: Arc<dyn Queries>,
    /// Removed when the test ends.
    _folder: Option<TempDir>,
}

pub(super) fn memory() -> Opened {
    let (store, queries) = crate::memory::open();
    Opened { store: Box::new(store), queries, _folder: None }
}

pub(super) fn sqlite() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let (store, queries) = crate::sqlite::open(folder.path()).unwrap();
    Opened { store: Box::new(store), queries, _folder: Some(folder) }
}

impl Opened {
    /// A fresh working set with these keys loaded.
    pub fn load(&mut self, keys: &[Key]) -> State {
        let mut state = State::default();
        self.store.load(keys, &mut state).unwrap();
        state
    }

    /// Ends a batch that only looked.
    pub fn end(&mut self) {
        self.store.save(&State::default()).unwrap();
    }

    /// Loads keys, changes the working set and saves it: one batch.
    pub fn batch(&mut self, keys: &[Key], change: impl FnOnce(&mut State)) -> Saved {
        let mut state = self.load(keys);
        change(&mut state);
        self.store.save(&state)
    }

    /// Writes without loading: every row is new.
    pub fn write(&mut self, change: impl FnOnce(&mut State)) {
        self.batch(&[], change).unwrap();
    }
}

pub(super) type Saved = Result<(), StoreError>;

/// Makes one test of each engine from each function that takes an open store.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_memory {
            $(#[test] fn $name() { super::$name(crate::suite::memory()); })+
        }
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(crate::suite::sqlite()); })+
        }
    };
}
use on_both;

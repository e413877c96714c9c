//! The SQLite store: one writer's connection, a few readers, one process.
//!
//! Write-ahead log, full synchronisation, an exclusive lock on the folder. Refuses to start with a
//! library or a setting that could lose an acknowledged commit (specs/reliability.md D6, REL-03).

mod load;
mod migrate;
mod query;
mod rows;
mod save;

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::state::{Key, State};
use rusqlite::{Connection, OpenFlags};

use crate::{Store, StoreError};
pub use query::SqliteQueries;

/// The first library version without the fault that can corrupt a write-ahead log when it is reset
/// (specs/reliability.md §1.2).
const LIBRARY_VERSION_MIN: i32 = 3_051_003;

/// Why a folder cannot be served. The text says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("cannot use the folder {0}: {1}")]
    Folder(PathBuf, std::io::Error),
    /// Another process serves it.
    #[error("another process serves {0}; stop it first, or choose another folder with --data")]
    Locked(PathBuf),
    /// There is no store in it.
    #[error("there is no store in {0}; `sycee serve --data DIR` makes one")]
    Absent(PathBuf),
    /// The SQLite library has a known fault.
    #[error("SQLite {0} can corrupt its log; build with the bundled library (3.51.3 or later)")]
    Library(&'static str),
    /// A setting that durability rests on is not in force.
    #[error("SQLite does not keep {0} = {1} here; is the folder on a network file system?")]
    Pragma(&'static str, &'static str),
    /// The schema's history is not ours.
    #[error("{0}")]
    History(String),
    /// SQLite refuses.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// The writer.
pub struct SqliteStore {
    connection: Connection,
    in_transaction: bool,
    /// Held until the process ends.
    _lock: File,
}

fn database(folder: &Path) -> PathBuf {
    folder.join("sycee.db")
}

/// Opens a folder for writing, making it if needed, and brings the schema up to date.
pub fn open(folder: &Path) -> Result<(SqliteStore, Arc<SqliteQueries>), OpenError> {
    if rusqlite::version_number() < LIBRARY_VERSION_MIN {
        return Err(OpenError::Library(rusqlite::version()));
    }
    let trouble = |error| OpenError::Folder(folder.to_owned(), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("sycee.lock"))
        .map_err(trouble)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(OpenError::Locked(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => return Err(trouble(error)),
    }
    let mut connection = Connection::open(database(folder))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let mode: String = connection.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Pragma("journal_mode", "wal"));
    }
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |r| r.get(0))?;
    if synchronous != 2 {
        return Err(OpenError::Pragma("synchronous", "full"));
    }
    connection.set_prepared_statement_cache_capacity(128);
    migrate::run(&mut connection)?;
    let store = SqliteStore { connection, in_transaction: false, _lock: lock };
    Ok((store, Arc::new(SqliteQueries::new(database(folder)))))
}

/// Opens a folder for reading alone, beside a running server or without one.
pub fn open_reader(folder: &Path) -> Result<Arc<SqliteQueries>, OpenError> {
    let path = database(folder);
    if !path.is_file() {
        return Err(OpenError::Absent(folder.to_owned()));
    }
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    migrate::check(&connection)?;
    Ok(Arc::new(SqliteQueries::new(path)))
}

impl Store for SqliteStore {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> {
        if !self.in_transaction {
            self.connection.execute_batch("BEGIN IMMEDIATE").map_err(error_of)?;
            self.in_transaction = true;
        }
        let loaded = load::load(&self.connection, keys, state);
        if loaded.is_err() {
            self.roll_back();
        }
        loaded
    }

    fn save(&mut self, state: &State) -> Result<(), StoreError> {
        if state.is_clean() {
            self.roll_back();
            return Ok(());
        }
        if let Err(error) = save::save(&self.connection, state) {
            self.roll_back();
            return Err(error);
        }
        match self.connection.execute_batch("COMMIT") {
            Ok(()) => {
                self.in_transaction = false;
                Ok(())
            }
            // A full disk is known before anything was synchronised: the transaction is still open
            // and can be taken back (REL-04).
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
                self.roll_back();
                Err(StoreError::Unavailable(error.to_string()))
            }
            Err(error) => Err(StoreError::CommitFailed(error.to_string())),
        }
    }
}

impl SqliteStore {
    fn roll_back(&mut self) {
        if self.in_transaction {
            self.in_transaction = false;
            // A transaction that SQLite has ended by itself leaves nothing to roll back.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Sorts SQLite's errors: a taken key is a lost race, a row that breaks another constraint is a
/// programming error, a broken disk ends the process.
fn error_of(error: rusqlite::Error) -> StoreError {
    use rusqlite::{ErrorCode, ffi};
    let text = error.to_string();
    let extended = error.sqlite_error().map(|e| e.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation)
            if matches!(
                extended,
                Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
            ) =>
        {
            StoreError::Race(text)
        }
        Some(ErrorCode::ConstraintViolation) => StoreError::Inconsistent(text),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt) => {
            StoreError::CommitFailed(text)
        }
        _ => StoreError::Unavailable(text),
    }
}

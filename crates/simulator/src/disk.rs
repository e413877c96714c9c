//! The book on disk: SQLite with one JSON document per row, written through at every change.
//!
//! WAL with `synchronous=NORMAL`: a killed process loses nothing, a power cut at most the last
//! moments of a pretend channel. It must never be asked while a lock is held across an await.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS app (app_id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS trade (id INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS notice (id INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS faults (
        seller_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (seller_id, out_trade_no)
    ) STRICT;";

/// The connection; used by one thread at a time.
pub(crate) struct Disk(Connection);

impl Disk {
    /// Opens `simulator.db` in the folder, making both; without a folder, a book in memory.
    pub fn open(folder: Option<&Path>) -> Result<Disk, OpenDiskError> {
        let connection = match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                Connection::open(folder.join("simulator.db"))?
            }
            None => Connection::open_in_memory()?,
        };
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch(TABLES)?;
        Ok(Disk(connection))
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> rusqlite::Result<Option<String>> {
        self.0
            .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get("value"))
            .optional()
    }

    /// Sets a setting.
    pub fn set(&self, name: &str, value: &str) -> rusqlite::Result<()> {
        self.0.execute(
            "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)",
            [name, value],
        )?;
        Ok(())
    }

    /// Every trade, by id.
    pub fn trades<T: DeserializeOwned>(&self) -> rusqlite::Result<Vec<(u64, T)>> {
        self.numbered("SELECT id, document FROM trade ORDER BY id")
    }

    /// Every open notice, by id.
    pub fn notices<T: DeserializeOwned>(&self) -> rusqlite::Result<Vec<(u64, T)>> {
        self.numbered("SELECT id, document FROM notice ORDER BY id")
    }

    fn numbered<T: DeserializeOwned>(&self, sql: &str) -> rusqlite::Result<Vec<(u64, T)>> {
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let id: i64 = row.get("id")?;
            Ok((id.unsigned_abs(), read(&row.get::<_, String>("document")?)?))
        })?;
        rows.collect()
    }

    /// Every app registered at run time.
    pub fn apps<T: DeserializeOwned>(&self) -> rusqlite::Result<Vec<T>> {
        let mut statement = self.0.prepare("SELECT document FROM app")?;
        let rows = statement.query_map([], |row| read(&row.get::<_, String>("document")?))?;
        rows.collect()
    }

    /// Every fault: seller, number, faults.
    pub fn faults<T: DeserializeOwned>(&self) -> rusqlite::Result<Vec<((String, String), T)>> {
        let mut statement =
            self.0.prepare("SELECT seller_id, out_trade_no, document FROM faults")?;
        let rows = statement.query_map([], |row| {
            let key = (row.get("seller_id")?, row.get("out_trade_no")?);
            Ok((key, read(&row.get::<_, String>("document")?)?))
        })?;
        rows.collect()
    }

    /// Keeps an app.
    pub fn save_app(&self, app_id: &str, app: &impl Serialize) -> rusqlite::Result<()> {
        self.0.execute(
            "INSERT OR REPLACE INTO app (app_id, document) VALUES (?1, ?2)",
            params![app_id, write(app)?],
        )?;
        Ok(())
    }

    /// Keeps the faults of a number, or forgets them.
    pub fn save_faults(
        &self,
        (seller_id, out_trade_no): &(String, String),
        faults: Option<&impl Serialize>,
    ) -> rusqlite::Result<()> {
        match faults {
            Some(faults) => self.0.execute(
                "INSERT OR REPLACE INTO faults (seller_id, out_trade_no, document)
                 VALUES (?1, ?2, ?3)",
                params![seller_id, out_trade_no, write(faults)?],
            )?,
            None => self.0.execute(
                "DELETE FROM faults WHERE seller_id = ?1 AND out_trade_no = ?2",
                params![seller_id, out_trade_no],
            )?,
        };
        Ok(())
    }

    /// Keeps a trade and the notices that its change causes, in one transaction.
    pub fn save_trade(
        &mut self,
        (id, trade): (u64, &impl Serialize),
        notices: &[(u64, impl Serialize)],
    ) -> rusqlite::Result<()> {
        let tx = self.0.transaction()?;
        tx.prepare_cached("INSERT OR REPLACE INTO trade (id, document) VALUES (?1, ?2)")?
            .execute(params![id.cast_signed(), write(trade)?])?;
        for (id, notice) in notices {
            tx.prepare_cached("INSERT OR REPLACE INTO notice (id, document) VALUES (?1, ?2)")?
                .execute(params![id.cast_signed(), write(notice)?])?;
        }
        tx.commit()
    }

    /// Forgets a trade whose code nobody scanned.
    pub fn forget_trade(&self, id: u64) -> rusqlite::Result<()> {
        self.0.execute("DELETE FROM trade WHERE id = ?1", [id.cast_signed()])?;
        Ok(())
    }

    /// Keeps a notice after a send, or forgets it when it is done.
    pub fn save_notice(&self, id: u64, notice: Option<&impl Serialize>) -> rusqlite::Result<()> {
        match notice {
            Some(notice) => self
                .0
                .prepare_cached("INSERT OR REPLACE INTO notice (id, document) VALUES (?1, ?2)")?
                .execute(params![id.cast_signed(), write(notice)?])?,
            None => self
                .0
                .prepare_cached("DELETE FROM notice WHERE id = ?1")?
                .execute([id.cast_signed()])?,
        };
        Ok(())
    }
}

fn write(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn read<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Why the book could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenDiskError {
    /// The folder could not be made.
    #[error("the simulator's folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
    /// The database could not be opened or read.
    #[error("the simulator's database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
}

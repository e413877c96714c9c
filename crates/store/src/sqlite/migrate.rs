//! The schema's history: numbered, append-only, checked by checksum at every start.

use std::hash::Hasher;

use rusqlite::{Connection, OptionalExtension, params};

use super::OpenError;

/// Every migration there is, in order. One that was released is never changed.
const MIGRATIONS: &[(&str, &str)] =
    &[("0001_core", include_str!("../../migrations/0001_core.sql"))];

/// Applies what is missing, each migration in one transaction with its record.
pub(super) fn run(connection: &mut Connection) -> Result<(), OpenError> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
           number INTEGER NOT NULL PRIMARY KEY,
           name TEXT NOT NULL,
           checksum TEXT NOT NULL
         ) STRICT",
    )?;
    let known = applied(connection)?;
    for (index, (name, text)) in MIGRATIONS.iter().enumerate().skip(known) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(text)?;
        transaction.execute(
            "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)",
            params![number(index), name, checksum(text)],
        )?;
        transaction.commit()?;
    }
    Ok(())
}

/// Checks that the schema is exactly ours, without changing it.
pub(super) fn check(connection: &Connection) -> Result<(), OpenError> {
    let known = applied(connection)?;
    if known < MIGRATIONS.len() {
        return Err(OpenError::History(
            "the database is older than this build; start `sycee serve` once to bring it up to \
             date"
                .into(),
        ));
    }
    Ok(())
}

/// How many migrations the database has; refuses unknown and altered ones.
fn applied(connection: &Connection) -> Result<usize, OpenError> {
    let mut statement =
        connection.prepare("SELECT number, name, checksum FROM migration ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut count = 0;
    for row in rows {
        let (stored, name, sum) = row?;
        let Some((ours, text)) = MIGRATIONS.get(count) else {
            return Err(OpenError::History(format!(
                "the database was written by a newer build (migration {name}); install that one"
            )));
        };
        if stored != number(count) || *ours != name || checksum(text) != sum {
            return Err(OpenError::History(format!(
                "migration {name} in the database is not the one of this build; restore a backup \
                 or install the build that made it"
            )));
        }
        count += 1;
    }
    Ok(count)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1)
}

/// Enough to notice an accident; nobody is kept from rewriting the table itself.
fn checksum(text: &str) -> String {
    // FNV-1a, 64 bits: fixed for ever, unlike the standard library's hasher.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(text.as_bytes());
    format!("{:016x}", hasher.finish())
}

/// Reads one setting; used before anything else is wired.
pub(super) fn setting(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_changes_nothing_and_altered_history_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection).unwrap();
        run(&mut connection).unwrap();
        check(&connection).unwrap();
        connection.execute("UPDATE migration SET checksum = 'x'", []).unwrap();
        assert!(matches!(run(&mut connection), Err(OpenError::History(_))));
    }

    #[test]
    fn a_newer_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection).unwrap();
        connection.execute("INSERT INTO migration VALUES (2, '0002_later', 'x')", []).unwrap();
        let error = run(&mut connection).unwrap_err().to_string();
        assert!(error.contains("newer build"), "{error}");
    }
}

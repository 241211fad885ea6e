//! The file `history.db`: one table of records in the order in which they came, and a few numbers.
//!
//! One thread writes, any number of connections of this process read. All of them go through SQLite's
//! `unix-excl`: the log's index is kept in the process's memory, so that a full disk can't kill the
//! process, and no other process may open the file while the node runs.

use super::record::{Kind, Record, RollUp, Stored};
use crate::data_dir::private_file;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The version of the tables below.
const SCHEMA_VERSION: u32 = 1;
/// Row numbers are never used again: a place in the table stays a place.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        node TEXT,
        code TEXT NOT NULL,
        severity TEXT,
        body TEXT NOT NULL,
        UNIQUE (kind, key)
    );
    CREATE INDEX IF NOT EXISTS by_time ON records (kind, at_ms);
    CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS words (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";
/// How many bytes of the write-ahead log may stay on disk after a checkpoint.
const LOG_BYTES_KEPT: u32 = 4 << 20;
/// Memory for pages of a connection, in KiB; negative, as SQLite wants it.
const CACHE_KIB: i32 = -1_024;
/// How many rows retention removes in one transaction.
const SWEEP_ROWS: u64 = 1_000;
/// To what share of its bound a file that was too large is brought, in percent: below it, each further
/// record would remove another.
const SWEEP_PERCENT: u64 = 90;
/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;
/// How long after its end an hour waits for its last minutes.
const HOUR_PATIENCE_MS: u64 = 120_000;

/// The number of the last row that a database has.
const SHIPPED: &str = "shipped_row";
/// Until when hours were made of minutes.
const ROLLED: &str = "rolled_to_ms";
/// What tells this file from one that was made anew in its place.
const SPOOL: &str = "spool";

/// Where no database is: every row counts as shipped.
pub(super) const ALL_ROWS: u64 = i64::MAX.cast_unsigned();

/// The writing connection.
#[derive(Debug)]
pub(super) struct Spool {
    connection: Connection,
    path: PathBuf,
    /// What tells this file from any other.
    pub(super) id: String,
}

/// What a retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Rows that were too old, or the oldest of a file that was too large.
    pub(super) rows: u64,
    /// Those among them that no database has yet.
    pub(super) unshipped: u64,
}

/// How long records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// Records, in milliseconds.
    pub(super) age_ms: u64,
    /// Minutes of series, in milliseconds.
    pub(super) minutes_ms: u64,
    /// Bytes in use of the file.
    pub(super) bytes_max: u64,
    /// Rows beyond this one wait for a database: they don't go because of their age.
    pub(super) shipped_row: u64,
}

/// The first and the last row, and the bytes that all take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first_row: u64,
    pub(super) last_row: u64,
    pub(super) bytes: u64,
}

impl Spool {
    /// Opens or creates the file. One that is damaged is set aside under another name, and a new one
    /// begins: answers the name then. `fresh_id` names a file that is new.
    ///
    /// # Errors
    /// When the file can't be created or read, or a later version of the program made it.
    pub(super) fn open(path: &Path, fresh_id: &str) -> Result<(Self, Option<PathBuf>), String> {
        match Self::connect(path, fresh_id) {
            Ok(spool) => Ok((spool, None)),
            Err(Unusable::Damaged) => {
                let aside = path.with_extension("damaged");
                fs::rename(path, &aside).map_err(|error| error.to_string())?;
                for ending in ["-wal", "-shm"] {
                    let mut log = path.as_os_str().to_owned();
                    log.push(ending);
                    let _ = fs::remove_file(log);
                }
                let spool = Self::connect(path, fresh_id).map_err(|why| why.in_words())?;
                Ok((spool, Some(aside)))
            }
            Err(other) => Err(other.in_words()),
        }
    }

    fn connect(path: &Path, fresh_id: &str) -> Result<Self, Unusable> {
        // Created here and not by SQLite: it is the owner's from the first moment.
        private_file().open(path).map_err(Unusable::File)?;
        let connection = connection(path)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What was written survives the process; the last moments before a power cut may be missing.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > SCHEMA_VERSION {
            return Err(Unusable::Later(version));
        }
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.execute(
            "INSERT OR IGNORE INTO words (name, value) VALUES (?1, ?2)",
            params![SPOOL, fresh_id],
        )?;
        let id = connection.query_row(
            "SELECT value FROM words WHERE name = ?1",
            params![SPOOL],
            |row| row.get(0),
        )?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            id,
        })
    }

    /// Writes records in one transaction. Answers how many were new or changed: a record that is there
    /// already is not written again.
    ///
    /// # Errors
    /// When the disk is full or broken; nothing was written then.
    pub(super) fn write(&mut self, records: &[Stored]) -> rusqlite::Result<u64> {
        let transaction = begin(&mut self.connection)?;
        let mut written = 0;
        for record in records {
            written += insert(&transaction, record)?;
        }
        transaction.commit()?;
        Ok(written)
    }

    /// The first and last row, and the bytes on disk.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn extent(&self) -> rusqlite::Result<Extent> {
        let bound = |sql| -> rusqlite::Result<u64> {
            let found: Option<i64> = self.connection.query_row(sql, [], |row| row.get(0))?;
            Ok(found.map_or(0, i64::cast_unsigned))
        };
        let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Extent {
            first_row: bound("SELECT min(row) FROM records")?,
            last_row: bound("SELECT max(row) FROM records")?,
            bytes: length(&self.path).saturating_add(length(Path::new(&log))),
        })
    }

    /// The last row that a database is known to have.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn shipped(&self) -> rusqlite::Result<u64> {
        number(&self.connection, SHIPPED)
    }

    /// Notes the last row that a database has.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub(super) fn note_shipped(&self, row: u64) -> rusqlite::Result<()> {
        note(&self.connection, SHIPPED, row)
    }

    /// Makes hours of the minutes that are complete by `now_ms`. Answers how many.
    ///
    /// # Errors
    /// When the disk is full or broken; nothing was written then.
    pub(super) fn roll_up(&mut self, now_ms: u64) -> rusqlite::Result<u64> {
        let to = now_ms.saturating_sub(HOUR_PATIENCE_MS) / HOUR_MS * HOUR_MS;
        let from = number(&self.connection, ROLLED)?;
        if from == to {
            return Ok(0);
        }
        let transaction = begin(&mut self.connection)?;
        let mut written = 0;
        // A clock that went back leaves the hours behind it alone, and goes on from where it is.
        if from < to {
            for hour in hours(&transaction, from, to)? {
                let record = Record::Hour(hour);
                if let Some(stored) = record.stored() {
                    written += insert(&transaction, &stored)?;
                }
            }
        }
        note(&transaction, ROLLED, to)?;
        transaction.commit()?;
        Ok(written)
    }

    /// Removes what is too old, then the oldest while the file is too large. Takes a bounded number of
    /// rows for their age, so that a clock that is wrong for a moment can't clear the file.
    ///
    /// # Errors
    /// When the disk is broken; some rows may be gone then.
    pub(super) fn sweep(&mut self, now_ms: u64, keep: Keep) -> rusqlite::Result<Swept> {
        let mut swept = Swept::default();
        for kind in Kind::ALL {
            let age = match kind {
                Kind::Minute => keep.minutes_ms.min(keep.age_ms),
                Kind::Event | Kind::Audit | Kind::Hour | Kind::Alert | Kind::Incident => {
                    keep.age_ms
                }
            };
            let sql = "DELETE FROM records WHERE row IN (SELECT row FROM records WHERE kind = ?1 \
                       AND at_ms < ?2 AND row <= ?3 ORDER BY at_ms LIMIT ?4)";
            let removed = self.connection.prepare_cached(sql)?.execute(params![
                kind.name(),
                now_ms.saturating_sub(age).cast_signed(),
                keep.shipped_row.cast_signed(),
                SWEEP_ROWS.cast_signed(),
            ])?;
            swept.rows += removed as u64;
        }
        if self.used()? > keep.bytes_max {
            self.shrink(keep, &mut swept)?;
        }
        if swept.rows > 0 {
            // A step gives back a page.
            let mut vacuum = self
                .connection
                .prepare_cached("PRAGMA incremental_vacuum")?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
            drop(pages);
            drop(vacuum);
            let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
            self.connection.query_row(checkpoint, [], |_| Ok(()))?;
        }
        Ok(swept)
    }

    fn shrink(&self, keep: Keep, swept: &mut Swept) -> rusqlite::Result<()> {
        let wanted = keep.bytes_max / 100 * SWEEP_PERCENT;
        while self.used()? > wanted {
            let sql = "DELETE FROM records WHERE row IN (SELECT row FROM records ORDER BY row LIMIT ?1) \
                       RETURNING row > ?2";
            let mut delete = self.connection.prepare_cached(sql)?;
            let bounds = params![SWEEP_ROWS.cast_signed(), keep.shipped_row.cast_signed()];
            let waited = delete.query_map(bounds, |row| row.get::<_, bool>(0))?;
            let mut removed = 0;
            for waited in waited {
                removed += 1;
                swept.unshipped += u64::from(waited?);
            }
            swept.rows += removed;
            if removed == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of the pages that hold something.
    fn used(&self) -> rusqlite::Result<u64> {
        let pragma = |sql| -> rusqlite::Result<u64> {
            let found: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
            Ok(found.cast_unsigned())
        };
        let pages = pragma("PRAGMA page_count")?.saturating_sub(pragma("PRAGMA freelist_count")?);
        Ok(pages.saturating_mul(pragma("PRAGMA page_size")?))
    }

    /// Closes the file, with all that was written in the one file.
    pub(super) fn close(self) {
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(code = "history_close", %error, "history.db did not close cleanly");
        }
    }
}

/// Why a file can't be used.
#[derive(Debug)]
enum Unusable {
    Damaged,
    Later(u32),
    File(io::Error),
    Other(rusqlite::Error),
}

impl Unusable {
    fn in_words(&self) -> String {
        match self {
            Self::Damaged => "it is damaged".to_owned(),
            Self::Later(version) => format!(
                "a later version of this program made it (schema {version}, this one knows \
                 {SCHEMA_VERSION})"
            ),
            Self::File(error) => error.to_string(),
            Self::Other(error) => error.to_string(),
        }
    }
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            Some(_) | None => Self::Other(error),
        }
    }
}

pub(super) fn connection(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, "unix-excl")?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    Ok(connection)
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn insert(transaction: &Transaction<'_>, record: &Stored) -> rusqlite::Result<u64> {
    // What goes on gets a new row number, so that its latest state is shipped too.
    let verb = if record.kind.goes_on() {
        "REPLACE"
    } else {
        "IGNORE"
    };
    let sql = format!(
        "INSERT OR {verb} INTO records (kind, key, at_ms, node, code, severity, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    let written = transaction.prepare_cached(&sql)?.execute(params![
        record.kind.name(),
        record.key,
        record.at_ms.cast_signed(),
        record.node,
        record.code,
        record.severity,
        record.body,
    ])?;
    Ok(written as u64)
}

fn number(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT value FROM numbers WHERE name = ?1";
    let found: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(params![name], |row| row.get(0))
        .optional()?;
    Ok(found.map_or(0, i64::cast_unsigned))
}

fn note(connection: &Connection, name: &str, value: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO numbers (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value.cast_signed()])
        .map(|_| ())
}

/// The hours of all series in a stretch of time, from its minutes.
fn hours(connection: &Connection, from: u64, to: u64) -> rusqlite::Result<Vec<RollUp>> {
    let sql = "SELECT node, code, at_ms, json_extract(body, '$.unit'), json_extract(body, '$.points'), \
               json_extract(body, '$.mean'), json_extract(body, '$.min'), json_extract(body, '$.max'), \
               json_extract(body, '$.last') FROM records WHERE kind = ?1 AND at_ms >= ?2 AND at_ms < ?3 \
               ORDER BY at_ms";
    let mut minutes = connection.prepare_cached(sql)?;
    let bounds = params![Kind::Minute.name(), from.cast_signed(), to.cast_signed()];
    let minutes = minutes.query_map(bounds, |row| {
        let (at_ms, points): (i64, i64) = (row.get(2)?, row.get(4)?);
        Ok(RollUp {
            node: row.get(0)?,
            series: row.get(1)?,
            unit: row.get(3)?,
            from_ms: at_ms.cast_unsigned() / HOUR_MS * HOUR_MS,
            points: points.cast_unsigned(),
            mean: row.get(5)?,
            min: row.get(6)?,
            max: row.get(7)?,
            last: row.get(8)?,
        })
    })?;
    let mut hours: BTreeMap<(u64, String), RollUp> = BTreeMap::new();
    for minute in minutes {
        let minute = minute?;
        let key = (minute.from_ms, minute.series.clone());
        match hours.get_mut(&key) {
            Some(hour) => add(hour, &minute),
            None => {
                hours.insert(key, minute);
            }
        }
    }
    Ok(hours.into_values().collect())
}

fn add(hour: &mut RollUp, minute: &RollUp) {
    let weight = |points: u64| f64::from(u32::try_from(points).unwrap_or(u32::MAX));
    let (had, more) = (weight(hour.points), weight(minute.points));
    if had + more > 0.0 {
        hour.mean = hour.mean.mul_add(had, minute.mean * more) / (had + more);
    }
    hour.points = hour.points.saturating_add(minute.points);
    hour.min = hour.min.min(minute.min);
    hour.max = hour.max.max(minute.max);
    hour.last = minute.last;
}

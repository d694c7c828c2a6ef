//! An open file: how it is opened and locked, its transactions, and whether it
//! is sound.

use super::filing::{Filing, Unfiled};
use super::tally::Tally;
use super::tx::Entered;
use super::{Result, StoreError, Tx, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::cell::{Cell, RefCell};
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a writer waits for another process that holds the file.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// How long everybody waits, while the log is emptied, for somebody who reads.
const LOG_WAIT: Duration = Duration::from_millis(50);

/// SQLite's number for a file that gives free pages back when it is asked to.
const INCREMENTAL: i64 = 2;

/// The page cache: enough for the hot pages of the indexes, small enough that
/// the process stays within a few megabytes.
const CACHE_KIB: i64 = 4 * 1024;

/// The log is written back into the file by a thread of its own
/// (store::write_back). Should it not keep up, the commit that finds this
/// many pages (of 4 KiB) in the log does it itself, and everybody waits.
const LOG_PAGES_MAX: i64 = 16_000;

/// Rows that are filed in one transaction while nobody waits.
const FILED_AT_ONCE: usize = 500;

/// What a process means to do with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be the one service on this file.
    Serve,
    /// Look, and change a row now and then, beside a running service. The file is
    /// there, and stays of the version it is.
    Visit,
}

/// An open database file.
pub struct Database {
    connection: Connection,
    pub(super) unfiled: RefCell<Unfiled>,
    /// In the transaction that was begun last.
    entered: Cell<Entered>,
    tally: RefCell<Tally>,
    /// The name of a database in memory.
    in_memory: Option<String>,
    /// Held, not read: the lock of `Access::Serve` ends with the process,
    /// however it ends.
    _lock: Option<File>,
}

impl Database {
    /// Opens the file. To serve, it is made when there is none, and brought to
    /// this version's schema.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another service runs on it,
    /// [`StoreError::Newer`] when a newer wabridge wrote it, [`StoreError::Older`]
    /// when an older one did and this is but a visit.
    pub fn open(path: &Path, access: Access) -> Result<Database> {
        let cannot_open = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full,
            _ => StoreError::Open {
                path: path.display().to_string(),
                source,
            },
        };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty())
            && !folder.is_dir()
        {
            return Err(cannot_open(std::io::ErrorKind::NotFound.into()));
        }
        let lock = match access {
            Access::Serve => Some(lock(path).map_err(|error| match error {
                TryLockError::WouldBlock => StoreError::InUse {
                    path: path.display().to_string(),
                },
                TryLockError::Error(source) => cannot_open(source),
            })?),
            Access::Visit => None,
        };
        if access == Access::Serve {
            make(path).map_err(cannot_open)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| cannot_open(std::io::Error::other(error)))?;
        connection.busy_timeout(BUSY_WAIT)?;
        if access == Access::Visit {
            schema::expect_current(&connection)?;
        }
        Database::prepare(connection, None, lock)
    }

    /// The file; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        let path = self.connection.path().filter(|_| self.in_memory.is_none());
        path.map(Path::new)
    }

    /// Whether a service runs on the file.
    pub fn is_served(path: &Path) -> bool {
        matches!(lock(path), Err(TryLockError::WouldBlock))
    }

    /// A database in memory, for tests and the simulator. It ends with the last
    /// that is open on it.
    pub fn in_memory() -> Result<Database> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Database::open_memory(format!("/wabridge-{number}"))
    }

    fn open_memory(name: String) -> Result<Database> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(&name, flags, c"memdb")?;
        Database::prepare(connection, Some(name), None)
    }

    /// The same database once more, as another process opens it beside this one
    /// or after it.
    pub fn beside(&self) -> Result<Database> {
        match (&self.in_memory, self.path()) {
            (None, Some(path)) => Database::open(path, Access::Visit),
            (name, _) => Database::open_memory(name.clone().unwrap_or_default()),
        }
    }

    /// All that is filed late (`store::filing`) is held back so long. Tests want
    /// it short.
    pub fn with_filing(self, filing: Filing) -> Database {
        Database {
            unfiled: RefCell::new(Unfiled::all(filing)),
            ..self
        }
    }

    fn prepare(
        mut connection: Connection,
        in_memory: Option<String>,
        lock: Option<File>,
    ) -> Result<Database> {
        connection.busy_timeout(BUSY_WAIT)?;
        // Nothing is written into a file that is not ours.
        schema::version(&connection)?;
        // Before there is a first page: free pages can go back to the disk. Files
        // of before keep theirs for what comes; a copy of one (store::backup)
        // is as if it were new. Not after that: it is written into the file each
        // time, and whoever looks on can do so on a full disk as well.
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages == 0 {
            connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        }
        // What is deleted is overwritten with zeros.
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: with NORMAL a commit can be lost at a power failure after the
        // 200 has gone out.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        connection.set_prepared_statement_cache_capacity(128);
        // Else each new value for a parameter that SQLite compared with the condition
        // of a partial index, as it does for most jobs, has the statement planned anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        schema::migrate(&mut connection)?;
        Ok(Database {
            connection,
            unfiled: RefCell::new(Unfiled::new()),
            entered: Cell::default(),
            tally: RefCell::default(),
            in_memory,
            _lock: lock,
        })
    }

    /// Runs `step` in one transaction: committed when it returns a value,
    /// undone when it returns an error.
    pub fn commit<T>(&mut self, step: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.begin()?;
        let outcome = step(&self.tx()).and_then(|value| {
            self.end()?;
            Ok(value)
        });
        if outcome.is_err() {
            self.undo();
        }
        outcome
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        self.entered.take();
        self.unfiled.borrow_mut().begin(&self.connection)
    }

    pub(super) fn end(&self) -> Result<()> {
        self.unfiled.borrow_mut().end(&self.connection)?;
        self.tally.borrow_mut().write(&self.connection)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.tally.borrow_mut().committed();
        Ok(())
    }

    /// Whether a commit has held back something that can be filed now.
    pub(super) fn has_unfiled(&self) -> bool {
        self.unfiled.borrow().talks.has_unfiled()
    }

    /// Takes up what the process before this one held back. Whoever comes first would
    /// have to wait for it.
    pub(super) fn take_up_rest(&self) -> Result<()> {
        self.commit_unfiled(Unfiled::hold)
    }

    /// Files some of what commits have held back.
    pub(super) fn file_some(&self) -> Result<()> {
        self.commit_unfiled(|unfiled, to| unfiled.talks.file_some(to, FILED_AT_ONCE))
    }

    fn commit_unfiled(
        &self,
        file: impl FnOnce(&mut Unfiled, &Connection) -> Result<()>,
    ) -> Result<()> {
        let outcome = self
            .begin()
            .and_then(|()| file(&mut self.unfiled.borrow_mut(), &self.connection));
        let outcome = outcome.and_then(|()| self.end());
        if outcome.is_err() {
            self.undo();
        }
        outcome
    }

    /// Undoes the open transaction. SQLite has done so itself after some
    /// errors (a full disk among them); then there is nothing left to do.
    pub(super) fn undo(&self) {
        self.unfiled.borrow_mut().forget();
        self.tally.borrow_mut().forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            log::error!("msg=\"the database cannot undo a step\" error=\"{error}\"");
        }
    }

    pub(super) fn tx(&self) -> Tx<'_> {
        Tx::new(&self.connection, &self.unfiled, &self.entered, &self.tally)
    }

    /// Messages that came into a state in the transaction that was begun last.
    pub(super) fn entered(&self) -> Entered {
        self.entered.get()
    }

    /// Reads without a transaction of its own.
    pub fn read<T>(&self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.unfiled.borrow_mut().begin(&self.connection)?;
        look(&self.tx())
    }

    /// Reads what was committed at one moment, in as many steps as it takes.
    pub fn read_one_moment<T>(&self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        self.unfiled.borrow_mut().begin(&self.connection)?;
        let outcome = look(&self.tx());
        self.undo();
        outcome
    }

    /// Writes all that is committed into the empty file that `to` names.
    pub(super) fn copy_into(&self, to: &[&dyn rusqlite::ToSql]) -> Result<()> {
        // The copy of a file of before can give room back. Said only where it is
        // not so yet: then it concerns the copy, else it is written into the file.
        let gives: i64 = self
            .connection
            .pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
        if gives != INCREMENTAL {
            self.connection
                .pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        }
        self.connection.execute("VACUUM INTO ?1", to)?;
        Ok(())
    }

    /// Writes the log back into the file and empties it: what was deleted is in
    /// neither then. Whether that went through: somebody who reads, or writes back
    /// at this moment, is in its way.
    pub fn empty_log(&self) -> Result<bool> {
        let checkpoint = |how| -> Result<i64> {
            let sql = format!("PRAGMA wal_checkpoint({how})");
            Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
        };
        // What takes long waits for nobody and keeps nobody waiting.
        checkpoint("PASSIVE")?;
        self.connection.busy_timeout(LOG_WAIT)?;
        let busy = checkpoint("TRUNCATE");
        self.connection.busy_timeout(BUSY_WAIT)?;
        match busy {
            Ok(busy) => Ok(busy == 0),
            Err(StoreError::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many rows a table has.
    pub(super) fn count_of(&self, table: &'static str) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Whether the file's pages and indexes are sound: what is not, in SQLite's
    /// words or ours.
    pub fn damage(&self) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare("PRAGMA quick_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        let mut damage: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
        for (what, sql) in UNSOUND {
            let rows: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
            if rows > 0 {
                damage.push(format!("{rows} {what}"));
            }
        }
        Ok(damage)
    }
}

/// What must not be in the indexes that are ours (`store::filing`), and how to
/// count it.
const UNSOUND: &[(&str, &str)] = &[
    (
        "places in lanes are of no job that is open there",
        "SELECT count(*) FROM lane AS l WHERE NOT EXISTS(
           SELECT 1 FROM job
           WHERE id = l.job AND queue = l.queue AND job.lane = l.lane AND state < 2)",
    ),
    (
        "open jobs are in no lane",
        "SELECT count(*) FROM job
         WHERE state < 2 AND id <= (SELECT upto FROM filed WHERE log = 'job')
           AND NOT EXISTS(SELECT 1 FROM lane AS l
                          WHERE l.queue = job.queue AND l.lane = job.lane AND l.job = job.id)",
    ),
    (
        "events would not be known again",
        "SELECT count(*) FROM event
         WHERE id <= (SELECT upto FROM filed WHERE log = 'event')
           AND NOT EXISTS(SELECT 1 FROM seen
                          WHERE seen.digest = event.digest AND seen.event = event.id)",
    ),
];

/// A new file, unless there is one. It holds every message, so nobody else reads it;
/// SQLite gives the log beside it the same rights. Only a new file: closing a
/// descriptor of an existing one would end the locks that SQLite holds in this
/// process.
fn make(path: &Path) -> std::io::Result<()> {
    let made = File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// One service a file. The lock is on a file of its own, since SQLite locks
/// the database itself.
fn lock(path: &Path) -> std::result::Result<File, TryLockError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("wabridge-database-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    #[test]
    fn only_one_service_a_file_and_visitors_beside_it() {
        let path = file("one.db");
        let first = Database::open(&path, Access::Serve).unwrap();
        assert!(matches!(
            Database::open(&path, Access::Serve).err(),
            Some(StoreError::InUse { .. })
        ));
        Database::open(&path, Access::Visit).unwrap();
        drop(first);
        Database::open(&path, Access::Serve).unwrap();
    }

    #[test]
    fn only_its_owner_reads_the_file_and_its_log() {
        use std::os::unix::fs::PermissionsExt;
        let path = file("private.db");
        let _open = Database::open(&path, Access::Serve).unwrap();
        for beside in ["", "-wal"] {
            let name = format!("{}{beside}", path.display());
            let mode = std::fs::metadata(&name).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_missing_folder_is_said_plainly() {
        let error = Database::open(Path::new("/nonexistent/x.db"), Access::Serve);
        assert!(
            error
                .err()
                .unwrap()
                .to_string()
                .contains("check that its folder exists")
        );
    }

    #[test]
    fn commits_survive_power_failure_settings() {
        let database = Database::open(&file("pragmas.db"), Access::Serve).unwrap();
        let pragma = |name| -> String {
            let read = |row: &rusqlite::Row| row.get::<_, rusqlite::types::Value>(0);
            match database
                .connection
                .pragma_query_value(None, name, read)
                .unwrap()
            {
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "Integer(2)");
    }
}

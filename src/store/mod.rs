//! The only place that speaks SQL. It holds no policy: what to write is decided
//! in `gateway`, which calls the small operations of [`Tx`].
//!
//! * `schema`: the tables and their versions
//! * [`database`]: an open file, its locks and transactions
//! * [`rows`]: what is stored, as values
//! * [`tx`]: the operations, inside one transaction
//! * `filing`: indexes that are written later, many rows together
//! * [`tally`]: what came and went, counted by the minute
//! * [`committer`]: the one thread that commits for everybody
//! * [`write_back`]: the log goes back into the file meanwhile
//! * [`reader`]: looks beside that thread
//! * [`backup`]: a copy of the file, beside the service

pub mod backup;
pub mod committer;
pub mod database;
mod filing;
pub mod reader;
pub mod rows;
mod schema;
pub mod tally;
pub mod tx;
pub mod write_back;

pub use committer::{Committer, Refused, Step};
pub use database::{Access, Database};
pub use filing::Filing;
pub use reader::Reader;
pub use tx::Tx;

use std::fmt;

/// Why the store could not do what was asked, by what the reader will do.
#[derive(Debug)]
pub enum StoreError {
    /// The disk is full: free space, nothing is lost.
    Full,
    /// The disk cannot be read or written, in SQLite's words: it is broken, or
    /// over a quota.
    Disk(String),
    /// Another process holds the file for longer than we wait.
    Busy,
    /// The file was written by a newer version of wabridge.
    Newer { found: i64, known: i64 },
    /// The file was written by an older version, and the service has not brought it
    /// to this one yet.
    Older { found: i64, known: i64 },
    /// The file is no database, or another program's.
    Foreign,
    /// Whoever runs this may read the file and not write it.
    ReadOnly,
    /// Another `wabridge serve` runs on this file.
    InUse { path: String },
    /// A step panicked: a bug of ours, over what that step was about.
    Panicked,
    /// A step failed in a way that is a bug of ours.
    Bug(String),
    /// Anything else SQLite says.
    Sqlite(rusqlite::Error),
    /// The file or its folder cannot be opened.
    Open {
        path: String,
        source: std::io::Error,
    },
    /// A copy cannot be made.
    Copy {
        path: String,
        source: std::io::Error,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StoreError::Full => f.write_str("the disk is full: free some space"),
            StoreError::Disk(said) => write!(
                f,
                "the disk cannot be read or written ({said}): look into the system's log, and for a quota"
            ),
            StoreError::Busy => f.write_str("the database is locked by another process"),
            StoreError::Newer { found, known } => write!(
                f,
                "the database has schema version {found} and this wabridge knows {known}: \
                 use the newer wabridge that wrote it, or another DATABASE_URL"
            ),
            StoreError::Older { found, known } => write!(
                f,
                "the database has schema version {found} and this wabridge knows {known}: \
                 `wabridge serve` brings it up to date when it starts; until then use the wabridge \
                 that wrote it"
            ),
            StoreError::Foreign => f.write_str(
                "the file is not a database of wabridge's: set another DATABASE_URL, or put a \
                 backup in its place",
            ),
            StoreError::ReadOnly => f.write_str(
                "the database may be read but not written: run this as root or the service's user, \
                 and see that the disk is not mounted read-only",
            ),
            StoreError::InUse { path } => write!(
                f,
                "another `wabridge serve` runs on {path}: stop it first, or set another DATABASE_URL"
            ),
            StoreError::Panicked => {
                f.write_str("a step of the store panicked: a bug of wabridge's")
            }
            StoreError::Bug(what) => write!(f, "a step of the store failed: {what}"),
            StoreError::Sqlite(_) => f.write_str("the database reports an error"),
            StoreError::Open { path, .. } => write!(
                f,
                "the database {path} cannot be opened: check that its folder exists and is writable"
            ),
            StoreError::Copy { path, .. } => write!(
                f,
                "the copy {path} cannot be made: check that its folder exists and is writable"
            ),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Sqlite(error) => Some(error),
            StoreError::Open { source, .. } | StoreError::Copy { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::{ErrorCode, ffi};
        let Some(said) = error.sqlite_error() else {
            return StoreError::Sqlite(error);
        };
        match (said.code, said.extended_code) {
            // SHMSIZE: the index of the log could not grow. SQLite tells a full
            // disk by a code of its own everywhere but there.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
            (ErrorCode::SystemIoFailure, _) => StoreError::Disk(said.to_string()),
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Busy,
            (ErrorCode::NotADatabase, _) => StoreError::Foreign,
            (ErrorCode::ReadOnly, ffi::SQLITE_READONLY_DBMOVED) => StoreError::Sqlite(error),
            (ErrorCode::ReadOnly, _) => StoreError::ReadOnly,
            _ => StoreError::Sqlite(error),
        }
    }
}

/// What a store operation returns.
pub type Result<T> = std::result::Result<T, StoreError>;

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn errors_are_told_apart_by_what_someone_must_do() {
        let cases = [
            (ffi::SQLITE_FULL, "the disk is full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "the disk is full"),
            (
                ffi::SQLITE_IOERR_WRITE,
                "the disk cannot be read or written",
            ),
            (
                ffi::SQLITE_IOERR_FSYNC,
                "the disk cannot be read or written",
            ),
            (ffi::SQLITE_BUSY, "locked by another process"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "locked by another process"),
            (ffi::SQLITE_NOTADB, "not a database of wabridge's"),
            (ffi::SQLITE_READONLY, "not written: run this as"),
            (ffi::SQLITE_CORRUPT, "the database reports an error"),
        ];
        for (code, expected) in cases {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let said = StoreError::from(error).to_string();
            assert!(said.contains(expected), "{code}: {said}");
        }
    }
}

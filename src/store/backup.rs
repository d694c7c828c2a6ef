//! A copy of the database, made beside a running service.

use super::{Access, Database, Result, StoreError};
use rusqlite::params;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A copy that was opened and read through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The size of the copy, in bytes.
    pub bytes: u64,
    /// How many events are in it.
    pub events: i64,
    /// How many messages on their way out are in it.
    pub messages: i64,
}

impl Database {
    /// Copies all that is committed at this moment into a new file, and reads
    /// the copy through. The service goes on meanwhile; only its log cannot be
    /// emptied, so for so long the log grows. The copy takes its name when it is
    /// whole and on disk: under that name there is never a part of one.
    ///
    /// # Errors
    /// When the copy cannot be written, or is not sound; then there is none.
    pub fn copy_to(&self, to: &Path) -> Result<Copied> {
        let part = beside(to, "-part");
        let made = self.copy_and_check(&part, to).and_then(|copied| {
            on_disk(&part, to).map_err(|source| cannot_write(to, source))?;
            Ok(copied)
        });
        if made.is_err() {
            // Whatever is left of it; there may be nothing.
            let _ = fs::remove_file(&part);
        }
        made
    }

    fn copy_and_check(&self, part: &Path, to: &Path) -> Result<Copied> {
        // SQLite writes into a file that is there if it is empty, and so the
        // copy is its owner's alone from its first byte on. What is there already is
        // left of one that was broken off, or somebody laid it there, or a link, to
        // read what we write: in a folder where others write too.
        match fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot_write(to, error));
            }
            _ => {}
        }
        File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(part)
            .map_err(|source| cannot_write(to, source))?;
        let name = part.to_str().ok_or_else(|| {
            let not_utf8 = io::Error::other("its name is not UTF-8");
            cannot_write(to, not_utf8)
        })?;
        self.copy_into(params![name])?;
        let copy = Database::open(part, Access::Visit)?;
        let damage = copy.damage()?;
        if let Some(first) = damage.first() {
            let said = format!("the copy is not sound: {first}");
            return Err(cannot_write(to, io::Error::other(said)));
        }
        let copied = Copied {
            bytes: fs::metadata(part).map_or(0, |meta| meta.len()),
            events: copy.count_of("event")?,
            messages: copy.count_of("outbox")?,
        };
        // The last to leave takes the log with it.
        drop(copy);
        Ok(copied)
    }
}

fn on_disk(part: &Path, to: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn cannot_write(path: &Path, source: io::Error) -> StoreError {
    match source.kind() {
        io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Copy {
            path: path.display().to_string(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let name = format!("wabridge-backup-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_copy_holds_what_is_committed_and_is_its_owners_alone() {
        let folder = folder("whole");
        let database = Database::open(&folder.join("a.db"), Access::Serve).unwrap();
        let copy = folder.join("copy.db");
        let copied = database.copy_to(&copy).unwrap();
        assert_eq!((copied.events, copied.messages), (0, 0));
        assert_eq!(copied.bytes, fs::metadata(&copy).unwrap().len());
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("copy"))
            .collect();
        assert_eq!(left, ["copy.db"]);
        // It serves, as it is.
        Database::open(&copy, Access::Serve).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_lies_where_the_copy_is_made_is_neither_written_nor_kept() {
        let folder = folder("laid");
        let database = Database::open(&folder.join("a.db"), Access::Serve).unwrap();
        let (copy, part) = (folder.join("copy.db"), folder.join("copy.db-part"));
        let others = folder.join("others");
        fs::write(&others, "theirs").unwrap();
        std::os::unix::fs::symlink(&others, &part).unwrap();
        database.copy_to(&copy).unwrap();
        assert_eq!(fs::read(&others).unwrap(), b"theirs");
        assert!(!fs::symlink_metadata(&copy).unwrap().is_symlink());
        // One that everybody reads.
        fs::write(&part, "").unwrap();
        fs::set_permissions(&part, PermissionsExt::from_mode(0o666)).unwrap();
        database.copy_to(&copy).unwrap();
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_copy_can_shrink_though_the_file_was_made_before_files_could() {
        let folder = folder("old");
        let path = folder.join("a.db");
        let old = rusqlite::Connection::open(&path).unwrap();
        // A first page without the means to shrink.
        old.execute_batch(
            "PRAGMA auto_vacuum = NONE; CREATE TABLE of_before(a); DROP TABLE of_before",
        )
        .unwrap();
        drop(old);
        let can_shrink = |path: &Path| {
            let file = rusqlite::Connection::open(path).unwrap();
            let mode = file.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0));
            mode.unwrap() == 2
        };
        let database = Database::open(&path, Access::Serve).unwrap();
        assert!(!can_shrink(&path));
        let copy = folder.join("copy.db");
        database.copy_to(&copy).unwrap();
        assert!(can_shrink(&copy));
        Database::open(&folder.join("new.db"), Access::Serve).unwrap();
        assert!(can_shrink(&folder.join("new.db")));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_place_to_write_there_is_no_copy_and_it_is_said() {
        let folder = folder("none");
        let database = Database::open(&folder.join("a.db"), Access::Serve).unwrap();
        let error = database.copy_to(Path::new("/nonexistent/copy.db"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("check that its folder exists"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}

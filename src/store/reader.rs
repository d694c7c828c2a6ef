//! Looks into the database beside the thread that commits for everybody, so that
//! nobody's commit waits for somebody who reads much.

use super::{Access, Database, Result, Tx};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A connection for reading, opened when it is first needed. Cheap to clone; of
/// those who read, one goes after the other.
#[derive(Clone)]
pub struct Reader {
    path: Arc<PathBuf>,
    open: Arc<Mutex<Option<Database>>>,
}

impl Reader {
    /// Of this file.
    pub fn of(path: impl Into<PathBuf>) -> Reader {
        Reader {
            path: Arc::new(path.into()),
            open: Arc::default(),
        }
    }

    /// Reads what is committed.
    ///
    /// # Errors
    /// Those of the database; the next who reads opens it anew.
    pub fn read<T>(&self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match open.take() {
            Some(database) => database,
            None => Database::open(&self.path, Access::Visit)?,
        };
        let found = database.read(look)?;
        *open = Some(database);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_read_and_a_failure_is_not_kept() {
        let folder = std::env::temp_dir().join(format!("wabridge-reader-{}", std::process::id()));
        let reader = Reader::of(folder.join("wabridge.db"));
        assert!(
            reader.read(|tx| tx.conversation("1", "a")).is_err(),
            "no folder"
        );
        std::fs::create_dir_all(&folder).unwrap();
        let mut database = Database::open(&folder.join("wabridge.db"), Access::Serve).unwrap();
        assert_eq!(reader.read(|tx| tx.conversation("1", "a")).unwrap(), None);
        let id = database
            .commit(|tx| tx.insert_conversation("1", "a"))
            .unwrap();
        assert_eq!(
            reader.read(|tx| tx.conversation("1", "a")).unwrap(),
            Some(id)
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}

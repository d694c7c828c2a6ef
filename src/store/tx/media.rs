//! Files that events name, and files that Meta has from us.

use super::*;
use crate::policy::fetch::Stored;
use crate::wire::media::{Attachment, Digest};

macro_rules! media_columns {
    () => {
        "id, event, media_id, number, kind, mime_type, filename, sha256, bytes, file, created_at"
    };
}

impl Tx<'_> {
    /// Notes a file that an event names.
    pub fn insert_media(
        &self,
        event: EventId,
        number: &str,
        file: &Attachment,
        now: i64,
    ) -> Result<MediaId> {
        self.execute(
            "INSERT INTO media(id, event, media_id, number, kind, mime_type, filename, sha256,
                               created_at)
             VALUES((SELECT max(upto, coalesce((SELECT max(id) FROM media), 0)) + 1
                     FROM filed WHERE log = 'media ids'),
                    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                event,
                file.id,
                number,
                file.kind.as_str(),
                file.mime_type,
                file.filename,
                file.sha256.map(|digest| digest.0),
                now,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Adds the job that fetches a file, due at once: nothing is before it in a
    /// lane of its own.
    pub fn push_fetch(&self, queue: QueueId, media: MediaId, now: i64) -> Result<JobId> {
        self.append_job(
            queue,
            -media,
            [None, None, Some(media)],
            Priority::Reply,
            now,
        )
    }

    /// One file.
    pub fn media(&self, id: MediaId) -> Result<Option<Media>> {
        let sql = concat!("SELECT ", media_columns!(), " FROM media WHERE id = ?1");
        self.row(sql, params![id], media)
    }

    /// The files of an event, in its order.
    pub fn media_of(&self, event: EventId) -> Result<Vec<Media>> {
        let sql = concat!(
            "SELECT ",
            media_columns!(),
            " FROM media WHERE event = ?1 ORDER BY id"
        );
        self.rows(sql, params![event], media)
    }

    /// A fetched file by Meta's id for it.
    pub fn fetched_media(&self, media_id: &str) -> Result<Option<Media>> {
        let sql = concat!(
            "SELECT ",
            media_columns!(),
            " FROM media WHERE media_id = ?1 AND file IS NOT NULL LIMIT 1"
        );
        self.row(sql, params![media_id], media)
    }

    /// The job that fetches a file, and what went wrong last.
    pub fn job_of_media(&self, media: MediaId) -> Result<Option<(Job, Option<String>)>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            ", error FROM job WHERE media = ?1"
        );
        self.row(sql, params![media], |row| Ok((job(row)?, row.get(10)?)))
    }

    /// Notes that a file is on disk.
    pub fn set_fetched(&self, id: MediaId, stored: &Stored, now: i64) -> Result<()> {
        self.execute(
            "UPDATE media SET file = ?2, bytes = ?3, sha256 = ?4, mime_type = coalesce(?5, mime_type),
                              fetched_at = ?6
             WHERE id = ?1",
            params![
                id,
                stored.file,
                stored.bytes as i64,
                stored.sha256.0,
                stored.mime_type,
                now,
            ],
        )?;
        Ok(())
    }

    /// Whether a file of this id is on disk, or was uploaded by us.
    pub fn holds_file(&self, media_id: &str) -> Result<bool> {
        let held = self.row(
            "SELECT EXISTS(SELECT 1 FROM media WHERE media_id = ?1 AND file IS NOT NULL)
                 OR EXISTS(SELECT 1 FROM upload WHERE media_id = ?1)",
            params![media_id],
            |row| row.get(0),
        )?;
        Ok(held.unwrap_or(false))
    }

    /// Whether any file is on disk.
    pub fn holds_files(&self) -> Result<bool> {
        let held = self.row(
            "SELECT EXISTS(SELECT 1 FROM media WHERE file IS NOT NULL)",
            params![],
            |row| row.get(0),
        )?;
        Ok(held.unwrap_or(false))
    }

    /// The files on disk that no other id of Meta's stands for.
    pub fn files_of_media_alone(&self, media_id: &str) -> Result<Vec<String>> {
        self.rows(
            "SELECT DISTINCT file FROM media AS own WHERE media_id = ?1 AND file IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM media WHERE file = own.file AND media_id <> ?1)",
            params![media_id],
            |row| row.get(0),
        )
    }

    /// Notes that a file is not on disk any more.
    pub fn forget_file(&self, media_id: &str) -> Result<()> {
        self.execute(
            "UPDATE media SET file = NULL WHERE media_id = ?1 AND file IS NOT NULL",
            params![media_id],
        )?;
        Ok(())
    }

    /// The id Meta gave a file with this content, uploaded for a number as this
    /// type, not before `since`.
    pub fn uploaded(
        &self,
        number: &str,
        sha256: &Digest,
        mime_type: &str,
        since: i64,
    ) -> Result<Option<String>> {
        self.row(
            "SELECT media_id FROM upload
             WHERE number = ?1 AND sha256 = ?2 AND mime_type = ?3 AND created_at >= ?4",
            params![number, sha256.0, mime_type, since],
            |row| row.get(0),
        )
    }

    /// Remembers the id Meta gave a file, and forgets a few of those uploaded
    /// before `old`.
    pub fn insert_upload(
        &self,
        number: &str,
        sha256: &Digest,
        mime_type: &str,
        media_id: &str,
        now: i64,
        old: i64,
    ) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO upload(number, sha256, mime_type, media_id, created_at)
             VALUES(?1, ?2, ?3, ?4, ?5)",
            params![number, sha256.0, mime_type, media_id, now],
        )?;
        self.execute(
            "DELETE FROM upload WHERE (number, sha256, mime_type) IN
               (SELECT number, sha256, mime_type FROM upload WHERE created_at < ?1 LIMIT 4)",
            params![old],
        )?;
        Ok(())
    }

    /// Meta does not have a file any more.
    pub fn forget_upload(&self, media_id: &str) -> Result<()> {
        self.execute("DELETE FROM upload WHERE media_id = ?1", params![media_id])?;
        Ok(())
    }
}

fn media(row: &Row<'_>) -> rusqlite::Result<Media> {
    let sha256: Option<[u8; 32]> = row.get(7)?;
    let bytes: Option<i64> = row.get(8)?;
    Ok(Media {
        id: row.get(0)?,
        event: row.get(1)?,
        media_id: row.get(2)?,
        number: row.get(3)?,
        kind: row.get(4)?,
        mime_type: row.get(5)?,
        filename: row.get(6)?,
        sha256: sha256.map(Digest),
        bytes: bytes.map(|bytes| bytes.max(0) as u64),
        file: row.get(9)?,
        created_at: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use crate::store::Database;
    use crate::wire::media::Digest;

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);

    #[test]
    fn an_upload_is_found_by_number_content_and_type_until_it_is_old() {
        let mut database = Database::in_memory().unwrap();
        let found = |database: &Database, number: &str, digest: &Digest, mime: &str, since| {
            let look = |tx: &crate::store::Tx<'_>| tx.uploaded(number, digest, mime, since);
            database.read(look).unwrap()
        };
        let kept = database.commit(|tx| {
            tx.insert_upload("1", &A, "image/png", "77", 100, 0)?;
            tx.insert_upload("2", &A, "image/png", "78", 100, 0)
        });
        kept.unwrap();
        let rows = [
            ("1", A, "image/png", 100, Some("77")),
            ("2", A, "image/png", 0, Some("78")),
            ("1", A, "image/png", 101, None),
            ("3", A, "image/png", 0, None),
            ("1", B, "image/png", 0, None),
            ("1", A, "image/jpeg", 0, None),
        ];
        for (number, digest, mime, since, expected) in rows {
            let id = found(&database, number, &digest, mime, since);
            assert_eq!(
                id.as_deref(),
                expected,
                "{number} {digest:?} {mime} {since}"
            );
        }
        // Uploaded anew: the new id counts.
        let again = database.commit(|tx| tx.insert_upload("1", &A, "image/png", "79", 200, 0));
        again.unwrap();
        let id = found(&database, "1", &A, "image/png", 150);
        assert_eq!(id.as_deref(), Some("79"));
        database.commit(|tx| tx.forget_upload("79")).unwrap();
        assert_eq!(found(&database, "1", &A, "image/png", 0), None);
        let id = found(&database, "2", &A, "image/png", 0);
        assert_eq!(id.as_deref(), Some("78"), "another's is left");
    }

    #[test]
    fn old_uploads_go_a_few_at_a_time() {
        let mut database = Database::in_memory().unwrap();
        let keep = |n: u8, now, old| {
            move |tx: &crate::store::Tx<'_>| {
                tx.insert_upload("1", &Digest([n; 32]), "image/png", &n.to_string(), now, old)
            }
        };
        for n in 0..6 {
            database.commit(keep(n, 10, 0)).unwrap();
        }
        let count = |database: &Database| {
            let known = |n: u8| {
                let look =
                    |tx: &crate::store::Tx<'_>| tx.uploaded("1", &Digest([n; 32]), "image/png", 0);
                database.read(look).unwrap().is_some()
            };
            (0..9).filter(|n| known(*n)).count()
        };
        assert_eq!(count(&database), 6);
        database.commit(keep(7, 100, 50)).unwrap();
        assert_eq!(count(&database), 3, "the new one and two old ones");
        database.commit(keep(8, 100, 50)).unwrap();
        assert_eq!(count(&database), 2, "the new ones");
    }
}

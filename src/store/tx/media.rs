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
            "INSERT INTO media(event, media_id, number, kind, mime_type, filename, sha256, created_at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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

    /// The number that a file of this id came to.
    pub fn media_number(&self, media_id: &str) -> Result<Option<String>> {
        let sql = "SELECT number FROM media WHERE media_id = ?1 LIMIT 1";
        self.row(sql, params![media_id], |row| row.get(0))
    }

    /// The job that fetches a file, and what went wrong last.
    pub fn job_of_media(&self, media: MediaId) -> Result<Option<(Job, Option<String>)>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            ", error FROM job WHERE media = ?1"
        );
        self.row(sql, params![media], |row| Ok((job(row)?, row.get(8)?)))
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

//! Files that Meta has from us: which, for how long, and when they are gone.
//!
//! What callers of the API upload is not among them: they hold the id that they
//! got and may delete it at any time, and to know a file again we would have to
//! read it before Graph does, where it now passes through.

use super::Gateway;
use crate::policy::upload;
use crate::store::rows::Message;
use crate::store::{Result, Tx};
use crate::wire::media::{self, Digest};

impl Gateway {
    /// The id of a file that this number has uploaded before, if it will still
    /// be good when a message that is queued now goes out.
    pub fn uploaded(
        &self,
        tx: &Tx<'_>,
        now: i64,
        number: &str,
        sha256: &Digest,
        mime_type: &str,
    ) -> Result<Option<String>> {
        tx.uploaded(number, sha256, mime_type, self.good_since(now))
    }

    /// Notes the id that Graph gave a file.
    pub fn keep_upload(
        &self,
        tx: &Tx<'_>,
        now: i64,
        number: &str,
        sha256: &Digest,
        mime_type: &str,
        media_id: &str,
    ) -> Result<()> {
        let old = self.good_since(now);
        tx.insert_upload(number, sha256, mime_type, media_id, now, old)
    }

    fn good_since(&self, now: i64) -> i64 {
        upload::good_since(now, self.limits.send_age_max_ms)
    }
}

/// Meta refused a message, perhaps for its files: they are uploaded anew before
/// the next one.
pub(super) fn refused(tx: &Tx<'_>, message: &Message, code: Option<i64>) -> Result<()> {
    if !code.is_some_and(upload::may_be_gone) {
        return Ok(());
    }
    let files = media::attachments(&message.body);
    files.iter().try_for_each(|file| tx.forget_upload(&file.id))
}

/// What we hold under an id of Meta's: the names of files on disk that nothing
/// else needs. `None` when we hold nothing, not even the id.
pub fn held(tx: &Tx<'_>, media_id: &str) -> Result<Option<Vec<String>>> {
    match tx.holds_file(media_id)? {
        true => tx.files_of_media_alone(media_id).map(Some),
        false => Ok(None),
    }
}

/// A file was deleted by its id: nothing of ours leads to it any more.
pub fn deleted(tx: &Tx<'_>, media_id: &str) -> Result<()> {
    tx.forget_upload(media_id)?;
    tx.forget_file(media_id)
}

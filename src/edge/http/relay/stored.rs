//! Customers' files that we have: served from disk, in Graph's own form, also
//! when Graph has forgotten them; and deleted with Graph's.

use super::caller::{Caller, Reply};
use super::clerk::Clerk;
use super::{Answer, FILES, SMALL_BYTES_MAX, refuse};
use crate::edge::graph::Answered;
use crate::edge::media::folder;
use crate::gateway::uploads;
use crate::policy::fetch::is_unknown_object;
use crate::store::rows::Media;
use crate::wire::media::{self, types};
use serde_json::json;
use std::fs::File;
use std::io::{Cursor, Read};

/// What the names of these files begin with. Sealed addresses hold a dot, and
/// these do not.
const STORED: &str = "media-";

impl Clerk<'_> {
    /// The file of this id, if we have it.
    fn have(&self, media_id: &str) -> Option<(Media, File)> {
        let settings = self.live.config.media.as_ref()?;
        let id = media_id.to_owned();
        let found = self.desk.committer.commit(move |tx| tx.fetched_media(&id));
        // A store that cannot be read now leaves it to Graph.
        let media = found.ok().flatten()?;
        let file = folder::read(&settings.folder, media.file.as_deref()?)?;
        Some((media, file))
    }

    /// Answers a look-up of a file that we have; else gives the caller back.
    pub(super) fn describe_stored(&self, caller: Caller, media_id: &str) -> Option<Caller> {
        if !media::is_id(media_id) {
            return Some(caller);
        }
        let Some((media, _)) = self.have(media_id) else {
            return Some(caller);
        };
        let body = json!({
            "messaging_product": "whatsapp",
            "url": format!("{}{FILES}{STORED}{media_id}", caller.origin),
            "mime_type": media.mime_type,
            "sha256": media.sha256.map(|digest| digest.hex()),
            "file_size": media.bytes,
            "id": media_id,
        });
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        caller.reply(Reply {
            status: 200,
            headers,
            body: body.to_string().into_bytes(),
        });
        None
    }

    /// Serves a file that we have; else gives the caller back. It is to be saved,
    /// never shown: what it holds and what it is called came from a customer.
    pub(super) fn serve_stored(&self, caller: Caller, name: &str) -> Option<Caller> {
        let found = name.strip_prefix(STORED).and_then(|id| self.have(id));
        let Some((media, file)) = found else {
            return Some(caller);
        };
        let (id, mime_type) = (&media.media_id, media.mime_type.as_deref());
        let disposition = types::disposition(media.filename.as_deref(), id, mime_type);
        let headers = [
            ("Content-Type", types::served_type(mime_type).to_owned()),
            ("Content-Disposition", disposition),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        self.stream(caller, 200, headers, media.bytes, file);
        None
    }

    /// What follows from Graph's answer to the deletion of `id`: our copy of a
    /// file goes with Graph's, and the id is not used any more. A file that
    /// only we still have is deleted all the same, and the caller hears so.
    pub(super) fn delete_stored(&self, answered: Answered, id: &str) -> Result<Answered, Answer> {
        if !media::is_id(id) {
            return Ok(answered);
        }
        if (200..=299).contains(&answered.status) {
            return self.forget(id).map(|_| answered);
        }
        let Answered { mut body, .. } = answered;
        let mut start = Vec::new();
        let limit = SMALL_BYTES_MAX as u64;
        if let Err(error) = body.by_ref().take(limit).read_to_end(&mut start) {
            return Err(self.broke_off(&error));
        }
        if is_unknown_object(&start) && self.forget(id)? {
            let success = json!({"success": true}).to_string();
            return Ok(Answered {
                status: 200,
                headers: vec![("content-type".into(), "application/json".into())],
                length: Some(success.len() as u64),
                body: Box::new(Cursor::new(success)),
            });
        }
        Ok(Answered {
            body: Box::new(Cursor::new(start).chain(body)),
            ..answered
        })
    }

    /// Forgets what we hold under an id; whether there was anything. Files go
    /// before the rows that tell of them, so that a call that failed in between
    /// can be repeated. One that comes this very moment under another id with
    /// the same content may go too: it is looked up at Graph then.
    fn forget(&self, id: &str) -> Result<bool, Answer> {
        let text = "what wabridge holds of this file could not be deleted: try again";
        let failed = || refuse(503, 2, text).with("Retry-After", "5");
        let media_id = id.to_owned();
        let held = self
            .desk
            .committer
            .commit(move |tx| uploads::held(tx, &media_id));
        let Some(files) = held.map_err(|_| failed())? else {
            return Ok(false);
        };
        for file in files {
            let Some(settings) = &self.live.config.media else {
                log::warn!(
                    "msg=\"MEDIA_DIR is not set any more: remove the deleted file from where it was\" file={file}"
                );
                continue;
            };
            if let Err(error) = folder::remove(&settings.folder, &file) {
                let kind = error.kind();
                log::error!(
                    "msg=\"a deleted file is still in MEDIA_DIR\" file={file} error=\"{kind}\""
                );
                return Err(failed());
            }
        }
        let media_id = id.to_owned();
        let deleted = self
            .desk
            .committer
            .commit(move |tx| uploads::deleted(tx, &media_id));
        deleted.map(|()| true).map_err(|_| failed())
    }
}

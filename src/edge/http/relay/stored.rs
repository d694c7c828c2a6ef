//! Customers' files that we have: served from disk, in Graph's own form, also
//! when Graph has forgotten them.

use super::caller::{Caller, Reply};
use super::{Clerk, FILES};
use crate::edge::media::folder;
use crate::store::rows::Media;
use crate::wire::media::{self, types};
use serde_json::json;
use std::fs::File;

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
}

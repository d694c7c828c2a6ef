//! Customers' files, as they lie in MEDIA_DIR: shown if a browser may show them,
//! else to be saved. What is in them is a stranger's, so nothing in them may run.

use crate::edge::http::console::reply::Reply;
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::edge::media::folder;
use crate::wire::media::types;

/// Nothing in the file is run or loaded, wherever it is opened.
const BOUNDS: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

/// Types that are shown and not saved: pictures, films and sounds, none of which
/// can hold a script.
const SHOWN: &[&str] = &["image/", "video/", "audio/"];

/// Sends one.
pub fn show(visit: &Visit) -> Shown {
    let id = visit.id(0)?;
    let media = visit.read(|tx| tx.media(id))?.ok_or(Trouble::NotFound)?;
    let folder = visit.live.config.media.as_ref().map(|media| &media.folder);
    let file = media.file.as_ref().zip(folder);
    let file = file.and_then(|(name, folder)| folder::read(folder, name));
    let file = file.ok_or(Trouble::NotFound)?;
    let length = match file.metadata() {
        Ok(about) => about.len(),
        Err(_) => return Err(Trouble::NotFound),
    };
    let mime_type = media.mime_type.as_deref();
    let served = types::served_type(mime_type);
    let disposition = match SHOWN.iter().any(|first| served.starts_with(first)) {
        true => "inline".to_owned(),
        false => types::disposition(media.filename.as_deref(), &media.media_id, mime_type),
    };
    let reply = Reply::file(file, length)
        .with("Content-Type", served)
        .with("Content-Disposition", disposition)
        .with("Content-Security-Policy", BOUNDS);
    Ok(reply)
}

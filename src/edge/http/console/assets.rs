//! Style, script and icon: built in, asked for under an address that changes with
//! them, so that browsers may keep them.

use super::ROOT;
use super::reply::Reply;
use crate::wire::signature::hex;
use ring::digest;

const ASSETS: &[(&str, &str, &str)] = &[
    (
        "console.css",
        "text/css; charset=utf-8",
        include_str!("assets/console.css"),
    ),
    (
        "console.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/console.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// What is at this path below [`ROOT`]. Whoever has an address with another
/// version's digest gets this version's.
pub fn at(path: &str) -> Option<Reply> {
    let name = path.strip_prefix("/assets/")?;
    let (_, content_type, text) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    let reply = Reply::fixed(content_type, text);
    Some(reply.with("Cache-Control", "private, max-age=31536000, immutable"))
}

/// The address of an asset; `None` when there is none of this name.
pub fn address(name: &str) -> Option<String> {
    let (name, _, text) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    Some(format!(
        "{ROOT}/assets/{name}?v={}",
        hex(&digest.as_ref()[..8])
    ))
}

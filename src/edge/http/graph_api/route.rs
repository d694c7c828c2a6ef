//! Which path of the API is for what.

use super::super::relay::FILES;
use crate::wire::relay::path::{self, BadPath};

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Whether the process serves.
    Health,
    /// A message to send.
    Messages { number: String },
    /// A message of ours by either id, or something of Graph's.
    Object { id: String },
    /// Anything else that Graph may have.
    Call { parts: Vec<String> },
    /// A file, by the name we gave it.
    File { name: String },
    /// Whether anything but a template reaches a person.
    Window { number: String, user: String },
    /// In whose hands a conversation is.
    Handover { number: String, user: String },
    /// No path of Graph's.
    Unknown,
    /// One that no path may look like.
    Malformed,
}

impl Route {
    /// The word in log lines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Route::Health => "health",
            Route::Messages { .. } => "messages",
            Route::Object { .. } => "object",
            Route::Call { .. } => "call",
            Route::File { .. } => "file",
            Route::Window { .. } => "window",
            Route::Handover { .. } => "handover",
            Route::Unknown => "unknown",
            Route::Malformed => "malformed",
        }
    }

    /// What a path is for.
    pub fn of(path: &str) -> Route {
        if path == "/healthz" {
            return Route::Health;
        }
        if let Some(name) = path.strip_prefix(FILES) {
            let name = name.to_owned();
            return Route::File { name };
        }
        if let Some(id) = path::wamid(path) {
            return Route::Object { id };
        }
        let mut parts = match path::parts(path) {
            Ok(parts) => parts,
            Err(BadPath::NoVersion) => return Route::Unknown,
            Err(BadPath::Malformed) => return Route::Malformed,
        };
        let is_number = |id: &str| id.bytes().all(|b| b.is_ascii_digit());
        match parts.as_slice() {
            [id] if !id.starts_with("upload:") => Route::Object {
                id: parts.remove(0),
            },
            // However it is written: a message goes through the outbox.
            [id, edge] if edge.eq_ignore_ascii_case("messages") => match is_number(id) {
                true => Route::Messages {
                    number: parts.remove(0),
                },
                false => Route::Unknown,
            },
            // One of ours: Graph knows no such edge.
            [id, edge, _] if edge == "windows" && is_number(id) => Route::Window {
                user: parts.remove(2),
                number: parts.remove(0),
            },
            [id, edge, _] if edge == "handovers" && is_number(id) => Route::Handover {
                user: parts.remove(2),
                number: parts.remove(0),
            },
            _ => Route::Call { parts },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_graphs_do() {
        let number = |number: &str| Route::Messages {
            number: number.into(),
        };
        let object = |id: &str| Route::Object { id: id.into() };
        let call = |parts: &str| Route::Call {
            parts: parts.split(' ').map(str::to_owned).collect(),
        };
        let cases = [
            ("/v26.0/106540300000001/messages", number("106540300000001")),
            ("/v1.99/7/messages", number("7")),
            ("/v1.99/7/messages/", number("7")),
            ("/v1.99/7/%6dessages", number("7")),
            ("/v1.99/7/Messages", number("7")),
            ("/v26.0/wamid.AbC=", object("wamid.AbC=")),
            ("/v26.0/wamid.Ab%2FC%2B%3D", object("wamid.Ab/C+=")),
            ("/v26.0/wamid.Ab/C+=", object("wamid.Ab/C+=")),
            ("/v26.0/17", object("17")),
            ("/v26.0/17/media", call("17 media")),
            (
                "/v26.0/17/windows/1555",
                Route::Window {
                    number: "17".into(),
                    user: "1555".into(),
                },
            ),
            ("/v26.0/17/windows", call("17 windows")),
            ("/v26.0/1/messages/x", call("1 messages x")),
            ("/v26.0/upload:abc", call("upload:abc")),
            (
                "/files/abc.def",
                Route::File {
                    name: "abc.def".into(),
                },
            ),
            ("/healthz", Route::Health),
            ("/106540300000001/messages", number("106540300000001")),
            ("/1065/messages", Route::Unknown),
            ("/v26/1/messages", Route::Unknown),
            ("/v26.0/me/messages", Route::Unknown),
            ("/v26.0/../messages", Route::Malformed),
            ("/v26.0/", Route::Malformed),
            ("/", Route::Unknown),
            ("/webhook", Route::Unknown),
        ];
        for (path, expected) in cases {
            assert_eq!(Route::of(path), expected, "{path}");
        }
    }
}

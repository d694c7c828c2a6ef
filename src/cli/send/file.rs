//! `wabridge send --file`: the file goes to Graph first, unless Meta has it from
//! this number already; its message then goes the way of all others.

use crate::cli::{Failure, problems_said};
use crate::config::{Config, Problem};
use crate::edge::clock;
use crate::edge::graph::Graph;
use crate::edge::upload::Ready;
use crate::gateway::Gateway;
use crate::store::Database;
use crate::wire::media::{Digest, Kind, types};
use std::path::PathBuf;

/// What is said of a file on the command line.
pub struct FileOptions {
    pub path: PathBuf,
    pub caption: Option<String>,
    pub wanted: Option<Kind>,
    pub name: Option<String>,
}

/// A file whose message can be made.
pub struct Attached {
    ready: Ready,
    caption: Option<String>,
    name: String,
}

/// A file that Meta has.
pub struct Uploaded {
    /// Its id.
    pub media_id: String,
    /// What is to be remembered of it, when it is new.
    pub new: Option<(Digest, &'static str)>,
}

impl Attached {
    /// Opens the file and looks whether it may be sent with what is said of it.
    pub fn open(options: FileOptions) -> Result<Attached, Failure> {
        let ready = Ready::open(&options.path, options.wanted).map_err(Failure::because)?;
        let kind = ready.fit.kind;
        if options.caption.is_some() && !ready.takes_caption() {
            return Err(Failure::Misused(format!(
                "--caption: WhatsApp shows no text with a file of this kind ({}): send the text by itself",
                kind.as_str()
            )));
        }
        if options.name.is_some() && kind != Kind::Document {
            return Err(Failure::Misused(format!(
                "--name: WhatsApp shows a name with documents only, and this goes as {}: leave it \
                 out, or use --as document",
                kind.as_str()
            )));
        }
        let own = || {
            let name = options.path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let given = options.name.unwrap_or_else(own);
        Ok(Attached {
            name: types::shown_name(&given, ready.fit.is),
            caption: options.caption,
            ready,
        })
    }

    /// The message, when Meta has the file under this id.
    pub fn message(&self, media_id: &str) -> String {
        let caption = self.caption.as_deref();
        self.ready.message(media_id, caption, &self.name)
    }

    /// Makes sure that Meta has the file from this number.
    ///
    /// # Errors
    /// When it could not be uploaded.
    pub fn give(
        &mut self,
        database: &Database,
        gateway: &Gateway,
        config: &Config,
        problems: &[Problem],
        number: &str,
    ) -> Result<Uploaded, Failure> {
        let (sha256, mime) = (self.ready.sha256, self.ready.fit.is.mime);
        let now = clock::now_ms();
        let known = database.read(|tx| gateway.uploaded(tx, now, number, &sha256, mime))?;
        if let Some(media_id) = known {
            eprintln!("wabridge: Meta has this file already, as {media_id}");
            return Ok(Uploaded {
                media_id,
                new: None,
            });
        }
        if config.graph_url.is_empty() {
            return Err(problems_said(problems));
        }
        let token = config.tokens.of(number).ok_or_else(|| {
            Failure::says(
                "WHATSAPP_TOKEN is not set, and the file goes to Graph from here: run this with \
                 the settings of the service",
            )
        })?;
        let graph = Graph::new(config, 1).map_err(Failure::because)?;
        let uploaded = self.ready.upload(&graph, token, number);
        let media_id = uploaded.map_err(Failure::because)?;
        let bytes = self.ready.bytes;
        eprintln!("wabridge: uploaded {bytes} bytes of {mime} as {media_id}");
        Ok(Uploaded {
            media_id,
            new: Some((sha256, mime)),
        })
    }
}

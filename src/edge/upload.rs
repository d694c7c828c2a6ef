//! Uploading a file of this machine to Graph: opened, judged and digested here,
//! then streamed. Never retries: whoever asked for it is there to be told.

use super::clock;
use super::graph::{Call, Graph, Payload, Target};
use crate::config::Secret;
use crate::policy::upload::answered;
use crate::wire::compose::{Media, Message};
use crate::wire::media::types::HEAD_BYTES;
use crate::wire::media::upload::{Fit, Form, Unfit, form, judge};
use crate::wire::media::{Digest, Kind};
use crate::wire::signature::hex;
use ring::digest;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 100 MB, the most there is, in this time need 3 Mbit/s.
const UPLOAD: Duration = Duration::from_secs(300);

/// Graph's answer to an upload is an id, or an error.
const ANSWER_BYTES_MAX: u64 = 1 << 16;

/// What is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A file that may be sent.
pub struct Ready {
    /// Where it is, or what it is called.
    path: PathBuf,
    file: Source,
    /// What it is, and what it is sent as.
    pub fit: Fit,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// Why a file was not uploaded.
#[derive(Debug)]
pub enum NotUploaded {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It is a folder, a pipe or the like.
    NoFile(PathBuf),
    /// WhatsApp does not take it.
    Unfit(PathBuf, Unfit),
    /// It was written while it was read.
    Changed(PathBuf),
    /// Graph could not be reached, or broke off.
    Unanswered(String),
    /// Graph did not take it, and why, with the mend.
    Refused(String),
}

impl fmt::Display for NotUploaded {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            NotUploaded::Unreadable(path, _) => {
                write!(
                    f,
                    "{} cannot be read: check its name and rights",
                    shown(path)
                )
            }
            NotUploaded::NoFile(path) => {
                write!(f, "{} is no file: name one", shown(path))
            }
            NotUploaded::Unfit(path, unfit) => write!(f, "{} {unfit}", shown(path)),
            NotUploaded::Changed(path) => write!(
                f,
                "{} changed while it was uploaded: send it when it is complete",
                shown(path)
            ),
            NotUploaded::Unanswered(reason) => write!(
                f,
                "the file was not uploaded: Graph did not answer ({reason}): try again later, and \
                 if it goes on look at GRAPH_API_URL and the way to it"
            ),
            NotUploaded::Refused(why) => write!(f, "the file was not uploaded: {why}"),
        }
    }
}

impl std::error::Error for NotUploaded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NotUploaded::Unreadable(_, source) => Some(source),
            _ => None,
        }
    }
}

impl Ready {
    /// Opens a file and looks whether it may be sent, as `wanted` or as what it
    /// is.
    ///
    /// # Errors
    /// When it cannot be read, or not be sent.
    pub fn open(path: &Path, wanted: Option<Kind>) -> Result<Ready, NotUploaded> {
        let unreadable = |error| NotUploaded::Unreadable(path.to_owned(), error);
        // Before it is opened: a pipe would wait for its writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(NotUploaded::NoFile(path.to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        Ready::read(path, Source::Disk(file), bytes, wanted)
    }

    /// The same of a file that was given to us, under its name.
    ///
    /// # Errors
    /// When it may not be sent.
    pub fn given(name: &str, content: Vec<u8>) -> Result<Ready, NotUploaded> {
        let bytes = content.len() as u64;
        let source = Source::Memory(Cursor::new(content));
        Ready::read(Path::new(name), source, bytes, None)
    }

    fn read(
        path: &Path,
        mut file: Source,
        bytes: u64,
        wanted: Option<Kind>,
    ) -> Result<Ready, NotUploaded> {
        let unreadable = |error| NotUploaded::Unreadable(path.to_owned(), error);
        let mut head = Vec::new();
        let start = (&mut file).take(HEAD_BYTES as u64);
        { start }.read_to_end(&mut head).map_err(unreadable)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fit = judge(&name, &head, bytes, wanted)
            .map_err(|unfit| NotUploaded::Unfit(path.to_owned(), unfit))?;
        file.rewind().map_err(unreadable)?;
        let mut content = Content::of(&mut file, bytes);
        io::copy(&mut content, &mut io::sink()).map_err(unreadable)?;
        let sha256 = content.digest();
        Ok(Ready {
            path: path.to_owned(),
            file,
            fit,
            bytes,
            sha256,
        })
    }

    /// Its message, when Meta has it under this id. Documents are shown by a name;
    /// nothing is shown below sounds and stickers.
    pub fn message(&self, media_id: &str, caption: Option<&str>, name: &str) -> String {
        let media = Media::id(media_id);
        let message = match self.fit.kind {
            Kind::Image => Message::image(media).any(),
            Kind::Video => Message::video(media).any(),
            Kind::Audio => Message::audio(media).any(),
            Kind::Document => Message::document(media).filename(name).any(),
            Kind::Sticker => Message::sticker(media).any(),
        };
        let mut message = message.to_value();
        if let Some(caption) = caption {
            message[self.fit.kind.as_str()]["caption"] = caption.into();
        }
        message.to_string()
    }

    /// Whether a text may stand below it.
    pub fn takes_caption(&self) -> bool {
        !matches!(self.fit.kind, Kind::Audio | Kind::Sticker)
    }

    /// Sends it to Graph for a number, with its token; returns its id.
    ///
    /// # Errors
    /// When Graph did not take it. It may be there all the same, which harms
    /// nobody: without its id it is never seen.
    pub fn upload(
        &mut self,
        graph: &Graph,
        token: &Secret,
        number: &str,
    ) -> Result<String, NotUploaded> {
        let unreadable = |error| NotUploaded::Unreadable(self.path.clone(), error);
        self.file.rewind().map_err(unreadable)?;
        // Nobody can have put these 128 bits into the file.
        let Form {
            content_type,
            head,
            tail,
        } = form(self.fit.is, &hex(&clock::random::<16>()));
        let mut content = Content::of(&mut self.file, self.bytes);
        let length = head.len() as u64 + self.bytes + tail.len() as u64;
        let mut body = head.as_bytes().chain(&mut content).chain(tail.as_bytes());
        let called = graph.call(Call {
            method: "POST",
            target: Target::Path(&format!("{number}/media")),
            token,
            headers: &[("Content-Type".into(), content_type)],
            body: Payload::Stream(&mut body, Some(length)),
            within: UPLOAD,
        });
        // What went wrong with the file is why the call failed.
        if content.is_short || (content.left == 0 && content.digest() != self.sha256) {
            return Err(NotUploaded::Changed(self.path.clone()));
        }
        let called = called.map_err(|unanswered| NotUploaded::Unanswered(unanswered.reason))?;
        let mut answer = Vec::new();
        let read = called.body.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        read.map_err(|_| NotUploaded::Unanswered("the answer broke off".into()))?;
        answered(called.status, &answer).map_err(NotUploaded::Refused)
    }
}

/// A path as it may go to a terminal: a file may be called anything.
fn shown(path: &Path) -> String {
    let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    path.to_string_lossy().chars().map(harmless).collect()
}

/// Where a file's bytes are.
enum Source {
    Disk(File),
    Memory(Cursor<Vec<u8>>),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Disk(file) => file.read(buffer),
            Source::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Source::Disk(file) => file.seek(to),
            Source::Memory(bytes) => bytes.seek(to),
        }
    }
}

/// A file's content while it is read: so many bytes and no others, digested.
struct Content<'f> {
    file: &'f mut Source,
    left: u64,
    digest: digest::Context,
    /// It ended early.
    is_short: bool,
}

impl<'f> Content<'f> {
    fn of(file: &'f mut Source, bytes: u64) -> Content<'f> {
        Content {
            file,
            left: bytes,
            digest: digest::Context::new(&digest::SHA256),
            is_short: false,
        }
    }

    fn digest(&self) -> Digest {
        Digest::of(self.digest.clone())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(PIECE_BYTES);
        let most = most.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            self.is_short = true;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.digest.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, survey};
    use crate::edge::standin::{Options, StandIn};

    fn place(name: &str, content: &[u8]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("wabridge-upload-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_file_is_read_to_the_length_it_had_and_digested() {
        let path = place("abc.txt", b"abc");
        let ready = Ready::open(&path, None).map_err(|e| e.to_string()).unwrap();
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((ready.sha256.hex().as_str(), ready.bytes), (hex, 3));
        // What is written to it later is not part of what was judged.
        let mut file = ready.file;
        fs::write(&path, b"abcdef").unwrap();
        file.rewind().unwrap();
        let mut content = Content::of(&mut file, 3);
        let mut read = String::new();
        content.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), content.digest()), ("abc", ready.sha256));
        fs::write(&path, b"a").unwrap();
        file.rewind().unwrap();
        let mut content = Content::of(&mut file, 3);
        assert!(content.read_to_string(&mut String::new()).is_err() && content.is_short);
    }

    #[test]
    fn a_file_that_changes_while_it_goes_up_is_not_taken_for_what_it_was() {
        let standin = StandIn::start(Options::default()).unwrap();
        let url = standin.url();
        let (config, _) = survey(&Sources::from_pairs([("GRAPH_API_URL", url.as_str())]));
        let graph = Graph::new(&config, 1).unwrap();
        let token = Secret::new(Options::default().token);
        for (later, expected) in [
            ("abc", ""),
            ("abcdef", ""),
            ("xyz", "changed while it was uploaded"),
            ("ab", "changed while it was uploaded"),
            ("", "changed while it was uploaded"),
        ] {
            let path = place("changes.txt", b"abc");
            let mut ready = Ready::open(&path, None).unwrap_or_else(|e| panic!("{e}"));
            fs::write(&path, later).unwrap();
            let said = match ready.upload(&graph, &token, "106540300000001") {
                Ok(id) => {
                    assert_eq!(standin.media(&id).unwrap().bytes, b"abc");
                    String::new()
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(said.is_empty(), expected.is_empty(), "{later}: {said}");
            assert!(said.contains(expected), "{later}: {said}");
        }
    }
}

//! Why a service does not start, with the mend.

use crate::edge::graph::RootsError;
use crate::store::StoreError;
use std::fmt;
use std::io;

/// Why the service does not start.
#[derive(Debug)]
pub enum StartError {
    /// The database cannot be used.
    Store(StoreError),
    /// The address cannot be listened on.
    Listen {
        setting: &'static str,
        address: String,
        source: io::Error,
    },
    /// Graph cannot be called with these certificates.
    Roots(RootsError),
    /// MEDIA_DIR cannot be used.
    Folder { path: String, source: io::Error },
    /// Threads cannot be started.
    Threads(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StartError::Store(error) => error.fmt(f),
            StartError::Roots(error) => error.fmt(f),
            StartError::Listen {
                setting,
                address,
                source,
            } => {
                write!(f, "{setting}: cannot listen on {address}")?;
                match mend(source.kind()) {
                    Some(mend) => write!(f, ": {mend}"),
                    None => Ok(()),
                }
            }
            StartError::Folder { path, .. } => write!(
                f,
                "MEDIA_DIR: {path} cannot be made or written: check that its parent folder exists and that we may write there"
            ),
            StartError::Threads(_) => f.write_str("threads cannot be started"),
        }
    }
}

/// What to do about an address that cannot be listened on.
fn mend(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::AddrInUse => "stop the process that listens there, or set another address",
        io::ErrorKind::AddrNotAvailable => {
            "set an address that this machine has, such as 127.0.0.1:PORT"
        }
        io::ErrorKind::PermissionDenied => {
            "set a port from 1024 on (nginx has the low ones), or a path in a folder where we may write"
        }
        io::ErrorKind::NotFound => "make the folder, or set another path",
        io::ErrorKind::AlreadyExists => {
            "a file that is no socket is there: remove it, or set another path"
        }
        _ => return None,
    })
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Store(error) => std::error::Error::source(error),
            StartError::Roots(error) => std::error::Error::source(error),
            StartError::Listen { source, .. }
            | StartError::Folder { source, .. }
            | StartError::Threads(source) => Some(source),
        }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> StartError {
        StartError::Store(error)
    }
}

//! Whom to trust with TLS: the certificates in `SSL_CERT_FILE`, else those that are built in.

use crate::config::Config;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// A bundle of all authorities is some 200 KiB.
const ROOTS_BYTES_MAX: u64 = 16 << 20;

/// Whom to trust with TLS: `SSL_CERT_FILE`, else what is built in.
pub struct Roots(RootCerts);

impl Roots {
    pub fn of(config: &Config) -> Result<Roots, RootsError> {
        match &config.root_certificates {
            Some(path) => roots(path).map(Roots),
            None => Ok(Roots(RootCerts::WebPki)),
        }
    }

    pub fn tls(self) -> TlsConfig {
        TlsConfig::builder().root_certs(self.0).build()
    }
}

/// Why `SSL_CERT_FILE` cannot be used.
#[derive(Debug)]
pub enum RootsError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It holds something else.
    NoCertificates(PathBuf),
}

impl fmt::Display for RootsError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (RootsError::Unreadable(path, _) | RootsError::NoCertificates(path)) = self;
        let what = match self {
            RootsError::Unreadable(..) => "cannot be read",
            RootsError::NoCertificates(_) => "holds no certificates that can be used",
        };
        write!(
            f,
            "SSL_CERT_FILE: {} {what}: name a file of certificates in PEM, such as \
             /etc/ssl/certs/ca-certificates.crt, or take the setting out",
            path.display()
        )
    }
}

impl std::error::Error for RootsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RootsError::Unreadable(_, source) => Some(source),
            RootsError::NoCertificates(_) => None,
        }
    }
}

/// The certificates in a PEM file.
fn roots(path: &Path) -> Result<RootCerts, RootsError> {
    let unreadable = |error| RootsError::Unreadable(path.to_owned(), error);
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(ROOTS_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(unreadable)?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
    match certificates.is_empty() {
        true => Err(RootsError::NoCertificates(path.to_owned())),
        false => Ok(RootCerts::new_with_certs(&certificates)),
    }
}

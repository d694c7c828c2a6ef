//! Our own connections to our own listeners.

use crate::config::Listen;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connection such as anybody makes.
pub enum Probe {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Probe {
    /// Connects, within `patience` on TCP; each reading and writing may then
    /// take as long.
    pub fn connect(listen: &Listen, patience: Duration) -> io::Result<Probe> {
        match listen {
            Listen::Tcp(address) => {
                let stream = TcpStream::connect_timeout(&reachable(*address), patience)?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                Ok(Probe::Tcp(stream))
            }
            Listen::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                Ok(Probe::Unix(stream))
            }
        }
    }

    /// Says that nothing will be asked, and waits until the other side has
    /// ended the connection for that.
    pub fn leave(mut self) -> io::Result<()> {
        match &self {
            Probe::Tcp(stream) => stream.shutdown(Shutdown::Write)?,
            Probe::Unix(stream) => stream.shutdown(Shutdown::Write)?,
        }
        while self.read(&mut [0; 64])? > 0 {}
        Ok(())
    }
}

impl Read for Probe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Probe::Tcp(stream) => stream.read(into),
            Probe::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for Probe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Probe::Tcp(stream) => stream.write(bytes),
            Probe::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Probe::Tcp(stream) => stream.flush(),
            Probe::Unix(stream) => stream.flush(),
        }
    }
}

/// An address to reach a listener by that listens on all of them.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let local = match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(local);
    }
    address
}

//! Where an app may be. An address of a private network is fine when the setting
//! says so: as a literal address, or by a name that only means something there
//! (`localhost`, `app`, `crm.internal`). A name of the public DNS that leads there
//! was not meant so, or somebody has changed it since. The address that is
//! checked is the one that is connected to, so a name that changes its mind
//! (DNS rebinding) changes nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Ends of names that are no public ones: RFC 6761, RFC 6762, RFC 8375, and what
/// ICANN keeps for private use.
const PRIVATE_ENDS: [&str; 4] = [".localhost", ".local", ".home.arpa", ".internal"];

/// Leaves out what a public name must not lead to.
#[derive(Debug, Default)]
pub(super) struct PublicNames(DefaultResolver);

impl Resolver for PublicNames {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        if names_private(uri.host().unwrap_or_default()) {
            return Ok(found);
        }
        if found.iter().any(|address| is_private(address.ip())) {
            return Err(Error::Io(io::ErrorKind::PermissionDenied.into()));
        }
        Ok(found)
    }
}

/// Whether the host itself says that it is in a private network.
fn names_private(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    literal.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || PRIVATE_ENDS.iter().any(|end| host.ends_with(end))
}

/// Whether an address is of this machine or of a network that is not the internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                // "This network", shared (RFC 6598), of protocols, for benchmarks; many at
                // once, kept for later, everybody (RFC 6890).
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a, b, c) == (192, 0, 0)
                || (a == 198 && (18..20).contains(&b))
                || a >= 224
        }
        IpAddr::V6(v6) => match stands_for(v6) {
            Some(v4) => is_private(v4.into()),
            None => {
                v6 == Ipv6Addr::UNSPECIFIED
                    || v6.is_loopback()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.is_multicast()
                    // Site-local, as private networks were once (RFC 3879).
                    || v6.segments()[0] & 0xffc0 == 0xfec0
            }
        },
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, behind NAT64 (RFC 6052), or by
/// 6to4 (RFC 3056).
fn stands_for(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => of(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_says_that_it_is_private_or_not() {
        let cases = [
            ("127.0.0.1", true),
            ("169.254.169.254", true),
            ("[::1]", true),
            ("localhost", true),
            ("app", true),
            ("crm.internal", true),
            ("Printer.LOCAL.", true),
            ("app.example.com", false),
            ("internal.example", false),
            ("127.0.0.1.example.com", false),
        ];
        for (host, expected) in cases {
            assert_eq!(names_private(host), expected, "{host}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let private = [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "fec0::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
        ];
        let public = [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "192.0.1.1",
            "198.20.0.1",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "64:ff9c::a9fe:a9fe",
        ];
        for (addresses, expected) in [(&private[..], true), (&public[..], false)] {
            for address in addresses {
                assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}

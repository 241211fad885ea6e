//! Where a relay accepts links.

use alloc::string::String;
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How links are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// Length-prefixed frames over TCP.
    Tcp,
    /// One binary WebSocket message per frame, at the path `/link`.
    Ws,
    /// The same over TLS.
    Wss,
}

impl Transport {
    /// The scheme in front of `://`.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The port that is meant where none is named, as browsers have it.
    #[must_use]
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Tcp => None,
            Self::Ws => Some(80),
            Self::Wss => Some(443),
        }
    }
}

/// The most bytes of an address's path.
pub const PATH_BYTES_MAX: usize = 64;

/// `tcp://host:port`, `ws://host:port` or `wss://host:port`; the host is a DNS name, an IPv4 address
/// or an IPv6 address in brackets, at most 253 bytes. A WebSocket address may have a path after it, where
/// a proxy serves the relay below one: `wss://relay.example.org:443/mesh`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    transport: Transport,
    host: String,
    port: u16,
    /// Empty, or with a slash in front and none at the end.
    path: String,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address looks like tcp://host:port, ws://host:port or wss://host:port")
    }
}

impl core::error::Error for AddressError {}

/// Why nobody can be reached at an address, though it is written like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// `0.0.0.0` or `[::]`: all addresses of a machine, for listening only.
    Unspecified,
    /// An address of many machines.
    Group,
    /// An IPv6 address that means nothing without the name of a network interface.
    LinkLocal,
    /// Digits and dots, or brackets, that are no IP address.
    NotAnIp,
    /// A name that DNS can't have.
    NotAName,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "it stands for all addresses of a machine and leads nowhere",
            Self::Group => "it is a multicast or broadcast address, where no link can be opened",
            Self::LinkLocal => "it is link-local and means something else on every machine",
            Self::NotAnIp => "it is no IP address",
            Self::NotAName => "it is no host name",
        })
    }
}

impl Address {
    /// An address from its parts.
    ///
    /// # Errors
    /// [`AddressError`] when the host is empty, longer than 253 bytes or has a character that no
    /// host has, or the port is 0.
    pub fn new(transport: Transport, host: &str, port: u16) -> Result<Self, AddressError> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        // Only the characters are judged: whether such a host exists shows when it is dialled.
        let plausible = match bare {
            Some(v6) => v6
                .chars()
                .all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.')),
            None => host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
        };
        // 253: the longest text of a DNS name (RFC 1035 allows 255 octets in its binary form).
        if host.is_empty() || host.len() > 253 || !plausible || port == 0 {
            return Err(AddressError);
        }
        Ok(Self {
            transport,
            host: host.into(),
            port,
            path: String::new(),
        })
    }

    /// The same address below a path, such as `/mesh`; slashes at the end don't count.
    ///
    /// # Errors
    /// [`AddressError`] when the path has no slash in front, is longer than [`PATH_BYTES_MAX`], has a
    /// character or a segment that proxies change, or the transport has no paths.
    pub fn below(self, path: &str) -> Result<Self, AddressError> {
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Ok(Self {
                path: String::new(),
                ..self
            });
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        let segments = path.strip_prefix('/').ok_or(AddressError)?;
        let is_plain = segments.split('/').all(|segment| {
            !segment.is_empty() && !matches!(segment, "." | "..") && segment.chars().all(plain)
        });
        if self.transport == Transport::Tcp || path.len() > PATH_BYTES_MAX || !is_plain {
            return Err(AddressError);
        }
        Ok(Self {
            path: path.into(),
            ..self
        })
    }

    /// How links are carried there.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The host, IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the relay is below of: empty, or such as `/mesh`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, without the port where a browser leaves it out.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.transport.default_port() == Some(self.port) {
            self.host.clone()
        } else {
            alloc::format!("{}:{}", self.host, self.port)
        }
    }

    /// The same place by another transport: one port carries them all.
    #[must_use]
    pub fn over(&self, transport: Transport) -> Self {
        let path = match transport {
            Transport::Tcp => String::new(),
            Transport::Ws | Transport::Wss => self.path.clone(),
        };
        Self {
            transport,
            host: self.host.clone(),
            port: self.port,
            path,
        }
    }

    /// Whether a link could be opened there, as far as the text tells.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Unusable> {
        if let Some(bare) = self.host.strip_prefix('[') {
            let bare = bare.trim_end_matches(']');
            let ip: Ipv6Addr = bare.parse().map_err(|_| Unusable::NotAnIp)?;
            return check_ip(ip.to_canonical());
        }
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        // Source: WHATWG URL, "ends in a number checker": such a host is an IPv4 address or nothing.
        let last = name.rsplit('.').next().unwrap_or_default();
        if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
            let ip: Ipv4Addr = name.parse().map_err(|_| Unusable::NotAnIp)?;
            return check_ip(ip.into());
        }
        // Source: RFC 1035, section 2.3.4: a label has 1 to 63 octets. RFC 1123, section 2.1: no hyphen
        // at its ends.
        let is_label = |label: &str| {
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if name.split('.').all(is_label) {
            Ok(())
        } else {
            Err(Unusable::NotAName)
        }
    }
}

fn check_ip(ip: IpAddr) -> Result<(), Unusable> {
    // RFC 1122, section 3.2.1.3: the whole of 0.0.0.0/8 is no destination.
    let (is_nowhere, is_link_local) = match ip {
        IpAddr::V4(v4) => (v4.octets()[0] == 0, false),
        IpAddr::V6(v6) => (v6.is_unspecified(), v6.is_unicast_link_local()),
    };
    // RFC 1112, section 4: from 240 on nothing is assigned but the broadcast address.
    let is_group = match ip {
        IpAddr::V4(v4) => v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    if is_nowhere {
        Err(Unusable::Unspecified)
    } else if is_group {
        Err(Unusable::Group)
    } else if is_link_local {
        Err(Unusable::LinkLocal)
    } else {
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}:{}{}",
            self.transport.scheme(),
            self.host,
            self.port,
            self.path
        )
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError)?;
        let transport = [Transport::Tcp, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| transport.scheme() == scheme)
            .ok_or(AddressError)?;
        let (authority, path) = rest
            .find('/')
            .map_or((rest, ""), |slash| rest.split_at(slash));
        // From the right: an IPv6 host has colons of its own.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| AddressError)?)
            }
            Some(_) | None => (authority, transport.default_port().ok_or(AddressError)?),
        };
        Self::new(transport, host, port)?.below(path)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_address_reads_back_what_it_shows() {
        for text in [
            "tcp://127.0.0.1:7600",
            "ws://[::1]:7600",
            "wss://relay.example.org:443",
            "wss://relay.example.org:443/mesh",
            "ws://a:80/x/y-z",
        ] {
            assert_eq!(
                text.parse::<Address>().map(|a| a.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "tcp://",
            "tcp://a",
            "tcp://a:0",
            "ftp://a:1",
            "tcp://a b:1",
            "ws://a/b:1",
            "tcp://a:1/mesh",
            "wss://a/../b",
            "wss://a//b",
            "wss://a/b?c",
            "wss://a/b%2e",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
        let long = alloc::format!("wss://a/{}", "p".repeat(PATH_BYTES_MAX));
        assert_eq!(long.parse::<Address>(), Err(AddressError));
    }

    #[test]
    fn a_port_that_browsers_leave_out_is_the_standard_one() {
        let written = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(written("wss://a"), written("wss://a:443/"));
        assert_eq!(written("ws://a/x/"), written("ws://a:80/x"));
        assert_eq!(written("wss://a:443").authority(), "a");
        assert_eq!(written("ws://[::1]").authority(), "[::1]");
        assert_eq!(written("wss://a:80").authority(), "a:80");
        assert_eq!(written("tcp://a:80").authority(), "a:80");
        assert_eq!(
            written("wss://a/x").over(Transport::Tcp),
            written("tcp://a:443")
        );
    }

    #[test]
    fn an_address_that_leads_nowhere_says_why() {
        let of = |host: &str| Address::new(Transport::Tcp, host, 1).unwrap().check();
        for host in ["0.0.0.0", "0.1.2.3", "[::]", "[::ffff:0.0.0.0]"] {
            assert_eq!(of(host), Err(Unusable::Unspecified), "{host}");
        }
        for host in ["224.0.0.1", "255.255.255.255", "240.0.0.1", "[ff02::1]"] {
            assert_eq!(of(host), Err(Unusable::Group), "{host}");
        }
        for host in ["[]", "[:::]", "[1]", "999.1.1.1", "1.2.3", "7", "relay.1"] {
            assert_eq!(of(host), Err(Unusable::NotAnIp), "{host}");
        }
        let long = "l".repeat(64);
        for host in ["...", ".", "a..b", "-a.b", "a-.b", &long] {
            assert_eq!(of(host), Err(Unusable::NotAName), "{host}");
        }
        assert_eq!(of("[fe80::1]"), Err(Unusable::LinkLocal));
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "localhost",
            "a_b.c",
            "relay.org.",
            "x1",
        ] {
            assert_eq!(of(host), Ok(()), "{host}");
        }
    }
}

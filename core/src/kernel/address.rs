//! Where a relay accepts links.

use alloc::string::String;
use core::{fmt, str::FromStr};
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
}

/// `tcp://host:port`, `ws://host:port` or `wss://host:port`; the host is a DNS name, an IPv4 address
/// or an IPv6 address in brackets, at most 253 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    transport: Transport,
    host: String,
    port: u16,
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

    /// The same place by another transport: one port carries them all.
    #[must_use]
    pub fn over(&self, transport: Transport) -> Self {
        Self {
            transport,
            ..self.clone()
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}:{}",
            self.transport.scheme(),
            self.host,
            self.port
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
        let (host, port) = rest
            .trim_end_matches('/')
            // From the right: an IPv6 host has colons of its own.
            .rsplit_once(':')
            .ok_or(AddressError)?;
        Self::new(transport, host, port.parse().map_err(|_| AddressError)?)
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
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
    }
}

//! Places as settings: where to listen, where others reach the node, and who may speak HTTP to it. What
//! could never match is refused, and what is written differently but means the same is made equal.

use crate::{config::PORT, links::bare};
use serde::{Deserialize, Serialize};
use sporenet_core::kernel::address::{Address, Transport};
use std::{fmt, net::Ipv6Addr, str::FromStr};

/// `host:port` to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Listen {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Listen {
    /// As the operating system's resolver takes it.
    pub(crate) fn as_str(&self) -> String {
        self.to_string()
    }

    /// The host without brackets.
    pub(crate) fn host(&self) -> &str {
        bare(&self.host)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not host:port, such as 127.0.0.1:{PORT} or [::]:{PORT}");
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() || (host.contains(':') && !host.starts_with('[')) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where others reach this node: `host:port`, a full address, or the web address of its page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Advertise(pub(crate) Address);

impl FromStr for Advertise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let full = match text.split_once("://") {
            Some((scheme, rest)) => {
                // The relay's page and its links have one address.
                let scheme = match scheme.to_ascii_lowercase().as_str() {
                    "https" => "wss".to_owned(),
                    "http" => "ws".to_owned(),
                    other => other.to_owned(),
                };
                format!("{scheme}://{}", lower_authority(rest))
            }
            None => format!("{}://{}", Transport::Tcp.scheme(), lower_authority(text)),
        };
        let address: Address = full.parse().map_err(|error| {
            format!("`{text}` is no address: {error}; the port is from 1 to 65535")
        })?;
        address.check().map_err(|why| {
            format!(
                "`{text}` can't be told to others: {why}; write an address or name that other \
                 machines reach, such as relay.example.org:{PORT}"
            )
        })?;
        Ok(Self(address))
    }
}

/// Host and port in lower case; a path keeps its capitals.
fn lower_authority(text: &str) -> String {
    let (authority, path) = text
        .find('/')
        .map_or((text, ""), |slash| text.split_at(slash));
    format!("{}{path}", authority.to_ascii_lowercase())
}

impl TryFrom<String> for Advertise {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Advertise> for String {
    fn from(advertise: Advertise) -> Self {
        advertise.0.to_string()
    }
}

/// A host that HTTP requests may address: `host` for any port, or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HostPattern(String);

impl HostPattern {
    /// In lower case, IPv6 in brackets.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Self(format!("[{ip}]")));
        }
        let wrong = |advice: &str| Err(format!("`{text}` is no host; write {advice}"));
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            return wrong(&format!("`{host}` alone, without scheme and path"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (text.as_str(), None),
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(Ok(_) | Err(_)) => return wrong("a port from 1 to 65535, or none for any port"),
        };
        let address = Address::new(Transport::Tcp, host, port.unwrap_or(PORT));
        match address.map(|address| address.check().is_ok()) {
            Ok(true) => {}
            Ok(false) | Err(_) => {
                return wrong(
                    "a name such as relay.example.org, with :port if only one may be used",
                );
            }
        }
        Ok(Self(match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }))
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(host: HostPattern) -> Self {
        host.0
    }
}

/// The origin of a page, as browsers send it: lower case, and no port where it is the scheme's.
///
/// Source: RFC 6454, section 6.2; the default ports are those of RFC 9110, section 4.2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct WebOrigin(String);

impl WebOrigin {
    /// As a browser sends it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port, the scheme's own port left out.
    pub(crate) fn authority(&self) -> &str {
        self.0
            .split_once("://")
            .map_or("", |(_, authority)| authority)
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written = text.trim().to_ascii_lowercase();
        let wrong = |advice: &str| Err(format!("`{text}` is no origin; write {advice}"));
        let (scheme, transport, rest) = match written.split_once("://") {
            Some((scheme @ "https", rest)) => (scheme, Transport::Wss, rest),
            Some((scheme @ "http", rest)) => (scheme, Transport::Ws, rest),
            Some(_) | None => {
                return wrong("the start of the page's address, such as https://app.example.org");
            }
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
            return wrong(&format!("`{scheme}://{host}`: an origin has no path"));
        }
        let address = format!("{}://{authority}", transport.scheme()).parse::<Address>();
        match address.map(|address| (address.check().is_ok(), address.authority())) {
            Ok((true, authority)) => Ok(Self(format!("{scheme}://{authority}"))),
            Ok((false, _)) | Err(_) => wrong("a host that exists, such as https://app.example.org"),
        }
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<WebOrigin> for String {
    fn from(origin: WebOrigin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised(text: &str) -> Result<String, String> {
        text.parse::<Advertise>().map(String::from)
    }

    #[test]
    fn addresses_to_listen_on_are_read_as_people_write_them() {
        assert!("::1:7600".parse::<Listen>().is_err());
        let listen = "[::1]:0".parse::<Listen>();
        assert_eq!(listen.map(|l| l.host().to_owned()).as_deref(), Ok("::1"));
    }

    #[test]
    fn an_address_to_announce_is_read_as_people_write_it() {
        for (text, address) in [
            ("relay.example.org:7600", "tcp://relay.example.org:7600"),
            ("Relay.Example.org:7600", "tcp://relay.example.org:7600"),
            ("wss://relay.example.org", "wss://relay.example.org:443"),
            (
                "https://relay.example.org/Mesh/",
                "wss://relay.example.org:443/Mesh",
            ),
            ("http://10.0.0.1", "ws://10.0.0.1:80"),
            (" [::1]:7600 ", "tcp://[::1]:7600"),
        ] {
            assert_eq!(advertised(text).as_deref(), Ok(address), "{text}");
        }
    }

    #[test]
    fn an_address_that_nobody_reaches_is_not_announced() {
        for text in [
            "0.0.0.0:7600",
            "[::]:7600",
            "[]:7600",
            "999.1.1.1:7600",
            "...:7600",
            "a:0",
            "224.0.0.1:7600",
            "255.255.255.255:7600",
            "[ff02::1]:7600",
            "relay:99999",
            "relay",
            "tcp://relay:7600/mesh",
            "wss://0.0.0.0",
            "",
        ] {
            assert!(advertised(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_and_origins_that_mean_the_same_are_equal() {
        let host = |text: &str| text.parse::<HostPattern>().map(String::from);
        assert_eq!(
            host("Relay.Example.org").as_deref(),
            Ok("relay.example.org")
        );
        assert_eq!(host("FD00::1").as_deref(), Ok("[fd00::1]"));
        assert_eq!(host("a:8443").as_deref(), Ok("a:8443"));
        for text in ["https://a.org/", "a/b", "*.a.org", "a:0", "a:x", "", "a b"] {
            assert!(host(text).is_err(), "{text}");
        }
        let origin = |text: &str| text.parse::<WebOrigin>().map(String::from);
        for text in [
            "https://App.example.org/",
            "HTTPS://app.example.org:443",
            "https://app.example.org",
        ] {
            assert_eq!(
                origin(text).as_deref(),
                Ok("https://app.example.org"),
                "{text}"
            );
        }
        assert_eq!(origin("http://a:443").as_deref(), Ok("http://a:443"));
        for text in [
            "app.example.org",
            "*",
            "null",
            "https://a/b",
            "ftp://a",
            "https://",
            "https://*.a",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}

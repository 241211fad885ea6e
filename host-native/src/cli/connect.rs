//! The address of an API, and connections to it.

use crate::{
    exit::{Code, Failure},
    links::{race, tls},
};
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use ureq::{
    Agent, Error,
    config::Config,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// How long opening a connection may take.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The start of all URLs of an API: scheme, host, and a path where a proxy serves it below one.
///
/// # Errors
/// When it is no web address.
pub(crate) fn base(url: &str) -> Result<String, Failure> {
    let url = url.trim().trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let is_web = ["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    if !is_web || rest.is_empty() || rest.contains(['?', '#', '@']) {
        return Err(Failure::new(
            Code::Usage,
            "--api wants an http:// or https:// address, such as http://127.0.0.1:7600 or \
             https://relay.example.org/mesh",
        ));
    }
    Ok(format!("{}://{rest}", scheme.to_ascii_lowercase()))
}

/// Makes requests over HTTP, and over TLS to whom the system or one of the files vouches for.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn agent(base: &str, tls_ca: &[PathBuf]) -> Result<Agent, Failure> {
    let more = tls::all_certificates(tls_ca)?;
    let authorities = if base.starts_with("https://") {
        tls::authorities(&more)
    } else {
        Vec::new()
    };
    let roots = authorities
        .iter()
        .map(|authority| Certificate::from_der(authority).to_owned());
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_PATIENCE))
        .proxy(None)
        .max_redirects(0)
        .user_agent(concat!("sporenet/", env!("CARGO_PKG_VERSION")))
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::from(roots))
                .unversioned_rustls_crypto_provider(tls::provider())
                .build(),
        )
        .build();
    let resolver = Racing(DefaultResolver::default());
    Ok(Agent::with_parts(
        config,
        DefaultConnector::default(),
        resolver,
    ))
}

/// What to do about a failure that an untrusted certificate is behind.
pub(crate) fn untrusted(error: &Error) -> Option<String> {
    let text = error.to_string();
    let is_tls = matches!(error, Error::Rustls(_) | Error::Tls(_)) || text.contains("certificate");
    is_tls.then(|| {
        format!(
            "{text}; check the name in the address, or name the authority of its certificate \
             with --tls-ca"
        )
    })
}

/// Finds the address of a name that answers: the client itself would try one after the other, with half
/// of the patience for the first.
#[derive(Debug)]
struct Racing(DefaultResolver);

impl Resolver for Racing {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        if found.len() < 2 {
            return Ok(found);
        }
        let mut winner = self.empty();
        winner.push(first_to_answer(&found)?);
        Ok(winner)
    }
}

fn first_to_answer(found: &[SocketAddr]) -> io::Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::time::timeout(CONNECT_PATIENCE, race::connect_to(found))
            .await
            .map_err(|_| io::Error::other("no address of the name answers"))??
            .peer_addr()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_has_a_web_address() {
        for (url, expected) in [
            ("http://127.0.0.1:7600/", "http://127.0.0.1:7600"),
            (
                "HTTPS://relay.example.org/mesh/",
                "https://relay.example.org/mesh",
            ),
        ] {
            assert_eq!(base(url).as_deref(), Ok(expected));
        }
        for url in [
            "relay:7600",
            "ftp://a",
            "https://",
            "",
            "http://a?b",
            "http://user@a",
        ] {
            assert_eq!(
                base(url).map_err(|failure| failure.code),
                Err(Code::Usage),
                "{url}"
            );
        }
    }
}

//! The web address of a recipient. Its path is often all that is needed to write there, so only scheme
//! and host are shown.

use crate::channels::secret::Secret;
use axum::http::Uri;
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

/// A shorter part of a path is no secret: it would be found in ordinary words.
const PART_BYTES_MIN: usize = 8;

/// An `http://` or `https://` address.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    /// Where requests go, without user and password.
    uri: Secret,
    shown: String,
    authorization: Option<Secret>,
    secrets: Vec<Secret>,
}

/// User and password before a host, percent-decoded.
pub(super) type User = (String, Option<Secret>);

/// Splits `user:password@host:port`.
pub(super) fn split_user(authority: &str) -> (Option<User>, &str) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match authority.rsplit_once('@') {
        None => (None, authority),
        Some((user, host)) => {
            let (user, password) = match user.split_once(':') {
                Some((user, password)) => (user, Some(Secret::new(decoded(password)))),
                None => (user, None),
            };
            (Some((decoded(user), password)), host)
        }
    }
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// What is allowed. The address itself is not in it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let wrong =
            || "is no web address; write one such as https://hooks.example.org/path".to_owned();
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if !matches!(scheme, "http" | "https") || authority.host().is_empty() {
            return Err(wrong());
        }
        let (user, host) = split_user(authority.as_str());
        let port = host.get(authority.host().len()..).unwrap_or_default();
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return Err(wrong());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut secrets = vec![Secret::new(text.trim().to_owned())];
        let parts = std::iter::once(path).chain(path.split(['/', '?', '&', '=']));
        let parts = parts.filter(|part| part.len() >= PART_BYTES_MIN);
        secrets.extend(parts.map(|part| Secret::new(part.to_owned())));
        let authorization = user.map(|(user, password)| {
            let password = password.as_ref().map_or("", Secret::expose);
            if !password.is_empty() {
                secrets.push(Secret::new(password.to_owned()));
            }
            let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
            Secret::new(format!("Basic {pair}"))
        });
        let rest = if path.len() > 1 { "/…" } else { "" };
        Ok(Self {
            uri: Secret::new(format!("{scheme}://{host}{path}")),
            shown: format!("{scheme}://{host}{rest}"),
            authorization,
            secrets,
        })
    }

    /// Where requests go.
    pub(super) fn expose(&self) -> &str {
        self.uri.expose()
    }

    /// What may be shown of it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The `Authorization` header that its user and password make.
    pub(super) const fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// What of it must not be shown.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The address below it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn join(&self, path: &str) -> Result<Self, String> {
        let mut below = Self::read(&format!("{}{path}", self.expose().trim_end_matches('/')))?;
        below.authorization.clone_from(&self.authorization);
        below.secrets.extend(self.secrets.iter().cloned());
        Ok(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_its_holder_write_is_not_shown() {
        let url = Url::read("https://me:p%40ss@hooks.example.org:8443/services/T1/x?y=z").unwrap();
        assert_eq!(url.shown(), "https://hooks.example.org:8443/…");
        assert_eq!(
            url.expose(),
            "https://hooks.example.org:8443/services/T1/x?y=z"
        );
        // echo -n 'me:p@ss' | base64
        assert_eq!(url.authorization().unwrap().expose(), "Basic bWU6cEBzcw==");
        let debug = format!("{url:?}");
        assert!(
            !debug.contains("services") && !debug.contains("ss@"),
            "{debug}"
        );
        assert_eq!(
            Url::read("http://[::1]:8080").unwrap().shown(),
            "http://[::1]:8080"
        );
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for text in [
            "",
            "hooks.example.org/a",
            "ftp://a/b",
            "https://",
            "http:///x",
            "http://a:b/",
        ] {
            assert!(Url::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_below_keeps_its_user() {
        let base = Url::read("http://u:p@127.0.0.1:9/").unwrap();
        let below = base.join("/v2/enqueue").unwrap();
        assert_eq!(below.expose(), "http://127.0.0.1:9/v2/enqueue");
        assert!(below.authorization().is_some());
    }
}

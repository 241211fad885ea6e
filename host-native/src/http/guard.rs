//! Who may ask: the Host and Origin allow-lists, the bearer token, and the headers of every answer.
//!
//! A page on another site can make a browser send requests here, and can point its own name at this
//! machine (DNS rebinding); neither can set the token, but nothing should depend on one wall.

use crate::{
    config::WebOrigin,
    http::{Api, Local, connection::Connection, problem::Problem, within_patience},
    links::{count, ws},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use subtle::ConstantTimeEq;

/// The policy of pages: only what we serve ourselves, no inline script, no frames. The one trusted type
/// is the URL of the worker (docs/web-api.md).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; \
    manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types sporenet";
/// The policy of scripts: a worker takes its own, and the node in it links to several relays.
const WORKER_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    connect-src 'self' ws: wss:";
/// The policy of everything that is no part of the console: nothing at all.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// The ports that browsers leave out.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Which hosts requests may address, and which pages may make them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostRules {
    /// Our own names, reached on the port that a connection came in on.
    own: BTreeSet<String>,
    /// `host:port`, or `host` for any port.
    allowed: BTreeSet<String>,
    /// Other pages.
    origins: BTreeSet<WebOrigin>,
}

impl HostRules {
    /// Rules that know the loopback names and `own` names and addresses (without port); `allowed`
    /// are `host` or `host:port`.
    pub(crate) fn new(
        own: impl IntoIterator<Item = String>,
        allowed: impl IntoIterator<Item = String>,
        origins: impl IntoIterator<Item = WebOrigin>,
    ) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let normal = |host: String| match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
            Ok(IpAddr::V4(_)) | Err(_) => host.to_ascii_lowercase(),
        };
        Self {
            own: loopback.into_iter().chain(own).map(normal).collect(),
            allowed: allowed.into_iter().map(normal).collect(),
            origins: origins.into_iter().collect(),
        }
    }

    /// Whether a request may address `host` (a Host header's value) on a connection that came in on
    /// `local`.
    pub(crate) fn allows_host(&self, host: &str, local: Option<SocketAddr>) -> bool {
        let Some((name, port)) = split_host(host) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        // Without a port it is the scheme's, and a proxy may have taken TLS off.
        let is_meant = |wanted: u16| {
            port.map_or_else(|| DEFAULT_PORTS.contains(&wanted), |port| port == wanted)
        };
        let is_own = local.is_some_and(|local| {
            is_meant(local.port())
                && (self.own.contains(&name)
                    || name.trim_matches(['[', ']']).parse() == Ok(local.ip()))
        });
        let is_allowed = |port: u16| self.allowed.contains(&format!("{name}:{port}"));
        let is_named = match port {
            Some(port) => is_allowed(port),
            None => DEFAULT_PORTS.into_iter().any(is_allowed),
        };
        is_own || is_named || self.allowed.contains(&name)
    }

    /// Whether a page of `origin` may use this node, when it addresses it as `host`.
    pub(crate) fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let Ok(origin) = origin.parse::<WebOrigin>() else {
            return false;
        };
        let own = ["http", "https"]
            .iter()
            .any(|scheme| format!("{scheme}://{host}").parse() == Ok(origin.clone()));
        own || self.origins.contains(&origin)
    }
}

/// Splits `host:port`, `[v6]:port` or `host`; `None` when it is neither.
fn split_host(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        Some(_) | None => (text, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plausible = !host.is_empty() && (bracketed || !host.contains([':', '[', ']', '@', '/']));
    plausible.then_some((host, port))
}

/// Whether a page served by the relay at `address` has this origin. Loopback names are one place.
fn is_page_of(origin: &str, host: &str, port: u16) -> bool {
    let Ok(page) = origin.parse::<WebOrigin>() else {
        return false;
    };
    let default = if page.as_str().starts_with("https://") {
        443
    } else {
        80
    };
    split_host(page.authority()).is_some_and(|(name, named_port)| {
        named_port.unwrap_or(default) == port
            && (name.eq_ignore_ascii_case(host) || (is_loopback(name) && is_loopback(host)))
    })
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Whether a request bears the token; takes the same time however much of it is right.
fn bears_token(headers: &HeaderMap, token: &str) -> bool {
    let offered = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_first_chunk::<7>())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map_or(b"".as_slice(), |(_, token)| token);
    offered.ct_eq(token.as_bytes()).into()
}

/// Whether a path wants the token: everything but probes, the console's files and links, which prove
/// who they are themselves.
fn wants_token(path: &str) -> bool {
    path == "/metrics" || path == "/api" || path.starts_with("/api/")
}

/// Checks a request and completes its answer.
pub(crate) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    count(&api.links.counters.requests);
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut response = match check(&api, &parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => {
            count(&api.links.counters.requests_refused);
            problem.into_response()
        }
    };
    complete(&path, response.headers_mut());
    response
}

async fn check(api: &Api, request: &Parts) -> Result<(), Problem> {
    let headers = &request.headers;
    let forbidden = |code, detail: &str| Problem::new(StatusCode::FORBIDDEN, code, detail);
    let local = request.extensions.get::<Local>().map(|local| local.0);
    let host = only(headers, &header::HOST)
        .filter(|host| api.hosts.allows_host(host, local))
        .ok_or_else(|| {
            forbidden(
                "foreign_host",
                "The request is addressed to a host name that is not this node's; add it to \
                 `allowed_hosts` if it is.",
            )
        })?;
    let is_link = request.uri.path() == ws::PATH || headers.contains_key(header::UPGRADE);
    if headers.contains_key(header::ORIGIN) {
        let origin = only(headers, &header::ORIGIN).unwrap_or("null");
        let allowed = api.hosts.allows_origin(origin, host)
            || (is_link && is_of_a_member(api, origin).await?);
        if !allowed {
            return Err(forbidden(
                "foreign_origin",
                "The request comes from a page that is not this node's; add its origin to \
                 `allowed_origins` if it may.",
            ));
        }
    }
    if bears_token(headers, &api.token) {
        if let Some(connection) = request.extensions.get::<Arc<Connection>>() {
            connection.trust()?;
        }
    } else if wants_token(request.uri.path()) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token_wanted",
            "This path wants `Authorization: Bearer …` with the token from `api.token` in the data \
             directory.",
        ));
    }
    Ok(())
}

/// The value of a header that must be there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a page was served by another relay of the mesh: its tabs link to us too. A node that ended right after
/// it was let in knows the relays of its join link only, and not yet as members.
async fn is_of_a_member(api: &Api, origin: &str) -> Result<bool, Problem> {
    let origin = origin.to_owned();
    within_patience(api.core().ask(move |node, now| {
        let members = node.members(now);
        let known = members.iter().flat_map(|member| &member.addresses);
        known
            .chain(node.entries())
            .any(|address| is_page_of(&origin, address.host(), address.port()))
    }))
    .await
}

fn complete(path: &str, headers: &mut HeaderMap) {
    let html = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let is_data = wants_token(path) || path.ends_with('z');
    let policy = match (html, is_data) {
        (true, _) => PAGE_POLICY,
        (false, false) => WORKER_POLICY,
        (false, true) => DATA_POLICY,
    };
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    );
    if is_data {
        set(header::CACHE_CONTROL, "no-store");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> HostRules {
        HostRules::new(
            ["10.0.0.7".to_owned(), "fd00::1".to_owned()],
            [
                "Relay.example.org".to_owned(),
                "proxy.example:8443".to_owned(),
            ],
            ["https://Console.example.org:443/".parse().unwrap()],
        )
    }

    fn local(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn only_our_own_host_names_are_answered() {
        let rules = rules();
        for host in [
            "127.0.0.1:7600",
            "LOCALHOST:7600",
            "[::1]:7600",
            "10.0.0.7:7600",
            "[fd00::1]:7600",
            "relay.example.org",
            "relay.example.org:8080",
            "proxy.example:8443",
        ] {
            assert!(rules.allows_host(host, local("127.0.0.1:7600")), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7600",
            "127.0.0.1.evil.example:7600",
            "relay.example.org.evil.example",
            "evil.example:7600:7600",
            "localhost@evil.example",
            "localhost",
            "localhost:1",
            "10.0.0.8:7600",
            "localhost:port",
            "localhost:99999",
            "proxy.example",
            "proxy.example:7600",
        ] {
            assert!(!rules.allows_host(host, local("127.0.0.1:7600")), "{host}");
        }
        assert!(rules.allows_host("localhost", local("127.0.0.1:80")));
        assert!(rules.allows_host("localhost", local("127.0.0.1:443")));
    }

    #[test]
    fn a_port_that_browsers_leave_out_makes_no_difference() {
        let rules = HostRules::new([], ["relay.example.org:443".to_owned()], []);
        for host in ["relay.example.org", "relay.example.org:443"] {
            assert!(rules.allows_host(host, local("127.0.0.1:7600")), "{host}");
            for origin in ["https://relay.example.org", "https://relay.example.org:443"] {
                assert!(rules.allows_origin(origin, host), "{origin} {host}");
            }
        }
        assert!(!rules.allows_host("relay.example.org:444", local("127.0.0.1:7600")));
        assert!(!rules.allows_origin("https://relay.example.org:444", "relay.example.org"));
        assert!(!rules.allows_origin("http://relay.example.org:443", "relay.example.org"));
    }

    #[test]
    fn the_address_that_a_connection_came_in_on_is_ours() {
        let local = local("192.168.1.5:7600");
        assert!(rules().allows_host("192.168.1.5:7600", local));
        assert!(!rules().allows_host("192.168.1.6:7600", local));
        assert!(!rules().allows_host("192.168.1.5:7600", None));
    }

    #[test]
    fn only_our_own_page_and_listed_ones_may_change_things() {
        let rules = rules();
        assert!(rules.allows_origin("http://127.0.0.1:7600", "127.0.0.1:7600"));
        assert!(rules.allows_origin("https://relay.example.org", "relay.example.org"));
        assert!(rules.allows_origin("https://console.example.org", "127.0.0.1:7600"));
        for origin in [
            "null",
            "",
            "http://127.0.0.1:7601",
            "http://127.0.0.1:76001",
            "http://evil.example",
            "http://127.0.0.1:7600.evil.example",
            "https://console.example.org.evil.example",
            "file://127.0.0.1:7600",
        ] {
            assert!(!rules.allows_origin(origin, "127.0.0.1:7600"), "{origin}");
        }
    }

    #[test]
    fn a_page_of_another_relay_is_known_by_host_and_port() {
        assert!(is_page_of("http://127.0.0.1:7601", "127.0.0.1", 7601));
        assert!(is_page_of("http://localhost:7601", "127.0.0.1", 7601));
        assert!(is_page_of(
            "https://relay.example.org",
            "relay.example.org",
            443
        ));
        assert!(!is_page_of("http://localhost:7602", "127.0.0.1", 7601));
        assert!(!is_page_of(
            "http://127.0.0.1.evil.example:7601",
            "127.0.0.1",
            7601
        ));
        assert!(!is_page_of("null", "127.0.0.1", 7601));
    }

    #[test]
    fn a_token_is_right_as_a_whole_or_not_at_all() {
        let bearing = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            bears_token(&headers, "abcdef")
        };
        assert!(bearing("Bearer abcdef"));
        assert!(bearing("bearer abcdef"));
        assert!(!bearing("Bearer abcde"));
        assert!(!bearing("Bearer abcdefg"));
        assert!(!bearing("Basic abcdef"));
        assert!(!bearing("Bearer "));
        assert!(!bears_token(&HeaderMap::new(), "abcdef"));
    }

    #[test]
    fn probes_and_pages_want_no_token_but_metrics_and_data_do() {
        for path in ["/livez", "/readyz", "/", "/app.js", "/link"] {
            assert!(!wants_token(path), "{path}");
        }
        for path in ["/metrics", "/api/v1/status", "/api", "/api/"] {
            assert!(wants_token(path), "{path}");
        }
    }
}

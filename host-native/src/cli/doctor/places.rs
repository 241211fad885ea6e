//! The announced addresses: who answers there when asked from this machine, what gets lost on the way, and
//! whether other relays reach them.

use super::{Finding, Level};
use crate::{
    cli::{
        client::{Client, Method},
        connect,
    },
    http::{
        arrival::{Arrival, Fresh},
        reach::Found,
    },
};
use sporenet_core::{
    kernel::address::{Address, Transport},
    node::snapshot::Member,
};
use std::{path::PathBuf, time::Duration};
use ureq::{Agent, Body, http::Response};

/// What linked relays found when they dialled this node.
pub(super) fn reached(client: &Client) -> Vec<Finding> {
    const CHECK: &str = "reached";
    let found: Vec<Found> = match client.json(Method::Post(b""), "/api/v1/reach") {
        Ok(found) => found,
        Err(failure) => return vec![Finding::failed(CHECK, &failure)],
    };
    if found.is_empty() {
        let found = "no other relay is linked that could say whether it reaches this node";
        return vec![Finding::ok(CHECK, found)];
    }
    let look = |found: Found| {
        let name = found.name;
        let place = found.address.map(|address| address.to_string());
        let reason = found.reason.unwrap_or_default();
        match (place, found.reached) {
            (Some(place), true) => Finding::ok(CHECK, format!("{name} reaches {place}")),
            (Some(place), false) => Finding::new(
                CHECK,
                Level::Attention,
                format!("{name} does not reach {place}: {reason}"),
                "open the port in firewalls and routers between, or announce an address that others \
                 reach with --advertise",
            ),
            (None, _) => Finding::new(
                CHECK,
                Level::Attention,
                format!("{name} was asked to dial back: {reason}"),
                "ask again; if it stays so, run `sporenet doctor` there",
            ),
        }
    };
    found.into_iter().map(look).collect()
}

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name of the check.
const CHECK: &str = "address";

/// One finding for each announced address, and one for each thing that a proxy drops.
pub(super) fn findings(client: &Client, tls_ca: &[PathBuf]) -> Vec<Finding> {
    let asked = client
        .json::<Vec<Member>>(Method::Get, "/api/v1/members")
        .and_then(|members| {
            let word: Fresh = client.json(Method::Post(b""), "/api/v1/arrival")?;
            Ok((members, word.word))
        });
    let (members, word) = match asked {
        Ok(asked) => asked,
        Err(failure) => return vec![Finding::failed(CHECK, &failure)],
    };
    let own = members.into_iter().find(|member| member.this_node);
    let addresses = own.map(|member| member.addresses).unwrap_or_default();
    if addresses.is_empty() {
        return vec![Finding::new(
            CHECK,
            Level::Attention,
            "the node announces no address",
            "name one with --advertise, so that others can link to it",
        )];
    }
    addresses
        .iter()
        .flat_map(|address| look(address, &word, tls_ca))
        .collect()
}

fn look(address: &Address, word: &str, tls_ca: &[PathBuf]) -> Vec<Finding> {
    let is_tls = address.transport() == Transport::Wss;
    let scheme = if is_tls { "https" } else { "http" };
    let origin = format!("{scheme}://{}", address.authority());
    let agent = match connect::agent(&origin, tls_ca) {
        Ok(agent) => agent,
        Err(failure) => return vec![Finding::failed(CHECK, &failure)],
    };
    let url = format!("{origin}{}/arrival/{word}", address.path());
    let mut response = match ask(&agent, &origin, &url) {
        Ok(response) => response,
        Err(error) => {
            let why = connect::untrusted(&error).unwrap_or_else(|| error.to_string());
            return vec![Finding::new(
                CHECK,
                Level::Attention,
                format!("{address} can't be reached from this machine: {why}"),
                "check the name, the port and firewalls; announce another with --advertise",
            )];
        }
    };
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().unwrap_or_default();
    if status == 200
        && let Ok(arrival) = serde_json::from_slice::<Arrival>(&body)
    {
        let mut findings = vec![Finding::ok(
            CHECK,
            format!("this node answers at {address}"),
        )];
        let missing = arrival.missing.iter();
        findings.extend(missing.map(|name| dropped(address, name)));
        return findings;
    }
    vec![misled(address, status)]
}

/// Asks as tabs, streams and the command line do, but with a token that counts for nothing.
fn ask(agent: &Agent, origin: &str, url: &str) -> Result<Response<Body>, ureq::Error> {
    agent
        .get(url)
        .config()
        .timeout_global(Some(PATIENCE))
        .build()
        .header("Authorization", "Bearer none")
        .header("Last-Event-ID", "0")
        .header("Origin", origin)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Accept-Encoding", "identity")
        .call()
}

/// Something answered, but not as this node does.
fn misled(address: &Address, status: u16) -> Finding {
    let (found, next) = match status {
        403 => (
            format!("this node answers at {address}, but refuses that host name or origin"),
            "add it with --allowed-host and --allowed-origin, and let the proxy pass `Host` on",
        ),
        502..=504 => (
            format!("a proxy answers at {address}, but does not reach this node"),
            "see that the proxy's upstream is one of the addresses that the node listens on",
        ),
        301 | 302 | 307 | 308 => (
            format!("{address} sends clients elsewhere"),
            "announce the address that it redirects to",
        ),
        _ => (
            format!("something else, or another node, answers at {address} (HTTP {status})"),
            "see who listens there; announce another address with --advertise",
        ),
    };
    Finding::new(CHECK, Level::Broken, found, next)
}

/// A header that did not arrive.
fn dropped(address: &Address, name: &str) -> Finding {
    let (level, hurts, next) = match name {
        "upgrade" => (
            Level::Broken,
            "no WebSocket gets through: tabs can't link",
            "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header \
             Connection \"upgrade\"",
        ),
        "authorization" => (
            Level::Broken,
            "the API and /metrics can't be used",
            "let the proxy pass `Authorization` on",
        ),
        "last-event-id" => (
            Level::Attention,
            "streams start anew after each reconnect",
            "let the proxy pass `Last-Event-ID` on",
        ),
        "origin" => (
            Level::Attention,
            "pages of others can't be told from ours",
            "let the proxy pass `Origin` on",
        ),
        _ => (
            Level::Attention,
            "what depends on it does not work",
            "let the proxy pass it on",
        ),
    };
    let found = format!("a proxy before {address} drops `{name}`: {hurts}");
    Finding::new("proxy", level, found, next)
}

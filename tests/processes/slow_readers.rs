//! Clients that ask and never read: cut off, counted, and nobody else waits for them.

use sporenet_tests::{http, relay::Relay, wait};
use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    time::Duration,
};

/// How many come at once: more than there are places.
const CLIENTS: usize = 800;
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a stranger may take no bytes.
const STRANGER: Duration = Duration::from_secs(10);
/// How long who has the token may take none.
const HOLDER: Duration = Duration::from_secs(30);

/// A client that asks for `path` again and again, and reads nothing.
struct Deaf {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
}

impl Deaf {
    fn connect(relay: &Relay, path: &str, header: &str) -> Self {
        let stream = TcpStream::connect(relay.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{header}\r\n",
            relay.address
        );
        Self {
            stream,
            request: request.into_bytes(),
            sent: 0,
        }
    }

    /// Asks once.
    fn ask(&mut self) {
        // It is less than any socket takes at once.
        let sent = self.stream.write(&self.request);
        assert_eq!(sent.unwrap_or_default(), self.request.len());
    }

    /// Sends what the relay takes; answers whether the relay has closed the connection.
    fn push(&mut self) -> bool {
        loop {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(sent) => self.sent = (self.sent + sent) % self.request.len(),
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

#[test]
fn strangers_who_never_read_hold_up_neither_probes_nor_who_has_the_token() {
    let relay = Relay::found("alone");
    let mut deaf: Vec<Deaf> = Vec::new();
    wait::until("a stranger gives way", PATIENCE, || {
        // All anew each time: on a slow machine the first may have been cut off before the last came.
        deaf.clear();
        for _ in 0..CLIENTS {
            let mut client = Deaf::connect(&relay, "/", "");
            client.ask();
            deaf.push(client);
            // Few at once: how many may not yet have said anything is bounded too.
            if deaf.len().is_multiple_of(64) {
                let probe = http::request(relay.address, "GET", "/livez", &[], b"").unwrap();
                assert_eq!(probe.status, 200);
            }
        }
        relay.metric("sporenet_http_connections_displaced_total") > 0
    });
    for _ in 0..20 {
        let probe = http::request(relay.address, "GET", "/livez", &[], b"").unwrap();
        assert_eq!(probe.status, 200);
        relay.put("app", "key", "value", "local").unwrap();
        deaf.iter_mut().for_each(|client| {
            let _ = client.push();
        });
    }
    wait::promised("strangers who never read are gone", STRANGER, || {
        deaf.retain_mut(|client| !client.push());
        if deaf.is_empty() {
            Ok(())
        } else {
            Err(deaf.len())
        }
    });
    assert!(relay.metric("sporenet_http_connections_stalled_total") > 0);
}

#[test]
fn who_has_the_token_and_never_reads_is_cut_off_too() {
    let relay = Relay::found("alone");
    let value = "v".repeat(256 * 1024);
    for number in 0..100 {
        relay
            .put("app", &format!("key-{number}"), &value, "local")
            .unwrap();
    }
    let bearer = format!("Authorization: Bearer {}\r\n", relay.token());
    let paths = [
        "/api/v1/kv/app?format=ndjson",
        "/api/v1/kv/app/watch?initial=1",
    ];
    let mut deaf: Vec<Deaf> = paths
        .iter()
        .map(|path| Deaf::connect(&relay, path, &bearer))
        .collect();
    // One request each: what comes back is larger than all buffers between.
    for client in &mut deaf {
        client.stream.write_all(&client.request).unwrap();
    }
    wait::promised("who never reads is cut off", HOLDER, || {
        let stalled = relay.metric("sporenet_http_connections_stalled_total");
        if stalled == deaf.len() as u64 {
            Ok(())
        } else {
            Err(stalled)
        }
    });
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let relay = Relay::found("alone");
    let mut idle = Deaf::connect(&relay, "/livez", "");
    idle.stream.write_all(&idle.request).unwrap();
    idle.stream.set_nonblocking(false).unwrap();
    idle.stream
        .set_read_timeout(Some(STRANGER * wait::PATIENCE))
        .unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut idle.stream, &mut all).unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200"), "answered, then closed");
}

#[test]
fn who_says_nothing_holds_up_no_probe() {
    let relay = Relay::found("alone");
    // More than may be silent at once: without the relay's word they are open for 3 s.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.extend((0..300).map(|_| TcpStream::connect(relay.address).unwrap()));
        let probe = http::request(relay.address, "GET", "/livez", &[], b"").unwrap();
        assert_eq!(probe.status, 200);
    }
    assert!(relay.metric("sporenet_connections_turned_away_total") > 0);
}

//! Relays whose paths to each other are bad: late, in pieces, damaged, silent, cut.

use sporenet_tests::{
    proxy::{End, Passage, Path, Proxy},
    relay::{Relay, free_address},
    wait,
};
use std::{collections::BTreeMap, time::Duration};

/// Two pings of a relay to a relay without an answer.
const SILENCE_NOTICED: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(90);
const RELAYS: usize = 3;

/// Relays that reach each other only through a proxy before each.
struct Mesh {
    relays: Vec<Relay>,
    proxies: Vec<Proxy>,
    /// What was written so far.
    written: BTreeMap<String, String>,
}

impl Mesh {
    /// Relays that announce themselves for links over this transport.
    fn over(transport: &str, path: Path) -> Self {
        let mut mesh = Self {
            relays: Vec::new(),
            proxies: Vec::new(),
            written: BTreeMap::new(),
        };
        for number in 1..=RELAYS {
            let address = free_address();
            let proxy = Proxy::before(address);
            proxy.set(path);
            let mut arguments = vec![format!("--advertise={transport}://{}", proxy.address)];
            if let Some(founder) = mesh.relays.first() {
                arguments.push(format!("--join={}", founder.invite(&[]).relay));
            }
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut relay = Relay::prepare(&format!("relay-{number}"), &arguments);
            relay.address = address;
            relay.start();
            mesh.relays.push(relay);
            mesh.proxies.push(proxy);
        }
        mesh.is_whole();
        mesh
    }

    fn set_passage(&self, passage: Passage) {
        for proxy in &self.proxies {
            proxy.set_passage(passage);
        }
    }

    fn accepted(&self) -> u64 {
        self.proxies.iter().map(Proxy::accepted).sum()
    }

    fn sum(&self, metric: &str) -> u64 {
        self.relays.iter().map(|relay| relay.metric(metric)).sum()
    }

    /// The proxies that somebody dialled.
    fn used(&self) -> Vec<&Proxy> {
        self.proxies
            .iter()
            .filter(|proxy| proxy.live() > 0)
            .collect()
    }

    /// Writes a key of its own at each relay.
    fn write(&mut self, what: &str, ack: &str) {
        for relay in &self.relays {
            let (key, value) = (format!("{what} at {}", relay.name), relay.name.clone());
            relay.put("app", &key, &value, ack).unwrap();
            self.written.insert(key, value);
        }
    }

    /// Waits until each relay takes all for alive.
    fn is_whole(&self) {
        wait::eventually("all relays take all for alive", PATIENCE, || {
            let seen: Vec<_> = self
                .relays
                .iter()
                .map(|relay| relay.names("alive").len())
                .collect();
            if seen == [RELAYS; RELAYS] {
                Ok(())
            } else {
                Err(seen)
            }
        });
    }

    /// Waits until each relay has a link to each other one.
    fn is_linked(&self) {
        wait::eventually("all relays are linked", PATIENCE, || {
            let links: Vec<_> = self
                .relays
                .iter()
                .map(|relay| relay.metric("sporenet_links"))
                .collect();
            if links == [RELAYS as u64 - 1; RELAYS] {
                Ok(())
            } else {
                Err(links)
            }
        });
    }

    /// Waits until each relay holds what was written, and checks that it holds nothing else.
    fn agrees(&self) {
        for relay in &self.relays {
            wait::eventually("everything is everywhere", PATIENCE, || {
                let missing = self.written.len() - relay.keys("app").len();
                if missing == 0 { Ok(()) } else { Err(missing) }
            });
            for (key, value) in &self.written {
                assert_eq!(relay.value("app", key).as_ref(), Some(value), "{key}");
                assert_eq!(relay.conflicts("app", key), [""; 0], "{key}");
            }
        }
    }
}

#[test]
fn relays_meet_and_agree_over_a_path_of_single_late_bytes() {
    in_single_late_bytes("tcp");
}

#[test]
fn relays_meet_and_agree_over_websockets_of_single_late_bytes() {
    in_single_late_bytes("ws");
}

fn in_single_late_bytes(transport: &str) {
    let late = Path {
        delay: Duration::from_millis(30),
        slice_bytes: 1,
        ..Path::default()
    };
    let mut mesh = Mesh::over(transport, late);
    for round in 0..5 {
        mesh.write(&format!("round {round}"), "relay");
    }
    mesh.agrees();
    let slow = Path {
        bytes_per_second: 100_000,
        ..Path::default()
    };
    mesh.proxies.iter().for_each(|proxy| proxy.set(slow));
    let large = "v".repeat(100_000);
    mesh.relays[0].put("app", "large", &large, "relay").unwrap();
    mesh.written.insert("large".to_owned(), large);
    mesh.agrees();
    assert_eq!(mesh.sum("sporenet_links_silent_total"), 0);
}

#[test]
fn a_flipped_bit_ends_the_session_and_nothing_false_is_taken() {
    with_flipped_bits("tcp");
}

#[test]
fn a_flipped_bit_ends_the_session_over_a_websocket_too() {
    with_flipped_bits("ws");
}

fn with_flipped_bits(transport: &str) {
    let mut mesh = Mesh::over(transport, Path::default());
    mesh.write("before", "relay");
    for round in 0..6 {
        mesh.is_linked();
        let (used, accepted) = (mesh.used(), mesh.accepted());
        let flipped: u64 = used.iter().map(|proxy| proxy.flipped()).sum();
        used.iter().for_each(|proxy| proxy.flip());
        let wanted = flipped + used.len() as u64;
        mesh.write(&format!("round {round}"), "local");
        wait::eventually("the link is replaced", PATIENCE, || {
            let flipped: u64 = mesh.proxies.iter().map(Proxy::flipped).sum();
            let damaged: usize = mesh.proxies.iter().map(Proxy::damaged).sum();
            let dialled = mesh.accepted() - accepted;
            if flipped >= wanted && damaged == 0 && dialled > 0 {
                Ok(())
            } else {
                Err((wanted - flipped, damaged, dialled))
            }
        });
    }
    mesh.is_whole();
    mesh.agrees();
}

#[test]
fn a_half_open_link_is_noticed_and_replaced() {
    let mut mesh = Mesh::over("tcp", Path::default());
    mesh.write("before", "relay");
    mesh.set_passage(Passage::HalfOpen);
    let silent = || mesh.sum("sporenet_links_silent_total");
    wait::promised("half-open links are closed", SILENCE_NOTICED, || {
        let links = mesh.sum("sporenet_links");
        if links == 0 { Ok(()) } else { Err(links) }
    });
    println!("figure: {} links were closed as silent", silent());
    assert!(silent() > 0);
    mesh.write("during", "local");
    mesh.set_passage(Passage::Open);
    mesh.is_whole();
    mesh.agrees();
}

#[test]
fn values_written_on_all_sides_of_a_cut_meet_when_it_heals() {
    let mut mesh = Mesh::over("tcp", Path::default());
    mesh.write("before", "relay");
    for (round, how) in [Some(End::Reset), Some(End::Finish), None]
        .into_iter()
        .enumerate()
    {
        match how {
            Some(end) => {
                mesh.set_passage(Passage::Cut);
                for proxy in &mesh.proxies {
                    proxy.end_all(end);
                }
            }
            None => mesh.set_passage(Passage::Stalled),
        }
        wait::eventually("each relay is alone", PATIENCE, || {
            let links = mesh.sum("sporenet_links");
            if links == 0 { Ok(()) } else { Err(links) }
        });
        mesh.write(&format!("cut {round}"), "local");
        mesh.set_passage(Passage::Open);
        mesh.is_whole();
        mesh.agrees();
    }
}

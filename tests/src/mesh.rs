//! Several relays of one network.

use crate::{
    relay::{Links, Relay},
    wait,
};
use std::time::Duration;

/// Relays of one network, the founder first.
#[derive(Debug)]
pub struct Mesh {
    /// The relays.
    pub relays: Vec<Relay>,
    /// The founder's unlimited invite.
    pub links: Links,
}

impl Mesh {
    /// Starts `count` relays and waits until all see all.
    #[must_use]
    pub fn of(count: usize) -> Self {
        let founder = Relay::found("relay-1");
        let links = founder.invite(&[]);
        let mut relays = vec![founder];
        for number in 2..=count {
            relays.push(Relay::join(&format!("relay-{number}"), &links.relay));
        }
        let mesh = Self { relays, links };
        mesh.all_alive(count);
        for relay in &mesh.relays {
            wait::promised("a new relay is healthy", Duration::from_secs(5), || {
                let status = relay.status();
                if status["verdict"] == "healthy" {
                    Ok(())
                } else {
                    Err(status)
                }
            });
        }
        mesh
    }

    /// Waits until every relay shows `count` living members.
    pub fn all_alive(&self, count: usize) {
        wait::promised(
            &format!("all relays list {count} alive"),
            Duration::from_secs(5),
            || {
                let seen: Vec<_> = self
                    .relays
                    .iter()
                    .map(|relay| relay.names("alive"))
                    .collect();
                if seen.iter().all(|names| names.len() == count) {
                    Ok(())
                } else {
                    Err(seen)
                }
            },
        );
    }

    /// The relays other than the one at `index`.
    pub fn others(&self, index: usize) -> impl Iterator<Item = &Relay> {
        self.relays
            .iter()
            .enumerate()
            .filter(move |(at, _)| *at != index)
            .map(|(_, relay)| relay)
    }
}

//! What a host decides about its node.

use crate::{
    kernel::{
        address::Address,
        id::Role,
        text::{Name, Zone},
    },
    membership::member::{ADDRESSES_MAX, Location},
    observe::metrics,
};
use alloc::{string::String, vec::Vec};

/// What a host decides about its node. The settings of the single machines follow from the role and
/// have defaults; each is documented at its machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Relay or tab.
    pub role: Role,
    /// The node's name, for people.
    pub name: Name,
    /// Its failure domain.
    pub zone: Option<Zone>,
    /// Where it is, for display.
    pub location: Option<Location>,
    /// Where others reach it: what a relay announces, at most 8. None for a tab.
    pub addresses: Vec<Address>,
    /// The program's version, for display.
    pub version: String,
    /// The name of the network, if this node founds one.
    pub network_name: Name,
    /// Entry points besides those of the join link and the stored members, such as the relay that
    /// served the page; at most 16 are used.
    pub entries: Vec<Address>,
    /// The most bytes of what is measured over time; 0 keeps nothing. The default is 16 MiB. Too few, and
    /// the series that is oldest and least asked for is gone.
    pub history_bytes_max: u64,
}

impl Config {
    /// A node of this role and name, with nothing else said: no zone, no location, no address, no entry
    /// point. A network that it founds bears its name.
    #[must_use]
    pub fn new(role: Role, name: Name) -> Self {
        Self {
            role,
            network_name: name.clone(),
            name,
            zone: None,
            location: None,
            addresses: Vec::new(),
            version: String::new(),
            entries: Vec::new(),
            history_bytes_max: metrics::BYTES_MAX,
        }
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// The setting that is out of range, in words.
    pub fn validate(&self) -> Result<(), String> {
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(alloc::format!(
                "at most {ADDRESSES_MAX} addresses can be announced"
            ));
        }
        if self.role == Role::Tab && !self.addresses.is_empty() {
            return Err("a tab accepts no links, so it has no address to announce".into());
        }
        let is_place = |place: &Location| {
            place.latitude.unsigned_abs() <= 90_000_000
                && place.longitude.unsigned_abs() <= 180_000_000
        };
        if self.location.as_ref().is_some_and(|place| !is_place(place)) {
            return Err("a location is a latitude up to ±90 and a longitude up to ±180".into());
        }
        Ok(())
    }
}

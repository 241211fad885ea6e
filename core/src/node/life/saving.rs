//! What the node itself stores: its identity, its network, and what it saves for the next start.
//!
//! A store that is full refuses even the first of these. What a start can't do without is then kept and
//! written again once there is room; the rest is written anew when it changes.

use crate::{
    kernel::{bytes::Bytes, crypto::encode, persist::Persist},
    node::machine::Node,
    recovery::record::Origin,
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// What a start can't do without and the store has not confirmed, by token.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::node) struct Unsaved {
    waiting: BTreeMap<u64, Value>,
    last_token: u64,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Value {
    key: String,
    value: Bytes,
    /// The store had no room for it.
    refused: bool,
}

impl Node {
    /// Stores a value of the node itself; nothing depends on when, and it is written anew when it
    /// changes.
    pub(in crate::node) fn put(&mut self, key: &str, value: &impl serde::Serialize) {
        // Token 0: nobody waits for the answer.
        self.persist(Origin::Node, Persist::put(0, key, encode(value)));
    }

    /// Stores what the next start can't do without: tried again when the store was full.
    pub(in crate::node) fn put_for_good(&mut self, key: &str, value: Bytes) {
        self.unsaved.last_token = self.unsaved.last_token.saturating_add(1);
        let token = self.unsaved.last_token;
        let kept = Value {
            key: key.into(),
            value: value.clone(),
            refused: false,
        };
        self.unsaved.waiting.insert(token, kept);
        self.persist(Origin::Node, Persist::put(token, key, value));
    }

    /// Removes an entry of the node itself.
    pub(in crate::node) fn remove(&mut self, key: &str) {
        self.persist(Origin::Node, Persist::delete(0, key));
    }

    pub(in crate::node) fn on_saved(&mut self, token: u64) {
        self.unsaved.waiting.remove(&token);
    }

    pub(in crate::node) fn on_not_saved(&mut self, token: u64) {
        if let Some(value) = self.unsaved.waiting.get_mut(&token) {
            value.refused = true;
        }
    }

    /// The store has room again: what it refused is written.
    pub(in crate::node) fn save_again(&mut self) {
        let waiting = &mut self.unsaved.waiting;
        // Taken out first: each is written under a new token, as the journal answers a token once.
        let refused = waiting.extract_if(.., |_, value| value.refused);
        let refused: Vec<Value> = refused.map(|(_, value)| value).collect();
        for Value { key, value, .. } in refused {
            self.put_for_good(&key, value);
        }
    }

    /// What the next start needs and the store has not confirmed.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.unsaved.waiting.len()
    }
}

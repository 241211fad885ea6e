//! One kind of message, far too often.

use super::peers;
use crate::{
    kernel::{
        crypto::Hash,
        id::{Incarnation, NodeId},
        rng::Rng,
        text::Namespace,
    },
    membership::{member::MemberState, swim},
    node::message::Message,
    overlay::links,
    replication::{
        batch::{SHARDS, Writer},
        log::Head,
        message::{self, Dot},
    },
    sim::{host::HostId, shell::Shell, workload::NAMESPACE, world::World},
};
use alloc::{format, vec::Vec};

/// The kinds of messages.
const KINDS: u64 = 12;
/// How many entries a message names where it may name many.
const ENTRIES: u64 = 64;

/// Says one message of a kind to one peer.
pub(super) fn flood<S: Shell>(world: &mut World<S>, host: HostId, kind: u64, rng: &mut Rng) {
    let peers = peers(world, host);
    let Some(peer) = peers.get(rng.index(peers.len())).copied() else {
        return;
    };
    let message = match kind % KINDS {
        kind @ 0..=4 => Some(about_members(kind, peer, rng)),
        kind => about_data(kind, peer, rng).map(Message::Replica),
    };
    if let Some(message) = message {
        world.say(host, peer, &message);
    }
}

fn about_members(kind: u64, peer: NodeId, rng: &mut Rng) -> Message {
    let sequence = rng.next_u64();
    match kind {
        0 => Message::Links(links::Message::Ping { nonce: sequence }),
        1 => Message::Swim(swim::Message::Ping {
            sequence,
            accusations: Vec::new(),
            rumours: Vec::new(),
        }),
        2 => Message::Swim(swim::Message::PingReq {
            sequence,
            target: [peer, stranger(rng)][rng.index(2)],
            rumours: Vec::new(),
        }),
        3 => Message::Swim(swim::Message::TableDigest { hash: hash(rng) }),
        _ => {
            let entry = |_| (stranger(rng), Incarnation(sequence), MemberState::Alive);
            let mut entries: Vec<_> = (0..ENTRIES).map(entry).collect();
            entries.sort_unstable();
            Message::Swim(swim::Message::TablePage {
                after: None,
                through: None,
                entries,
            })
        }
    }
}

fn about_data(kind: u64, peer: NodeId, rng: &mut Rng) -> Option<message::Message> {
    use message::Message;
    let shard = rng.below(u64::from(SHARDS)) as u16;
    Some(match kind {
        5 => Message::Summary {
            digests: (0..SHARDS * 8)
                .map(|_| rng.below(256) as u8)
                .collect::<Vec<_>>()
                .into(),
        },
        6 => {
            let mut heads: Vec<Head> = (0..ENTRIES).map(|_| head(rng)).collect();
            heads.sort_unstable_by_key(|head| head.writer);
            Message::Heads {
                shard,
                after: None,
                heads,
                last: true,
                answer: true,
            }
        }
        7 => Message::Fetch {
            request: rng.next_u64(),
            shard,
            wants: [(Writer::first(peer), 1)].into(),
        },
        8 => Message::Subscribe {
            namespace: namespace(rng)?,
            digest: rng.next_u64(),
            heads: Some(Vec::new()),
        },
        9 => Message::Stored {
            dots: [Dot {
                shard,
                writer: Writer::first(peer),
                sequence: rng.below(200),
            }]
            .into(),
        },
        10 => Message::NameBranches {
            shard,
            author: peer,
            roots: (0..ENTRIES).map(|root| u128::from(root) << 64).collect(),
        },
        _ => Message::Mine {
            heads: (0..ENTRIES).map(|_| (shard, head(rng))).collect(),
        },
    })
}

fn namespace(rng: &mut Rng) -> Option<Namespace> {
    let name = format!("flood-{}", rng.below(1_000));
    let name = if rng.chance(500) { NAMESPACE } else { &name };
    Namespace::new(name).ok()
}

fn stranger(rng: &mut Rng) -> NodeId {
    NodeId::from_bytes(rng.bytes32())
}

fn hash(rng: &mut Rng) -> Hash {
    Hash::from_bytes(rng.bytes32())
}

fn head(rng: &mut Rng) -> Head {
    Head {
        writer: Writer::first(stranger(rng)),
        sequence: 1 + rng.below(1_000),
        hash: hash(rng),
        forked_at: 0,
    }
}

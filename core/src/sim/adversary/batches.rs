//! Lies in signed batches, and equivocation.

use super::{peers, say_all};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Signed, Verified},
        id::NodeId,
        rng::Rng,
        text::{Key, Namespace},
        time::WallTime,
    },
    node::{Node, message::Message},
    replication::{
        batch::{
            Batch, EPOCH_LIMIT, EPOCHS_MAX, OPS_MAX, Op, VALUE_BYTES_MAX, Writer, hash_of, shard_of,
        },
        clock::Hlc,
        log::Head,
        message,
    },
    sim::{clock::WALL_START, host::HostId, shell::Shell, workload::NAMESPACE, world::World},
};
use alloc::{boxed::Box, collections::BTreeMap, format, vec, vec::Vec};

/// Keys with this prefix must never be seen anywhere: nothing that holds them may be accepted.
pub(super) const FORBIDDEN: &str = "bad/";

/// Keys with this prefix are written by liars only, in batches that are right but for what their node
/// makes of them: it keeps none and gives none again. Some are stamped far ahead: a tab whose clock is
/// fast may take them long before relays do.
pub(in crate::sim) const TOLD_ONCE: &str = "lie/";
/// Keys with this prefix are written by two-faced liars only, to be read of both branches wherever there
/// is room for them (ADR 12).
pub(in crate::sim) const TWO_FACED: &str = "two/";

/// A fork that was made: two branches of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Fork {
    /// Where.
    shard: u16,
    /// Whose.
    pub(super) writer: Writer,
    /// The hash of the last batch of each branch.
    pub(super) ends: [Hash; 2],
}

impl Fork {
    /// How far a node holds the chain.
    pub(super) fn head(&self, node: &Node) -> Head {
        node.head(self.shard, self.writer)
    }
}

/// The chains that liars have begun, each in a life of its own, so that they contradict nobody else.
#[derive(Debug, Default)]
pub(in crate::sim) struct Chains {
    lives: BTreeMap<(NodeId, u16), u32>,
    keys: u64,
}

/// The lives below are the honest part's own.
const FIRST_LIFE: u32 = 8;

impl Chains {
    /// A sound first batch of a new chain; `None` when all lives are used up.
    fn begin(&mut self, node: &Node, prefix: &str, stamp: Hlc) -> Option<Batch> {
        self.keys += 1;
        let namespace = Namespace::new(NAMESPACE).ok()?;
        let key = Key::new(&format!("{prefix}{}", self.keys)).ok()?;
        let shard = shard_of(&namespace, &key);
        let life = self.lives.entry((node.id(), shard)).or_insert(FIRST_LIFE);
        *life += 1;
        if *life >= EPOCHS_MAX {
            return None;
        }
        Some(Batch {
            shard,
            author: node.id(),
            epoch: *life,
            sequence: 1,
            previous: Hash::ZERO,
            namespace,
            namespace_previous: 0,
            reissue: None,
            ops: vec![op(key, stamp, "lie")],
            closed: 0,
        })
    }

    /// Signs a write of another time: a little, much or infinitely ahead or behind.
    pub(super) fn stamp<S: Shell>(&mut self, world: &mut World<S>, host: HostId, rng: &mut Rng) {
        let wall = wall(world);
        let seconds = [30, 59, 61, 3_600, 315_360_000, u64::MAX / 1_000][rng.index(6)];
        let millis = if rng.chance(700) {
            wall.saturating_add(seconds.saturating_mul(1_000))
        } else {
            wall.saturating_sub(seconds.saturating_mul(1_000)).max(1)
        };
        let counter = [0, u32::MAX][rng.index(2)];
        self.tell(world, host, TOLD_ONCE, Hlc { millis, counter }, |_| {});
    }

    /// Signs what no batch may be, or says a sound one many times over.
    pub(super) fn oversize<S: Shell>(&mut self, world: &mut World<S>, host: HostId, rng: &mut Rng) {
        let stamp = now(world);
        let kind = rng.below(9);
        let prefix = if kind == 8 { TOLD_ONCE } else { FORBIDDEN };
        if kind == 8 {
            let Some(node) = world.node(host) else {
                return;
            };
            let Some(batch) = self.begin(node, prefix, stamp) else {
                return;
            };
            let batches = vec![seal(node, batch); 40];
            let request = rng.next_u64();
            let message = Message::Replica(message::Message::Batches { request, batches });
            let listeners = peers(world, host);
            say_all(world, host, &listeners, &message);
            return;
        }
        self.tell(world, host, prefix, stamp, |batch| spoil(batch, kind));
    }

    /// Signs batches in another member's name.
    pub(super) fn forge<S: Shell>(&mut self, world: &mut World<S>, host: HostId, rng: &mut Rng) {
        let stamp = now(world);
        // A twin has the same name: that is no other's.
        let own = world.id(host);
        let others: Vec<NodeId> = world
            .hosts()
            .filter_map(|other| world.id(other))
            .filter(|other| Some(*other) != own)
            .collect();
        let Some(victim) = others.get(rng.index(others.len())).copied() else {
            return;
        };
        self.tell(world, host, FORBIDDEN, stamp, |batch| batch.author = victim);
    }

    fn tell<S: Shell>(
        &mut self,
        world: &mut World<S>,
        host: HostId,
        prefix: &str,
        stamp: Hlc,
        change: impl FnOnce(&mut Batch),
    ) {
        let Some(node) = world.node(host) else {
            return;
        };
        let Some(mut batch) = self.begin(node, prefix, stamp) else {
            return;
        };
        change(&mut batch);
        let message = push(seal(node, batch));
        let listeners = peers(world, host);
        say_all(world, host, &listeners, &message);
    }

    /// Signs two batches with one sequence and tells one half of its peers the one, the other half the
    /// other; before them a few that all hear.
    pub(super) fn equivocate<S: Shell>(
        &mut self,
        world: &mut World<S>,
        host: HostId,
        rng: &mut Rng,
    ) -> Option<Fork> {
        let stamp = now(world);
        let node = world.node(host)?;
        let first = self.begin(node, TWO_FACED, stamp)?;
        let mut listeners = peers(world, host);
        rng.shuffle(&mut listeners);
        let shared = rng.below(3);
        let mut common: Vec<Signed<Batch>> = Vec::new();
        for _ in 0..shared {
            common.push(seal(node, next(&first, common.last(), "common")));
        }
        let ends = ["one", "two"].map(|value| seal(node, next(&first, common.last(), value)));
        let half = listeners.len() / 2;
        let (one, two) = listeners.split_at(half);
        for batch in common {
            say_all(world, host, &listeners, &push(batch));
        }
        for (half, batch) in [one, two].into_iter().zip(&ends) {
            say_all(world, host, half, &push(batch.clone()));
        }
        Some(Fork {
            shard: first.shard,
            writer: first.writer(),
            ends: ends.map(|batch| hash_of(&batch)),
        })
    }
}

/// The batch after `last` in the chain that begins with `first`'s place.
fn next(first: &Batch, last: Option<&Signed<Batch>>, value: &str) -> Batch {
    let mut batch = first.clone();
    if let Some(last) = last {
        let claims = last.claims();
        batch.sequence = claims.sequence + 1;
        batch.namespace_previous = claims.sequence;
        batch.previous = hash_of(last);
    }
    for op in &mut batch.ops {
        op.stamp.counter += batch.sequence as u32;
        op.value = Some(Bytes::from(value.as_bytes()));
    }
    batch
}

fn op(key: Key, stamp: Hlc, value: &str) -> Op {
    let value = Some(Bytes::from(value.as_bytes()));
    let seen = Vec::new();
    Op {
        key,
        stamp,
        value,
        seen,
    }
}

/// Makes of a sound batch one that no honest node signs.
fn spoil(batch: &mut Batch, kind: u64) {
    let op = batch.ops.first().cloned();
    match (kind, op) {
        (0, Some(op)) => batch.ops = rising(&op, OPS_MAX + 1),
        (1, Some(mut op)) => {
            op.value = Some(vec![7; VALUE_BYTES_MAX + 1].into());
            batch.ops = vec![op];
        }
        (2, Some(mut op)) => {
            op.value = Some(vec![7; VALUE_BYTES_MAX / 4].into());
            batch.ops = rising(&op, 7);
        }
        (3, Some(op)) => batch.ops = vec![op.clone(), op],
        (4, _) => batch.shard ^= 1,
        (5, _) => batch.sequence = 0,
        (6, _) => batch.namespace_previous = u64::MAX,
        (7, _) => batch.epoch = EPOCH_LIMIT,
        (_, _) => batch.ops.clear(),
    }
}

fn rising(op: &Op, count: usize) -> Vec<Op> {
    let mut stamp = op.stamp;
    let each = (0..count).map(|_| {
        stamp = stamp.next();
        Op {
            stamp,
            ..op.clone()
        }
    });
    each.collect()
}

fn seal(node: &Node, batch: Batch) -> Signed<Batch> {
    Verified::seal(batch, node.keypair(), node.network()).to_signed()
}

fn push(batch: Signed<Batch>) -> Message {
    let (batch, told) = (Box::new(batch), Vec::new());
    Message::Replica(message::Message::Push { batch, told })
}

fn wall<S: Shell>(world: &World<S>) -> u64 {
    WallTime::as_millis(WALL_START.plus(world.now().since(crate::kernel::time::Time::ZERO)))
}

fn now<S: Shell>(world: &World<S>) -> Hlc {
    let millis = wall(world);
    Hlc { millis, counter: 0 }
}

//! Lies about members.

use super::{peers, say_all};
use crate::{
    kernel::{
        crypto::{Signed, SignedBody, Verified},
        id::{Incarnation, NodeId, Role},
        rng::Rng,
    },
    membership::{
        dissemination::Rumour,
        member::{Accusation, Evidence, Lease, MemberRecord, MemberState, Standing},
        swim::{self, TableEntry},
    },
    node::{Node, message::Message},
    sim::{host::HostId, shell::Shell, world::World},
};
use alloc::{vec, vec::Vec};

fn seal<T: SignedBody>(node: &Node, body: T) -> Signed<T> {
    Verified::seal(body, node.keypair(), node.network()).to_signed()
}

fn gossip(rumours: Vec<Rumour>) -> Message {
    Message::Swim(swim::Message::Gossip { rumours })
}

/// Accuses one living relay after another: now of silence, now of a crash; now so that it hears of it,
/// now behind its back.
pub(super) fn accuse<S: Shell>(world: &mut World<S>, host: HostId, turn: u64, rng: &mut Rng) {
    let Some(node) = world.node(host) else {
        return;
    };
    let me = node.id();
    let known = node.known();
    let living: Vec<&MemberRecord> = known
        .values()
        .filter(|(record, state)| {
            let claims = record.claims();
            *state == MemberState::Alive && claims.role == Role::Relay && claims.id != me
        })
        .map(|(record, _)| record.claims())
        .collect();
    let Some(subject) = living.get((turn / 4) as usize % living.len().max(1)) else {
        return;
    };
    let accusation = Accusation {
        accuser: me,
        subject: subject.id,
        incarnation: subject.incarnation,
        evidence: [Evidence::Crash, Evidence::Silence][rng.index(2)],
    };
    let subject = subject.id;
    let accusation = seal(node, accusation);
    let behind_its_back = rng.chance(700);
    let mut listeners = peers(world, host);
    listeners.retain(|peer| !behind_its_back || *peer != subject);
    let message = gossip(vec![Rumour::Accusation(accusation)]);
    say_all(world, host, &listeners, &message);
}

/// Says that whoever is dead, has left or is parked is alive: with its last word, with older ones, with
/// a lease.
pub(super) fn resurrect<S: Shell>(
    world: &mut World<S>,
    host: HostId,
    heard: &[Message],
    rng: &mut Rng,
) {
    let Some(node) = world.node(host) else {
        return;
    };
    let gone: Vec<_> = node
        .known()
        .into_values()
        .filter(|(_, state)| !matches!(state, MemberState::Alive | MemberState::Suspect))
        .map(|(record, _)| record)
        .collect();
    let mut rumours = Vec::new();
    if let Some(Message::Swim(swim::Message::Gossip { rumours: old })) =
        heard.get(rng.index(heard.len()))
    {
        rumours.extend(old.iter().cloned());
    }
    let mut messages = Vec::new();
    if let Some(record) = gone.get(rng.index(gone.len())) {
        let claims = record.claims();
        let lease = Lease {
            home: node.id(),
            tab: claims.id,
            incarnation: claims.incarnation,
            sequence: u64::MAX - rng.below(1_000),
            attached: true,
            ttl_ms: [1_000, u32::MAX][rng.index(2)],
        };
        let lease = seal(node, lease);
        if claims.role == Role::Tab {
            rumours.push(Rumour::Lease(lease.clone()));
        }
        rumours.push(Rumour::Record(record.clone()));
        let entry = TableEntry {
            record: record.clone(),
            state: MemberState::Alive,
            accusations: Vec::new(),
            leases: vec![lease],
        };
        let entries = vec![entry];
        messages.push(Message::Swim(swim::Message::TableEntries { entries }));
    }
    if !rumours.is_empty() {
        messages.push(gossip(rumours));
    }
    let listeners = peers(world, host);
    for message in messages {
        say_all(world, host, &listeners, &message);
    }
}

/// Takes an incarnation close to the highest there is, each time a higher one.
pub(super) fn inflate<S: Shell>(world: &mut World<S>, host: HostId, turn: u64) {
    let Some(node) = world.node(host) else {
        return;
    };
    let record = MemberRecord {
        incarnation: Incarnation(u64::MAX - 1_000 + turn.min(1_000)),
        ..(**node.own_record()).clone()
    };
    let message = gossip(vec![Rumour::Record(seal(node, record))]);
    let listeners = peers(world, host);
    say_all(world, host, &listeners, &message);
}

/// Speaks in the name of another member, under its own signature.
pub(super) fn forge<S: Shell>(world: &mut World<S>, host: HostId, rng: &mut Rng) {
    let Some(node) = world.node(host) else {
        return;
    };
    let me = node.id();
    let known = node.known();
    let others: Vec<NodeId> = known.keys().filter(|id| **id != me).copied().collect();
    let pick = |rng: &mut Rng| others.get(rng.index(others.len())).copied();
    let (Some(victim), Some(subject)) = (pick(rng), pick(rng)) else {
        return;
    };
    let (Some((record, _)), Some((accused, _))) = (known.get(&victim), known.get(&subject)) else {
        return;
    };
    let rumour = match rng.below(4) {
        0 => Rumour::Record(seal(
            node,
            MemberRecord {
                incarnation: Incarnation(u64::MAX - rng.below(10)),
                standing: [Standing::Left, Standing::Parked][rng.index(2)],
                ..record.claims().clone()
            },
        )),
        1 => Rumour::Record(seal(
            node,
            MemberRecord {
                incarnation: record.claims().incarnation.next(),
                addresses: Vec::new(),
                ..record.claims().clone()
            },
        )),
        2 => Rumour::Accusation(seal(
            node,
            Accusation {
                accuser: victim,
                subject,
                incarnation: accused.claims().incarnation,
                evidence: Evidence::Crash,
            },
        )),
        _ => Rumour::Lease(seal(
            node,
            Lease {
                home: victim,
                tab: subject,
                incarnation: accused.claims().incarnation,
                sequence: u64::MAX,
                attached: false,
                ttl_ms: u32::MAX,
            },
        )),
    };
    let listeners = peers(world, host);
    say_all(world, host, &listeners, &gossip(vec![rumour]));
}

//! Anything that a replica may be told, drawn at random: nearly right, so that it gets far.

use super::{
    hostile::{WALL, op, seal, unchecked},
    world::{NETWORK, key, keypair, ns},
};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Signed, Verified},
        id::{NodeId, RequestId, Role},
        machine::Input,
        persist::{PersistFailed, Persisted},
        time::WallTime,
    },
    replication::{
        batch::{Batch, Writer, hash_of, root_of, shard_of},
        log::Head,
        message::Dot,
        replica::{Command, Message},
        write::{AckLevel, WriteBlock},
    },
};
use alloc::{boxed::Box, format, vec, vec::Vec};
use proptest::prelude::*;

fn peer() -> impl Strategy<Value = NodeId> {
    (0..4_u8).prop_map(|number| keypair(number).id())
}

fn writer() -> impl Strategy<Value = Writer> {
    let epoch = prop_oneof![4 => 0..3_u32, 1 => any::<u32>()];
    (peer(), epoch).prop_map(|(node, epoch)| Writer { node, epoch })
}

fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![0..6_u64, Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()]
}

fn shard() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(shard_of(&ns("n"), &key("k"))),
        0..64_u16,
        Just(u16::MAX)
    ]
}

fn any_batch() -> impl Strategy<Value = Signed<Batch>> {
    (0..3_u8, 0..4_u64, 0..3_u64, any::<bool>(), 0..6_u32).prop_map(|drawn| {
        let (who, length, variant, broken, epoch) = drawn;
        let author = keypair(who);
        let mut last = seal(&author, None, op("k", WALL, "v"));
        for step in 0..length {
            let text = format!("{variant}");
            last = seal(&author, Some(&last), op("k", WALL + step + 1, &text));
        }
        let mut batch = last.claims().clone();
        if broken {
            batch.namespace_previous = 0;
            batch.sequence = batch.sequence.wrapping_mul(u64::MAX);
        }
        if epoch > 3 {
            // A first batch of a later writer epoch, which may claim to issue another again.
            batch.epoch = epoch - 3;
            batch.sequence = 1;
            batch.previous = Hash::ZERO;
            batch.namespace_previous = 0;
            batch.reissue = (epoch == 5).then(|| hash_of(&last));
        }
        unchecked(&Verified::seal(batch, &author, NETWORK).to_signed())
    })
}

fn any_head() -> impl Strategy<Value = Head> {
    (writer(), edge(), any::<u8>(), edge()).prop_map(|(writer, sequence, hash, forked_at)| Head {
        writer,
        sequence,
        hash: Hash::from_bytes([hash; 32]),
        forked_at,
    })
}

fn any_dot() -> impl Strategy<Value = Dot> {
    (shard(), writer(), edge()).prop_map(|(shard, writer, sequence)| Dot {
        shard,
        writer,
        sequence,
    })
}

/// Some that exist, and some that do not.
fn roots() -> impl Strategy<Value = Vec<u128>> {
    let root = prop_oneof![any_batch().prop_map(|batch| root_of(&batch)), any::<u128>()];
    prop::collection::vec(root, 0..4)
}

fn any_message() -> impl Strategy<Value = Message> {
    let batches = || prop::collection::vec(any_batch(), 0..4);
    let digests = prop_oneof![
        prop::collection::vec(any::<u8>(), 512),
        prop::collection::vec(any::<u8>(), 0..20)
    ];
    prop_oneof![
        digests.prop_map(|bytes| Message::Summary {
            digests: bytes.into()
        }),
        (
            shard(),
            prop::option::of(writer()),
            prop::collection::vec(any_head(), 0..4),
            any::<bool>(),
            any::<bool>()
        )
            .prop_map(|(shard, after, heads, last, answer)| Message::Heads {
                shard,
                after,
                heads,
                last,
                answer
            }),
        prop::collection::vec((shard(), any_head()), 0..3)
            .prop_map(|heads| Message::Mine { heads }),
        (
            edge(),
            shard(),
            prop::collection::vec((writer(), edge()), 0..4)
        )
            .prop_map(|(request, shard, wants)| Message::Fetch {
                request,
                shard,
                wants
            }),
        (0..20_u64, batches()).prop_map(|(request, batches)| Message::Batches { request, batches }),
        any_batch().prop_map(|batch| Message::Push {
            batch: Box::new(batch),
            told: Vec::new()
        }),
        prop::collection::vec(any_dot(), 0..4).prop_map(|dots| Message::Stored { dots }),
        (any_batch(), any_batch()).prop_map(|(first, second)| Message::Evidence {
            first: Box::new(first),
            second: Box::new(second)
        }),
        (
            edge(),
            prop::option::of(prop::collection::vec((shard(), any_head()), 0..3))
        )
            .prop_map(|(digest, heads)| Message::Subscribe {
                namespace: ns("n"),
                digest,
                heads
            }),
        Just(Message::Unsubscribe { namespace: ns("n") }),
        (batches(), any::<bool>()).prop_map(|(batches, live)| Message::Page {
            namespace: ns("n"),
            batches,
            live
        }),
        any_word_of_branches(),
    ]
}

fn any_word_of_branches() -> impl Strategy<Value = Message> {
    prop_oneof![
        (shard(), peer(), roots()).prop_map(|(shard, author, roots)| Message::NameBranches {
            shard,
            author,
            roots
        }),
        (shard(), peer(), roots()).prop_map(|(shard, author, roots)| Message::FetchBranches {
            shard,
            author,
            roots
        }),
        prop::collection::vec(any_batch(), 0..4)
            .prop_map(|batches| Message::BranchBatches { batches }),
        (shard(), writer(), edge()).prop_map(|(shard, writer, first)| Message::FetchTabCopy {
            shard,
            writer,
            first
        }),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    let role = prop_oneof![Just(Role::Relay), Just(Role::Tab)];
    let level = prop_oneof![Just(AckLevel::Local), Just(AckLevel::Relay)];
    prop_oneof![
        3 => (peer(), role).prop_map(|(peer, role)| Command::PeerUp { peer, role }),
        1 => peer().prop_map(|peer| Command::PeerDown { peer }),
        2 => prop_oneof![Just(WALL), edge()]
            .prop_map(|wall| Command::WallClock(WallTime::from_millis(wall))),
        4 => (any::<u64>(), "[a-c]", prop::option::of("[xy]{0,9}"), level).prop_map(
            |(request, name, text, level)| Command::Write {
                request: RequestId(request),
                namespace: ns("n"),
                key: key(&name),
                value: text.map(|text| Bytes::from(text.as_bytes())),
                level,
            }
        ),
        1 => Just(Command::Open(ns("n"))),
        1 => Just(Command::Close(ns("n"))),
        6 => (0..30_u64, edge()).prop_map(|(token, sequence)| Command::Persisted(Persisted { token, sequence: Some(sequence) })),
        1 => (0..30_u64, any::<bool>())
            .prop_map(|(token, full)| Command::PersistFailed(PersistFailed { token, full })),
        2 => (0..30_u64, edge()).prop_map(|(token, sequence)| Command::Loaded {
            token,
            records: vec![(sequence, Bytes::from([0_u8, 1, 2].as_slice()))]
        }),
        1 => Just(Command::Block(WriteBlock::Leaving)),
        1 => Just(Command::Unblock(WriteBlock::Leaving)),
    ]
}

pub(super) fn any_input() -> impl Strategy<Value = Input<Message, Command>> {
    prop_oneof![
        any_command().prop_map(Input::Command),
        (peer(), any_message()).prop_map(|(from, message)| Input::Message { from, message }),
    ]
}

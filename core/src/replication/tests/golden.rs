//! The bytes of version 1, pinned in `tests/golden/wire-v1-replica.hex`; a value a line, `name hex`.

use super::{
    hostile::{WALL, op, seal},
    world::{NETWORK, keypair, ns},
};
use crate::{
    kernel::{
        crypto::{Hash, Signed, Verified, encode},
        text::Key,
    },
    replication::{
        batch::{Batch, Record, hash_of, root_of},
        log::Head,
        message::{Dot, Message, Proving},
    },
};
use alloc::{boxed::Box, collections::BTreeSet, format, string::String, vec, vec::Vec};

const REPLICA: &str = include_str!("../../../../tests/golden/wire-v1-replica.hex");

/// The messages by the names that they are pinned under.
type Words = Vec<(&'static str, Message)>;

/// The place of a message among the variants, which is its first byte. A new variant is pinned too.
const fn variant(message: &Message) -> u8 {
    match message {
        Message::Summary { .. } => 0,
        Message::Heads { .. } => 1,
        Message::Mine { .. } => 2,
        Message::Fetch { .. } => 3,
        Message::Batches { .. } => 4,
        Message::Push { .. } => 5,
        Message::Stored { .. } => 6,
        Message::Evidence { .. } => 7,
        Message::Subscribe { .. } => 8,
        Message::Unsubscribe { .. } => 9,
        Message::Page { .. } => 10,
        Message::NameBranches { .. } => 11,
        Message::FetchBranches { .. } => 12,
        Message::BranchBatches { .. } => 13,
        Message::FetchTabCopy { .. } => 14,
        Message::SubscribeRefused { .. } => 15,
        Message::Verify(_) => 16,
    }
}

/// How many variants there are.
const VARIANTS: u8 = 17;

/// A batch, and the same issued again in the next writer epoch.
fn batches() -> [Signed<Batch>; 2] {
    let author = keypair(7);
    let first = seal(&author, None, op("k", WALL, "v"));
    let mut again = first.claims().clone();
    again.epoch = 1;
    again.reissue = Some(hash_of(&first));
    let again = Verified::seal(again, &author, NETWORK).to_signed();
    [first, again]
}

fn records() -> Vec<(&'static str, Vec<u8>)> {
    let [first, again] = batches();
    let fork = Record::Fork(Box::new((first.clone(), again.clone())));
    vec![
        ("batch", encode(&first)),
        ("batch-again", encode(&again)),
        ("record", encode(&Record::Batch(Box::new(first)))),
        ("record-fork", encode(&fork)),
    ]
}

fn words() -> Words {
    let mut words = words_of_chains();
    words.extend(words_of_batches());
    words.extend(words_of_namespaces());
    words.extend(words_of_branches());
    words.extend(words_of_roots());
    words
}

fn words_of_chains() -> Words {
    let [first, again] = batches();
    let (shard, writer) = (first.claims().shard, again.claims().writer());
    let head = head_of(&again);
    let forked = Head {
        writer: first.claims().writer(),
        sequence: 0,
        hash: Hash::ZERO,
        forked_at: 1,
    };
    let dot = Dot {
        shard,
        writer,
        sequence: 1,
    };
    let summary = Message::Summary {
        digests: vec![1, 2, 3, 4, 5, 6, 7, 8].into(),
    };
    let heads = Message::Heads {
        shard,
        after: Some(writer),
        heads: vec![forked, head],
        last: true,
        answer: true,
    };
    let mine = Message::Mine {
        heads: vec![(shard, head)],
    };
    let fetch = Message::Fetch {
        request: 3,
        shard,
        wants: vec![(writer, 1)],
    };
    vec![
        ("summary", summary),
        ("heads", heads),
        ("mine", mine),
        ("fetch", fetch),
        ("stored", Message::Stored { dots: vec![dot] }),
    ]
}

fn head_of(signed: &Signed<Batch>) -> Head {
    Head {
        writer: signed.claims().writer(),
        sequence: signed.claims().sequence,
        hash: hash_of(signed),
        forked_at: 0,
    }
}

fn words_of_batches() -> Words {
    let [first, again] = batches();
    let given = Message::Batches {
        request: 3,
        batches: vec![first.clone()],
    };
    let push = Message::Push {
        batch: Box::new(first.clone()),
        told: vec![keypair(8).id().prefix()],
    };
    let evidence = Message::Evidence {
        first: Box::new(first),
        second: Box::new(again),
    };
    vec![("batches", given), ("push", push), ("evidence", evidence)]
}

fn words_of_namespaces() -> Words {
    let [first, again] = batches();
    let shard = first.claims().shard;
    let namespace = ns("n");
    let subscribe = |heads| Message::Subscribe {
        namespace: ns("n"),
        digest: 5,
        heads,
    };
    let page = Message::Page {
        namespace: ns("n"),
        batches: vec![first],
        live: true,
    };
    vec![
        ("subscribe", subscribe(Some(vec![(shard, head_of(&again))]))),
        ("subscribe-compare", subscribe(None)),
        ("unsubscribe", Message::Unsubscribe { namespace }),
        ("page", page),
    ]
}

fn words_of_branches() -> Words {
    let [first, again] = batches();
    let (shard, author) = (first.claims().shard, first.claims().author);
    let roots = vec![root_of(&first)];
    let set_aside = Message::NameBranches {
        shard,
        author,
        roots: roots.clone(),
    };
    let fetch_aside = Message::FetchBranches {
        shard,
        author,
        roots,
    };
    let batches = vec![first];
    let ahead = Message::FetchTabCopy {
        shard,
        writer: again.claims().writer(),
        first: 1,
    };
    vec![
        ("name-branches", set_aside),
        ("fetch-branches", fetch_aside),
        ("branch-batches", Message::BranchBatches { batches }),
        ("fetch-tab-copy", ahead),
        (
            "subscribe-refused",
            Message::SubscribeRefused { namespace: ns("n") },
        ),
    ]
}

fn words_of_roots() -> Words {
    let place = (ns("n"), Key::new("k").unwrap());
    let (request, namespace) = (3, Some(ns("n")));
    let ask = Proving::AskRoots {
        request,
        namespace: namespace.clone(),
    };
    let ask_numbers = Proving::AskNumbers {
        request,
        namespace,
        shard: 5,
        after: Some(place.clone()),
    };
    let numbers = Proving::Numbers {
        request,
        keys: vec![(place.0.clone(), place.1.clone(), 1 << 100)],
        next: Some(place),
    };
    let roots = vec![0, 1 << 100];
    vec![
        ("verify", Message::Verify(ask)),
        (
            "verify-roots",
            Message::Verify(Proving::Roots { request, roots }),
        ),
        ("verify-ask-numbers", Message::Verify(ask_numbers)),
        ("verify-numbers", Message::Verify(numbers)),
    ]
}

#[test]
fn the_words_of_replicas_are_the_pinned_bytes() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let messages = words()
        .into_iter()
        .map(|(name, message)| (name, encode(&message)));
    let lines = records()
        .into_iter()
        .chain(messages)
        .map(|(name, bytes)| format!("{name} {}", hex(&bytes)));
    let now: Vec<String> = lines.collect();
    let pinned = REPLICA.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
}

#[test]
fn every_variant_is_pinned_at_its_place() {
    let mut pinned = BTreeSet::new();
    for (name, message) in words() {
        assert_eq!(encode(&message).first(), Some(&variant(&message)), "{name}");
        pinned.insert(variant(&message));
    }
    assert!(pinned.into_iter().eq(0..VARIANTS));
}

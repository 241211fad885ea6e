//! The bytes of version 1, pinned in `tests/golden/wire-v1-replica.hex`; a value a line, `name hex`.

use super::{
    hostile::{WALL, op, seal},
    world::{NETWORK, keypair, ns},
};
use crate::{
    kernel::crypto::{Hash, Signed, Verified, encode},
    replication::{
        batch::{Batch, Record, Writer, hash_of, root_of},
        log::Head,
        message::{Dot, Message},
    },
};
use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

const REPLICA: &str = include_str!("../../../../tests/golden/wire-v1-replica.hex");

fn words() -> Vec<(&'static str, Vec<u8>)> {
    let author = keypair(7);
    let first = seal(&author, None, op("k", WALL, "v"));
    let mut again = first.claims().clone();
    again.life = 1;
    again.reissue = Some(hash_of(&first));
    let again = Verified::seal(again, &author, NETWORK).to_signed();
    let shard = first.claims().shard;
    let writer = Writer {
        node: author.id(),
        life: 1,
    };
    let head = Head {
        writer,
        sequence: 1,
        hash: hash_of(&again),
        forked_at: 0,
    };
    let forked = Head {
        writer: Writer::first(author.id()),
        sequence: 0,
        hash: Hash::ZERO,
        forked_at: 1,
    };
    let dot = Dot {
        shard,
        writer,
        sequence: 1,
    };
    let heads = Message::Heads {
        shard,
        after: Some(writer),
        heads: vec![forked, head],
        last: true,
        answer: true,
    };
    let fetch = Message::Fetch {
        request: 3,
        shard,
        wants: vec![(writer, 1)],
    };
    let subscribe = Message::Subscribe {
        namespace: ns("n"),
        digest: 5,
        heads: Some(vec![(shard, head)]),
    };
    let mut words = vec![
        ("batch", encode(&first)),
        ("batch-again", encode(&again)),
        ("record", encode(&Record::Batch(Box::new(first.clone())))),
        ("heads", encode(&heads)),
        ("fetch", encode(&fetch)),
        ("stored", encode(&Message::Stored { dots: vec![dot] })),
        ("subscribe", encode(&subscribe)),
    ];
    words.extend(words_of_batches(&first, &again, head));
    words.extend(words_of_branches(&first));
    words
}

fn words_of_batches(
    first: &Signed<Batch>,
    again: &Signed<Batch>,
    head: Head,
) -> Vec<(&'static str, Vec<u8>)> {
    let summary = Message::Summary {
        digests: vec![1, 2, 3, 4, 5, 6, 7, 8].into(),
    };
    let mine = Message::Mine {
        heads: vec![(first.claims().shard, head)],
    };
    let batches = Message::Batches {
        request: 3,
        batches: vec![first.clone(), again.clone()],
    };
    let push = Message::Push {
        batch: Box::new(first.clone()),
        told: vec![4, 300],
    };
    let evidence = Message::Evidence {
        first: Box::new(first.clone()),
        second: Box::new(again.clone()),
    };
    let page = Message::Page {
        namespace: ns("n"),
        batches: vec![first.clone()],
        live: true,
    };
    let unsubscribe = Message::Unsubscribe { namespace: ns("n") };
    vec![
        ("summary", encode(&summary)),
        ("mine", encode(&mine)),
        ("batches", encode(&batches)),
        ("push", encode(&push)),
        ("evidence", encode(&evidence)),
        ("unsubscribe", encode(&unsubscribe)),
        ("page", encode(&page)),
    ]
}

fn words_of_branches(first: &Signed<Batch>) -> Vec<(&'static str, Vec<u8>)> {
    let (shard, author) = (first.claims().shard, first.claims().author);
    let writer = Writer {
        node: author,
        life: 1,
    };
    let roots = vec![root_of(first)];
    let batches = vec![first.clone()];
    let set_aside = Message::SetAside {
        shard,
        author,
        roots: roots.clone(),
    };
    let fetch_aside = Message::FetchAside {
        shard,
        author,
        roots,
    };
    let ahead = Message::FetchAhead {
        shard,
        writer,
        first: 1,
    };
    vec![
        ("set-aside", encode(&set_aside)),
        ("fetch-aside", encode(&fetch_aside)),
        ("aside-batches", encode(&Message::AsideBatches { batches })),
        ("fetch-ahead", encode(&ahead)),
    ]
}

#[test]
fn the_words_of_replicas_are_the_pinned_bytes() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let lines = words()
        .into_iter()
        .map(|(name, bytes)| format!("{name} {}", hex(&bytes)));
    let now: Vec<String> = lines.collect();
    let pinned = REPLICA.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
}

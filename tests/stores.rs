//! What comes back from a store: after a crash at any moment, and with any bit flipped; and the
//! contract that every store keeps (`stores/contract.rs`).
//!
//! | environment | effect |
//! |---|---|
//! | `SPORENET_TORN=2` | torn variants of each crash (16 for the full proof) |
//! | `SPORENET_FLIPS=97` | flips every so manieth bit (1 for the full proof) |

#[path = "stores/contract.rs"]
mod contract;
#[path = "stores/journal.rs"]
mod journal;

use sporenet_core::{
    kernel::{id::Role, rng::Rng, time::Duration},
    node::{
        contract::{Reply, Severity},
        endpoint::Endpoint,
    },
    replication::write::AckLevel,
    sim::world::{HostId, World},
};
use std::{collections::BTreeMap, env, time::Instant};

const NAMESPACE: &str = "stores";

fn setting(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

fn relay(seed: u64) -> (World<Endpoint>, HostId) {
    let mut world = World::new(seed);
    let host = world.launch(Role::Relay, None).unwrap();
    world.run_for(Duration::from_secs(1));
    (world, host)
}

/// All values of a node.
fn values(node: &Endpoint) -> BTreeMap<String, Vec<u8>> {
    let entries = node.node().list(NAMESPACE, "", None, usize::MAX);
    let value = |bytes: Option<sporenet_core::kernel::bytes::Bytes>| {
        bytes.map(|bytes| bytes.to_vec()).unwrap_or_default()
    };
    entries
        .into_iter()
        .map(|entry| (entry.key.to_string(), value(entry.value)))
        .collect()
}

#[test]
fn whatever_was_acknowledged_comes_back_from_a_crash_at_any_acknowledgement() {
    let torn = setting("SPORENET_TORN", 2) as u64;
    let (mut world, host) = relay(1);
    let mut rng = Rng::from_number(2);
    let mut open = BTreeMap::new();
    let mut acknowledged: BTreeMap<String, u32> = BTreeMap::new();
    let (mut recoveries, mut slowest, mut number) = (0_u32, 0.0_f64, 0_u32);
    while number < 2_000 || !open.is_empty() {
        for _ in 0..rng.below(2) {
            if number < 2_000 {
                number += 1;
                let key = format!("key-{}", rng.below(300));
                let value = number.to_string();
                let request = world.write(
                    host,
                    NAMESPACE,
                    &key,
                    Some(value.as_bytes()),
                    AckLevel::Local,
                );
                open.insert(request, (key, number));
            }
        }
        world.run_for(Duration::from_micros(rng.below(600)));
        let answered: Vec<_> = open
            .keys()
            .copied()
            .filter(|request| world.reply(host, *request).is_some())
            .collect();
        for request in &answered {
            assert!(matches!(
                world.reply(host, *request),
                Some(Reply::Written { .. })
            ));
            let (key, number) = open.remove(request).unwrap();
            let known = acknowledged.entry(key).or_default();
            *known = number.max(*known);
        }
        if answered.is_empty() {
            continue;
        }
        for variant in 0..=torn {
            let mut disk = world.disk(host).clone();
            disk.set_tears(variant > 0);
            disk.crash(&mut Rng::from_number(recoveries.into()));
            recoveries += 1;
            let started = Instant::now();
            let node = world.recover(host, disk.image()).unwrap();
            slowest = slowest.max(started.elapsed().as_secs_f64());
            let back = values(&node);
            for (key, at_least) in &acknowledged {
                let value = String::from_utf8(back.get(key).cloned().unwrap_or_default()).unwrap();
                let found: u32 = value.parse().unwrap_or_default();
                assert!(
                    found >= *at_least,
                    "{key} is {found}, {at_least} was acknowledged"
                );
            }
        }
    }
    println!(
        "figure: {recoveries} recoveries, the slowest {:.0} ms",
        slowest * 1e3
    );
    assert!(recoveries > 2_000);
}

#[test]
fn any_flipped_bit_is_noticed_or_harmless_and_never_becomes_a_value() {
    let step = setting("SPORENET_FLIPS", 97);
    let (mut world, host) = relay(3);
    let mut number = 0;
    while world.disk(host).image().bytes() < 64 * 1024 {
        number += 1;
        let value = format!("{number}-{:.<180}", "");
        world.write(
            host,
            NAMESPACE,
            &format!("key-{number}"),
            Some(value.as_bytes()),
            AckLevel::Local,
        );
        world.run_for(Duration::from_millis(20));
    }
    let sound = world.disk(host).image().clone();
    let original = values(&world.recover(host, &sound).unwrap());
    assert_eq!(original.len(), number);
    let (mut refused, mut noticed, mut harmless) = (0, 0, 0);
    for bit in (0..sound.bytes() * 8).step_by(step) {
        let mut hurt = sound.clone();
        assert!(hurt.flip(bit));
        let Ok(node) = world.recover(host, &hurt) else {
            refused += 1;
            continue;
        };
        let back = values(&node);
        let told = node.node().timeline_since(0).entries;
        if told.iter().any(|entry| entry.severity > Severity::Info) {
            noticed += 1;
        } else {
            assert_eq!(back, original, "bit {bit} is gone without a word");
            harmless += 1;
        }
        for (key, value) in back {
            assert_eq!(original.get(&key), Some(&value), "bit {bit} changed {key}");
        }
    }
    println!(
        "figure: flips refused at start {refused}, noticed and set aside {noticed}, harmless {harmless}"
    );
    assert_eq!(harmless, 0, "a flip passed unnoticed");
    assert!(noticed > refused);
}

#[test]
fn a_damaged_relay_gets_its_values_back_and_never_wins() {
    for seed in 0..setting("SPORENET_TORN", 2) as u64 * 10 {
        let (mut world, first) = relay(100 + seed);
        let link = world.invite(first, None);
        let others = [(); 2].map(|()| world.launch(Role::Relay, link.clone()).unwrap());
        world.run_for(Duration::from_secs(3));
        for number in 0..40 {
            let key = format!("key-{number}");
            world.write(others[0], NAMESPACE, &key, Some(b"right"), AckLevel::Local);
        }
        world.run_for(Duration::from_secs(3));
        let expected = world
            .node(first)
            .unwrap()
            .list(NAMESPACE, "", None, usize::MAX);
        assert_eq!(expected.len(), 40);
        world.crash(others[0]);
        let mut rng = Rng::from_number(seed);
        for _ in 0..3 {
            world.disk(others[0]).rot(&mut rng);
        }
        let started = world.start(others[0]).is_ok();
        let list = |world: &World<Endpoint>, host| {
            world
                .node(host)
                .map(|node| node.list(NAMESPACE, "", None, usize::MAX))
        };
        let repaired = world.run_until(Duration::from_secs(120), |world| {
            !started || list(world, others[0]).as_ref() == Some(&expected)
        });
        assert!(
            repaired,
            "seed {seed}: the relay did not get everything back"
        );
        for host in [first, others[1]] {
            assert_eq!(list(&world, host).as_ref(), Some(&expected), "seed {seed}");
        }
    }
}

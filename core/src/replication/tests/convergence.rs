//! Relays: writes, catching up, crashes, and the promise that nothing acknowledged is lost.

use super::world::{Weather, World, key, ns, value};
use crate::{
    kernel::{
        bytes::Bytes,
        persist::{PersistFailed, Persisted},
        text::Namespace,
    },
    replication::{
        batch::shard_of,
        replica::{Command, Event},
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::time::Duration;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn caught_up(world: &World, at: usize) -> (u64, u64) {
    world.hosts[at]
        .events
        .iter()
        .fold((0, 0), |sum, event| match event {
            Event::CaughtUp { batches, bytes, .. } => (sum.0 + batches, sum.1 + bytes),
            Event::Changed { .. }
            | Event::Persist(_)
            | Event::Load { .. }
            | Event::Replied { .. }
            | Event::Verified { .. }
            | Event::Differs { .. }
            | Event::Offence { .. }
            | Event::Equivocation { .. }
            | Event::Full { .. } => sum,
        })
}

#[test]
fn a_write_is_read_everywhere_within_a_second() {
    let mut world = World::new(1, 5, 0);
    world.link_all();
    let request = world.write(2, "n", "k", value("v"), AckLevel::Relay);
    world.run_for(Duration::from_millis(100));
    for at in 0..5 {
        assert_eq!(world.get(at, "n", "k"), value("v"), "{at}");
    }
    assert_eq!(world.hosts[2].replies[&request], Ok(1));
    world.settle();
    world.assert_relays_agree();
    let stats = world.replica(0).stats();
    assert_eq!((stats.received_batches, stats.duplicate_batches), (1, 0));
}

#[test]
fn a_write_is_visible_only_once_it_is_durable() {
    let mut world = World::new(1, 1, 0);
    world.weather.append_delay = SECOND;
    let request = world.put(0, "n", "k", "v");
    assert_eq!(world.get(0, "n", "k"), None);
    assert!(!world.hosts[0].replies.contains_key(&request));
    world.run_for(2 * SECOND);
    assert_eq!(world.get(0, "n", "k"), value("v"));
    assert_eq!(world.hosts[0].replies[&request], Ok(1));
}

#[test]
fn writes_gather_while_one_is_with_the_journal() {
    let mut world = World::new(1, 1, 0);
    world.weather.append_delay = SECOND;
    for at in 0..50 {
        world.put(0, "n", "k", &format!("{at}"));
    }
    world.run_for(3 * SECOND);
    assert_eq!(world.hosts[0].journal.len(), 2);
    assert_eq!(world.get(0, "n", "k"), value("49"));
    let entry = world.replica(0).entry("n", "k").unwrap();
    assert_eq!(entry.conflicts, []);
    let revisions: Vec<_> = world.hosts[0].replies.values().cloned().collect();
    assert_eq!(revisions, (1..=50).map(Ok).collect::<Vec<_>>());
}

#[test]
fn concurrent_puts_end_in_one_value_and_one_conflict_everywhere() {
    let mut world = World::new(3, 3, 0);
    world.put(0, "n", "k", "zero");
    world.put(1, "n", "k", "one");
    world.run_for(SECOND);
    world.link_all();
    world.settle();
    world.assert_relays_agree();
    let entries: Vec<_> = (0..3)
        .map(|at| world.replica(at).entry("n", "k").unwrap())
        .collect();
    assert_eq!(entries[0], entries[1]);
    assert_eq!(entries[0], entries[2]);
    assert_eq!(entries[0].conflicts.len(), 1);
    world.put(2, "n", "k", "resolved");
    world.settle();
    for at in 0..3 {
        let entry = world.replica(at).entry("n", "k").unwrap();
        assert_eq!((entry.value, entry.conflicts.len()), (value("resolved"), 0));
    }
}

#[test]
fn a_write_at_level_relay_says_when_no_relay_confirms_it() {
    let mut world = World::new(1, 2, 0);
    let request = world.write(0, "n", "k", value("v"), AckLevel::Relay);
    world.run_for(4 * SECOND);
    assert!(!world.hosts[0].replies.contains_key(&request));
    world.run_for(2 * SECOND);
    let reply = &world.hosts[0].replies[&request];
    assert_eq!(*reply, Err(WriteRefusal::NotReplicated));
    let late = world.write(0, "n", "k", value("w"), AckLevel::Relay);
    world.run_for(SECOND);
    world.link_all();
    world.run_for(3 * SECOND);
    assert!(world.hosts[0].replies[&late].is_ok(), "by comparison");
    assert_eq!(world.get(1, "n", "k"), value("w"));
}

#[test]
fn who_missed_ten_thousand_of_a_hundred_thousand_writes_gets_about_those() {
    let mut world = World::new(5, 2, 0);
    world.link_all();
    for at in 0..90_000 {
        world.put(0, "n", &format!("key-{at}"), "some value of a usual length");
        if at % 2_000 == 0 {
            world.run_for(Duration::from_millis(10));
        }
    }
    world.settle();
    world.cut(0, 1);
    for at in 0..10_000 {
        world.put(0, "n", &format!("key-{at}"), "another value of that length");
        if at % 20 == 0 {
            world.run_for(Duration::from_millis(1));
        }
    }
    world.bytes_sent = 0;
    let before = world.replica(1).counts().1;
    world.link(0, 1);
    world.run_for(2 * SECOND);
    world.assert_relays_agree();
    let missed = world.replica(1).counts().1 - before;
    let (batches, bytes) = caught_up(&world, 1);
    assert!(missed > 5_000);
    assert_eq!(batches, missed);
    let sent = world.bytes_sent;
    assert!(sent < bytes + bytes / 20 + 20_000, "{sent} for {bytes}");
    assert!(bytes < 10_000 * 350, "{bytes}");
}

#[test]
fn ten_differences_among_ten_thousand_keys_cost_less_than_20_kb() {
    let mut world = World::new(5, 2, 0);
    for at in 0..5_000 {
        world.put(0, "n", &format!("left-{at}"), "v");
        world.put(1, "n", &format!("right-{at}"), "v");
    }
    world.run_for(SECOND);
    world.link_all();
    world.settle();
    world.assert_relays_agree();
    assert_eq!(world.replica(0).counts().0, 10_000);
    world.cut(0, 1);
    for at in 0..10 {
        world.put(at % 2, "n", &format!("new-{at}"), "v");
    }
    world.run_for(SECOND);
    world.bytes_sent = 0;
    world.link_all();
    world.run_for(2 * SECOND);
    world.assert_relays_agree();
    assert!(world.bytes_sent < 20_000, "{}", world.bytes_sent);
}

#[test]
fn old_batches_are_served_from_the_journal() {
    let mut world = World::new(5, 2, 0);
    world.hosts[0].config.recent_bytes_max = 0;
    world.hosts[0].config.under_replicated_bytes_max = 0;
    world.crash(0);
    world.start(0);
    for at in 0..300 {
        world.put(0, "n", &format!("{at}"), "v");
    }
    world.run_for(SECOND);
    world.link_all();
    world.run_for(SECOND);
    world.assert_relays_agree();
    assert_eq!(world.replica(1).counts().0, 300);
}

#[test]
fn a_record_that_rots_before_two_relays_have_it_is_not_lost_for_all() {
    let mut world = World::new(5, 3, 0);
    world.hosts[0].config.recent_bytes_max = 0;
    world.crash(0);
    world.start(0);
    world.put(0, "n", "first", "v");
    world.run_for(SECOND);
    world.crash(0);
    world.start(0);
    world.put(0, "n", "second", "v");
    world.run_for(SECOND);
    world.hosts[0].journal.clear();
    world.link_all();
    world.run_for(SECOND);
    world.assert_relays_agree();
    assert_eq!(world.get(2, "n", "first"), value("v"));
    assert_eq!(world.get(2, "n", "second"), value("v"));
    assert_eq!(world.replica(0).under_replicated_bytes(), 0);
}

#[test]
fn equal_frontiers_say_that_own_batches_are_elsewhere() {
    let mut world = World::new(5, 3, 0);
    world.link_all();
    for at in 0..20 {
        world.put(0, "n", &format!("{at}"), "v");
    }
    world.run_for(SECOND);
    assert_eq!(world.replica(0).under_replicated_bytes(), 0);
    world.crash(0);
    world.start(0);
    assert!(world.replica(0).under_replicated_bytes() > 0);
    world.link_all();
    world.run_for(120 * SECOND);
    assert_eq!(world.replica(0).under_replicated_bytes(), 0);
}

#[test]
fn a_restart_finds_everything_and_continues_the_chain() {
    let mut world = World::new(5, 2, 0);
    world.link_all();
    for round in 0..5 {
        for at in 0..20 {
            world.put(0, "n", &format!("{at}"), &format!("{round}"));
        }
        world.run_for(SECOND);
        let before = world.replica(0).state_hash();
        world.crash(0);
        world.start(0);
        assert_eq!(world.replica(0).state_hash(), before);
        assert_eq!(world.replica(0).revision(), 0);
        world.link_all();
        world.run_for(SECOND);
    }
    world.settle();
    world.assert_relays_agree();
    assert_eq!(world.replica(1).stats().equivocations, 0);
}

#[test]
fn a_store_restored_from_a_backup_gets_its_own_log_back_from_peers() {
    let mut world = World::new(5, 2, 0);
    world.link_all();
    world.put(0, "n", "k", "1");
    world.run_for(SECOND);
    let backup = world.hosts[0].journal.clone();
    world.put(0, "n", "k", "2");
    world.run_for(SECOND);
    world.crash(0);
    world.hosts[0].journal = backup;
    world.start(0);
    assert_eq!(world.get(0, "n", "k"), value("1"));
    world.link_all();
    world.run_for(2 * SECOND);
    assert_eq!(world.get(0, "n", "k"), value("2"));
    world.put(0, "n", "k", "3");
    world.settle();
    world.assert_relays_agree();
    assert_eq!(world.get(1, "n", "k"), value("3"));
}

#[test]
fn a_damaged_record_of_our_own_stops_writes_there_until_it_is_back() {
    let mut world = World::new(5, 2, 0);
    world.link_all();
    for text in ["1", "2", "3"] {
        world.put(0, "n", "k", text);
        world.run_for(SECOND);
    }
    world.crash(0);
    world.hosts[0].journal.remove(1);
    world.start(0);
    let request = world.put(0, "n", "k", "4");
    let reply = world.hosts[0].replies[&request].clone();
    assert!(matches!(reply, Err(WriteRefusal::NotWritable { .. })));
    world.link_all();
    world.run_for(2 * SECOND);
    let request = world.put(0, "n", "k", "5");
    world.settle();
    assert!(world.hosts[0].replies[&request].is_ok());
    world.assert_relays_agree();
    assert_eq!(world.get(1, "n", "k"), value("5"));
}

#[test]
fn refused_writes_change_nothing_and_say_why() {
    let mut world = World::new(1, 1, 0);
    let large = Bytes::from(alloc::vec![0; (256 << 10) + 1]);
    let request = world.write(0, "n", "k", Some(large), AckLevel::Local);
    let max = 256 << 10;
    let reply = Err(WriteRefusal::ValueTooLarge { max });
    assert_eq!(world.hosts[0].replies[&request], reply);
    world.tell(0, Command::Block(WriteBlock::NotAdmitted));
    world.tell(0, Command::Block(WriteBlock::StoreBroken));
    let request = world.put(0, "n", "k", "v");
    let blocks = alloc::vec![WriteBlock::NotAdmitted, WriteBlock::StoreBroken];
    let reply = Err(WriteRefusal::NotWritable { blocks });
    assert_eq!(world.hosts[0].replies[&request], reply);
    world.tell(0, Command::Unblock(WriteBlock::StoreBroken));
    let request = world.put(0, "n", "k", "v");
    let reply = Err(WriteBlock::NotAdmitted.into());
    assert_eq!(world.hosts[0].replies[&request], reply);
    world.tell(0, Command::Unblock(WriteBlock::NotAdmitted));
    world.weather.append_failure = 1_000;
    let request = world.put(0, "n", "k", "v");
    world.run_for(SECOND);
    assert!(world.hosts[0].replies[&request].is_err());
    assert_eq!(world.replica(0).entry("n", "k"), None);
    world.weather.append_failure = 0;
    let request = world.put(0, "n", "k", "v");
    world.run_for(SECOND);
    assert_eq!(world.hosts[0].replies[&request], Ok(1));
}

#[test]
fn a_full_node_refuses_writes_takes_deletions_and_catches_up_when_there_is_room() {
    let mut world = World::new(1, 2, 0);
    world.hosts[0].config.cells_bytes_max = 1 << 20;
    world.crash(0);
    world.start(0);
    let large = || Some(Bytes::from(alloc::vec![7; 200 << 10]));
    for name in ["a", "b", "c", "d", "e"] {
        world.write(0, "n", name, large(), AckLevel::Local);
        world.run_for(SECOND);
    }
    let request = world.write(0, "n", "x", large(), AckLevel::Local);
    assert_eq!(world.hosts[0].replies[&request], Err(WriteRefusal::Full));
    world.write(1, "n", "f", large(), AckLevel::Local);
    world.link_all();
    world.run_for(2 * SECOND);
    assert_eq!(world.get(0, "n", "f"), None);
    let full = |event: &Event| matches!(event, Event::Full { .. });
    assert!(world.hosts[0].events.iter().any(full));
    let request = world.write(0, "n", "a", None, AckLevel::Local);
    world.settle();
    assert!(world.hosts[0].replies[&request].is_ok());
    assert_eq!(world.get(0, "n", "f"), large());
    world.assert_relays_agree();
}

#[test]
fn writes_beyond_the_queue_are_told_to_come_again() {
    let mut world = World::new(1, 1, 0);
    world.hosts[0].config.waiting_max = 10;
    world.crash(0);
    world.start(0);
    world.weather.append_delay = SECOND;
    let requests: Vec<u64> = (0..20).map(|_| world.put(0, "n", "k", "v")).collect();
    let busy = requests
        .iter()
        .filter(|request| world.hosts[0].replies.get(request) == Some(&Err(WriteRefusal::Busy)));
    assert_eq!(busy.count(), 9);
}

#[test]
fn watchers_see_every_change_once_in_order() {
    let mut world = World::new(4, 3, 0);
    world.link_all();
    for at in 0..60 {
        world.put(at % 3, "n", &format!("{}", at % 7), &format!("{at}"));
        world.run_for(Duration::from_millis(3));
    }
    world.settle();
    for host in &world.hosts {
        let mut revisions = Vec::new();
        for event in &host.events {
            if let Event::Changed { revision, .. } = event {
                revisions.push(*revision);
            }
        }
        let last = revisions.len() as u64;
        assert_eq!(revisions, (1..=last).collect::<Vec<_>>());
        let replica = host.replica.as_ref().unwrap();
        assert_eq!(replica.revision(), last);
        assert_eq!(replica.changes_since(10).unwrap().len() as u64, last - 10);
    }
}

#[test]
fn a_slow_peer_is_left_to_comparison_and_misses_nothing() {
    let mut world = World::new(4, 2, 0);
    world.hosts[0].config.in_flight_max = 4;
    world.crash(0);
    world.start(0);
    world.link_all();
    for at in 0..500 {
        world.put(0, "n", &format!("{at}"), "v");
    }
    world.run_for(5 * SECOND);
    assert!(world.replica(0).stats().pushes_skipped > 0);
    world.assert_relays_agree();
    assert_eq!(world.replica(1).counts().0, 500);
}

#[test]
fn a_late_wake_up_hurts_nobody() {
    let mut world = World::new(4, 3, 0);
    world.link_all();
    world.put(0, "n", "k", "v");
    world.run_for(SECOND);
    world.now = world.now + Duration::from_secs(86_400);
    world.run_for(SECOND);
    world.put(1, "n", "k", "w");
    world.settle();
    world.assert_relays_agree();
}

/// Chaos: every fault at once for a while; then calm; then all relays agree, and every write that
/// was acknowledged is there or was overwritten by a later one of the same history.
fn chaos(seed: u64) {
    let mut world = World::new(seed, 4, 0);
    let mut rng = world.rng.fork("chaos");
    world.weather = Weather {
        loss: 50,
        duplication: 50,
        spread: Duration::from_millis(40),
        append_failure: 20,
        append_delay: Duration::from_millis(30),
    };
    world.link_all();
    let mut written: BTreeMap<u64, (usize, String, String)> = BTreeMap::new();
    for step in 0..250_u32 {
        let at = rng.index(4);
        match rng.below(20) {
            0 => {
                world.crash(at);
                world.start(at);
            }
            1 | 2 => world.cut(at, rng.index(4)),
            3..=5 => world.link_all(),
            _ => {
                // One writer per key: its last acknowledged write, or a later one, must be read.
                let name = format!("{at}-{}", rng.below(6));
                let text = format!("{step:05}");
                let level = if rng.chance(300) {
                    AckLevel::Relay
                } else {
                    AckLevel::Local
                };
                let request = world.write(at, "n", &name, value(&text), level);
                written.insert(request, (at, name, text));
            }
        }
        world.run_for(rng.span_below(Duration::from_millis(60)));
    }
    world.link_all();
    world.settle();
    world.assert_relays_agree();
    let acknowledged = |host: &super::world::Host| {
        let ok = |reply: &&Result<u64, WriteRefusal>| reply.is_ok();
        host.replies.values().filter(ok).count()
    };
    let acknowledged: usize = world.hosts.iter().map(acknowledged).sum();
    assert!(acknowledged > 100, "seed {seed}: {acknowledged}");
    for (request, (at, name, text)) in &written {
        if matches!(world.hosts[*at].replies.get(request), Some(Ok(_))) {
            let held = world.get(0, "n", name).unwrap();
            assert!(&*held >= text.as_bytes(), "seed {seed}: {name} lost {text}");
        }
    }
    for host in &world.hosts {
        let stats = host.replica.as_ref().unwrap().stats();
        assert_eq!((stats.equivocations, stats.offences), (0, 0), "seed {seed}");
        let entry = host.replica.as_ref().unwrap().list("n", "", None, 100);
        assert!(entry.iter().all(|(_, view)| view.conflicts.is_empty()));
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_all_agree_after_chaos() {
    for seed in 0..30 {
        chaos(seed);
    }
}

#[test]
fn a_journal_that_answers_nonsense_changes_nothing() {
    let mut world = World::new(1, 1, 0);
    for token in [0, 1, 77, u64::MAX] {
        world.tell(
            0,
            Command::Persisted(Persisted {
                token,
                sequence: Some(u64::MAX),
            }),
        );
        let failed = PersistFailed { token, full: true };
        world.tell(0, Command::PersistFailed(failed));
        let records = alloc::vec![(u64::MAX, Bytes::from(alloc::vec![255; 9]))];
        world.tell(0, Command::Loaded { token, records });
    }
    assert_eq!(world.replica(0).counts(), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The reference: a map. One relay, writes one after another, restarts in between.
    #[test]
    fn a_replica_answers_like_a_map(
        steps in prop::collection::vec(
            (0..2_u8, "[abc]{1,2}", prop::option::of("[xyz]{0,3}"), prop::bool::weighted(0.1)), 1..40)
    ) {
        let mut world = World::new(1, 1, 0);
        let mut reference: BTreeMap<(Namespace, String), String> = BTreeMap::new();
        for (space, name, text, restart) in steps {
            let space = ["n", "m"][usize::from(space)];
            let bytes = text.as_ref().map(|text| Bytes::from(text.as_bytes()));
            world.write(0, space, &name, bytes, AckLevel::Local);
            world.run_for(Duration::from_millis(1));
            let place = (Namespace::new(space).unwrap(), name);
            match text {
                Some(text) => reference.insert(place, text),
                None => reference.remove(&place),
            };
            if restart {
                world.crash(0);
                world.start(0);
            }
        }
        let mut held = BTreeMap::new();
        for (space, live) in world.replica(0).namespaces() {
            let held_before = held.len();
            let mut after: Option<String> = None;
            loop {
                let rows = world.replica(0).list(&space, "", after.as_deref(), 2);
                let Some((last, _)) = rows.last() else { break };
                after = Some(last.as_str().into());
                for (name, view) in rows {
                    let text = String::from_utf8(view.value.unwrap().to_vec()).unwrap();
                    held.insert((space.clone(), String::from(name.as_str())), text);
                }
            }
            prop_assert_eq!(u64::try_from(held.len() - held_before), Ok(live));
        }
        prop_assert_eq!(held, reference);
    }
}

#[test]
fn unknown_requests_and_repeated_peers_are_harmless() {
    let mut world = World::new(1, 2, 0);
    let peer = world.id(1);
    let role = crate::kernel::id::Role::Relay;
    world.tell(0, Command::PeerDown { peer });
    world.tell(0, Command::PeerUp { peer, role });
    world.tell(0, Command::PeerUp { peer, role });
    let me = world.id(0);
    world.tell(0, Command::PeerUp { peer: me, role });
    world.run_for(SECOND);
    assert_eq!(world.replica(0).counts(), (0, 0));
}

#[test]
fn many_namespaces_of_a_writer_are_one_chain_in_a_shard() {
    let mut world = World::new(22, 2, 0);
    for at in 0..2 {
        world.hosts[at].config.chains_max = 2;
        world.crash(at);
        world.start(at);
    }
    world.link_all();
    let shard = shard_of(&ns("n"), &key("k"));
    let in_shard = |space: &String| shard_of(&ns(space), &key("k")) == shard;
    let spaces = (0..).map(|number| format!("n{number}"));
    for space in spaces.filter(in_shard).take(3) {
        world.put(0, &space, "k", "v");
        world.run_for(SECOND);
    }
    let request = world.put(1, "n", "k", "of another writer");
    world.run_for(SECOND);
    assert!(world.hosts[1].replies[&request].is_ok());
    assert_eq!(world.get(0, "n", "k"), value("of another writer"));
}

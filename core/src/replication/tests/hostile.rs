//! Forks, wrong clocks, wrong signatures, nonsense; and the laws of every machine.

use super::drawn::any_input;
use super::world::{NETWORK, World, apply, key, keypair, ns, value};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Keypair, Signed, Verified},
        id::{NetworkId, NodeId, Role},
        laws::{self, Bounds},
        machine::{Input, Machine, Output},
        persist::{Persist, Persisted},
        rng::Rng,
        time::{Time, WallTime},
    },
    replication::{
        batch::{Batch, Op, Writer, hash_of, shard_of},
        clock::Hlc,
        config::Config,
        log::Head,
        message::Dot,
        replica::{Command, Event, Message, Offence, Replica},
        write::AckLevel,
    },
};
use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;
use proptest::{prelude::*, test_runner::TestCaseError};

const SECOND: Duration = Duration::from_secs(1);
/// Shortly after the start of the world's wall clock.
pub(super) const WALL: u64 = 1_800_000_000_500;

pub(super) fn op(name: &str, millis: u64, text: &str) -> Op {
    Op {
        key: key(name),
        stamp: Hlc { millis, counter: 0 },
        value: value(text),
        seen: Vec::new(),
    }
}

pub(super) fn seal(keypair: &Keypair, previous: Option<&Signed<Batch>>, op: Op) -> Signed<Batch> {
    let sequence = previous.map_or(0, |batch| batch.claims().sequence);
    let batch = Batch {
        shard: shard_of(&ns("n"), &op.key),
        author: keypair.id(),
        epoch: 0,
        sequence: sequence + 1,
        previous: previous.map_or(Hash::ZERO, hash_of),
        namespace: ns("n"),
        namespace_previous: sequence,
        reissue: None,
        ops: vec![op],
        closed: 0,
    };
    Verified::seal(batch, keypair, NETWORK).to_signed()
}

pub(super) fn unchecked(batch: &Signed<Batch>) -> Signed<Batch> {
    postcard::from_bytes(&postcard::to_allocvec(batch).unwrap()).unwrap()
}

pub(super) fn push(world: &mut World, from: usize, to: usize, batch: &Signed<Batch>) {
    let (from, batch) = (world.id(from), Box::new(unchecked(batch)));
    let told = Vec::new();
    world.say(from, to, Message::Push { batch, told });
}

fn offences(world: &World, at: usize) -> Vec<(NodeId, Offence)> {
    let mut found = Vec::new();
    for event in &world.hosts[at].events {
        if let Event::Offence { peer, offence } = event {
            found.push((*peer, *offence));
        }
    }
    found
}

fn equivocations(world: &World, at: usize) -> Vec<(NodeId, u64)> {
    let mut found = Vec::new();
    for event in &world.hosts[at].events {
        if let Event::Equivocation {
            author, sequence, ..
        } = event
        {
            found.push((*author, *sequence));
        }
    }
    found
}

#[test]
fn a_fork_is_noticed_everywhere_and_reported_once() {
    let mut world = World::new(1, 4, 1);
    for (a, b) in [(0, 1), (1, 2), (2, 3), (4, 3)] {
        world.link(a, b);
    }
    world.tell(4, Command::Open(ns("n")));
    let liar = keypair(77);
    let first = seal(&liar, None, op("k", WALL, "1"));
    let left = seal(&liar, Some(&first), op("k", WALL + 1, "left"));
    let right = seal(&liar, Some(&first), op("k", WALL + 1, "right"));
    push(&mut world, 1, 0, &first);
    world.run_for(SECOND);
    push(&mut world, 1, 0, &left);
    push(&mut world, 2, 3, &right);
    // 1 and 2 were only used as names: they hear of it by comparison.
    world.run_for(70 * SECOND);
    for at in 0..5 {
        assert_eq!(equivocations(&world, at), [(liar.id(), 2)], "{at}");
    }
    let after = seal(&liar, Some(&left), op("k", WALL + 5, "after"));
    push(&mut world, 1, 0, &after);
    world.settle();
    for at in 0..4 {
        assert_ne!(world.get(at, "n", "k"), value("after"), "{at}");
        assert_eq!(
            world.replica(at).frontier_digest(),
            world.replica(0).frontier_digest()
        );
        assert!(offences(&world, at).is_empty());
    }
    world.put(2, "n", "k", "someone else goes on");
    world.run_for(SECOND);
    assert_eq!(world.get(0, "n", "k"), value("someone else goes on"));
}

#[test]
fn a_fork_is_still_known_after_a_restart_and_to_newcomers() {
    let mut world = World::new(1, 3, 0);
    world.link(0, 1);
    let liar = keypair(77);
    push(&mut world, 1, 0, &seal(&liar, None, op("k", WALL, "left")));
    world.run_for(Duration::from_millis(1));
    push(&mut world, 1, 0, &seal(&liar, None, op("k", WALL, "right")));
    world.run_for(SECOND);
    assert_eq!(equivocations(&world, 0).len(), 1);
    world.crash(0);
    world.hosts[0].events.clear();
    world.start(0);
    world.cut(0, 1);
    world.link(0, 2);
    world.run_for(5 * SECOND);
    assert_eq!(equivocations(&world, 2), [(liar.id(), 1)]);
    assert_eq!(equivocations(&world, 0), []);
    for at in [0, 2] {
        assert_eq!(world.get(at, "n", "k"), value("right"), "at {at}");
    }
}

#[test]
fn evidence_that_proves_nothing_is_worth_nothing() {
    let mut world = World::new(1, 2, 0);
    world.link_all();
    let honest = keypair(77);
    let first = seal(&honest, None, op("k", WALL, "1"));
    let second = seal(&honest, Some(&first), op("k", WALL + 1, "2"));
    let other = Keypair::from_seed(&[99; 32]);
    let mut forged = first.claims().clone();
    forged.ops[0].value = value("forged");
    let forged = Verified::seal(forged, &other, NETWORK).to_signed();
    let from = world.id(1);
    for (first, second) in [
        (&first, &first),
        (&first, &second),
        (&first, &forged),
        (&forged, &first),
    ] {
        let (first, second) = (Box::new(unchecked(first)), Box::new(unchecked(second)));
        world.say(from, 0, Message::Evidence { first, second });
    }
    assert_eq!(equivocations(&world, 0), []);
    let bad = (from, Offence::BadSignature);
    assert_eq!(offences(&world, 0), [bad, bad]);
}

#[test]
fn a_copied_identity_that_writes_is_found_and_what_it_wrote_is_issued_again() {
    let mut world = World::new(1, 2, 0);
    world.link_all();
    world.put(0, "n", "k", "original");
    world.run_for(SECOND);
    let twin = seal(&keypair(0), None, op("k", WALL, "twin"));
    push(&mut world, 1, 0, &twin);
    world.run_for(SECOND);
    assert_eq!(equivocations(&world, 0), [(world.id(0), 1)]);
    let request = world.put(0, "n", "k", "more");
    assert!(!world.hosts[0].replies.contains_key(&request), "it waits");
    world.settle();
    assert!(world.hosts[0].replies[&request].is_ok());
    assert_eq!(world.get(1, "n", "k"), value("more"));
    assert_eq!(world.replica(0).stats().reissued_batches, 2);
    world.assert_relays_agree();
}

#[test]
fn stamps_from_the_future_wait_until_they_are_due() {
    let mut world = World::new(1, 3, 0);
    world.link_all();
    world.hosts[1].wall_skew = 5 * 60_000;
    world.run_for(SECOND);
    let request = world.put(1, "n", "k", "early");
    world.run_for(10 * SECOND);
    assert!(world.hosts[1].replies[&request].is_ok());
    for at in [0, 2] {
        assert_eq!(world.get(at, "n", "k"), None);
        let found = offences(&world, at);
        assert!(matches!(found[..], [(who, Offence::ClockAhead { .. })] if who == world.id(1)));
    }
    world.put(0, "n", "k", "honest");
    world.run_for(SECOND);
    let stamp = world.replica(0).entry("n", "k").unwrap().stamp;
    assert!(
        stamp.millis <= world.wall(0).as_millis(),
        "nobody was dragged along"
    );
    world.hosts[1].wall_skew = 0;
    world.run_for(Duration::from_secs(300));
    world.settle();
    world.assert_relays_agree();
    assert_eq!(
        world.get(0, "n", "k"),
        value("early"),
        "its stamp is the greater one"
    );
    assert!(offences(&world, 0).len() <= 6);
}

#[test]
fn wrong_signatures_are_counted_and_their_sender_muted() {
    let mut world = World::new(1, 2, 0);
    world.link_all();
    let author = keypair(77);
    let foreign = Verified::seal(
        seal(&author, None, op("k", WALL, "v")).claims().clone(),
        &author,
        NetworkId::from_bytes([1; 32]),
    );
    for _ in 0..20 {
        push(&mut world, 1, 0, &foreign.to_signed());
    }
    let stats = world.replica(0).stats();
    assert_eq!((stats.bad_signatures, stats.muted_batches), (8, 12));
    let good = seal(&author, None, op("k", WALL, "v"));
    push(&mut world, 1, 0, &good);
    assert_eq!(world.replica(0).counts().1, 0);
    world.run_for(61 * SECOND);
    push(&mut world, 1, 0, &good);
    world.run_for(SECOND);
    assert_eq!(world.get(0, "n", "k"), value("v"));
}

#[test]
fn what_does_not_fit_the_authors_own_chain_is_its_offence() {
    let mut world = World::new(1, 2, 0);
    world.link_all();
    let author = keypair(77);
    let first = seal(&author, None, op("k", WALL, "v"));
    push(&mut world, 1, 0, &first);
    world.run_for(SECOND);
    let mut second = seal(&author, Some(&first), op("k", WALL + 1, "w"))
        .claims()
        .clone();
    second.namespace_previous = 0;
    let second = Verified::seal(second, &author, NETWORK).to_signed();
    push(&mut world, 1, 0, &second);
    assert_eq!(offences(&world, 0), [(author.id(), Offence::BrokenChain)]);
    let mut wrong = seal(&author, Some(&first), op("k", WALL + 1, "w"))
        .claims()
        .clone();
    wrong.previous = Hash::from_bytes([3; 32]);
    let wrong = Verified::seal(wrong, &author, NETWORK).to_signed();
    push(&mut world, 1, 0, &wrong);
    world.settle();
    assert_eq!(world.get(0, "n", "k"), value("v"));
    world.assert_relays_agree();
}

#[test]
fn a_tab_can_not_speak_for_others() {
    let mut world = World::new(1, 1, 1);
    world.link_all();
    let batch = seal(&keypair(77), None, op("k", WALL, "v"));
    push(&mut world, 1, 0, &batch);
    let tab = world.id(1);
    let head = Head {
        writer: Writer::first(keypair(77).id()),
        sequence: 5,
        hash: Hash::ZERO,
        forked_at: 0,
    };
    world.say(
        tab,
        0,
        Message::Mine {
            heads: vec![(0, head)],
        },
    );
    let heads = vec![head];
    let (shard, after, last, answer) = (0, None, true, true);
    world.say(
        tab,
        0,
        Message::Heads {
            shard,
            after,
            heads,
            last,
            answer,
        },
    );
    world.run_for(SECOND);
    assert_eq!(world.replica(0).counts(), (0, 0));
    let found = offences(&world, 0);
    assert_eq!(
        found
            .iter()
            .map(|(_, offence)| *offence)
            .collect::<Vec<_>>(),
        [Offence::NotItsOwn, Offence::Malformed, Offence::Malformed]
    );
}

#[test]
fn a_peer_that_promises_and_does_not_give_costs_little() {
    let mut world = World::new(1, 2, 0);
    world.link_all();
    let from = world.id(1);
    for shard in 0..64 {
        let heads = (0..50_u8)
            .map(|author| Head {
                writer: Writer::first(NodeId::from_bytes([author; 32])),
                sequence: u64::MAX,
                hash: Hash::from_bytes([author; 32]),
                forked_at: 0,
            })
            .collect();
        let (after, last, answer) = (None, true, true);
        world.say(
            from,
            0,
            Message::Heads {
                shard,
                after,
                heads,
                last,
                answer,
            },
        );
    }
    world.bytes_sent = 0;
    world.run_for(60 * SECOND);
    assert!(world.bytes_sent < 400_000, "{}", world.bytes_sent);
    world.put(0, "n", "k", "v");
    world.run_for(SECOND);
    assert_eq!(world.get(1, "n", "k"), value("v"));
    assert!(world.replica(0).is_settled());
}

#[test]
fn confirmations_that_were_never_earned_acknowledge_nothing() {
    let mut world = World::new(1, 2, 1);
    world.link(0, 2);
    let request = world.write(0, "n", "k", value("v"), AckLevel::Relay);
    world.run_for(SECOND);
    let shard = shard_of(&ns("n"), &key("k"));
    let (tab, relay) = (world.id(2), world.id(1));
    let writer = Writer::first(world.id(0));
    let sequence = u64::MAX;
    let dots = vec![Dot {
        shard,
        writer,
        sequence,
    }];
    world.say(tab, 0, Message::Stored { dots: dots.clone() });
    world.say(relay, 0, Message::Stored { dots });
    assert!(
        !world.hosts[0].replies.contains_key(&request),
        "a tab's word, a stranger's word"
    );
}

fn lawful() -> Replica {
    let config = Config {
        in_flight_max: 4,
        waiting_max: 8,
        fetches_max: 2,
        loads_max: 2,
        recent_bytes_max: 2_000,
        ..Config::of(Role::Relay)
    };
    let now = Time::from_micros(1);
    Replica::new(
        config,
        keypair(0),
        NETWORK,
        Role::Relay,
        Rng::from_number(1),
        now,
    )
}

fn lawful_tab() -> Replica {
    let config = Config::of(Role::Tab);
    let now = Time::from_micros(1);
    Replica::new(
        config,
        keypair(0),
        NETWORK,
        Role::Tab,
        Rng::from_number(1),
        now,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_laws_hold_for_relays_and_tabs(
        script in prop::collection::vec((0..5_000_000_u64, any_input()), 0..80)
    ) {
        laws::check(lawful, &script, Bounds::default()).map_err(TestCaseError::fail)?;
        laws::check(lawful_tab, &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }

    /// What went to the journal comes back from it, whatever was said.
    #[test]
    fn a_replay_gives_the_state_before_it(
        script in prop::collection::vec(any_input(), 0..80)
    ) {
        let mut machine = lawful();
        let mut journal: Vec<(u64, Bytes)> = Vec::new();
        let mut now = Time::from_millis(1);
        let mut clock = Input::Command(Command::WallClock(WallTime::from_millis(WALL)));
        for input in script {
            now = now + Duration::from_millis(10);
            if let Input::Command(
                Command::Persisted(_) | Command::PersistFailed(_) | Command::Loaded { .. }
            ) = input {
                continue;
            }
            if matches!(input, Input::Command(Command::WallClock(_))) {
                clock = input.clone();
            }
            machine.handle_input(now, input);
            while let Some(output) = machine.poll_output() {
                if let Output::Event(Event::Persist(persist)) = output {
                    let token = persist.token;
                    let sequence = apply(&mut journal, persist.op);
                    let durable = Command::Persisted(Persisted { token, sequence });
                    machine.handle_input(now, Input::Command(durable));
                }
            }
        }
        let mut again = lawful();
        for (sequence, body) in &journal {
            prop_assert_eq!(again.restore(*sequence, body), Ok(()));
        }
        again.finish_restore();
        prop_assert_eq!(again.frontier_digest(), machine.frontier_digest());
        // Side branches are shown once the clock is known.
        again.handle_input(now, clock);
        if again.shows_all() && machine.shows_all() {
            prop_assert_eq!(again.state_hash(), machine.state_hash());
            prop_assert_eq!(again.counts(), machine.counts());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_record(bytes: Vec<u8>) {
        let mut machine = lawful();
        let _ = machine.restore(1, &bytes);
    }
}

#[test]
fn nothing_is_confirmed_or_passed_on_before_it_is_durable() {
    let mut machine = lawful();
    let now = Time::from_millis(1);
    let role = Role::Relay;
    let (giver, other) = (keypair(1).id(), keypair(2).id());
    for peer in [giver, other] {
        machine.handle_input(now, Input::Command(Command::PeerUp { peer, role }));
    }
    let wall = WallTime::from_millis(WALL);
    machine.handle_input(now, Input::Command(Command::WallClock(wall)));
    while machine.poll_output().is_some() {}
    let batch = Box::new(seal(&keypair(77), None, op("k", WALL, "v")));
    let told = Vec::new();
    let message = Message::Push { batch, told };
    let from = giver;
    machine.handle_input(now, Input::Message { from, message });
    let Some(Output::Event(Event::Persist(Persist { token, .. }))) = machine.poll_output() else {
        panic!("it is journaled first");
    };
    assert_eq!(machine.poll_output(), None);
    assert_eq!(machine.entry("n", "k"), None);
    let sequence = Some(1);
    let persisted = Persisted { token, sequence };
    machine.handle_input(now, Input::Command(Command::Persisted(persisted)));
    let mut sends = Vec::new();
    while let Some(output) = machine.poll_output() {
        if let Output::Send { to, message } = output {
            sends.push((to, matches!(message, Message::Stored { .. })));
        }
    }
    assert_eq!(sends, [(giver, true), (other, false)]);
}

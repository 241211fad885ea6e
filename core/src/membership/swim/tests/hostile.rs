//! Liars, copies, floods, and what can't be.

use super::world::{NETWORK, World, durable, identity, keypair, ms, reserved, secs};
use crate::{
    kernel::{
        crypto::{Signed, Verified, decode_exactly, encode},
        id::{Incarnation, InstanceId, NodeId, Role},
        machine::{Input, Machine},
        rng::Rng,
        time::Time,
    },
    membership::{
        dissemination::Rumour,
        member::{
            Accusation, Evidence, Lease, MemberRecord,
            MemberState::{Alive, Dead, Left, Parked, Suspect},
            Standing,
        },
        swim::{Command, Config, Event, Message, Offence, Swim},
    },
};
use alloc::{vec, vec::Vec};

pub(super) fn accusation(accuser: usize, subject: usize, incarnation: Incarnation) -> Rumour {
    crash_or_silence(accuser, subject, incarnation, Evidence::Silence)
}

fn crash_or_silence(
    accuser: usize,
    subject: usize,
    incarnation: Incarnation,
    evidence: Evidence,
) -> Rumour {
    let body = Accusation {
        accuser: keypair(accuser).id(),
        subject: keypair(subject).id(),
        incarnation,
        evidence,
    };
    Rumour::Accusation(Verified::seal(body, &keypair(accuser), NETWORK).to_signed())
}

pub(super) fn record(number: usize, incarnation: u64, instance: u64) -> Signed<MemberRecord> {
    record_of(
        number,
        incarnation,
        instance,
        Role::Relay,
        Standing::Present,
    )
}

pub(super) fn record_of(
    number: usize,
    incarnation: u64,
    instance: u64,
    role: Role,
    standing: Standing,
) -> Signed<MemberRecord> {
    let identity = identity(number, role, instance);
    let body = MemberRecord {
        id: identity.keypair.id(),
        incarnation: Incarnation(incarnation),
        instance: InstanceId(instance),
        role,
        name: identity.name,
        zone: None,
        location: None,
        addresses: identity.addresses,
        standing,
    };
    Verified::seal(body, &identity.keypair, NETWORK).to_signed()
}

pub(super) fn alone(config: Config) -> Swim {
    let rng = Rng::from_number(1);
    let identity = identity(0, Role::Relay, 1);
    let mut swim = Swim::new(
        config,
        identity,
        Incarnation(1),
        Vec::new(),
        rng,
        Time::ZERO,
    );
    swim.handle_input(Time::ZERO, Input::Command(durable(65)));
    swim
}

pub(super) fn hear(swim: &mut Swim, from: usize, rumours: Vec<Rumour>) {
    let from = keypair(from).id();
    let role = Role::Relay;
    let now = Time::ZERO;
    swim.handle_input(now, Input::Command(Command::PeerUp { peer: from, role }));
    let message = Message::Gossip { rumours };
    swim.handle_input(now, Input::Message { from, message });
}

pub(super) fn events(swim: &mut Swim) -> Vec<Event> {
    use crate::kernel::machine::Output;
    core::iter::from_fn(|| swim.poll_output())
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Send { .. } => None,
        })
        .collect()
}

#[test]
fn whom_only_one_accuses_is_called_on_before_it_counts_as_dead() {
    for (accusers, called) in [(1, true), (2, false)] {
        let mut swim = alone(Config::default());
        let records = (1..20).map(|number| Rumour::Record(record(number, 1, 1)));
        hear(&mut swim, 1, records.collect());
        let mut watched = Vec::new();
        for event in events(&mut swim) {
            if let Event::Neighbours(neighbours) = event {
                watched = neighbours.into_iter().map(|(id, _)| id).collect();
            }
        }
        let number = (4..20).find(|number| !watched.contains(&keypair(*number).id()));
        let (number, mut tried) = (number.unwrap(), false);
        let subject = keypair(number).id();
        let words = (2..2 + accusers).map(|accuser| accusation(accuser, number, Incarnation(1)));
        hear(&mut swim, 1, words.collect());
        while swim.state(&subject) == Some(Suspect) {
            let now = swim.poll_timeout().unwrap();
            swim.handle_timeout(now);
            for event in events(&mut swim) {
                tried |= matches!(event, Event::Try { member, .. } if member == subject);
            }
        }
        assert_eq!(tried, called, "{accusers} accusers");
        assert_eq!(swim.state(&subject), Some(Dead));
    }
}

#[test]
fn one_liar_among_five_kills_nobody_and_is_found_out() {
    for evidence in [Evidence::Silence, Evidence::Crash] {
        let mut world = World::relays(20, 5);
        for _ in 0..200 {
            for observer in 1..5 {
                let subject = 1;
                let known = world.nodes[observer]
                    .swim
                    .record(&world.id(subject))
                    .unwrap();
                let incarnation = known.incarnation;
                let rumours = vec![crash_or_silence(0, subject, incarnation, evidence)];
                world.say(0, observer, Message::Gossip { rumours });
            }
            world.run_for(ms(150));
        }
        assert!(world.changes_to(Dead).is_empty());
        let found = |(_, _, event): &(Time, usize, Event)| {
            *event
                == Event::Offence {
                    peer: keypair(0).id(),
                    offence: Offence::FalseAccusation,
                }
        };
        assert!(world.history.iter().any(found));
    }
}

#[test]
fn a_liar_in_a_mesh_on_rings_is_refuted_in_time() {
    let mut world = World::relays(21, 20);
    for observer in 1..20 {
        let incarnation = world.nodes[5].swim.incarnation();
        if observer != 5 {
            let rumours = vec![crash_or_silence(0, 5, incarnation, Evidence::Crash)];
            world.say(0, observer, Message::Gossip { rumours });
        }
    }
    world.run_for(secs(10));
    assert!(world.changes_to(Dead).is_empty());
}

#[test]
fn what_we_heard_ourselves_outweighs_an_accusation() {
    let mut swim = alone(Config::default());
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 1, 1))]);
    hear(&mut swim, 2, vec![Rumour::Record(record(2, 1, 1))]);
    hear(&mut swim, 2, vec![accusation(2, 1, Incarnation(1))]);
    assert_eq!(swim.counts().suspect, 0);
    assert_eq!(swim.stats().doubted, 1);
    let peer = keypair(1).id();
    let down = Command::PeerDown { peer, abrupt: true };
    swim.handle_input(Time::ZERO, Input::Command(down));
    assert_eq!(swim.state(&peer), Some(Suspect));
}

#[test]
fn one_identity_in_two_processes_is_reported_and_the_first_stays() {
    let mut swim = alone(Config::default());
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 5, 1))]);
    events(&mut swim);
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 5, 2))]);
    let member = keypair(1).id();
    assert!(events(&mut swim).contains(&Event::Conflict { member }));
    assert_eq!(swim.record(&member).unwrap().instance, InstanceId(1));
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 5, 2))]);
    assert!(
        !events(&mut swim).contains(&Event::Conflict { member }),
        "once a minute"
    );
}

#[test]
fn a_goodbye_of_a_process_never_heard_of_parks_the_tabs_of_the_one_before() {
    for (standing, state) in [(Standing::Left, Left), (Standing::Parked, Parked)] {
        let mut swim = alone(Config::default());
        let (home, tab) = (keypair(2).id(), keypair(3).id());
        let lease = Lease {
            home,
            tab,
            incarnation: Incarnation(1),
            sequence: 1,
            attached: true,
            ttl_ms: 10_000,
        };
        let lease = Verified::seal(lease, &keypair(2), NETWORK).to_signed();
        let rumours = vec![
            Rumour::Record(record(1, 1, 1)),
            Rumour::Record(record(2, 1, 1)),
            Rumour::Record(record_of(3, 1, 1, Role::Tab, Standing::Present)),
            Rumour::Lease(lease),
        ];
        hear(&mut swim, 1, rumours);
        assert_eq!(
            (swim.state(&home), swim.state(&tab)),
            (Some(Alive), Some(Alive))
        );
        // The home started again and left; of the start nothing was heard.
        let goodbye = record_of(2, 2, 2, Role::Relay, standing);
        hear(&mut swim, 1, vec![Rumour::Record(goodbye)]);
        assert_eq!(swim.state(&home), Some(state));
        assert_eq!(swim.state(&tab), Some(Parked), "nobody vouches for it");
    }
}

#[test]
fn our_own_identity_elsewhere_is_reported() {
    let mut swim = alone(Config::default());
    events(&mut swim);
    let member = keypair(0).id();
    hear(&mut swim, 1, vec![Rumour::Record(record(0, 1, 99))]);
    assert!(
        !events(&mut swim).contains(&Event::Conflict { member }),
        "it may be a life that the store has forgotten"
    );
    for memory in 2..5 {
        hear(&mut swim, 1, vec![Rumour::Record(record(0, memory, 99))]);
        let said = events(&mut swim);
        assert!(!said.contains(&Event::Conflict { member }), "{memory}");
    }
    hear(&mut swim, 1, vec![Rumour::Record(record(0, 5, 99))]);
    assert!(events(&mut swim).contains(&Event::Conflict { member }));
}

#[test]
fn a_forgotten_life_is_overtaken_without_alarm() {
    let mut swim = alone(Config::default());
    events(&mut swim);
    hear(&mut swim, 1, vec![Rumour::Record(record(0, 500, 99))]);
    let said = events(&mut swim);
    assert!(
        !said
            .iter()
            .any(|event| matches!(event, Event::Conflict { .. }))
    );
    assert!(
        said.iter()
            .any(|event| reserved(event) == Some(Incarnation(565)))
    );
    swim.handle_input(Time::ZERO, Input::Command(durable(565)));
    assert_eq!(swim.incarnation(), Incarnation(501));
    // Some members remember that it refuted once more.
    hear(&mut swim, 1, vec![Rumour::Record(record(0, 502, 99))]);
    let member = keypair(0).id();
    assert!(!events(&mut swim).contains(&Event::Conflict { member }));
    assert_eq!(swim.incarnation(), Incarnation(503));
    for answer in [504, 506, 508] {
        hear(&mut swim, 1, vec![Rumour::Record(record(0, answer, 99))]);
    }
    assert!(
        events(&mut swim).contains(&Event::Conflict { member }),
        "it lives"
    );
}

#[test]
fn a_forged_record_is_an_offence_and_changes_nothing() {
    let mut swim = alone(Config::default());
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 1, 1))]);
    events(&mut swim);
    let mut bytes = encode(&record(1, 2, 1));
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged: Signed<MemberRecord> = decode_exactly(&bytes).unwrap();
    hear(&mut swim, 2, vec![Rumour::Record(forged)]);
    let peer = keypair(2).id();
    let offence = Offence::BadSignature;
    assert!(events(&mut swim).contains(&Event::Offence { peer, offence }));
    let member = keypair(1).id();
    assert_eq!(swim.record(&member).unwrap().incarnation, Incarnation(1));
}

#[test]
fn a_full_roster_refuses_tabs_first_and_counts() {
    let config = Config {
        members_max: 4,
        ..Config::default()
    };
    let mut swim = alone(config);
    let tab = |number, standing| Rumour::Record(record_of(number, 1, 1, Role::Tab, standing));
    hear(&mut swim, 1, vec![Rumour::Record(record(1, 1, 1))]);
    hear(
        &mut swim,
        1,
        vec![tab(2, Standing::Present), tab(3, Standing::Present)],
    );
    hear(&mut swim, 1, vec![tab(4, Standing::Present)]);
    assert_eq!(
        (swim.members().count(), swim.stats().members_refused),
        (4, 1)
    );
    hear(&mut swim, 1, vec![Rumour::Record(record(5, 1, 1))]);
    assert_eq!(
        (swim.members().count(), swim.stats().members_evicted),
        (4, 1)
    );
    hear(&mut swim, 1, vec![Rumour::Record(record(6, 1, 1))]);
    hear(&mut swim, 1, vec![Rumour::Record(record(7, 1, 1))]);
    assert_eq!(
        (swim.members().count(), swim.stats().members_refused),
        (4, 2)
    );
    assert_eq!(swim.relays_alive(), 4);
}

#[test]
fn a_flood_of_signatures_is_cut_off_at_its_budget() {
    let config = Config {
        verifies_per_second_max: 10,
        ..Config::default()
    };
    let mut swim = alone(config);
    let peer = keypair(1).id();
    let up = Command::PeerUp {
        peer,
        role: Role::Relay,
    };
    swim.handle_input(Time::ZERO, Input::Command(up));
    for number in 2..102 {
        let rumours = vec![Rumour::Record(record(number, 1, 1))];
        let message = Message::Gossip { rumours };
        swim.handle_input(
            Time::ZERO,
            Input::Message {
                from: peer,
                message,
            },
        );
    }
    assert_eq!(
        (swim.stats().verifies, swim.stats().verifies_refused),
        (10, 90)
    );
    let rumours = vec![Rumour::Record(record(60, 1, 1))];
    let message = Message::Gossip { rumours };
    swim.handle_input(
        Time::from_millis(1_000),
        Input::Message {
            from: peer,
            message,
        },
    );
    assert_eq!(swim.stats().verifies, 11);
}

#[test]
fn messages_of_strangers_are_counted_and_ignored() {
    let mut swim = alone(Config::default());
    let rumours = vec![Rumour::Record(record(1, 1, 1))];
    let message = Message::Gossip { rumours };
    let from = NodeId::from_bytes([9; 32]);
    swim.handle_input(Time::ZERO, Input::Message { from, message });
    assert_eq!((swim.members().count(), swim.stats().unlinked), (1, 1));
}

#[test]
fn the_highest_incarnation_of_a_peer_breaks_nothing() {
    let mut swim = alone(Config::default());
    hear(&mut swim, 1, vec![Rumour::Record(record(1, u64::MAX, 1))]);
    hear(&mut swim, 1, vec![Rumour::Record(record(0, u64::MAX, 9))]);
    swim.handle_input(Time::ZERO, Input::Command(durable(u64::MAX)));
    let late = Time::from_millis(1 << 50);
    swim.handle_input(late, Input::Command(Command::Park));
    swim.handle_timeout(late);
    assert_eq!(swim.incarnation(), Incarnation(u64::MAX));
}

#[test]
fn accusations_by_tabs_and_strangers_and_of_tabs_count_for_nothing() {
    let mut swim = alone(Config::default());
    let tab = Rumour::Record(record_of(2, 1, 1, Role::Tab, Standing::Present));
    hear(&mut swim, 3, vec![Rumour::Record(record(1, 1, 1)), tab]);
    hear(&mut swim, 3, vec![accusation(2, 1, Incarnation(1))]);
    hear(&mut swim, 3, vec![accusation(9, 1, Incarnation(1))]);
    hear(&mut swim, 3, vec![accusation(1, 2, Incarnation(1))]);
    hear(&mut swim, 3, vec![accusation(1, 1, Incarnation(1))]);
    assert_eq!(swim.counts().suspect, 0);
    assert_eq!(swim.stats().verifies, 2);
}

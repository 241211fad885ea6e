//! What the links promise, as sentences.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::*;
use crate::{
    kernel::{
        address::{Address, Transport},
        component::Component,
        crypto::encode,
        id::{DialId, Incarnation, InstanceId, LinkId, NodeId, Role},
        laws::{self, Bounds},
        machine::{Input, Machine, Output},
        persist::Persist,
        time::{Duration, Time, WallTime},
    },
    overlay::{backoff::Backoff, dialer::Destination, remembered::Remembered},
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use proptest::{prelude::*, strategy::Strategy};

mod arriving;
mod standby;

const fn id(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 32])
}

fn identity(byte: u8, incarnation: u64, instance: u64) -> PeerIdentity {
    PeerIdentity {
        id: id(byte),
        incarnation: Incarnation(incarnation),
        instance: InstanceId(instance),
        role: Role::Relay,
        version: 1,
        features: 0,
    }
}

fn links(byte: u8) -> Links {
    let rng = crate::kernel::rng::Rng::from_number(u64::from(byte));
    Links::new(
        Config::default(),
        id(byte),
        InstanceId(u64::from(byte)),
        Role::Relay,
        rng,
    )
}

fn address(port: u16) -> Address {
    Address::new(Transport::Tcp, "127.0.0.1", port).unwrap()
}

fn command(links: &mut Links, at_ms: u64, command: Command) -> Vec<Event> {
    links.handle_input(Time::from_millis(at_ms), Input::Command(command));
    events(links)
}

fn events(links: &mut Links) -> Vec<Event> {
    core::iter::from_fn(|| links.poll_output())
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Send { .. } => None,
        })
        .collect()
}

/// Runs timers up to `until_ms`; every ping is answered at once while `answers` says so.
fn run(links: &mut Links, until_ms: u64, answers: bool) -> Vec<Event> {
    let mut seen = Vec::new();
    let mut now = Time::ZERO;
    while let Some(due) = links
        .poll_timeout()
        .filter(|due| *due <= Time::from_millis(until_ms))
    {
        now = now.max(due);
        links.handle_timeout(now);
        while let Some(output) = links.poll_output() {
            match output {
                Output::Event(event) => seen.push(event),
                Output::Send {
                    to,
                    message: Message::Ping { nonce },
                } if answers => {
                    let message = Message::Pong { nonce };
                    links.handle_input(now, Input::Message { from: to, message });
                }
                Output::Send { .. } => {}
            }
        }
    }
    seen
}

fn up(link: u64, peer: PeerIdentity, dial: Option<u64>) -> Command {
    Command::Up {
        link: LinkId(link),
        peer,
        dial: dial.map(DialId),
    }
}

fn dials(events: &[Event]) -> Vec<DialId> {
    events
        .iter()
        .filter_map(|event| {
            if let Event::Dial { dial, .. } = event {
                Some(*dial)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn a_target_is_dialled_until_it_is_linked_and_again_when_it_is_lost() {
    let mut a = links(1);
    command(
        &mut a,
        0,
        Command::Targets(vec![(id(2), vec![address(7600)])]),
    );
    let first = dials(&run(&mut a, 1_000, true));
    assert_eq!(first.len(), 1);
    let failed = Command::DialFailed {
        dial: first[0],
        reason: CloseReason::Unreachable,
    };
    let news = command(&mut a, 1_000, failed);
    assert!(matches!(
        news[..],
        [Event::DialFailed {
            reason: CloseReason::Unreachable,
            ..
        }]
    ));
    let second = dials(&run(&mut a, 5_000, true));
    assert_eq!(second.len(), 1);
    command(&mut a, 5_000, up(1, identity(2, 1, 9), Some(second[0].0)));
    assert_eq!(dials(&run(&mut a, 60_000, true)), []);
    command(
        &mut a,
        60_000,
        Command::Down {
            link: LinkId(1),
            reason: CloseReason::Lost,
        },
    );
    assert_eq!(
        dials(&run(&mut a, 60_000, true)).len(),
        1,
        "redialled at once"
    );
}

#[test]
fn of_two_links_dialled_by_both_ends_both_keep_the_one_of_the_smaller_identity() {
    let (mut a, mut b) = (links(1), links(2));
    // Link 10 was dialled by a, link 20 by b; each side sees them in another order.
    command(&mut a, 0, up(10, identity(2, 1, 2), Some(1)));
    let a_closes = command(&mut a, 1, up(20, identity(2, 1, 2), None));
    command(&mut b, 0, up(20, identity(1, 1, 1), Some(1)));
    assert_eq!(command(&mut b, 1, up(10, identity(1, 1, 1), None)), []);
    let b_closes = command(&mut b, 1, Command::Spoke { link: LinkId(10) });
    let duplicate = Event::Close {
        link: LinkId(20),
        reason: CloseReason::Duplicate,
    };
    assert!(a_closes.contains(&duplicate) && b_closes.contains(&duplicate));
    assert_eq!(
        (
            a.peers.get(&id(2)).unwrap().link,
            b.peers.get(&id(1)).unwrap().link
        ),
        (LinkId(10), LinkId(10))
    );
}

#[test]
fn a_new_link_of_the_same_dialler_replaces_the_old_one_without_the_peer_going_down() {
    let mut b = links(2);
    command(&mut b, 0, up(1, identity(1, 1, 1), None));
    assert_eq!(command(&mut b, 1, up(2, identity(1, 1, 1), None)), []);
    let events = command(&mut b, 1, Command::Spoke { link: LinkId(2) });
    assert_eq!(
        events,
        [Event::Close {
            link: LinkId(1),
            reason: CloseReason::Duplicate
        }]
    );
    assert_eq!(b.link_of(id(1)), Some(LinkId(2)));
    let late = command(
        &mut b,
        2,
        Command::Down {
            link: LinkId(1),
            reason: CloseReason::Lost,
        },
    );
    assert_eq!(late, []);
}

#[test]
fn a_restarted_peer_takes_over_and_the_old_process_is_told_why() {
    let mut b = links(2);
    command(&mut b, 0, up(1, identity(1, 4, 1), None));
    let events = command(&mut b, 1, up(2, identity(1, 5, 77), None));
    let told = CloseReason::IdentityInUse {
        incarnation: Incarnation(5),
    };
    assert!(events.contains(&Event::Close {
        link: LinkId(1),
        reason: told
    }));
    assert!(events.contains(&Event::PeerUp(identity(1, 5, 77))));
}

#[test]
fn a_copied_identity_that_is_not_newer_is_refused_and_reported() {
    let mut b = links(2);
    command(&mut b, 0, up(1, identity(1, 4, 1), None));
    let asked = command(&mut b, 1, up(2, identity(1, 4, 77), None));
    assert!(asked.contains(&Event::Close {
        link: LinkId(2),
        reason: CloseReason::Contested
    }));
    let nonce = b.peers.get(&id(1)).unwrap().contest.unwrap().nonce;
    let (from, message) = (id(1), Message::Pong { nonce });
    b.handle_input(Time::from_millis(2), Input::Message { from, message });
    let events = command(&mut b, 3, up(3, identity(1, 4, 77), None));
    let told = CloseReason::IdentityInUse {
        incarnation: Incarnation(4),
    };
    assert!(events.contains(&Event::Close {
        link: LinkId(3),
        reason: told.clone()
    }));
    assert!(events.contains(&Event::IdentityConflict {
        identity: id(1),
        reason: told,
        told_by: None
    }));
    assert!(events.contains(&Event::Prove {
        peer: id(1),
        link: LinkId(3),
    }));
    assert_eq!(b.peers.get(&id(1)).unwrap().link, LinkId(1));
}

#[test]
fn a_process_that_no_longer_answers_does_not_stop_its_successor() {
    let mut b = links(2);
    command(&mut b, 0, up(1, identity(1, 4, 1), None));
    for (at, link) in [(1, 2), (1_000, 3)] {
        // Its store forgot the incarnation: the power failed, and the old link is half open.
        let events = command(&mut b, at, up(link, identity(1, 4, 77), None));
        assert!(events.contains(&Event::Close {
            link: LinkId(link),
            reason: CloseReason::Contested
        }));
    }
    run(&mut b, 10_000, false);
    let events = command(&mut b, 10_001, up(4, identity(1, 4, 77), None));
    assert!(events.contains(&Event::PeerUp(identity(1, 4, 77))));
}

#[test]
fn whoever_is_told_that_its_identity_is_in_use_reports_itself() {
    let mut a = links(1);
    command(&mut a, 0, up(1, identity(2, 1, 2), None));
    let reason = CloseReason::IdentityInUse {
        incarnation: Incarnation(9),
    };
    let events = command(
        &mut a,
        1,
        Command::Down {
            link: LinkId(1),
            reason: reason.clone(),
        },
    );
    assert!(events.contains(&Event::IdentityConflict {
        identity: id(1),
        reason,
        told_by: Some(id(2))
    }));
}

#[test]
fn a_half_open_link_is_found_in_two_ping_intervals() {
    let mut a = links(1);
    command(&mut a, 0, up(1, identity(2, 1, 2), None));
    run(&mut a, 10_000, true);
    let events = run(&mut a, 14_000, false);
    assert!(events.contains(&Event::Close {
        link: LinkId(1),
        reason: CloseReason::Silent
    }));
    assert!(!a.is_linked(id(2)));
}

#[test]
fn a_process_that_slept_blames_nobody() {
    let mut a = links(1);
    command(&mut a, 0, up(1, identity(2, 1, 2), None));
    run(&mut a, 10_000, true);
    a.handle_timeout(Time::from_millis(600_000));
    assert!(a.is_linked(id(2)));
}

#[test]
fn a_refused_connection_is_told_as_evidence() {
    let mut a = links(1);
    command(
        &mut a,
        0,
        Command::Targets(vec![(id(2), vec![address(7600)])]),
    );
    let dial = dials(&run(&mut a, 1_000, true))[0];
    let refused = Command::DialFailed {
        dial,
        reason: CloseReason::ConnectionRefused,
    };
    assert!(command(&mut a, 1_000, refused).contains(&Event::DialRefused { peer: id(2) }));
}

#[test]
fn a_peer_that_throws_us_out_at_once_is_not_dialled_in_a_circle() {
    let mut a = links(1);
    command(
        &mut a,
        0,
        Command::Targets(vec![(id(2), vec![address(7600)])]),
    );
    let mut attempts = 0;
    let mut link = 0;
    for second in 1..=120 {
        for dial in dials(&run(&mut a, second * 1_000, false)) {
            attempts += 1;
            link += 1;
            let at = second * 1_000;
            command(&mut a, at, up(link, identity(2, 1, 2), Some(dial.0)));
            let down = Command::Down {
                link: LinkId(link),
                reason: CloseReason::Busy,
            };
            command(&mut a, at, down);
        }
    }
    assert!(attempts < 25, "{attempts} dials in two minutes");
}

#[test]
fn entries_are_dialled_only_while_no_relay_is_linked() {
    let mut a = links(1);
    command(&mut a, 0, up(1, identity(2, 1, 2), None));
    command(&mut a, 0, Command::Entry(address(7600)));
    assert_eq!(dials(&run(&mut a, 5_000, true)), []);
    command(
        &mut a,
        5_000,
        Command::Down {
            link: LinkId(1),
            reason: CloseReason::Lost,
        },
    );
    assert_eq!(dials(&run(&mut a, 6_000, true)).len(), 1);
}

#[test]
fn an_address_is_dialled_for_a_member_or_for_an_entry_but_not_for_both_at_once() {
    let mut a = links(2);
    let targets = Command::Targets(vec![(id(3), vec![address(7600)])]);
    command(&mut a, 0, targets);
    command(&mut a, 0, Command::Entry(address(7600)));
    let first = dials(&run(&mut a, 10_000, true));
    assert_eq!(first.len(), 1, "{first:?}");
    let failed = Command::DialFailed {
        dial: first[0],
        reason: CloseReason::Unreachable,
    };
    command(&mut a, 10_000, failed);
    let second = dials(&run(&mut a, 10_001, true));
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(dials(&run(&mut a, 60_000, true)), []);
}

#[test]
fn a_stopped_node_closes_everything_and_dials_no_more() {
    let mut a = links(1);
    command(
        &mut a,
        0,
        Command::Targets(vec![(id(2), vec![address(7600)])]),
    );
    command(&mut a, 0, up(1, identity(3, 1, 3), None));
    let events = command(&mut a, 1, Command::Stop(CloseReason::Leaving));
    assert!(events.contains(&Event::Close {
        link: LinkId(1),
        reason: CloseReason::Leaving
    }));
    assert_eq!(dials(&run(&mut a, 600_000, true)), []);
}

/// A machine that remembers that a member failed nine times and waits until `ready_ms`.
fn remembering(peer: u8, ready_ms: u64) -> Links {
    let mut a = links(1);
    let backoff = Backoff::resume(9, Time::from_millis(ready_ms));
    let remembered = vec![(Destination::Member(id(peer)), backoff)];
    command(&mut a, 0, Command::Remember(remembered));
    a
}

fn remembered(links: &Links, at_ms: u64) -> Vec<(Destination, u32)> {
    let backoffs = links.dialer().backoffs(Time::from_millis(at_ms));
    backoffs
        .map(|(destination, backoff)| (destination.clone(), backoff.failures()))
        .collect()
}

fn saves_backoffs(events: &[Event]) -> bool {
    let is_save = |event: &Event| matches!(event, Event::Persist(_));
    events.iter().any(is_save)
}

#[test]
fn what_is_stored_is_read_back_by_the_wall_clock() {
    let mut a = remembering(2, 20_000);
    let wall = WallTime::from_millis(1_000_000);
    command(&mut a, 0, Command::WallClock(wall));
    let targets = vec![(id(3), vec![address(7603)])];
    command(&mut a, 0, Command::Targets(targets));
    let dial = dials(&run(&mut a, 4_000, true))[0];
    let reason = CloseReason::ConnectionRefused;
    command(&mut a, 4_000, Command::DialFailed { dial, reason });
    let saved = run(&mut a, 4_000, true);
    let expected = Remembered::write(
        a.dialer().backoffs(Time::from_millis(4_000)),
        Time::from_millis(4_000),
        wall.plus(Duration::from_secs(4)),
    );
    let request = Persist::put(0, BACKOFFS_KEY, encode(&expected));
    assert!(saved.contains(&Event::Persist(request)));
}

#[test]
fn who_was_taken_over_stores_nothing_more() {
    for (reason, stores) in [
        (CloseReason::Leaving, true),
        (CloseReason::Superseded, false),
    ] {
        let mut a = links(1);
        let targets = vec![(id(2), vec![address(7602)])];
        command(&mut a, 0, Command::Targets(targets));
        let dial = dials(&run(&mut a, 1_000, true))[0];
        let refused = CloseReason::ConnectionRefused;
        command(
            &mut a,
            1_000,
            Command::DialFailed {
                dial,
                reason: refused,
            },
        );
        let at_the_end = command(&mut a, 1_000, Command::Stop(reason));
        assert_eq!(saves_backoffs(&at_the_end), stores);
    }
}

#[test]
fn a_wait_of_an_earlier_run_is_gone_on_with_and_whoever_is_new_is_dialled_at_once() {
    let mut a = remembering(2, 20_000);
    let targets = vec![(id(2), vec![address(7602)]), (id(3), vec![address(7603)])];
    command(&mut a, 0, Command::Targets(targets));
    let at_once = run(&mut a, 19_999, true);
    let expected: Vec<_> = at_once
        .iter()
        .filter_map(|event| {
            if let Event::Dial { expect, .. } = event {
                *expect
            } else {
                None
            }
        })
        .collect();
    assert_eq!(expected, [id(3)]);
    let dial = dials(&run(&mut a, 20_000, true));
    assert_eq!(dial.len(), 1);
    let failed = Command::DialFailed {
        dial: dial[0],
        reason: CloseReason::Unreachable,
    };
    command(&mut a, 20_000, failed);
    let member = Destination::Member(id(2));
    assert!(remembered(&a, 20_000).contains(&(member, 10)));
}

#[test]
fn no_remembered_wait_is_longer_than_the_cap() {
    let mut a = remembering(2, 9_999_999);
    let targets = vec![(id(2), vec![address(7602)])];
    command(&mut a, 0, Command::Targets(targets));
    assert_eq!(dials(&run(&mut a, 29_999, true)), []);
    assert_eq!(dials(&run(&mut a, 30_000, true)).len(), 1);
}

#[test]
fn a_link_from_the_peer_or_another_network_clears_what_was_remembered() {
    for clear in [up(1, identity(2, 1, 2), None), Command::NetworkChanged] {
        let mut a = remembering(2, 20_000);
        assert_eq!(remembered(&a, 0).len(), 1);
        command(&mut a, 1, clear);
        let stored = run(&mut a, 2, true);
        assert_eq!(remembered(&a, 2), []);
        assert!(saves_backoffs(&stored));
    }
}

#[test]
fn what_was_remembered_and_never_wanted_is_forgotten_when_its_wait_is_over() {
    let a = remembering(2, 20_000);
    assert_eq!(remembered(&a, 19_999).len(), 1);
    assert_eq!(remembered(&a, 20_000), []);
}

#[test]
fn backoffs_are_stored_at_the_first_failure_then_seldom_and_at_the_end() {
    let mut a = links(1);
    let targets = vec![(id(2), vec![address(7602)])];
    command(&mut a, 0, Command::Targets(targets));
    let (mut failures, mut saves) = (0_u64, Vec::new());
    for tick in 0..600 {
        let at = tick * 100;
        let events = run(&mut a, at, true);
        if saves_backoffs(&events) {
            saves.push(at);
        }
        for dial in dials(&events) {
            failures += 1;
            let reason = CloseReason::ConnectionRefused;
            command(&mut a, at, Command::DialFailed { dial, reason });
        }
    }
    assert!(failures > 5 && saves.len() > 2, "{failures} {saves:?}");
    let mut gaps = saves.windows(2).map(|pair| pair[1] - pair[0]);
    // Seen at the end of a tick of 100 ms.
    assert!(gaps.all(|gap| gap >= 4_900), "{saves:?}");
    command(&mut a, 60_000, up(1, identity(2, 1, 2), None));
    run(&mut a, 60_000, true);
    let at_the_end = command(&mut a, 60_000, Command::Stop(CloseReason::Leaving));
    let is_due = *saves.last().unwrap() > 55_000;
    assert_eq!(saves_backoffs(&at_the_end), is_due);
    assert_eq!(remembered(&a, 60_000), []);
}

#[test]
fn a_mesh_without_failures_stores_no_backoffs() {
    let mut a = links(1);
    let targets = vec![(id(2), vec![address(7602)])];
    command(&mut a, 0, Command::Targets(targets));
    let dial = dials(&run(&mut a, 1_000, true))[0];
    command(&mut a, 1_000, up(1, identity(2, 1, 2), Some(dial.0)));
    assert!(!saves_backoffs(&run(&mut a, 600_000, true)));
}

fn any_input() -> impl Strategy<Value = Input<Message, Command>> {
    let peer = (1_u8..5).prop_map(id);
    let any_identity = (1_u8..5, 0_u64..3, 0_u64..3).prop_map(|(p, i, n)| identity(p, i, n));
    let reason = prop_oneof![
        Just(CloseReason::Lost),
        Just(CloseReason::Busy),
        Just(CloseReason::ConnectionRefused),
        Just(CloseReason::IdentityInUse {
            incarnation: Incarnation(u64::MAX)
        }),
        Just(CloseReason::SelfDial),
        Just(CloseReason::Contested),
    ];
    prop_oneof![
        (peer.clone(), any::<u64>(), any::<bool>()).prop_map(|(from, nonce, ping)| {
            let message = if ping {
                Message::Ping { nonce }
            } else {
                Message::Pong { nonce: nonce % 9 }
            };
            Input::Message { from, message }
        }),
        (0_u64..9, any_identity, proptest::option::of(0_u64..9))
            .prop_map(|(link, peer, dial)| Input::Command(up(link, peer, dial))),
        (0_u64..9, 1_u8..5, proptest::option::of(0_u64..9)).prop_map(|(link, peer, dial)| {
            Input::Command(Command::Arrived {
                link: LinkId(link),
                peer: identity(peer, 1, 1),
                dial: dial.map(DialId),
            })
        }),
        (0_u64..9).prop_map(|link| {
            let link = LinkId(link);
            Input::Command(Command::Admitted { link })
        }),
        Just(Input::Command(Command::Joined)),
        (0_u64..9, reason.clone()).prop_map(|(link, reason)| Input::Command(Command::Down {
            link: LinkId(link),
            reason
        })),
        (0_u64..9, reason).prop_map(|(dial, reason)| Input::Command(Command::DialFailed {
            dial: DialId(dial),
            reason
        })),
        proptest::collection::vec((1_u8..5, 1_u16..9), 0..5).prop_map(|targets| {
            let targets = targets
                .into_iter()
                .map(|(p, port)| (id(p), vec![address(port)]));
            Input::Command(Command::Targets(targets.collect()))
        }),
        peer.prop_map(|peer| Input::Command(Command::Try {
            peer,
            addresses: vec![address(1), address(2)]
        })),
        Just(Input::Command(Command::Entry(address(5)))),
        (1_u8..5, 0_u32..9, 0_u64..60_000).prop_map(|(p, failures, ms)| {
            let backoff = Backoff::resume(failures, Time::from_millis(ms));
            Input::Command(Command::Remember(vec![(
                Destination::Member(id(p)),
                backoff,
            )]))
        }),
        (0_u64..1 << 41)
            .prop_map(|ms| { Input::Command(Command::WallClock(WallTime::from_millis(ms))) }),
        Just(Input::Command(Command::NetworkChanged)),
        Just(Input::Command(Command::Stop(CloseReason::Leaving))),
    ]
}

proptest! {
    #[test]
    fn the_laws_hold(script in proptest::collection::vec((0_u64..20_000_000, any_input()), 0..60)) {
        laws::check(|| links(1), &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_peer_is_up_exactly_while_it_has_a_link(
        script in proptest::collection::vec((0_u64..20_000_000, any_input()), 0..60)
    ) {
        let mut machine = links(1);
        let mut now = Time::ZERO;
        let mut peers = BTreeMap::new();
        for (gap, input) in script {
            now = now + Duration::from_micros(gap);
            machine.handle_timeout(now);
            machine.handle_input(now, input);
            for event in events(&mut machine) {
                match event {
                    Event::PeerUp(peer) => prop_assert!(peers.insert(peer.id, ()).is_none()),
                    Event::PeerDown { peer, .. } => prop_assert!(peers.remove(&peer.id).is_some()),
                    Event::Dial { .. } | Event::Close { .. } | Event::DialRefused { .. }
                    | Event::Elsewhere { .. }
                    | Event::DialFailed { .. } | Event::Persist(_)
                    | Event::IdentityConflict { .. }
                    | Event::Prove { .. } => {}
                }
            }
            prop_assert!(peers.keys().eq(machine.peers.keys()));
            prop_assert_eq!(Component::check(&machine), Ok(()));
        }
    }
}

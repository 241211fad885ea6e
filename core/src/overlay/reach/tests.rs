//! What dialling back promises.

use super::{Command, Config, Dialled, Event, Message, Reach, Report};
use crate::{
    kernel::{
        address::{Address, Transport},
        component::Component as _,
        crypto::Keypair,
        id::{DialId, NodeId, RequestId, Role},
        laws::{self, Bounds},
        machine::{Input, Machine as _, Output},
        rng::Rng,
        time::{Duration, Time},
    },
    wire::close::CloseReason,
};
use alloc::{vec, vec::Vec};
use proptest::{prelude::*, test_runner::TestCaseError};

const REQUEST: RequestId = RequestId(7);

fn id(seed: u8) -> NodeId {
    Keypair::from_seed(&[seed; 32]).id()
}

fn address(port: u16) -> Address {
    alloc::format!("tcp://127.0.0.1:{port}").parse().unwrap()
}

fn with_relays(count: u8) -> Reach {
    let mut reach = Reach::new(Config::default(), Role::Relay, Rng::from_number(1));
    for seed in 1..=count {
        tell(
            &mut reach,
            0,
            Command::PeerUp {
                peer: id(seed),
                role: Role::Relay,
            },
        );
    }
    reach
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn tell(reach: &mut Reach, seconds: u64, command: Command) {
    reach.handle_input(at(seconds), Input::Command(command));
    assert_eq!(reach.check(), Ok(()));
}

fn hear(reach: &mut Reach, seconds: u64, from: NodeId, message: Message) {
    reach.handle_input(at(seconds), Input::Message { from, message });
    assert_eq!(reach.check(), Ok(()));
}

fn outputs(reach: &mut Reach) -> Vec<Output<Message, Event>> {
    core::iter::from_fn(|| reach.poll_output()).collect()
}

fn told(reach: &mut Reach) -> Option<Vec<Report>> {
    outputs(reach).into_iter().find_map(|output| match output {
        Output::Event(Event::Checked { request, reports }) if request == REQUEST => Some(reports),
        Output::Event(_) | Output::Send { .. } => None,
    })
}

#[test]
fn where_no_relay_is_linked_nothing_is_known_at_once() {
    let mut reach = with_relays(0);
    tell(&mut reach, 0, Command::Check { request: REQUEST });
    assert_eq!(told(&mut reach), Some(Vec::new()));
    assert_eq!(reach.poll_timeout(), None);
}

#[test]
fn three_relays_are_asked_and_what_they_found_is_told() {
    let mut reach = with_relays(5);
    tell(&mut reach, 0, Command::Check { request: REQUEST });
    let asked = asked(&mut reach);
    assert_eq!(asked.len(), 3);
    let found = vec![Dialled {
        address: address(1),
        failed: None,
    }];
    for (peer, id) in &asked {
        assert_eq!(told(&mut reach), None);
        let (id, dialled) = (*id, found.clone());
        hear(&mut reach, 1, *peer, Message::Told { id, dialled });
    }
    let reports = told(&mut reach).unwrap();
    assert_eq!(reports.len(), 3);
    assert!(reports.iter().all(|report| report.dialled == found));
}

/// Whom the relay asked, and with which number.
fn asked(reach: &mut Reach) -> Vec<(NodeId, u64)> {
    let asked = outputs(reach)
        .into_iter()
        .filter_map(|output| match output {
            Output::Send {
                to,
                message: Message::Ask { id },
            } => Some((to, id)),
            Output::Send { .. } | Output::Event(_) => None,
        });
    asked.collect()
}

/// Lets the relay check by itself; answers whom it asked, and with which number.
fn by_itself(reach: &mut Reach) -> Vec<(NodeId, u64)> {
    let due = reach.poll_timeout().unwrap();
    reach.handle_timeout(due);
    asked(reach)
}

#[test]
fn a_relay_checks_by_itself_and_tells_when_an_address_is_reached_no_more() {
    let mut reach = with_relays(2);
    let tcp = address(1);
    let ws: Address = "ws://127.0.0.1:2".parse().unwrap();
    // The first relay has a firewall before it, so it says nothing against the address.
    let rounds = [
        (None, vec![(&tcp, true), (&ws, true)]),
        (Some(CloseReason::Unreachable), vec![(&ws, false)]),
        (Some(CloseReason::Unreachable), vec![]),
    ];
    for (of_ws, news) in rounds {
        let asked = by_itself(&mut reach);
        assert_eq!(asked.len(), 2);
        let mut told = Vec::new();
        for (number, (peer, id)) in asked.into_iter().enumerate() {
            let of_tcp = (number == 0).then_some(CloseReason::Unreachable);
            let dialled = vec![
                Dialled {
                    address: tcp.clone(),
                    failed: of_tcp,
                },
                Dialled {
                    address: ws.clone(),
                    failed: of_ws.clone(),
                },
            ];
            reach.handle_input(
                reach.now,
                Input::Message {
                    from: peer,
                    message: Message::Told { id, dialled },
                },
            );
            told.extend(outputs(&mut reach).into_iter().filter_map(|output| {
                if let Output::Event(Event::Changed {
                    address, failed, ..
                }) = output
                {
                    return Some((address, failed.is_none()));
                }
                None
            }));
        }
        let expected: Vec<(Address, bool)> = news
            .into_iter()
            .map(|(address, reached)| (address.clone(), reached))
            .collect();
        assert_eq!(told, expected);
        assert_eq!(reach.check(), Ok(()));
    }
    let works = |address: &Address| reach.standing()[address].failed.is_none();
    assert!(
        works(&tcp) && !works(&ws),
        "one of two transports is broken"
    );
}

#[test]
fn a_check_that_nobody_answers_changes_nothing() {
    let mut reach = with_relays(1);
    for (peer, id) in by_itself(&mut reach) {
        let dialled = vec![Dialled {
            address: address(1),
            failed: None,
        }];
        let message = Message::Told { id, dialled };
        let now = reach.now;
        reach.handle_input(
            now,
            Input::Message {
                from: peer,
                message,
            },
        );
    }
    let _ = outputs(&mut reach);
    let known = reach.standing().clone();
    assert_eq!(known.len(), 1);
    assert!(!by_itself(&mut reach).is_empty());
    let due = reach.poll_timeout().unwrap();
    reach.handle_timeout(due);
    assert!(reach.poll_output().is_none());
    assert_eq!(*reach.standing(), known);
}

#[test]
fn who_asks_right_after_a_check_is_told_what_it_found() {
    let mut reach = with_relays(1);
    let found = vec![Dialled {
        address: address(1),
        failed: None,
    }];
    for (from, id) in by_itself(&mut reach) {
        let dialled = found.clone();
        let (now, message) = (reach.now, Message::Told { id, dialled });
        reach.handle_input(now, Input::Message { from, message });
    }
    let _ = outputs(&mut reach);
    let now = reach.now;
    reach.handle_input(now, Input::Command(Command::Check { request: REQUEST }));
    assert_eq!(told(&mut reach).unwrap()[0].dialled, found);
}

#[test]
fn who_does_not_answer_is_waited_for_no_longer_than_patience() {
    let mut reach = with_relays(2);
    tell(&mut reach, 0, Command::Check { request: REQUEST });
    let _ = outputs(&mut reach);
    assert_eq!(reach.poll_timeout(), Some(at(15)));
    tell(&mut reach, 1, Command::PeerDown { peer: id(1) });
    assert_eq!(told(&mut reach), None);
    reach.handle_timeout(at(15));
    let reports = told(&mut reach).unwrap();
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|report| report.dialled.is_empty()));
}

#[test]
fn nobody_answers_for_another_or_for_an_earlier_check() {
    let mut reach = with_relays(1);
    tell(&mut reach, 0, Command::Check { request: REQUEST });
    let dialled = Vec::new;
    for (from, id) in [(id(9), 1), (id(1), 0)] {
        let dialled = dialled();
        hear(&mut reach, 1, from, Message::Told { id, dialled });
        assert_eq!(told(&mut reach), None);
    }
    let dialled = dialled();
    hear(&mut reach, 1, id(1), Message::Told { id: 1, dialled });
    assert!(told(&mut reach).is_some());
}

#[test]
fn a_relay_that_asks_has_its_addresses_dialled_and_is_told() {
    let mut reach = with_relays(1);
    hear(&mut reach, 0, id(1), Message::Ask { id: 5 });
    assert_eq!(
        outputs(&mut reach),
        [Output::Event(Event::Wanted { peer: id(1) })]
    );
    let addresses = vec![address(1), address(2)];
    tell(
        &mut reach,
        0,
        Command::Addresses {
            peer: id(1),
            addresses,
        },
    );
    let probes = outputs(&mut reach);
    assert_eq!(probes.len(), 4, "each over TCP and as a WebSocket");
    for (dial, failed) in [(0, None), (2, Some(CloseReason::NotSporenet))] {
        let dial = DialId(dial);
        tell(&mut reach, 1, Command::Probed { dial, failed });
    }
    assert_eq!(outputs(&mut reach), []);
    // The second address never answers.
    reach.handle_timeout(at(10));
    let of = |address: &Address, failed: Option<CloseReason>| Dialled {
        address: address.clone(),
        failed,
    };
    let (first, second) = (address(1), address(2));
    let dialled = vec![
        of(&first, None),
        of(&first.over(Transport::Ws), Some(CloseReason::NotSporenet)),
        of(&second, Some(CloseReason::Unreachable)),
        of(&second.over(Transport::Ws), Some(CloseReason::Unreachable)),
    ];
    let message = Message::Told { id: 5, dialled };
    assert_eq!(outputs(&mut reach), [Output::Send { to: id(1), message }]);
}

#[test]
fn who_asks_too_often_or_is_no_linked_relay_is_refused() {
    let mut reach = with_relays(1);
    let tab = id(3);
    tell(
        &mut reach,
        0,
        Command::PeerUp {
            peer: tab,
            role: Role::Tab,
        },
    );
    hear(&mut reach, 0, tab, Message::Ask { id: 1 });
    hear(&mut reach, 0, id(1), Message::Ask { id: 1 });
    tell(
        &mut reach,
        0,
        Command::Addresses {
            peer: id(1),
            addresses: Vec::new(),
        },
    );
    hear(&mut reach, 9, id(1), Message::Ask { id: 2 });
    assert_eq!((reach.stats.served, reach.stats.refused), (1, 2));
    hear(&mut reach, 10, id(1), Message::Ask { id: 3 });
    assert_eq!((reach.stats.served, reach.stats.refused), (2, 2));
}

fn any_input() -> impl Strategy<Value = Input<Message, Command>> {
    let peer = (1_u8..6).prop_map(id);
    let dialled = || {
        proptest::collection::vec(any::<u16>(), 0..10).prop_map(|ports| {
            let ports = ports.into_iter().map(|port| port.max(1));
            let of = |port| Dialled {
                address: address(port),
                failed: None,
            };
            ports.map(of).collect::<Vec<_>>()
        })
    };
    let command = |command| Input::Command(command);
    prop_oneof![
        (peer.clone(), any::<bool>()).prop_map(move |(peer, is_tab)| {
            let role = if is_tab { Role::Tab } else { Role::Relay };
            command(Command::PeerUp { peer, role })
        }),
        peer.clone()
            .prop_map(move |peer| command(Command::PeerDown { peer })),
        (0_u64..4).prop_map(move |id| command(Command::Check {
            request: RequestId(id)
        })),
        (peer.clone(), dialled()).prop_map(move |(peer, dialled)| {
            let addresses = dialled.into_iter().map(|one| one.address).collect();
            command(Command::Addresses { peer, addresses })
        }),
        (0_u64..9).prop_map(move |dial| {
            command(Command::Probed {
                dial: DialId(dial),
                failed: None,
            })
        }),
        (peer.clone(), 0_u64..4).prop_map(|(from, id)| {
            let message = Message::Ask { id };
            Input::Message { from, message }
        }),
        (peer, 0_u64..4, dialled()).prop_map(|(from, id, dialled)| {
            let message = Message::Told { id, dialled };
            Input::Message { from, message }
        }),
    ]
}

proptest! {
    #[test]
    fn reach_obeys_the_laws_of_machines(
        script in proptest::collection::vec((0_u64..20_000_000, any_input()), 0..60)
    ) {
        let machine = || Reach::new(Config::default(), Role::Relay, Rng::from_number(1));
        laws::check(machine, &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }
}

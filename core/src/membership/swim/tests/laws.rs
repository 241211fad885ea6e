//! The laws of every machine, under arbitrary inputs.

use super::{
    hostile::{accusation, alone, record, record_of},
    world::{NETWORK, durable, keypair, not_durable},
};
use crate::{
    kernel::{
        crypto::{Hash, Verified, decode_exactly, encode},
        id::{Incarnation, NodeId, Role},
        laws::{Bounds, check},
        machine::Input,
    },
    membership::{
        dissemination::Rumour,
        member::{Lease, MemberState, Standing},
        swim::{Command, Config, Message, Swim, TableEntry},
    },
};
use alloc::{vec, vec::Vec};
use proptest::prelude::*;

fn peer(number: usize) -> NodeId {
    keypair(number % 6).id()
}

fn incarnation() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5, Just(u64::MAX), Just(u64::MAX - 1)]
}

fn rumour() -> impl Strategy<Value = Rumour> {
    let standing = prop_oneof![
        Just(Standing::Present),
        Just(Standing::Parked),
        Just(Standing::Left)
    ];
    let role = |number: usize| if number >= 4 { Role::Tab } else { Role::Relay };
    prop_oneof![
        (0_usize..6, incarnation(), 0_u64..3, standing).prop_map(move |(n, i, instance, s)| {
            Rumour::Record(record_of(n, i, instance, role(n), s))
        }),
        (0_usize..6, 0_usize..6, incarnation()).prop_map(|(a, s, i)| accusation(
            a,
            s,
            Incarnation(i)
        )),
        (
            0_usize..6,
            0_usize..6,
            incarnation(),
            any::<bool>(),
            any::<u32>()
        )
            .prop_map(|(home, tab, sequence, attached, ttl_ms)| {
                let body = Lease {
                    home: keypair(home).id(),
                    tab: keypair(tab).id(),
                    incarnation: Incarnation(1),
                    sequence,
                    attached,
                    ttl_ms,
                };
                Rumour::Lease(Verified::seal(body, &keypair(home), NETWORK).to_signed())
            }),
    ]
}

fn entry() -> impl Strategy<Value = TableEntry> {
    (0_usize..6, incarnation(), 0_usize..6).prop_map(|(n, i, accuser)| {
        let accusations = match accusation(accuser, n, Incarnation(i)) {
            Rumour::Accusation(word) => vec![word],
            Rumour::Record(_) | Rumour::Lease(_) => Vec::new(),
        };
        TableEntry {
            record: record(n, i, 1),
            state: MemberState::Dead,
            accusations,
            leases: Vec::new(),
        }
    })
}

fn maybe_id() -> impl Strategy<Value = Option<NodeId>> {
    proptest::option::of((0_usize..6).prop_map(peer))
}

fn message() -> impl Strategy<Value = Message> {
    let rumours = || proptest::collection::vec(rumour(), 0..4);
    let entries = || proptest::collection::vec(entry(), 0..3);
    let line = (0_usize..6, incarnation())
        .prop_map(|(n, i)| (peer(n), Incarnation(i), MemberState::Suspect));
    prop_oneof![
        (any::<u64>(), rumours()).prop_map(|(sequence, rumours)| Message::Ping {
            sequence,
            accusations: Vec::new(),
            rumours
        }),
        (any::<u64>(), rumours())
            .prop_map(|(sequence, rumours)| Message::Ack { sequence, rumours }),
        (any::<u64>(), 0_usize..6, rumours()).prop_map(|(sequence, target, rumours)| {
            Message::PingReq {
                sequence,
                target: peer(target),
                rumours,
            }
        }),
        any::<u64>().prop_map(|sequence| Message::Nack { sequence }),
        rumours().prop_map(|rumours| Message::Gossip { rumours }),
        any::<u8>().prop_map(|byte| Message::TableDigest {
            hash: Hash::from_bytes([byte; 32])
        }),
        (
            maybe_id(),
            maybe_id(),
            proptest::collection::vec(line, 0..5)
        )
            .prop_map(|(after, through, entries)| Message::TablePage {
                after,
                through,
                entries
            }),
        (
            maybe_id(),
            entries(),
            proptest::collection::vec((0_usize..6).prop_map(peer), 0..4)
        )
            .prop_map(|(through, entries, want)| Message::TableDiff {
                through,
                entries,
                want
            }),
        entries().prop_map(|entries| Message::TableEntries { entries }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let role = || prop_oneof![Just(Role::Relay), Just(Role::Tab)];
    prop_oneof![
        8 => (0_usize..6, role()).prop_map(|(n, role)| Command::PeerUp { peer: peer(n), role }),
        4 => (0_usize..6, any::<bool>())
            .prop_map(|(n, abrupt)| Command::PeerDown { peer: peer(n), abrupt }),
        2 => (0_usize..6).prop_map(|n| Command::DialRefused { peer: peer(n) }),
        2 => (0_usize..6).prop_map(|n| Command::Heard { peer: peer(n) }),
        1 => incarnation().prop_map(durable),
        1 => incarnation().prop_map(not_durable),
        1 => Just(Command::Park),
        1 => Just(Command::Unpark),
        1 => Just(Command::Leave),
        1 => Just(Command::Addresses(Vec::new())),
        1 => (0_usize..6, incarnation()).prop_map(|(n, i)| Command::Learned(vec![record(n, i, 1)])),
    ]
}

fn input() -> impl Strategy<Value = Input<Message, Command>> {
    prop_oneof![
        command().prop_map(Input::Command),
        (0_usize..6, message()).prop_map(|(n, message)| Input::Message {
            from: peer(n),
            message
        }),
    ]
}

fn script() -> impl Strategy<Value = Vec<(u64, Input<Message, Command>)>> {
    let gap = prop_oneof![Just(0_u64), 0_u64..2_000_000, 0_u64..20_000_000];
    proptest::collection::vec((gap, input()), 0..40)
}

fn build() -> Swim {
    alone(Config::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_laws_hold_for_arbitrary_inputs(script in script()) {
        prop_assert_eq!(check(build, &script, Bounds::default()), Ok(()));
    }

    #[test]
    fn every_message_reads_back(message in message()) {
        prop_assert_eq!(decode_exactly::<Message>(&encode(&message)), Ok(message));
    }

    #[test]
    fn nobody_is_dead_without_an_accusation_and_tabs_never(script in script()) {
        use crate::kernel::{machine::Machine, time::Time};
        let mut swim = build();
        let mut now = Time::ZERO;
        for (gap, input) in script {
            now = now + core::time::Duration::from_micros(gap);
            while swim.poll_timeout().is_some_and(|at| at <= now) {
                while swim.poll_output().is_some() {}
                if swim.poll_timeout().is_some_and(|at| at <= now) {
                    swim.handle_timeout(now);
                }
            }
            swim.handle_input(now, input);
            let counts = swim.counts();
            let sum = counts.alive + counts.suspect + counts.dead + counts.left + counts.parked;
            prop_assert_eq!(sum as usize, swim.members().count());
            for member in swim.members() {
                let judged = matches!(member.state, MemberState::Suspect | MemberState::Dead);
                prop_assert!(!judged || member.record.role == Role::Relay);
                prop_assert!(!judged || member.record.id != swim.own_record().id);
            }
        }
    }
}

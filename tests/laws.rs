//! The laws of `kernel::laws`, for the composite: a whole node under arbitrary commands and messages.
//!
//! Each machine is put before the laws in its own room; here they are checked for the sum.

use proptest::prelude::*;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        crypto::decode_exactly,
        id::{DialId, Incarnation, InstanceId, LinkId, NodeId, RequestId, Role, Ticket},
        laws::{self, Bounds},
        machine::Input,
        store::Stored,
        text::{Key, Name, Namespace},
        time::{Duration, Time, WallTime},
    },
    node::{
        Node,
        config::Config,
        contract::{Command, HostInput, LinkInput, Request, Signal, StoreInput},
        envelope::Envelope,
        message::Message,
        setup::Setup,
    },
    replication::write::AckLevel,
    wire::{body::Body, close::CloseReason, identity::PeerIdentity, invitation::KeyHint},
};

type Word = Input<Envelope, Command>;

fn relay() -> Node {
    let name = |text| Name::new(text).unwrap();
    let setup = Setup {
        may_found: true,
        config: Config {
            role: Role::Relay,
            name: name("lawful"),
            zone: None,
            location: None,
            addresses: vec!["tcp://127.0.0.1:7600".parse().unwrap()],
            version: "0".into(),
            network_name: name("laws"),
            entries: vec!["tcp://127.0.0.1:7601".parse().unwrap()],
            history_bytes_max: 0,
        },
        entropy: [7; 32],
        wall: WallTime::from_millis(1_790_000_000_000),
        stored: Stored::default(),
        join: None,
    };
    Node::start(setup, Time::ZERO).unwrap()
}

fn peer() -> impl Strategy<Value = NodeId> {
    (0_u8..4).prop_map(|seed| NodeId::from_bytes([seed; 32]))
}

fn link() -> impl Strategy<Value = LinkId> {
    prop_oneof![(0_u64..6).prop_map(LinkId), Just(LinkId(u64::MAX))]
}

fn reason() -> impl Strategy<Value = CloseReason> {
    prop_oneof![
        Just(CloseReason::Lost),
        Just(CloseReason::ConnectionRefused),
        Just(CloseReason::Leaving),
        Just(CloseReason::Parking),
        Just(CloseReason::WrongKey),
        Just(CloseReason::IdentityInUse {
            incarnation: Incarnation(u64::MAX)
        }),
    ]
}

fn about_links() -> impl Strategy<Value = LinkInput> {
    let identity = (peer(), any::<u64>(), 0_u64..3, any::<bool>()).prop_map(
        |(id, incarnation, instance, tab)| PeerIdentity {
            id,
            incarnation: Incarnation(incarnation),
            instance: InstanceId(instance),
            role: if tab { Role::Tab } else { Role::Relay },
            version: 1,
            features: 0,
        },
    );
    prop_oneof![
        (link(), identity, proptest::option::of(0_u64..6)).prop_map(|(link, peer, dial)| {
            LinkInput::Up {
                link,
                peer,
                dial: dial.map(DialId),
                invitation: None,
            }
        }),
        (link(), reason()).prop_map(|(link, reason)| LinkInput::Down { link, reason }),
        (0_u64..6, reason()).prop_map(|(dial, reason)| LinkInput::DialFailed {
            dial: DialId(dial),
            reason
        }),
        reason().prop_map(|reason| LinkInput::HandshakeRefused { reason }),
        (link(), any::<u32>()).prop_map(|(link, epoch)| {
            LinkInput::KeyWanted {
                link,
                hint: KeyHint::Isolation { epoch },
            }
        }),
    ]
}

fn about_data() -> impl Strategy<Value = HostInput> {
    let write = (
        any::<u64>(),
        0_u8..3,
        proptest::option::of(0_usize..300_000),
        any::<bool>(),
    );
    let namespace = || Namespace::new("laws").unwrap();
    prop_oneof![
        write.prop_map(move |(id, key, bytes, relay)| HostInput::Request {
            id: RequestId(id),
            request: Request::Write {
                namespace: namespace(),
                key: Key::new(&format!("key-{key}")).unwrap(),
                value: bytes.map(|bytes| Bytes::from(vec![1; bytes])),
                level: if relay {
                    AckLevel::Relay
                } else {
                    AckLevel::Local
                },
            },
        }),
        (0_u64..12).prop_map(|ticket| StoreInput::Persisted(Ticket(ticket)).into()),
        (0_u64..12, any::<bool>()).prop_map(|(ticket, full)| {
            let ticket = Ticket(ticket);
            StoreInput::PersistFailed { ticket, full }.into()
        }),
        (0_u64..12, 0_u64..12).prop_map(|(ticket, sequence)| {
            let loaded = StoreInput::Loaded {
                ticket: Ticket(ticket),
                records: vec![(sequence, Bytes::from(&b"nonsense"[..]))],
            };
            loaded.into()
        }),
        Just(Signal::Open(namespace()).into()),
        Just(Signal::Close(namespace()).into()),
    ]
}

fn about_the_node() -> impl Strategy<Value = HostInput> {
    let invite = (
        any::<u64>(),
        any::<u32>(),
        proptest::option::of(any::<u16>()),
    );
    prop_oneof![
        8 => any::<u64>().prop_map(|millis| {
            Signal::WallClock(WallTime::from_millis(millis)).into()
        }),
        4 => invite.prop_map(|(id, ttl, uses_max)| HostInput::Request {
            id: RequestId(id),
            request: Request::Invite {
                ttl: Duration::from_secs(u64::from(ttl)),
                uses_max,
                role: None,
            },
        }),
        4 => Just(Signal::NetworkChanged.into()),
        2 => Just(Signal::Park.into()),
        2 => Just(Signal::Unpark.into()),
        1 => Just(Signal::Leave.into()),
        1 => Just(Signal::Stop.into()),
    ]
}

/// Messages as they come off the wire: mostly what decodes.
fn message() -> impl Strategy<Value = Word> {
    let bytes = proptest::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..120);
    (peer(), link(), 1_u16..6, bytes).prop_map(|(from, link, kind, mut bytes)| {
        // Trailing bytes are refused, so the longest prefix that decodes is taken.
        let decodes = |end: &usize| Message::decode(kind, &bytes[..*end]).is_ok();
        if let Some(end) = (0..=bytes.len()).rev().find(decodes) {
            bytes.truncate(end);
        }
        let message = Envelope::sealed(link, kind, bytes.into());
        Input::Message { from, message }
    })
}

fn script() -> impl Strategy<Value = Vec<(u64, Word)>> {
    let gap = prop_oneof![
        Just(0),
        0_u64..2_000_000,
        Just(60_000_000),
        Just(3_600_000_000)
    ];
    let word = prop_oneof![
        about_links().prop_map(|input| Input::Command(input.into())),
        about_data().prop_map(|input| Input::Command(input.into())),
        about_the_node().prop_map(|input| Input::Command(input.into())),
        message(),
    ];
    proptest::collection::vec((gap, word), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_node_obeys_the_laws(script in script()) {
        laws::check(relay, &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn a_message_of_nonsense_is_none() {
    assert!(decode_exactly::<u8>(b"").is_err());
    assert!(Message::decode(1, b"\xff\xff\xff").is_err());
    assert_eq!(Message::decode(999, b""), Ok(None));
}

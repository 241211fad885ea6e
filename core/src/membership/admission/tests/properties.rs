//! The laws, and what holds however inputs and failures interleave.

use super::*;
use crate::kernel::laws::{self, Bounds};
use alloc::collections::{BTreeSet, VecDeque};
use proptest::prelude::*;

fn any_invitation() -> impl Strategy<Value = Invitation> {
    let (limited, _) = issue(&mut relay(), Some(2), None);
    let changes = (
        any::<bool>(),
        0_u16..4,
        0_u32..2,
        prop_oneof![Just(0), Just(u64::MAX)],
    );
    (changes, any::<bool>()).prop_map(move |((mine, uses, epoch, expires), first)| Invitation {
        serial: if first { limited.serial } else { [4; 16] },
        issuer: if mine { id(1) } else { id(3) },
        expires_at: if expires == 0 {
            limited.expires_at
        } else {
            WallTime::from_millis(expires)
        },
        uses_max: (uses > 0).then_some(uses),
        role: None,
        epoch,
    })
}

fn any_input() -> impl Strategy<Value = Input<Message, Command>> {
    let link = || (0_u64..9).prop_map(LinkId);
    let token = || prop_oneof![1_u64..25, Just(u64::MAX)];
    let command = prop_oneof![
        (0_u64..4_000_000, prop::option::of(0_u16..4)).prop_map(|(ttl, uses_max)| {
            Command::Invite {
                request: RequestId(ttl),
                ttl: Duration::from_secs(ttl),
                uses_max,
                role: None,
            }
        }),
        (link(), any_invitation()).prop_map(|(link, invitation)| Command::KeyWanted {
            link,
            hint: KeyHint::Invite(invitation)
        }),
        (link(), any::<u32>()).prop_map(|(link, epoch)| Command::KeyWanted {
            link,
            hint: KeyHint::Isolation { epoch }
        }),
        (link(), 0_u16..5, any_invitation()).prop_map(|(link, n, invitation)| Command::Arrived {
            link,
            peer: peer(n),
            invitation
        }),
        (link(), 0_u16..5).prop_map(|(link, n)| Command::Entered { link, peer: id(n) }),
        link().prop_map(|link| Command::LinkDown { link }),
        token().prop_map(persisted),
        token().prop_map(not_persisted),
        prop_oneof![Just(0), Just(WALL.as_millis()), Just(u64::MAX)]
            .prop_map(|wall| Command::WallClock(WallTime::from_millis(wall))),
    ];
    prop_oneof![
        9 => command.prop_map(Input::Command),
        1 => (0_u16..5).prop_map(|n| Input::Message { from: id(n), message: welcome() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_laws_hold(
        script in prop::collection::vec((0_u64..20_000_000, any_input()), 0..60),
        member in any::<bool>(),
    ) {
        let build = || {
            if member {
                return relay();
            }
            let (invitation, key) = issue(&mut relay(), None, None);
            newcomer(invitation, key)
        };
        prop_assert_eq!(laws::check(build, &script, Bounds::default()), Ok(()));
    }

    #[test]
    fn never_more_newcomers_get_in_than_the_invite_has_uses_whatever_fails(
        steps in prop::collection::vec((0_u8..5, 0_u16..6), 0..80),
        uses_max in 1_u16..4,
    ) {
        let mut relay = relay();
        let (invitation, _) = issue(&mut relay, Some(uses_max), None);
        let (mut disk, mut puts) = (Vec::new(), VecDeque::new());
        let mut inside = BTreeSet::new();
        for (what, n) in steps {
            let oldest = || puts.front().and_then(token_of);
            let command = match (what, oldest()) {
                (0 | 1, _) | (_, None) => arrived(n, &invitation),
                (2, _) => Command::LinkDown { link: LinkId(u64::from(n)) },
                (3, Some(token)) => persisted(token),
                (_, Some(token)) => not_persisted(token),
            };
            if matches!(command, Command::Persisted(_) | Command::PersistFailed(_)) {
                let put = puts.pop_front().unwrap();
                if matches!(command, Command::Persisted(_)) {
                    disk = stored_of(&[put]);
                }
            }
            for output in give(&mut relay, command) {
                if token_of(&output).is_some() {
                    puts.push_back(output);
                } else if let Output::Event(Event::Admit { peer, .. }) = output {
                    inside.insert(peer.id);
                    // A crash right after the welcome must not forget the use.
                    let mut restarted = relay_with(disk.clone());
                    let again = Command::Arrived { link: LinkId(99), peer, invitation: invitation.clone() };
                    prop_assert!(stored_of(&give(&mut restarted, again)).is_empty());
                }
            }
            prop_assert!(inside.len() <= usize::from(uses_max), "{} are in", inside.len());
        }
    }
}

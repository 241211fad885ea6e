//! Behaviour, laws and hostile peers.
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::*;
use crate::{
    kernel::{
        bytes::Bytes,
        component::Settings as _,
        crypto::{Keypair, Secret},
        id::{Incarnation, InstanceId, LinkId, NetworkId, NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        persist::{Persist, PersistFailed, PersistOp, Persisted},
        rng::Rng,
        text::Name,
        time::{Time, WallTime},
    },
    membership::{genesis, spore::Spore},
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
    },
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

mod properties;

const WALL: WallTime = WallTime::from_millis(1_790_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn founded() -> genesis::Founded {
    let founder = Keypair::from_seed(&[1; 32]);
    let name = Name::new("garden").unwrap();
    genesis::found(name, &founder, WALL, &mut Rng::from_number(1))
}

fn id(n: u16) -> NodeId {
    let [high, low] = n.to_be_bytes();
    let mut bytes = [9; 32];
    bytes[0] = high;
    bytes[1] = low;
    NodeId::from_bytes(bytes)
}

fn peer(n: u16) -> PeerIdentity {
    PeerIdentity {
        id: id(n),
        incarnation: Incarnation(1),
        instance: InstanceId(1),
        role: Role::Relay,
        version: 1,
        features: 0,
    }
}

fn own(n: u16) -> Own {
    Own {
        id: id(n),
        role: Role::Relay,
        network: founded().network,
    }
}

fn relay_with(invites: Vec<(String, Bytes)>) -> Admission {
    let founded = founded();
    let credentials = Credentials {
        isolation: Some((0, founded.isolation_key)),
        invitation: None,
        genesis: Some(founded.document),
        invites,
    };
    Admission::new(small(), own(1), credentials, Rng::from_number(2), WALL)
}

fn relay() -> Admission {
    relay_with(Vec::new())
}

fn small() -> Config {
    Config {
        invites_max: 3,
        redemptions_max: 100,
        ..Config::default()
    }
}

fn newcomer(invitation: Invitation, key: Secret) -> Admission {
    let credentials = Credentials {
        invitation: Some((invitation, key)),
        ..Credentials::default()
    };
    Admission::new(small(), own(2), credentials, Rng::from_number(3), WALL)
}

fn drain(machine: &mut Admission) -> Vec<Output<Message, Event>> {
    core::iter::from_fn(|| machine.poll_output()).collect()
}

fn give(machine: &mut Admission, command: Command) -> Vec<Output<Message, Event>> {
    machine.handle_input(Time::ZERO, Input::Command(command));
    drain(machine)
}

/// Gives a command and makes everything durable that it asks for; answers all outputs but puts.
fn run(machine: &mut Admission, command: Command) -> Vec<Output<Message, Event>> {
    let mut seen = Vec::new();
    let mut outputs = give(machine, command);
    while !outputs.is_empty() {
        let (puts, others): (Vec<_>, Vec<_>) = outputs
            .into_iter()
            .partition(|output| token_of(output).is_some());
        seen.extend(others);
        outputs = puts
            .iter()
            .filter_map(token_of)
            .flat_map(|token| give(machine, persisted(token)))
            .collect();
    }
    seen
}

const fn persisted(token: u64) -> Command {
    Command::Persisted(Persisted {
        token,
        sequence: None,
    })
}

const fn not_persisted(token: u64) -> Command {
    Command::PersistFailed(PersistFailed { token, full: true })
}

fn token_of(output: &Output<Message, Event>) -> Option<u64> {
    if let Output::Event(Event::Persist(request)) = output {
        Some(request.token)
    } else {
        None
    }
}

fn stored_of(outputs: &[Output<Message, Event>]) -> Vec<(String, Bytes)> {
    outputs
        .iter()
        .filter_map(|output| {
            let Output::Event(Event::Persist(request)) = output else {
                return None;
            };
            match &request.op {
                PersistOp::Put { key, value } => Some((key.clone(), value.clone())),
                PersistOp::Append(_) | PersistOp::Delete { .. } | PersistOp::DropBefore(_) => None,
            }
        })
        .collect()
}

fn invite(uses_max: Option<u16>, role: Option<Role>) -> Command {
    Command::Invite {
        request: RequestId(1),
        ttl: HOUR,
        uses_max,
        role,
    }
}

fn issue(
    machine: &mut Admission,
    uses_max: Option<u16>,
    role: Option<Role>,
) -> (Invitation, Secret) {
    let first = run(machine, invite(uses_max, role)).remove(0);
    let Output::Event(Event::Issued {
        invitation, key, ..
    }) = first
    else {
        panic!("not issued: {first:?}");
    };
    (invitation, key)
}

fn key_for(machine: &mut Admission, hint: KeyHint) -> Result<Secret, CloseReason> {
    let link = LinkId(7);
    let first = give(machine, Command::KeyWanted { link, hint }).remove(0);
    let Output::Event(Event::Key { key, .. }) = first else {
        panic!("no answer: {first:?}");
    };
    key
}

fn arrived(n: u16, invitation: &Invitation) -> Command {
    Command::Arrived {
        link: LinkId(u64::from(n)),
        peer: peer(n),
        invitation: invitation.clone(),
    }
}

fn admitted(outputs: &[Output<Message, Event>]) -> usize {
    outputs
        .iter()
        .filter(|o| matches!(o, Output::Event(Event::Admit { .. })))
        .count()
}

fn rejected(outputs: &[Output<Message, Event>]) -> Vec<CloseReason> {
    outputs
        .iter()
        .filter_map(|output| {
            if let Output::Event(Event::Reject { reason, .. }) = output {
                Some(reason.clone())
            } else {
                None
            }
        })
        .collect()
}

fn welcome() -> Message {
    Message::Welcome {
        genesis: founded().document,
        epoch: 0,
        isolation_key: founded().isolation_key,
        spore: Spore::new(founded().network),
    }
}

fn say(machine: &mut Admission, from: u16, message: Message) -> Vec<Output<Message, Event>> {
    let from = id(from);
    machine.handle_input(Time::ZERO, Input::Message { from, message });
    drain(machine)
}

#[test]
fn an_invited_newcomer_ends_up_with_the_networks_key() {
    let mut relay = relay();
    let (invitation, key) = issue(&mut relay, Some(1), None);
    let mut newcomer = newcomer(invitation.clone(), key.clone());
    let (hint, offered) = newcomer.credential().unwrap();
    assert_eq!(key_for(&mut relay, hint), Ok(offered));
    let outputs = run(&mut relay, arrived(2, &invitation));
    let Some(Output::Send { message, .. }) = outputs.first().cloned() else {
        panic!("no welcome: {outputs:?}");
    };
    assert_eq!(admitted(&outputs), 1);

    run(
        &mut newcomer,
        Command::Entered {
            link: LinkId(5),
            peer: id(1),
        },
    );
    let puts = say(&mut newcomer, 1, message);
    assert_eq!(stored_of(&puts)[0].0, GENESIS_KEY);
    let puts = give(&mut newcomer, persisted(1));
    assert_eq!(stored_of(&puts)[0].0, isolation_key_name(0));
    assert!(!newcomer.is_member(), "not before it is durable");
    let outputs = give(&mut newcomer, persisted(2));
    assert!(matches!(
        outputs[..],
        [Output::Event(Event::Joined {
            isolation: (0, _),
            ..
        })]
    ));
    let isolation = KeyHint::Isolation { epoch: 0 };
    assert_eq!(
        newcomer.credential(),
        Some((isolation, founded().isolation_key))
    );
}

#[test]
fn of_64_arrivals_on_a_one_use_invite_exactly_one_gets_in() {
    let mut relay = relay();
    let (invitation, _) = issue(&mut relay, Some(1), None);
    let mut outputs: Vec<_> = (10..74)
        .flat_map(|n| give(&mut relay, arrived(n, &invitation)))
        .collect();
    assert_eq!(admitted(&outputs), 0, "nothing before the use is durable");
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Send { .. }))
    );
    let tokens: Vec<u64> = outputs.iter().filter_map(token_of).collect();
    assert_eq!(tokens.len(), 1);
    outputs.extend(give(&mut relay, persisted(tokens[0])));
    assert_eq!(admitted(&outputs), 1);
    assert_eq!(rejected(&outputs), alloc::vec![CloseReason::InviteUsed; 63]);
}

#[test]
fn the_same_newcomer_takes_no_second_use_and_nobody_else_gets_in() {
    let mut relay = relay();
    let (invitation, key) = issue(&mut relay, Some(1), None);
    let first = give(&mut relay, arrived(5, &invitation));
    assert!(
        give(&mut relay, arrived(5, &invitation)).is_empty(),
        "waits with the first"
    );
    let token = first.iter().find_map(token_of).unwrap();
    assert_eq!(admitted(&give(&mut relay, persisted(token))), 1);
    let hint = KeyHint::Invite(invitation.clone());
    assert_eq!(
        key_for(&mut relay, hint.clone()),
        Ok(key),
        "its welcome may be lost"
    );
    assert_eq!(admitted(&run(&mut relay, arrived(5, &invitation))), 1);
    assert_eq!(
        rejected(&run(&mut relay, arrived(6, &invitation))),
        [CloseReason::InviteUsed]
    );
    relay.handle_timeout(Time::from_millis(61_000));
    assert_eq!(key_for(&mut relay, hint), Err(CloseReason::InviteUsed));
}

#[test]
fn uses_survive_a_restart() {
    let mut relay = relay();
    let (invitation, _) = issue(&mut relay, Some(1), None);
    let stored = stored_of(&give(&mut relay, arrived(5, &invitation)));
    let mut again = relay_with(stored);
    assert_eq!(
        rejected(&run(&mut again, arrived(6, &invitation))),
        [CloseReason::InviteUsed]
    );
    assert_eq!(admitted(&run(&mut again, arrived(5, &invitation))), 1);
}

#[test]
fn a_use_whose_newcomer_went_away_is_given_back() {
    let mut relay = relay();
    let (invitation, _) = issue(&mut relay, Some(1), None);
    let put = give(&mut relay, arrived(5, &invitation));
    give(&mut relay, Command::LinkDown { link: LinkId(5) });
    let token = put.iter().find_map(token_of).unwrap();
    let outputs = give(&mut relay, persisted(token));
    assert_eq!(admitted(&outputs), 0);
    let mut restarted = relay_with(stored_of(&outputs));
    assert_eq!(admitted(&run(&mut restarted, arrived(6, &invitation))), 1);
    assert_eq!(admitted(&run(&mut relay, arrived(6, &invitation))), 1);
}

#[test]
fn a_use_that_could_not_be_stored_is_free_again() {
    let mut relay = relay();
    let (invitation, _) = issue(&mut relay, Some(1), None);
    let put = give(&mut relay, arrived(5, &invitation));
    let token = put.iter().find_map(token_of).unwrap();
    let outputs = give(&mut relay, not_persisted(token));
    assert_eq!(rejected(&outputs), [CloseReason::Busy]);
    assert_eq!(admitted(&run(&mut relay, arrived(6, &invitation))), 1);
}

#[test]
fn each_refusal_has_its_own_reason() {
    let mut relay = relay();
    let (good, _) = issue(&mut relay, Some(2), Some(Role::Tab));
    let mut refused =
        |invitation: Invitation| key_for(&mut relay, KeyHint::Invite(invitation)).err();
    let expired = Invitation {
        expires_at: WALL,
        ..good.clone()
    };
    assert_eq!(refused(expired), Some(CloseReason::InviteExpired));
    let epoch = Invitation {
        epoch: 1,
        ..good.clone()
    };
    assert_eq!(refused(epoch), Some(CloseReason::WrongEpoch));
    let elsewhere = Invitation {
        issuer: id(8),
        ..good.clone()
    };
    assert_eq!(
        refused(elsewhere),
        Some(CloseReason::InviteElsewhere { issuer: id(8) })
    );
    let unknown = Invitation {
        serial: [0; 16],
        ..good.clone()
    };
    assert_eq!(refused(unknown), Some(CloseReason::InviteUsed));
    let changed = Invitation {
        uses_max: Some(9),
        ..good.clone()
    };
    assert_eq!(refused(changed), Some(CloseReason::InviteUsed));
    assert_eq!(
        key_for(&mut relay, KeyHint::Isolation { epoch: 4 }),
        Err(CloseReason::WrongEpoch)
    );
    assert_eq!(
        rejected(&run(&mut relay, arrived(5, &good))),
        [CloseReason::InviteRole]
    );
}

#[test]
fn an_unlimited_invite_is_honoured_by_every_relay_without_a_store() {
    let (invitation, key) = issue(&mut relay(), None, None);
    let founded = founded();
    let credentials = Credentials {
        isolation: Some((0, founded.isolation_key)),
        genesis: Some(founded.document),
        ..Credentials::default()
    };
    let mut other = Admission::new(small(), own(3), credentials, Rng::from_number(9), WALL);
    assert_eq!(
        key_for(&mut other, KeyHint::Invite(invitation.clone())),
        Ok(key)
    );
    assert_eq!(admitted(&give(&mut other, arrived(5, &invitation))), 1);
}

#[test]
fn a_newcomer_answers_busy_and_cannot_invite() {
    let (invitation, key) = issue(&mut relay(), None, None);
    let mut newcomer = newcomer(invitation.clone(), key.clone());
    let hint = KeyHint::Isolation { epoch: 0 };
    assert_eq!(key_for(&mut newcomer, hint), Err(CloseReason::Busy));
    let (other, _) = issue(&mut relay(), Some(3), None);
    let hint = KeyHint::Invite(other);
    assert_eq!(key_for(&mut newcomer, hint), Err(CloseReason::Busy));
    // Its own invite: who comes with it may be itself, which only the handshake shows. Anyone else is
    // turned away after it.
    let hint = KeyHint::Invite(invitation.clone());
    assert_eq!(key_for(&mut newcomer, hint), Ok(key));
    assert_eq!(
        rejected(&run(&mut newcomer, arrived(5, &invitation))),
        [CloseReason::Busy]
    );
    let refusal = InviteRefusal::CannotInvite;
    let request = RequestId(1);
    assert_eq!(
        run(&mut newcomer, invite(None, None)),
        [Output::Event(Event::InviteRefused { request, refusal })]
    );
}

fn refusal_of(outputs: &[Output<Message, Event>]) -> Option<InviteRefusal> {
    outputs.iter().find_map(|output| {
        if let Output::Event(Event::InviteRefused { refusal, .. }) = output {
            Some(*refusal)
        } else {
            None
        }
    })
}

#[test]
fn invites_out_of_range_are_refused() {
    let mut relay = relay();
    for (ttl, uses_max) in [
        (Duration::from_millis(999), None),
        (TTL_MAX + Duration::from_millis(1), None),
        (Duration::MAX, None),
        (HOUR, Some(0)),
        (HOUR, Some(1_001)),
    ] {
        let command = Command::Invite {
            request: RequestId(1),
            ttl,
            uses_max,
            role: None,
        };
        assert_eq!(
            refusal_of(&run(&mut relay, command)),
            Some(InviteRefusal::OutOfRange)
        );
    }
}

#[test]
fn a_limited_invite_is_given_out_only_once_its_counter_is_durable() {
    let mut relay = relay();
    let put = give(&mut relay, invite(Some(1), None));
    assert_eq!(put.len(), 1);
    assert!(stored_of(&put)[0].0.starts_with(INVITE_PREFIX));
    let token = token_of(&put[0]).unwrap();
    let outputs = give(&mut relay, not_persisted(token));
    assert_eq!(refusal_of(&outputs), Some(InviteRefusal::NotStored));
    assert_eq!(relay.invites_open(), 0);
}

#[test]
fn open_limited_invites_are_bounded_and_expired_ones_make_room() {
    let mut relay = relay();
    for _ in 0..3 {
        issue(&mut relay, Some(1), None);
    }
    assert_eq!(
        refusal_of(&run(&mut relay, invite(Some(1), None))),
        Some(InviteRefusal::TooMany)
    );
    issue(&mut relay, None, None);
    run(&mut relay, Command::WallClock(WALL.plus(2 * HOUR)));
    assert_eq!(relay.invites_open(), 3, "kept for a day");
    issue(&mut relay, Some(1), None);
    assert_eq!(relay.invites_open(), 1);
}

#[test]
fn expired_invites_leave_the_store_after_a_day() {
    let mut relay = relay();
    let (invitation, _) = issue(&mut relay, Some(1), None);
    assert!(give(&mut relay, Command::WallClock(WALL.plus(24 * HOUR))).is_empty());
    let outputs = give(&mut relay, Command::WallClock(WALL.plus(26 * HOUR)));
    let key = invites::key_of(&invitation.serial);
    let gone = Persist::delete(0, key);
    assert_eq!(outputs, [Output::Event(Event::Persist(gone))]);
    assert_eq!(relay.invites_open(), 0);
}

#[test]
fn a_stored_invite_that_cannot_be_read_lets_nobody_in() {
    let mut first = relay();
    let outputs = give(&mut first, invite(Some(1), None));
    let (key, value) = stored_of(&outputs).remove(0);
    for bit in 0..value.len() * 8 {
        let mut flipped = value.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        relay_with(alloc::vec![(key.clone(), flipped.into())]);
    }
    let cut = Bytes::from(&value[..value.len() - 1]);
    let relay = relay_with(alloc::vec![(key, cut), ("invite/x".into(), value)]);
    assert_eq!((relay.invites_open(), relay.stats().unreadable), (0, 2));
}

#[test]
fn a_welcome_that_nobody_asked_for_is_an_offence() {
    let unexpected = |peer| Event::Offence {
        peer,
        offence: Offence::UnexpectedWelcome,
    };
    assert_eq!(
        say(&mut relay(), 4, welcome()),
        [Output::Event(unexpected(id(4)))]
    );
    let (invitation, key) = issue(&mut relay(), None, None);
    let mut newcomer = newcomer(invitation, key);
    give(
        &mut newcomer,
        Command::Entered {
            link: LinkId(5),
            peer: id(1),
        },
    );
    assert_eq!(
        say(&mut newcomer, 4, welcome()),
        [Output::Event(unexpected(id(4)))]
    );
    give(&mut newcomer, Command::LinkDown { link: LinkId(5) });
    assert_eq!(
        say(&mut newcomer, 1, welcome()),
        [Output::Event(unexpected(id(1)))]
    );
}

/// Welcomes that are each wrong in one thing.
fn false_welcomes() -> [(Message, Offence); 4] {
    let lie = |document: Option<Bytes>, epoch: u32, key: Option<Secret>, network: NetworkId| {
        Message::Welcome {
            genesis: document.unwrap_or_else(|| founded().document),
            epoch,
            isolation_key: key.unwrap_or_else(|| founded().isolation_key),
            spore: Spore::new(network),
        }
    };
    let (network, other) = (founded().network, NetworkId::from_bytes([3; 32]));
    let no_document = Some(Bytes::default());
    let wrong_key = Some(Secret::from_bytes([3; 32]));
    [
        (lie(no_document, 0, None, network), Offence::WrongGenesis),
        (lie(None, 0, wrong_key, network), Offence::WrongKey),
        (lie(None, 9, None, network), Offence::WrongKey),
        (lie(None, 0, None, other), Offence::WrongSpore),
    ]
}

#[test]
fn a_false_welcome_is_an_offence_and_stores_nothing() {
    let (invitation, key) = issue(&mut relay(), None, None);
    let mut newcomer = newcomer(invitation, key);
    let (link, peer) = (LinkId(5), id(1));
    give(&mut newcomer, Command::Entered { link, peer });
    for (message, offence) in false_welcomes() {
        let outputs = say(&mut newcomer, 1, message);
        assert_eq!(outputs, [Output::Event(Event::Offence { peer, offence })]);
    }
    assert_eq!(
        say(&mut newcomer, 1, welcome()).len(),
        1,
        "the true one is still taken"
    );
    assert!(
        say(&mut newcomer, 1, welcome()).is_empty(),
        "a second one changes nothing"
    );
}

#[test]
fn what_a_welcome_brought_is_stored_again_after_a_failure() {
    let (invitation, key) = issue(&mut relay(), None, None);
    let mut newcomer = newcomer(invitation, key);
    give(
        &mut newcomer,
        Command::Entered {
            link: LinkId(5),
            peer: id(1),
        },
    );
    say(&mut newcomer, 1, welcome());
    assert!(give(&mut newcomer, not_persisted(1)).is_empty());
    let due = newcomer.poll_timeout().unwrap();
    newcomer.handle_timeout(due);
    assert_eq!(stored_of(&drain(&mut newcomer))[0].0, GENESIS_KEY);
    give(&mut newcomer, persisted(2));
    give(&mut newcomer, persisted(3));
    assert!(newcomer.is_member());
}

#[test]
fn the_default_settings_are_valid() {
    assert_eq!(Config::default().validate(), Ok(()));
}

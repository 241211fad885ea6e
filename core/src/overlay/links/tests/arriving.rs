//! Links under an invite.

use super::*;

fn arrived(link: u64, peer: u8, dial: Option<DialId>) -> Command {
    Command::Arrived {
        link: LinkId(link),
        peer: identity(peer, 1, u64::from(peer)),
        dial,
    }
}

/// A newcomer that dialled its entry and is under the invite's key since 1 s.
fn newcomer() -> (Links, DialId) {
    let mut a = links(1);
    command(&mut a, 0, Command::Entry(address(7602)));
    let dial = dials(&run(&mut a, 1_000, true))[0];
    assert_eq!(command(&mut a, 1_000, arrived(1, 2, Some(dial))), []);
    (a, dial)
}

fn is_up(events: &[Event], peer: u8) -> bool {
    let up = |event: &Event| matches!(event, Event::PeerUp(up) if up.id == id(peer));
    events.iter().any(up)
}

#[test]
fn a_link_under_an_invite_is_no_peers_until_one_side_was_let_in() {
    let (mut a, _) = newcomer();
    assert!(a.is_arriving(LinkId(1)) && a.may_welcome(id(2)) && !a.is_linked(id(2)));
    assert!(is_up(&command(&mut a, 1_100, Command::Joined), 2));
    let mut relay = links(2);
    assert_eq!(command(&mut relay, 0, arrived(7, 3, None)), []);
    assert!(!relay.may_welcome(id(3)), "it did not dial");
    let let_in = Command::Admitted { link: LinkId(7) };
    assert!(is_up(&command(&mut relay, 5, let_in), 3));
}

#[test]
fn a_link_that_waits_to_be_let_in_does_not_come_up_by_a_hosts_word() {
    let mut relay = links(2);
    command(&mut relay, 0, arrived(7, 3, None));
    assert_eq!(command(&mut relay, 1, up(7, identity(3, 1, 3), None)), []);
    assert!(relay.is_arriving(LinkId(7)) && !relay.is_linked(id(3)));
    assert_eq!(Component::check(&relay), Ok(()));
}

#[test]
fn a_link_that_comes_up_after_another_entry_let_us_in_is_a_peers_at_once() {
    let (mut a, _) = newcomer();
    command(&mut a, 1_000, Command::Entry(address(7603)));
    let dial = dials(&run(&mut a, 1_500, true))[0];
    command(&mut a, 1_600, Command::Joined);
    assert!(is_up(&command(&mut a, 1_700, arrived(2, 3, Some(dial))), 3));
    assert!(!a.is_arriving(LinkId(2)));
}

#[test]
fn a_newcomer_whose_relay_says_nothing_closes_the_link_and_dials_again() {
    let (mut a, dial) = newcomer();
    let events = run(&mut a, 60_000, true);
    let reason = CloseReason::Silent;
    assert!(events.contains(&Event::Close {
        link: LinkId(1),
        reason,
    }));
    let again = dials(&events);
    assert!(!again.is_empty() && !again.contains(&dial), "{again:?}");
}

#[test]
fn a_relay_that_says_that_our_identity_is_in_use_is_not_believed() {
    let (mut a, _) = newcomer();
    let reason = CloseReason::IdentityInUse {
        incarnation: Incarnation(9),
    };
    let link = LinkId(1);
    let events = command(
        &mut a,
        2_000,
        Command::Down {
            link,
            reason: reason.clone(),
        },
    );
    let told: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::IdentityConflict { .. }))
        .collect();
    let hearsay = Event::IdentityConflict {
        identity: id(1),
        reason,
        told_by: Some(id(2)),
    };
    assert_eq!(told, [&hearsay]);
    assert!(
        !dials(&run(&mut a, 60_000, true)).is_empty(),
        "it is dialled again"
    );
}

#[test]
fn more_newcomers_than_there_is_room_for_are_told_to_come_again() {
    let config = Config {
        arriving_max: 1,
        ..Config::default()
    };
    let rng = crate::kernel::rng::Rng::from_number(1);
    let mut relay = Links::new(config, id(1), InstanceId(1), Role::Relay, rng);
    assert_eq!(command(&mut relay, 0, arrived(1, 2, None)), []);
    let busy = Event::Close {
        link: LinkId(2),
        reason: CloseReason::Busy,
    };
    assert_eq!(command(&mut relay, 0, arrived(2, 3, None)), [busy]);
    command(&mut relay, 1, Command::Stop(CloseReason::Leaving));
    assert!(!relay.holds(LinkId(1)));
}

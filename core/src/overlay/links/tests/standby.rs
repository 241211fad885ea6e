//! Second links of a peer, until it says something there.

use super::*;

/// A node with a link of a peer that dialled it, and a second one.
fn with_second_link() -> Links {
    let mut b = links(2);
    command(&mut b, 0, up(1, identity(1, 1, 1), None));
    assert_eq!(command(&mut b, 1, up(2, identity(1, 1, 1), None)), []);
    b
}

fn down(link: u64, reason: CloseReason) -> Command {
    Command::Down {
        link: LinkId(link),
        reason,
    }
}

#[test]
fn a_dial_that_meant_somebody_else_touches_no_link() {
    let mut b = with_second_link();
    assert_eq!(command(&mut b, 2, down(2, CloseReason::UnexpectedPeer)), []);
    assert_eq!(b.link_of(id(1)), Some(LinkId(1)));
    assert!(!b.holds(LinkId(2)));
    assert_eq!(b.check(), Ok(()));
}

#[test]
fn a_link_that_waits_takes_over_when_the_other_is_lost() {
    let mut b = with_second_link();
    assert_eq!(command(&mut b, 2, down(1, CloseReason::Lost)), []);
    assert_eq!(b.link_of(id(1)), Some(LinkId(2)));
    assert_eq!(b.check(), Ok(()));
}

#[test]
fn only_the_newest_link_waits_and_all_end_with_a_goodbye() {
    let mut b = with_second_link();
    let close = |link, reason| Event::Close {
        link: LinkId(link),
        reason,
    };
    let third = command(&mut b, 2, up(3, identity(1, 1, 1), None));
    assert_eq!(third, [close(2, CloseReason::Duplicate)]);
    let events = command(&mut b, 3, down(1, CloseReason::Leaving));
    assert!(events.contains(&close(3, CloseReason::Leaving)));
    assert!(!b.is_linked(id(1)) && !b.holds(LinkId(3)));
}

#[test]
fn a_member_whose_address_is_another_nodes_now_is_told_of() {
    let mut a = links(1);
    let targets = Command::Targets(vec![(id(2), vec![address(7600)])]);
    command(&mut a, 0, targets);
    let dial = dials(&run(&mut a, 1_000, true))[0];
    let reason = CloseReason::UnexpectedPeer;
    let events = command(&mut a, 1_000, Command::DialFailed { dial, reason });
    let elsewhere = Event::Elsewhere {
        peer: id(2),
        address: address(7600),
    };
    assert!(events.contains(&elsewhere), "{events:?}");
}

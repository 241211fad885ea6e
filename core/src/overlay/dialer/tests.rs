//! What the dialer promises, as sentences.

use super::*;
use crate::kernel::{
    address::{Address, Transport},
    id::NodeId,
    time::Time,
};
use alloc::vec::Vec;

fn address(port: u16) -> Address {
    Address::new(Transport::Tcp, "127.0.0.1", port).unwrap()
}

const fn member(byte: u8) -> Destination {
    Destination::Member(NodeId::from_bytes([byte; 32]))
}

fn dialer() -> Dialer {
    Dialer::new(DialerConfig::default())
}

fn started(dialer: &mut Dialer) -> Vec<Option<NodeId>> {
    let dials = core::iter::from_fn(|| dialer.start(Time::from_millis(1), |_| true));
    dials.map(|dial| dial.expect).collect()
}

#[test]
fn a_member_that_announces_no_address_any_more_blocks_nobody() {
    let mut dialer = dialer();
    dialer.want(member(1), &[address(1)], Time::ZERO, false);
    dialer.want(member(1), &[], Time::ZERO, false);
    dialer.want(member(2), &[address(2)], Time::ZERO, false);
    let expected = [1, 2].map(|byte| Some(NodeId::from_bytes([byte; 32])));
    assert_eq!(started(&mut dialer), expected);
}

#[test]
fn a_running_dial_ends_though_its_member_announces_no_address_any_more() {
    let mut dialer = dialer();
    dialer.want(member(1), &[address(1)], Time::ZERO, false);
    let dial = dialer.start(Time::ZERO, |_| true).unwrap().dial;
    dialer.want(member(1), &[], Time::ZERO, false);
    let mut rng = crate::kernel::rng::Rng::from_number(1);
    let reason = crate::wire::close::CloseReason::Unreachable;
    assert!(dialer.failed(Time::ZERO, dial, &reason, &mut rng).is_some());
    assert_eq!(dialer.check(|_| true), Ok(()));
}

#[test]
fn members_have_room_however_many_entries_a_spore_brought() {
    let mut dialer = dialer();
    for port in 1..=64 {
        dialer.want_entry(address(port), Time::ZERO);
    }
    for byte in 1..=8 {
        let port = 1_000 + u16::from(byte);
        dialer.want(member(byte), &[address(port)], Time::ZERO, false);
    }
    let members = dialer
        .destinations()
        .filter(|(destination, _)| match destination {
            Destination::Member(_) => true,
            Destination::Entry(_) => false,
        });
    assert_eq!(members.count(), 8);
    assert_eq!((dialer.destinations().count(), dialer.refused()), (64, 0));
    dialer.want_entry(address(2_000), Time::ZERO);
    assert_eq!(dialer.refused(), 1, "an entry takes nobody's place");
}

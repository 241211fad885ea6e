//! Wall clocks that are hours or decades off: who says so, and that data arrives all the same.

use super::{Mesh, has, relays, report, seconds};
use crate::{
    kernel::time::Duration,
    node::snapshot::Verdict,
    replication::write::AckLevel,
    sim::{clock::WALL_START, world::HostId},
};
use alloc::string::String;

const HOUR_MS: i64 = 3_600_000;

fn set_clock(mesh: &mut Mesh, host: HostId, offset_ms: i64) {
    mesh.clock(host).set_wall_offset(offset_ms);
    // The host reads the clock each second.
    mesh.run_for(Duration::from_millis(1_100));
}

fn reasons(mesh: &Mesh, host: HostId) -> (Verdict, String) {
    let status = mesh.node(host).unwrap().status(mesh.now());
    (status.verdict, status.reasons.join(" "))
}

/// Writes at `from` and answers whether `to` reads it within a second.
fn arrives(mesh: &mut Mesh, from: HostId, to: HostId, key: &str) -> bool {
    mesh.write(from, "ns", key, Some(b"v"), AckLevel::Local);
    mesh.run_until(seconds(1), |mesh| mesh.read(to, "ns", key).is_some())
}

fn in_1971() -> i64 {
    40_000_000_000 - i64::try_from(WALL_START.as_millis()).unwrap()
}

#[test]
fn a_wrong_clock_among_three_is_named_on_all_sides_and_holds_nothing_back() {
    let offsets = [2 * HOUR_MS, 120_000, -2 * HOUR_MS, in_1971()];
    for (seed, offset) in (40..).zip(offsets) {
        let (mut mesh, hosts) = relays(seed, 3);
        mesh.run_for(seconds(6));
        set_clock(&mut mesh, hosts[1], offset);
        let (there, back) = (hosts[0], hosts[1]);
        assert!(
            arrives(&mut mesh, back, there, "out"),
            "{offset}: {}",
            report(&mesh, &hosts)
        );
        assert!(
            arrives(&mut mesh, there, back, "in"),
            "{offset}: {}",
            report(&mesh, &hosts)
        );
        mesh.run_for(seconds(6));
        let (verdict, text) = reasons(&mesh, back);
        assert_eq!(verdict, Verdict::Degraded);
        assert!(text.contains("This node's clock is"), "{offset}: {text}");
        for other in [hosts[0], hosts[2]] {
            let (verdict, text) = reasons(&mesh, other);
            assert_eq!(verdict, Verdict::Degraded);
            assert!(text.starts_with("The clock of "), "{offset}: {text}");
            assert!(!has(&mesh, other, "offence"), "{}", report(&mesh, &[other]));
        }
        set_clock(&mut mesh, back, 0);
        mesh.run_for(seconds(6));
        for host in &hosts {
            assert_eq!(reasons(&mesh, *host).0, Verdict::Healthy, "{offset}");
            assert!(
                has(&mesh, *host, "clock_right"),
                "{}",
                report(&mesh, &[*host])
            );
        }
        assert!(arrives(&mut mesh, back, there, "after"), "{offset}");
    }
}

#[test]
fn of_two_clocks_that_differ_the_lower_stamps_and_nobody_is_blamed() {
    for (seed, offset) in (50..).zip([2 * HOUR_MS, -2 * HOUR_MS]) {
        let (mut mesh, hosts) = relays(seed, 2);
        mesh.run_for(seconds(6));
        set_clock(&mut mesh, hosts[1], offset);
        mesh.run_for(seconds(6));
        for host in &hosts {
            let (_, text) = reasons(&mesh, *host);
            assert!(
                text.contains("differ by 2 h: one of them is wrong"),
                "{text}"
            );
        }
        assert!(arrives(&mut mesh, hosts[0], hosts[1], "there"), "{offset}");
        assert!(arrives(&mut mesh, hosts[1], hosts[0], "back"), "{offset}");
    }
}

#[test]
fn a_clock_in_1971_with_one_peer_is_known_to_be_wrong() {
    let (mut mesh, hosts) = relays(60, 2);
    mesh.run_for(seconds(6));
    set_clock(&mut mesh, hosts[1], in_1971());
    assert!(arrives(&mut mesh, hosts[0], hosts[1], "there"));
    assert!(arrives(&mut mesh, hosts[1], hosts[0], "back"));
    let (_, text) = reasons(&mesh, hosts[1]);
    assert!(text.contains("behind its peers"), "{text}");
    assert!(
        !has(&mesh, hosts[1], "offence"),
        "{}",
        report(&mesh, &hosts)
    );
}

#[test]
fn what_was_stamped_ahead_before_any_peer_was_there_is_said_to_be_held_back() {
    let mut mesh = Mesh::new(70);
    let first = mesh.launch(crate::kernel::id::Role::Relay, None).unwrap();
    set_clock(&mut mesh, first, 2 * HOUR_MS);
    mesh.write(first, "ns", "early", Some(b"v"), AckLevel::Local);
    mesh.run_for(seconds(1));
    set_clock(&mut mesh, first, 0);
    let held = mesh.node(first).unwrap().writes_held_back();
    assert!(held.is_some_and(|span| span > seconds(7_000)), "{held:?}");
    let (verdict, text) = reasons(&mesh, first);
    assert_eq!(verdict, Verdict::Degraded);
    assert!(
        text.contains("Peers hold back what this node writes"),
        "{text}"
    );
}

#[test]
fn held_back_data_is_taken_at_once_when_the_clock_is_set() {
    // The writer was alone and ahead; the reader is right, so it holds the write back. Then the
    // reader's machine is set to the same time: nothing waits for the pause of ten minutes.
    let mut mesh = Mesh::new(71);
    let first = mesh.launch(crate::kernel::id::Role::Relay, None).unwrap();
    set_clock(&mut mesh, first, 2 * HOUR_MS);
    let key = "early";
    mesh.write(first, "ns", key, Some(b"v"), AckLevel::Local);
    mesh.run_for(seconds(1));
    let link = mesh.invite(first, None);
    let second = mesh.launch(crate::kernel::id::Role::Relay, link).unwrap();
    mesh.run_for(seconds(20));
    assert!(mesh.read(second, "ns", key).is_none());
    set_clock(&mut mesh, second, 2 * HOUR_MS);
    let taken = mesh.run_until(seconds(5), |mesh| mesh.read(second, "ns", key).is_some());
    assert!(taken, "{}", report(&mesh, &[first, second]));
}

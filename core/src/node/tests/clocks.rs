//! Wall clocks that are hours or decades off: who says so, and that data arrives all the same.

use super::{Mesh, all_alive, has, relays, report, seconds};
use crate::{
    kernel::{
        text::{Key, Namespace},
        time::Duration,
    },
    node::{contract::Reply, snapshot::Verdict},
    replication::{batch::shard_of, write::AckLevel},
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

/// The answer to a write: what it warns of.
fn warning_of(mesh: &mut Mesh, host: HostId, key: &str) -> Option<String> {
    let request = mesh.write(host, "ns", key, Some(b"w"), AckLevel::Local);
    mesh.run_for(seconds(1));
    match mesh.reply(host, request) {
        Some(Reply::Written { warning, .. }) => warning.clone(),
        other => panic!("{other:?}"),
    }
}

fn warning(mesh: &mut Mesh, host: HostId, key: &str) -> String {
    warning_of(mesh, host, key).unwrap_or_default()
}

fn true_ms(mesh: &Mesh) -> u64 {
    WALL_START
        .plus(mesh.now().since(crate::kernel::time::Time::ZERO))
        .as_millis()
}

fn shard(key: &str) -> u16 {
    shard_of(&Namespace::new("ns").unwrap(), &Key::new(key).unwrap())
}

fn in_1971() -> i64 {
    40_000_000_000_i64.saturating_sub_unsigned(WALL_START.as_millis())
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
        let told = warning(&mut mesh, back, "told");
        assert!(told.contains("This node's clock is"), "{offset}: {told}");
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
fn of_two_clocks_that_differ_both_are_told_and_neither_is_corrected() {
    let (mut mesh, hosts) = relays(50, 2);
    let (right, ahead) = (hosts[0], hosts[1]);
    mesh.run_for(seconds(6));
    set_clock(&mut mesh, ahead, 2 * HOUR_MS);
    mesh.run_for(seconds(6));
    for host in &hosts {
        let (verdict, text) = reasons(&mesh, *host);
        assert_eq!(verdict, Verdict::Degraded);
        assert!(
            text.contains("differ by 2 h: one of them is wrong"),
            "{text}"
        );
    }
    assert!(arrives(&mut mesh, right, ahead, "there"));
    assert!(!arrives(&mut mesh, ahead, right, "back"));
    let warning = warning(&mut mesh, ahead, "again");
    assert!(
        warning.contains("Peers hold back what this node writes"),
        "{warning}"
    );
    // Who is right is moved by nothing.
    assert_eq!(warning_of(&mut mesh, right, "calm"), None);
    let stamp = mesh.node(right).unwrap().latest_stamp().millis;
    assert!(stamp <= true_ms(&mesh) && stamp + 2_000 > true_ms(&mesh));
    // Set right, it is believed again, and what it writes then arrives, without what it wrote before.
    set_clock(&mut mesh, ahead, 0);
    mesh.run_for(seconds(3));
    assert!(
        arrives(&mut mesh, ahead, right, "new"),
        "{}",
        report(&mesh, &hosts)
    );
    assert!(mesh.read(right, "ns", "back").is_none());
}

#[test]
fn one_lying_clock_of_three_or_of_two_moves_no_stamps() {
    for (seed, relays_count, lie) in [
        (55, 3, 2 * HOUR_MS),
        (56, 3, -2 * HOUR_MS),
        (57, 3, in_1971()),
        (58, 2, 2 * HOUR_MS),
        (59, 2, -2 * HOUR_MS),
    ] {
        let (mut mesh, hosts) = relays(seed, relays_count);
        mesh.run_for(seconds(6));
        set_clock(&mut mesh, hosts[1], lie);
        mesh.run_for(seconds(6));
        // Of two it can only say that the other will not take what is written here.
        let is_told = relays_count == 2 && lie < 0;
        let warning = warning_of(&mut mesh, hosts[0], "k");
        assert_eq!(warning.is_some(), is_told, "{lie}: {warning:?}");
        let stamp = mesh.node(hosts[0]).unwrap().latest_stamp().millis;
        let right = true_ms(&mesh);
        assert!(
            stamp <= right && stamp + 2_000 > right,
            "{lie}: {stamp} {right}"
        );
    }
}

#[test]
fn a_machine_that_slept_is_not_told_that_its_clock_is_wrong() {
    let (mut mesh, hosts) = relays(61, 3);
    mesh.run_for(seconds(6));
    // Its monotonic clock stands still, the wall clock does not.
    mesh.pause(hosts[1], false);
    mesh.run_for(seconds(8));
    mesh.resume(hosts[1]);
    mesh.run_for(seconds(10));
    for host in &hosts {
        assert!(
            !has(&mesh, *host, "clock_wrong"),
            "{}",
            report(&mesh, &[*host])
        );
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

/// A relay that wrote alone with its clock ahead, and two relays with the right time that it let in
/// when its clock was set right.
fn ran_ahead(seed: u64, offset_ms: i64) -> (Mesh, [HostId; 3]) {
    let mut mesh = Mesh::new(seed);
    let first = mesh.launch(crate::kernel::id::Role::Relay, None).unwrap();
    set_clock(&mut mesh, first, offset_ms);
    mesh.write(first, "ns", "old", Some(b"v"), AckLevel::Local);
    mesh.run_for(seconds(1));
    set_clock(&mut mesh, first, 0);
    let link = mesh.invite(first, None);
    let hosts = [
        first,
        mesh.launch(crate::kernel::id::Role::Relay, link.clone())
            .unwrap(),
        mesh.launch(crate::kernel::id::Role::Relay, link).unwrap(),
    ];
    assert!(mesh.run_until(seconds(10), |mesh| all_alive(mesh, &hosts)));
    mesh.run_for(seconds(6));
    (mesh, hosts)
}

#[test]
fn a_logical_clock_that_ran_ahead_is_left_behind_once_the_time_is_known() {
    let (mut mesh, [first, second, _]) = ran_ahead(72, 2 * HOUR_MS);
    let of_old = shard("old");
    // In the shard of what was written before, too: its chain goes on in a new epoch.
    let mut same = (0..).map(|i| alloc::format!("new-{i}"));
    let same = same.find(|key| shard(key) == of_old);
    for key in ["new", &same.unwrap()] {
        assert!(
            arrives(&mut mesh, first, second, key),
            "{key}: {}",
            report(&mesh, &[first])
        );
        assert!(warning_of(&mut mesh, first, key).is_none());
    }
    assert!(mesh.read(second, "ns", "old").is_none());
    let (verdict, text) = reasons(&mesh, first);
    assert_eq!(verdict, Verdict::Degraded);
    assert!(
        text.contains("wrote while its clock was ahead, for another 118 min"),
        "{text}"
    );
    // With the acknowledgement of a relay, too.
    let request = mesh.write(first, "ns", "acked", Some(b"v"), AckLevel::Relay);
    mesh.run_for(seconds(1));
    assert!(matches!(
        mesh.reply(first, request),
        Some(Reply::Written { .. })
    ));
    mesh.node(first).unwrap().check().unwrap();
}

#[test]
fn a_key_whose_last_write_ran_ahead_says_when_it_can_be_written_again() {
    let (mut mesh, [first, second, _]) = ran_ahead(73, 300_000);
    let request = mesh.write(first, "ns", "old", Some(b"w"), AckLevel::Local);
    mesh.run_for(seconds(1));
    let Some(Reply::Refused(refusal)) = mesh.reply(first, request) else {
        panic!("{:?}", mesh.reply(first, request));
    };
    let text = alloc::format!("{refusal}");
    assert!(
        text.contains("a time 5 min ahead; it can be written again at 00:05 UTC"),
        "{text}"
    );
    // Then it can, and what was written before has arrived.
    mesh.run_for(seconds(270));
    assert!(mesh.run_until(seconds(60), |mesh| mesh.read(second, "ns", "old").is_some()));
    mesh.write(first, "ns", "old", Some(b"w"), AckLevel::Local);
    let arrived = |mesh: &Mesh| mesh.read(second, "ns", "old").is_some_and(|v| &*v == b"w");
    assert!(
        mesh.run_until(seconds(65), arrived),
        "{}",
        report(&mesh, &[first, second])
    );
    mesh.run_for(seconds(65));
    assert_eq!(reasons(&mesh, first).0, Verdict::Healthy);
}

#[test]
fn a_new_epoch_survives_a_restart_and_no_second_one_is_needed() {
    let (mut mesh, [first, second, _]) = ran_ahead(74, 2 * HOUR_MS);
    assert!(arrives(&mut mesh, first, second, "before"));
    mesh.crash(first);
    mesh.run_for(seconds(1));
    mesh.start(first).unwrap();
    mesh.run_for(seconds(12));
    assert!(
        arrives(&mut mesh, first, second, "after"),
        "{}",
        report(&mesh, &[first, second])
    );
}

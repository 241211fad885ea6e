//! Whole nodes against each other, down to the bytes, under virtual time.

use crate::{
    kernel::{
        id::Role,
        machine::{Input, Machine},
        time::{Duration, Time},
    },
    membership::member::MemberState,
    node::{
        contract::{Reply, Signal},
        endpoint::Endpoint,
        envelope::Envelope,
        message::Message,
        setup::StartError,
        snapshot::{TimelineEntry, Verdict},
    },
    overlay::links,
    replication::write::AckLevel,
    sim::{
        network::PathConfig,
        world::{HostId, World},
    },
};
use alloc::{format, string::String, vec::Vec};

mod clocks;
mod single;
mod vitals;
mod watching;

/// Nodes down to the bytes.
type Mesh = World<Endpoint>;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A mesh of relays that know each other.
fn relays(seed: u64, count: usize) -> (Mesh, Vec<HostId>) {
    let mut mesh = Mesh::new(seed);
    let first = mesh.launch(Role::Relay, None).unwrap();
    mesh.run_for(seconds(1));
    let link = mesh.invite(first, None);
    let mut hosts = alloc::vec![first];
    for _ in 1..count {
        hosts.push(mesh.launch(Role::Relay, link.clone()).unwrap());
    }
    assert!(
        mesh.run_until(seconds(5), |mesh| all_alive(mesh, &hosts)),
        "{}",
        report(&mesh, &hosts)
    );
    (mesh, hosts)
}

fn all_alive(mesh: &Mesh, hosts: &[HostId]) -> bool {
    let alive = u32::try_from(hosts.len()).unwrap();
    hosts.iter().all(|host| {
        mesh.node(*host)
            .is_some_and(|n| n.member_counts().alive == alive)
    })
}

fn report(mesh: &Mesh, hosts: &[HostId]) -> String {
    let lines = hosts.iter().map(|host| match mesh.node(*host) {
        Some(node) => format!(
            "{host}: {:?} {:#?}",
            node.status(mesh.now()),
            timeline(mesh, *host)
        ),
        None => format!("{host}: not running"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn timeline(mesh: &Mesh, host: HostId) -> Vec<String> {
    let entries = mesh
        .node(host)
        .map(|node| node.timeline_since(0).entries)
        .unwrap_or_default();
    entries
        .iter()
        .map(|e: &TimelineEntry| format!("{} {}: {}", e.at, e.code, e.text))
        .collect()
}

fn has(mesh: &Mesh, host: HostId, code: &str) -> bool {
    let entries = mesh
        .node(host)
        .map(|node| node.timeline_since(0).entries)
        .unwrap_or_default();
    entries.iter().any(|entry| entry.code == code)
}

fn state(mesh: &Mesh, at: HostId, of: HostId, id: crate::kernel::id::NodeId) -> MemberState {
    mesh.believes(at, id)
        .unwrap_or_else(|| panic!("{at} does not know {of}"))
}

#[test]
fn a_lone_relay_founds_a_network_and_is_healthy() {
    let mut mesh = Mesh::new(1);
    let relay = mesh.launch(Role::Relay, None).unwrap();
    mesh.run_for(seconds(2));
    let status = mesh.node(relay).unwrap().status(mesh.now());
    assert_eq!(
        (status.verdict, status.members.alive),
        (Verdict::Healthy, 1)
    );
}

#[test]
fn three_relays_and_two_tabs_list_five_alive_within_five_seconds() {
    let (mut mesh, mut hosts) = relays(2, 3);
    let link = mesh.invite(hosts[0], None);
    hosts.push(mesh.launch(Role::Tab, link.clone()).unwrap());
    hosts.push(mesh.launch(Role::Tab, link).unwrap());
    let done = mesh.run_until(seconds(5), |mesh| all_alive(mesh, &hosts));
    assert!(done, "{}", report(&mesh, &hosts));
}

#[test]
fn a_tab_survives_the_loss_of_the_relay_that_let_it_in_a_moment_ago() {
    for seed in 100..116 {
        let (mut mesh, hosts) = relays(seed, 2);
        let link = mesh.invite(hosts[0], None);
        let tab = mesh.launch(Role::Tab, link).unwrap();
        let admitted = |mesh: &Mesh| has(mesh, tab, "joined");
        assert!(mesh.run_until(seconds(5), admitted), "seed {seed}");
        mesh.run_for(Duration::from_millis(50));
        let known = mesh.node(tab).unwrap().member_counts().alive;
        assert_eq!(known, 3, "seed {seed}: {}", report(&mesh, &[tab]));
        mesh.crash(hosts[0]);
        let second = format!("{}", mesh.node(hosts[1]).unwrap().id());
        let moved = mesh.run_until(seconds(10), |mesh| {
            let members = mesh.node(tab).unwrap().members(mesh.now());
            members
                .iter()
                .any(|member| member.id == second && member.linked)
        });
        assert!(moved, "seed {seed}: {}", report(&mesh, &[tab]));
    }
}

#[test]
fn what_is_written_anywhere_is_read_everywhere_within_a_second() {
    let (mut mesh, mut hosts) = relays(3, 3);
    let link = mesh.invite(hosts[0], None);
    hosts.push(mesh.launch(Role::Tab, link.clone()).unwrap());
    hosts.push(mesh.launch(Role::Tab, link).unwrap());
    assert!(mesh.run_until(seconds(5), |mesh| all_alive(mesh, &hosts)));
    for host in &hosts {
        mesh.command(*host, Signal::Open("ns".parse().unwrap()));
    }
    mesh.run_for(seconds(1));
    for writer in hosts.clone() {
        let key = format!("from-{writer}");
        let request = mesh.write(writer, "ns", &key, Some(b"v"), AckLevel::Relay);
        let read = mesh.run_until(seconds(1), |mesh| {
            hosts
                .iter()
                .all(|host| mesh.read(*host, "ns", &key).is_some())
        });
        assert!(read, "{key}: {}", report(&mesh, &hosts));
        assert!(matches!(
            mesh.reply(writer, request),
            Some(Reply::Written { .. })
        ));
    }
}

#[test]
fn concurrent_writes_end_alike_everywhere_and_the_loser_is_kept() {
    let (mut mesh, hosts) = relays(4, 3);
    mesh.write(hosts[0], "ns", "k", Some(b"a"), AckLevel::Local);
    mesh.write(hosts[1], "ns", "k", Some(b"b"), AckLevel::Local);
    mesh.run_for(seconds(2));
    let entries: Vec<_> = hosts
        .iter()
        .map(|host| mesh.node(*host).unwrap().entry("ns", "k").unwrap())
        .collect();
    assert!(
        entries.iter().all(|entry| *entry == entries[0]),
        "{entries:#?}"
    );
    assert_eq!(entries[0].conflicts.len(), 1);
}

#[test]
fn a_killed_relay_is_dead_everywhere_within_five_seconds_and_the_reason_is_told() {
    let (mut mesh, hosts) = relays(5, 3);
    let id = mesh.node(hosts[2]).unwrap().id();
    mesh.crash(hosts[2]);
    let dead = mesh.run_until(seconds(5), |mesh| {
        hosts[..2]
            .iter()
            .all(|host| state(mesh, *host, hosts[2], id) == MemberState::Dead)
    });
    assert!(dead, "{}", report(&mesh, &hosts));
    assert!(
        hosts[..2]
            .iter()
            .all(|host| has(&mesh, *host, "member_dead"))
    );
    let status = mesh.node(hosts[0]).unwrap().status(mesh.now());
    // Whoever noticed it first stands first.
    let name = |host: HostId| {
        let id = mesh.node(host).unwrap().id();
        format!("relay-{host} ({})", id.short())
    };
    let (one, other) = (name(hosts[0]), name(hosts[1]));
    let by = [format!("by {one}, {other}."), format!("by {other}, {one}.")];
    let ends = |text: &str| by.iter().any(|by| text.ends_with(by));
    assert!(
        status.reasons[0].contains(" was found dead just now: ") && ends(&status.reasons[0]),
        "{status:?}"
    );
    let said = timeline(&mesh, hosts[0]);
    assert!(said.iter().any(|entry| ends(entry)), "{said:#?}");
    assert_eq!(
        mesh.node(hosts[0]).unwrap().status(mesh.now()).verdict,
        Verdict::Degraded
    );
}

#[test]
fn a_relay_paused_for_three_seconds_is_never_dead() {
    let (mut mesh, hosts) = relays(6, 3);
    mesh.run_for(seconds(10));
    mesh.pause(hosts[2], true);
    mesh.run_for(seconds(3));
    mesh.resume(hosts[2]);
    mesh.run_for(seconds(20));
    assert!(
        hosts.iter().all(|host| !has(&mesh, *host, "member_dead")),
        "{}",
        report(&mesh, &hosts)
    );
    assert!(all_alive(&mesh, &hosts), "{}", report(&mesh, &hosts));
}

#[test]
fn a_closed_tab_is_parked_within_five_seconds_and_never_dead() {
    let (mut mesh, hosts) = relays(7, 2);
    let link = mesh.invite(hosts[0], None);
    let tab = mesh.launch(Role::Tab, link).unwrap();
    let id = mesh.node(tab).unwrap().id();
    assert!(mesh.run_until(seconds(5), |mesh| all_alive(
        mesh,
        &[hosts[0], hosts[1], tab]
    )));
    mesh.crash(tab);
    let parked = mesh.run_until(seconds(5), |mesh| {
        hosts
            .iter()
            .all(|host| state(mesh, *host, tab, id) == MemberState::Parked)
    });
    assert!(parked, "{}", report(&mesh, &hosts));
    mesh.run_for(seconds(60));
    assert!(hosts.iter().all(|host| !has(&mesh, *host, "member_dead")));
}

#[test]
fn a_tab_moves_to_another_relay_when_its_own_is_killed() {
    let (mut mesh, hosts) = relays(8, 3);
    let link = mesh.invite(hosts[0], None);
    let tab = mesh.launch(Role::Tab, link).unwrap();
    assert!(mesh.run_until(seconds(5), |mesh| all_alive(
        mesh,
        &[hosts[0], hosts[1], hosts[2], tab]
    )));
    mesh.crash(hosts[0]);
    mesh.run_for(seconds(5));
    let request = mesh.write(tab, "ns", "k", Some(b"v"), AckLevel::Relay);
    let written = mesh.run_until(seconds(3), |mesh| mesh.reply(tab, request).is_some());
    assert!(written && matches!(mesh.reply(tab, request), Some(Reply::Written { .. })));
}

#[test]
fn a_relay_that_was_down_catches_up_with_a_higher_incarnation() {
    let (mut mesh, hosts) = relays(9, 3);
    let before = mesh.node(hosts[2]).unwrap().status(mesh.now()).incarnation;
    mesh.crash(hosts[2]);
    mesh.run_for(seconds(5));
    for number in 0..500 {
        mesh.write(
            hosts[0],
            "ns",
            &format!("key-{number}"),
            Some(b"v"),
            AckLevel::Local,
        );
    }
    mesh.run_for(seconds(2));
    mesh.start(hosts[2]).unwrap();
    let all = mesh.run_until(seconds(10), |mesh| {
        mesh.node(hosts[2])
            .is_some_and(|node| node.status(mesh.now()).kv.keys == 500)
    });
    assert!(all, "{}", report(&mesh, &hosts));
    assert!(mesh.node(hosts[2]).unwrap().status(mesh.now()).incarnation > before);
    assert!(mesh.run_until(seconds(10), |mesh| has(mesh, hosts[2], "caught_up")));
    assert!(
        mesh.run_until(seconds(10), |mesh| all_alive(mesh, &hosts)),
        "{}",
        report(&mesh, &hosts)
    );
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let (mut mesh, hosts) = relays(10, 1);
    let mut acknowledged = Vec::new();
    for number in 0..200 {
        let key = format!("key-{number}");
        let request = mesh.write(hosts[0], "ns", &key, Some(b"v"), AckLevel::Local);
        mesh.run_for(Duration::from_micros(300));
        acknowledged.push((request, key));
    }
    acknowledged.retain(|(request, _)| mesh.reply(hosts[0], *request).is_some());
    assert!(acknowledged.len() > 100);
    mesh.crash(hosts[0]);
    mesh.start(hosts[0]).unwrap();
    assert!(
        acknowledged
            .iter()
            .all(|(_, key)| mesh.read(hosts[0], "ns", key).is_some())
    );
}

#[test]
fn a_split_of_an_hour_heals_and_both_sides_data_is_merged() {
    let (mut mesh, hosts) = relays(11, 2);
    mesh.cut(hosts[0], hosts[1]);
    mesh.run_for(seconds(3_600));
    mesh.write(hosts[0], "ns", "left", Some(b"1"), AckLevel::Local);
    mesh.write(hosts[1], "ns", "right", Some(b"2"), AckLevel::Local);
    mesh.run_for(seconds(1));
    assert_eq!(
        mesh.node(hosts[0]).unwrap().status(mesh.now()).verdict,
        Verdict::Isolated
    );
    mesh.heal(hosts[0], hosts[1]);
    let merged = mesh.run_until(seconds(120), |mesh| {
        hosts.iter().all(|host| {
            mesh.read(*host, "ns", "left").is_some() && mesh.read(*host, "ns", "right").is_some()
        })
    });
    assert!(merged, "{}", report(&mesh, &hosts));
    assert!(mesh.run_until(seconds(30), |mesh| all_alive(mesh, &hosts)));
}

#[test]
fn an_invite_for_one_lets_exactly_one_of_many_in() {
    let (mut mesh, hosts) = relays(12, 1);
    let link = mesh.invite(hosts[0], Some(1));
    let newcomers: Vec<HostId> = (0..16)
        .map(|_| mesh.launch(Role::Relay, link.clone()).unwrap())
        .collect();
    mesh.run_for(seconds(20));
    let admitted = |host: &&HostId| mesh.node(**host).is_some_and(|node| node.is_admitted());
    assert_eq!(newcomers.iter().filter(admitted).count(), 1);
    let refused = newcomers.iter().find(|host| !admitted(host)).unwrap();
    let status = mesh.node(*refused).unwrap().status(mesh.now());
    assert_eq!(status.verdict, Verdict::Joining);
    assert!(
        status.reasons[0].contains("used up"),
        "{:?}",
        status.reasons
    );
}

#[test]
fn a_copied_disk_is_fenced_and_both_sides_say_so() {
    let (mut mesh, hosts) = relays(13, 3);
    mesh.run_for(seconds(3));
    let clone = mesh.copy(hosts[2]);
    mesh.start(clone).unwrap();
    mesh.run_for(seconds(30));
    let fenced = [hosts[2], clone]
        .iter()
        .filter(|host| has(&mesh, **host, "fenced"))
        .count();
    assert!(
        fenced >= 1,
        "{}",
        report(&mesh, &[hosts[0], hosts[2], clone])
    );
    let told = has(&mesh, hosts[0], "identity_conflict") || has(&mesh, hosts[0], "link_refused");
    assert!(told, "{}", report(&mesh, &[hosts[0], hosts[2], clone]));
}

#[test]
fn a_relay_that_ends_right_after_it_was_let_in_finds_the_mesh_again() {
    let (mut mesh, hosts) = relays(15, 1);
    let link = mesh.invite(hosts[0], None);
    let newcomer = mesh.launch(Role::Relay, link).unwrap();
    let admitted = |mesh: &Mesh| mesh.node(newcomer).is_some_and(|node| node.is_admitted());
    assert!(mesh.run_until(seconds(5), admitted));
    mesh.run_for(Duration::from_millis(5));
    mesh.crash(newcomer);
    // Nobody knows the address of the copy: it has to dial by itself.
    let moved = mesh.copy(newcomer);
    mesh.start(moved).unwrap();
    assert!(
        mesh.run_until(seconds(10), |mesh| all_alive(mesh, &[hosts[0], moved])),
        "{}",
        report(&mesh, &[hosts[0], moved])
    );
}

/// What a host makes of a member: attempts that failed in a row, and how long it still waits.
fn attempts(mesh: &Mesh, at: HostId, of: &str) -> Option<(u32, u64)> {
    let connections = mesh.node(at)?.connections(mesh.now());
    let connection = connections
        .iter()
        .find(|connection| connection.peer.as_deref() == Some(of))?;
    Some((connection.failures, connection.retry_in_ms.unwrap_or(0)))
}

#[test]
fn a_reloaded_tab_goes_on_waiting_for_a_relay_that_is_down() {
    let (mut mesh, hosts) = relays(17, 1);
    let link = mesh.invite(hosts[0], None);
    let tab = mesh.launch(Role::Tab, link).unwrap();
    assert!(mesh.run_until(seconds(5), |mesh| all_alive(mesh, &[hosts[0], tab])));
    let relay = format!("{}", mesh.node(hosts[0]).unwrap().id());
    mesh.crash(hosts[0]);
    let waits_long = |mesh: &Mesh| {
        let found = attempts(mesh, tab, &relay);
        found.is_some_and(|(failures, wait)| failures > 6 && wait > 10_000)
    };
    assert!(mesh.run_until(seconds(600), waits_long));
    mesh.run_for(seconds(6));
    let (failures, wait) = attempts(&mesh, tab, &relay).unwrap();
    mesh.crash(tab);
    mesh.run_for(seconds(1));
    mesh.start(tab).unwrap();
    mesh.run_for(Duration::from_millis(100));
    let (failures_after, wait_after) = attempts(&mesh, tab, &relay).unwrap();
    assert_eq!(failures_after, failures);
    assert!(wait_after + 1_000 <= wait, "{wait_after} of {wait} ms");
    assert!(wait_after + 1_200 >= wait, "{wait_after} of {wait} ms");
    mesh.start(hosts[0]).unwrap();
    let linked = |mesh: &Mesh| all_alive(mesh, &[hosts[0], tab]);
    assert!(
        mesh.run_until(seconds(31), linked),
        "{}",
        report(&mesh, &[tab])
    );
    assert_eq!(attempts(&mesh, tab, &relay), Some((0, 0)));
    // What is linked again has nothing to wait for after the next reload.
    mesh.run_for(seconds(6));
    mesh.crash(tab);
    mesh.start(tab).unwrap();
    assert!(mesh.run_until(seconds(2), linked));
}

/// Runs until a node was let in, to the millisecond.
fn until_let_in(mesh: &mut Mesh, host: HostId) {
    for _ in 0..5_000 {
        if mesh.node(host).is_some_and(|node| node.is_admitted()) {
            return;
        }
        mesh.run_for(Duration::from_millis(1));
    }
    panic!("{}", report(mesh, &[host]));
}

#[test]
fn a_newcomer_is_joining_until_it_knows_the_members() {
    for seed in 300..316 {
        let (mut mesh, hosts) = relays(seed, 3);
        let link = mesh.invite(hosts[1], None);
        let role = if seed % 2 == 0 {
            Role::Tab
        } else {
            Role::Relay
        };
        let newcomer = mesh.launch(role, link).unwrap();
        until_let_in(&mut mesh, newcomer);
        let let_in_at = mesh.now();
        loop {
            let status = mesh.node(newcomer).unwrap().status(mesh.now());
            if status.verdict != Verdict::Joining {
                let alive = status.members.alive;
                assert_eq!(alive, 4, "seed {seed}: {}", report(&mesh, &[newcomer]));
                break;
            }
            mesh.run_for(Duration::from_millis(1));
        }
        let took = mesh.now().since(let_in_at);
        assert!(took < Duration::from_millis(500), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_newcomer_waits_no_longer_than_two_seconds_for_the_members() {
    let (mut mesh, hosts) = relays(18, 1);
    let link = mesh.invite(hosts[0], None);
    let tab = mesh.launch(Role::Tab, link).unwrap();
    until_let_in(&mut mesh, tab);
    mesh.crash(hosts[0]);
    mesh.run_for(Duration::from_millis(1_990));
    let verdict = |mesh: &Mesh| mesh.node(tab).unwrap().status(mesh.now()).verdict;
    assert_eq!(verdict(&mesh), Verdict::Joining);
    mesh.run_for(Duration::from_millis(20));
    assert_ne!(verdict(&mesh), Verdict::Joining);
}

#[test]
fn a_newcomer_that_one_of_two_entries_let_in_keeps_its_link_to_the_other() {
    for seed in 320..324 {
        let (mut mesh, hosts) = relays(seed, 2);
        let link = mesh.invite(hosts[0], None);
        let newcomer = mesh.add(Role::Relay, link);
        let far = PathConfig {
            latency_min: Duration::from_millis(120),
            ..PathConfig::default()
        };
        for (from, to) in [(hosts[1], newcomer), (newcomer, hosts[1])] {
            mesh.network().set(from, to, far);
        }
        mesh.start(newcomer).unwrap();
        mesh.run_for(seconds(10));
        let both = mesh.node(newcomer).unwrap().links().peers().count();
        assert_eq!(both, 2, "seed {seed}: {}", report(&mesh, &[newcomer]));
        let broke = [hosts[1], newcomer].iter().any(|host| {
            let lines = timeline(&mesh, *host);
            lines
                .iter()
                .any(|line| line.contains("nothing was heard") || line.contains("offence"))
        });
        assert!(
            !broke,
            "seed {seed}: {}",
            report(&mesh, &[hosts[1], newcomer])
        );
    }
}

#[test]
fn a_peer_that_says_something_every_moment_is_told_to_membership() {
    let (mut mesh, hosts) = relays(19, 2);
    let from = mesh.node(hosts[1]).unwrap().id();
    for nonce in 0..30 {
        mesh.run_for(Duration::from_millis(100));
        let now = mesh.local(hosts[0]);
        let node = mesh.node_mut(hosts[0]).unwrap();
        let link = node.links().link_of(from).unwrap();
        let message = Envelope::of(link, Message::Links(links::Message::Ping { nonce }));
        node.handle_input(now, Input::Message { from, message });
        let heard_at = node.swim.heard_at(from).unwrap();
        let age = now.since(heard_at);
        assert!(age <= Duration::from_millis(200), "{nonce}: {age:?}");
    }
}

#[test]
fn a_relay_that_leaves_is_shown_as_left_and_departs() {
    let (mut mesh, hosts) = relays(14, 3);
    let id = mesh.node(hosts[2]).unwrap().id();
    mesh.command(hosts[2], Signal::Leave);
    let left = mesh.run_until(seconds(5), |mesh| {
        mesh.node(hosts[2]).is_none()
            && hosts[..2]
                .iter()
                .all(|host| state(mesh, *host, hosts[2], id) == MemberState::Left)
    });
    assert!(left, "{}", report(&mesh, &hosts));
}

#[test]
fn a_tab_without_a_link_is_told_what_it_needs() {
    assert_eq!(
        Mesh::new(15).launch(Role::Tab, None),
        Err(StartError::NoNetwork)
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let one = crate::sim::rehearsal::run(1).unwrap();
    assert_eq!(one, crate::sim::rehearsal::run(1).unwrap());
    assert!(one.converged);
    assert_ne!(one.trace, crate::sim::rehearsal::run(2).unwrap().trace);
}

#[test]
fn a_node_at_rest_is_quiet() {
    let (mut mesh, hosts) = relays(16, 3);
    mesh.run_for(seconds(60));
    let before = mesh.outputs();
    mesh.run_for(seconds(60));
    let per_node_second = (mesh.outputs() - before) / 60 / 3;
    assert!(
        per_node_second <= 20,
        "{per_node_second} outputs per node and second"
    );
    assert_eq!(mesh.now().since(Time::ZERO).as_secs() / 100, 1);
    assert!(all_alive(&mesh, &hosts));
}

//! What whole nodes find out about slow paths, transports and what is wrong.

use super::{Mesh, relays, seconds};
use crate::{
    kernel::{id::Role, time::Duration},
    node::{alert_views::IncidentView, snapshot::Verdict},
    observe::alerts::{Standing, record::Grade},
    sim::{network::PathConfig, world::HostId},
};
use alloc::{string::ToString, vec::Vec};

/// Makes paths slow, both ways.
fn slow(mesh: &mut Mesh, pairs: &[(HostId, HostId)]) {
    let far = PathConfig {
        latency_min: Duration::from_millis(150),
        ..PathConfig::default()
    };
    for (a, b) in pairs {
        mesh.network().set(*a, *b, far);
        mesh.network().set(*b, *a, far);
    }
}

fn open(mesh: &Mesh, host: HostId) -> Vec<IncidentView> {
    let incidents = mesh.node(host).unwrap().incident_views();
    let open = incidents.into_iter();
    open.filter(|one| one.state != Standing::Resolved).collect()
}

/// Waits until all hosts see one incident with this cause, and answers it.
fn one_incident(mesh: &mut Mesh, hosts: &[HostId], cause: &str) -> IncidentView {
    let is_seen = |mesh: &Mesh| {
        hosts.iter().all(|host| {
            let open = open(mesh, *host);
            matches!(open.as_slice(), [one] if one.cause == cause)
        })
    };
    let found = mesh.run_until(seconds(90), is_seen);
    let seen: Vec<_> = hosts.iter().map(|host| open(mesh, *host)).collect();
    assert!(found, "{seen:?}");
    seen[0][0].clone()
}

#[test]
fn a_path_that_was_slow_from_the_start_is_found_by_the_way_over_another_relay() {
    let (mut mesh, hosts) = relays(61, 4);
    // Anew over a slow path: the new links have never seen a shorter round trip.
    slow(&mut mesh, &[(hosts[0], hosts[1])]);
    mesh.crash(hosts[1]);
    mesh.start(hosts[1]).unwrap();
    let incident = one_incident(&mut mesh, &hosts, "path_bad");
    let ids = [hosts[0], hosts[1]].map(|host| mesh.node(host).unwrap().id().to_string());
    assert!(ids.iter().all(|id| incident.nodes.contains(id)));
    assert!(incident.severity >= Grade::Medium, "{incident:?}");
    let status = mesh.node(hosts[2]).unwrap().status(mesh.now());
    let told = |reason: &alloc::string::String| reason.contains(&incident.id);
    assert!(status.reasons.iter().any(told), "{status:?}");
}

#[test]
fn a_relay_that_is_slow_for_several_is_a_gray_failure_and_not_dead() {
    let (mut mesh, hosts) = relays(62, 5);
    mesh.run_for(seconds(20));
    slow(&mut mesh, &[(hosts[3], hosts[0]), (hosts[3], hosts[1])]);
    let incident = one_incident(&mut mesh, &hosts, "gray_failure");
    let slow_one = mesh.node(hosts[3]).unwrap().id().to_string();
    assert!(
        incident.causes[0].text.contains(&slow_one[..8]),
        "{incident:?}"
    );
    for host in &hosts {
        assert_eq!(mesh.node(*host).unwrap().member_counts().dead, 0);
    }
}

#[test]
fn phi_is_small_where_all_is_well_and_unknown_of_other_nodes_paths() {
    let (mut mesh, hosts) = relays(63, 3);
    mesh.run_for(seconds(40));
    let node = mesh.node(hosts[0]).unwrap();
    let id = node.id().to_string();
    let paths = node.rtt_matrix(mesh.local(hosts[0]));
    assert!(paths.len() >= 4, "{paths:?}");
    for path in paths {
        match path.phi {
            Some(phi) => assert!(path.from == id && phi < 3.0, "{path:?}"),
            None => assert_ne!(path.from, id, "{path:?}"),
        }
    }
}

#[test]
fn all_know_over_which_transports_a_relay_is_reached() {
    let (mut mesh, hosts) = relays(64, 3);
    let known = |mesh: &Mesh| {
        hosts.iter().all(|host| {
            let node = mesh.node(*host).unwrap();
            let vitals = node.vitals(node.now);
            let reached = vitals.iter().map(|one| one.transports.as_slice());
            reached.into_iter().all(|over| {
                over.iter()
                    .map(|one| (&*one.transport, one.reached))
                    .eq([("tcp", true), ("ws", true)])
            })
        })
    };
    assert!(mesh.run_until(seconds(120), known));
    let node = mesh.node(hosts[0]).unwrap();
    let told = node.timeline_since(0).entries;
    let reached = told.iter().filter(|entry| entry.code == "address_reached");
    let text = "told once for each transport at the port, and not each five minutes";
    assert_eq!(reached.count(), 2, "{text}");
}

#[test]
fn all_know_over_which_channels_a_relay_notifies_that_said_so_while_it_joined() {
    let (mut mesh, hosts) = relays(66, 1);
    let link = mesh.invite(hosts[0], None);
    let joined = mesh.launch(Role::Relay, link).unwrap();
    let known = |mesh: &Mesh| {
        [hosts[0], joined].iter().all(|host| {
            let channels = mesh.node(*host).unwrap().channel_views();
            // Simulated relays have one channel, which they tell from their start on.
            channels.iter().any(|channel| channel.nodes.len() == 2)
        })
    };
    assert!(mesh.run_until(seconds(30), known));
}

#[test]
fn a_whole_mesh_names_no_incident() {
    let (mut mesh, hosts) = relays(65, 3);
    mesh.run_for(seconds(60));
    let status = mesh.node(hosts[0]).unwrap().status(mesh.now());
    assert_eq!(status.verdict, Verdict::Healthy, "{status:?}");
    assert_eq!(status.reasons.len(), 1, "{status:?}");
}

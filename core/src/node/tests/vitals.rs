//! How nodes are, across whole nodes.

use super::{relays, seconds};
use crate::sim::network::PathConfig;

#[test]
fn every_relay_knows_how_every_other_is_and_all_paths() {
    let (mut mesh, hosts) = relays(41, 5);
    let knows_all = |mesh: &super::Mesh| {
        hosts.iter().all(|host| {
            let Some(node) = mesh.node(*host) else {
                return false;
            };
            let vitals = node.vitals(node.now);
            let is_known = vitals.iter().all(|one| one.cpu_permille.is_some());
            is_known && vitals.len() == 5 && node.rtt_matrix(node.now).len() == 20
        })
    };
    assert!(mesh.run_until(seconds(15), knows_all));
    let node = mesh.node(hosts[0]).unwrap();
    let least = PathConfig::default().latency_min.as_secs_f64() * 2_000.0;
    for path in node.rtt_matrix(node.now) {
        assert!(
            path.rtt_ms >= least && path.min_ms <= path.rtt_ms,
            "{path:?}"
        );
        assert_eq!(path.loss, 0.0, "{path:?}");
    }
    mesh.run_for(seconds(60));
    let node = mesh.node(hosts[0]).unwrap();
    for one in node.vitals(node.now) {
        assert!(one.age_ms.unwrap() < 10_000, "{one:?}");
    }
}

#[test]
fn who_left_is_not_told_of() {
    let (mut mesh, hosts) = relays(42, 3);
    mesh.run_for(seconds(10));
    mesh.command(hosts[2], crate::node::contract::Signal::Leave);
    let is_gone = |mesh: &super::Mesh| {
        let node = mesh.node(hosts[0]).unwrap();
        node.vitals(node.now).len() == 2
    };
    assert!(mesh.run_until(seconds(20), is_gone));
}

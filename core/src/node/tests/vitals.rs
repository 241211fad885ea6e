//! How nodes are, across whole nodes.

use super::{relays, seconds};
use crate::{
    kernel::{
        id::Role,
        text::Name,
        time::{Time, WallTime},
    },
    node::{Node, config::Config, setup::Setup, snapshot::SeriesView},
    observe::series::Series,
    sim::network::PathConfig,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

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

#[test]
fn what_is_measured_is_kept_over_time_of_this_node_and_of_others() {
    let (mut mesh, hosts) = relays(43, 3);
    mesh.run_for(seconds(40));
    let node = mesh.node(hosts[0]).unwrap();
    let now = node.wall_now().as_millis();
    let window = (now - 30_000, now);
    let own = node.series_points(node.id(), Series::Cpu, window, 60);
    let own = own.unwrap();
    assert_eq!((own.step_ms, own.unit.as_str()), (1_000, "%"));
    assert!(own.points.len() >= 29, "{own:?}");
    assert!(own.min <= own.max && own.max <= Some(100.0));
    let other = mesh.node(hosts[1]).unwrap().id();
    let told = node.series_points(other, Series::Cpu, window, 60);
    assert!(told.is_some_and(|told| told.points.len() >= 2));
    // Round trips, links and members are this node's own to measure.
    let latest = node.series();
    let value = |series: Series| {
        let is_it = |one: &&SeriesView| one.series == series.name() && one.node == own.node;
        latest.iter().find(is_it).map(|one| one.value)
    };
    assert_eq!(value(Series::Links), Some(2.0));
    assert_eq!(value(Series::Alive), Some(3.0));
    assert!(value(Series::Latency).is_some_and(|millis| millis > 0.0));
    let median = value(Series::LatencyP50);
    assert!(median > Some(0.0) && median <= value(Series::LatencyP99));
    let of_other = |one: &SeriesView| one.series == "latency_p99" && one.node == other.to_string();
    assert!(latest.iter().any(of_other), "each tells its own to all");
    assert!(value(Series::MessagesIn).is_some_and(|rate| rate > 0.0));
}

/// A node alone, and the codes of what it told.
fn alone() -> Node {
    let config = Config::new(Role::Relay, Name::clean("watched"));
    let setup = Setup::new(config, [7; 32], WallTime::from_millis(1_767_225_600_000));
    Node::start(setup, Time::ZERO).unwrap()
}

fn told(node: &Node, code: &str) -> Vec<String> {
    let entries = node.timeline_since(0).entries;
    let of_code = entries.into_iter().filter(|entry| entry.code == code);
    of_code.map(|entry| entry.text).collect()
}

#[test]
fn a_value_unlike_all_before_is_told_once_with_what_is_usual() {
    let mut node = alone();
    for step in 0..400_u64 {
        // Between 3 and 5 ms, and for half a minute 80 ms.
        let usual = 3.0 + f64::from(u8::try_from(step * 7 % 20).unwrap()) / 10.0;
        let value = if (350..353).contains(&step) {
            80.0
        } else {
            usual
        };
        node.watch(Series::Latency, step * 10_000, value);
    }
    let told = told(&node, "anomaly");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("The latency is unusual: 80.0 ms where 3.")
            && told[0].contains("usual"),
        "{told:?}"
    );
}

#[test]
fn a_disk_that_fills_is_told_with_when_it_is_full_and_not_again_for_hours() {
    let mut node = alone();
    // Half full, and one percent more each four minutes: full in 200 minutes.
    for minute in 0..60_u32 {
        let at_ms = u64::from(minute) * 60_000;
        node.watch(Series::Disk, at_ms, 50.0 + f64::from(minute) / 4.0);
    }
    let told = told(&node, "runs_full");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("The disk is full in about 3 h"),
        "{told:?}"
    );
}

#[test]
fn a_disk_that_stays_as_it_is_is_not_told_of() {
    let mut node = alone();
    for minute in 0..300_u32 {
        let noise = f64::from(minute % 3) / 100.0;
        node.watch(Series::Disk, u64::from(minute) * 60_000, 97.0 + noise);
    }
    assert!(told(&node, "runs_full").is_empty());
}

#[test]
fn health_is_what_others_see_and_a_dead_node_loses_it() {
    let (mut mesh, hosts) = relays(44, 3);
    let health = |mesh: &super::Mesh, of: &str| {
        let node = mesh.node(hosts[0]).unwrap();
        let all = node.health(node.now);
        all.into_iter().find(|health| health.node == of).unwrap()
    };
    let id = mesh.node(hosts[2]).unwrap().id().to_string();
    assert!(mesh.run_until(seconds(30), |mesh| {
        let network = &health(mesh, &id).terms[0];
        network.observers == 2 && network.value.is_some_and(|value| value > 0.9)
    }));
    mesh.run_for(seconds(30));
    let well = health(&mesh, &id);
    assert_eq!(well.terms[3].value, None, "nobody measures trust");
    assert!(well.score.is_some_and(|score| score > 0.5), "{well:?}");
    mesh.crash(hosts[2]);
    mesh.run_for(seconds(60));
    let ill = health(&mesh, &id);
    assert_eq!(ill.healthy, Some(false), "{ill:?}");
    assert!(ill.terms[1].value < well.terms[1].value, "{ill:?}");
    assert_eq!(ill.terms[0].value, Some(0.0), "nobody reaches it");
    assert!(ill.score.is_some_and(|score| score < 0.5), "{ill:?}");
}

//! A relay killed is noticed; a relay that stands still for a while is not called dead.

use sporenet_tests::{mesh::Mesh, wait};
use std::time::Duration;

#[test]
fn a_killed_relay_is_dead_within_5_s_and_the_timeline_says_why() {
    let mut mesh = Mesh::of(3);
    let id = mesh.relays[2].id();
    let before = mesh.relays[2].status()["incarnation"].as_u64().unwrap();
    mesh.relays[2].kill();
    wait::promised("kill -9 is noticed by all", Duration::from_secs(5), || {
        let states: Vec<_> = mesh.others(2).map(|relay| relay.state_of(&id)).collect();
        if states.iter().all(|state| state.as_deref() == Some("dead")) {
            Ok(())
        } else {
            Err(states)
        }
    });
    for relay in mesh.others(2) {
        let timeline = relay.timeline();
        let entry = timeline
            .iter()
            .rfind(|entry| entry["code"] == "member_dead");
        let entry = entry.unwrap_or_else(|| panic!("no death in {timeline:#?}"));
        assert_eq!(entry["subject"].as_str(), Some(id.as_str()), "{entry}");
        assert!(
            entry["wall"].is_u64() || entry["wall"].is_string(),
            "{entry}"
        );
        assert!(
            entry["text"].as_str().is_some_and(|text| text.len() > 20),
            "{entry}"
        );
        let member = relay
            .members()
            .into_iter()
            .find(|member| member["id"] == id.as_str());
        assert!(member.unwrap()["reason"].is_string());
    }
    mesh.relays[2].start();
    mesh.all_alive(3);
    assert!(mesh.relays[2].status()["incarnation"].as_u64().unwrap() > before);
}

#[test]
fn a_relay_that_stands_still_for_3_s_is_never_called_dead() {
    let mesh = Mesh::of(3);
    let id = mesh.relays[2].id();
    let not_dead = || {
        let mut others = mesh.others(2);
        others.all(|relay| relay.state_of(&id).as_deref() != Some("dead"))
    };
    mesh.relays[2].freeze();
    wait::throughout("frozen, not dead", Duration::from_secs(3), not_dead);
    mesh.relays[2].thaw();
    wait::throughout("thawed, not dead", Duration::from_secs(7), not_dead);
    mesh.all_alive(3);
    for relay in mesh.others(2) {
        let timeline = relay.timeline();
        assert!(
            timeline.iter().all(|entry| entry["code"] != "member_dead"),
            "{timeline:#?}"
        );
    }
    let own = mesh.relays[2].timeline();
    assert!(
        own.iter().all(|entry| entry["code"] != "member_dead"),
        "it kills nobody: {own:#?}"
    );
}

#[test]
fn a_mesh_whose_relays_all_died_comes_back_by_itself() {
    let mut mesh = Mesh::of(3);
    mesh.relays[1].put("app", "kept", "yes", "relay").unwrap();
    mesh.relays.iter_mut().for_each(|relay| relay.kill());
    mesh.relays.iter_mut().for_each(|relay| relay.start());
    mesh.all_alive(3);
    for relay in &mesh.relays {
        assert_eq!(relay.value("app", "kept").as_deref(), Some("yes"));
    }
}

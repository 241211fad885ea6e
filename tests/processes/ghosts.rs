//! A relay that lost its store comes back at its old address as somebody else.

use sporenet_tests::{relay::Relay, wait};
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);

fn link_downs(relay: &Relay) -> usize {
    let timeline = relay.timeline();
    let down = timeline.iter().filter(|entry| entry["code"] == "link_down");
    down.count()
}

#[test]
fn dials_for_a_dead_identity_leave_the_new_one_at_its_address_alone() {
    let mut observer = Relay::found("observer");
    let link = observer.invite(&[]).relay;
    let mut reborn = Relay::join("reborn", &link);
    let ghost = reborn.id();
    wait::until("both are there", PATIENCE, || {
        observer.names("alive").len() == 2
    });
    reborn.kill();
    fs::remove_dir_all(reborn.data()).unwrap();
    reborn.start();
    wait::until("the new one is in, the old one dead", PATIENCE, || {
        observer.state_of(&ghost).as_deref() == Some("dead")
            && observer.names("alive").len() == 2
            && observer.status()["verdict"] == "degraded"
    });
    let before = link_downs(&observer);
    // Tries at the dead come every few seconds at first: enough time for some of them.
    let met = "unexpected_peer";
    wait::until("somebody else is met at the address", PATIENCE, || {
        let timeline = observer.timeline();
        timeline
            .iter()
            .any(|entry| entry.to_string().contains("another node than expected"))
            || observer.refusals(met) > 0
    });
    wait::throughout("the link stays", Duration::from_secs(20), || {
        link_downs(&observer) == before && link_downs(&reborn) == 0
    });
    let refused = observer.cli(&["forget", &observer.id()]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("only a dead member"), "{refused:?}");
    // The ghost and the living one have the same name: the dead one is meant.
    let forgotten = observer.cli(&["forget", "reborn"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let gone = |relay: &Relay| relay.state_of(&ghost).as_deref() == Some("left");
    wait::until("both take it for gone, and are healthy", PATIENCE, || {
        let healthy = |relay: &Relay| relay.status()["verdict"] == "healthy";
        gone(&observer) && gone(&reborn) && healthy(&observer) && healthy(&reborn)
    });
    observer.kill();
    observer.start();
    wait::until("and after a restart too", PATIENCE, || {
        observer.status()["verdict"] == "healthy" && observer.names("alive").len() == 2
    });
    assert_ne!(observer.state_of(&ghost).as_deref(), Some("dead"));
}

//! Relays prove that they hold the same.

use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::time::Duration;

#[test]
fn relays_are_proved_to_hold_the_same() {
    let mut mesh = Mesh::of(3);
    for number in 0..50 {
        let relay = &mesh.relays[number % 3];
        relay
            .put("app", &format!("key/{number}"), "value", "relay")
            .unwrap();
    }
    let all: Vec<&Relay> = mesh.relays.iter().collect();
    wait::until("all have all keys", Duration::from_secs(30), || {
        all.iter().all(|relay| relay.keys("app").len() == 50)
    });
    let said = mesh.relays[0].cli(&["verify"]).expect_success().stdout;
    assert_eq!(said.matches("equal").count(), 2, "{said}");
    let name = mesh.relays[1].status()["name"].as_str().unwrap().to_owned();
    let said = mesh.relays[0].cli(&["verify", "app", "--peer", &name, "--json"]);
    let said = said.expect_success().json();
    assert_eq!(
        (&said[0]["equal"], &said[0]["keys"]),
        (&true.into(), &50.into()),
        "{said}"
    );
    mesh.relays[1].kill();
    wait::until("the link is gone", Duration::from_secs(30), || {
        let said = mesh.relays[0].cli(&["verify", "--peer", &name]);
        said.code == Some(1) && said.stderr.contains("no link")
    });
    mesh.relays[0]
        .cli(&["verify", "--peer", "nobody"])
        .expect_error(1, &["no link", "nobody"]);
}

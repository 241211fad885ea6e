//! One identity, two processes; strangers at the door.

use sporenet_tests::{
    mesh::Mesh,
    relay::{Relay, copy_folder},
    wait,
};
use std::time::Duration;

const NOTICE: Duration = Duration::from_secs(15);

/// Waits until a relay's timeline has an entry that speaks of one of `words`.
fn noted(relay: &Relay, words: &[&str]) {
    wait::eventually(&format!("{} notes {words:?}", relay.name), NOTICE, || {
        let timeline = relay.timeline();
        let found = timeline.iter().any(|entry| {
            let text = entry.to_string();
            words.iter().any(|word| text.contains(word))
        });
        if found { Ok(()) } else { Err(timeline) }
    });
}

#[test]
fn a_copied_data_directory_is_fenced_and_both_sides_say_so() {
    let mut mesh = Mesh::of(3);
    let (status, _) = mesh.relays[2].stop();
    assert_eq!(status.code(), Some(0));
    let copy = Relay::prepare("relay-3", &[]);
    copy_folder(&mesh.relays[2].data(), &copy.data());
    mesh.relays[2].start();
    mesh.all_alive(3);
    let mut copy = copy;
    copy.spawn();
    wait::eventually("one of the two is fenced or ends", NOTICE, || {
        let fenced = |relay: &Relay| {
            relay
                .try_api("GET", "/api/v1/status", b"")
                .is_ok_and(|answer| answer.text().contains("fenced"))
        };
        if fenced(&copy) || fenced(&mesh.relays[2]) || copy.has_ended() {
            Ok(())
        } else {
            Err(())
        }
    });
    let said = format!("{}{}", copy.log(), mesh.relays[2].log());
    assert!(
        said.contains("identity"),
        "the fenced side says why: {said}"
    );
    let told = wait::eventually("another relay says so", NOTICE, || {
        let timelines: Vec<_> = mesh.others(2).flat_map(Relay::timeline).collect();
        let found = timelines
            .iter()
            .find(|entry| entry["code"] == "identity_conflict")
            .cloned();
        found.ok_or(timelines)
    });
    assert!(
        told.0["text"]
            .as_str()
            .is_some_and(|text| text.contains("relay-3")),
        "{told:?}"
    );
    mesh.relays[0]
        .put("app", "still", "works", "relay")
        .unwrap();
}

#[test]
fn relays_of_two_networks_refuse_each_other_and_say_so() {
    let mut theirs = Mesh::of(2);
    theirs.relays[1].kill();
    let ours = Relay::found_at("stranger", theirs.relays[1].address);
    noted(&ours, &["different networks"]);
    noted(&theirs.relays[0], &["different networks"]);
    assert!(ours.refusals("wrong_network") > 0);
}

#[test]
fn a_node_of_one_network_does_not_take_a_link_to_another() {
    let mut member = Relay::found("member");
    let other = Relay::found("other");
    let (status, _) = member.stop();
    assert_eq!(status.code(), Some(0));
    let file = member.data().join("other.link");
    std::fs::write(&file, other.invite(&[]).relay).unwrap();
    let outcome = sporenet_tests::program::run([
        "run".to_owned(),
        format!("--data={}", member.data().display()),
        format!("--listen={}", member.address),
        format!("--join=@{}", file.display()),
    ]);
    outcome.expect_error(78, &["another network"]);
}

#[test]
fn an_expired_invite_is_refused_and_both_sides_say_so() {
    let issuer = Relay::found("issuer");
    let links = issuer.invite(&["--ttl", "1s"]);
    wait::until(
        "the invite's second is over, and the one that clocks may be late",
        Duration::from_secs(5),
        {
            let start = std::time::Instant::now();
            move || start.elapsed() > Duration::from_millis(2_500)
        },
    );
    let mut newcomer = Relay::prepare("newcomer", &[&format!("--join={}", links.relay)]);
    newcomer.spawn();
    wait::eventually("the newcomer says why", NOTICE, || {
        let log = newcomer.log();
        if log.contains("expired") {
            Ok(())
        } else {
            Err(log)
        }
    });
    noted(&issuer, &["the invite has expired"]);
    assert_eq!(issuer.members().len(), 1);
    assert!(issuer.refusals("invite_expired") > 0);
}

#[test]
fn no_link_or_command_line_carries_the_isolation_key() {
    let mesh = Mesh::of(2);
    for relay in &mesh.relays {
        let log = relay.log();
        assert!(
            !log.contains(&relay.token()),
            "the token is in the log of {}",
            relay.name
        );
        let command_line = std::fs::read(format!("/proc/{}/cmdline", relay.pid())).unwrap();
        assert!(!String::from_utf8_lossy(&command_line).contains("spore:"));
    }
}

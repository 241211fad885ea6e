//! Who has no business here is told so in the handshake, and the relay's operator is told too.

use sporenet_core::wire::close::CloseReason;
use sporenet_tests::{
    newcomer::{self, Attempt},
    relay::Relay,
    stranger::Stranger,
    wait,
};
use std::{thread, time::Duration};

const NOTICE: Duration = Duration::from_secs(15);

/// Waits until the relay has noted a refusal in words; it must have counted it, too.
fn noted(relay: &Relay, code: &str, words: &str) {
    wait::eventually(&format!("{code} is in the timeline"), NOTICE, || {
        let timeline = relay.timeline();
        let found = timeline
            .iter()
            .any(|entry| entry.to_string().contains(words));
        if found { Ok(()) } else { Err(timeline) }
    });
    assert!(relay.refusals(code) > 0, "{code} is not counted");
}

#[test]
fn an_incompatible_version_is_refused_and_both_sides_say_so() {
    let relay = Relay::found("alone");
    let mut stranger = Stranger::of(relay.network());
    stranger.versions = (900, 901);
    let reason = stranger.dial(relay.address);
    assert!(
        matches!(reason, CloseReason::VersionMismatch { .. }),
        "{reason:?}"
    );
    noted(
        &relay,
        "version_mismatch",
        "no common protocol version; the other side speaks 900 to 901",
    );
}

#[test]
fn a_wrong_isolation_key_is_refused_and_both_sides_say_so() {
    let relay = Relay::found("alone");
    let reason = Stranger::of(relay.network()).dial(relay.address);
    assert_eq!(reason, CloseReason::WrongKey);
    noted(
        &relay,
        "wrong_key",
        "the isolation key or the invite is not valid",
    );
}

#[test]
fn another_network_is_refused_and_both_sides_say_so() {
    let relay = Relay::found("alone");
    let other = Relay::found("other");
    let reason = Stranger::of(other.network()).dial(relay.address);
    assert_eq!(reason, CloseReason::WrongNetwork);
    noted(&relay, "wrong_network", "different networks");
    assert_eq!(relay.members().len(), 1);
}

#[test]
fn a_one_use_invite_lets_exactly_one_of_64_newcomers_in() {
    let relay = Relay::found("issuer");
    let link = relay.invite(&["--uses", "1"]).relay;
    let attempts: Vec<Attempt> = thread::scope(|scope| {
        let newcomers: Vec<_> = (0..64)
            .map(|number| {
                let (link, name) = (link.as_str(), format!("newcomer-{number}"));
                scope.spawn(move || newcomer::join(link, &name, "used up", NOTICE * 3))
            })
            .collect();
        newcomers
            .into_iter()
            .map(|newcomer| newcomer.join().unwrap())
            .collect()
    });
    let admitted = attempts.iter().filter(|attempt| attempt.admitted).count();
    assert_eq!(admitted, 1, "{attempts:#?}");
    let told = attempts.iter().filter(|attempt| {
        attempt
            .timeline
            .iter()
            .any(|entry| entry.contains("used up"))
    });
    assert_eq!(told.count(), 63, "each refused newcomer is told why");
    noted(&relay, "invite_used", "used up");
    assert_eq!(relay.members().len(), 2, "{:?}", relay.members());
}

//! Joining with links that do not work, and with files as people make them.

use sporenet_tests::{
    program::{self, Outcome},
    relay::{Relay, free_address},
    wait,
};
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a relay that is expected to give up.
fn join(data: &Path, link: &str) -> Outcome {
    let file = data.with_extension("link");
    fs::write(&file, link).expect("a link can be written");
    program::run([
        "run".to_owned(),
        format!("--data={}", data.display()),
        format!("--listen={}", free_address()),
        format!("--join=@{}", file.display()),
    ])
}

#[test]
fn an_expired_link_ends_with_78_and_the_next_step_and_a_new_link_joins() {
    let relay = Relay::found("first");
    let invite = relay
        .cli(&["invite", "--ttl", "1s", "--json"])
        .expect_success();
    let invite = invite.json();
    // A relay reads its clock about once a second.
    let expired_at_ms = invite["expires_at_ms"].as_u64().expect("a moment") + 5_000;
    wait::until("the link has expired", PATIENCE, || {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        now.as_millis() > expired_at_ms.into()
    });
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("second");
    let outcome = join(&data, invite["relay_link"].as_str().expect("a link"));
    outcome.expect_error(78, &["has expired", "sporenet invite"]);
    let mut second = Relay::prepare("second", &[]);
    fs::create_dir_all(second.data()).unwrap();
    sporenet_tests::relay::copy_folder(&data, &second.data());
    second.join_with(&relay.invite(&[]).relay);
    wait::until("it is let in", PATIENCE, || relay.names("alive").len() == 2);
}

#[test]
fn a_link_that_is_used_up_ends_with_78() {
    let relay = Relay::found("first");
    let link = relay.invite(&["--uses", "1"]).relay;
    let _second = Relay::join("second", &link);
    wait::until("the second is in", PATIENCE, || {
        relay.names("alive").len() == 2
    });
    let folder = TempDir::new().unwrap();
    join(&folder.path().join("third"), &link).expect_error(78, &["used up", "sporenet invite"]);
}

#[test]
fn a_relay_that_is_away_is_waited_for_and_the_reason_is_told() {
    let mut relay = Relay::found("first");
    let link = relay.invite(&[]).relay;
    relay.kill();
    let mut second = Relay::prepare("second", &[]);
    second.join_with(&link);
    wait::until("the reason is told", PATIENCE, || {
        second
            .log()
            .contains("Not let in yet: nothing listens at the address")
    });
    relay.start();
    wait::until("it is let in", PATIENCE, || {
        second.log().contains("Joined.")
    });
}

#[test]
fn a_file_with_both_links_and_other_text_joins_in_any_order() {
    let relay = Relay::found("first");
    let links = relay.invite(&[]);
    let tab_only = relay
        .cli(&["invite", "--role", "tab"])
        .expect_success()
        .stdout;
    let text = format!(
        "# for the second relay\n\n{tab_only}\n{}\n\n  sporenet run --join '{}' --data x\n",
        links.browser, links.relay
    );
    let _second = Relay::join("second", &text);
    wait::until("it is let in", PATIENCE, || relay.names("alive").len() == 2);
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("third");
    join(&data, &tab_only).expect_error(2, &["browsers", "--role relay"]);
    let cut = &links.relay[..links.relay.len() - 9];
    join(&data, &format!("# a\n{}\n{cut}\n", links.browser))
        .expect_error(2, &["line 3", "damaged or cut off"]);
    join(&data, "# nothing yet\n").expect_error(2, &["not a join link"]);
}

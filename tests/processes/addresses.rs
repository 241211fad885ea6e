//! Addresses as people write them: what can't work is refused with advice, and what means the same works
//! the same.

use sporenet_tests::{
    nginx::certificate,
    program,
    relay::{Relay, free_address},
    wait,
};
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_address_that_nobody_reaches_is_78_and_says_what_to_write() {
    for address in [
        "0.0.0.0:7600",
        "[::]:7600",
        "[]:7600",
        "999.1.1.1:7600",
        "...:7600",
        "relay:0",
        "224.0.0.1:7600",
    ] {
        let flag = format!("--advertise={address}");
        program::run(["config", "check", &flag]).expect_error(78, &["--advertise", address]);
    }
}

#[test]
fn origins_and_hosts_that_never_match_are_78() {
    for (flag, advice) in [
        ("--allowed-origin=app.example.org", "https://"),
        ("--allowed-origin=https://a/b", "https://a"),
        ("--allowed-host=https://a/", "`a`"),
        ("--log==", "--log"),
    ] {
        let outcome = program::run(["config", "check", flag]);
        outcome.expect_error(78, &[advice.trim_start_matches("--")]);
    }
    let checked = program::run([
        "config",
        "print",
        "--allowed-origin=https://App.example.org:443/",
    ]);
    let printed = checked.expect_success().stdout;
    assert!(printed.contains("\"https://app.example.org\""), "{printed}");
}

#[test]
fn a_variable_that_is_set_but_empty_is_not_set() {
    let mut command = program::command();
    command.args(["config", "check"]);
    for name in [
        "LISTEN",
        "ADVERTISE",
        "NAME",
        "ZONE",
        "CONNECTIONS_MAX",
        "LOG_FORMAT",
        "CONFIG",
    ] {
        command.env(format!("SPORENET_{name}"), "");
    }
    let _ = program::finish(command).expect_success();
}

#[test]
fn both_families_listen_on_one_port() {
    let port = free_address().port();
    let both = format!("--listen=[::1]:{port}");
    let mut relay = Relay::prepare("both", &[&both]);
    relay.address.set_port(port);
    relay.start();
    for host in ["127.0.0.1", "[::1]"] {
        let api = format!("--api=http://{host}:{port}");
        let _ = relay.cli(&["status", &api]).expect_success();
    }
    let everywhere = free_address().port();
    let listen = [
        format!("--listen=[::]:{everywhere}"),
        format!("--listen=0.0.0.0:{everywhere}"),
    ];
    let _relay = Relay::with("everywhere", &[&listen[0], &listen[1]]);
}

#[test]
fn a_newcomer_whose_link_leads_back_to_itself_is_told_so() {
    let founder = Relay::found("founder");
    let link = founder.invite(&[]).relay;
    let address = founder.address;
    drop(founder);
    let mut newcomer = Relay::prepare("newcomer", &["--join", &link]);
    newcomer.address = address;
    newcomer.start();
    wait::eventually("the newcomer says so", PATIENCE, || {
        let log = newcomer.log();
        let is_told = log.contains("leads back to this node");
        is_told.then_some(()).ok_or(log)
    });
}

#[test]
fn relays_and_commands_speak_tls_to_a_relay_that_serves_it() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = certificate(folder.path());
    let address = free_address();
    let url = format!("wss://localhost:{}", address.port());
    let mut founder = Relay::prepare(
        "founder",
        &["--listen-tls", &cert, &key, "--advertise", &url],
    );
    founder.address = address;
    founder.start();
    founder.put("app", "a/../b", "value", "local").unwrap();
    let api = format!("--api=https://localhost:{}", address.port());
    let trusted = format!("--tls-ca={cert}");
    let read = founder.cli(&["get", "app", "a/../b", &api, &trusted]);
    assert_eq!(read.expect_success().stdout.trim(), "value");
    founder
        .cli(&["status", &api])
        .expect_error(69, &["--tls-ca"]);
    let mut second = Relay::prepare("second", &[&trusted, "--join", &founder.invite(&[]).relay]);
    second.start();
    wait::eventually("the second relay joins over TLS", PATIENCE, || {
        let value = second.value("app", "a/../b");
        (value.as_deref() == Some("value"))
            .then_some(())
            .ok_or(value)
    });
}

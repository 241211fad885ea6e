//! A store that vanishes under a running node, and a node that must not found a network.

use sporenet_tests::{
    program::{self, Outcome},
    relay::{Relay, free_address},
    wait,
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn after_rm_rf_of_the_data_directory_nothing_is_acknowledged_any_more() {
    let relay = Relay::found("alone");
    relay.put("app", "kept", "yes", "local").unwrap();
    let token = relay.token();
    let bearer = format!("Bearer {token}");
    let put = |key: &str| {
        let path = format!("/api/v1/kv/app/{key}");
        let headers = [("authorization", bearer.as_str())];
        sporenet_tests::http::request(relay.address, "PUT", &path, &headers, b"value").unwrap()
    };
    assert!(put("before").status < 300);
    fs::remove_dir_all(relay.data()).unwrap();
    let answer = put("after");
    assert_eq!(answer.status, 503, "{answer:?}");
    let ready = || {
        let path = "/readyz?verbose";
        sporenet_tests::http::request(relay.address, "GET", path, &[], b"").unwrap()
    };
    wait::until("the node is unready", PATIENCE, || ready().status == 503);
    let text = String::from_utf8_lossy(&ready().body).into_owned();
    assert!(text.contains("data directory is gone"), "{text}");
    wait::until("the log says what to do", PATIENCE, || {
        relay.log().contains("put the data directory back")
    });
}

#[test]
fn a_node_that_nobody_writes_to_notices_that_its_store_was_replaced() {
    let relay = Relay::found("idle");
    let store = relay.data().join("node.db");
    let copy = relay.data().join("copy");
    fs::copy(&store, &copy).unwrap();
    fs::rename(&copy, &store).unwrap();
    wait::until("the loss is in the timeline", PATIENCE, || {
        let timeline = relay.timeline();
        timeline.iter().any(|entry| entry["code"] == "store_lost")
    });
    assert_eq!(relay.status()["mode"], "read-only");
}

fn run_as_member(data: &Path) -> Outcome {
    let data = format!("--data={}", data.display());
    let listen = format!("--listen={}", free_address());
    program::run(["run", "--require-member", &data, &listen])
}

#[test]
fn a_node_that_must_be_a_member_founds_no_network() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    // Twice: the first try leaves nothing behind that looks like a member.
    for _ in 0..2 {
        run_as_member(&data).expect_error(78, &["no member", "volume", "join link"]);
    }
    let first = Relay::found("first");
    let link = first.invite(&[]).relay;
    let mut second = Relay::prepare("second", &["--require-member", "--join", &link]);
    second.start();
    wait::until("it joined", PATIENCE, || {
        second.network() == first.network()
    });
    second.kill();
    second.start();
    wait::until("it is a member still", PATIENCE, || {
        second.names("alive").len() == 2
    });
}

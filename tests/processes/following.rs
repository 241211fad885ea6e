//! `watch` and `events --follow` over connections that fall silent.

use serde_json::Value;
use sporenet_tests::{
    program,
    proxy::{Passage, Proxy},
    relay::Relay,
    wait,
};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::Child,
    time::Duration,
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A command that follows a stream through a proxy, killed when dropped.
struct Follower {
    child: Child,
    folder: TempDir,
}

impl Follower {
    fn start(relay: &Relay, proxy: &Proxy, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = |name| File::create(folder.path().join(name)).expect("a file can be made");
        let mut command = program::command();
        command
            .args(arguments)
            .args(["--json", "--patience=2"])
            .arg(format!("--api=http://{}", proxy.address))
            .arg("--token-file")
            .arg(relay.data().join("api.token"))
            .stdout(file("out"))
            .stderr(file("err"));
        let child = command.spawn().expect("the program starts");
        Self { child, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("err")).unwrap_or_default()
    }

    /// What it printed so far, an object a line.
    fn printed(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("out")).unwrap_or_default();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn wait_for(&self, what: &str, is: impl Fn(&Value) -> bool) {
        wait::eventually(what, PATIENCE, || {
            let printed = self.printed();
            if printed.iter().any(&is) {
                Ok(())
            } else {
                Err((printed, self.said()))
            }
        });
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All connections fall silent, without an end that anybody would see; new ones work.
fn fall_silent(proxy: &Proxy) {
    proxy.set_passage(Passage::HalfOpen);
    // A connection is taken as half-open when something would have passed.
    wait::until("the connection is half-open", PATIENCE, || {
        proxy.half_open() > 0
    });
    proxy.set_passage(Passage::Open);
}

#[test]
fn watch_connects_again_when_nothing_is_heard_and_misses_nothing() {
    let relay = Relay::with("watched", &["--allowed-host=127.0.0.1"]);
    let proxy = Proxy::before(relay.address);
    let watch = Follower::start(&relay, &proxy, &["watch", "app"]);
    wait::until("the stream is open", PATIENCE, || proxy.live() == 1);
    let key = |name: &'static str| move |line: &Value| line["data"]["key"] == name;
    // The first watch has no place in the stream yet: what is written may come before it.
    wait::eventually("a first change is seen", PATIENCE, || {
        relay.put("app", "first", "1", "local").unwrap();
        let printed = watch.printed();
        printed.iter().any(key("first")).then_some(()).ok_or(())
    });
    fall_silent(&proxy);
    relay.put("app", "second", "2", "local").unwrap();
    watch.wait_for("the second change is seen", key("second"));
    let said = watch.said();
    assert!(said.contains("nothing was heard for 2 s"), "{said}");
    assert!(said.contains("connected again"), "{said}");
    let seconds = watch.printed().into_iter().filter(key("second")).count();
    assert_eq!(seconds, 1, "it goes on from the last id");
    let resets = |line: &Value| line["event"] == "reset";
    assert!(!watch.printed().iter().any(resets), "{said}");
}

#[test]
fn events_follow_connects_again_and_goes_on_where_it_was() {
    let mut relay = Relay::with("told", &["--allowed-host=127.0.0.1"]);
    let proxy = Proxy::before(relay.address);
    let events = Follower::start(&relay, &proxy, &["events", "--follow"]);
    let code = |code: &'static str| move |line: &Value| line["code"] == code;
    events.wait_for("the start is told", code("started"));
    fall_silent(&proxy);
    let newcomer = Relay::join("newcomer", &relay.invite(&[]).relay);
    events.wait_for("the newcomer is told", code("admitted"));
    let mut ids: Vec<_> = events
        .printed()
        .iter()
        .map(|line| line["id"].as_u64())
        .collect();
    let all = ids.len();
    ids.dedup();
    assert!(ids.is_sorted() && ids.len() == all, "{ids:?}");
    drop(newcomer);
    // A restart is survived as well; it is another run, which is said.
    relay.kill();
    wait::until("the end is noticed", PATIENCE, || {
        events.said().matches("connecting again").count() >= 2
    });
    relay.start();
    wait::until("the other run is told", PATIENCE, || {
        let starts = events.printed().into_iter().filter(code("started"));
        starts.count() == 2
    });
    assert!(
        events.said().contains("entries are missing"),
        "{}",
        events.said()
    );
}

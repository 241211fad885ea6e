//! What goes wrong in a mesh of real relays is one incident, told once, that ends by itself.
//!
//! The machine may be so busy that its processors are an alert too: the rules of that are switched off, and each
//! test looks at the incidents that it caused.

use serde_json::Value;
use sporenet_tests::{
    proxy::{Passage, Path, Proxy},
    relay::{Relay, free_address},
    sink::{MailSink, WebSink},
    wait,
};
use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{self, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// A smoothed round trip takes half a minute to be bad, and another to be well.
const PATIENCE: Duration = Duration::from_secs(180);
/// A relay that did not hear who notified does so after as long, for each relay before it.
const LEASE: &str = "3s";
/// Longer than the leases of all relays together.
const TAKEN_OVER: Duration = Duration::from_secs(15);

/// Relays that reach each other only through a proxy before each, and tell people over one channel or two.
struct Mesh {
    relays: Vec<Relay>,
    proxies: Vec<Proxy>,
    folder: TempDir,
}

impl Mesh {
    /// Relays whose channels are these, each a part of a configuration file.
    fn of(channels: &[String]) -> Self {
        let folder = TempDir::with_prefix("sporenet-watching-").unwrap();
        let mut mesh = Self {
            relays: Vec::new(),
            proxies: Vec::new(),
            folder,
        };
        for channels in channels {
            let relay = mesh.prepare(channels);
            mesh.start(relay);
        }
        mesh.settle();
        mesh
    }

    /// The next relay, not started yet.
    fn prepare(&self, channels: &str) -> Relay {
        let name = format!("relay-{}", self.relays.len() + 1);
        let config = self.folder.path().join(&name);
        fs::write(&config, channels).unwrap();
        fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
        let mut arguments = vec![format!("--config={}", config.display())];
        if let Some(founder) = self.relays.first() {
            arguments.push(format!("--join={}", founder.invite(&[]).relay));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Relay::prepare(&name, &arguments)
    }

    fn start(&mut self, mut relay: Relay) {
        relay.address = free_address();
        let proxy = Proxy::before(relay.address);
        relay.set_variable("SPORENET_ADVERTISE", &proxy.address.to_string());
        relay.start();
        self.relays.push(relay);
        self.proxies.push(proxy);
    }

    /// Waits until all know all, and follow rules that a busy machine does not break.
    fn settle(&self) {
        let count = self.relays.len();
        wait::until("all are there", PATIENCE, || {
            self.relays
                .iter()
                .all(|relay| relay.names("alive").len() == count)
        });
        let [first, ..] = self.relays.as_slice() else {
            return;
        };
        for rule in ["resource-usage", "node-health", "error-rate"] {
            order(first, &["rules", "off", rule]);
        }
        let lease = ["settings", "set", "alerts.lease", LEASE];
        order(first, &lease);
        wait::until("all follow the last of that", PATIENCE, || {
            let value = |relay: &Relay| relay.cli(&["settings", "get", "alerts.lease"]).stdout;
            self.relays.iter().all(|relay| value(relay).contains(LEASE))
        });
    }

    /// Changes the path between two relays, whoever of them dials.
    fn set_between(&self, a: usize, b: usize, path: Path) {
        self.proxies[a].set_from(self.relays[b].pid(), path);
        self.proxies[b].set_from(self.relays[a].pid(), path);
    }
}

fn order(relay: &Relay, arguments: &[&str]) {
    drop(relay.cli(arguments).expect_success());
}

fn webhook(sink: &WebSink) -> String {
    let url = sink.url("/hook");
    format!("[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\n")
}

fn mail(sink: &MailSink) -> String {
    let smtp = format!("smtp://{}", sink.address);
    format!(
        "[[channel]]\nname = \"mail\"\nkind = \"email\"\nsmtp = \"{smtp}\"\n\
         from = \"mesh@example.org\"\nto = \"ops@example.org\"\n"
    )
}

/// The incidents of some causes, as a relay sees them.
fn incidents(relay: &Relay, causes: &[&str], arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["incidents", "--json"], arguments].concat();
    let told = relay.cli(&arguments).expect_success().json();
    let mut incidents = told.as_array().cloned().unwrap();
    incidents.retain(|one| causes.iter().any(|cause| one["cause"] == *cause));
    incidents
}

/// The only incident of some causes that a relay sees open.
fn only(relay: &Relay, causes: &[&str]) -> Result<Value, Vec<Value>> {
    let mut open = incidents(relay, causes, &[]);
    match open.pop() {
        Some(incident) if open.is_empty() => Ok(incident),
        last => Err(open.into_iter().chain(last).collect()),
    }
}

fn nodes(incident: &Value) -> BTreeSet<String> {
    let nodes = incident["nodes"].as_array().unwrap();
    let nodes = nodes.iter().filter_map(Value::as_str);
    nodes.map(str::to_owned).collect()
}

/// Whether that is how a relay is called among those with the same name.
fn is_by(shown: &Value, relay: &Relay) -> bool {
    let name = format!("{} (", relay.name);
    shown.as_str().is_some_and(|shown| shown.starts_with(&name))
}

fn ids<'a>(relays: impl IntoIterator<Item = &'a Relay>) -> BTreeSet<String> {
    relays.into_iter().map(Relay::id).collect()
}

/// What a webhook was told of incidents whose title has one of these words: how they stood each time.
fn told(sink: &WebSink, words: &[&str]) -> Vec<String> {
    let told = sink.requests().into_iter().map(|request| request.json());
    let about = told.filter(|told| {
        let title = told["title"].as_str().unwrap_or_default();
        words.iter().any(|word| title.contains(word))
    });
    about
        .map(|told| told["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// What was mailed of incidents with this word.
fn mailed(sink: &MailSink, word: &str) -> usize {
    let mails = sink.mails().into_iter();
    mails
        .filter(|mail| mail.header("Subject").contains(word))
        .count()
}

const PATH: [&str; 2] = ["path_bad", "network_of_node"];

#[test]
fn a_delayed_path_is_one_incident_that_is_told_once_and_ends_by_itself() {
    let (hook, post) = (WebSink::answering(&[]), MailSink::answering(&[]));
    let channels = format!("{}{}", webhook(&hook), mail(&post));
    let mesh = Mesh::of(&[(); 3].map(|()| channels.clone()));
    let [first, second, third] = mesh.relays.as_slice() else {
        unreachable!("three were started");
    };
    let ends = ids([first, second]);
    wait::until("the path is known to be short", PATIENCE, || {
        let paths = first.cli(&["rtt", "--json"]).expect_success().json();
        let paths = paths.as_array().unwrap().iter();
        let between = paths.filter(|path| {
            ["from", "to"].map(|end| ends.contains(path[end].as_str().unwrap())) == [true, true]
        });
        let short = between.filter(|path| path["min_ms"].as_f64().unwrap() < 10.0);
        short.count() == 2
    });
    let late = Path {
        delay: Duration::from_millis(300),
        ..Path::default()
    };
    mesh.set_between(0, 1, late);
    for relay in &mesh.relays {
        let (incident, took) = wait::eventually("one incident", PATIENCE, || only(relay, &PATH));
        println!("figure: a delayed path is an incident after {took:?}");
        assert_eq!(incident["cause"], "path_bad", "{incident}");
        assert_eq!(nodes(&incident), ends, "{incident}");
        assert_eq!(incident["severity"], "high", "{incident}");
    }
    wait::until("it is told", PATIENCE, || {
        told(&hook, &["path"]).len() == 1 && mailed(&post, "path") == 1
    });
    let id = only(third, &PATH).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let done = ["ack", &id, "--note", "the line is being mended"];
    order(third, &done);
    wait::until("all see who looks after it", PATIENCE, || {
        mesh.relays.iter().all(|relay| {
            let incident = only(relay, &PATH).unwrap_or_default();
            is_by(&incident["acknowledged_by"], third)
        })
    });
    mesh.set_between(0, 1, Path::default());
    wait::until("it ends by itself, everywhere", PATIENCE, || {
        let open = |relay| incidents(relay, &PATH, &[]).len();
        mesh.relays.iter().all(|relay| open(relay) == 0)
    });
    for relay in &mesh.relays {
        assert_eq!(incidents(relay, &PATH, &["--all"]).len(), 1);
    }
    wait::until("its end is told", PATIENCE, || {
        told(&hook, &["path"]).len() == 2 && mailed(&post, "path") == 2
    });
    wait::throughout("nobody is told twice", TAKEN_OVER, || {
        told(&hook, &["path"]) == ["open", "resolved"] && mailed(&post, "path") == 2
    });
}

const CUT: [&str; 2] = ["partition", "node_down"];

/// What relays have to agree on.
fn agreed(relay: &Relay) -> Vec<[Value; 4]> {
    let all = incidents(relay, &CUT, &["--all"]).into_iter();
    all.map(|one| ["id", "state", "acknowledged_by", "note"].map(|field| one[field].clone()))
        .collect()
}

#[test]
fn each_side_of_a_cut_has_one_incident_and_both_agree_afterwards() {
    let hooks = [(); 2].map(|()| WebSink::answering(&[]));
    let channels = [0, 0, 1, 1].map(|side: usize| webhook(&hooks[side]));
    let mesh = Mesh::of(&channels);
    let (left, right) = mesh.relays.split_at(2);
    let between = |path: Path| {
        for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            mesh.set_between(a, b, path);
        }
    };
    between(Path {
        passage: Passage::Cut,
        ..Path::default()
    });
    for (side, other) in [(left, right), (right, left)] {
        let missed = ids(other);
        for relay in side {
            wait::eventually("one incident is about the other side", PATIENCE, || {
                let incident = only(relay, &CUT)?;
                if incident["cause"] == "partition" && nodes(&incident) == missed {
                    Ok(())
                } else {
                    Err(vec![incident])
                }
            });
        }
    }
    let of_cut = |hook: &WebSink| told(hook, &["out of reach", "is dead"]);
    wait::until("each side tells of it", PATIENCE, || {
        hooks.iter().all(|hook| of_cut(hook) == ["open"])
    });
    let id = only(&left[1], &CUT).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let done = ["ack", &id, "--note", "somebody pulled a cable"];
    order(&left[0], &done);
    wait::until("its side sees who looks after it", PATIENCE, || {
        let incident = only(&left[1], &CUT).unwrap_or_default();
        is_by(&incident["acknowledged_by"], &left[0])
    });
    assert!(only(&right[0], &CUT).unwrap()["acknowledged_by"].is_null());
    between(Path::default());
    wait::eventually("both sides agree that it is over", PATIENCE, || {
        let seen: Vec<_> = mesh.relays.iter().map(agreed).collect();
        let is_one = |agreed: &Vec<[Value; 4]>| match agreed.as_slice() {
            [[_, state, by, note]] => {
                state == "resolved" && is_by(by, &left[0]) && note == "somebody pulled a cable"
            }
            _ => false,
        };
        if seen
            .iter()
            .all(|agreed| is_one(agreed) && *agreed == seen[0])
        {
            Ok(())
        } else {
            Err(seen)
        }
    });
    wait::until("the end is told", PATIENCE, || {
        hooks
            .iter()
            .any(|hook| of_cut(hook).contains(&"resolved".to_owned()))
    });
    wait::throughout("nobody is told of it again", TAKEN_OVER, || {
        hooks.iter().all(|hook| {
            let told = of_cut(hook);
            told == ["open"] || told == ["open", "resolved"]
        })
    });
}

/// A small file system in memory, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts it; answers why not where this process may not.
    fn mount(at: &path::Path, size: &str) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=0700"),
            "tmpfs",
        ]);
        let done = mount.arg(at).output().map_err(|error| error.to_string())?;
        if done.status.success() {
            Ok(Self(at.to_owned()))
        } else {
            Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
        }
    }

    /// A file that takes all the room that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let full = std::iter::repeat_with(|| ballast.write_all(&[0; 4_096])).find_map(Result::err);
        let full = full.expect("a small disk is full in the end");
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a relay may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

const FULL: [&str; 2] = ["disk_full", "store_failed"];

#[test]
fn a_full_disk_is_one_incident_that_is_told_once_and_ends_when_there_is_room() {
    let hook = WebSink::answering(&[]);
    let mut mesh = Mesh::of(&[webhook(&hook), webhook(&hook)]);
    let victim = mesh.prepare(&webhook(&hook));
    let disk = match Tmpfs::mount(&victim.data(), "24m") {
        Ok(disk) => disk,
        Err(why) => {
            println!("skipped: this process may not mount a tmpfs: {why}");
            return;
        }
    };
    mesh.start(victim);
    mesh.settle();
    let [first, _, victim] = mesh.relays.as_slice() else {
        unreachable!("three were started");
    };
    // The shipped rule takes the fullest of four, and the processors of a busy machine may be as full.
    let rule = ["rules", "set", "disk-used", "disk above 80 95 for 3s"];
    order(first, &rule);
    let missed = victim.id();
    let open = |relay: &Relay| {
        let mut open = incidents(relay, &FULL, &[]);
        open.retain(|one| nodes(one).contains(&missed));
        open
    };
    disk.fill();
    let large = "v".repeat(100_000);
    wait::until("a write is refused for want of room", PATIENCE, || {
        let answer = victim.put("app", "large", &large, "local");
        answer.is_err_and(|answer| answer.status == 507)
    });
    let (incident, _) = wait::eventually("one incident is about it", PATIENCE, || {
        let found = open(first);
        match found.as_slice() {
            [one] if one["cause"] == "disk_full" => Ok(one.clone()),
            _ => Err(found),
        }
    });
    assert_eq!(
        nodes(&incident),
        BTreeSet::from([missed.clone()]),
        "{incident}"
    );
    let words = ["disk of relay-3", "store of relay-3"];
    wait::until("it is told", PATIENCE, || told(&hook, &words) == ["open"]);
    fs::remove_file(disk.ballast()).unwrap();
    wait::until("it takes writes again", PATIENCE, || {
        victim.put("app", "large", &large, "local").is_ok()
    });
    wait::until("it ends by itself, everywhere", PATIENCE, || {
        mesh.relays.iter().all(|relay| open(relay).is_empty())
    });
    wait::until("its end is told", PATIENCE, || {
        told(&hook, &words).len() == 2
    });
    wait::throughout("nobody is told twice", TAKEN_OVER, || {
        told(&hook, &words) == ["open", "resolved"]
    });
    drop(disk);
}

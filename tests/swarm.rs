//! Many simulated meshes with faults, run by the program that people run (docs/testing.md).
//!
//! | environment | effect |
//! |---|---|
//! | `SPORENET_SEEDS=600` | how many seeds the swarm runs |
//! | `SPORENET_FIRST_SEED=0` | the first of them |

use serde_json::Value;
use sporenet_tests::program;
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

/// How many seeds the swarm runs, unless the environment says otherwise: enough for every class of
/// faults and every state of interest.
const SEEDS: u64 = 600;

fn setting(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// Runs `sporenet sim … --json`; answers its exit code and what it printed.
fn sim(args: &[&str]) -> (i32, Value) {
    let mut all = vec!["sim"];
    all.extend(args);
    all.push("--json");
    let ran = program::command()
        .args(&all)
        .output()
        .expect("the program starts");
    let answer = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
    (ran.status.code().expect("it ends by itself"), answer)
}

fn number(summary: &Value, name: &str) -> u64 {
    summary[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {summary}"))
}

/// What has to happen to a mesh in a swarm: every class of faults there is.
const CLASSES: [&str; 55] = [
    "bandwidth",
    "bit rot",
    "black hole",
    "bridge",
    "burst",
    "corrupt",
    "crash",
    "crash at output",
    "decay",
    "delay",
    "disk fails",
    "disk full",
    "disk lies",
    "disk slow",
    "drift",
    "duplicate",
    "equivocation",
    "false accusation",
    "false stamp",
    "flap",
    "flood",
    "forgery",
    "frozen clock",
    "hide",
    "impostor",
    "inflated incarnation",
    "isolation",
    "join",
    "join full",
    "leave",
    "long tail",
    "loss",
    "lost record",
    "malformed batch",
    "misdirected",
    "one-way cut",
    "power off",
    "random cut",
    "reorder",
    "replay",
    "reset",
    "resurrection",
    "ring",
    "rotten entry",
    "sleep",
    "split",
    "stale image",
    "star",
    "stop",
    "sybil",
    "tamper",
    "torn write",
    "twin",
    "upgrade",
    "wall clock",
];

/// States of interest: each must have been reached, or the swarm tests less than it says.
const REACHED: [&str; 17] = [
    "admitted",
    "caught_up",
    "entry_damaged",
    "equivocation",
    "identity_conflict",
    "journal_damaged",
    "journal_torn",
    "lie_proved",
    "link_refused",
    "member_dead",
    "member_left",
    "member_parked",
    "offence",
    "stalled",
    "store_broken",
    "store_full",
    "store_recovered",
];

#[test]
fn a_swarm_of_seeds_finds_nothing() {
    let seeds = setting("SPORENET_SEEDS", SEEDS);
    let first = setting("SPORENET_FIRST_SEED", 0);
    let run = [seeds.to_string(), first.to_string()];
    let (code, summary) = sim(&["--swarm", &run[0], "--seed", &run[1]]);
    println!("figure: {}", brief(&summary));
    let found = summary["violations"].as_array().expect("a list");
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!((code, number(&summary, "seeds")), (0, seeds));
    assert_eq!(number(&summary, "lost_writes"), 0);
    assert_eq!(number(&summary, "divergences"), 0);
    // docs/faults.md, G8: at most one in a hundred days that nodes lived.
    assert!(number(&summary, "false_deaths") <= 1, "{summary}");
    assert!(number(&summary, "acked_writes") > seeds * 50, "{summary}");
    if seeds >= SEEDS {
        for class in CLASSES {
            let count = summary["faults"][class].as_u64().unwrap_or_default();
            assert!(count * 4 >= seeds, "only {count} times {class}");
        }
        for state in REACHED {
            assert!(
                summary["reached"][state].as_u64() > Some(0),
                "never {state}"
            );
        }
    }
}

fn brief(summary: &Value) -> String {
    format!(
        "{} seeds, {:.1} node-hours in {:.0} s ({:.0} times real time), {} acknowledged writes checked, \
         faults {}, reached {}",
        summary["seeds"],
        summary["node_hours"].as_f64().unwrap_or_default(),
        summary["real_s"].as_f64().unwrap_or_default(),
        summary["ratio"].as_f64().unwrap_or_default(),
        summary["acked_writes"],
        summary["faults"],
        summary["reached"]
    )
}

#[test]
fn a_canary_is_always_noticed() {
    let (code, summary) = sim(&["--swarm", "3", "--nodes", "5", "--canary"]);
    assert_eq!(code, 1);
    assert_eq!(summary["violations"].as_array().map(Vec::len), Some(3));
    let command = summary["violations"][0]["command"]
        .as_str()
        .unwrap_or_default();
    assert_eq!(command, "sporenet sim --seed 0 --nodes 5 --canary");
}

#[test]
fn the_same_seeds_give_the_same_traces() {
    let seeds = (setting("SPORENET_SEEDS", SEEDS) / 10).to_string();
    let run = |jobs| sim(&["--swarm", &seeds, "--nodes", "5", "--jobs", jobs]).1;
    let (one, two) = (run("1"), run("2"));
    assert_eq!(one["state_hash"], two["state_hash"]);
    assert_eq!(one["events"], two["events"]);
    let other = sim(&["--swarm", "1", "--seed", "1", "--nodes", "5"]).1;
    assert_ne!(one["state_hash"], other["state_hash"]);
}

#[test]
fn every_scenario_and_every_regression_holds() {
    let files = scenarios();
    assert!(files.len() >= 10, "only {}", files.len());
    // Each is one run on one core.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(files.iter());
    let next = || left.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(file) = next() {
                    holds(file);
                }
            });
        }
    });
}

/// The files of both folders.
fn scenarios() -> Vec<PathBuf> {
    let folders = ["scenarios", "regressions"];
    let files = folders.into_iter().flat_map(|folder| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        fs::read_dir(folder).unwrap()
    });
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs one scenario: nothing is wrong with it, and enough was written to say so.
fn holds(file: &Path) {
    let path = file.to_str().unwrap();
    let (code, summary) = sim(&["--scenario", path]);
    assert_eq!(
        (code, &summary["violations"]),
        (0, &Value::Array(Vec::new())),
        "{path}"
    );
    // What is left of a shrunk run may be over before much is written.
    let is_shrunk = file.parent().unwrap().ends_with("regressions");
    let enough = if is_shrunk { 1 } else { wanted_writes(file) };
    assert!(
        number(&summary, "acked_writes") >= enough,
        "{path}: {summary}"
    );
}

/// How many acknowledged writes a scenario needs to say anything: 30, unless it asks for few.
fn wanted_writes(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let asked = text.lines().find_map(|line| line.strip_prefix("writes "));
    let a_minute: u64 = asked.map_or(300, |count| count.parse().unwrap());
    (a_minute / 2).clamp(1, 30)
}

#[test]
fn a_scenario_that_cannot_be_read_is_refused_with_its_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "relays 3\nat 1 explode 2\n").unwrap();
    let ran = program::run(["sim", "--scenario", file.path().to_str().unwrap()]);
    ran.expect_error(1, &["line 2: there is no fault `explode`"]);
}

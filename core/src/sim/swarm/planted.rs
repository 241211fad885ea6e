//! The test of the tests: the swarm has to find every bug that is planted.
//!
//! docs/testing.md has a table of the bugs; its last column says how many seeds the hunt from seed 0 on
//! took. A hunt begins at the seed that found the bug then. Only if that seed does not find it any more,
//! because the simulator draws something else now, the hunt begins at seed 0.
//!
//! | environment | effect |
//! |---|---|
//! | `SPORENET_PLANTED=NAME` | hunts this bug alone |
//! | `SPORENET_PLANTED_FULL=1` | hunts every bug from seed 0 on: prints the table's rows anew |

use crate::{
    kernel::planted::{self, Planted},
    sim::{
        plan::{Plan, Wish},
        run,
    },
};
use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};
use std::{
    env, fs,
    panic::{self, AssertUnwindSafe},
    println,
    sync::Mutex,
    thread,
};

/// The most seeds that any bug may take.
const SEEDS_MAX: u64 = 5_000;
/// The most seeds that a bug may take which its known seed does not find any more.
const MOVED_MAX: u64 = 500;
/// How many seeds are tried from a known one on.
const WINDOW: u64 = 4;
/// The first seeds of a hunt are run twice: what no seed decides shows in the trace.
const TWICE: u64 = 3;

/// What is wrong with a run, if anything is.
fn violation(plan: &Plan, twice: bool) -> Option<String> {
    let run = || panic::catch_unwind(AssertUnwindSafe(|| run::run(plan)));
    let Ok(outcome) = run() else {
        return Some("a panic".into());
    };
    if let Some(violation) = outcome.violations.first() {
        return Some(violation.what.clone());
    }
    let differs = twice && run().is_ok_and(|again| again.trace != outcome.trace);
    differs.then(|| "the same seed gives another trace".into())
}

/// The first of some seeds that shows a violation with the bug, and none without it.
fn hunt(bug: Planted, first: u64, count: u64) -> Option<(u64, String)> {
    (first..first + count).find_map(|seed| {
        let plan = Plan::draw(seed, Wish::default());
        planted::plant(Some(bug));
        let found = violation(&plan, seed < first + TWICE);
        planted::plant(None);
        let what = found?;
        violation(&plan, false).is_none().then_some((seed, what))
    })
}

/// The seeds that found the bugs when docs/testing.md was written.
fn known_seeds() -> BTreeMap<String, u64> {
    // Read when it is wanted: a change of that text is no reason to build the core again.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/testing.md");
    let table = fs::read_to_string(file).unwrap();
    let rows = table.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once('`')?;
        Planted::from_name(name)?;
        let seeds = rest.trim_end_matches('|').rsplit('|').next()?.trim();
        Some((name.to_owned(), seeds.parse::<u64>().ok()?.checked_sub(1)?))
    });
    rows.collect()
}

/// A row of the table: where the swarm found a bug. `None` if it did not.
fn row(bug: Planted, known: Option<u64>) -> Option<String> {
    let (seed, what) = match known {
        Some(seed) => hunt(bug, seed, WINDOW).or_else(|| {
            println!("`{}`: not by seed {seed} any more", bug.name());
            hunt(bug, 0, MOVED_MAX)
        })?,
        None => hunt(bug, 0, SEEDS_MAX)?,
    };
    let (name, class) = (bug.name(), bug.class());
    let row = std::format!("| `{name}` | {class} | {what:.80} | {} |", seed + 1);
    println!("{row}");
    Some(row)
}

#[test]
fn the_swarm_finds_every_planted_bug() {
    let only = env::var("SPORENET_PLANTED").unwrap_or_default();
    let wanted = |bug: &&Planted| only.is_empty() || only.split(',').any(|one| one == bug.name());
    let full = env::var("SPORENET_PLANTED_FULL").is_ok();
    let known = known_seeds();
    let left = Mutex::new(Planted::ALL.iter().filter(wanted));
    let next = || left.lock().unwrap().next();
    let missed = Mutex::new(Vec::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(bug) = next() {
                    let seed = known.get(bug.name()).filter(|_| !full).copied();
                    if row(*bug, seed).is_none() {
                        missed.lock().unwrap().push(bug.name());
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert_eq!(missed, [""; 0], "the harness is too weak for these");
}

#[test]
fn the_table_of_planted_bugs_has_them_all() {
    let known = known_seeds();
    let missing = Planted::ALL.iter().map(|bug| bug.name());
    let missing: Vec<_> = missing.filter(|name| !known.contains_key(*name)).collect();
    assert_eq!(missing, [""; 0], "docs/testing.md");
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 0..20 {
        let plan = Plan::draw(seed, Wish::default());
        assert_eq!(violation(&plan, seed < TWICE), None, "seed {seed}");
    }
}

#[test]
fn a_canary_is_found_whatever_is_planted() {
    let wish = Wish {
        canary: true,
        nodes: Some(5),
        ..Wish::default()
    };
    for seed in 0..3 {
        let found = violation(&Plan::draw(seed, wish), false);
        assert!(found.is_some_and(|what| what.contains("canary")));
    }
}

#[test]
fn a_bug_is_planted_for_its_own_thread_only() {
    planted::plant(Some(Planted::NeverRefutes));
    assert!(planted::is(Planted::NeverRefutes));
    let elsewhere = thread::spawn(|| planted::is(Planted::NeverRefutes));
    assert!(!elsewhere.join().unwrap());
    planted::plant(None);
    assert!(!planted::is(Planted::NeverRefutes));
}

#[test]
fn every_bug_has_a_name_and_a_class_of_its_own() {
    for bug in Planted::ALL {
        assert_eq!(Planted::from_name(bug.name()), Some(*bug));
        let (kind, number) = bug.class().split_at(1);
        let known = number.parse().is_ok_and(|number: u32| match kind {
            "F" => (1..=24).contains(&number),
            "T" => (1..=20).contains(&number),
            _ => false,
        });
        assert!(known, "{} is no class of docs/faults.md", bug.class());
    }
    assert!(Planted::ALL.len() >= 40);
    assert_eq!(Planted::from_name("none"), None);
}

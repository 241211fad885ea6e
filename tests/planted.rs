//! The test of the tests: the swarm has to find every bug that is planted (docs/testing.md).
//!
//! | environment | effect |
//! |---|---|
//! | `SPORENET_PLANTED=NAME` | hunts this bug alone |
//! | `SPORENET_PLANTED_FULL=1` | hunts every bug from seed 0 on, in at most 5,000 seeds |

use sporenet_core::{
    kernel::planted::{self, Planted},
    sim::{
        plan::{Plan, Wish},
        run,
    },
};
use std::{
    collections::BTreeMap,
    env,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// The most seeds that any bug may take.
const SEEDS_MAX: u64 = 5_000;
/// The first seeds of a hunt are run twice: what no seed decides shows in the trace.
const TWICE: u64 = 3;

/// One bug is planted in the whole process, so hunts take turns.
static FIELD: Mutex<()> = Mutex::new(());

fn take_turn() -> MutexGuard<'static, ()> {
    FIELD.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// The first of some seeds that shows a violation, and which.
fn hunt(first: u64, count: u64) -> Option<(u64, String)> {
    let next = AtomicU64::new(first);
    let found = AtomicU64::new(u64::MAX);
    let texts = Mutex::new(BTreeMap::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count || seed > found.load(Ordering::SeqCst) {
                        return;
                    }
                    let plan = Plan::draw(seed, Wish::default());
                    if let Some(what) = violation(&plan, seed < first + TWICE) {
                        found.fetch_min(seed, Ordering::SeqCst);
                        texts.lock().unwrap().insert(seed, what);
                    }
                }
            });
        }
    });
    texts.into_inner().unwrap().pop_first()
}

/// The first of some seeds that shows a violation with the bug, and none without it.
fn hunt_bug(bug: Planted, first: u64, count: u64) -> Option<(u64, String)> {
    let mut from = first;
    while from < first + count {
        planted::plant(Some(bug));
        let found = hunt(from, first + count - from);
        planted::plant(None);
        let (seed, what) = found?;
        if violation(&Plan::draw(seed, Wish::default()), false).is_none() {
            return Some((seed, what));
        }
        from = seed + 1;
    }
    None
}

/// The most seeds that a bug may take in CI.
const USUAL_MAX: u64 = 500;

#[test]
fn the_swarm_finds_every_planted_bug() {
    let _turn = take_turn();
    let only = env::var("SPORENET_PLANTED").unwrap_or_default();
    let wanted = |bug: &&Planted| only.is_empty() || only.split(',').any(|one| one == bug.name());
    // A panic is a finding like any other.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let full = env::var("SPORENET_PLANTED_FULL").is_ok();
    let most = if full { SEEDS_MAX } else { USUAL_MAX };
    let mut missed = Vec::new();
    for bug in Planted::ALL.iter().filter(wanted) {
        let (name, class) = (bug.name(), bug.class());
        match hunt_bug(*bug, 0, most) {
            Some((seed, what)) => println!("| `{name}` | {class} | {what:.80} | {} |", seed + 1),
            None => missed.push(name),
        }
    }
    panic::set_hook(hook);
    assert_eq!(missed, [""; 0], "the harness is too weak for these");
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    let _turn = take_turn();
    planted::plant(None);
    let setting = |name, usual| env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (first, seeds) = (
        setting("SPORENET_FIRST_SEED", 0),
        setting("SPORENET_SEEDS", 20),
    );
    assert_eq!(hunt(first, seeds), None);
}

#[test]
fn a_canary_is_found_whatever_is_planted() {
    let _turn = take_turn();
    planted::plant(None);
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

//! Waiting on conditions: never for a fixed time, always with a limit and a word on what is missing.

use std::{
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How much longer than promised a test waits before it fails: test machines are shared and slow. The
/// real figure is printed beside the promise.
pub const PATIENCE: u32 = 3;

/// Looks until `look` answers something, at most for `limit`; answers it and how long it took.
///
/// # Panics
/// When `limit` is over, saying what was waited for and what was seen last.
pub fn eventually<T, S: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, S>,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return (found, start.elapsed()),
            Err(seen) => assert!(
                start.elapsed() < limit,
                "waited {limit:?} in vain for: {what}; seen last: {seen:?}"
            ),
        }
        pause(LOOK_INTERVAL);
    }
}

/// Looks until `condition` holds, at most for `limit`; answers how long it took.
///
/// # Panics
/// When `limit` is over.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    eventually(what, limit, || condition().then_some(()).ok_or(())).1
}

/// Checks that `condition` holds during all of `span`.
///
/// # Panics
/// When it does not, at any look.
pub fn throughout(what: &str, span: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(condition(), "{what}: no longer after {:?}", start.elapsed());
        pause(LOOK_INTERVAL);
    }
}

/// Waits for a promised figure with patience, and prints it beside the promise.
///
/// # Panics
/// When it takes more than [`PATIENCE`] times as long as promised.
pub fn promised<T, S: Debug>(
    what: &str,
    promise: Duration,
    look: impl FnMut() -> Result<T, S>,
) -> T {
    let (found, took) = eventually(what, promise * PATIENCE, look);
    figure(what, took, promise);
    found
}

/// Prints a measured span beside its promise.
pub fn figure(what: &str, took: Duration, promise: Duration) {
    let mark = if took <= promise { "" } else { "  LATE" };
    println!(
        "figure: {what}: {:.2} s of {:.2} s{mark}",
        took.as_secs_f64(),
        promise.as_secs_f64()
    );
}

/// Lets others run for a moment before the next look.
fn pause(span: Duration) {
    thread::park_timeout(span);
}

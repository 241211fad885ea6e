//! Minutes of this node's series, read from the node's own store of samples once they are complete.

use super::{
    History,
    record::{Record, RollUp},
};
use crate::driver::Handle;
use sporenet_core::{node::Node, observe::series::Series};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked whether a minute is complete.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const MINUTE_MS: u64 = 60_000;
/// How long after its end a minute waits for its last samples.
const PATIENCE_MS: u64 = 2_000;
/// How many minutes are made up for after a pause; what is older than that is in no fine ring any more.
const MINUTES_MAX: u64 = 60;
/// More points than a minute has samples.
const POINTS_MAX: usize = 240;

/// Keeps every minute that ends, until the core task is gone.
pub(crate) async fn run(core: Handle, history: History) {
    if !history.is_on() {
        return;
    }
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next_ms = None;
    loop {
        looks.tick().await;
        let asked = core.ask(move |node, _| {
            let keep_ms = node.alerts_in_force().history_keep_ms;
            (keep_ms, complete(node, next_ms))
        });
        let Ok((keep_ms, (next, minutes))) = asked.await else {
            return;
        };
        history.keep_for(keep_ms);
        next_ms = Some(next);
        for minute in minutes {
            history.record(Record::Minute(minute));
        }
    }
}

/// The minutes that are complete since `next_ms`, and when the next one begins.
fn complete(node: &Node, next_ms: Option<u64>) -> (u64, Vec<RollUp>) {
    let now = node.wall_now().as_millis();
    let due = due(now, next_ms);
    let mut minutes = Vec::new();
    for from_ms in due.clone().step_by(60_000) {
        let of_minute = Series::ALL.into_iter();
        minutes.extend(of_minute.filter_map(|series| minute(node, series, from_ms)));
    }
    (due.end, minutes)
}

/// The beginnings of the minutes that are complete at `now`: from the first one of them to that of the
/// one that is not.
fn due(now: u64, next_ms: Option<u64>) -> std::ops::Range<u64> {
    let minute = |at: u64| at / MINUTE_MS * MINUTE_MS;
    let current = minute(now);
    let end = minute(now.saturating_sub(PATIENCE_MS));
    // A clock that went back begins again with the minute that it shows.
    let start = next_ms.unwrap_or(current).min(current);
    let oldest = end.saturating_sub(MINUTES_MAX * MINUTE_MS);
    let start = start.max(oldest);
    start..end.max(start)
}

fn minute(node: &Node, series: Series, from_ms: u64) -> Option<RollUp> {
    let window = (from_ms, from_ms + MINUTE_MS - 1);
    let found = node.series_points(node.id(), series, window, POINTS_MAX)?;
    // A step that is wider than the window may reach into the minutes beside it: it is none of this one.
    if found.step_ms > MINUTE_MS {
        return None;
    }
    let values = found.points.iter().map(|point| point.1);
    let (sum, points) = values.fold((0.0, 0_u32), |(sum, many), value| (sum + value, many + 1));
    Some(RollUp {
        node: found.node,
        series: found.series,
        unit: found.unit,
        from_ms,
        points: u64::from(points),
        mean: sum / f64::from(points),
        min: found.min?,
        max: found.max?,
        last: found.points.last()?.1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_kept_once_it_is_complete() {
        assert_eq!(
            due(90_000, None),
            60_000..60_000,
            "only what began is known"
        );
        assert_eq!(
            due(121_000, Some(60_000)),
            60_000..60_000,
            "its last samples may come"
        );
        assert_eq!(due(122_000, Some(60_000)), 60_000..120_000);
        assert_eq!(due(122_000, Some(120_000)), 120_000..120_000);
    }

    #[test]
    fn a_long_pause_is_made_up_for_as_far_as_samples_reach() {
        let now = 100 * 3_600_000 + 5_000;
        let made_up = due(now, Some(60_000));
        assert_eq!(made_up, now - 5_000 - 3_600_000..now - 5_000);
    }

    #[test]
    fn a_clock_that_went_back_goes_on_from_where_it_is() {
        assert_eq!(due(200_000, Some(9_000_000)), 180_000..180_000);
    }
}

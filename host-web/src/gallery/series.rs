//! Series that nobody measured: calm waves, higher on some nodes; in the scene `outage` with a jump half an hour
//! ago and a gap.

use super::made_up::{Cast, cast, id};
use crate::protocol::{Answer, Failure, Request};
use sporenet_core::node::snapshot::{Expected, Finding, Outlook, Score, SeriesPoints, SeriesView};

const MINUTE_MS: u64 = 60_000;

/// A series: its name, its unit, its usual value, how far it swings, and how many times as much it is
/// after the jump.
struct Made(&'static str, &'static str, f64, f64, f64);

const MADE: [Made; 17] = [
    Made("cpu", "%", 12.0, 5.0, 4.1),
    Made("memory", "%", 41.0, 2.0, 1.2),
    Made("disk", "%", 63.0, 0.2, 1.0),
    Made("received", "B/s", 48_000.0, 9_000.0, 2.0),
    Made("sent", "B/s", 31_000.0, 7_000.0, 0.4),
    Made("loop_lag", "ms", 1.6, 0.8, 9.0),
    Made("journal_latency", "ms", 3.2, 1.1, 1.1),
    Made("send_queue", "messages", 2.0, 2.0, 6.0),
    Made("latency", "ms", 24.0, 4.0, 3.3),
    Made("latency_p50", "ms", 21.0, 2.0, 1.6),
    Made("latency_p99", "ms", 66.0, 24.0, 4.2),
    Made("loss", "%", 0.4, 0.4, 12.0),
    Made("links", "peers", 4.0, 0.0, 0.75),
    Made("messages_in", "1/s", 44.0, 11.0, 0.6),
    Made("messages_out", "1/s", 39.0, 9.0, 0.5),
    Made("writes", "1/s", 0.8, 0.6, 1.0),
    Made("error_rate", "%", 0.1, 0.1, 30.0),
];

/// What a tab doesn't measure.
const ONLY_RELAYS: [&str; 3] = ["disk", "received", "sent"];

/// A number from 0 to 1 that looks like chance.
fn chance(seed: u64) -> f64 {
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(mixed >> 40).unwrap_or(0)) / 16_777_216.0
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number % 1_000_000_000).unwrap_or(0))
}

/// What a number of a node is multiplied by, so that no two have the same: 1 for this tab.
fn share_of(node: &str) -> f64 {
    if node == id(7).to_string() {
        return 1.0;
    }
    0.7 + 0.08 * float(node.bytes().map(u64::from).sum::<u64>() % 9)
}

fn value(made: &Made, scene: &str, node: &str, at: u64, now: u64) -> Option<f64> {
    let Made(name, _, usual, swing, jump) = made;
    let age = now.saturating_sub(at);
    if scene == "outage" && (12 * MINUTE_MS..15 * MINUTE_MS).contains(&age) {
        return None;
    }
    let whose: u64 = node.bytes().map(u64::from).sum();
    let seed = at / 5_000 + name.bytes().map(u64::from).sum::<u64>() + whose * 131;
    let wave = (float(at / 1_000) / 700.0).sin() + (float(at / 1_000) / 97.0).sin() * 0.3;
    let spike = if chance(seed ^ 0x55) > 0.985 {
        2.5
    } else {
        0.0
    };
    let value = usual * share_of(node) + swing * (wave * 0.5 + chance(seed) - 0.5 + spike);
    let is_after = scene == "outage" && age < 35 * MINUTE_MS;
    Some((if is_after { value * jump } else { value }).max(0.0))
}

/// What is answered to who asks for series.
pub(super) fn answer(scene: &str, now: u64, request: &Request) -> Option<Result<Answer, Failure>> {
    if let Request::Series {
        node,
        series: name,
        from_ms,
        to_ms,
        points,
    } = request
    {
        return Some(series(
            scene,
            now,
            (node, name),
            (*from_ms, *to_ms),
            *points,
        ));
    }
    if let Request::Outlook { node, series } = request {
        return Some(Ok(outlook(scene, now, node, series)));
    }
    matches!(request, Request::SeriesList).then(|| Ok(list(scene, now, &cast(scene))))
}

/// A series as it is answered.
pub(super) fn series(
    scene: &str,
    now: u64,
    (node, name): (&str, &str),
    (from_ms, to_ms): (u64, u64),
    points: u32,
) -> Result<Answer, Failure> {
    let is_tab = node == id(7).to_string();
    let made = MADE.iter().find(|made| made.0 == name);
    let made = made.filter(|_| !(is_tab && ONLY_RELAYS.contains(&name)));
    let Some(made) = made.filter(|_| scene != "empty") else {
        return Ok(Answer::Series(None));
    };
    let span = to_ms.saturating_sub(from_ms);
    let step_ms = [5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 900_000]
        .into_iter()
        .find(|step| span / step <= u64::from(points))
        .unwrap_or(3_600_000);
    let first = from_ms.div_ceil(step_ms);
    let places = first..=to_ms.min(now) / step_ms;
    let points: Vec<(u64, f64)> = places
        .filter_map(|place| {
            let at = place * step_ms;
            Some((at, value(made, scene, node, at, now)?))
        })
        .collect();
    let values = || points.iter().map(|(_, value)| *value);
    let (min, max) = (values().reduce(f64::min), values().reduce(f64::max));
    Ok(Answer::Series(Some(SeriesPoints {
        node: node.into(),
        series: name.into(),
        unit: made.1.into(),
        step_ms,
        points,
        min,
        max,
    })))
}

/// Which series there are.
fn list(scene: &str, now: u64, cast: &[Cast]) -> Answer {
    let tab = id(7).to_string();
    let mut all = Vec::new();
    for one in cast.iter().filter(|_| scene != "empty") {
        let node = id(one.0).to_string();
        for made in &MADE {
            let Some(value) = value(made, scene, &node, now, now) else {
                continue;
            };
            if node == tab && ONLY_RELAYS.contains(&made.0) {
                continue;
            }
            all.push(SeriesView {
                node: node.clone(),
                name: one.name().into(),
                series: made.0.into(),
                unit: made.1.into(),
                at_ms: now,
                value,
            });
        }
    }
    Answer::SeriesList(all)
}

/// What a snapshot carries.
pub(super) fn charts(scene: &str, now: u64) -> Vec<SeriesPoints> {
    let tab = id(7).to_string();
    let window = (now.saturating_sub(10 * MINUTE_MS), now);
    let names = [
        "cpu",
        "memory",
        "loop_lag",
        "latency",
        "latency_p50",
        "latency_p99",
        "messages_in",
        "messages_out",
        "writes",
    ];
    let told =
        names
            .into_iter()
            .filter_map(|name| match series(scene, now, (&tab, name), window, 121) {
                Ok(Answer::Series(points)) => points,
                Ok(_) | Err(_) => None,
            });
    told.collect()
}

/// What is answered to who asks for what is unusual and where it goes.
fn outlook(scene: &str, now: u64, node: &str, name: &str) -> Answer {
    let made = MADE.iter().find(|made| made.0 == name);
    let made = made.filter(|_| node == id(7).to_string() && scene != "empty");
    let Some(made) = made else {
        return Answer::Outlook(None);
    };
    let jumped = scene == "outage" && made.4 > 1.5;
    let start = now / 10_000 * 10_000 - 120 * MINUTE_MS;
    let strength = |at: u64| {
        let age = now.saturating_sub(at);
        let after = (8 * MINUTE_MS..36 * MINUTE_MS).contains(&age);
        match jumped && after {
            true => 0.3 + 0.7 * chance(at / 10_000),
            false if chance(at / 10_000) > 0.99 => 0.25,
            false => 0.0,
        }
    };
    let unusual = (0..720).map(|step| start + step * 10_000);
    let last = value(made, scene, node, now, now).unwrap_or(made.2);
    let climbs = scene == "outage" && name == "memory";
    let forecast = (0..60_u64).map(|minute| {
        let mean = last + if climbs { float(minute) * 0.5 } else { 0.0 };
        let spread = made.3 * (0.6 + float(minute) / 25.0);
        Expected {
            at_ms: now + minute * MINUTE_MS,
            mean,
            low: (mean - spread).max(0.0),
            high: mean + spread,
        }
    });
    let findings = vec![Finding {
        at_ms: now.saturating_sub(34 * MINUTE_MS),
        text: format!(
            "{name} is {:.1} times as far from what is usual at this hour as ever",
            made.4
        ),
        borne_out: Some(true),
    }];
    Answer::Outlook(Some(Box::new(Outlook {
        node: node.into(),
        series: name.into(),
        unit: made.1.into(),
        unusual: unusual.map(|at| (at, strength(at))).collect(),
        findings: if jumped { findings } else { Vec::new() },
        forecast: forecast.collect(),
        reaches: climbs.then(|| "memory full in about 2 h".into()),
        scores: vec![Score {
            what: "forecasts".into(),
            right: 52,
            wrong: 4,
            text: "52 of 56 forecasts held".into(),
        }],
    })))
}

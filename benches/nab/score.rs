//! The score of the Numenta Anomaly Benchmark.
//!
//! Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly
//! Benchmark", ICMLA 2015, section II: scaled sigmoid inside and behind label windows, three profiles,
//! one threshold for all series, scores normalised between the null detector and the perfect one.

/// What right and wrong alarms are worth.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// Of the earliest alarm in a window, at its left edge.
    pub(crate) hit: f64,
    /// Of each alarm outside.
    pub(crate) false_alarm: f64,
    /// Of a window without an alarm.
    pub(crate) miss: f64,
}

/// The benchmark's three.
pub(crate) const PROFILES: [Profile; 3] = [
    Profile {
        name: "standard",
        hit: 1.0,
        false_alarm: 0.11,
        miss: 1.0,
    },
    Profile {
        name: "reward_low_FP_rate",
        hit: 1.0,
        false_alarm: 0.22,
        miss: 1.0,
    },
    Profile {
        name: "reward_low_FN_rate",
        hit: 1.0,
        false_alarm: 0.11,
        miss: 2.0,
    },
];

/// Scores of one series with what an alarm at each point would count.
pub(crate) struct Scored {
    /// `(score, worth, window)`, highest score first, the probationary points left out. `worth` is
    /// the sigmoid: positive inside window `window`, negative outside.
    points: Vec<(f64, f64, Option<usize>)>,
    pub(crate) windows: usize,
}

fn sigmoid(position: f64) -> f64 {
    if position > 3.0 {
        -1.0
    } else {
        2.0 / (1.0 + (5.0 * position).exp()) - 1.0
    }
}

/// How many points at the start are not judged: 15 %, of the first 5000.
pub(crate) fn probation(points: usize) -> usize {
    points.min(5000) * 15 / 100
}

/// Prepares one series: `scores` has one entry per point, `windows` are index ranges, ends inside.
#[expect(clippy::cast_precision_loss, reason = "indices are far below 2^52")]
pub(crate) fn prepare(scores: &[f64], windows: &[(usize, usize)]) -> Scored {
    let mut points = Vec::with_capacity(scores.len());
    for (index, &score) in scores.iter().enumerate().skip(probation(scores.len())) {
        let inside = windows.iter().position(|w| (w.0..=w.1).contains(&index));
        let worth = if let Some(window) = inside {
            let (first, last) = windows[window];
            let position = (last + 1 - index) as f64 / (last + 1 - first) as f64;
            sigmoid(-position) / sigmoid(-1.0)
        } else {
            let behind = windows.iter().rev().find(|w| w.1 < index);
            behind.map_or(-1.0, |&(first, last)| {
                sigmoid((index - last) as f64 / (last - first).max(1) as f64)
            })
        };
        points.push((score, worth, inside));
    }
    points.sort_by(|a, b| b.0.total_cmp(&a.0));
    Scored {
        points,
        windows: windows.len(),
    }
}

/// What an alarm at every point with at least `threshold` scores, not normalised; and how many
/// windows were hit, and how many alarms fell outside.
pub(crate) fn raw(series: &Scored, profile: Profile, threshold: f64) -> (f64, usize, usize) {
    let mut best = vec![None; series.windows];
    let (mut total, mut outside) = (0.0, 0);
    for &(_, worth, window) in series.points.iter().take_while(|p| p.0 >= threshold) {
        if let Some(window) = window {
            best[window] = Some(best[window].map_or(worth, |b: f64| b.max(worth)));
        } else {
            total += worth * profile.false_alarm;
            outside += 1;
        }
    }
    for window in &best {
        total += window.map_or(-profile.miss, |worth| worth * profile.hit);
    }
    (total, best.iter().flatten().count(), outside)
}

/// The one threshold that is best for all of `series` together, and what it scores.
pub(crate) fn best_threshold(series: &[&Scored], profile: Profile) -> (f64, f64) {
    let mut all: Vec<(f64, f64, Option<(usize, usize)>)> = Vec::new();
    for (s, one) in series.iter().enumerate() {
        all.extend(one.points.iter().map(|p| (p.0, p.1, p.2.map(|w| (s, w)))));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut hit: Vec<Vec<f64>> = series
        .iter()
        .map(|one| vec![-profile.miss; one.windows])
        .collect();
    let mut total: f64 = hit.iter().flatten().sum();
    let mut best = (f64::INFINITY, total);
    for (i, &(score, worth, window)) in all.iter().enumerate() {
        if let Some((s, w)) = window {
            let better = hit[s][w].max(worth * profile.hit);
            total += better - hit[s][w];
            hit[s][w] = better;
        } else {
            total += worth * profile.false_alarm;
        }
        // Points of equal score alarm together.
        if all.get(i + 1).is_none_or(|next| next.0 < score) && total > best.1 {
            best = (score, total);
        }
    }
    best
}

/// 0 for the null detector, 100 for the perfect one.
#[expect(clippy::cast_precision_loss, reason = "a handful of windows")]
pub(crate) fn normalised(raw: f64, windows: usize, profile: Profile) -> f64 {
    let (null, perfect) = (-profile.miss * windows as f64, profile.hit * windows as f64);
    100.0 * (raw - null) / (perfect - null)
}

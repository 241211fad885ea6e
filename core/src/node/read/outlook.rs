//! What is unusual about a series and where it goes, as charts and commands show it.

use crate::{
    detection::forecast::Scored,
    node::{
        machine::Node,
        read::{
            sentences::{in_words, together_in_words, unusual_in_words},
            snapshot::{Expected, Finding, Outlook, Score},
        },
    },
    observe::{
        series::Series,
        watch::{Found, Told, WATCHED},
    },
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// How far apart the expected values are, and how many there are: an hour ahead.
const AHEAD_STEP_MS: u64 = 300_000;
const AHEAD_STEPS: u64 = 12;
/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

impl Node {
    /// What is unusual about a series of this node, and where it goes; `None` if it is not watched.
    #[must_use]
    pub fn outlook(&self, series: Series) -> Option<Outlook> {
        if !WATCHED.contains(&series) {
            return None;
        }
        let watch = &self.history.watch;
        let ahead = (0..=AHEAD_STEPS).filter_map(|step| {
            let (at_ms, expected) = watch.expected(series, step.saturating_mul(AHEAD_STEP_MS))?;
            Some(Expected {
                at_ms,
                mean: expected.value,
                low: expected.value - expected.within,
                high: expected.value + expected.within,
            })
        });
        let reaches = watch.full_after(series).map(|after| {
            let name = series.name().replace('_', " ");
            format!("{name} full in about {}", in_words(after))
        });
        let found = watch
            .found()
            .filter(|found| is_about(found, series))
            .map(|found| Finding {
                at_ms: found.at_ms,
                text: match &found.what {
                    Told::Unusual(unusual) => unusual_in_words(unusual),
                    Told::Together(series) => together_in_words(series),
                    Told::RunsFull { series, .. } => format!("The {series} runs full."),
                },
                borne_out: found.borne_out,
            });
        Some(Outlook {
            node: self.id().to_string(),
            series: series.name().into(),
            unit: series.unit().into(),
            unusual: watch.unusual(series).collect(),
            findings: found.collect(),
            forecast: ahead.collect(),
            reaches,
            scores: self.scores(series),
        })
    }

    fn scores(&self, series: Series) -> Vec<Score> {
        let watch = &self.history.watch;
        let (right, wrong, since_ms) = watch.scores();
        let now_ms = self.wall_now().as_millis();
        let watched = since_ms.map(|since| now_ms.saturating_sub(since));
        let mut scores = alloc::vec![Score {
            what: "findings".into(),
            right,
            wrong,
            text: findings_in_words(right, wrong, watched),
        }];
        if let Some(scored) = watch.scored(series) {
            let sum = |of: fn(&Scored) -> u32| scored.iter().map(of).fold(0, u32::saturating_add);
            let (right, wrong) = (sum(|scored| scored.hits), sum(|scored| scored.misses));
            let text = match right.saturating_add(wrong) {
                0 => "No forecast has come due yet.".into(),
                all => format!(
                    "{right} of {all} forecasts over 1, 4, 16 and 64 minutes held; nine of ten should."
                ),
            };
            scores.push(Score {
                what: "forecasts".into(),
                right,
                wrong,
                text,
            });
        }
        scores
    }
}

fn is_about(found: &Found, series: Series) -> bool {
    match &found.what {
        Told::Unusual(unusual) => unusual.series == series,
        Told::Together(all) => all.contains(&series),
        Told::RunsFull { series: full, .. } => *full == series,
    }
}

/// Precision and false alarms, of all findings of this node since it runs.
fn findings_in_words(right: u32, wrong: u32, watched_ms: Option<u64>) -> String {
    let all = right.saturating_add(wrong);
    let (Some(watched), 1..) = (watched_ms, all) else {
        return "No finding is old enough yet to say whether an alert followed.".into();
    };
    // Less than a day says little about a day.
    let days = (float(watched) / DAY_MS).max(1.0);
    let false_alarms = f64::from(wrong) / days;
    format!(
        "An alert followed {right} of {all} findings within 15 minutes; {false_alarms:.1} a day were \
         followed by none."
    )
}

/// As a number with a fraction; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn float(number: u64) -> f64 {
    number as f64
}

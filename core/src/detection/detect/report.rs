//! One report per incident, and fewer the longer a series is known.

/// The bar that a rarity has to pass to be reported.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Report {
    /// In decades. Raised above each report, falls back exponentially.
    bar: f64,
    samples: u32,
}

/// By how many decades what follows must be rarer than the last report. From 0.3 to 0.8 no difference.
const MARGIN: f64 = 0.5;

/// In how many samples the bar falls to 1/e. At 400 the benchmark's score drops by 6, second incidents
/// are missed; at 50 one incident is reported many times.
const FADES_IN: f64 = 150.0;

/// Decades by which ten times as many samples raise the bar, beyond the first thousand. At 0 alarms grow in proportion to the
/// length of a series, at 1 they all but cease; the benchmark's optimum is flat from 0.3 to 0.5.
const DECADES_PER_TENFOLD: f64 = 0.4;

/// The strength, in decades, that scores one half: between the benchmark's optimum for all three
/// profiles is 1.0 to 1.15.
const ALARM_AT: f64 = 1.1;

/// What to report of one sample.
pub(crate) enum Judged {
    /// Rarer than what was reported of late; the score, 0 to 1.
    New(f64),
    /// Less rare than what was reported of late.
    Muted,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self {
            bar: 0.0,
            samples: 0,
        }
    }

    pub(crate) const fn samples(&self) -> u32 {
        self.samples
    }

    /// Judges a rarity in decades, at least 0.
    pub(crate) fn judge(&mut self, rarity: f64) -> Judged {
        self.samples = self.samples.saturating_add(1);
        let judged = if rarity > self.bar {
            self.bar = rarity + MARGIN;
            let length = libm::log10(f64::from(self.samples) / 1000.0).max(0.0);
            let strength = (rarity - DECADES_PER_TENFOLD * length).max(0.0);
            Judged::New(score(strength))
        } else {
            Judged::Muted
        };
        self.bar -= self.bar / FADES_IN;
        judged
    }
}

/// 0 to 1, one half at [`ALARM_AT`].
pub(crate) fn score(strength: f64) -> f64 {
    strength / (strength + ALARM_AT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_at_the_same_rarity_is_reported_rarely() {
        let mut report = Report::new();
        let new = (0..1000)
            .filter(|_| matches!(report.judge(2.0), Judged::New(_)))
            .count();
        assert!((20..40).contains(&new), "{new} of 1000, in place of 1000");
    }

    #[test]
    fn what_is_rarer_than_the_last_report_is_reported_at_once() {
        let mut report = Report::new();
        assert!(matches!(report.judge(2.0), Judged::New(_)));
        assert!(matches!(report.judge(2.3), Judged::Muted));
        assert!(matches!(report.judge(3.0), Judged::New(_)));
    }
}

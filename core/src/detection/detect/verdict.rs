//! What the detector says about one sample, and why.

/// The answer for one sample.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// How likely this sample begins an anomaly worth a look, 0 to 1; from [`Verdict::ALARM`] on it is
    /// one. 0 while learning, and for what goes on after it was reported.
    pub score: f64,
    /// In which respect the sample is unusual.
    pub kind: Kind,
    /// How rare this sample is among all samples of the series, in decades, at least 0: 3 means about
    /// one in a thousand. Not muted by earlier reports, so it fits a chart.
    pub rarity: f64,
    /// What was expected, in the series' unit.
    pub expected: f64,
    /// How far samples usually lie from what is expected, in the series' unit, at least 0.
    pub spread: f64,
    /// (sample − expected) / spread; 0 when the spread is not known, within ±1e9.
    pub deviations: f64,
    /// What `expected` and `spread` are taken from.
    pub basis: Basis,
}

impl Verdict {
    /// A score of at least this is an anomaly.
    pub const ALARM: f64 = 0.5;

    /// Whether this sample is an anomaly.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.score >= Self::ALARM
    }
}

/// In which respect a sample is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Too few samples so far.
    Learning,
    /// It is not.
    Usual,
    /// It goes on being unusual; reported already.
    Ongoing,
    /// Values like this, above the usual, were never seen.
    High,
    /// Values like this, below the usual, were never seen.
    Low,
    /// The value is known, but not at this hour of the day.
    Hour,
    /// The mean of the last few samples was never seen.
    Level,
    /// The last hours' course, measured against what is usual for the hour and week, is unlike any other.
    Course,
}

/// What an expectation is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Basis {
    /// From all samples of the series.
    InGeneral,
    /// From this hour of the day and of the week, seen on at least two days.
    ThisHour,
}

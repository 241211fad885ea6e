//! What the benches share: one table, spans in order, the machine's load.

use std::{fs, time::Duration};

/// Rows of what was measured, printed as they come.
#[derive(Debug, Default)]
pub struct Table {
    rows: usize,
}

impl Table {
    /// Prints one row: what, the figure, and how it was taken. The machine's load stands beside it.
    pub fn row(&mut self, what: &str, figure: &str, how: &str) {
        if self.rows == 0 {
            println!("| what | figure | how | load |\n|---|---|---|---|");
        }
        self.rows += 1;
        println!("| {what} | {figure} | {how} | {} |", load());
    }
}

/// The machine's load average over one minute, or `?` where the system does not tell.
#[must_use]
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .filter(|load| !load.is_empty())
        .unwrap_or("?")
        .to_owned()
}

/// Measured spans.
#[derive(Clone, Debug)]
pub struct Spans(Vec<Duration>);

impl Spans {
    /// Sorts what was measured.
    #[must_use]
    pub fn of(mut spans: Vec<Duration>) -> Self {
        spans.sort();
        Self(spans)
    }

    /// The span that `permille` of all are not longer than.
    ///
    /// # Panics
    /// When nothing was measured.
    #[must_use]
    pub fn at(&self, permille: usize) -> Duration {
        let last = self.0.len().checked_sub(1).expect("something was measured");
        self.0[last * permille / 1_000]
    }

    /// All of them, the shortest first.
    pub fn all(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0.iter().copied()
    }

    /// Median, 99th percentile and maximum in milliseconds.
    #[must_use]
    pub fn show(&self) -> String {
        let millis = |permille| self.at(permille).as_secs_f64() * 1_000.0;
        format!(
            "{:.1} / {:.1} / {:.1} ms",
            millis(500),
            millis(990),
            millis(1_000)
        )
    }
}

/// The median of some rates, rounded.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn median(mut rates: Vec<f64>) -> String {
    rates.sort_by(f64::total_cmp);
    format!("{:.0}", rates[rates.len() / 2])
}

//! Measured values under the names that they have on `/metrics`.

use alloc::{string::String, vec::Vec};

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// `sporenet_…` with its base unit; without the `_total` that the text format adds to counters.
    pub name: &'static str,
    /// What it measures, for people.
    pub help: &'static str,
    /// A counter, or else a gauge.
    pub counter: bool,
    /// At most one label: its name and value, from a bounded set.
    pub label: Option<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// Where machines tell their values; those of one name next to each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A count since the start; it never falls.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(name, help, true, None, value);
    }

    /// A value as it is now.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(name, help, false, None, value);
    }

    /// One of several counts under one name, told apart by a label.
    pub fn counter_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, impl Into<String>),
        value: u64,
    ) {
        self.add(name, help, true, Some((label.0, label.1.into())), value);
    }

    /// One of several values under one name, told apart by a label.
    pub fn gauge_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, impl Into<String>),
        value: u64,
    ) {
        self.add(name, help, false, Some((label.0, label.1.into())), value);
    }

    /// One of several measured values under one name, with a fraction, told apart by a label.
    pub fn measured_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, impl Into<String>),
        value: f64,
    ) {
        self.0.push(Metric {
            name,
            help,
            counter: false,
            label: Some((label.0, label.1.into())),
            value,
        });
    }

    /// All that were told.
    #[must_use]
    pub fn into_vec(self) -> Vec<Metric> {
        self.0
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counters below 2^53 are exact, and it is for display"
    )]
    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        counter: bool,
        label: Option<(&'static str, String)>,
        value: u64,
    ) {
        self.0.push(Metric {
            name,
            help,
            counter,
            label,
            value: value as f64,
        });
    }
}

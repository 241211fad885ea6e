//! How nodes are: what each measures of itself and of its paths, known to all.
//!
//! | file | what lives there |
//! |---|---|
//! | [`metrics`] | what was measured over time: series in rings, and a sketch of quantiles |
//! | [`series`] | the names and units of series |
//! | [`vitals`] | the machine that spreads what nodes measure |
//!
//! Not here: who is alive (`membership`), measuring a machine (the hosts) or a path (`overlay`).

pub mod metrics;
pub mod series;
pub mod vitals;

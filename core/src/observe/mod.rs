//! How nodes are: what each measures of itself and of its paths, known to all.
//!
//! | file | what lives there |
//! |---|---|
//! | [`alerts`] | the machine that judges, and whose records people act on |
//! | [`metrics`] | what was measured over time: series in rings, and a sketch of quantiles |
//! | [`series`] | the names and units of series |
//! | [`vitals`] | the machine that spreads what nodes measure |
//! | [`watch`] | what is unusual about a node's own series, and where they go |
//! | [`zones`] | a place of each time zone |
//!
//! Not here: who is alive (`membership`), measuring a machine (the hosts) or a path (`overlay`).

pub mod alerts;
pub mod metrics;
pub mod series;
pub mod vitals;
pub mod watch;
pub mod zones;

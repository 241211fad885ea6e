//! How nodes are: what each measures of itself and of its paths, known to all.
//!
//! | file | what lives there |
//! |---|---|
//! | [`vitals`] | the machine that spreads what nodes measure |
//!
//! Not here: who is alive (`membership`), measuring a machine (the hosts) or a path (`overlay`).

pub mod vitals;

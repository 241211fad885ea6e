//! What was measured, over time: series in rings of three resolutions, and a sketch of quantiles.
//!
//! | file | what lives there |
//! |---|---|
//! | `store` | `Store`: series under their keys, bounded in bytes; which of them gives way |
//! | `rank` | the order in which series give way |
//! | `series` | `Series`: one sample goes into three rings; when a clock has jumped; which ring answers |
//! | `ring` | one resolution: as many chunks as it takes, the farthest from now gives way |
//! | `chunk` | 32 slots that stand side by side, packed: an absent slot takes one bit |
//! | `slot` | min, max, sum, last, count of the samples in one step of time |
//! | `points` | what a chart asks for and gets: steps that people read, slots merged into points |
//! | `sketch` | `Sketch`: quantiles within 1 %, mergeable, at most 2 KiB |
//! | `bins` | which bin of a sketch a value is in, by comparing integers |
//!
//! | detail | finest | middle | coarsest |
//! |---|---|---|---|
//! | `Full` (the node's own) | 1 s for 10 min | 10 s for 2 h | 1 min for 2 days |
//! | `Coarse` (other nodes') | 10 s for 10 min | 1 min for 2 h | 10 min for 2 days |
//!
//! Invariants: what is held never passes `bytes_max`; a step of time without a sample is absent, never
//! zero; no number that is not finite is held; the same calls in the same order give the same store, on
//! every target (only IEEE additions, divisions, comparisons and narrowing; sizes counted as constants).
//!
//! Rings keep chunks by number, not by age: a jump of the clock by itself forgets nothing. They hold at
//! least the times above, and more if a series has gaps.
//!
//! Source: Masson, Rim, Lee, "`DDSketch`", VLDB 2019 (the sketch). The rings are those of `RRDtool`
//! (Oetiker, 1999), with chunks in place of fixed files.
//!
//! Not here: what is measured and when (machines and hosts), names and units of series (the key's type),
//! the current counters (`kernel::metrics`), alarms, how series travel between nodes, a clock: time is an
//! argument.

mod bins;
mod chunk;
mod points;
mod rank;
mod ring;
mod series;
mod sketch;
mod slot;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    points::{Point, Points},
    series::{Detail, Series},
    sketch::{RELATIVE_ERROR, Sketch},
    slot::Sample,
    store::{BYTES_MAX, Counts, Outcome, Store},
};

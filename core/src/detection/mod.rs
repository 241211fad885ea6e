//! What is unusual about a series of measurements, and where it goes.
//!
//! Pure data structures: fed one sample at a time, no clock, no randomness, no heap but for the forest. Arithmetic is
//! `+ - * /`, comparison and `libm`, so that the same samples give the same bits natively and in
//! WebAssembly.
//!
//! | part | answers |
//! |---|---|
//! | [`detect::Detector`] | Is this sample unlike everything seen so far, and in which respect? |
//! | [`change::ChangePoint`] | Has the level moved and stayed there? |
//! | [`forest::Forest`] | Are several values unusual together, though each alone is known? |
//! | [`health_score`] | How healthy is a node, from what others observe? |
//! | [`forecast::Forecast`] | What comes next, when is a threshold reached, how good were past answers? |

pub mod change;
pub mod detect;
pub mod forecast;
pub mod forest;
pub mod health_score;
mod num;
mod scale;
#[cfg(test)]
mod tests;

//! Series over one window of time, with what is drawn around them.
//!
//! | file | what lives there |
//! |---|---|
//! | `model` | what a chart shows, borrowed from whoever has it |
//! | `marks` | thresholds of the rules in force, and times in which something was unusual |
//! | `trial` | a rule that is tried out: its series, its thresholds, when it would have fired |
//! | `layout` | where all of it goes |
//! | `read` | what stands under the cursor, what was brushed, the table twin |
//! | `paint` | one frame on a canvas; only in a browser |

pub mod layout;
pub mod marks;
pub mod model;
#[cfg(target_arch = "wasm32")]
pub mod paint;
pub mod read;
#[cfg(test)]
mod tests;
pub mod trial;

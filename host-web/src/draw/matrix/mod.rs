//! Who reaches whom in which time: a row for who pings, a column for who answers.
//!
//! | file | what lives there |
//! |---|---|
//! | `model` | nodes and round trips, their order, and how unusual each is |
//! | `layout` | where cells and names go, what is under the pointer |
//! | `paint` | one frame on a canvas; only in a browser |

pub mod layout;
pub mod model;
#[cfg(target_arch = "wasm32")]
pub mod paint;
#[cfg(test)]
mod tests;

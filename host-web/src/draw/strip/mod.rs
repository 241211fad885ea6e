//! A line or a band for a table's row.
//!
//! | file | what lives there |
//! |---|---|
//! | `layout` | where a line or a band goes, and the band's table twin |
//! | `paint` | one frame on a canvas; only in a browser |

pub mod layout;
#[cfg(target_arch = "wasm32")]
pub mod paint;

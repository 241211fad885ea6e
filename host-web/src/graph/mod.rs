//! The mesh as a picture: where nodes go, and how they are drawn.
//!
//! | file | what lives there |
//! |---|---|
//! | `layout` | positions by forces; no browser |
//! | `paint` | one frame on a canvas |

pub mod layout;
#[cfg(target_arch = "wasm32")]
pub mod paint;

//! The mesh as a picture: where nodes go, how good links are, and how both are drawn.
//!
//! | file | what lives there |
//! |---|---|
//! | `links` | links judged by what both ends measured; no browser |
//! | `layout` | positions by forces; no browser |
//! | `hull` | the outline around a zone's nodes; no browser |
//! | `scene` | what is drawn, and what is under the pointer; no browser |
//! | `paint` | one picture on a canvas |

pub mod hull;
pub mod layout;
pub mod links;
#[cfg(target_arch = "wasm32")]
pub mod paint;
pub mod scene;

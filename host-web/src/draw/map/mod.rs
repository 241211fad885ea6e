//! Nodes and links on a map of the world. All of it is in the bundle: nothing is fetched.
//!
//! | file | what lives there |
//! |---|---|
//! | `land` | the coastlines, from `host-web/map/land.bin` |
//! | `projection` | the round world on a flat picture, and what part of it is seen |
//! | `model` | nodes and links, as the map is given them |
//! | `layout` | where nodes, clusters and links go; what is under the pointer; the table twin |
//! | `paint` | one frame on a canvas; only in a browser |
//!
//! `host-web/map/reduce.mjs` makes both data files from Natural Earth and the tz database, which are in
//! the public domain.

pub mod land;
pub mod layout;
pub mod model;
#[cfg(target_arch = "wasm32")]
pub mod paint;
pub mod projection;
#[cfg(test)]
mod tests;

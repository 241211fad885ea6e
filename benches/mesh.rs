//! Prints one table of what a mesh on this machine does; real programs where it says so.
//!
//! `cargo bench -p sporenet-benches` runs all rows; a word after `--` runs the rows that contain it.

#[path = "mesh/forwarding.rs"]
mod forwarding;
#[path = "mesh/latency.rs"]
mod latency;
#[path = "mesh/page.rs"]
mod page;
#[path = "mesh/recording.rs"]
mod recording;
#[path = "mesh/sizes.rs"]
mod sizes;
#[path = "mesh/writes.rs"]
mod writes;

use sporenet_benches::Table;
use std::env;

/// Fills rows of the table.
type Measure = fn(&mut Table);

fn main() {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let benches: [(&str, Measure); 6] = [
        ("latency", latency::measure),
        ("writes", writes::measure),
        ("forwarding", forwarding::measure),
        ("recording", recording::measure),
        ("sizes", sizes::measure),
        ("page", page::measure),
    ];
    let mut table = Table::default();
    for (name, measure) in benches {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            measure(&mut table);
        }
    }
}

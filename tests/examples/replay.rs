//! Plays a fuzzer's finding again: `cargo run -p sporenet-tests --example replay -- TARGET FILE`.

use sporenet_tests::fuzz_targets;
use std::{env, fs};

fn main() {
    let mut arguments = env::args().skip(1);
    let target = arguments.next().unwrap_or_default();
    let file = arguments.next().expect("usage: replay TARGET FILE");
    let bytes = fs::read(file).expect("the file can be read");
    match target.as_str() {
        "frame" => fuzz_targets::frame(&bytes),
        "hello" => fuzz_targets::hello(&bytes),
        "session" => fuzz_targets::session(&bytes),
        "batch" => fuzz_targets::batch(&bytes),
        "journal" => fuzz_targets::journal(&bytes),
        "recording" => fuzz_targets::recording(&bytes),
        other => panic!("no target {other:?}"),
    }
}

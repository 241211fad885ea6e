//! What the fuzzer calls: the targets of `tests/src`, built without all else that is there. Everything
//! that is fuzzed is built with an address sanitizer, and most of what tests need is not fuzzed.

#[path = "../src/fuzz_targets/mod.rs"]
pub mod fuzz_targets;

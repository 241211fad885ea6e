//! Fuzzes [`sporenet_fuzz::fuzz_targets::frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sporenet_fuzz::fuzz_targets::frame(bytes));

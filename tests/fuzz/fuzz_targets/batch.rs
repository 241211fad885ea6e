//! Fuzzes [`sporenet_fuzz::fuzz_targets::batch`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sporenet_fuzz::fuzz_targets::batch(bytes));

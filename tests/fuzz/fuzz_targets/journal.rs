//! Fuzzes [`sporenet_tests::fuzz_targets::journal`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sporenet_tests::fuzz_targets::journal(bytes));

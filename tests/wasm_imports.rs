//! The core built for wasm32 asks nothing of its host: no clock, no randomness, no anything.

use sporenet_tests::{program, tree, wasm};
use std::{env, fs, process::Command};

#[test]
fn the_core_for_wasm32_has_no_imports() {
    let target = program::target_dir();
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        .args([
            "build",
            "-p",
            "sporenet-tests",
            // Not for itself: with the same packages as in `tests/run`, nothing is built twice.
            "-p",
            "sporenet-web",
            "--example",
            "rehearsal",
            "--profile",
            "release",
        ])
        .args(["--target", "wasm32-unknown-unknown"])
        .current_dir(tree::root())
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(status.success(), "the core does not build for wasm32");
    let built = target.join("wasm32-unknown-unknown/release/examples/rehearsal.wasm");
    let module = fs::read(&built).unwrap();
    assert_eq!(wasm::imports(&module).unwrap(), Vec::<String>::new());
    println!(
        "figure: the core, with a run of several nodes: {} bytes of wasm",
        module.len()
    );
}

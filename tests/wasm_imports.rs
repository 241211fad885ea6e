//! The core built for wasm32 asks nothing of its host: no clock, no randomness, no anything.

use sporenet_tests::{program, tree};
use std::{env, fs, process::Command};
use wasmparser::{Parser, Payload};

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
    assert_eq!(imports(&module), Vec::<String>::new());
    println!(
        "figure: the core, with a run of several nodes: {} bytes of wasm",
        module.len()
    );
}

/// The imports of a module as `module.name`.
fn imports(module: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            let imports = section.into_imports().map(Result::unwrap);
            found.extend(imports.map(|import| format!("{}.{}", import.module, import.name)));
        }
    }
    found
}

#[test]
fn an_import_is_found_by_name() {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.extend([1, 4, 1, 0x60, 0, 0]);
    module.extend([2, 9, 1, 3, b'e', b'n', b'v', 1, b'f', 0, 0]);
    assert_eq!(imports(&module), ["env.f"]);
}

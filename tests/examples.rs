//! Every program in `core/examples/` does what it says, and ends by itself.

use sporenet_tests::{program, tree};
use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The examples by name, and where they were built: all at once, with the packages of `tests/run`, so
/// that nothing is built twice.
fn examples() -> Vec<(String, PathBuf)> {
    let folder = tree::root().join("core/examples");
    let files = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let target = program::target_dir();
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        .args(["build", "--release", "--examples"])
        .args([
            "-p",
            "sporenet-core",
            "-p",
            "sporenet",
            "-p",
            "sporenet-tests",
        ])
        .current_dir(tree::root())
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(status.success(), "the examples do not build");
    let built = target.join("release/examples");
    let with_place = names
        .into_iter()
        .map(|name| (name.clone(), built.join(name)));
    with_place.collect()
}

#[test]
fn every_example_runs_and_ends_well() {
    for (name, place) in examples() {
        let mut command = Command::new(place);
        command.current_dir(tree::root()).stdin(Stdio::null());
        let ran = program::finish(command).expect_success();
        assert!(!ran.stdout.is_empty(), "{name} says nothing");
        println!("{name}: {}", ran.stdout.trim_end());
    }
}

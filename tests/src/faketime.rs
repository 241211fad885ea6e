//! A wrong wall clock for a real process: libfaketime, preloaded.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where Linux distributions put it, below `/usr/lib` or a folder of the machine's kind in there.
const PLACE: &str = "faketime/libfaketimeMT.so.1";

/// Makes the wall clock of `command` say what `file` tells in the words of libfaketime, such as `+2h`,
/// also when the file changes later. The monotonic clock stays.
///
/// # Panics
/// When libfaketime is not installed (`tests/setup` does that).
pub fn preload(command: &mut Command, file: &Path) {
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_CACHE_DURATION", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
}

fn library() -> PathBuf {
    let lib = Path::new("/usr/lib");
    let kinds = fs::read_dir(lib).expect("/usr/lib can be listed");
    kinds
        .filter_map(|kind| Some(kind.ok()?.path()))
        .chain([lib.to_owned()])
        .map(|folder| folder.join(PLACE))
        .find(|library| library.exists())
        .expect("libfaketime is installed: tests/setup does that")
}

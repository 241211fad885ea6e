//! The real program: where it is, and one run of a client command.

use crate::tree;
use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// The program under test: `SPORENET_BIN`, or the release build beside this test, built if it is not
/// there.
///
/// # Panics
/// When it can't be built.
#[must_use]
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match env::var_os("SPORENET_BIN") {
        Some(given) => given.into(),
        None => built(),
    })
}

fn built() -> PathBuf {
    let program = target_dir().join("release/sporenet");
    if !program.exists() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--release", "-p", "sporenet"])
            .current_dir(tree::root())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the program can't be built"
        );
    }
    program
}

/// Where cargo builds: this test lies in `<target>/<profile>/deps`.
///
/// # Panics
/// When the test does not know where it lies.
#[must_use]
pub fn target_dir() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it lies");
    let target = test
        .ancestors()
        .nth(3)
        .expect("a test lies in <target>/<profile>/deps");
    target.to_owned()
}

/// The program with nothing of the tester's own environment that could change what it does.
#[must_use]
pub fn command() -> Command {
    command_of(path())
}

/// As [`command`], for a copy of the program.
#[must_use]
pub fn command_of(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("SPORENET_") || name.starts_with("XDG_") {
            command.env_remove(&*name);
        }
    }
    command
        .env("HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// How a client command ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it said for programs.
    pub stdout: String,
    /// What it said for people.
    pub stderr: String,
}

impl Outcome {
    /// Itself, if the command succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn expect_success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}; {}", self.stdout, self.stderr))
    }

    /// Whether it ended as the documentation promises: that code, and one sentence on standard error.
    ///
    /// # Panics
    /// When it did not.
    pub fn expect_error(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no {word:?} in {:?}",
                self.stderr
            );
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// The longest that any client command may take here.
const COMMAND_PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program to its end.
///
/// # Panics
/// When it can't be started, or has not ended after a minute.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    let mut command = command();
    command.args(arguments);
    finish(command)
}

/// Runs a prepared command to its end.
///
/// # Panics
/// As [`run`].
pub fn finish(mut command: Command) -> Outcome {
    let said = tempfile::tempfile().expect("a temporary file");
    let complained = tempfile::tempfile().expect("a temporary file");
    command.stdout(said.try_clone().expect("a file clones"));
    command.stderr(complained.try_clone().expect("a file clones"));
    let mut child = command.spawn().expect("the program starts");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if start.elapsed() > COMMAND_PATIENCE {
            child
                .kill()
                .and_then(|()| child.wait())
                .expect("a child can be killed");
            break None;
        }
        thread::park_timeout(Duration::from_millis(5));
    };
    let outcome = Outcome {
        code: status.and_then(|status| status.code()),
        stdout: whole(said),
        stderr: whole(complained),
    };
    assert!(status.is_some(), "{command:?} did not end: {outcome:?}");
    outcome
}

fn whole(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .expect("a file reads back");
    String::from_utf8_lossy(&bytes).into_owned()
}

//! A real relay: one `sporenet run` process with its own port and data directory.

mod api;

pub use api::Links;

use crate::{
    faketime, http,
    program::{self, Outcome},
    wait,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a relay may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How many lines of a log are shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// A relay process, killed and forgotten when dropped.
#[derive(Debug)]
pub struct Relay {
    /// Its name in the mesh.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    process: Option<Child>,
}

impl Relay {
    /// Starts a relay that founds a network of its own.
    #[must_use]
    pub fn found(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// Starts a relay that joins by a link, handed over in a file as people are told to.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn join(name: &str, link: &str) -> Self {
        let mut relay = Self::prepare(name, &[]);
        relay.join_with(link);
        relay
    }

    /// Starts it with a link, or a text with links, in a file.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn join_with(&mut self, link: &str) {
        let file = self.folder.path().join("join.link");
        fs::write(&file, link).expect("a link can be written");
        self.arguments.push(format!("--join=@{}", file.display()));
        self.start();
    }

    /// Starts a relay with further arguments.
    #[must_use]
    pub fn with(name: &str, arguments: &[&str]) -> Self {
        let mut relay = Self::prepare(name, arguments);
        relay.start();
        relay
    }

    /// Starts a relay that founds a network of its own, at an address.
    #[must_use]
    pub fn found_at(name: &str, address: SocketAddr) -> Self {
        let mut relay = Self::prepare(name, &[]);
        relay.address = address;
        relay.start();
        relay
    }

    /// A relay that is not started yet.
    ///
    /// # Panics
    /// When there is no temporary folder.
    #[must_use]
    pub fn prepare(name: &str, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            address: free_address(),
            folder: TempDir::with_prefix("sporenet-test-").expect("a temporary folder"),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            variables: Vec::new(),
            process: None,
        }
    }

    /// Sets a variable of its environment, from its next start on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        self.spawn();
        wait::eventually("the relay answers", START_PATIENCE, || {
            let ended = self
                .process
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "{} ended at start: {ended:?}", self.name);
            let answer = http::request(self.address, "GET", "/livez", &[], b"");
            match answer {
                Ok(answer) if answer.status == 200 && self.token_path().exists() => Ok(()),
                other => Err(other.map(|answer| answer.status)),
            }
        });
    }

    /// Starts the process and does not wait.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn spawn(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("a log can be written");
        let mut command = program::command();
        command
            .arg("run")
            .arg(format!("--listen={}", self.address))
            .arg(format!("--data={}", self.data().display()))
            .arg(format!("--name={}", self.name))
            .arg("--log-format=text")
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone().expect("a log clones"))
            .stderr(log);
        if self.clock_path().exists() {
            faketime::preload(&mut command, &self.clock_path());
        }
        self.process = Some(command.spawn().expect("the program starts"));
    }

    /// Sets its wall clock, in the words of libfaketime: `+2h`, `+0`. The first time before it starts; a
    /// running one notices within a second.
    ///
    /// # Panics
    /// When that can't be written.
    pub fn set_clock(&self, says: &str) {
        // At once, as it is read at any time.
        let new = self.folder.path().join("clock.new");
        fs::write(&new, says).expect("a clock can be written");
        fs::rename(new, self.clock_path()).expect("a clock can be set");
    }

    fn clock_path(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Everything it printed so far, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn token_path(&self) -> PathBuf {
        self.data().join("api.token")
    }

    /// The token of its API.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn token(&self) -> String {
        let token = fs::read_to_string(self.token_path()).expect("a relay has a token");
        token.trim().to_owned()
    }

    /// The address of its page.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the relay runs").id()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().try_into().expect("a process id"));
        kill(pid, signal).expect("a child can be signalled");
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let mut process = self.process.take().expect("the relay runs");
        process.wait().expect("a killed child ends");
    }

    /// `SIGSTOP`: it stands still and holds its sockets.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// `SIGCONT`.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// `SIGTERM`; answers how it ended and how long that took.
    ///
    /// # Panics
    /// When it has not ended after a minute.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::SIGTERM);
        self.ended(Duration::from_secs(60))
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Panics
    /// When `limit` is over first.
    pub fn ended(&mut self, limit: Duration) -> (ExitStatus, Duration) {
        let process = self.process.as_mut().expect("the relay runs");
        let start = Instant::now();
        let (status, _) = wait::eventually("the relay ends", limit, || {
            process
                .try_wait()
                .expect("a child can be waited for")
                .ok_or(())
        });
        self.process = None;
        (status, start.elapsed())
    }

    /// Runs a client command against it.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Outcome {
        let mut command = program::command();
        command.args(arguments).arg("--data").arg(self.data());
        program::finish(command)
    }

    /// Whether the process has ended by itself.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_none_or(|process| process.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// Its resident memory in KiB.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the relay runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("the kernel says how much")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.len().saturating_sub(LOG_LINES_SHOWN);
            eprintln!(
                "--- {} ({}), end of its log\n{}",
                self.name,
                self.address,
                lines[shown..].join("\n")
            );
        }
    }
}

/// `kill -9` by process id, for a thread that does not own the relay.
///
/// # Panics
/// When there is no such process.
pub fn kill_process(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    kill(pid, Signal::SIGKILL).expect("a child can be killed");
}

/// A copy of a folder's files, one level deep, as `cp` makes it.
///
/// # Panics
/// When it can't be copied.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
        }
    }
}

/// A loopback address where nothing listens: below the range that outgoing connections take theirs
/// from, and never the same twice in one process.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 100).unwrap_or(0) * 100;
    for _ in 0..10_000 {
        let offset = (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000 + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}

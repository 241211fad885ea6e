//! A real PostgreSQL with a cluster of its own.

use crate::{nginx, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How long it may take to answer after its start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The one user of the cluster.
const USER: &str = "sporenet";
/// Its password; a test looks for it where it must not be.
pub const PASSWORD: &str = "a-password-that-nobody-may-see";

/// A cluster, and its server while that runs; both go with this value.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: TempDir,
    programs: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a cluster and starts its server on 127.0.0.1:`port`. It has a certificate for `localhost`
    /// that vouches for itself.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (`tests/setup` does that), or does not come up.
    #[must_use]
    pub fn start(port: u16) -> Self {
        let mut postgres = Self {
            port,
            folder: TempDir::with_prefix("sporenet-postgres-").expect("a temporary folder"),
            programs: programs(),
            server: None,
        };
        let folder = postgres.folder.path().to_owned();
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("a password can be written");
        let (_, key) = nginx::certificate(&folder);
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("a key can be private");
        postgres.give_away();
        let made = postgres
            .command("initdb")
            .args(["--username", USER, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C", "--no-sync"])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(folder.join("data"))
            .output();
        succeeded("initdb", &made.expect("initdb runs"));
        postgres.go_on();
        postgres
    }

    /// Starts the server of the same cluster again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn go_on(&mut self) {
        let folder = self.folder.path();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log can be written");
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(folder)
            .arg("-p")
            .arg(self.port.to_string());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "ssl=on"] {
            command.args(["-c", setting]);
        }
        let file = |name| folder.join(name).display().to_string();
        command.args(["-c", &format!("ssl_cert_file={}", file("cert.pem"))]);
        command.args(["-c", &format!("ssl_key_file={}", file("key.pem"))]);
        let server = command
            .stdout(log.try_clone().expect("a log clones"))
            .stderr(log)
            .spawn();
        self.server = Some(server.expect("the server starts"));
        wait::eventually("PostgreSQL answers", PATIENCE, || {
            self.try_query("SELECT 1")
                .map_err(|said| said + &self.log())
        });
    }

    /// Stops the server; connections are cut off.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        signal(&server, Signal::SIGINT);
        wait::until("PostgreSQL ends", PATIENCE, || {
            server.try_wait().is_ok_and(|ended| ended.is_some())
        });
    }

    /// Its address with the password, for `host`, with what follows the question mark.
    #[must_use]
    pub fn address(&self, host: &str, options: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@{host}:{}/postgres?{options}",
            self.port
        )
    }

    /// The file with its certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The lines that a query answers.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn query(&self, sql: &str) -> Vec<String> {
        self.try_query(sql).expect("the query is answered")
    }

    /// The lines that a query answers.
    ///
    /// # Errors
    /// When it fails.
    pub fn try_query(&self, sql: &str) -> Result<Vec<String>, String> {
        let asked = self
            .command("psql")
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", USER])
            .args(["-d", "postgres", "-v", "ON_ERROR_STOP=1"])
            .args(["-p", &self.port.to_string(), "-c", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .map_err(|error| error.to_string())?;
        if !asked.status.success() {
            return Err(String::from_utf8_lossy(&asked.stderr).into_owned());
        }
        let lines = String::from_utf8_lossy(&asked.stdout);
        Ok(lines.lines().map(str::to_owned).collect())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// One of its programs, as a user that it runs as: it refuses root.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some(user) = other_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Makes the folder and what is in it that user's.
    fn give_away(&self) {
        let Some(user) = other_user() else { return };
        let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
        let give = |path: &Path| chown(path, uid, gid).expect("root gives files away");
        give(self.folder.path());
        for entry in fs::read_dir(self.folder.path()).expect("a folder can be read") {
            give(&entry.expect("a folder can be read").path());
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // At once, with its children; killed itself, it would leave them behind.
            signal(&server, Signal::SIGQUIT);
            let _ = server.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- PostgreSQL's log\n{}", self.log());
        }
    }
}

fn signal(server: &Child, signal: Signal) {
    let pid = Pid::from_raw(server.id().try_into().expect("a process id"));
    let _ = kill(pid, signal);
}

/// Whom root runs it as.
fn other_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    User::from_name("nobody").expect("users can be looked up")
}

/// Where Debian keeps the programs of the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions.filter_map(|version| {
        let programs = version.ok()?.path().join("bin");
        let version = programs.parent()?.file_name()?.to_str()?.parse::<u32>();
        programs
            .join("initdb")
            .exists()
            .then_some((version.ok()?, programs))
    });
    let newest = found.max().map(|(_, programs)| programs);
    newest.expect("PostgreSQL is installed: tests/setup does that")
}

fn succeeded(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}

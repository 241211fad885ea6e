//! What goes wrong at start says so in one sentence, with the documented exit code.

use nix::unistd::geteuid;
use sporenet_tests::{
    program::{self, Outcome},
    relay::{Relay, free_address},
};
use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const NOBODY: u32 = 65_534;

/// Runs `sporenet run` on a data directory; it is expected to fail.
fn run(data: &Path, more: &[&str]) -> Outcome {
    let data = format!("--data={}", data.display());
    let listen = format!("--listen={}", free_address());
    program::run(["run", &data, &listen].iter().chain(more))
}

/// One sentence: a line with the program's name, and nothing that only a programmer understands.
fn one_sentence(outcome: &Outcome) {
    let lines: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("sporenet: "))
        .collect();
    assert_eq!(lines.len(), 1, "{:?}", outcome.stderr);
    assert!(!outcome.stderr.contains("Os {") && !outcome.stderr.contains("Error("));
}

#[test]
fn a_bad_command_line_is_2_and_names_what_is_wrong() {
    program::run(["rnu"]).expect_error(2, &["rnu", "--help"]);
    program::run(["run", "--lisen=127.0.0.1:1"]).expect_error(2, &["--lisen", "--help"]);
    program::run(["run", "--listen=here"]).expect_error(2, &["here", "host:port"]);
    program::run(["put", "app"]).expect_error(2, &["KEY"]);
}

#[test]
fn a_data_directory_that_is_a_file_is_73() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let outcome = run(&file, &[]);
    outcome.expect_error(73, &["--data"]);
    one_sentence(&outcome);
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn an_unreadable_data_directory_is_77() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = program::command();
    if geteuid().is_root() {
        // Nothing is unreadable for root: run a copy as nobody.
        let copy = folder.path().join("sporenet");
        fs::copy(program::path(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        command = program::command_of(&copy);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command.arg("run").arg(format!("--data={}", data.display()));
    command.arg(format!("--listen={}", free_address()));
    let outcome = program::finish(command);
    outcome.expect_error(77, &["--data"]);
    one_sentence(&outcome);
}

#[test]
fn a_port_in_use_is_75_and_names_it() {
    let address = free_address();
    let _held = TcpListener::bind(address).unwrap();
    let folder = TempDir::new().unwrap();
    let data = format!("--data={}", folder.path().join("data").display());
    let outcome = program::run(["run", &data, &format!("--listen={address}")]);
    outcome.expect_error(75, &[&address.port().to_string(), "--listen"]);
    one_sentence(&outcome);
}

#[test]
fn an_unknown_config_key_is_78_and_suggests_the_right_one() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sporenet.toml");
    fs::write(&file, "name = \"a\"\nlissten = [\"127.0.0.1:1\"]\n").unwrap();
    let config = format!("--config={}", file.display());
    let outcome = run(&folder.path().join("data"), &[&config]);
    outcome.expect_error(78, &["lissten", "listen"]);
    assert!(
        outcome.stderr.contains("line 2") || outcome.stderr.contains(":2"),
        "{}",
        outcome.stderr
    );
    program::run(["config", "check", &config]).expect_error(78, &["lissten"]);
}

#[test]
fn a_second_process_on_one_data_directory_is_75_and_harms_nothing() {
    let relay = Relay::found("first");
    relay.put("app", "key", "value", "local").unwrap();
    let outcome = run(&relay.data(), &[]);
    outcome.expect_error(75, &["another process", "--data"]);
    one_sentence(&outcome);
    assert_eq!(relay.value("app", "key").as_deref(), Some("value"));
}

#[test]
fn a_client_without_a_node_is_69_and_with_a_wrong_token_77() {
    let folder = TempDir::new().unwrap();
    let data = format!("--data={}", folder.path().display());
    for command in ["status", "members", "events", "leave"] {
        program::run([command, &data]).expect_error(69, &["run"]);
    }
    assert_eq!(program::run(["health", &data]).code, Some(1));
    let relay = Relay::found("alone");
    let token = folder.path().join("api.token");
    fs::write(&token, "f".repeat(64)).unwrap();
    let mut command = program::command();
    command
        .arg("status")
        .arg(&data)
        .arg(format!("--api={}", relay.origin()));
    program::finish(command).expect_error(77, &["token"]);
}

/// A small file system of its own, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(at: &Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k,mode=0777");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "sporenet-test"])
            .arg(at)
            .status();
        mount
            .is_ok_and(|status| status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_loses_nothing_and_says_so() {
    let mut relay = Relay::prepare("small", &[]);
    let Some(_disk) = SmallDisk::mount(&relay.data(), 4_096) else {
        println!("skipped: this user may not mount a small tmpfs");
        return;
    };
    relay.start();
    let value = "v".repeat(32 * 1024);
    let mut kept = Vec::new();
    let refused = loop {
        let key = format!("key-{:04}", kept.len());
        match relay.put("app", &key, &value, "local") {
            Ok(()) => kept.push(key),
            Err(refused) => break refused,
        }
        assert!(kept.len() < 1_000, "4 MiB do not hold 32 MiB");
    };
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(
        refused.text().contains("room") || refused.text().contains("full"),
        "{}",
        refused.text()
    );
    assert_eq!(
        relay.keys("app"),
        kept,
        "what was acknowledged is there, the rest is not"
    );
    let status = relay.status();
    assert_eq!(status["verdict"], "degraded", "{status}");
    relay.kill();
    relay.start();
    assert_eq!(relay.keys("app"), kept);
}

#[test]
fn a_disk_without_any_room_is_74() {
    let folder = TempDir::new().unwrap();
    let at = folder.path().join("disk");
    let Some(_disk) = SmallDisk::mount(&at, 64) else {
        println!("skipped: this user may not mount a small tmpfs");
        return;
    };
    fs::write(at.join("ballast"), vec![0; 60 * 1024]).unwrap();
    let outcome = run(&at.join("data"), &[]);
    outcome.expect_error(74, &["full", "space"]);
    one_sentence(&outcome);
}

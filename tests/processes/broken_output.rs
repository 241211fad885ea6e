//! Output that fails or that nobody reads: nobody is held up, nothing ends that should go on.

use sporenet_tests::{
    http,
    program::{self, Outcome},
    relay::{Links, Relay},
    wait,
};
use std::{
    fs::{File, OpenOptions},
    io::{PipeReader, Read, Write, pipe},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// What a pipe holds (pipe(7)).
const PIPE_BYTES: usize = 64 << 10;
const DROPPED: &str = "sporenet_log_lines_dropped_total";

/// Where every write fails: the disk is full.
fn full() -> File {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.expect("this system has /dev/full")
}

/// A pipe whose reader is gone.
fn dead_pipe() -> Stdio {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// `run` for a relay that is prepared, with its own log.
fn run(relay: &Relay, log: impl Into<Stdio>) -> Command {
    let mut command = program::command();
    command
        .arg("run")
        .arg(format!("--listen={}", relay.address))
        .arg(format!("--data={}", relay.data().display()))
        .stdout(Stdio::null())
        .stderr(log);
    command
}

/// A running child, killed when dropped.
struct Running(Child);

impl Running {
    fn start(mut command: Command, relay: &Relay) -> Self {
        let running = Self(command.spawn().expect("the program starts"));
        wait::until("the relay answers", PATIENCE, || answers(relay));
        running
    }

    /// `SIGTERM`, which ends it in order.
    fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().expect("a process id"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        let (status, _) = wait::eventually("it ends", PATIENCE, || {
            let status = self.0.try_wait().expect("a child can be waited for");
            status.ok_or(())
        });
        assert_eq!(status.code(), Some(0), "{status:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answers(relay: &Relay) -> bool {
    http::request(relay.address, "GET", "/livez", &[], b"").is_ok_and(|answer| answer.status == 200)
}

/// Strangers that say one byte and go: each is a line of the log.
fn strangers_come(relay: &Relay) {
    for _ in 0..20 {
        let mut stranger = TcpStream::connect(relay.address).expect("the relay listens");
        stranger.write_all(b"x").expect("a byte can be sent");
        drop(stranger);
    }
}

#[test]
fn a_relay_whose_log_can_not_be_written_runs_on_and_counts_the_lines() {
    for log in [Stdio::from(full()), dead_pipe()] {
        let relay = Relay::prepare("mute", &[]);
        let running = Running::start(run(&relay, log), &relay);
        let before = relay.metric(DROPPED);
        strangers_come(&relay);
        wait::until("the lines are counted", PATIENCE, || {
            relay.metric(DROPPED) > before
        });
        relay.put("app", "key", "value", "local").unwrap();
        assert!(answers(&relay));
        running.stop();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_the_relay_up_at_no_time() {
    let relay = Relay::prepare("unread", &[]);
    let (reader, mut writer) = pipe().expect("a pipe");
    // Full from the start: the first line waits for ever.
    writer
        .write_all(&[b'x'; PIPE_BYTES])
        .expect("a pipe takes that much");
    let running = Running::start(run(&relay, writer), &relay);
    strangers_come(&relay);
    relay.put("app", "key", "value", "local").unwrap();
    running.stop();
    drop(reader);
}

#[test]
fn the_first_links_are_printed_where_the_log_fails() {
    let relay = Relay::prepare("first", &[]);
    let (reader, writer) = pipe().expect("a pipe");
    let mut command = run(&relay, full());
    command.stdout(writer);
    let running = Running::start(command, &relay);
    let printed = read_links(reader);
    assert!(printed.relay.starts_with("spore:"));
    running.stop();
}

fn read_links(mut reader: PipeReader) -> Links {
    let mut text = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let count = reader.read(&mut piece).expect("a pipe can be read");
        assert_ne!(count, 0, "no links in {:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&piece[..count]);
        let so_far = String::from_utf8_lossy(&text);
        if so_far.contains("More links:")
            && let Some(links) = Links::within(&so_far)
        {
            return links;
        }
    }
}

fn command(relay: &Relay, arguments: &[&str]) -> Command {
    let mut command = program::command();
    command.args(arguments).arg("--data").arg(relay.data());
    command
}

/// A command whose standard error can't be written.
fn without_stderr(relay: &Relay, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(relay, arguments);
    let output = command.stderr(full()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said)
}

/// A command whose standard output fails.
fn with_stdout(mut command: Command, out: impl Into<Stdio>) -> Outcome {
    let output = command.stdout(out).stderr(Stdio::piped()).output();
    let output = output.expect("it runs");
    Outcome {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn what_a_command_says_beside_its_data_costs_no_data() {
    let relay = Relay::found("talking");
    let (code, said) = without_stderr(&relay, &["invite"]);
    assert_eq!(code, Some(0));
    assert!(Links::within(&said).is_some(), "{said:?}");
    let (code, _) = without_stderr(&relay, &["record", "start"]);
    assert_eq!(code, Some(0));
    let (code, _) = without_stderr(&relay, &["get", "app", "missing"]);
    assert_eq!(
        code,
        Some(1),
        "its own code, although it can't be explained"
    );
    let (code, _) = without_stderr(&relay, &["get"]);
    assert_eq!(code, Some(2));
}

#[test]
fn standard_output_that_fails_is_74_and_a_reader_that_has_gone_a_quiet_1() {
    let relay = Relay::found("silent");
    for arguments in [&["status"][..], &["invite"], &["events", "--json"]] {
        let outcome = with_stdout(command(&relay, arguments), full());
        outcome.expect_error(74, &["standard output"]);
        let outcome = with_stdout(command(&relay, arguments), dead_pipe());
        assert_eq!(
            (outcome.code, outcome.stderr.contains("sporenet:")),
            (Some(1), false)
        );
    }
    let mut help = program::command();
    help.arg("--help");
    with_stdout(help, full()).expect_error(74, &["standard output"]);
}

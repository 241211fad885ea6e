//! How client commands find the node: what a dead process left behind is not believed, and the token
//! goes to nobody but the node.

use nix::unistd::geteuid;
use sporenet_tests::{
    program::{self, Outcome},
    proxy::{Passage, Proxy},
    relay::Relay,
    wait,
};
use std::{
    fs::{self, Permissions},
    io::Read,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};
use tempfile::TempDir;

const NOBODY: u32 = 65_534;

/// Another program at a port; answers how many bytes it was sent before `stop` is connected to.
fn stranger_at(address: SocketAddr) -> JoinHandle<usize> {
    let mut bound = None;
    wait::until("the port is free", Duration::from_secs(30), || {
        bound = TcpListener::bind(address).ok();
        bound.is_some()
    });
    let listener = bound.expect("it is bound");
    thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("somebody calls");
        let mut said = Vec::new();
        caller.read_to_end(&mut said).expect("it is heard");
        said.len()
    })
}

#[test]
fn after_a_kill_the_token_is_sent_to_nobody() {
    let mut relay = Relay::found("killed");
    relay.kill();
    let announced = fs::read_to_string(relay.data().join("api.addr")).unwrap();
    assert_eq!(announced.trim(), relay.address.to_string(), "it is stale");
    let stranger = stranger_at(relay.address);
    for arguments in [&["status"][..], &["invite"], &["leave"], &["watch", "app"]] {
        let outcome = relay.cli(arguments);
        outcome.expect_error(69, &["no node runs", "sporenet run --data"]);
    }
    // The first who calls is this test, not a command.
    drop(std::net::TcpStream::connect(relay.address).unwrap());
    assert_eq!(stranger.join().unwrap(), 0);
    relay.start();
    let _ = relay.cli(&["status"]).expect_success();
}

/// A command as another user than the one whose node it is.
fn as_nobody(program: &Path, data: &Path) -> Command {
    let mut command = program::command_of(program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command.arg("status").arg("--data").arg(data);
    command
}

#[test]
fn another_users_node_is_77_and_not_called_absent() {
    if !geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("sporenet");
    fs::copy(program::path(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let relay = Relay::found("theirs");
    let above = relay.data().parent().unwrap().to_owned();
    fs::set_permissions(&above, Permissions::from_mode(0o755)).unwrap();
    let outcome = program::finish(as_nobody(&copy, &relay.data()));
    outcome.expect_error(77, &["belongs to another user", "--api", "--token-file"]);
    // Whoever may enter the directory still may not read what is in it.
    fs::set_permissions(relay.data(), Permissions::from_mode(0o755)).unwrap();
    let outcome = program::finish(as_nobody(&copy, &relay.data()));
    outcome.expect_error(77, &["belongs to another user"]);
}

fn status_at(relay: &Relay, address: SocketAddr) -> Outcome {
    let token = relay.data().join("api.token");
    let mut command = program::command();
    command
        .arg("status")
        .arg(format!("--api=http://{address}"))
        .arg(format!("--token-file={}", token.display()));
    program::finish(command)
}

#[test]
fn a_node_that_is_not_there_one_that_hangs_up_and_a_wrong_name_are_told_apart() {
    let relay = Relay::with("there", &["--allowed-host=127.0.0.1"]);
    let proxy = Proxy::before(relay.address);
    assert_eq!(status_at(&relay, proxy.address).code, Some(0));
    proxy.set_passage(Passage::Cut);
    status_at(&relay, proxy.address).expect_error(75, &["ended the connection", "try again"]);
    let nobody = sporenet_tests::relay::free_address();
    status_at(&relay, nobody).expect_error(69, &["nothing listens", &nobody.to_string()]);
}

//! The machine that the node runs on.

use super::{Finding, Level};
use crate::{
    cli::print,
    config::{Listen, Settings},
    data_dir, descriptors, exit,
    links::listener,
};
use nix::sys::statvfs::statvfs;
use sporenet_core::kernel::time::WallTime;
use std::{
    fs,
    io::{ErrorKind, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};
use ureq::Agent;

/// Below this much free space a finding is made, in bytes.
const SPACE_MIN: u64 = 256 << 20;
/// No clock that shows an earlier time is right: this program is younger.
const FLOOR: WallTime = WallTime::from_millis(1_767_225_600_000); // 2026-01-01

/// The data directory: there, private, writable, and with the store that a running node writes to.
pub(super) fn data(path: &Path, runs: bool) -> Finding {
    const CHECK: &str = "data";
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && !runs => {
            let found = format!("the data directory {shown} does not exist yet");
            return Finding::ok(CHECK, found);
        }
        Err(error) => {
            return Finding::new(
                CHECK,
                Level::Broken,
                format!("the data directory {shown} can't be read: {error}"),
                "bring it back, or name another with --data; what a running node wrote since is lost \
                 when it stops",
            );
        }
    };
    if let Err(error) = write_something(path) {
        let next = if exit::is_full(&error) {
            "free some space; the node refuses writes until then"
        } else {
            "make it writable for the node's user, or name another with --data"
        };
        let found = format!("nothing can be written in the data directory {shown}: {error}");
        return Finding::new(CHECK, Level::Broken, found, next);
    }
    if runs && !data_dir::store_path(path).exists() {
        return Finding::new(
            CHECK,
            Level::Broken,
            format!("a node runs on {shown}, but its store is gone"),
            "stop the node, bring the directory back from a backup or let it join anew",
        );
    }
    if found.permissions().mode() & 0o077 != 0 {
        return Finding::new(
            CHECK,
            Level::Attention,
            format!("other users may enter the data directory {shown}"),
            "chmod 0700",
        );
    }
    Finding::ok(
        CHECK,
        format!("the data directory {shown} is writable and private"),
    )
}

/// Writes a file and makes it durable, as the store does.
fn write_something(directory: &Path) -> std::io::Result<()> {
    let path = directory.join("doctor");
    let mut file = data_dir::private_file().truncate(true).open(&path)?;
    let written = file.write_all(&[0; 4_096]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}

/// The room that is left where the data are.
pub(super) fn space(data: &Path) -> Finding {
    const CHECK: &str = "space";
    // Before the first start the nearest directory above stands for it.
    let there = data.ancestors().find(|path| path.exists());
    let room = there.and_then(|path| statvfs(path).ok());
    let Some(room) = room else {
        return Finding::ok(CHECK, "how much room is left is not known here");
    };
    let free = room.blocks_available().saturating_mul(room.fragment_size());
    let found = format!("{} MiB are free for data", free >> 20);
    if free < SPACE_MIN {
        let next = "free some space: a node without room refuses writes";
        return Finding::new(CHECK, Level::Attention, found, next);
    }
    Finding::ok(CHECK, found)
}

/// How many connections the operating system lets a node have.
pub(super) fn descriptors(settings: &Settings) -> Finding {
    const CHECK: &str = "descriptors";
    let wanted = u64::from(settings.connections_max.value).saturating_add(descriptors::OWN);
    let Some(limit) = descriptors::raise() else {
        return Finding::ok(CHECK, "how many files may be open is not known here");
    };
    let found = format!("{limit} files may be open, {wanted} are wanted for `connections_max`");
    if limit < wanted {
        let next = "raise the hard limit (LimitNOFILE= of systemd, `ulimit -Hn`), or lower \
                    `connections_max`";
        return Finding::new(CHECK, Level::Attention, found, next);
    }
    Finding::ok(CHECK, found)
}

/// The wall clock by itself; the running node compares it with its peers'.
pub(super) fn clock(now: WallTime) -> Finding {
    const CHECK: &str = "clock";
    let found = format!("the clock says {}", print::moment(now.as_millis()));
    if now < FLOOR {
        return Finding::new(
            CHECK,
            Level::Broken,
            format!("{found}, which is before this program was made"),
            "set the clock; NTP keeps it right (systemd-timesyncd, chrony)",
        );
    }
    Finding::ok(CHECK, found)
}

/// Whether a node could listen where it is told to.
pub(super) fn ports(listen: &[Listen]) -> Vec<Finding> {
    const CHECK: &str = "port";
    let look = |address: &Listen| match TcpListener::bind(address.as_str()) {
        Ok(_) => Finding::ok(CHECK, format!("a node can listen on {address}")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && a_node_answers(address) => {
            Finding::new(
                CHECK,
                Level::Broken,
                format!("a node runs there: {address}, but not on this data directory"),
                "name its directory with --data; if it was this one, it was removed under the node: \
                 stop the node and bring the directory back",
            )
        }
        Err(error) => {
            let (_, advice) = listener::bind_advice(error.kind());
            let found = format!("a node can't listen on {address}: {error}");
            Finding::new(CHECK, Level::Broken, found, advice)
        }
    };
    listen.iter().map(look).collect()
}

/// Whether what holds a port answers as a node does. It is told nothing.
fn a_node_answers(address: &Listen) -> bool {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .proxy(None)
        .max_redirects(0)
        .build()
        .into();
    let answer = agent.get(format!("http://{address}/livez")).call();
    let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    text.is_ok_and(|text| text == "ok\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_this_program_was_made_is_wrong() {
        assert_eq!(clock(WallTime::from_millis(0)).level, Level::Broken);
        assert_eq!(clock(FLOOR).level, Level::Ok);
    }
}

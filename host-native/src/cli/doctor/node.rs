//! The running node.

use super::{Finding, Level};
use crate::{
    cli::{
        client::{Client, Method},
        print,
    },
    clock, history,
};
use sporenet_core::{
    node::snapshot::{Connection, Status, Verdict},
    overlay::links::CLOCK_OFF_MS,
};

/// What the node says of itself and of its peers.
pub(super) fn findings(client: &Client) -> Vec<Finding> {
    let status: Status = match client.json(Method::Get, "/api/v1/status") {
        Ok(status) => status,
        Err(failure) => return vec![Finding::failed("node", &failure)],
    };
    let mut findings = vec![version(&status)];
    findings.extend(verdict(&status));
    findings.extend(status.clock_ahead_ms.and_then(clock));
    match client.json::<Vec<Connection>>(Method::Get, "/api/v1/connections") {
        Ok(connections) => findings.extend(connections.iter().filter_map(connection)),
        Err(failure) => findings.push(Finding::failed("peers", &failure)),
    }
    match client.json(Method::Get, "/api/v1/history") {
        Ok(status) => findings.extend(kept(&status, clock::wall().as_millis())),
        Err(failure) => findings.push(Finding::failed("history", &failure)),
    }
    findings
}

fn version(status: &Status) -> Finding {
    let here = env!("CARGO_PKG_VERSION");
    if status.version == here {
        return Finding::ok("version", format!("this program and the node are {here}"));
    }
    Finding::new(
        "version",
        Level::Attention,
        format!("this program is {here}, the node runs {}", status.version),
        "restart the node with the newer program",
    )
}

fn verdict(status: &Status) -> Vec<Finding> {
    let (level, word) = match status.verdict {
        Verdict::Healthy => (Level::Ok, "healthy"),
        Verdict::Degraded => (Level::Attention, "degraded"),
        Verdict::Joining => (Level::Attention, "joining"),
        Verdict::Leaving => (Level::Attention, "leaving"),
        Verdict::Isolated => (Level::Broken, "isolated"),
        Verdict::Fenced => (Level::Broken, "fenced"),
    };
    let since = print::span(status.uptime_s);
    let found = format!("{} is {word}, and runs for {since}", status.name);
    let mut findings = vec![Finding {
        level,
        ..Finding::ok("node", found)
    }];
    let reasons = status.reasons.iter();
    findings.extend(reasons.map(|reason| Finding {
        level,
        ..Finding::ok("reason", reason.as_str())
    }));
    findings
}

/// What keeps history from being written or copied.
fn kept(status: &history::Status, now_ms: u64) -> Option<Finding> {
    let since = |moment: u64| print::span(now_ms.saturating_sub(moment) / 1_000);
    if let Some(trouble) = &status.writing {
        let (span, what) = (since(trouble.since_ms), &trouble.what);
        return Some(Finding::new(
            "history",
            Level::Attention,
            format!("history.db can't be written since {span}: {what}"),
            "free some space in the data directory; what happens meanwhile is not kept",
        ));
    }
    if let (Some(trouble), Some(target)) = (&status.shipping, &status.target) {
        let (span, what, rows) = (since(trouble.since_ms), &trouble.what, status.pending);
        return Some(Finding::new(
            "history",
            Level::Attention,
            format!("{target} takes no history since {span}, {rows} rows wait; {what}"),
            "see that the database runs and lets this relay in; what waits is copied then",
        ));
    }
    let why = status.off_because.as_ref()?;
    // Who switched it off knows it.
    (why != history::SWITCHED_OFF).then(|| {
        Finding::new(
            "history",
            Level::Attention,
            format!("no history is kept: {why}"),
            "mend or move the file away, and restart the node",
        )
    })
}

/// The node's clock, where those of its peers say something else.
fn clock(ahead_ms: i64) -> Option<Finding> {
    let off = ahead_ms.unsigned_abs();
    (off > CLOCK_OFF_MS).then(|| {
        let span = print::span(off.saturating_add(500) / 1_000);
        let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
        Finding::new(
            "peers' clocks",
            Level::Attention,
            format!("this machine's clock is {span} {side} those of the node's peers"),
            "set the clock that is wrong, for instance with chrony (`chronyc makestep`)",
        )
    })
}

/// A destination that the node dials in vain.
fn connection(connection: &Connection) -> Option<Finding> {
    (connection.failures > 0).then(|| {
        let times = connection.failures;
        Finding::new(
            "peers",
            Level::Attention,
            format!("{} was dialled in vain {times} times", connection.address),
            "see that a node listens there and that no firewall is between; `sporenet events` says why",
        )
    })
}

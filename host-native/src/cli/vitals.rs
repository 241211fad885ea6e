//! `vitals`, `rtt`.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method},
        print::{self, harmless},
    },
    exit::Failure,
};
use clap::Args;
use sporenet_core::node::snapshot::{NodeVitals, PathView};

/// `sporenet vitals`.
#[derive(Args, Debug)]
pub(crate) struct VitalsArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet rtt`.
#[derive(Args, Debug)]
pub(crate) struct RttArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What stands where nothing is known.
const UNKNOWN: &str = "-";

pub(crate) fn vitals(args: &VitalsArgs) -> Result<(), Failure> {
    let vitals: Vec<NodeVitals> =
        Client::find(&args.client, true)?.json(Method::Get, "/api/v1/vitals")?;
    if args.json {
        return print::json(&vitals);
    }
    let rows: Vec<_> = vitals.iter().map(row).collect();
    let headings = [
        "NAME", "ID", "ROLE", "CPU", "MEMORY", "DISK", "RX/S", "TX/S", "FILES", "LAG", "COMMIT",
        "QUEUE", "REACHED", "AGE",
    ];
    print::text(&print::table(headings, &rows))
}

fn row(node: &NodeVitals) -> [String; 14] {
    let millis = |value: Option<u64>| shown(value, |ms| format!("{ms} ms"));
    [
        harmless(&node.name),
        short(&node.id),
        node.role.to_string(),
        shown(node.cpu_permille, |permille| {
            format!("{}.{} %", permille / 10, permille % 10)
        }),
        of(
            node.memory_used_kib.or(node.heap_used_kib),
            node.memory_limit_kib.or(node.heap_limit_kib),
            kib,
        ),
        of(
            node.disk_used_kib.or(node.storage_used_kib),
            node.disk_total_kib.or(node.storage_quota_kib),
            kib,
        ),
        shown(node.network_rx, bytes),
        shown(node.network_tx, bytes),
        of(node.descriptors_used, node.descriptors_limit, |files| {
            files.to_string()
        }),
        millis(node.loop_lag_ms),
        millis(node.journal_latency_ms),
        shown(node.send_queue, |queue| queue.to_string()),
        reached(node),
        shown(node.age_ms, age),
    ]
}

/// Over which transports others reach it: `tcp, not ws`.
fn reached(node: &NodeVitals) -> String {
    let each = node.transports.iter().map(|of| {
        let not = if of.reached { "" } else { "not " };
        format!("{not}{}", of.transport)
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        UNKNOWN.to_owned()
    } else {
        each.join(", ")
    }
}

pub(crate) fn rtt(args: &RttArgs) -> Result<(), Failure> {
    let paths: Vec<PathView> =
        Client::find(&args.client, true)?.json(Method::Get, "/api/v1/rtt")?;
    if args.json {
        return print::json(&paths);
    }
    let named = |name: &str, id: &str| format!("{} ({})", harmless(name), short(id));
    let millis = |ms: f64| format!("{ms:.1} ms");
    let rows: Vec<_> = paths
        .iter()
        .map(|path| {
            [
                named(&path.from_name, &path.from),
                named(&path.to_name, &path.to),
                millis(path.rtt_ms),
                millis(path.min_ms),
                millis(path.jitter_ms),
                format!("{:.1} %", path.loss * 100.0),
                age(path.age_ms),
            ]
        })
        .collect();
    let headings = ["FROM", "TO", "RTT", "MIN", "JITTER", "LOSS", "AGE"];
    print::text(&print::table(headings, &rows))
}

fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn shown(value: Option<u64>, show: impl Fn(u64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), show)
}

fn of(used: Option<u64>, all: Option<u64>, show: impl Fn(u64) -> String) -> String {
    match (used, all) {
        (None, None) => UNKNOWN.to_owned(),
        (used, all) => format!("{}/{}", shown(used, &show), shown(all, &show)),
    }
}

fn kib(kib: u64) -> String {
    bytes(kib.saturating_mul(1_024))
}

/// In the largest unit of which there are at least ten, rounded down.
fn bytes(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(bits, _)| bytes >> bits >= 10);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(bits, unit)| format!("{} {unit}", bytes >> bits),
    )
}

fn age(ms: u64) -> String {
    if ms < 1_000 {
        "now".to_owned()
    } else {
        print::span(ms / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_zero() {
        assert_eq!(of(None, None, kib), "-");
        assert_eq!(of(Some(0), None, kib), "0 B/-");
        assert_eq!(of(Some(20_480), Some(16 << 20), kib), "20 MiB/16 GiB");
        assert_eq!(shown(None, bytes), "-");
    }
}

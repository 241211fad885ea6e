//! `data`, `compact`.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method},
        print::{self, harmless},
        view,
    },
    exit::{Code, Failure},
};
use clap::Args;
use sporenet_core::node::data::{AuthorView, DataView};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How many authors and shards are shown; `--json` has all.
const ROWS_MAX: usize = 10;
/// How often `compact` looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);

/// `sporenet data`.
#[derive(Args, Debug)]
pub(crate) struct DataArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON, with all authors and shards
    #[arg(long)]
    json: bool,
}

/// `sporenet compact`.
#[derive(Args, Debug)]
pub(crate) struct CompactArgs {
    /// Come back at once, and let it go on
    #[arg(long)]
    no_wait: bool,
    /// Wait for at most so long
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::admin::time)]
    timeout: Duration,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) fn data(args: &DataArgs) -> Result<(), Failure> {
    let data: DataView = Client::find(&args.client, true)?.json(Method::Get, "/api/v1/data")?;
    if args.json {
        return print::json(&data);
    }
    print::text(&in_words(&data))
}

fn in_words(node: &DataView) -> String {
    let disk = node.disk_bytes.map_or_else(|| "unknown".to_owned(), size);
    let state = if node.to_compact > 0 {
        format!("{} shards are being written anew", node.to_compact)
    } else if node.is_trimming {
        "room in the journal is being given back".to_owned()
    } else {
        "at rest".to_owned()
    };
    let overwritten = node.shards.iter().map(|shard| shard.own_overwritten_bytes);
    let overwritten = overwritten.fold(0, u64::saturating_add);
    let facts = [
        ("keys", node.keys.to_string()),
        (
            "memory",
            format!(
                "{} of {}",
                size(node.memory_bytes),
                size(node.memory_bytes_max)
            ),
        ),
        ("on disk", disk),
        (
            "journal",
            format!(
                "{}, of which {} is needed, in {} batches",
                size(node.journal_bytes),
                size(node.held_bytes),
                node.batches
            ),
        ),
        (
            "overwritten",
            format!("{} of what this node wrote", size(overwritten)),
        ),
        (
            "compaction",
            format!(
                "{state}; since the start {} shards written anew, {} times room given back",
                node.compactions, node.trims
            ),
        ),
    ];
    let facts = facts.map(|(name, fact)| format!("{name:<12} {fact}\n"));
    let rows: Vec<_> = node.ledger.iter().take(ROWS_MAX).map(row).collect();
    let more = node.ledger.len().saturating_sub(ROWS_MAX);
    let more = if more > 0 {
        format!("… and {more} more: --json\n")
    } else {
        String::new()
    };
    let table = print::table(["AUTHOR", "STATE", "SINCE", "BATCHES", "BYTES"], &rows);
    format!(
        "{}\nWhose batches take the room:\n{table}{more}",
        facts.concat()
    )
}

fn row(author: &AuthorView) -> [String; 5] {
    let state = author.state.map(|state| view::state(state).0.to_owned());
    [
        harmless(&author.name),
        state.unwrap_or_else(|| "not a member".to_owned()),
        author
            .since_ms
            .map_or_else(|| "-".to_owned(), |since| print::span(since / 1_000)),
        author.batches.to_string(),
        size(author.held_bytes),
    ]
}

pub(crate) fn compact(args: &CompactArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let before: DataView = client.json(Method::Get, "/api/v1/data")?;
    client.done(Method::Post(b""), "/api/v1/compact")?;
    if args.no_wait {
        print::say("compacting; `sporenet data` says when it is over");
        return Ok(());
    }
    let began = Instant::now();
    loop {
        thread::sleep(LOOK);
        let now: DataView = client.json(Method::Get, "/api/v1/data")?;
        if now.to_compact == 0 && !now.is_trimming {
            let of = |data: &DataView| data.disk_bytes.map_or_else(|| "unknown".to_owned(), size);
            return print::line(&format!(
                "journal {} → {}, on disk {} → {}",
                size(before.journal_bytes),
                size(now.journal_bytes),
                of(&before),
                of(&now),
            ));
        }
        if began.elapsed() > args.timeout {
            return Err(Failure::new(
                Code::Temporary,
                "it still goes on; `sporenet data` says when it is over",
            ));
        }
    }
}

/// Bytes with a unit.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(bits, _)| bytes >> bits >= 1);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(bits, unit)| {
            let tenths = (bytes >> (bits - 10)).saturating_mul(10) >> 10;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_024), "1.0 KiB");
        assert_eq!(size(1_572_864), "1.5 MiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }
}

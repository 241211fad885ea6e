//! `record`, `replay`.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method},
        print::{self, harmless},
    },
    data_dir,
    exit::{Code, Failure},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sporenet_core::{
    kernel::time::{Duration, Time},
    node::recording::{About, Mismatch, RecordingStatus, Replay, Step},
};
use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// `sporenet record`: what the node gets, in a ring in its memory (docs/recording.md).
#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    #[command(subcommand)]
    action: RecordAction,
}

#[derive(Debug, Subcommand)]
enum RecordAction {
    /// Record from now on; forgets what an earlier recording holds
    Start(WithNode),
    /// Record no more; what was recorded can still be saved
    Stop(WithNode),
    /// How the recording is
    Status(WithNode),
    /// Write what was recorded to a file: with all data, without any key
    Save {
        /// The file, which must not exist [default: NAME-TIME.sporerec here]
        file: Option<PathBuf>,
        #[command(flatten)]
        node: WithNode,
    },
}

#[derive(Args, Debug)]
struct WithNode {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet replay`.
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// The recording
    file: PathBuf,
    /// Stop so many seconds after the beginning of the recording
    #[arg(long, value_name = "SECONDS")]
    until: Option<u64>,
    /// Print every input, and what the node put on its timeline because of it
    #[arg(long)]
    print: bool,
    /// Replay what is whole of a damaged file
    #[arg(long)]
    damaged: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Talks to the recorder of a running node.
///
/// # Errors
/// When no node answers, it refuses, or the file can't be written.
pub(crate) fn record(args: &RecordArgs) -> Result<(), Failure> {
    match &args.action {
        RecordAction::Start(node) => {
            let started = switch(node, true)?;
            print::say("Recording, data included: `sporenet record save` writes a file.");
            show(node, &started)
        }
        RecordAction::Stop(node) => show(node, &switch(node, false)?),
        RecordAction::Status(node) => {
            let client = Client::find(&node.client, true)?;
            show(node, &client.json(Method::Get, "/api/v1/recording")?)
        }
        RecordAction::Save { file, node } => save(file.as_deref(), node),
    }
}

fn switch(node: &WithNode, running: bool) -> Result<RecordingStatus, Failure> {
    let body = json!({ "running": running }).to_string();
    let client = Client::find(&node.client, true)?;
    client.json(Method::Post(body.as_bytes()), "/api/v1/recording")
}

fn show(node: &WithNode, status: &RecordingStatus) -> Result<(), Failure> {
    if node.json {
        return print::json(status);
    }
    let state = match (&status.reason, status.running) {
        (_, true) => "recording".to_owned(),
        (Some(reason), false) => format!("not recording: {reason}"),
        (None, false) => "not recording".to_owned(),
    };
    print::line(&state)?;
    let Some(begins_at) = status.begins_at_ms else {
        return Ok(());
    };
    let since = print::moment(begins_at.as_millis());
    print::line(&format!(
        "{} inputs of {} since {since}, in {} of {} bytes; {} segments, {} dropped",
        status.inputs,
        print::span(status.held_ms / 1_000),
        status.bytes,
        status.bytes_max,
        status.segments,
        status.dropped,
    ))
}

fn save(file: Option<&Path>, node: &WithNode) -> Result<(), Failure> {
    let client = Client::find(&node.client, true)?;
    let bytes = client.done(Method::Get, "/api/v1/recording/file")?;
    let about = About::read(&bytes).map_err(|error| {
        Failure::new(
            Code::Unavailable,
            format!("what the node sent can't be used: {error}; try again"),
        )
    })?;
    let named = file.map_or_else(|| PathBuf::from(about.file_name()), Path::to_owned);
    write_new(&named, &bytes)?;
    print::say("All data of the node is in it, its keys are not: pass it on with care.");
    if node.json {
        print::json(&json!({ "file": named, "bytes": bytes.len() }))
    } else {
        print::line(&named.display().to_string())
    }
}

/// Writes a private file that did not exist before.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let shown = path.display();
    let mut file = data_dir::private_file()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| {
            let (code, what) = if error.kind() == ErrorKind::AlreadyExists {
                (
                    Code::CannotCreate,
                    format!("{shown} is there already; name another file"),
                )
            } else if error.kind() == ErrorKind::PermissionDenied {
                (
                    Code::NoPermission,
                    format!("{shown} can't be made: {error}; name another place"),
                )
            } else {
                (Code::Io, format!("{shown} can't be made: {error}"))
            };
            Failure::new(code, what)
        })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a recording is of no use to anybody.
        let _ = fs::remove_file(path);
        Failure::new(Code::Io, format!("{shown} can't be written: {error}"))
    })
}

/// Goes through a recording.
///
/// # Errors
/// When the file can't be read, is no whole recording, or does not replay as recorded.
pub(crate) fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let mut replay = open(args)?;
    let (from, _) = replay.span();
    let until = args
        .until
        .map_or(Time::MAX, |seconds| from + Duration::from_secs(seconds));
    if !args.json {
        introduce(&replay)?;
    }
    if args.print {
        while replay.next_at().is_some_and(|next| next <= until)
            && let Some(step) = replay.step()
        {
            tell(args, &step, from)?;
        }
    } else {
        replay.seek(until);
    }
    conclude(args, &replay)
}

fn open(args: &ReplayArgs) -> Result<Replay, Failure> {
    let shown = args.file.display();
    let bytes = fs::read(&args.file).map_err(|error| {
        Failure::new(
            Code::Io,
            format!("{shown} can't be read: {error}; check the path"),
        )
    })?;
    let opened = if args.damaged {
        Replay::open_damaged(bytes)
    } else {
        Replay::open(bytes)
    };
    opened.map_err(|error| Failure::new(Code::Failed, format!("{shown}: {error}")))
}

fn introduce(replay: &Replay) -> Result<(), Failure> {
    let about = replay.about();
    let network = about.network_name.as_ref().map_or_else(
        || about.network.short(),
        |name| format!("{} ({})", harmless(name), about.network.short()),
    );
    let (from, to) = replay.span();
    print::line(&format!(
        "{} ({}) in {network}, recorded by sporenet {}",
        harmless(&about.name),
        about.node.short(),
        harmless(&about.version),
    ))?;
    print::line(&format!(
        "{} inputs of {} from {}, in {} segments",
        replay.inputs(),
        print::span(to.since(from).as_secs()),
        print::moment(replay.wall().as_millis()),
        replay.segments(),
    ))
}

fn tell(args: &ReplayArgs, step: &Step, from: Time) -> Result<(), Failure> {
    let since = step.at.since(from);
    if args.json {
        return print::json_line(&json!({
            "number": step.number,
            "at_ms": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            "what": step.what,
            "told": step.told,
        }));
    }
    print::line(&format!(
        "{:>12.6}  {}",
        since.as_secs_f64(),
        harmless(&step.what)
    ))?;
    for told in &step.told {
        print::line(&format!("{:>12}  → {}", "", harmless(told)))?;
    }
    Ok(())
}

fn conclude(args: &ReplayArgs, replay: &Replay) -> Result<(), Failure> {
    let outcome = replay.outcome();
    let state = replay.state_hash().to_string();
    if args.json {
        let about = replay.about();
        let result = json!({
            "version": about.version,
            "node": about.node,
            "name": about.name,
            "network": about.network,
            "network_name": about.network_name,
            "inputs": replay.inputs(),
            "replayed": replay.position(),
            "checks": outcome.checks,
            "state": state,
            "mismatch": outcome.mismatch.as_ref().map(as_json),
        });
        if args.print {
            print::json_line(&result)?;
        } else {
            print::json(&result)?;
        }
    } else {
        print::line(&format!("{} checks equal", outcome.checks))?;
        print::line(&format!("state {state} after {} inputs", replay.position()))?;
    }
    match &outcome.mismatch {
        None => Ok(()),
        Some(mismatch) => Err(Failure::new(Code::Failed, in_words(mismatch, replay))),
    }
}

fn as_json(mismatch: &Mismatch) -> Value {
    json!({
        "at_us": mismatch.at.as_micros(),
        "inputs": mismatch.inputs,
        "what": mismatch.what.to_string(),
        "recorded": mismatch.recorded,
        "replayed": mismatch.replayed,
    })
}

fn in_words(mismatch: &Mismatch, replay: &Replay) -> String {
    let own = env!("CARGO_PKG_VERSION");
    let recorded_by = harmless(&replay.about().version);
    let since = mismatch.at.since(replay.span().0);
    format!(
        "{:.6} s after the beginning, after {} inputs, {}: recorded {}, here {} \
         (recorded by version {recorded_by}, this is {own})",
        since.as_secs_f64(),
        mismatch.inputs,
        mismatch.what,
        mismatch.recorded,
        mismatch.replayed,
    )
}

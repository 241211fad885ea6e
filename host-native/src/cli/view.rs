//! `status`, `members`, `events`, `health`.

use crate::{
    cli::{
        ClientArgs,
        client::{self, Client, Method},
        follow::{PatienceArgs, follow},
        print::{self, Colour, coloured, harmless},
    },
    exit::{Code, Failure},
};
use clap::Args;
use serde::Deserialize;
use sporenet_core::{
    membership::member::MemberState,
    node::{
        contract::Severity,
        snapshot::{Member, NodeHealth, Status, TimelineEntry, Verdict},
    },
};

/// `sporenet status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Exit with 0 when healthy, 3 when degraded, 1 otherwise
    #[arg(long)]
    exit_code: bool,
}

/// `sporenet members`.
#[derive(Args, Debug)]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet events`.
#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Go on with what happens
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    patience: PatienceArgs,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// `sporenet health`.
#[derive(Args, Debug)]
pub(crate) struct HealthArgs {
    /// How healthy these nodes are, as others see them: a name, the first digits of an identity, or `all`
    #[arg(value_name = "NODE")]
    node: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn status(args: &StatusArgs) -> Result<(), Failure> {
    let status: Status = Client::find(&args.client, true)?.json(Method::Get, "/api/v1/status")?;
    if args.json {
        print::json(&status)?;
    } else {
        print::text(&harmless_status(&status))?;
    }
    if !args.exit_code {
        return Ok(());
    }
    match status.verdict {
        Verdict::Healthy => Ok(()),
        Verdict::Degraded => Err(Failure::silent(Code::Degraded)),
        Verdict::Isolated | Verdict::Fenced | Verdict::Joining | Verdict::Leaving => {
            Err(Failure::silent(Code::Failed))
        }
    }
}

fn harmless_status(status: &Status) -> String {
    let (word, colour) = match status.verdict {
        Verdict::Healthy => ("healthy", Colour::Green),
        Verdict::Degraded => ("degraded", Colour::Yellow),
        Verdict::Isolated => ("isolated", Colour::Red),
        Verdict::Fenced => ("fenced", Colour::Red),
        Verdict::Joining => ("joining", Colour::Yellow),
        Verdict::Leaving => ("leaving", Colour::Yellow),
    };
    let short = |id: &str| id.chars().take(8).collect::<String>();
    let members = &status.members;
    let mut out = format!("{} is {}\n", harmless(&status.name), coloured(colour, word));
    for reason in &status.reasons {
        out.push_str(&format!("  - {}\n", harmless(reason)));
    }
    out.push_str(&format!(
        "  id        {} ({}, incarnation {})\n  network   {}\n  version   {}\n  mode      {}\n  \
         members   {} alive, {} suspect, {} parked, {} dead, {} left\n  \
         data      {} keys, {} batches\n  running   {}\n",
        short(&status.id),
        status.role,
        status.incarnation,
        short(&status.network),
        harmless(&status.version),
        harmless(&status.mode),
        members.alive,
        members.suspect,
        members.parked,
        members.dead,
        members.left,
        status.kv.keys,
        status.kv.batches,
        print::span(status.uptime_s),
    ));
    if let Some(ahead_ms) = status.clock_ahead_ms {
        let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
        let off = ahead_ms.unsigned_abs();
        let span = if off < 1_000 {
            "less than 1 s".to_owned()
        } else {
            print::span(off / 1_000)
        };
        out.push_str(&format!("  clock     {span} {side} its peers'\n"));
    }
    out
}

pub(super) const fn state(state: MemberState) -> (&'static str, Colour) {
    match state {
        MemberState::Alive => ("alive", Colour::Green),
        MemberState::Suspect => ("suspect", Colour::Yellow),
        MemberState::Dead => ("dead", Colour::Red),
        MemberState::Left => ("left", Colour::Grey),
        MemberState::Parked => ("parked", Colour::Grey),
    }
}

pub(crate) fn members(args: &MembersArgs) -> Result<(), Failure> {
    let members: Vec<Member> =
        Client::find(&args.client, true)?.json(Method::Get, "/api/v1/members")?;
    if args.json {
        return print::json(&members);
    }
    let unknown = || "-".to_owned();
    let rows: Vec<_> = members
        .iter()
        .map(|member| {
            let here = if member.this_node { " (this node)" } else { "" };
            [
                state(member.state).0.to_owned(),
                harmless(&member.name) + here,
                member.id.chars().take(8).collect(),
                member.role.to_string(),
                member
                    .zone
                    .as_ref()
                    .map_or_else(unknown, |zone| harmless(zone)),
                member
                    .addresses
                    .first()
                    .map_or_else(unknown, ToString::to_string),
                member
                    .rtt_ms
                    .map_or_else(unknown, |rtt| format!("{rtt:.1} ms")),
                member.reason.as_deref().map_or_else(String::new, harmless),
            ]
        })
        .collect();
    let headings = [
        "STATE", "NAME", "ID", "ROLE", "ZONE", "ADDRESS", "RTT", "WHY",
    ];
    let table = print::table(headings, &rows);
    let mut lines = table.lines();
    print::line(lines.next().unwrap_or_default())?;
    for (line, member) in lines.zip(&members) {
        let (word, colour) = state(member.state);
        let rest = line.strip_prefix(word).unwrap_or(line);
        print::line(&format!("{}{rest}", coloured(colour, word)))?;
    }
    Ok(())
}

/// What is kept of the timeline.
#[derive(Debug, Deserialize)]
struct Kept {
    entries: Vec<TimelineEntry>,
}

pub(crate) fn events(args: &EventsArgs) -> Result<(), Failure> {
    if !args.follow {
        let client = Client::find(&args.client, true)?;
        let kept: Kept = client.json(Method::Get, "/api/v1/events?format=json")?;
        if args.json {
            return kept.entries.iter().try_for_each(print::json_line);
        }
        return kept
            .entries
            .iter()
            .try_for_each(|entry| print::line(&shown(entry)));
    }
    follow(&args.client, &args.patience, "/api/v1/events", |event| {
        if event.name != "entry" {
            print::say(
                "sporenet: entries are missing here: the node was restarted, or keeps them no more",
            );
            return Ok(());
        }
        let entry: TimelineEntry =
            serde_json::from_str(&event.data).map_err(|error| client::unknown_event(&error))?;
        if args.json {
            print::json_line(&entry)
        } else {
            print::line(&shown(&entry))
        }
    })
}

fn shown(entry: &TimelineEntry) -> String {
    let (word, colour) = match entry.severity {
        Severity::Info => ("info ", Colour::Grey),
        Severity::Warn => ("warn ", Colour::Yellow),
        Severity::Error => ("error", Colour::Red),
    };
    format!(
        "{}  {}  {:<20}  {}",
        print::moment(entry.wall.as_millis()),
        coloured(colour, word),
        harmless(&entry.code),
        harmless(&entry.text)
    )
}

/// A probe's answer.
#[derive(Debug, Deserialize)]
struct Probed {
    ok: bool,
    checks: Vec<Checked>,
}

#[derive(Debug, Deserialize)]
struct Checked {
    name: String,
    ok: bool,
    detail: String,
}

fn health_of(args: &HealthArgs, called: &str) -> Result<(), Failure> {
    let mut all: Vec<NodeHealth> =
        Client::find(&args.client, true)?.json(Method::Get, "/api/v1/health")?;
    if called != "all" {
        let digits = called.to_ascii_lowercase();
        let name = format!("{called} (");
        all.retain(|one| one.name.starts_with(&name) || one.node.starts_with(&digits));
    }
    if all.is_empty() {
        let text = format!("no member is called `{}`", harmless(called));
        return Err(Failure::new(Code::Failed, text));
    }
    if args.json {
        return print::json(&all);
    }
    let share = |value: f64| format!("{:.0} %", value * 100.0);
    let unknown = || "unknown".to_owned();
    let mut out = String::new();
    for one in &all {
        let score = one.score.map_or_else(unknown, share);
        let word = match one.healthy {
            Some(true) => coloured(Colour::Green, "healthy"),
            Some(false) => coloured(Colour::Red, "not healthy"),
            None => coloured(Colour::Grey, "not known"),
        };
        out.push_str(&format!("{}: {score}, {word}\n", harmless(&one.name)));
        let rows: Vec<_> = one
            .terms
            .iter()
            .map(|term| {
                [
                    format!("  {}", term.name),
                    share(term.weight),
                    term.value.map_or_else(unknown, share),
                    share(term.confidence),
                    term.age_ms
                        .map_or_else(|| "-".to_owned(), |age| print::span(age / 1_000)),
                    match (term.value, term.observers) {
                        (None, _) => "nobody".to_owned(),
                        (Some(_), 0) => "itself".to_owned(),
                        (Some(_), many) => many.to_string(),
                    },
                ]
            })
            .collect();
        let headings = ["  TERM", "WEIGHT", "VALUE", "SURE", "AGE", "OBSERVERS"];
        out.push_str(&print::table(headings, &rows));
    }
    print::text(&out)
}

pub(crate) fn health(args: &HealthArgs) -> Result<(), Failure> {
    if let Some(called) = &args.node {
        return health_of(args, called);
    }
    // A node that is not there is not healthy: scripts get 1, as for any other reason.
    let unhealthy = |failure: Failure| Failure {
        code: Code::Failed,
        ..failure
    };
    let answer = Client::find(&args.client, false)
        .and_then(|client| client.ask(Method::Get, "/readyz?format=json"))
        .map_err(unhealthy)?;
    let probed: Probed = serde_json::from_slice(&answer.body).map_err(|_| {
        Failure::new(
            Code::Failed,
            format!("the probe answered {} without a reason", answer.status),
        )
    })?;
    if args.json {
        print::line(&harmless(&String::from_utf8_lossy(&answer.body)))?;
    } else {
        print::line(if probed.ok { "healthy" } else { "unhealthy" })?;
        for check in probed.checks.iter().filter(|check| !check.ok) {
            print::line(&format!(
                "  {}: {}",
                harmless(&check.name),
                harmless(&check.detail)
            ))?;
        }
    }
    if probed.ok {
        Ok(())
    } else {
        Err(Failure::silent(Code::Failed))
    }
}

//! `alerts`, `ack`, `resolve`, `silence`, `incidents`.

use crate::{
    cli::{
        ClientArgs,
        admin::time,
        client::{Client, Method, escaped},
        print::{self, Colour, coloured, harmless, moment},
    },
    exit::Failure,
};
use clap::Args;
use serde_json::{Value, json};
use sporenet_core::{
    node::alert_views::{AlertView, IncidentView, NotifiedView, SilenceView},
    observe::alerts::{
        Standing,
        record::{Ending, Grade},
    },
};
use std::time::Duration;

/// `sporenet alerts`.
#[derive(Args, Debug)]
pub(crate) struct AlertsArgs {
    /// Those that are over too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet incidents`.
#[derive(Args, Debug)]
pub(crate) struct IncidentsArgs {
    /// One incident, with all that is known of it
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Those that are over too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet ack`, `sporenet resolve`.
#[derive(Args, Debug)]
pub(crate) struct ActArgs {
    /// The alert or incident, as `alerts` and `incidents` list it
    #[arg(value_name = "ID")]
    id: String,
    /// With which words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// `sporenet silence`.
#[derive(Args, Debug)]
pub(crate) struct SilenceArgs {
    /// What: * for everything, or rules, nodes and severities that all have to fit; nothing lists the silences
    #[arg(value_name = "MATCH")]
    matches: Vec<String>,
    /// For how long, such as 30m, 2h or 7d
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = time)]
    span: Duration,
    /// With which words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// End the silence of this id
    #[arg(long, value_name = "ID", conflicts_with_all = ["matches", "note"])]
    end: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn alerts(args: &AlertsArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let alerts: Vec<AlertView> = client.json(Method::Get, &listed("alerts", args.all))?;
    if args.json {
        return print::json(&alerts);
    }
    if alerts.is_empty() {
        return print::line("Nothing fires.");
    }
    let rows: Vec<_> = alerts
        .iter()
        .map(|alert| {
            [
                alert.id.clone(),
                severity(alert.severity),
                standing(alert.state).to_owned(),
                moment(alert.since_ms),
                alert.incident.clone().unwrap_or_else(|| "-".to_owned()),
                with_ending(alert),
            ]
        })
        .collect();
    let headings = ["ID", "SEVERITY", "STATE", "SINCE", "INCIDENT", "WHAT"];
    print::text(&print::table(headings, &rows))
}

pub(crate) fn incidents(args: &IncidentsArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    if let Some(id) = &args.id {
        let path = format!("/api/v1/incidents/{}", escaped(id));
        let incident: IncidentView = client.json(Method::Get, &path)?;
        if args.json {
            return print::json(&incident);
        }
        let alerts: Vec<AlertView> = client.json(Method::Get, &listed("alerts", true))?;
        return print::text(&told(&incident, &alerts));
    }
    let incidents: Vec<IncidentView> = client.json(Method::Get, &listed("incidents", args.all))?;
    if args.json {
        return print::json(&incidents);
    }
    if incidents.is_empty() {
        return print::line("No incident is open.");
    }
    let rows: Vec<_> = incidents
        .iter()
        .map(|incident| {
            [
                incident.id.clone(),
                severity(incident.severity),
                standing(incident.state).to_owned(),
                moment(incident.since_ms),
                incident.alerts.len().to_string(),
                harmless(&incident.title),
            ]
        })
        .collect();
    let headings = ["ID", "SEVERITY", "STATE", "SINCE", "ALERTS", "WHAT"];
    print::text(&print::table(headings, &rows))
}

/// An incident, line by line.
fn told(incident: &IncidentView, alerts: &[AlertView]) -> String {
    let mut lines = vec![
        harmless(&incident.title),
        format!(
            "  {} · {} · since {}{}",
            severity(incident.severity),
            standing(incident.state),
            moment(incident.since_ms),
            incident
                .ended_ms
                .map_or_else(String::new, |ended| format!(" · ended {}", moment(ended))),
        ),
        String::new(),
        "Probable cause".to_owned(),
    ];
    let causes = incident.causes.iter();
    lines
        .extend(causes.map(|cause| format!("  {:>3} %  {}", cause.percent, harmless(&cause.text))));
    lines.extend([
        format!("  Next: {}", incident.next_step),
        String::new(),
        "Alerts".to_owned(),
    ]);
    let of = alerts
        .iter()
        .filter(|alert| incident.alerts.contains(&alert.id));
    lines.extend(of.map(|alert| {
        let state = standing(alert.state);
        format!("  {}  {state:<12}  {}", alert.id, with_ending(alert))
    }));
    if let Some(by) = &incident.acknowledged_by {
        let note = incident
            .note
            .as_deref()
            .map_or_else(String::new, |note| format!(": {note}"));
        lines.extend([
            String::new(),
            format!("Acknowledged by {}", harmless(&format!("{by}{note}"))),
        ]);
    }
    if !incident.notified.is_empty() {
        lines.extend([String::new(), "Notified".to_owned()]);
    }
    let told = incident.notified.iter();
    lines.extend(told.map(|one| format!("  {}", told_of(one))));
    lines.push(String::new());
    lines.join("\n")
}

/// An alert in a sentence, and why it is over, where that is no matter of course.
fn with_ending(alert: &AlertView) -> String {
    let text = harmless(&alert.text);
    match alert.ending {
        None | Some(Ending::ByItself) => text,
        Some(Ending::ByHand) => format!("{text} (ended by hand)"),
        Some(Ending::NodeDown) => format!("{text} (over, for the node is down)"),
    }
}

/// When a channel was told, of what, by whom, and what came of it.
pub(super) fn told_of(told: &NotifiedView) -> String {
    let what = match (told.ok, &told.error) {
        (Some(true), _) => "arrived".to_owned(),
        (None, _) => "on its way".to_owned(),
        (Some(false), error) => format!("failed: {}", error.clone().unwrap_or_default()),
    };
    let step = told
        .step
        .map_or_else(|| "over".to_owned(), |step| format!("step {step}"));
    let (at, channel) = (moment(told.at_ms), harmless(&told.channel));
    let (by, what) = (harmless(&told.by), harmless(&what));
    format!("{at}  {channel}  {step}  by {by}  {what}")
}

fn listed(what: &str, all: bool) -> String {
    let query = if all { "?all=true" } else { "" };
    format!("/api/v1/{what}{query}")
}

pub(crate) fn acknowledge(args: &ActArgs) -> Result<(), Failure> {
    act(args, "ack", "Acknowledged")
}

pub(crate) fn resolve(args: &ActArgs) -> Result<(), Failure> {
    act(args, "resolve", "Resolved")
}

fn act(args: &ActArgs, what: &str, done: &str) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    send_act(&client, what, &args.id, args.note.as_deref())?;
    print::line(&format!("{done} {}.", harmless(&args.id)))
}

/// Has the node acknowledge (`ack`) or resolve (`resolve`) an alert or incident.
pub(super) fn send_act(
    client: &Client,
    what: &str,
    id: &str,
    note: Option<&str>,
) -> Result<(), Failure> {
    let body = json!({ "id": id, "note": note }).to_string();
    let path = format!("/api/v1/{what}");
    let _: Value = client.json(Method::Post(body.as_bytes()), &path)?;
    Ok(())
}

/// Has nobody notified of what fits for a while.
pub(super) fn send_silence(
    client: &Client,
    matches: &str,
    span: Duration,
    note: Option<&str>,
) -> Result<(), Failure> {
    let body = json!({ "matches": matches, "for_s": span.as_secs(), "note": note }).to_string();
    let _: Value = client.json(Method::Post(body.as_bytes()), "/api/v1/silences")?;
    Ok(())
}

pub(crate) fn silence(args: &SilenceArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    if let Some(id) = &args.end {
        let path = format!("/api/v1/silences/{}", escaped(id));
        let _: Value = client.json(Method::Delete, &path)?;
        return print::line(&format!("Ended the silence {}.", harmless(id)));
    }
    if !args.matches.is_empty() {
        let matches = args.matches.join(" ");
        send_silence(&client, &matches, args.span, args.note.as_deref())?;
        let span = print::span(args.span.as_secs());
        return print::line(&format!("Nobody is notified of that for {span}."));
    }
    let silences: Vec<SilenceView> = client.json(Method::Get, "/api/v1/silences")?;
    if args.json {
        return print::json(&silences);
    }
    if silences.is_empty() {
        return print::line("Nothing is silenced.");
    }
    let rows: Vec<_> = silences
        .iter()
        .map(|silence| {
            [
                silence.id.clone(),
                moment(silence.until_ms),
                harmless(&silence.by),
                harmless(&silence.fits),
                harmless(silence.note.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    print::text(&print::table(
        ["ID", "UNTIL", "BY", "MATCHES", "NOTE"],
        &rows,
    ))
}

/// How an alert or incident stands, in a word.
pub(super) const fn standing(state: Standing) -> &'static str {
    match state {
        Standing::Pending => "pending",
        Standing::Firing => "firing",
        Standing::Acknowledged => "acknowledged",
        Standing::Resolved => "resolved",
    }
}

/// How serious it is, in a word and a colour.
pub(super) fn severity(grade: Grade) -> String {
    match grade {
        Grade::Low => grade.name().to_owned(),
        Grade::Medium => coloured(Colour::Yellow, grade.name()),
        Grade::High | Grade::Critical => coloured(Colour::Red, grade.name()),
    }
}

//! `notify list`, `notify test`.

use crate::{
    channels::{Delivery, View},
    cli::{
        ClientArgs,
        client::{Client, Method},
        print,
    },
    exit::{Code, Failure},
};
use clap::{Args, Subcommand};

/// `sporenet notify`.
#[derive(Args, Debug)]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The node's channels, and what became of the last notification of each
    List(ListArgs),
    /// Send a test notification, and say what the recipient answered
    Test(TestArgs),
}

/// `sporenet notify list`.
#[derive(Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet notify test`.
#[derive(Args, Debug)]
struct TestArgs {
    /// The channel's name in the node's configuration
    #[arg(value_name = "CHANNEL")]
    channel: String,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn notify(args: &NotifyArgs) -> Result<(), Failure> {
    match &args.action {
        Action::List(args) => list(args),
        Action::Test(args) => test(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let channels: Vec<View> = client.json(Method::Get, "/api/v1/notify")?;
    if args.json {
        return print::json(&channels);
    }
    if channels.is_empty() {
        print::say("The node has no channels; `[[channel]]` in its configuration makes one.");
        return Ok(());
    }
    let rows: Vec<_> = channels.iter().map(row).collect();
    let headings = ["NAME", "KIND", "FROM", "WAITING", "TO", "LAST"];
    print::text(&print::table(headings, &rows))
}

fn row(channel: &View) -> [String; 6] {
    [
        channel.name.clone(),
        channel.kind.clone(),
        channel.min_severity.to_string(),
        channel.waiting.to_string(),
        print::harmless(&channel.target),
        channel.last.as_ref().map_or_else(|| "-".to_owned(), last),
    ]
}

fn last(delivery: &Delivery) -> String {
    let at = print::moment(delivery.at_ms);
    match &delivery.error {
        None => format!("{at} told"),
        Some(error) => format!("{at} not told: {}", print::harmless(error)),
    }
}

fn test(args: &TestArgs) -> Result<(), Failure> {
    let body = serde_json::json!({ "channel": args.channel }).to_string();
    let client = Client::find(&args.client, true)?;
    let delivery: Delivery = client.json(Method::Post(body.as_bytes()), "/api/v1/notify/test")?;
    if args.json {
        print::json(&delivery)?;
    }
    let channel = &delivery.channel;
    let attempts = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match delivery.error {
        None if args.json => Ok(()),
        None => {
            let answer = print::harmless(delivery.answer.as_deref().unwrap_or_default());
            print::line(&format!(
                "{channel}: sent after {attempts}; the answer: {answer}"
            ))
        }
        Some(_) if args.json => Err(Failure::silent(Code::Failed)),
        Some(error) => Err(Failure::new(
            Code::Failed,
            format!(
                "{channel}: not sent after {attempts}: {}",
                print::harmless(&error)
            ),
        )),
    }
}

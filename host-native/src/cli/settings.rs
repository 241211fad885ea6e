//! `settings`, `rules`: what the whole mesh follows.

use crate::{
    cli::{
        ClientArgs,
        alerts::severity,
        client::{Client, Method, escaped},
        print::{self, harmless, moment},
    },
    exit::Failure,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sporenet_core::{
    node::alert_views::{DryRun, SettingView, VersionView},
    observe::alerts::record::Grade,
};
use std::collections::BTreeMap;

/// `sporenet settings`.
#[derive(Args, Debug)]
pub(crate) struct SettingsArgs {
    #[command(subcommand)]
    action: Option<SettingsAction>,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum SettingsAction {
    /// Show all settings, or one
    Get {
        /// Its name
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Change a setting on all nodes
    Set {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Its value, as `get` shows it; `default` sets it back
        #[arg(value_name = "VALUE")]
        value: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Show what differs from the defaults, or between the last two versions of one setting
    Diff {
        /// Its name
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Show what a setting was, and who changed it
    History {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Set a setting to what it was
    Revert {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// To which version [default: the one before the present]; 0 is the default
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Show what a rule would have done to what was measured
    DryRun {
        /// The rule, such as 'cpu above 80 95 for 10s'
        #[arg(value_name = "RULE")]
        rule: String,
    },
}

/// `sporenet rules`.
#[derive(Args, Debug)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    action: Option<RulesAction>,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum RulesAction {
    /// Show the rules
    List,
    /// Add or change a rule
    Set {
        /// Its name: lower case, digits, -
        #[arg(value_name = "NAME")]
        name: String,
        /// The rule: METRIC above|below WARN CRITICAL [for 10s] [clear 10%] [samples 3] [impact 100%]
        #[arg(value_name = "RULE")]
        rule: String,
        /// Show what it would have done, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Switch a rule off
    Off {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Set a rule back to what was shipped
    Reset {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(crate) fn settings(args: &SettingsArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    match args
        .action
        .as_ref()
        .unwrap_or(&SettingsAction::Get { name: None })
    {
        SettingsAction::Get { name: None } => all(&client, args.json, |_| true),
        SettingsAction::Get { name: Some(name) } => {
            let view: SettingView = client.json(Method::Get, &path_of(name))?;
            if args.json {
                return print::json(&BTreeMap::from([(view.key.clone(), &view)]));
            }
            print::line(&harmless(&view.value))
        }
        SettingsAction::Set { name, value, note } => {
            let value = (value != "default").then_some(value);
            set(&client, name, value.map(String::as_str), note.as_deref())
        }
        SettingsAction::Diff { name: None } => {
            all(&client, args.json, |view| view.value != view.default)
        }
        SettingsAction::Diff { name: Some(name) } => diff(&client, name, args.json),
        SettingsAction::History { name } => history(&client, name, args.json),
        SettingsAction::Revert { name, version } => {
            let path = format!("{}/revert", path_of(name));
            let body = json!({ "version": version });
            let _: Value = client.json(Method::Post(body.to_string().as_bytes()), &path)?;
            say_value(&client, name)
        }
        SettingsAction::DryRun { rule } => dry_run(&client, rule, args.json),
    }
}

pub(crate) fn rules(args: &RulesArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let key = |name: &str| format!("rule.{name}");
    match args.action.as_ref().unwrap_or(&RulesAction::List) {
        RulesAction::List => all(&client, args.json, |view| view.key.starts_with("rule.")),
        RulesAction::Set {
            rule,
            dry_run: true,
            ..
        } => dry_run(&client, rule, args.json),
        RulesAction::Set { name, rule, .. } => set(&client, &key(name), Some(rule), None),
        RulesAction::Off { name } => set(&client, &key(name), Some("off"), None),
        RulesAction::Reset { name } => set(&client, &key(name), None, None),
    }
}

fn path_of(name: &str) -> String {
    format!("/api/v1/settings/{}", escaped(name))
}

fn all(
    client: &Client,
    as_json: bool,
    wanted: impl Fn(&SettingView) -> bool,
) -> Result<(), Failure> {
    let mut views: BTreeMap<String, SettingView> = client.json(Method::Get, "/api/v1/settings")?;
    views.retain(|_, view| wanted(view));
    if as_json {
        return print::json(&views);
    }
    if views.is_empty() {
        return print::line("All is as it was shipped.");
    }
    let rows: Vec<_> = views
        .values()
        .map(|view| {
            [
                view.key.clone(),
                harmless(&view.value),
                view.version.to_string(),
                harmless(view.changed_by.as_deref().unwrap_or("-")),
                harmless(&view.meaning),
            ]
        })
        .collect();
    print::text(&print::table(
        ["NAME", "VALUE", "VERSION", "CHANGED BY", "MEANING"],
        &rows,
    ))
}

fn set(
    client: &Client,
    name: &str,
    value: Option<&str>,
    note: Option<&str>,
) -> Result<(), Failure> {
    let body = json!({ "value": value, "note": note });
    let _: Value = client.json(Method::Put(body.to_string().as_bytes()), &path_of(name))?;
    say_value(client, name)
}

fn say_value(client: &Client, name: &str) -> Result<(), Failure> {
    let view: SettingView = client.json(Method::Get, &path_of(name))?;
    print::line(&format!("{} is {}", view.key, harmless(&view.value)))
}

fn versions(client: &Client, name: &str) -> Result<Vec<VersionView>, Failure> {
    client.json(Method::Get, &format!("{}/history", path_of(name)))
}

fn history(client: &Client, name: &str, as_json: bool) -> Result<(), Failure> {
    let versions = versions(client, name)?;
    if as_json {
        return print::json(&versions);
    }
    if versions.is_empty() {
        return print::line("Nobody has ever set it.");
    }
    let rows: Vec<_> = versions
        .iter()
        .map(|version| {
            let lost = if version.lost {
                " (set at the same time, and lost)"
            } else {
                ""
            };
            [
                version.version.to_string(),
                moment(version.at_ms),
                harmless(&version.by),
                format!("{}{lost}", harmless(&version.value)),
                harmless(version.note.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    print::text(&print::table(
        ["VERSION", "WHEN", "BY", "VALUE", "NOTE"],
        &rows,
    ))
}

fn diff(client: &Client, name: &str, as_json: bool) -> Result<(), Failure> {
    let view: SettingView = client.json(Method::Get, &path_of(name))?;
    let held = versions(client, name)?
        .into_iter()
        .filter(|version| !version.lost);
    let before = held
        .map(|version| version.value)
        .nth(1)
        .unwrap_or_else(|| view.default.clone());
    if as_json {
        return print::json(&json!({ "key": view.key, "before": before, "now": view.value }));
    }
    if before == view.value {
        return print::line("Nothing differs.");
    }
    print::text(&format!(
        "- {}\n+ {}\n",
        harmless(&before),
        harmless(&view.value)
    ))
}

fn dry_run(client: &Client, rule: &str, as_json: bool) -> Result<(), Failure> {
    let body = json!({ "rule": rule }).to_string();
    let tried: DryRun = client.json(Method::Post(body.as_bytes()), "/api/v1/dry-run")?;
    if as_json {
        return print::json(&tried);
    }
    let since = tried.from_ms.map_or_else(
        || "Nothing was measured of it yet".to_owned(),
        |from| {
            format!(
                "Since {} it would have fired {} times",
                moment(from),
                tried.fired
            )
        },
    );
    print::text(&format!("{}\n{since}.\n", harmless(&tried.rule)))?;
    let rows: Vec<_> = tried
        .times
        .iter()
        .map(|time| {
            [
                harmless(&time.node_name),
                moment(time.since_ms),
                time.ended_ms.map_or_else(|| "still".to_owned(), moment),
                severity(if time.critical {
                    Grade::Critical
                } else {
                    Grade::Medium
                }),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    print::text(&print::table(["NODE", "FROM", "UNTIL", "SEVERITY"], &rows))
}

//! `history`: what the relay has kept, as lines, tables, JSON or CSV.

use crate::{
    cli::{
        ClientArgs,
        admin::time,
        client::{Client, Method, escaped},
        print::{self, Colour, coloured, harmless},
    },
    exit::Failure,
    history::record::Row,
    http::history::{Answer, ROWS_MAX, Step},
};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::time::Duration;

/// The most rows that are fetched for one command.
const LIMIT_MAX: u32 = 1_000_000;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// What happened.
    Events,
    /// Who did what over the API.
    Audit,
    /// How series of this node went.
    Metrics,
    /// Alerts from their beginning to their end.
    Alerts,
    /// Incidents from their beginning to their end.
    Incidents,
}

impl What {
    const fn path(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Metrics => "metrics",
            Self::Alerts => "alerts",
            Self::Incidents => "incidents",
        }
    }

    /// What of a row's own fields is shown, in this order.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Events => &["text"],
            Self::Audit => &["outcome", "who", "detail"],
            Self::Metrics => &["mean", "min", "max", "last", "unit"],
            Self::Alerts => &[
                "state",
                "ended_ms",
                "metric",
                "text",
                "acknowledged_by",
                "note",
            ],
            Self::Incidents => &["state", "ended_ms", "title", "nodes", "alerts"],
        }
    }
}

/// `sporenet history`.
#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// What to show
    #[arg(value_enum, default_value_t = What::Events)]
    what: What,
    /// How far back, such as 24h or 7d [default: as far as there is any]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Duration>,
    /// Until so long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Duration>,
    /// About this node: its name, or the first digits of its identity
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// With this code: of an event, an act, a series, a rule, a cause
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// For metrics: minutes or hours [default: minute]
    #[arg(long, value_enum)]
    step: Option<Step>,
    /// The newest so many
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX))
    )]
    limit: u32,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV
    #[arg(long)]
    csv: bool,
}

/// Shows what there is, oldest first.
///
/// # Errors
/// When no node answers, it refuses, or standard output is closed.
pub(crate) fn history(args: &HistoryArgs) -> Result<(), Failure> {
    let rows = fetched(args)?;
    if args.json {
        let mut array = print::Array::default();
        for row in &rows {
            array.push(row)?;
        }
        return array.finish();
    }
    let fields = args.what.fields();
    if args.csv {
        let head = ["at_ms", "severity", "code", "node", "key"];
        let head: Vec<&str> = head.into_iter().chain(fields.iter().copied()).collect();
        print::line(&head.join(","))?;
        return rows
            .iter()
            .try_for_each(|row| print::line(&csv(row, fields)));
    }
    rows.iter()
        .try_for_each(|row| print::line(&shown(row, args.what)))
}

fn fetched(args: &HistoryArgs) -> Result<Vec<Row>, Failure> {
    let client = Client::find(&args.client, true)?;
    let mut query = String::new();
    let mut put = |name: &str, value: &str| query.push_str(&format!("&{name}={}", escaped(value)));
    for (name, span) in [("since_s", args.since), ("until_s", args.until)] {
        if let Some(span) = span {
            put(name, &span.as_secs().to_string());
        }
    }
    for (name, value) in [("node", &args.node), ("code", &args.code)] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    if let Some(step) = args.step {
        put("step", step.name());
    }
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut rows: Vec<Row> = Vec::new();
    let mut before = String::new();
    loop {
        let many = limit.saturating_sub(rows.len()).min(ROWS_MAX);
        let kind = args.what.path();
        let path = format!("/api/v1/history/{kind}?limit={many}{query}{before}");
        let answer: Answer = client.json(Method::Get, &path)?;
        rows.extend(answer.rows);
        match answer.next {
            Some(next) if rows.len() < limit => before = format!("&before={}", escaped(&next)),
            Some(_) | None => break,
        }
    }
    rows.reverse();
    Ok(rows)
}

/// A row as people read it.
fn shown(row: &Row, what: What) -> String {
    let mut line = print::moment(row.at_ms);
    if let Some(severity) = &row.severity {
        let colour = match severity.as_str() {
            "error" => Colour::Red,
            "warn" => Colour::Yellow,
            _ => Colour::Grey,
        };
        let word = coloured(colour, &format!("{:<5}", harmless(severity)));
        line.push_str(&format!("  {word}"));
    }
    line.push_str(&format!("  {:<20}", harmless(&row.code)));
    // An event's words name the node already, and series are of this one.
    let names_node = matches!(what, What::Audit | What::Alerts);
    if let Some(node) = row.node.as_ref().filter(|_| names_node) {
        let digits: String = node.chars().take(8).collect();
        line.push_str(&format!("  {}", harmless(&digits)));
    }
    for field in what.fields() {
        let value = row.body.get(*field).unwrap_or(&Value::Null);
        let words = match (what, *field, value) {
            (_, "ended_ms", Value::Number(moment)) => match moment.as_u64() {
                Some(moment) => format!("until {}", print::moment(moment)),
                None => continue,
            },
            (_, _, Value::Null) => continue,
            (What::Metrics, "min" | "max" | "last", value) => format!("{field} {value}"),
            (_, _, value) => plain(value),
        };
        line.push_str(&format!("  {}", harmless(&words)));
    }
    line.trim_end().replace('\n', " ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A row as a line of CSV.
///
/// Source: RFC 4180, "Common Format and MIME Type for CSV Files", 2005, section 2.
fn csv(row: &Row, fields: &[&str]) -> String {
    let node = row.node.clone().unwrap_or_default();
    let severity = row.severity.clone().unwrap_or_default();
    let own = fields
        .iter()
        .map(|field| row.body.get(*field).map_or_else(String::new, plain));
    let cells = [
        row.at_ms.to_string(),
        severity,
        row.code.clone(),
        node,
        row.key.clone(),
    ];
    let cells = cells.into_iter().chain(own).map(|cell| {
        let cell = harmless(&cell);
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    });
    cells.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(body: Value) -> Row {
        Row {
            key: "k".to_owned(),
            at_ms: 0,
            node: Some("ab".repeat(32)),
            code: "member_dead".to_owned(),
            severity: Some("error".to_owned()),
            body: body.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let line = csv(
            &row(serde_json::json!({"text": "a, \"b\""})),
            &["text", "none"],
        );
        let node = "ab".repeat(32);
        assert_eq!(
            line,
            format!("0,error,member_dead,{node},k,\"a, \"\"b\"\"\",")
        );
    }

    #[test]
    fn an_episode_that_lasts_has_no_end() {
        let lasting = row(serde_json::json!({"state": "firing", "ended_ms": null, "text": "hot"}));
        let line = shown(&lasting, What::Alerts);
        assert!(
            line.ends_with("member_dead           abababab  firing  hot"),
            "{line}"
        );
        let over = row(serde_json::json!({"state": "over", "ended_ms": 1000, "text": "hot"}));
        let line = shown(&over, What::Alerts);
        assert!(line.contains("until 1970-01-01 00:00:01Z"), "{line}");
    }
}

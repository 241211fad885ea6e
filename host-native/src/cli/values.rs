//! `put`, `get`, `del`, `list`, `watch`.

use crate::{
    cli::{
        Ack, ClientArgs,
        client::{self, Client, Event, Method, escaped, refused},
        follow::{PatienceArgs, follow},
        print::{self, harmless},
        typed,
    },
    exit::{Code, Failure},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use std::io::{IsTerminal, Read};
use ureq::http::StatusCode;

/// How many bytes of a value a list shows.
const PREVIEW_CHARS: usize = 60;
/// One more byte than a value may have: enough to be refused.
const VALUE_BYTES_READ: u64 = (256 << 10) + 1;

/// `sporenet put`.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// The value; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Let values that are written at the same time stand side by side
    #[arg(long)]
    multi: bool,
    /// When to come back: when it is durable here, or on one other relay too
    #[arg(long, value_enum, default_value_t)]
    ack: Ack,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet get`.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON, with writer, time and lost writes
    #[arg(long)]
    json: bool,
}

/// `sporenet del`.
#[derive(Args, Debug)]
pub(crate) struct DelArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// When to come back: when it is durable here, or on one other relay too
    #[arg(long, value_enum, default_value_t)]
    ack: Ack,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The namespace; without it, the namespaces are listed
    ns: Option<String>,
    /// Only keys that begin like this
    #[arg(long, value_name = "P", default_value = "")]
    prefix: String,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet watch`.
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// The namespace
    ns: String,
    /// Only keys that begin like this
    #[arg(long, value_name = "P", default_value = "")]
    prefix: String,
    /// Begin with what is there
    #[arg(long)]
    initial: bool,
    #[command(flatten)]
    patience: PatienceArgs,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// The path of a key, which is a parameter: proxies change paths.
pub(crate) fn path_of(ns: &str, key: &str) -> String {
    format!("/api/v1/kv/{}?key={}", escaped(ns), escaped(key))
}

/// When a write is acknowledged, in the words of the API.
pub(crate) const fn ack_of(ack: Ack) -> &'static str {
    match ack {
        Ack::Local => "local",
        Ack::Relay => "relay",
    }
}

/// What is to be said beside the answer to a write that succeeded.
pub(crate) fn warn_of(answer: &Value) {
    if let Some(warning) = answer["warning"].as_str() {
        print::say(&format!("sporenet: {}", harmless(warning)));
    }
}

pub(crate) fn put(args: &PutArgs) -> Result<(), Failure> {
    let value = if args.value == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(VALUE_BYTES_READ)
            .read_to_end(&mut bytes)
            .map_err(|error| {
                Failure::new(Code::Io, format!("standard input can't be read: {error}"))
            })?;
        bytes
    } else {
        args.value.clone().into_bytes()
    };
    let client = Client::find(&args.client, true)?;
    if args.multi {
        let operation = serde_json::json!({ "op": "put", "value_base64": STANDARD.encode(&value) });
        let said = (args.ack, args.json);
        return typed::make(&client, &args.ns, &args.key, &operation, said).map(|_| ());
    }
    let path = format!("{}&ack={}", path_of(&args.ns, &args.key), ack_of(args.ack));
    let answer: Value = client.json(Method::Put(&value), &path)?;
    warn_of(&answer);
    if args.json {
        print::json(&answer)
    } else {
        Ok(())
    }
}

pub(crate) fn del(args: &DelArgs) -> Result<(), Failure> {
    let path = format!("{}&ack={}", path_of(&args.ns, &args.key), ack_of(args.ack));
    let answer: Value = Client::find(&args.client, true)?.json(Method::Delete, &path)?;
    warn_of(&answer);
    if args.json {
        print::json(&answer)
    } else {
        Ok(())
    }
}

pub(crate) fn get(args: &GetArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let path = path_of(&args.ns, &args.key);
    if args.json {
        let entry: Value = client.json(Method::Get, &format!("{path}&format=json"))?;
        return print::json(&entry);
    }
    let answer = client.ask(Method::Get, &path)?;
    if answer.status != StatusCode::OK {
        return Err(refused(&answer));
    }
    if matches!(answer.kind.as_deref(), Some("set" | "map")) {
        return parts(&client, &path);
    }
    let is_word = matches!(answer.kind.as_deref(), Some("counter" | "flag"));
    if !is_word && !std::io::stdout().is_terminal() {
        return print::bytes(&answer.body);
    }
    match String::from_utf8(answer.body) {
        Ok(text) => print::line(&harmless(&text)),
        Err(error) => Err(Failure::new(
            Code::Failed,
            format!(
                "the value is {} bytes that are no text; send them to a file or program",
                error.as_bytes().len()
            ),
        )),
    }
}

/// A page of the parts of a value.
#[derive(Debug, Deserialize)]
struct PartsPage {
    #[serde(rename = "type")]
    kind: String,
    parts: Vec<Value>,
    cursor: Option<String>,
}

/// All elements of a set or fields of a map, a line each.
fn parts(client: &Client, base: &str) -> Result<(), Failure> {
    let base = format!("{base}&format=parts&limit=1000");
    let mut cursor: Option<String> = None;
    loop {
        let path = cursor.map_or_else(
            || base.clone(),
            |at| format!("{base}&cursor={}", escaped(&at)),
        );
        let page: PartsPage = client.json(Method::Get, &path)?;
        for part in &page.parts {
            print::line(&match page.kind.as_str() {
                "map" => format!("{}={}", word(part, "part"), field(part)),
                _ => word(part, "part"),
            })?;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn field(part: &Value) -> String {
    match part.get("value").and_then(Value::as_str) {
        Some(text) => harmless(text),
        None => format!("(base64 {})", word(part, "value_base64")),
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page {
    entries: Vec<Value>,
    cursor: Option<String>,
}

/// A page of the namespaces.
#[derive(Debug, Deserialize)]
struct NamespacesPage {
    namespaces: Vec<Value>,
    cursor: Option<String>,
}

pub(crate) fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let Some(ns) = &args.ns else {
        return namespaces(&client, args.json);
    };
    // A line shows the beginning of a value only.
    let values = if args.json { "full" } else { "preview" };
    let base = format!(
        "/api/v1/kv/{}?limit=1000&values={values}&prefix={}",
        escaped(ns),
        escaped(&args.prefix)
    );
    let mut array = print::Array::default();
    let mut cursor: Option<String> = None;
    loop {
        let path = cursor.map_or_else(
            || base.clone(),
            |at| format!("{base}&cursor={}", escaped(&at)),
        );
        let page: Page = client.json(Method::Get, &path)?;
        if args.json {
            page.entries
                .iter()
                .try_for_each(|entry| array.push(entry))?;
        } else {
            page.entries
                .iter()
                .try_for_each(|entry| print::line(&shown(entry)))?;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if args.json { array.finish() } else { Ok(()) }
}

fn namespaces(client: &Client, json: bool) -> Result<(), Failure> {
    let base = "/api/v1/kv?limit=1000";
    let (mut all, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let path = cursor.map_or_else(
            || base.to_owned(),
            |at| format!("{base}&cursor={}", escaped(&at)),
        );
        let page: NamespacesPage = client.json(Method::Get, &path)?;
        all.extend(page.namespaces);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if json {
        return print::json(&all);
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            [
                word(one, "namespace"),
                one.get("keys").map_or_else(String::new, Value::to_string),
            ]
        })
        .collect();
    print::text(&print::table(["NAMESPACE", "KEYS"], &rows))
}

fn word(entry: &Value, field: &str) -> String {
    harmless(entry.get(field).and_then(Value::as_str).unwrap_or_default())
}

/// A key and the beginning of its value, on one line.
fn shown(entry: &Value) -> String {
    format!("{}\t{}", word(entry, "key"), preview(entry))
}

fn preview(entry: &Value) -> String {
    match entry.get("value").and_then(Value::as_str) {
        Some(text) => {
            let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            let mut start: String = line.take(PREVIEW_CHARS).collect();
            let truncated = entry.get("truncated").and_then(Value::as_bool);
            if truncated == Some(true) || text.chars().nth(PREVIEW_CHARS).is_some() {
                start.push('…');
            }
            start
        }
        None if matches!(entry.get("value"), Some(value) if !value.is_null()) => {
            typed_preview(entry)
        }
        None => match entry.get("size").and_then(Value::as_u64) {
            Some(size) => format!("({size} bytes)"),
            None => "(deleted)".to_owned(),
        },
    }
}

/// The beginning of a typed value, with its type.
fn typed_preview(entry: &Value) -> String {
    let value = entry
        .get("value")
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut start: String = value.chars().take(PREVIEW_CHARS).collect();
    let is_truncated = entry.get("truncated").and_then(Value::as_bool) == Some(true);
    if is_truncated || value.chars().nth(PREVIEW_CHARS).is_some() {
        start.push('…');
    }
    format!("{} {start}", word(entry, "type"))
}

pub(crate) fn watch(args: &WatchArgs) -> Result<(), Failure> {
    let initial = if args.initial { "&initial=1" } else { "" };
    let path = format!(
        "/api/v1/kv/{}/watch?prefix={}{initial}",
        escaped(&args.ns),
        escaped(&args.prefix)
    );
    follow(&args.client, &args.patience, &path, |event| {
        tell(event, args.json)
    })
}

fn tell(event: &Event, json: bool) -> Result<(), Failure> {
    let data: Value =
        serde_json::from_str(&event.data).map_err(|error| client::unknown_event(&error))?;
    if json {
        return print::json_line(&serde_json::json!({ "event": event.name, "data": data }));
    }
    match event.name.as_str() {
        "put" | "delete" => print::line(&shown(&data)),
        "reset" => {
            print::say("sporenet: everything follows");
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_named_watch_is_a_key() {
        assert_eq!(path_of("n s", "watch"), "/api/v1/kv/n%20s?key=watch");
        assert_eq!(path_of("ns", "a/b"), "/api/v1/kv/ns?key=a%2Fb");
    }

    #[test]
    fn a_preview_stays_on_its_line() {
        let entry = serde_json::json!({ "key": "k", "value": "a\nb" });
        assert_eq!(shown(&entry), "k\ta b");
        let long = serde_json::json!({ "key": "k", "value": "x".repeat(61) });
        assert_eq!(shown(&long), format!("k\t{}…", "x".repeat(60)));
        let counter = serde_json::json!({ "key": "k", "type": "counter", "value": -3 });
        assert_eq!(shown(&counter), "k\tcounter -3");
        let binary = serde_json::json!({ "key": "k", "value": null, "size": 3 });
        assert_eq!(shown(&binary), "k\t(3 bytes)");
        assert_eq!(
            shown(&serde_json::json!({ "key": "k", "deleted": true })),
            "k\t(deleted)"
        );
    }
}

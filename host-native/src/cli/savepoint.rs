//! `savepoint`: keeping what is there, seeing what changed since, going back to it.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method, escaped},
        lines::each_line,
        print::{self, harmless},
    },
    exit::{Code, Failure},
};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a node may be silent between two parts of an answer: it compares all keys.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// How many characters of a side of a difference are shown.
const SIDE_CHARS: usize = 40;

/// `sporenet savepoint`.
#[derive(Args, Debug)]
pub(crate) struct SavepointArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep what is there now, in a file of the node
    Create {
        /// A name for it
        name: String,
        /// The namespaces; without any, all
        #[arg(value_name = "NS")]
        namespaces: Vec<String>,
    },
    /// List the savepoints of the node
    List,
    /// What changed since, and a rollback would undo
    Diff {
        /// Its name
        name: String,
    },
    /// Write what was there again; what is there now is kept in another savepoint first
    Rollback {
        /// Its name
        name: String,
        /// Change nothing; show what would be
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete a savepoint
    Delete {
        /// Its name
        name: String,
    },
}

/// A savepoint as the node lists it.
#[derive(Debug, Deserialize)]
struct View {
    name: String,
    created_at_ms: u64,
    namespaces: Option<Vec<String>>,
    keys: u64,
    bytes: u64,
}

pub(crate) fn savepoint(args: &SavepointArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    match &args.what {
        What::Create { name, namespaces } => create(&client, name, namespaces, args.json),
        What::List => list(&client, args.json),
        What::Diff { name }
        | What::Rollback {
            name,
            dry_run: true,
        } => diff(&client, name, args.json),
        What::Rollback {
            name,
            dry_run: false,
        } => rollback(&client, name, args.json),
        What::Delete { name } => {
            let gone: Value = client.json(Method::Delete, &path_of(name))?;
            if args.json {
                print::json(&gone)
            } else {
                Ok(())
            }
        }
    }
}

fn path_of(name: &str) -> String {
    format!("/api/v1/savepoints/{}", escaped(name))
}

fn create(client: &Client, name: &str, namespaces: &[String], json: bool) -> Result<(), Failure> {
    let named = (!namespaces.is_empty()).then_some(namespaces);
    let wanted = json!({ "name": name, "namespaces": named }).to_string();
    let answer = client.lines(
        Method::Post(wanted.as_bytes()),
        "/api/v1/savepoints",
        SILENCE_MAX,
    )?;
    let made: Value = serde_json::from_reader(answer).map_err(|error| {
        Failure::new(
            Code::Temporary,
            format!("the node's answer broke off: {error}; see `sporenet savepoint list`"),
        )
    })?;
    if json {
        return print::json(&made);
    }
    let made: View = serde_json::from_value(made).map_err(|error| unknown(&error))?;
    print::line(&format!("{} keys, {} bytes", made.keys, made.bytes))
}

fn list(client: &Client, json: bool) -> Result<(), Failure> {
    let all: Value = client.json(Method::Get, "/api/v1/savepoints")?;
    if json {
        return print::json(&all);
    }
    let all: Vec<View> = serde_json::from_value(all).map_err(|error| unknown(&error))?;
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            let named = one.namespaces.as_ref().map(|named| named.join(", "));
            [
                harmless(&one.name),
                print::moment(one.created_at_ms),
                one.keys.to_string(),
                one.bytes.to_string(),
                named.map_or_else(|| "all".to_owned(), |named| harmless(&named)),
            ]
        })
        .collect();
    let headings = ["NAME", "CREATED", "KEYS", "BYTES", "NAMESPACES"];
    print::text(&print::table(headings, &rows))
}

fn unknown(error: &serde_json::Error) -> Failure {
    Failure::new(
        Code::Unavailable,
        format!("the answer can't be read: {error}; use the node's version"),
    )
}

fn diff(client: &Client, name: &str, json: bool) -> Result<(), Failure> {
    let path = format!("{}/diff", path_of(name));
    let answer = client.lines(Method::Get, &path, SILENCE_MAX)?;
    each_line(answer, |told| {
        if json {
            return print::json_line(told);
        }
        if told["done"] == true {
            let (changed, deleted, new) = (&told["changed"], &told["deleted"], &told["new"]);
            print::say(&format!(
                "{changed} changed, {deleted} deleted, {new} new since"
            ));
            return Ok(());
        }
        print::line(&shown(told))
    })
}

/// A difference on one line: `~` changed, `-` deleted, `+` new since.
fn shown(told: &Value) -> String {
    let place = format!("{}/{}", word(&told["namespace"]), word(&told["key"]));
    match told["change"].as_str() {
        Some("new") => format!("+ {place}\t{}", side(&told["is"])),
        Some("deleted") => format!("- {place}\t{}", side(&told["was"])),
        _ => format!("~ {place}\t{} -> {}", side(&told["was"]), side(&told["is"])),
    }
}

fn word(told: &Value) -> String {
    on_a_line(told.as_str().unwrap_or_default())
}

fn on_a_line(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.collect()
}

fn side(told: &Value) -> String {
    let text = match (&told["value"], &told["value_base64"]) {
        (Value::String(text), _) => on_a_line(text),
        (Value::Null, Value::String(base64)) => format!("(base64 {base64})"),
        (value, _) => value.to_string(),
    };
    let mut begin: String = text.chars().take(SIDE_CHARS).collect();
    if told["truncated"] == true || begin.len() < text.len() {
        begin.push('…');
    }
    match told["type"].as_str() {
        None | Some("register") => begin,
        Some(kind) => format!("{} {begin}", on_a_line(kind)),
    }
}

fn rollback(client: &Client, name: &str, json: bool) -> Result<(), Failure> {
    let path = format!("{}/rollback", path_of(name));
    let answer = client.lines(Method::Post(b""), &path, SILENCE_MAX)?;
    let mut refused = 0;
    each_line(answer, |told| {
        if told["done"] == true {
            refused = told["refused"].as_u64().unwrap_or_default();
            if json {
                return print::json(told);
            }
            let before = word(&told["before"]);
            return print::line(&format!(
                "{} written, {refused} refused; `sporenet savepoint rollback {before}` undoes it",
                told["written"]
            ));
        }
        if let Some(detail) = told["detail"].as_str() {
            let place = format!("{}/{}", word(&told["namespace"]), word(&told["key"]));
            print::say(&format!("sporenet: {place}: {}", on_a_line(detail)));
        }
        Ok(())
    })?;
    if refused > 0 {
        return Err(Failure::silent(Code::Failed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_stands_on_one_line() {
        let told = json!({
            "namespace": "app", "key": "k", "change": "changed",
            "was": { "type": "register", "value": "a\nb", "truncated": false },
            "is": { "type": "counter", "value": 3, "truncated": false },
        });
        assert_eq!(shown(&told), "~ app/k\ta b -> counter 3");
        let told = json!({
            "namespace": "app", "key": "k", "change": "new", "was": null,
            "is": { "type": "set", "value": ["a"], "truncated": true },
        });
        assert_eq!(shown(&told), "+ app/k\tset [\"a\"]…");
        let told = json!({
            "namespace": "app", "key": "k", "change": "deleted",
            "was": { "type": "register", "value_base64": "/w==", "truncated": false },
        });
        assert_eq!(shown(&told), "- app/k\t(base64 /w==)");
    }
}

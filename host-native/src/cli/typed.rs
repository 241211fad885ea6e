//! `incr`, `sadd`, `srem`, `hset`, `hdel`, `flag`: values that many nodes change at once.

use crate::{
    cli::{
        Ack, ClientArgs,
        client::{Client, Method},
        print,
        values::{ack_of, path_of, warn_of},
    },
    exit::{Code, Failure},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What all changes have in common.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    /// When to come back: when it is durable here, or on one other relay too
    #[arg(long, value_enum, default_value_t)]
    ack: Ack,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet incr`.
#[derive(Args, Debug)]
pub(crate) struct IncrArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// How much to add, such as 5 or -3
    #[arg(value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) by: i64,
    #[command(flatten)]
    change: ChangeArgs,
}

/// `sporenet sadd`, `sporenet srem`.
#[derive(Args, Debug)]
pub(crate) struct ElementsArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// The elements
    #[arg(value_name = "ELEMENT", required = true)]
    elements: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// `sporenet hset`.
#[derive(Args, Debug)]
pub(crate) struct FieldsArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// Fields, each with its value
    #[arg(value_names = ["FIELD", "VALUE"], required = true, num_args = 2..)]
    fields: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// `sporenet hdel`.
#[derive(Args, Debug)]
pub(crate) struct GoneArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// The fields
    #[arg(value_name = "FIELD", required = true)]
    fields: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// A flag's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// On; it wins over an off at the same time.
    On,
    /// Off.
    Off,
}

/// `sporenet flag`.
#[derive(Args, Debug)]
pub(crate) struct FlagArgs {
    /// The namespace
    ns: String,
    /// The key
    key: String,
    /// On or off
    #[arg(value_enum)]
    state: State,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn incr(args: &IncrArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "incr", "by": args.by });
    let answer = change(&args.ns, &args.key, &operation, &args.change)?;
    if args.change.json {
        return Ok(());
    }
    let value = answer.get("value").unwrap_or(&Value::Null);
    print::line(&value.to_string())
}

pub(crate) fn sadd(args: &ElementsArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "sadd", "elements": args.elements });
    change(&args.ns, &args.key, &operation, &args.change).map(|_| ())
}

pub(crate) fn srem(args: &ElementsArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "srem", "elements": args.elements });
    change(&args.ns, &args.key, &operation, &args.change).map(|_| ())
}

pub(crate) fn hset(args: &FieldsArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "hset", "fields": paired(&args.fields)? });
    change(&args.ns, &args.key, &operation, &args.change).map(|_| ())
}

fn paired(words: &[String]) -> Result<BTreeMap<&str, &str>, Failure> {
    let usage = |said: String| Failure::new(Code::Usage, said);
    let mut fields = BTreeMap::new();
    for pair in words.chunks(2) {
        match pair {
            [field, value] => match fields.insert(field.as_str(), value.as_str()) {
                None => {}
                Some(_) => {
                    return Err(usage(format!(
                        "the field `{field}` is there twice; name it once"
                    )));
                }
            },
            [field] => {
                return Err(usage(format!(
                    "the field `{field}` has no value; write each field with its value"
                )));
            }
            _ => {}
        }
    }
    Ok(fields)
}

pub(crate) fn hdel(args: &GoneArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "hdel", "fields": args.fields });
    change(&args.ns, &args.key, &operation, &args.change).map(|_| ())
}

pub(crate) fn flag(args: &FlagArgs) -> Result<(), Failure> {
    let operation = json!({ "op": "flag", "on": args.state == State::On });
    change(&args.ns, &args.key, &operation, &args.change).map(|_| ())
}

fn change(ns: &str, key: &str, operation: &Value, args: &ChangeArgs) -> Result<Value, Failure> {
    let client = Client::find(&args.client, true)?;
    make(&client, ns, key, operation, (args.ack, args.json))
}

/// Makes a change; prints the answer if that is to be JSON.
///
/// # Errors
/// When no node answers, or it refuses.
pub(crate) fn make(
    client: &Client,
    ns: &str,
    key: &str,
    operation: &Value,
    (ack, json): (Ack, bool),
) -> Result<Value, Failure> {
    let path = format!("{}&ack={}", path_of(ns, key), ack_of(ack));
    let body = operation.to_string();
    let answer: Value = client.json(Method::Post(body.as_bytes()), &path)?;
    warn_of(&answer);
    if json {
        print::json(&answer)?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_value_and_is_there_once() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let fine = words(&["a", "1", "b", ""]);
        assert_eq!(paired(&fine).unwrap(), [("a", "1"), ("b", "")].into());
        for wrong in [&["a", "1", "b"][..], &["a", "1", "a", "2"]] {
            assert_eq!(paired(&words(wrong)).unwrap_err().code, Code::Usage);
        }
    }
}

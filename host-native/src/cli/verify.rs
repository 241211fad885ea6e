//! `verify`.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method},
        print::{self, harmless},
    },
    exit::{Code, Failure},
    http::verify::{Compared, Differing},
};
use clap::Args;

/// `sporenet verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Only this namespace [default: all]
    ns: Option<String>,
    /// Only with this relay: its name, or the first digits of its identity [default: all linked ones]
    #[arg(long, value_name = "NODE")]
    peer: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let wanted = serde_json::json!({ "namespace": args.ns, "peer": args.peer }).to_string();
    let all: Vec<Compared> = Client::find(&args.client, true)?
        .json(Method::Post(wanted.as_bytes()), "/api/v1/verify")?;
    if args.json {
        print::json(&all)?;
    } else {
        print::text(&all.iter().map(in_words).collect::<String>())?;
    }
    if all.is_empty() {
        return Err(Failure::new(
            Code::Failed,
            "no relay is linked, so there is nothing to compare with",
        ));
    }
    if all.iter().all(|one| one.equal == Some(true)) {
        Ok(())
    } else {
        Err(Failure::silent(Code::Failed))
    }
}

fn in_words(one: &Compared) -> String {
    let short: String = one.peer.chars().take(8).collect();
    let name = format!("{} ({short})", harmless(&one.name));
    let took = format!("{}.{} s", one.took_ms / 1_000, one.took_ms % 1_000 / 100);
    let changing = match one.changing {
        0 => String::new(),
        many => format!("; {many} were being written, and are left out"),
    };
    match one.equal {
        None => {
            let reason = one.reason.as_deref().unwrap_or("nobody says why");
            format!("{name}: not known: {}\n", harmless(reason))
        }
        Some(true) => format!("{name}: equal, {} keys in {took}{changing}\n", one.keys),
        Some(false) => {
            let keys: String = one.differing.iter().map(difference).collect();
            let more = if one.more { "  … and more\n" } else { "" };
            format!(
                "{name}: {} of {} keys differ{changing}\n{keys}{more}",
                one.differing.len(),
                one.keys
            )
        }
    }
}

fn difference(of: &Differing) -> String {
    let how = match (of.here, of.there) {
        (true, true) => "other values",
        (true, false) => "only here",
        (false, _) => "only there",
    };
    format!(
        "  {}/{}: {how}\n",
        harmless(&of.namespace),
        harmless(&of.key)
    )
}

//! `sporenet doctor`: what is wrong with this machine, its settings and its node, each with the next step.
//!
//! | file | what it looks at |
//! |---|---|
//! | `machine` | data directory, ports, descriptors, clock: also where no node runs |
//! | `node` | the running node: its version, its verdict, its peers |
//! | `places` | the announced addresses, asked from here and from other relays; what a proxy on the way drops |

mod machine;
mod node;
mod places;

use crate::{
    cli::{
        ClientArgs, RunArgs,
        client::Client,
        print::{self, Colour, coloured, harmless},
    },
    clock,
    config::Settings,
    exit::{Code, Failure},
};
use clap::Args;
use serde::Serialize;

/// `sporenet doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// It works, but something wants attention.
    Attention,
    /// It can't work.
    Broken,
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// A stable word for what was looked at.
    check: &'static str,
    level: Level,
    /// What is so.
    found: String,
    /// What to do about it.
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            found: found.into(),
            next: None,
        }
    }

    fn new(check: &'static str, level: Level, found: impl Into<String>, next: &str) -> Self {
        Self {
            check,
            level,
            found: found.into(),
            next: Some(next.to_owned()),
        }
    }

    /// A failure of some other command, whose sentence says what to do already.
    fn failed(check: &'static str, failure: &Failure) -> Self {
        Self {
            check,
            level: Level::Broken,
            found: failure.message.clone(),
            next: None,
        }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    /// The worst of all.
    level: Level,
    findings: Vec<Finding>,
}

/// Looks at everything.
///
/// # Errors
/// When something was found: silently, since it stands on the screen.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let findings = findings(&args.run);
    let level = findings.iter().map(|finding| finding.level).max();
    let level = level.unwrap_or(Level::Ok);
    if args.json {
        print::json(&Report { level, findings })?;
    } else {
        print::text(&words(&findings))?;
    }
    match level {
        Level::Ok => Ok(()),
        Level::Attention => Err(Failure::silent(Code::Degraded)),
        Level::Broken => Err(Failure::silent(Code::Failed)),
    }
}

fn findings(run: &RunArgs) -> Vec<Finding> {
    let settings = match Settings::load(run) {
        Ok(settings) => settings,
        // Nothing else can be looked at: it is not known where the data and the ports are.
        Err(failure) => return vec![Finding::failed("settings", &failure)],
    };
    let mut findings = vec![Finding::ok("settings", "the settings are valid")];
    let client = ClientArgs {
        data: Some(settings.data.value.clone()),
        ..ClientArgs::default()
    };
    let client = Client::find(&client, true);
    findings.push(machine::data(&settings.data.value, client.is_ok()));
    findings.push(machine::space(&settings.data.value));
    findings.push(machine::descriptors(&settings));
    findings.push(machine::clock(clock::wall()));
    match client {
        Ok(client) => {
            findings.extend(node::findings(&client));
            findings.extend(places::findings(&client, &settings.tls_ca.value));
            findings.extend(places::reached(&client));
        }
        // That no node runs is no illness; that it can't be asked is.
        Err(failure) if failure.code == Code::Unavailable => {
            findings.push(Finding::ok("node", failure.message));
            findings.extend(machine::ports(&settings.listen.value));
        }
        Err(failure) => findings.push(Finding::failed("node", &failure)),
    }
    findings
}

fn words(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let (word, colour) = match finding.level {
            Level::Ok => ("ok", Colour::Green),
            Level::Attention => ("look", Colour::Yellow),
            Level::Broken => ("broken", Colour::Red),
        };
        let padding = " ".repeat(8_usize.saturating_sub(word.len()));
        let word = coloured(colour, word);
        let found = harmless(&finding.found);
        out.push_str(&format!("{word}{padding}{:<12} {found}\n", finding.check));
        if let Some(next) = &finding.next {
            out.push_str(&format!("{:21}→ {}\n", "", harmless(next)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_to_do_below_what_is_so() {
        let findings = [
            Finding::ok("settings", "the settings are valid"),
            Finding::new("clock", Level::Broken, "this clock is wrong", "set it"),
        ];
        let expected = "ok      settings     the settings are valid\n\
                        broken  clock        this clock is wrong\n                     → set it\n";
        assert_eq!(words(&findings), expected);
    }
}

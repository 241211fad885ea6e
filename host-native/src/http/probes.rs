//! Probes as Kubernetes asks them: 200 or 503, `?verbose` says which check failed, `?format=json`
//! says it to programs.

use crate::http::{Api, asked::InQuery, problem::Problem, within_patience};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sporenet_core::node::snapshot::{Status, Verdict};
use std::{collections::BTreeSet, sync::Arc};

/// The checks of all probes.
const CHECKS: [&str; 4] = ["core", "verdict", "writable", "admitted"];

/// How a probe is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    verbose: Option<String>,
    format: Option<String>,
    /// Checks to leave out, separated by commas.
    exclude: Option<String>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl Check {
    const fn new(name: &'static str, ok: bool, detail: String) -> Self {
        Self { name, ok, detail }
    }
}

#[derive(Debug, Serialize)]
struct Outcome {
    ok: bool,
    checks: Vec<Check>,
}

/// Whether the process lives: only that its core task turns.
pub(crate) async fn livez(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Response, Problem> {
    answer(&api, &asked, |_| Vec::new()).await
}

/// Whether it may get traffic: it is a member and takes writes.
pub(crate) async fn readyz(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Response, Problem> {
    let checks = |status: &Status| {
        let works = match status.verdict {
            Verdict::Healthy | Verdict::Degraded => true,
            Verdict::Isolated | Verdict::Fenced | Verdict::Joining | Verdict::Leaving => false,
        };
        let mode = format!("the mode is {}", status.mode);
        vec![
            Check::new("verdict", works, explain(status)),
            Check::new("writable", status.mode == "normal", mode),
        ]
    };
    answer(&api, &asked, checks).await
}

/// Whether the start is complete: the store is read and the mesh has let the node in.
pub(crate) async fn startupz(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Response, Problem> {
    let checks = |status: &Status| {
        let admitted = status.verdict != Verdict::Joining;
        vec![Check::new("admitted", admitted, explain(status))]
    };
    answer(&api, &asked, checks).await
}

fn explain(status: &Status) -> String {
    let verdict = serde_json::to_value(status.verdict).unwrap_or_default();
    let verdict = verdict.as_str().unwrap_or("unknown");
    match status.reasons.first() {
        Some(_) => format!("{verdict}: {}", status.reasons.join("; ")),
        None => verdict.to_owned(),
    }
}

/// Whether JSON is wanted, and the checks to leave out.
fn understood(asked: &Asked) -> Result<(bool, BTreeSet<&str>), Problem> {
    let in_json = match asked.format.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(_) => return Err(Problem::bad_request("`format` is `text` or `json`.")),
    };
    let names = asked.exclude.iter().flat_map(|names| names.split(','));
    let excluded: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    if excluded.iter().any(|name| !CHECKS.contains(name)) {
        return Err(Problem::bad_request(format!(
            "`exclude` names a check that there is not; there are {}.",
            CHECKS.join(", ")
        )));
    }
    Ok((in_json, excluded))
}

/// The answer to a probe: whether the core answers, then what `further` makes of its status.
async fn answer(
    api: &Api,
    asked: &Asked,
    further: impl FnOnce(&Status) -> Vec<Check>,
) -> Result<Response, Problem> {
    let (in_json, excluded) = understood(asked)?;
    let status = within_patience(api.core().ask(|node, now| node.status(now))).await;
    let mut checks = match status {
        Ok(status) => {
            let mut checks = further(&status);
            checks.insert(
                0,
                Check::new("core", true, "the core task answers".to_owned()),
            );
            checks
        }
        Err(problem) => vec![Check::new("core", false, problem.detail)],
    };
    checks.retain(|check| !excluded.contains(check.name));
    let ok = checks.iter().all(|check| check.ok);
    let code = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if in_json {
        return Ok((code, Json(Outcome { ok, checks })).into_response());
    }
    let mut text = String::new();
    if asked.verbose.is_some() || !ok {
        for check in &checks {
            let (mark, word) = if check.ok {
                ('+', "ok")
            } else {
                ('-', "failed")
            };
            text.push_str(&format!(
                "[{mark}]{} {word}: {}\n",
                check.name, check.detail
            ));
        }
    }
    text.push_str(if ok { "ok\n" } else { "not ok\n" });
    Ok((code, text).into_response())
}

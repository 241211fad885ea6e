//! Probes as Kubernetes asks them: 200 or 503, `?verbose` says which check failed, `?format=json`
//! says it to programs.

use crate::http::{Api, asked::InQuery, within_patience};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sporenet_core::node::snapshot::{Status, Verdict};
use std::{collections::BTreeSet, sync::Arc};

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

#[derive(Debug, Serialize)]
struct Outcome {
    ok: bool,
    checks: Vec<Check>,
}

async fn status(api: &Api) -> Result<Status, Check> {
    within_patience(api.core().ask(|node, now| node.status(now)))
        .await
        .map_err(|problem| Check {
            name: "core",
            ok: false,
            detail: problem.detail,
        })
}

fn core_runs() -> Check {
    Check {
        name: "core",
        ok: true,
        detail: "the core task answers".to_owned(),
    }
}

/// Whether the process lives: only that its core task turns.
pub(crate) async fn livez(State(api): State<Arc<Api>>, InQuery(asked): InQuery<Asked>) -> Response {
    answer(
        &asked,
        match status(&api).await {
            Ok(_) => vec![core_runs()],
            Err(check) => vec![check],
        },
    )
}

/// Whether it may get traffic: it is a member and takes writes.
pub(crate) async fn readyz(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
) -> Response {
    answer(
        &asked,
        match status(&api).await {
            Ok(status) => vec![
                core_runs(),
                Check {
                    name: "verdict",
                    ok: match status.verdict {
                        Verdict::Healthy | Verdict::Degraded => true,
                        Verdict::Isolated
                        | Verdict::Fenced
                        | Verdict::Joining
                        | Verdict::Leaving => false,
                    },
                    detail: explain(&status),
                },
                Check {
                    name: "writable",
                    ok: status.mode == "normal",
                    detail: format!("the mode is {}", status.mode),
                },
            ],
            Err(check) => vec![check],
        },
    )
}

/// Whether the start is complete: the store is read and the mesh has let the node in.
pub(crate) async fn startupz(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
) -> Response {
    answer(
        &asked,
        match status(&api).await {
            Ok(status) => vec![
                core_runs(),
                Check {
                    name: "admitted",
                    ok: status.verdict != Verdict::Joining,
                    detail: explain(&status),
                },
            ],
            Err(check) => vec![check],
        },
    )
}

fn explain(status: &Status) -> String {
    let verdict = serde_json::to_value(status.verdict).unwrap_or_default();
    let verdict = verdict.as_str().unwrap_or("unknown");
    match status.reasons.first() {
        Some(_) => format!("{verdict}: {}", status.reasons.join("; ")),
        None => verdict.to_owned(),
    }
}

fn answer(asked: &Asked, mut checks: Vec<Check>) -> Response {
    let excluded: BTreeSet<&str> = asked
        .exclude
        .iter()
        .flat_map(|names| names.split(','))
        .collect();
    checks.retain(|check| !excluded.contains(check.name));
    let ok = checks.iter().all(|check| check.ok);
    let code = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if asked.format.as_deref() == Some("json") {
        return (code, Json(Outcome { ok, checks })).into_response();
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
    (code, text).into_response()
}

//! What history has, page by page.

use crate::{
    history::{
        Status,
        read::{Place, Wanted},
        record::{Kind, Row},
    },
    http::{
        Api,
        asked::{InPath, InQuery, Nothing},
        problem::Problem,
        within_patience,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most rows in an answer.
pub(crate) const ROWS_MAX: usize = 10_000;
/// The rows unless the request says otherwise.
const ROWS: usize = 1_000;
/// The fewest digits of an identity that name a node.
const DIGITS_MIN: usize = 4;

/// Which rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    since_s: Option<u64>,
    until_s: Option<u64>,
    node: Option<String>,
    code: Option<String>,
    step: Option<Step>,
    limit: Option<usize>,
    before: Option<String>,
}

/// How long the stretches of series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// Kept for 7 days.
    Minute,
    /// Kept as long as everything else.
    Hour,
}

impl Step {
    /// Its name in a query.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }
}

/// Rows, newest first.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// For `before`, to get older ones; null if there are none.
    pub(crate) next: Option<String>,
}

/// `GET /api/v1/history`.
pub(crate) async fn status(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Json<Status> {
    std::future::ready(Json(api.history.status())).await
}

/// `GET /api/v1/history/{kind}`.
pub(crate) async fn page(
    State(api): State<Arc<Api>>,
    InPath(kind): InPath<String>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind, asked.step)?;
    if let Some(why) = api.history.status().off_because {
        let detail = format!("There is no history: {why}.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "history_off", detail));
    }
    let limit = asked.limit.unwrap_or(ROWS);
    if limit == 0 || limit > ROWS_MAX {
        let bound = format!("`limit` is {limit}; it must be 1 to {ROWS_MAX}.");
        return Err(Problem::bad_request(bound));
    }
    let before = asked.before.as_deref().map(|text| {
        Place::parse(text)
            .ok_or_else(|| Problem::bad_request("`before` is not what an answer had as `next`."))
    });
    let before = before.transpose()?;
    let _turn = api.room.turn().await?;
    let (now, nodes) = nodes(&api, asked.node).await?;
    let ago = |seconds: u64| now.saturating_sub(seconds.saturating_mul(1_000));
    let wanted = Wanted {
        kind,
        from_ms: asked.since_s.map_or(0, ago),
        to_ms: asked.until_s.map_or(u64::MAX, ago),
        nodes,
        code: asked.code,
        before,
        limit,
    };
    let history = api.history.clone();
    let unreadable = |what: String| {
        let detail = format!("History can't be read: {what}.");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "history_unreadable",
            detail,
        )
    };
    let page = tokio::task::spawn_blocking(move || history.page(&wanted)).await;
    let page = page
        .map_err(|error| unreadable(error.to_string()))?
        .map_err(unreadable)?;
    let answer = Answer {
        rows: page.rows,
        next: page.next.map(Place::text),
    };
    api.room.json(&answer).await
}

fn kind_of(name: &str, step: Option<Step>) -> Result<Kind, Problem> {
    let kind = match name {
        "events" => Kind::Event,
        "audit" => Kind::Audit,
        "alerts" => Kind::Alert,
        "incidents" => Kind::Incident,
        "metrics" => {
            return Ok(match step {
                None | Some(Step::Minute) => Kind::Minute,
                Some(Step::Hour) => Kind::Hour,
            });
        }
        _ => {
            return Err(Problem::not_found(format!(
                "history has no `{name}`; there are events, audit, metrics, alerts, incidents."
            )));
        }
    };
    if step.is_some() {
        return Err(Problem::bad_request("`step` is for metrics only."));
    }
    Ok(kind)
}

/// The moment, and whom a request names: members of that name, or whoever's identity begins so. Who is
/// no member any more still has a history.
async fn nodes(api: &Api, called: Option<String>) -> Result<(u64, Vec<String>), Problem> {
    let name = called.clone();
    let asked = api.core().ask(move |node, _| {
        let found = name.map(|name| node.members_called(&name));
        (node.wall_now().as_millis(), found.unwrap_or_default())
    });
    let (now, found) = within_patience(asked).await?;
    let Some(called) = called.filter(|_| found.is_empty()) else {
        return Ok((now, found.iter().map(ToString::to_string).collect()));
    };
    let digits = called.to_ascii_lowercase();
    let is_identity = digits.len() >= DIGITS_MIN && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if is_identity {
        Ok((now, vec![digits]))
    } else {
        Err(Problem::not_found(format!(
            "no member is called `{called}`; who is none any more is found by its identity."
        )))
    }
}

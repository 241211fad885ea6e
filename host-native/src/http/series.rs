//! What was measured over time.

use crate::http::{
    Api,
    asked::{InPath, InQuery, Nothing},
    problem::Problem,
    within_patience,
};
use axum::{Json, extract::State, response::Response};
use serde::Deserialize;
use sporenet_core::{
    kernel::{id::NodeId, time::Time},
    node::{
        Node,
        snapshot::{Outlook, SeriesPoints},
    },
    observe::{series::Series, watch::WATCHED},
};
use std::sync::Arc;

/// The window unless the request says otherwise, in seconds.
const SINCE_S: u64 = 600;
/// The points unless the request says otherwise.
const POINTS: usize = 300;
/// The most points in an answer.
const POINTS_MAX: usize = 2_000;

/// Which part of a series.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    node: Option<String>,
    since_s: Option<u64>,
    points: Option<usize>,
}

/// `GET /api/v1/metrics`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    let _turn = api.room.turn().await?;
    let series = within_patience(api.core().ask(|node, _| node.series())).await?;
    api.room.json(&series).await
}

/// `GET /api/v1/metrics/{series}`.
pub(crate) async fn points(
    State(api): State<Arc<Api>>,
    InPath(name): InPath<String>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Json<SeriesPoints>, Problem> {
    let series = called(&name)?;
    let many = asked.points.unwrap_or(POINTS);
    if many == 0 || many > POINTS_MAX {
        let bound = format!("`points` is {many}; it must be 1 to {POINTS_MAX}.");
        return Err(Problem::bad_request(bound));
    }
    let since_ms = asked.since_s.unwrap_or(SINCE_S).saturating_mul(1_000);
    let answer = api.core().ask(move |node: &Node, _: Time| {
        let whose = whose(node, asked.node.as_deref())?;
        let now = node.wall_now().as_millis();
        let window = (now.saturating_sub(since_ms), now);
        let points = node.series_points(whose, series, window, many);
        points.ok_or_else(|| {
            let name = node.display_name(whose);
            Problem::not_found(format!("nothing of `{series}` was measured of {name} yet."))
        })
    });
    within_patience(answer).await?.map(Json)
}

/// `GET /api/v1/metrics/{series}/outlook`.
pub(crate) async fn outlook(
    State(api): State<Arc<Api>>,
    InPath(name): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Outlook>, Problem> {
    let series = called(&name)?;
    let answer = api
        .core()
        .ask(move |node: &Node, _: Time| node.outlook(series));
    let outlook = within_patience(answer).await?.ok_or_else(|| {
        let names = WATCHED.map(Series::name).join(", ");
        Problem::not_found(format!("`{series}` is not watched; these are: {names}."))
    });
    outlook.map(Json)
}

fn called(name: &str) -> Result<Series, Problem> {
    Series::called(name).ok_or_else(|| {
        let names = Series::ALL.map(Series::name).join(", ");
        Problem::not_found(format!("no series is called `{name}`; there are {names}."))
    })
}

fn whose(node: &Node, called: Option<&str>) -> Result<NodeId, Problem> {
    let Some(called) = called else {
        return Ok(node.id());
    };
    match node.members_called(called).as_slice() {
        [one] => Ok(*one),
        [] => Err(Problem::not_found(format!(
            "no member is called `{called}`."
        ))),
        [..] => Err(Problem::ambiguous(format!(
            "several members are called `{called}`; write more digits of the identity."
        ))),
    }
}

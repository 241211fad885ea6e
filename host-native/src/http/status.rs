//! The node and its mesh, as views of the core; and leaving.

use crate::http::{Api, problem::Problem, within_patience};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sporenet_core::node::{
    contract::Signal,
    snapshot::{Connection, Edge, Member, Status},
};
use std::sync::Arc;

/// The node in one view.
pub(crate) async fn status(State(api): State<Arc<Api>>) -> Result<Json<Status>, Problem> {
    within_patience(api.core().ask(|node, now| node.status(now)))
        .await
        .map(Json)
}

/// Every member, worst first.
pub(crate) async fn members(State(api): State<Arc<Api>>) -> Result<Json<Vec<Member>>, Problem> {
    within_patience(api.core().ask(|node, now| node.members(now)))
        .await
        .map(Json)
}

/// Every edge that this node knows of.
pub(crate) async fn edges(State(api): State<Arc<Api>>) -> Result<Json<Vec<Edge>>, Problem> {
    within_patience(api.core().ask(|node, _| node.edges()))
        .await
        .map(Json)
}

/// What the node does about its connections.
pub(crate) async fn connections(
    State(api): State<Arc<Api>>,
) -> Result<Json<Vec<Connection>>, Problem> {
    within_patience(api.core().ask(|node, now| node.connections(now)))
        .await
        .map(Json)
}

/// Leaves the mesh; the process stops when that is done.
pub(crate) async fn leave(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    within_patience(api.core().signal(Signal::Leave)).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(serde_json::json!({ "leaving": true })),
    )
        .into_response())
}

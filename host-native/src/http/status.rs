//! The node and its mesh, as views of the core; and leaving.

use crate::http::{
    Api,
    asked::{InQuery, Nothing, read_json},
    problem::Problem,
    who::{Act, Who},
    within_patience,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::{id::NodeId, time::Time},
    node::{
        Node,
        contract::{Refusal, Reply, Request, Signal},
        snapshot::Status,
    },
};
use std::sync::Arc;

/// The node in one view.
pub(crate) async fn status(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Status>, Problem> {
    within_patience(api.core().ask(|node, now| node.status(now)))
        .await
        .map(Json)
}

/// Every member, worst first.
pub(crate) async fn members(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, now| node.members(now)).await
}

/// Every edge that this node knows of.
pub(crate) async fn edges(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, _| node.edges()).await
}

/// How healthy every node is, worst first.
pub(crate) async fn health(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, now| node.health(now)).await
}

/// What the node does about its connections.
pub(crate) async fn connections(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, now| node.connections(now)).await
}

/// How every member is.
pub(crate) async fn vitals(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, now| node.vitals(now)).await
}

/// Every path that is known.
pub(crate) async fn rtt(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    view(&api, |node, now| node.rtt_matrix(now)).await
}

/// A view of much that the node holds, a few at once.
async fn view<T, F>(api: &Api, question: F) -> Result<Response, Problem>
where
    T: Serialize + Send + Sync + 'static,
    F: FnOnce(&Node, Time) -> T + Send + 'static,
{
    let _turn = api.room.turn().await?;
    let answer = within_patience(api.core().ask(question)).await?;
    api.room.json(&answer).await
}

/// Leaves the mesh; the process stops when that is done.
pub(crate) async fn leave(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let _: Option<Nothing> = read_json(&headers, body).await?;
    let signalled = within_patience(api.core().signal(Signal::Leave)).await;
    let act = Act {
        action: "leave",
        node: None,
        detail: "leave the mesh for good".to_owned(),
    };
    api.audit(&who, act, &signalled);
    signalled?;
    Ok((
        StatusCode::ACCEPTED,
        Json(serde_json::json!({ "leaving": true })),
    )
        .into_response())
}

/// Whom to forget.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gone {
    /// Its name, or the first digits of its identity.
    member: String,
}

/// `POST /api/v1/forget`.
pub(crate) async fn forget(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<serde_json::Value>, Problem> {
    let Some(Gone { member: called }) = read_json(&headers, body).await? else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"member\": \"NAME\"}.",
        ));
    };
    let name = called.clone();
    let found = within_patience(api.core().ask(move |node, _| node.to_forget(&name))).await;
    let found =
        found.and_then(|found| found.map_err(|refusal| Problem::from(Refusal::Forget(refusal))));
    let node = found.as_ref().ok().copied();
    let outcome = match found {
        Ok(member) => forget_member(&api, member).await,
        Err(problem) => Err(problem),
    };
    let act = Act {
        action: "forget",
        node,
        detail: called,
    };
    api.audit(&who, act, &outcome);
    outcome
}

async fn forget_member(api: &Api, member: NodeId) -> Result<Json<serde_json::Value>, Problem> {
    match within_patience(api.core().request(Request::Forget { member })).await? {
        Reply::Forgotten => Ok(Json(serde_json::json!({ "forgotten": member.to_string() }))),
        Reply::Refused(refusal) => Err(refusal.into()),
        Reply::Written { .. }
        | Reply::Invited { .. }
        | Reply::Reach(_)
        | Reply::Compacting
        | Reply::Verified(_) => Err(Problem::busy()),
    }
}

//! What the data takes, and giving room back.

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
use sporenet_core::node::{
    contract::{Reply, Request},
    data::DataView,
};
use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

/// `GET /api/v1/data`.
pub(crate) async fn data(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    let _turn = api.room.turn().await?;
    let data = within_patience(api.core().ask(|node, now| node.data(now))).await?;
    let data = DataView {
        is_trimming: data.is_trimming || api.disk.is_shrinking.load(Ordering::Acquire),
        disk_bytes: disk_bytes(&api.disk.store),
        ..data
    };
    api.room.json(&data).await
}

/// The store and what SQLite keeps beside it.
fn disk_bytes(store: &Path) -> Option<u64> {
    let beside = ["", "-wal", "-shm"].map(|suffix| {
        let mut path = store.as_os_str().to_owned();
        path.push(suffix);
        fs::metadata(path).map(|of| of.len())
    });
    let [store, wal, shm] = beside;
    // Those beside it are there only while it is open.
    let beside = [wal, shm].into_iter().flatten();
    store
        .ok()
        .map(|store| beside.fold(store, u64::saturating_add))
}

/// `POST /api/v1/compact`.
pub(crate) async fn compact(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let _: Option<Nothing> = read_json(&headers, body).await?;
    let outcome = match within_patience(api.core().request(Request::Compact)).await {
        Ok(Reply::Compacting) => Ok(()),
        Ok(Reply::Refused(refusal)) => Err(refusal.into()),
        Ok(
            Reply::Written { .. }
            | Reply::Invited { .. }
            | Reply::Reach(_)
            | Reply::Forgotten
            | Reply::Verified(_),
        ) => Err(Problem::busy()),
        Err(problem) => Err(problem),
    };
    let act = Act {
        action: "compact",
        node: None,
        detail: "give the room of what was overwritten back".to_owned(),
    };
    api.audit(&who, act, &outcome);
    outcome?;
    Ok((
        StatusCode::ACCEPTED,
        Json(serde_json::json!({ "compacting": true })),
    )
        .into_response())
}

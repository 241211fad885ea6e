//! Starting, stopping and fetching a recording. It holds all data of the node, and no key.

use crate::{
    driver::RecordingAsked,
    http::{
        Api,
        asked::{InQuery, Nothing, read_json},
        problem::Problem,
        who::{Act, Who},
        within_patience,
    },
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use sporenet_core::node::recording::{RecordingStatus, Saving};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// How many bytes of a file are handed on at once.
const PART_BYTES: usize = 256 << 10;
/// How many such parts wait for the network.
const PARTS_MAX: usize = 4;

/// Whether to record.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    running: bool,
}

/// `GET /api/v1/recording`.
pub(crate) async fn status(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<RecordingStatus>, Problem> {
    let status = within_patience(api.core().ask(|node, _| node.recording_status())).await?;
    Ok(Json(status))
}

/// `POST /api/v1/recording`.
pub(crate) async fn switch(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RecordingStatus>, Problem> {
    let wanted: Wanted = read_json(&headers, body)
        .await?
        .ok_or_else(|| Problem::bad_request("The body is missing; it is `{\"running\": true}`."))?;
    let (asked, action) = if wanted.running {
        (RecordingAsked::Start, "record_start")
    } else {
        (RecordingAsked::Stop, "record_stop")
    };
    let outcome = within_patience(api.core().recording(asked)).await;
    api.audit(&who, act(action), &outcome);
    let (status, _) = outcome?;
    Ok(Json(status))
}

/// `GET /api/v1/recording/file`.
pub(crate) async fn file(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
) -> Result<Response, Problem> {
    let download = Arc::clone(&api.downloads)
        .try_acquire_owned()
        .map_err(|_| too_many())?;
    let asked = within_patience(api.core().recording(RecordingAsked::Save)).await;
    let saved = asked.and_then(|(_, saved)| {
        saved.ok_or_else(|| {
            Problem::not_found("Nothing is recorded; start with `sporenet record start`.")
        })
    });
    api.audit(&who, act("record_save"), &saved);
    let saving = saved?;
    let disposition = format!("attachment; filename=\"{}\"", saving.about().file_name());
    let disposition = HeaderValue::try_from(disposition).map_err(|_| Problem::busy())?;
    let content_type = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, in_parts(saving, download)).into_response())
}

fn act(action: &'static str) -> Act {
    Act {
        action,
        node: None,
        detail: "all data of the node is in it".to_owned(),
    }
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "The recording is being fetched by others; try again when they are done.",
    )
}

/// The file, made on a thread of its own as the network takes it.
fn in_parts(saving: Saving, download: OwnedSemaphorePermit) -> Body {
    let (sender, receiver) = mpsc::channel::<Bytes>(PARTS_MAX);
    tokio::task::spawn_blocking(move || {
        // An error says that nobody takes the rest.
        let _ = saving.write(|part| {
            let mut parts = part.chunks(PART_BYTES);
            parts.try_for_each(|part| sender.blocking_send(Bytes::copy_from_slice(part)))
        });
        drop(download);
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        let part = receiver.recv().await?;
        Some((Ok::<_, Infallible>(part), receiver))
    }))
}

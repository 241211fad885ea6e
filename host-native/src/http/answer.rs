//! Answers in JSON, bounded in bytes over all requests: nothing is rendered before there is room for it,
//! and large answers are rendered piece by piece, as the network takes them.
//!
//! The core task hands over shared values. Text is made of them here, on the task of the request.

use crate::http::{ANSWER_PATIENCE, problem::Problem};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{io, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::timeout,
};

/// The most bytes of rendered answers at once, over all requests. Half of it would make a few people who
/// read large values wait for each other.
const RENDERED_BYTES_MAX: usize = 64 << 20;

/// The most answers at once for which the core makes views of much that it holds, such as all members.
const TURNS_MAX: usize = 8;

/// The media type of one JSON value.
const JSON: &str = "application/json";

/// Room for rendered answers.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    bytes: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Room {
    /// All of it.
    pub(crate) fn new() -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(RENDERED_BYTES_MAX)),
            turns: Arc::new(Semaphore::new(TURNS_MAX)),
        }
    }

    /// Waits for a turn to ask the core for a view of much that it holds; keep it until the answer is
    /// rendered.
    ///
    /// # Errors
    /// When others take too long.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(ANSWER_PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        turn.map_err(|_| Problem::busy())?
            .map_err(|_| Problem::stopping())
    }

    /// Takes room for `bytes`, waiting for it as long as it takes. What is larger than all room gets all
    /// of it.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.min(RENDERED_BYTES_MAX)).ok()?;
        // Large answers are made one after another, and the core task gets its turn in between.
        yield_now().await;
        Arc::clone(&self.bytes).acquire_many_owned(bytes).await.ok()
    }

    /// Renders values one after another, each followed by `end`.
    ///
    /// # Errors
    /// When a value can't be rendered.
    pub(crate) async fn render<T: Serialize + Sync>(
        &self,
        values: &[T],
        end: &str,
    ) -> Result<Rendered, Problem> {
        let ends = end.len().saturating_mul(values.len());
        let bytes = values.iter().try_fold(ends, |sum, value| {
            Ok::<_, Problem>(sum.saturating_add(length(value)?))
        })?;
        let room = self.take(bytes).await.ok_or_else(Problem::stopping)?;
        let mut text = Vec::with_capacity(bytes);
        for value in values {
            serde_json::to_writer(&mut text, value).map_err(|_| unwritable())?;
            text.extend_from_slice(end.as_bytes());
        }
        Ok(Rendered { text, room })
    }

    /// Answers one value.
    ///
    /// # Errors
    /// When there is no room for it in time.
    pub(crate) async fn json<T: Serialize + Sync>(&self, value: &T) -> Result<Response, Problem> {
        let values = std::slice::from_ref(value);
        let rendered = timeout(ANSWER_PATIENCE, self.render(values, ""))
            .await
            .map_err(|_| Problem::busy())??;
        Ok(of_type(JSON, Body::from(rendered.into_bytes())))
    }
}

/// Text that holds its room until it has been sent.
#[derive(Debug)]
pub(crate) struct Rendered {
    text: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Rendered {
    /// For a body; its room is free when the last reference is gone.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// As text.
    pub(crate) fn as_text(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Its room alone, for text that was copied elsewhere.
    pub(crate) fn into_room(self) -> OwnedSemaphorePermit {
        self.room
    }
}

impl AsRef<[u8]> for Rendered {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// An answer with a media type.
pub(crate) fn of_type(media: &'static str, body: Body) -> Response {
    let media = HeaderValue::from_static(media);
    ([(header::CONTENT_TYPE, media)], body).into_response()
}

fn unwritable() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "The answer can't be written; this is a bug.",
    )
}

/// How long a value's JSON is, in bytes.
fn length<T: Serialize>(value: &T) -> Result<usize, Problem> {
    struct Count(usize);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(|_| unwritable())?;
    Ok(count.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn what_is_rendered_holds_its_room_until_it_is_gone() {
        let room = Room::new();
        let large = "v".repeat(RENDERED_BYTES_MAX / 2);
        let first = room.render(&[&large], "").await.unwrap();
        assert_eq!(first.as_text().len(), large.len() + 2);
        let values = [&large];
        let mut second = Box::pin(room.render(&values, ""));
        for _ in 0..3 {
            assert!((&mut second).now_or_never().is_none(), "there is no room");
        }
        drop(first.into_bytes());
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn what_is_larger_than_all_room_gets_all_of_it() {
        let room = Room::new();
        let large = "v".repeat(RENDERED_BYTES_MAX);
        let rendered = room.render(&[large], "").await.unwrap();
        assert_eq!(room.bytes.available_permits(), 0);
        drop(rendered);
        assert_eq!(room.bytes.available_permits(), RENDERED_BYTES_MAX);
    }

    #[tokio::test]
    async fn values_are_rendered_one_after_another() {
        let rendered = Room::new().render(&[1, 22], "\n").await.unwrap();
        assert_eq!(rendered.as_text(), "1\n22\n");
    }
}

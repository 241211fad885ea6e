//! Server-sent events that resume without gap.

use crate::http::{
    Api,
    answer::Room,
    entries::{EntryView, Values},
    problem::Problem,
};
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use sporenet_core::{
    kernel::{id::InstanceId, text::Namespace},
    node::snapshot::Entry,
};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// How often a quiet stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A place in a stream: a number within one run of a node, written `instance-number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The run.
    pub(crate) instance: InstanceId,
    /// The last number that was seen in it.
    pub(crate) number: u64,
}

impl Place {
    /// As an event's id.
    pub(crate) fn id(self) -> String {
        format!("{:016x}-{}", self.instance.0, self.number)
    }

    /// Reads an id back.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (instance, number) = id.trim().split_once('-')?;
        let plain = instance.len() == 16 && number.bytes().all(|byte| byte.is_ascii_digit());
        plain.then_some(())?;
        Some(Self {
            instance: InstanceId(u64::from_str_radix(instance, 16).ok()?),
            number: number.parse().ok()?,
        })
    }
}

/// How many entries of the timeline one run can have.
pub(crate) const RUN_SIZE: u64 = 1 << 32;

/// What a run adds to its entries' numbers, so that ids of the timeline are plain ascending numbers
/// and those of two runs differ.
pub(crate) const fn run_base(instance: InstanceId) -> u64 {
    (instance.0 & 0x7fff_ffff) << 32
}

/// Reads an id of the timeline.
pub(crate) fn number_in_run(id: &str) -> Option<u64> {
    id.trim().parse().ok()
}

/// The place from which a client wants to go on.
///
/// # Errors
/// When it names one that can't be read.
pub(crate) fn last_event_id<T>(
    headers: &HeaderMap,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let value = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("?"));
    let Some(id) = value.filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    parse(id).map(Some).ok_or_else(|| {
        Problem::bad_request("`Last-Event-ID` is not an id that this API has given.")
    })
}

/// An event whose text is made only when the client takes it.
#[derive(Debug)]
pub(crate) struct Unrendered {
    name: Option<&'static str>,
    id: Option<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    None,
    Small(serde_json::Value),
    Entry(Namespace, Box<Entry>),
}

impl Unrendered {
    /// An event with a few bytes of JSON.
    pub(crate) fn small(name: &'static str, id: Option<String>, data: serde_json::Value) -> Self {
        Self {
            name: Some(name),
            id,
            content: Content::Small(data),
        }
    }

    /// An event with an entry.
    pub(crate) fn entry(
        name: &'static str,
        id: Option<String>,
        namespace: Namespace,
        entry: Entry,
    ) -> Self {
        Self {
            name: Some(name),
            id,
            content: Content::Entry(namespace, Box::new(entry)),
        }
    }

    /// An id alone: the client has nothing to do, but knows from where to resume.
    pub(crate) const fn place(id: String) -> Self {
        Self {
            name: None,
            id: Some(id),
            content: Content::None,
        }
    }

    /// Makes the text as soon as there is room for it; the room goes with it.
    async fn render(self, room: &Room) -> Option<(Event, Option<OwnedSemaphorePermit>)> {
        let mut event = Event::default();
        if let Some(name) = self.name {
            event = event.event(name);
        }
        if let Some(id) = self.id {
            event = event.id(id);
        }
        match self.content {
            Content::None => Some((event, None)),
            Content::Small(data) => Some((event.data(data.to_string()), None)),
            Content::Entry(namespace, entry) => {
                let view = EntryView::of(&namespace, &entry, Values::Full);
                let rendered = room.render(&[view], "").await.ok()?;
                let event = event.data(rendered.as_text());
                Some((event, Some(rendered.into_room())))
            }
        }
    }
}

/// Something that fetches the next events whenever there is news.
pub(crate) trait Source: Send + Sized + 'static {
    /// What comes next; empty when there is nothing yet, `None` when the node stops.
    fn next(&mut self) -> impl Future<Output = Option<Vec<Unrendered>>> + Send;
}

/// Takes a place among the streams.
///
/// # Errors
/// When there are too many.
pub(crate) fn admit(api: &Api) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams",
            "Too many event streams are open; close one or try again.",
        )
    })
}

/// Streams a source. A slow reader is not hurried: it gets what is new when it reads on.
pub(crate) fn respond(room: Room, source: impl Source, permit: OwnedSemaphorePermit) -> Response {
    let mut response = Sse::new(events(room, source, permit))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("alive"))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A stream under way.
struct Streaming<S> {
    source: S,
    waiting: VecDeque<Unrendered>,
    room: Room,
    /// The room of the event that the client is being sent.
    held: Option<OwnedSemaphorePermit>,
    _permit: OwnedSemaphorePermit,
}

fn events(
    room: Room,
    source: impl Source,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let state = Streaming {
        source,
        waiting: VecDeque::new(),
        room,
        held: None,
        _permit: permit,
    };
    stream::unfold(state, |mut state| async move {
        // The client has taken the event before.
        state.held = None;
        loop {
            if let Some(event) = state.waiting.pop_front() {
                let (event, held) = event.render(&state.room).await?;
                state.held = held;
                return Some((Ok(event), state));
            }
            state.waiting.extend(state.source.next().await?);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_what_it_shows() {
        let place = Place {
            instance: InstanceId(0xab),
            number: 42,
        };
        assert_eq!(place.id(), "00000000000000ab-42");
        assert_eq!(Place::parse(&place.id()), Some(place));
    }

    #[test]
    fn two_runs_never_share_an_id_of_the_timeline() {
        let (one, other) = (run_base(InstanceId(u64::MAX)), run_base(InstanceId(6)));
        assert_eq!(one.checked_add(RUN_SIZE), Some(1 << 63));
        assert!(other + RUN_SIZE <= one);
        assert_eq!(number_in_run("25769803777"), Some(other + 1));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for id in [
            "",
            "42",
            "-",
            "ab-1",
            "00000000000000ab-",
            "00000000000000ab--1",
            "zz-1",
            "00000000000000ab-99999999999999999999999",
        ] {
            assert_eq!(Place::parse(id), None, "{id}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(last_event_id(&headers, Place::parse), Ok(None));
        headers.insert("last-event-id", HeaderValue::from_static("nonsense"));
        assert!(last_event_id(&headers, Place::parse).is_err());
        assert!(last_event_id(&headers, number_in_run).is_err());
    }
}

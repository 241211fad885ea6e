//! Server-sent events that resume without gap.

use crate::http::{Api, problem::Problem};
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use sporenet_core::kernel::id::InstanceId;
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

/// Something that fetches the next events whenever there is news.
pub(crate) trait Source: Send + Sized + 'static {
    /// The next events; empty when there are none yet, `None` when the node stops.
    fn next(&mut self) -> impl Future<Output = Option<Vec<Event>>> + Send;
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
pub(crate) fn respond(source: impl Source, permit: OwnedSemaphorePermit) -> Response {
    let mut response = Sse::new(events(source, permit))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("alive"))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn events(
    source: impl Source,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let state = (source, VecDeque::new(), permit);
    stream::unfold(state, |(mut source, mut waiting, permit)| async move {
        loop {
            if let Some(event) = waiting.pop_front() {
                return Some((Ok(event), (source, waiting, permit)));
            }
            waiting.extend(source.next().await?);
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

//! The timeline and the changes of a namespace, as streams that resume without gap.
//!
//! An event's id names the run of the node and a number in it (in the timeline as one number, for
//! changes as `instance-revision`). A client that reconnects with the last id it saw gets what
//! followed. If that is no longer kept, or the node has been restarted since, it is told so (`gap`,
//! or `reset` and the whole namespace), and never left with a hole it does not know of.

use crate::{
    driver::News,
    http::{
        Api,
        asked::{InPath, InQuery},
        entries::{Values, bytes_of},
        kv::namespace_of,
        listing::{PAGE_BYTES_MAX, PAGE_MAX},
        problem::Problem,
        sse::{self, Place, Source, Unrendered},
        within_patience,
    },
};
use axum::{extract::State, http::HeaderMap, response::Response};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::text::{Key, Namespace},
    node::{
        Node,
        snapshot::{Entry, TimelineEntry},
    },
    replication::cells::PageMax,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// How the timeline is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// `sse` (a stream) or `json` (what is kept now).
    format: Option<String>,
    /// Only entries after this one, for `format=json`.
    since: Option<u64>,
}

/// What is kept of the timeline.
#[derive(Debug, Serialize)]
struct Kept {
    instance: String,
    gap: bool,
    entries: Vec<TimelineEntry>,
}

/// The timeline: everything that is kept, then what happens.
pub(crate) async fn timeline(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match asked.format.as_deref() {
        Some("json") => {
            let since = asked.since.unwrap_or(0);
            let _turn = api.room.turn().await?;
            let (instance, page) = within_patience(
                api.core()
                    .ask(move |node, _| (node.instance(), node.timeline_since(since))),
            )
            .await?;
            let instance = format!("{:016x}", instance.0);
            let kept = Kept {
                instance,
                gap: page.gap,
                entries: page.entries,
            };
            api.room.json(&kept).await
        }
        None | Some("sse") => {
            if asked.since.is_some() {
                return Err(Problem::bad_request(
                    "`since` is for `format=json`; a stream goes on after `Last-Event-ID`.",
                ));
            }
            let permit = sse::admit(&api)?;
            let instance = within_patience(api.core().ask(|node, _| node.instance())).await?;
            let from = sse::last_event_id(&headers, sse::number_in_run)?;
            let base = sse::run_base(instance);
            let same_run = from
                .and_then(|id| id.checked_sub(base))
                .filter(|&n| n < sse::RUN_SIZE);
            let room = api.room.clone();
            let source = Timeline {
                news: api.core().news.clone(),
                base,
                number: same_run.unwrap_or(0),
                lost: from.is_some() && same_run.is_none(),
                api,
            };
            Ok(sse::respond(room, source, permit))
        }
        Some(_) => Err(Problem::bad_request("`format` is `sse` or `json`.")),
    }
}

struct Timeline {
    api: Arc<Api>,
    news: watch::Receiver<News>,
    /// What is added to an entry's number in an event's id.
    base: u64,
    /// The last entry that the client has.
    number: u64,
    /// The client's place was in an earlier run.
    lost: bool,
}

impl Source for Timeline {
    async fn next(&mut self) -> Option<Vec<Unrendered>> {
        let since = self.number;
        self.news
            .wait_for(|news| news.timeline > since || self.lost || since == 0)
            .await
            .ok()?;
        let page = self
            .api
            .core()
            .ask(move |node, _| node.timeline_since(since))
            .await
            .ok()?;
        let mut events = Vec::new();
        // The first page of a newcomer starts where what is kept starts; that is no gap to it.
        if self.lost || (page.gap && since > 0) {
            let why = serde_json::json!({ "reason": "older entries are gone" });
            events.push(Unrendered::small("gap", None, why));
        }
        self.lost = false;
        for entry in &page.entries {
            self.number = entry.id;
            let data = serde_json::to_value(entry).ok()?;
            let id = self.base.saturating_add(entry.id).to_string();
            events.push(Unrendered::small("entry", Some(id), data));
        }
        if since == 0 && events.is_empty() {
            // Nothing has happened yet: wait for the first entry from now on.
            self.news.wait_for(|news| news.timeline > 0).await.ok()?;
        }
        Some(events)
    }
}

/// How changes are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Watching {
    prefix: Option<String>,
    /// Whether to begin with everything that is there.
    initial: Option<String>,
}

/// The changes of a namespace.
pub(crate) async fn watch(
    State(api): State<Arc<Api>>,
    InPath(ns): InPath<String>,
    InQuery(watching): InQuery<Watching>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let namespace = namespace_of(&ns)?;
    let permit = sse::admit(&api)?;
    let asked = within_patience(api.core().ask(|node, _| (node.instance(), node.revision())));
    let (instance, revision) = asked.await?;
    let from = sse::last_event_id(&headers, Place::parse)?;
    let initial = match watching.initial.as_deref() {
        None | Some("0" | "false") => false,
        Some("1" | "true" | "") => true,
        Some(_) => return Err(Problem::bad_request("`initial` is `1` or `0`.")),
    };
    let (number, stage) = match from {
        // A place after the present is none that this node has given.
        Some(place) if place.instance == instance && place.number <= revision => {
            (place.number, Stage::Resume)
        }
        Some(_) => (revision, Stage::Reset),
        None if initial => (revision, Stage::Reset),
        None => (revision, Stage::Now),
    };
    let room = api.room.clone();
    let source = Changes {
        news: api.core().news.clone(),
        place: Place { instance, number },
        prefix: watching.prefix.unwrap_or_default(),
        namespace,
        stage,
        api,
    };
    Ok(sse::respond(room, source, permit))
}

/// Where a stream of changes is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// It says where it begins.
    Now,
    /// It says that everything follows.
    Reset,
    /// It tells everything, page by page.
    Listing {
        /// The last key that was told.
        after: Option<Key>,
    },
    /// It tells what followed the client's place.
    Resume,
    /// It tells what changes.
    Follow,
}

struct Changes {
    api: Arc<Api>,
    news: watch::Receiver<News>,
    /// What the client has seen once the stage is over.
    place: Place,
    namespace: Namespace,
    prefix: String,
    stage: Stage,
}

impl Source for Changes {
    async fn next(&mut self) -> Option<Vec<Unrendered>> {
        let stage = std::mem::replace(&mut self.stage, Stage::Follow);
        match stage {
            Stage::Now => Some(vec![Unrendered::place(self.place.id())]),
            Stage::Reset => {
                self.place.number = self.api.core().ask(|node, _| node.revision()).await.ok()?;
                self.stage = Stage::Listing { after: None };
                let data = serde_json::json!({ "revision": self.place.number });
                Some(vec![Unrendered::small("reset", None, data)])
            }
            Stage::Listing { after } => self.list(after).await,
            Stage::Resume => {
                let mut events = self.changes(true).await?;
                if self.stage == Stage::Follow {
                    events.push(self.ready());
                }
                Some(events)
            }
            Stage::Follow => {
                let since = self.place.number;
                self.news
                    .wait_for(|news| news.revision > since)
                    .await
                    .ok()?;
                self.changes(false).await
            }
        }
    }
}

impl Changes {
    /// From here on the client is up to date.
    fn ready(&self) -> Unrendered {
        let data = serde_json::json!({ "revision": self.place.number });
        Unrendered::small("ready", Some(self.place.id()), data)
    }

    /// A page of everything. These events have no id: a client that is cut off in between comes back
    /// with its old place, and is told everything again.
    async fn list(&mut self, after: Option<Key>) -> Option<Vec<Unrendered>> {
        let (namespace, prefix) = (self.namespace.clone(), self.prefix.clone());
        let page = self
            .api
            .core()
            .ask(move |node, _| node.page(&namespace, &prefix, after.as_deref(), PAGE))
            .await
            .ok()?;
        let put = |entry| Unrendered::entry("put", None, self.namespace.clone(), entry);
        let mut events: Vec<_> = page.entries.into_iter().map(put).collect();
        match page.next {
            Some(next) => self.stage = Stage::Listing { after: Some(next) },
            None => events.push(self.ready()),
        }
        Some(events)
    }

    /// What followed the client's place, a page of it; when that is no longer kept, everything follows
    /// instead.
    async fn changes(&mut self, was_resuming: bool) -> Option<Vec<Unrendered>> {
        let since = self.place.number;
        let (namespace, prefix) = (self.namespace.clone(), self.prefix.clone());
        let asked = self
            .api
            .core()
            .ask(move |node, _| look(node, &namespace, &prefix, since));
        let Some(look) = asked.await.ok()? else {
            self.stage = Stage::Reset;
            return Some(Vec::new());
        };
        let mut events = Vec::new();
        for (number, key, entry) in look.changes {
            let place = Place {
                number,
                ..self.place
            };
            let (id, namespace) = (Some(place.id()), self.namespace.clone());
            events.push(match entry.filter(|entry| entry.value.is_some()) {
                Some(entry) => Unrendered::entry("put", id, namespace, entry),
                None => {
                    let gone = serde_json::json!({
                        "namespace": namespace, "key": key, "deleted": true,
                    });
                    Unrendered::small("delete", id, gone)
                }
            });
        }
        self.place.number = look.revision;
        if look.more && was_resuming {
            self.stage = Stage::Resume;
        }
        Some(events)
    }
}

/// One look at the node.
struct Look {
    /// The revision that it stands for.
    revision: u64,
    /// Revision, key, and what is there now, oldest first.
    changes: Vec<(u64, Key, Option<Entry>)>,
    /// Whether more has changed than is told here.
    more: bool,
}

/// What a stream takes from the node at once.
const PAGE: PageMax = PageMax {
    entries: PAGE_MAX,
    bytes: PAGE_BYTES_MAX,
    value_bytes: usize::MAX,
};

/// What a watcher that stands at `since` has to be told; `None` if that is no longer kept. A key that
/// changed several times is told once, as it is now, at the revision of its latest change.
fn look(node: &Node, namespace: &Namespace, prefix: &str, since: u64) -> Option<Look> {
    let page = node.changes_since(since);
    if page.gap {
        return None;
    }
    let mut latest: BTreeMap<Key, u64> = BTreeMap::new();
    for (number, changed, key) in page.changes {
        if changed == *namespace && key.starts_with(prefix) {
            latest.insert(key, number);
        }
    }
    let mut latest: Vec<_> = latest.into_iter().collect();
    latest.sort_by_key(|(_, number)| *number);
    let mut changes: Vec<(u64, Key, Option<Entry>)> = Vec::new();
    let mut bytes = 0_usize;
    for (key, number) in latest {
        let entry = node.entry(namespace, &key);
        let size = entry.as_ref().map(|entry| bytes_of(entry, Values::Full));
        bytes = bytes.saturating_add(size.unwrap_or_default());
        let is_full = changes.len() >= PAGE.entries || bytes > PAGE.bytes;
        if let Some((told, ..)) = changes.last().filter(|_| is_full) {
            return Some(Look {
                revision: *told,
                changes,
                more: true,
            });
        }
        changes.push((number, key, entry));
    }
    Some(Look {
        revision: node.revision(),
        changes,
        more: false,
    })
}

//! Dispatches what the page asks: requests, answers, watches, snapshots.
//!
//! Nothing is decided here: requests become commands, replies become answers, and what the page draws
//! is read from the node. Snapshots go out at most four times a second, and none while the page is
//! hidden; watches of scripts go on.

use crate::{
    protocol::{
        ALERTS_SHOWN_MAX, Answer, EntryView, Failure, FromWorker, MEMBERS_SHOWN_MAX,
        PATHS_SHOWN_MAX, Request, Snapshot,
    },
    sparing::Sparing,
    worker::{
        questions::{self, shorten},
        recorder,
        refusals::{refused, text},
        scope::Scope,
    },
};
use core::time::Duration;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::RequestId,
        text::{Key, Namespace},
        time::Time,
    },
    node::{
        Node,
        contract::{HostInput, Refusal, Reply, Request as Wanted, Signal},
        endpoint::{Endpoint, EndpointInput},
        snapshot::Entry,
    },
    observe::alerts::{Standing, record::RESERVED},
    replication::{
        replica::Following,
        typed::READ_BYTES_MAX,
        write::{AckLevel, WriteRefusal},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Between two snapshots when something happened.
const SNAPSHOT_BUSY: Duration = Duration::from_millis(250);
/// Between two snapshots of a hidden page, when something happened: it may notify of an incident.
const SNAPSHOT_HIDDEN: Duration = Duration::from_secs(5);
/// Between two snapshots when only ages change.
const SNAPSHOT_CALM: Duration = Duration::from_secs(1);
/// How long a read waits for a relay to give a namespace that was just opened.
const GET_PATIENCE: Duration = Duration::from_secs(2);
/// The most requests of one page under way; more are refused.
const REQUESTS_MAX: usize = 4_096;
/// The most watches of one page; more are refused.
const WATCHES_MAX: usize = 64;
/// The most keys that a watch gathers; beyond them it starts over.
const GATHERED_MAX: usize = 1_024;
/// The most rows read from the node at once.
const PAGE_ROWS: usize = 256;
/// The most bytes of values in one message to the page.
const MESSAGE_VALUE_BYTES_MAX: usize = 1 << 20;

/// What the page asked and is shown.
#[derive(Debug)]
pub struct Dispatcher {
    scope: Scope,
    visible: bool,
    snapshots: bool,
    snapshot_at: Time,
    sparing: Sparing,
    touched: bool,
    timeline_sent: u64,
    requests: u64,
    writes: BTreeMap<RequestId, u64>,
    gets: Vec<PendingGet>,
    watches: BTreeMap<u64, Watch>,
    flush_at: Option<Time>,
    leaving: Vec<u64>,
}

#[derive(Debug)]
struct PendingGet {
    id: u64,
    namespace: Namespace,
    key: Key,
    until: Time,
}

#[derive(Debug)]
struct Watch {
    namespace: Namespace,
    prefix: String,
    value_bytes_max: usize,
    rows_max: usize,
    gathered: BTreeSet<Key>,
    start_over: bool,
    /// Messages that the page has not taken yet.
    in_flight: u32,
}

impl Dispatcher {
    /// A dispatcher without requests.
    #[must_use]
    pub const fn new(scope: Scope, visible: bool, snapshots: bool) -> Self {
        Self {
            scope,
            visible,
            snapshots,
            snapshot_at: Time::ZERO,
            sparing: Sparing::new(),
            touched: true,
            timeline_sent: 0,
            requests: 0,
            writes: BTreeMap::new(),
            gets: Vec::new(),
            watches: BTreeMap::new(),
            flush_at: None,
            leaving: Vec::new(),
        }
    }

    /// Something happened that a page shows.
    pub const fn touch(&mut self) {
        self.touched = true;
    }

    /// The page became visible or hidden.
    pub const fn set_visible(&mut self, visible: bool) {
        self.visible = visible;
        self.touched = true;
    }

    /// When [`Dispatcher::tend`] wants to be called next.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        let snapshot = self.snapshot_due();
        let get = self.gets.iter().map(|get| get.until).min();
        [snapshot, get, self.flush_at].into_iter().flatten().min()
    }

    /// When the next snapshot is to be sent, if one is.
    fn snapshot_due(&self) -> Option<Time> {
        let interval = match (self.visible, self.touched) {
            (true, true) => SNAPSHOT_BUSY,
            (true, false) => SNAPSHOT_CALM,
            (false, true) => SNAPSHOT_HIDDEN,
            (false, false) => return None,
        };
        self.snapshots.then(|| self.snapshot_at + interval)
    }

    /// Sends what is due.
    pub fn tend(&mut self, now: Time, endpoint: &mut Endpoint) {
        self.settle_gets(now, endpoint);
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flush(endpoint.node());
        }
        if self.snapshot_due().is_some_and(|due| due <= now) {
            self.snapshot_at = now;
            self.touched = false;
            self.send_snapshot(now, endpoint);
        }
    }

    /// Takes a request of the page.
    pub fn on_request(&mut self, now: Time, endpoint: &mut Endpoint, id: u64, request: Request) {
        let answer = match request {
            Request::Write {
                namespace,
                key,
                value,
                level,
            } => self.start_write(now, endpoint, id, (&namespace, &key), value, level),
            Request::Get { namespace, key } => self.get(now, endpoint, id, &namespace, &key),
            Request::Close { namespace } => close(now, endpoint, &namespace).map(Some),
            Request::Watch {
                namespace,
                prefix,
                value_bytes_max,
                rows_max,
            } => {
                let watch = text(&namespace, "namespace").map(|namespace| Watch {
                    namespace,
                    prefix,
                    value_bytes_max: usize::try_from(value_bytes_max).unwrap_or(usize::MAX),
                    rows_max: usize::try_from(rows_max).unwrap_or(usize::MAX),
                    gathered: BTreeSet::new(),
                    start_over: true,
                    in_flight: 0,
                });
                watch.and_then(|watch| self.start_watch(now, endpoint, id, watch))
            }
            Request::Leave => {
                self.leaving.push(id);
                endpoint.handle_input(now, EndpointInput::Host(Signal::Leave.into()));
                Ok(None)
            }
            Request::Recording(asked) => {
                self.touched = true;
                recorder::ask(endpoint, asked).map(Some)
            }
            Request::Wish(wish) => self.start_later(now, endpoint, id, Wanted::Wish(wish)),
            Request::Change {
                namespace,
                key,
                change,
                level,
            } => {
                let wanted = questions::change((&namespace, &key), change, level);
                wanted.and_then(|wanted| self.start_later(now, endpoint, id, wanted))
            }
            Request::Compact => self.start_later(now, endpoint, id, Wanted::Compact),
            read @ (Request::Members
            | Request::Status
            | Request::Alerts
            | Request::Incidents
            | Request::Settings
            | Request::SeriesList
            | Request::History { .. }
            | Request::DryRun { .. }
            | Request::Series { .. }
            | Request::Outlook { .. }
            | Request::Parts { .. }
            | Request::Data) => questions::read(now, endpoint.node(), &read).map(Some),
        };
        match answer {
            Ok(Some(answer)) => self.answer(id, Ok(answer)),
            Ok(None) => {}
            Err(failure) => self.answer(id, Err(failure)),
        }
    }

    fn answer(&self, id: u64, answer: Result<Answer, Failure>) {
        self.scope.post(&FromWorker::Answer { id, answer });
    }

    fn start_write(
        &mut self,
        now: Time,
        endpoint: &mut Endpoint,
        id: u64,
        (namespace, key): (&str, &str),
        value: Option<Vec<u8>>,
        level: AckLevel,
    ) -> Result<Option<Answer>, Failure> {
        let namespace = text(namespace, "namespace")?;
        let key = text(key, "key")?;
        let wanted = Wanted::Write {
            namespace,
            key,
            value: value.map(Bytes::from),
            level,
        };
        self.start_later(now, endpoint, id, wanted)
    }

    /// Asks the node for what it answers later.
    fn start_later(
        &mut self,
        now: Time,
        endpoint: &mut Endpoint,
        id: u64,
        request: Wanted,
    ) -> Result<Option<Answer>, Failure> {
        if self.writes.len() >= REQUESTS_MAX {
            return Err(refused(&Refusal::Write(WriteRefusal::Busy)));
        }
        self.requests = self.requests.wrapping_add(1);
        let number = RequestId(self.requests);
        self.writes.insert(number, id);
        let input = HostInput::Request {
            id: number,
            request,
        };
        endpoint.handle_input(now, EndpointInput::Host(input));
        Ok(None)
    }

    /// The node answered a write.
    pub fn on_reply(&mut self, request: RequestId, reply: Reply) {
        let Some(id) = self.writes.remove(&request) else {
            return;
        };
        self.answer(
            id,
            match reply {
                Reply::Written { .. } => Ok(Answer::Written),
                Reply::Refused(refusal) => Err(refused(&refusal)),
                // A page asks for nothing else.
                Reply::Compacting => Ok(Answer::Compacting),
                Reply::Invited { .. } | Reply::Reach(_) | Reply::Forgotten | Reply::Verified(_) => {
                    Err(Failure::new("unexpected", "the answer is of another kind"))
                }
            },
        );
    }

    fn get(
        &mut self,
        now: Time,
        endpoint: &mut Endpoint,
        id: u64,
        namespace: &str,
        key: &str,
    ) -> Result<Option<Answer>, Failure> {
        let namespace: Namespace = text(namespace, "namespace")?;
        let key: Key = text(key, "key")?;
        if self.gets.len() >= REQUESTS_MAX {
            return Err(Failure::new(
                "busy",
                "too many reads are waiting; try again",
            ));
        }
        hold(now, endpoint, &namespace)?;
        self.gets.push(PendingGet {
            id,
            namespace,
            key,
            until: now + GET_PATIENCE,
        });
        Ok(None)
    }

    /// Answers the reads whose answer is known, and those that waited long enough.
    fn settle_gets(&mut self, now: Time, endpoint: &mut Endpoint) {
        if self.gets.is_empty() {
            return;
        }
        let mut waiting = Vec::new();
        for get in core::mem::take(&mut self.gets) {
            match read(endpoint.node(), &get, get.until <= now) {
                Some(answer) => {
                    self.answer(get.id, answer);
                    signal(now, endpoint, Signal::Release(get.namespace));
                }
                None => waiting.push(get),
            }
        }
        self.gets = waiting;
    }

    fn start_watch(
        &mut self,
        now: Time,
        endpoint: &mut Endpoint,
        id: u64,
        watch: Watch,
    ) -> Result<Option<Answer>, Failure> {
        if self.watches.len() >= WATCHES_MAX {
            let text = format!("a page may have {WATCHES_MAX} watches; end one first");
            return Err(Failure::new("busy", text));
        }
        hold(now, endpoint, &watch.namespace)?;
        self.watches.insert(id, watch);
        // What is there already is sent at once.
        self.flush_at = Some(now);
        self.touched = true;
        Ok(Some(Answer::Watching))
    }

    /// The page ends a watch.
    pub fn on_unwatch(&mut self, now: Time, endpoint: &mut Endpoint, id: u64) {
        if let Some(watch) = self.watches.remove(&id) {
            signal(now, endpoint, Signal::Release(watch.namespace));
        }
    }

    /// The page took a message of a watch.
    pub fn on_taken(&mut self, now: Time, id: u64) {
        if let Some(watch) = self.watches.get_mut(&id) {
            watch.in_flight = watch.in_flight.saturating_sub(1);
            if watch.is_due() {
                self.flush_at = Some(now);
            }
        }
    }

    /// A value changed.
    pub fn on_changed(&mut self, now: Time, namespace: &Namespace, key: &Key) {
        self.touched = true;
        for watch in self.watches.values_mut() {
            if watch.namespace != *namespace || !key.starts_with(&watch.prefix) {
                continue;
            }
            watch.gathered.insert(key.clone());
            // Memory is bounded: the watch is sent all there is instead, page by page.
            if watch.gathered.len() > GATHERED_MAX {
                watch.gathered.clear();
                watch.start_over = true;
            }
            // As Nagle's rule (RFC 896): the first change goes out at once, and while the page is
            // busy with a message, those that follow gather for the next one.
            if watch.is_due() {
                self.flush_at = Some(now);
            }
        }
    }

    fn flush(&mut self, node: &Node) {
        for (id, watch) in &mut self.watches {
            if !watch.is_due() {
                continue;
            }
            watch.in_flight = if core::mem::take(&mut watch.start_over) {
                watch.gathered.clear();
                send_all(&self.scope, node, *id, watch)
            } else {
                let keys = core::mem::take(&mut watch.gathered);
                send_some(&self.scope, node, *id, watch, keys)
            };
        }
    }

    /// The node has left.
    pub fn on_departed(&mut self) {
        for id in core::mem::take(&mut self.leaving) {
            self.answer(id, Ok(Answer::Left));
        }
    }

    fn send_snapshot(&mut self, now: Time, endpoint: &Endpoint) {
        let node = endpoint.node();
        let mut members = node.members(now);
        members.truncate(MEMBERS_SHOWN_MAX);
        let edges = node.edges();
        let is_long_due = self.sparing.is_due(now, &members, &edges);
        let timeline = node.timeline_since(self.timeline_sent).entries;
        if let Some(newest) = timeline.last() {
            self.timeline_sent = newest.id;
        }
        let namespaces = node.namespaces();
        // What was just opened is shown before its first key is here.
        let opened = node.opened();
        let opened = opened.filter(|name| !name.starts_with(RESERVED));
        let opened = opened.map(|name| (name.to_string(), 0));
        let held = namespaces
            .iter()
            // What the mesh keeps for itself has views of its own.
            .filter(|(name, _)| !name.starts_with(RESERVED))
            .map(|(name, keys)| (name.to_string(), *keys));
        // The held ones come last, so that their counts replace the zeros.
        let namespaces: BTreeMap<String, u64> = opened.chain(held).collect();
        self.scope.post(&FromWorker::Snapshot(Box::new(Snapshot {
            wall_ms: self.scope.wall().as_millis(),
            status: node.status(now),
            joining: node.join_trouble(),
            members: is_long_due.then_some(members),
            edges: is_long_due.then_some(edges),
            connections: node.connections(now),
            vitals: is_long_due.then(|| shown(node.vitals(now), MEMBERS_SHOWN_MAX)),
            paths: is_long_due.then(|| shown(node.rtt_matrix(now), PATHS_SHOWN_MAX)),
            charts: node.charts(),
            health: is_long_due.then(|| shown(node.health(now), MEMBERS_SHOWN_MAX)),
            alerts: shown(
                open_first(node.alert_views(), |one| one.state),
                ALERTS_SHOWN_MAX,
            ),
            incidents: shown(
                open_first(node.incident_views(), |one| one.state),
                ALERTS_SHOWN_MAX,
            ),
            silences: node.silence_views(),
            channels: node.channel_views(),
            settings: node.setting_views(),
            timeline,
            namespaces: namespaces.into_iter().collect(),
            recording: node.recording_status(),
        })));
    }
}

/// With what is over at the end, so that it is what is left out; otherwise in the same order.
fn open_first<T>(mut all: Vec<T>, state: impl Fn(&T) -> Standing) -> Vec<T> {
    all.sort_by_key(|one| state(one) == Standing::Resolved);
    all
}

/// The first of many.
fn shown<T>(mut all: Vec<T>, max: usize) -> Vec<T> {
    all.truncate(max);
    all
}

impl Watch {
    /// Whether there is something to send, and the page has taken what was sent.
    fn is_due(&self) -> bool {
        self.in_flight == 0 && (self.start_over || !self.gathered.is_empty())
    }
}

/// The answer to a read, if it can be given: what is not here is absent only where a relay has given
/// the whole namespace.
fn read(node: &Node, get: &PendingGet, is_late: bool) -> Option<Result<Answer, Failure>> {
    let entry = node.entry(&get.namespace, &get.key);
    match node.following(&get.namespace) {
        Following::Complete => {}
        // What is held is the best that can be told; a relay that was asked may tell a newer value.
        Following::Offline | Following::Refused if entry.is_some() => {}
        Following::Fetching if entry.is_some() && is_late => {}
        Following::Refused if is_late => {
            return Some(Err(Failure::new(
                "namespaces_full",
                "each relay serves as many namespaces to this tab as it may; close one first",
            )));
        }
        Following::Closed | Following::Offline | Following::Fetching if is_late => {
            return Some(Err(Failure::new(
                "not_known",
                "no relay has given this namespace yet, so whether the key is there is not known; \
                 try again when a relay is linked",
            )));
        }
        Following::Closed | Following::Offline | Following::Fetching | Following::Refused => {
            return None;
        }
    }
    Some(Ok(Answer::Entry(live(entry))))
}

fn signal(now: Time, endpoint: &mut Endpoint, signal: Signal) {
    endpoint.handle_input(now, EndpointInput::Host(signal.into()));
}

/// Opens a namespace and keeps it open until it is released.
fn hold(now: Time, endpoint: &mut Endpoint, namespace: &Namespace) -> Result<(), Failure> {
    signal(now, endpoint, Signal::Hold(namespace.clone()));
    if endpoint.node().following(namespace) == Following::Closed {
        return Err(Failure::new(
            "namespaces_full",
            "this tab can't open another namespace: all that it may hold are watched or waited for; \
             end a watch first",
        ));
    }
    Ok(())
}

fn close(now: Time, endpoint: &mut Endpoint, namespace: &str) -> Result<Answer, Failure> {
    let namespace: Namespace = text(namespace, "namespace")?;
    signal(now, endpoint, Signal::Close(namespace.clone()));
    if endpoint.node().following(&namespace) == Following::Closed {
        return Ok(Answer::Closed);
    }
    Err(Failure::new(
        "watched",
        "the namespace is watched or waited for; end its watches first",
    ))
}

/// Sends a watch all there is, page by page; answers in how many messages.
fn send_all(scope: &Scope, node: &Node, id: u64, watch: &Watch) -> u32 {
    let mut sent = 0_u32;
    let mut after: Option<Key> = None;
    let mut rows = 0;
    let mut reset = true;
    loop {
        let limit = PAGE_ROWS.min(watch.rows_max.saturating_sub(rows));
        // One more than wanted tells whether more are left.
        let mut entries = node.list(
            &watch.namespace,
            &watch.prefix,
            after.as_deref(),
            limit.saturating_add(1),
        );
        let more = entries.len() > limit;
        entries.truncate(limit);
        rows = rows.saturating_add(entries.len());
        after = entries.last().map(|entry| entry.key.clone());
        let full = rows >= watch.rows_max;
        let views = entries
            .into_iter()
            .map(|entry| cut(entry, watch.value_bytes_max));
        let messages = send(scope, id, views.collect(), reset, more && full);
        sent = sent.saturating_add(messages);
        reset = false;
        if !more || full {
            return sent;
        }
    }
}

/// Sends a watch the current values of these keys; answers in how many messages.
fn send_some(scope: &Scope, node: &Node, id: u64, watch: &Watch, keys: BTreeSet<Key>) -> u32 {
    let entries = keys
        .iter()
        .filter_map(|key| node.entry(&watch.namespace, key))
        .map(|entry| cut(entry, watch.value_bytes_max))
        .collect::<Vec<_>>();
    if entries.is_empty() {
        return 0;
    }
    send(scope, id, entries, false, false)
}

/// Sends entries in messages of bounded size; answers in how many.
fn send(scope: &Scope, id: u64, entries: Vec<EntryView>, mut reset: bool, more: bool) -> u32 {
    let mut sent = 1_u32;
    let mut message = Vec::new();
    let mut bytes = 0_usize;
    for entry in entries {
        bytes = bytes.saturating_add(entry.entry.value.as_ref().map_or(0, |value| value.len()));
        message.push(entry);
        if bytes > MESSAGE_VALUE_BYTES_MAX {
            let entries = core::mem::take(&mut message);
            scope.post(&FromWorker::Watched {
                id,
                entries,
                reset,
                more: false,
            });
            (reset, bytes) = (false, 0);
            sent = sent.saturating_add(1);
        }
    }
    // Also when it is empty: `reset` and `more` have to get through.
    let entries = message;
    scope.post(&FromWorker::Watched {
        id,
        entries,
        reset,
        more,
    });
    sent
}

fn cut(mut entry: Entry, value_bytes_max: usize) -> EntryView {
    let value_bytes = entry.value.as_ref().map_or(0, |value| value.len());
    if let Some(head) = entry
        .value
        .as_ref()
        .and_then(|value| value.get(..value_bytes_max))
    {
        entry.value = Some(Bytes::from(head));
    }
    if value_bytes_max < READ_BYTES_MAX {
        shorten(&mut entry.content, value_bytes_max);
    }
    EntryView {
        entry,
        value_bytes: u64::try_from(value_bytes).unwrap_or(u64::MAX),
    }
}

/// A deleted value is no value to a reader.
fn live(entry: Option<Entry>) -> Option<Entry> {
    entry.filter(|entry| entry.value.is_some())
}

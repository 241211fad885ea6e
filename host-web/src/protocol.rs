//! What a page and its worker say to each other.
//!
//! Both ends are the same wasm module, so the messages need no versions. They travel as postcard in a
//! `Uint8Array`: one copy, and values of 256 KiB stay bytes.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sporenet_core::{
    node::{
        alert_views::{
            AlertView, ChannelView, DryRun, IncidentView, SettingView, SilenceView, VersionView,
        },
        data::DataView,
        joining::JoinTrouble,
        recording::RecordingStatus,
        snapshot::{
            Connection, Edge, Entry, Member, NodeHealth, NodeVitals, Outlook, PathView,
            SeriesPoints, SeriesView, Status, TimelineEntry,
        },
    },
    observe::alerts::Wish,
    replication::{
        typed::{Change, PartsPage},
        write::AckLevel,
    },
};

/// The page speaks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// Start a node, or start again with a link after [`Phase::NeedsLink`].
    Start(Start),
    /// The page became visible or hidden.
    Visible(bool),
    /// The page is about to be frozen or closed: park at once.
    Freeze,
    /// The browser says that the network changed.
    NetworkChanged,
    /// Answer this.
    Request {
        /// Comes back in the answer.
        id: u64,
        /// What is asked.
        request: Request,
    },
    /// End a watch.
    Unwatch {
        /// The request that started it.
        id: u64,
    },
    /// The page took one message of a watch; the next may come.
    Taken {
        /// The request that started the watch.
        id: u64,
    },
    /// Replay this recording; answered by [`FromWorker::Replayed`].
    Open(Vec<u8>),
    /// Go to another moment of the recording; answered by [`FromWorker::Replayed`].
    Go(Go),
}

/// Where to in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Go {
    /// The state at a moment: so many microseconds on the node's clock.
    To(u64),
    /// So many inputs on, or back.
    Inputs(i32),
    /// To the next entry of the timeline, or before the newest one.
    Entry {
        /// On, rather than back.
        on: bool,
    },
}

/// How to start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Start {
    /// A join link, as pasted or as found in the page's fragment.
    pub link: Option<String>,
    /// The identity slot that this tab held before it was reloaded.
    pub slot: Option<u32>,
    /// The node's name; chosen by the worker if empty.
    pub name: Option<String>,
    /// The node's failure domain.
    pub zone: Option<String>,
    /// Whether the page is visible now.
    pub visible: bool,
    /// Whether the page draws snapshots.
    pub snapshots: bool,
}

/// What a page may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Write a value; `None` deletes. Answered by [`Answer::Written`].
    Write {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The value.
        value: Option<Vec<u8>>,
        /// When to answer.
        level: AckLevel,
    },
    /// Read a value; opens the namespace. Answered by [`Answer::Entry`].
    Get {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// Follow a namespace; opens it. Answered by [`Answer::Watching`], then by
    /// [`FromWorker::Watched`] at once and after every change.
    Watch {
        /// The namespace.
        namespace: String,
        /// Only keys that start so.
        prefix: String,
        /// Values longer than this are cut in what is sent.
        value_bytes_max: u32,
        /// Rows beyond this many are left out at the start.
        rows_max: u32,
    },
    /// Stop following a namespace. Answered by [`Answer::Closed`].
    Close {
        /// The namespace.
        namespace: String,
    },
    /// The members, worst first. Answered by [`Answer::Members`].
    Members,
    /// The status. Answered by [`Answer::Status`].
    Status,
    /// Leave the mesh. Answered by [`Answer::Left`] when it is done.
    Leave,
    /// Start, stop or fetch the recording. Answered by [`Answer::Recording`].
    Recording(Recording),
    /// Do something about alerts or settings. Answered by [`Answer::Written`].
    Wish(Wish),
    /// The alerts, those that are over too. Answered by [`Answer::Alerts`].
    Alerts,
    /// The incidents, those that are over too. Answered by [`Answer::Incidents`].
    Incidents,
    /// The settings of the mesh. Answered by [`Answer::Settings`].
    Settings,
    /// What a setting was. Answered by [`Answer::History`].
    History {
        /// Its name.
        name: String,
    },
    /// What a rule would have done. Answered by [`Answer::DryRun`].
    DryRun {
        /// The rule as it is written.
        rule: String,
    },
    /// A series of a node in a window. Answered by [`Answer::Series`].
    Series {
        /// The node, 64 hexadecimal digits.
        node: String,
        /// The series' name.
        series: String,
        /// From when, in milliseconds since 1970.
        from_ms: u64,
        /// Until when.
        to_ms: u64,
        /// The most points; at most 2,000.
        points: u32,
    },
    /// What is unusual about a series, and where it goes; nodes know it of themselves. Answered by
    /// [`Answer::Outlook`].
    Outlook {
        /// The node, 64 hexadecimal digits.
        node: String,
        /// The series' name.
        series: String,
    },
    /// Which series there are, with their latest values. Answered by [`Answer::SeriesList`].
    SeriesList,
    /// Change a typed value. Answered by [`Answer::Written`].
    Change {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// What changes.
        change: Change,
        /// When to answer.
        level: AckLevel,
    },
    /// A page of the parts of a typed value, as far as they are held here. Answered by [`Answer::Parts`].
    Parts {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// Those after this one.
        after: Option<String>,
        /// At most so many, and at most 1,000.
        limit: u32,
    },
    /// What the data takes on this node. Answered by [`Answer::Data`].
    Data,
    /// Give the room of what was overwritten back. Answered by [`Answer::Compacting`] when it has begun.
    Compact,
}

/// What is asked of the node's recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recording {
    /// Record from now on. What was recorded before is forgotten, unless it still runs.
    Start,
    /// Record no more; what was recorded is kept.
    Stop,
    /// Give what is recorded until now.
    Save,
}

/// The worker speaks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// How far the node is.
    Phase(Phase),
    /// The node as it is now.
    Snapshot(Box<Snapshot>),
    /// The answer to a request.
    Answer {
        /// Which request.
        id: u64,
        /// The answer.
        answer: Result<Answer, Failure>,
    },
    /// What a watch saw; answered by [`ToWorker::Taken`].
    Watched {
        /// The request that started it.
        id: u64,
        /// The entries that are new or changed; deleted ones have no value.
        entries: Vec<EntryView>,
        /// Whether these are all there are: forget what came before.
        reset: bool,
        /// Whether rows were left out.
        more: bool,
    },
    /// Where a replay is; the snapshot of that moment came before.
    Replayed(Result<Box<Replayed>, Failure>),
}

/// Where a replay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// The program that recorded.
    pub program: String,
    /// The first moment, in microseconds of the node's clock.
    pub from_us: u64,
    /// The last moment.
    pub to_us: u64,
    /// This moment.
    pub at_us: u64,
    /// What came in last, in words.
    pub input: String,
    /// Inputs up to this moment.
    pub inputs: u64,
    /// State hashes that were equal so far.
    pub checks: u64,
    /// Where the replay differs from what was recorded.
    pub mismatch: Option<String>,
    /// Whether the replay is still on its way.
    pub busy: bool,
    /// The hash of the node's state.
    pub state_hash: String,
}

/// How far the node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The identity is being read.
    Loading,
    /// There is no identity and no link: ask for one.
    NeedsLink,
    /// The node runs.
    Running {
        /// The identity slot.
        slot: Option<u32>,
        /// Why nothing is kept after the tab is closed, if so.
        volatile: Option<String>,
    },
    /// The node was let into the network; the link is no longer needed.
    Admitted,
    /// The node could not start.
    Failed(Failure),
    /// The node has left the mesh.
    Departed,
    /// The node's identity runs elsewhere.
    Fenced {
        /// Why.
        why: String,
    },
    /// The browser closed or emptied the storage under the node.
    StorageLost {
        /// What the browser said.
        why: String,
    },
}

/// A refusal with a stable code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for scripts, such as `value_too_large`.
    pub code: String,
    /// One plain sentence.
    pub text: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: &str, text: impl core::fmt::Display) -> Self {
        Self {
            code: code.into(),
            text: text.to_string(),
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Acknowledged at the level that was asked for.
    Written,
    /// The value, if there is one.
    Entry(Option<Entry>),
    /// The watch runs.
    Watching,
    /// The members.
    Members(Vec<Member>),
    /// The namespace is closed.
    Closed,
    /// The status.
    Status {
        /// The node in one view.
        status: Box<Status>,
        /// Why it is not let in, if so.
        joining: Option<JoinTrouble>,
    },
    /// The node has left.
    Left,
    /// A file that `sporenet replay` and the replay page open, if one was asked for.
    Recording(Option<Vec<u8>>),
    /// The alerts, the newest first.
    Alerts(Vec<AlertView>),
    /// The incidents, the newest first.
    Incidents(Vec<IncidentView>),
    /// The settings of the mesh.
    Settings(Vec<SettingView>),
    /// What a setting was, the newest first.
    History(Vec<VersionView>),
    /// What a rule would have done.
    DryRun(Box<DryRun>),
    /// A series, if anything of it was measured.
    Series(Option<SeriesPoints>),
    /// What is unusual about a series, and where it goes, if that is known here.
    Outlook(Option<Box<Outlook>>),
    /// Which series there are.
    SeriesList(Vec<SeriesView>),
    /// A page of parts, if the key holds a value that has them.
    Parts(Option<PartsPage>),
    /// What the data takes.
    Data(Box<DataView>),
    /// Room is being given back.
    Compacting,
}

/// A value, cut if it is long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// The entry; its value may be cut.
    pub entry: Entry,
    /// How long the value really is, in bytes.
    pub value_bytes: u64,
}

/// The node as a page draws it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The wall clock in milliseconds since 1970.
    pub wall_ms: u64,
    /// The node in one view.
    pub status: Status,
    /// Why it is not let in, if so.
    pub joining: Option<JoinTrouble>,
    /// The members, worst first, at most [`MEMBERS_SHOWN_MAX`]; `None` if they are as they were told last,
    /// but for ages. So are the other long lists.
    pub members: Option<Vec<Member>>,
    /// The edges among them.
    pub edges: Option<Vec<Edge>>,
    /// What is done about each connection.
    pub connections: Vec<Connection>,
    /// How each node is, at most [`MEMBERS_SHOWN_MAX`].
    pub vitals: Option<Vec<NodeVitals>>,
    /// The paths between them, at most [`PATHS_SHOWN_MAX`].
    pub paths: Option<Vec<PathView>>,
    /// What this node measured in the last minutes.
    pub charts: Vec<SeriesPoints>,
    /// How healthy each node is, worst first, at most [`MEMBERS_SHOWN_MAX`].
    pub health: Option<Vec<NodeHealth>>,
    /// What is wrong, the newest first, at most [`ALERTS_SHOWN_MAX`].
    pub alerts: Vec<AlertView>,
    /// The same by cause, at most [`ALERTS_SHOWN_MAX`].
    pub incidents: Vec<IncidentView>,
    /// What nobody is notified of.
    pub silences: Vec<SilenceView>,
    /// Over which channels the mesh notifies.
    pub channels: Vec<ChannelView>,
    /// The settings of the mesh.
    pub settings: Vec<SettingView>,
    /// What happened since the last snapshot, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Namespaces held here, with their number of keys.
    pub namespaces: Vec<(String, u64)>,
    /// How the recording of this node is.
    pub recording: RecordingStatus,
}

/// The most members that a snapshot carries; the counters cover all.
pub const MEMBERS_SHOWN_MAX: usize = 1_000;

/// The most alerts, and the most incidents, that a snapshot carries.
pub const ALERTS_SHOWN_MAX: usize = 200;

/// The most paths that a snapshot carries.
pub const PATHS_SHOWN_MAX: usize = 5_000;

/// Encodes a message.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Encoding into a growing vector cannot fail for these types; an empty message is ignored.
    postcard::to_allocvec(message).unwrap_or_default()
}

/// Decodes a message; `None` if it is not one.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

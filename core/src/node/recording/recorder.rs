//! The ring of segments, bounded in bytes.
//!
//! | when | then |
//! |---|---|
//! | the first input after the start with nothing left to say | a snapshot begins the first segment |
//! | a segment holds an eighth of the ring, and twice its snapshot | a snapshot begins the next |
//! | the ring is over its bound | the oldest segment is dropped and counted |
//! | a second has passed | what the node said is noted as a digest |
//! | eight times the state's size was recorded, or time has passed (see `STATE_RATE`) | the state's hash is noted |
//! | the state is over a quarter of the ring | recording stops, and says why |

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Tape,
        time::{Duration, Time},
    },
    node::{
        machine::Node,
        recording::{
            entry::{self, NodeInput},
            frozen::{NotDrained, state_hash},
            segment::{Head, Segment, size},
        },
    },
};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::fmt;

/// The usual bound of a ring, in bytes.
pub const BYTES_MAX_DEFAULT: u64 = 64 << 20;
/// The least bound of a ring, in bytes: a quarter of it holds the state of a small node.
pub const BYTES_MAX_MIN: u64 = 1 << 20;

/// How often what was said is noted: a divergence is told to the second.
const SAID_INTERVAL: Duration = Duration::from_secs(1);
/// How many bytes of state may be hashed a second while hardly anything is recorded: some twenty
/// microseconds of work, where a quiet relay does some milliseconds. Halved, a quiet node is checked
/// half as often.
const STATE_RATE: u64 = 4 << 10;
/// How many bytes are recorded for one byte of state that is hashed meanwhile. To handle a recorded byte
/// costs some ten times as much as to freeze and hash one.
const STATE_SHARE: u64 = 8;

/// Why a recording stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked for it.
    Asked,
    /// The node's state is over a quarter of the ring.
    StateTooBig {
        /// Its size, in bytes.
        bytes: u64,
    },
    /// The node made more signatures for one input than a recording can keep.
    TooManySignatures,
    /// The host did not take what the node said.
    NotDrained,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("it was asked to stop"),
            Self::StateTooBig { bytes } => write!(
                f,
                "the node's state has {bytes} bytes, more than a quarter of what a recording may take"
            ),
            Self::TooManySignatures => {
                f.write_str("the node made more signatures at once than a recording can keep")
            }
            Self::NotDrained => f.write_str("the host did not take the node's outputs"),
        }
    }
}

/// The recorder of one node.
#[derive(Debug)]
pub(in crate::node) struct Recorder {
    pub(super) bytes_max: u64,
    pub(super) tape: Arc<Tape>,
    done: VecDeque<Arc<Segment>>,
    done_bytes: u64,
    open: Option<Segment>,
    /// The input that is being handled, until its signatures are known; empty if none.
    entry: Vec<u8>,
    /// Room for bodies and states, kept so that it need not be made anew.
    body: Vec<u8>,
    frozen: Vec<u8>,
    last_at: Time,
    said_at: Time,
    state_at: Time,
    /// The size of the state when it was last frozen, and of the entries then.
    state_bytes: u64,
    state_noted_at_bytes: u64,
    dropped: u64,
    stopped: Option<Stopped>,
}

impl Recorder {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max: bytes_max.max(BYTES_MAX_MIN),
            tape: Arc::new(Tape::new()),
            done: VecDeque::new(),
            done_bytes: 0,
            open: None,
            entry: Vec::new(),
            body: Vec::new(),
            frozen: Vec::new(),
            last_at: Time::ZERO,
            said_at: Time::ZERO,
            state_at: Time::ZERO,
            state_bytes: 0,
            state_noted_at_bytes: 0,
            dropped: 0,
            stopped: None,
        }
    }

    /// The node is about to get an input, or to run its timers.
    pub(super) fn before(&mut self, node: &Node, now: Time, input: Option<&NodeInput>) {
        // A state is whole only when all outputs were taken: an outbox is not frozen.
        if self.stopped.is_none() && node.outbox.is_empty() {
            self.note(node);
        }
        if self.stopped.is_some() || self.open.is_none() {
            return;
        }
        // The node takes an older clock for its latest one: the moment that counts is recorded.
        let now = now.max(node.now);
        let since = now.since(self.last_at);
        entry::write_input(&mut self.entry, &mut self.body, since, input, node);
        self.last_at = now;
    }

    /// The input was handled.
    pub(super) fn after(&mut self) {
        // Drained even without a segment, so that the next input finds the tape empty.
        let signatures = self.tape.drain();
        let Some(open) = &mut self.open else {
            return;
        };
        if self.entry.is_empty() {
            return;
        }
        let Some(signatures) = signatures else {
            return self.stop(Stopped::TooManySignatures);
        };
        entry::write_signatures(&mut self.entry, &signatures);
        // Only now, as one piece: a segment never ends within an input.
        open.append(&self.entry);
        open.head.to = self.last_at;
        open.head.inputs = open.head.inputs.saturating_add(1);
        self.entry.clear();
        self.keep_within_bound();
    }

    pub(super) const fn open_mut(&mut self) -> Option<&mut Segment> {
        self.open.as_mut()
    }

    /// What is due between two inputs.
    fn note(&mut self, node: &Node) {
        let Some(open) = &mut self.open else {
            return self.begin_segment(node);
        };
        let recorded = open.entries_bytes();
        // An eighth of the ring, so that what is dropped at once is little; twice the snapshot, so
        // that snapshots are at most a third of what is kept.
        let segment_max = (self.bytes_max / 8).max(open.snapshot_bytes().saturating_mul(2));
        if recorded >= segment_max {
            self.seal();
            return self.begin_segment(node);
        }
        // The cost of hashing stays in proportion to the work that the inputs cause, or to the
        // time.
        let worth = self.state_bytes.saturating_mul(STATE_SHARE);
        let patience = Duration::from_secs(self.state_bytes / STATE_RATE);
        let patience = patience.max(SAID_INTERVAL);
        let passed = node.now.since(self.state_at);
        let is_worth = recorded.saturating_sub(self.state_noted_at_bytes) >= worth;
        if passed >= patience || (is_worth && passed >= SAID_INTERVAL) {
            self.note_state(node);
        } else if node.now.since(self.said_at) >= SAID_INTERVAL {
            self.said_at = node.now;
            let mut bytes = Vec::new();
            entry::write_said(&mut bytes, open.said);
            open.append(&bytes);
        }
    }

    /// Notes the state now, if the node has nothing left to say.
    pub(super) fn note_state(&mut self, node: &Node) {
        let Some(open) = &mut self.open else {
            return;
        };
        let Ok(frozen) = freeze(node, &mut self.frozen) else {
            return;
        };
        let mut bytes = Vec::new();
        // Both checks at one place: a replay that differs is told by the cheaper one first.
        entry::write_said(&mut bytes, open.said);
        entry::write_state(&mut bytes, state_hash(frozen));
        open.append(&bytes);
        let state_bytes = size(frozen.len());
        self.noted(node.now, state_bytes);
    }

    fn noted(&mut self, now: Time, state_bytes: u64) {
        self.said_at = now;
        self.state_at = now;
        self.state_bytes = state_bytes;
        self.state_noted_at_bytes = self.open.as_ref().map_or(0, Segment::entries_bytes);
    }

    fn begin_segment(&mut self, node: &Node) {
        let Ok(frozen) = freeze(node, &mut self.frozen) else {
            return self.stop(Stopped::NotDrained);
        };
        let bytes = size(frozen.len());
        // With a larger state the ring would hold hardly more than snapshots.
        if bytes > self.bytes_max / 4 {
            return self.stop(Stopped::StateTooBig { bytes });
        }
        let head = Head {
            from: node.now,
            to: node.now,
            wall: node.wall_now(),
            inputs: 0,
            hash: state_hash(frozen),
        };
        self.last_at = node.now;
        self.open = Some(Segment::new(head, Bytes::from(frozen)));
        self.noted(node.now, bytes);
        self.keep_within_bound();
    }

    fn seal(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.close();
            self.done_bytes = self.done_bytes.saturating_add(open.bytes());
            self.done.push_back(Arc::new(open));
        }
    }

    fn keep_within_bound(&mut self) {
        while self.bytes() > self.bytes_max {
            // Only whole segments go: without its snapshot an input can't be replayed. The open one
            // stays.
            let Some(oldest) = self.done.pop_front() else {
                break;
            };
            self.done_bytes = self.done_bytes.saturating_sub(oldest.bytes());
            self.dropped = self.dropped.saturating_add(1);
        }
        // A new segment begins only when all outputs were taken. A host that takes none would let
        // the open one grow without end.
        let open = self.open.as_ref().map_or(0, Segment::entries_bytes);
        if open > self.bytes_max {
            self.stop(Stopped::NotDrained);
        }
    }

    pub(super) fn stop(&mut self, why: Stopped) {
        // The first reason stays.
        if self.stopped.is_none() {
            self.seal();
            self.entry.clear();
            self.stopped = Some(why);
        }
    }

    pub(super) const fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }

    /// Segments dropped since the start.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, Segment::bytes);
        self.done_bytes.saturating_add(open)
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        let done = self.done.iter().map(|segment| &**segment);
        done.chain(&self.open)
    }

    /// The segments as they are now: shared, but for less than a piece.
    pub(super) fn share(&self) -> Vec<Arc<Segment>> {
        let done = self.done.iter().map(Arc::clone);
        done.chain(self.open.iter().map(|open| Arc::new(open.clone())))
            .collect()
    }
}

/// Freezes a node into a buffer that is used again and again.
fn freeze<'a>(node: &Node, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], NotDrained> {
    // A failure loses the buffer, which costs one allocation later.
    let mut room = core::mem::take(buffer);
    room.clear();
    *buffer = node.freeze_into(room)?;
    Ok(buffer)
}

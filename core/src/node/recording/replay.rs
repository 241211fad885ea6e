//! The file's node, one input at a time, forwards and backwards.
//!
//! Going back is going to the nearest snapshot before and from there forwards. On such a way further
//! snapshots are kept for a while, so that the next step back is short.

use crate::{
    kernel::{
        crypto::{Hash, Tape},
        machine::Machine as _,
        time::{Time, WallTime},
    },
    node::{
        machine::Node,
        recording::{
            describe::describe,
            digest::Digest,
            entry::{Entry, NodeInput, Reader},
            file::{self, About, Found, OpenError},
            frozen::state_hash,
            segment::size,
        },
    },
};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt;

/// The most snapshots that are kept on the way to an earlier moment, and the most bytes of all.
const MARKS_MAX: u64 = 16;
const MARKS_BYTES_MAX: u64 = 64 << 20;
/// The fewest inputs between two of them: closer ones cost more than they save.
const MARK_INPUTS_MIN: u64 = 64;

/// One input that the node got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number; the first is 1.
    pub number: u64,
    /// When, in the node's time.
    pub at: Time,
    /// What it was, in one line.
    pub what: String,
    /// What the node put on its timeline because of it.
    pub told: Vec<String>,
}

/// What was not as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The node's state.
    State,
    /// What the node said.
    Said,
    /// How many signatures the node made.
    Signatures,
    /// An entry can't be read by this version.
    Unreadable,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::State => "the state differs",
            Self::Said => "what the node said differs",
            Self::Signatures => "the number of signatures differs",
            Self::Unreadable => "an input can't be read by this version",
        })
    }
}

/// The first moment at which the replay is not as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// When, in the node's time.
    pub at: Time,
    /// After how many inputs.
    pub inputs: u64,
    /// What differs.
    pub what: What,
    /// What was recorded.
    pub recorded: String,
    /// What came out here.
    pub replayed: String,
}

/// How a replay went until now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Recorded checks that came out equal; each counts once.
    pub checks: u64,
    /// The first that did not.
    pub mismatch: Option<Mismatch>,
}

/// Where a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    segment: usize,
    /// Bytes into its entries.
    offset: usize,
    at: Time,
    inputs: u64,
    said: Digest,
}

/// A snapshot on the way.
#[derive(Debug)]
struct Mark {
    place: Place,
    frozen: Vec<u8>,
}

/// A recording, replayed.
#[derive(Debug)]
pub struct Replay {
    bytes: Vec<u8>,
    about: About,
    segments: Vec<Found>,
    tape: Arc<Tape>,
    node: Node,
    place: Place,
    marks: Vec<Mark>,
    checked: BTreeSet<(usize, usize)>,
    mismatch: Option<Mismatch>,
    /// Whether the mismatch is where the replay is: there is no way on.
    stuck: bool,
}

impl Replay {
    /// Opens a whole file, at its first snapshot.
    ///
    /// # Errors
    /// [`OpenError`], which says what of a damaged file is whole.
    pub fn open(bytes: Vec<u8>) -> Result<Self, OpenError> {
        let contents = file::read(&bytes)?;
        if !contents.whole {
            return Err(contents.damaged());
        }
        Self::of(bytes, contents)
    }

    /// Opens what is whole of a damaged file, up to the first damage.
    ///
    /// # Errors
    /// [`OpenError`] when nothing is.
    pub fn open_damaged(bytes: Vec<u8>) -> Result<Self, OpenError> {
        let contents = file::read(&bytes)?;
        Self::of(bytes, contents)
    }

    fn of(bytes: Vec<u8>, contents: file::Contents) -> Result<Self, OpenError> {
        let file::Contents {
            about, segments, ..
        } = contents;
        let first = segments.first().ok_or(OpenError::Empty)?;
        let tape = Arc::new(Tape::new());
        let frozen = bytes.get(first.snapshot.clone()).unwrap_or_default();
        let node = Node::thaw(frozen, &tape).map_err(OpenError::Snapshot)?;
        let place = Place {
            segment: 0,
            offset: 0,
            at: first.head.from,
            inputs: 0,
            said: Digest::default(),
        };
        let mut replay = Self {
            bytes,
            about,
            segments,
            tape,
            node,
            place,
            marks: Vec::new(),
            checked: BTreeSet::new(),
            mismatch: None,
            stuck: false,
        };
        replay.check_snapshot();
        replay.settle();
        Ok(replay)
    }

    /// What the recording says of itself.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// From when to when it goes, in the node's time.
    #[must_use]
    pub fn span(&self) -> (Time, Time) {
        let from = self
            .segments
            .first()
            .map_or(Time::ZERO, |first| first.head.from);
        (from, self.segments.last().map_or(from, |last| last.head.to))
    }

    /// The wall clock at the beginning of the span.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        self.segments
            .first()
            .map_or_else(WallTime::default, |first| first.head.wall)
    }

    /// How many snapshots it holds.
    #[must_use]
    pub fn segments(&self) -> u64 {
        size(self.segments.len())
    }

    /// How many inputs there are, as the recording says.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        let inputs = self.segments.iter().map(|segment| segment.head.inputs);
        inputs.fold(0, u64::saturating_add)
    }

    /// How many inputs the node has got until now.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.place.inputs
    }

    /// The time of the last of these inputs.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.place.at
    }

    /// The node as it was then. It answers every question that a running node answers.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The time of the next input; `None` at the end, or where the replay is not as recorded.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        let since = self.reader().peek().filter(|_| !self.stuck)?;
        Some(self.place.at + since)
    }

    /// How it went until now.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome {
            checks: size(self.checked.len()),
            mismatch: self.mismatch.clone(),
        }
    }

    /// The hash of the node's state; its text is in hexadecimal digits.
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        self.node.state_hash().unwrap_or(Hash::ZERO)
    }

    /// Gives the node its next input; `None` at the end, or where the replay is not as recorded.
    pub fn step(&mut self) -> Option<Step> {
        let (told_before, number) = (
            self.node.timeline.last_id(),
            self.place.inputs.saturating_add(1),
        );
        let what = self.advance(describe)?;
        let told = self.node.timeline_since(told_before).entries;
        let told = told.into_iter().map(|entry| entry.text).collect();
        Some(Step {
            number,
            at: self.place.at,
            what,
            told,
        })
    }

    /// Takes the last input back; answers whether there was one.
    pub fn step_back(&mut self) -> bool {
        let Some(before) = self.place.inputs.checked_sub(1) else {
            return false;
        };
        self.go_to(before);
        true
    }

    /// Goes to just after the last input at or before `to`, forwards or backwards.
    pub fn seek(&mut self, to: Time) {
        let is_forward = to >= self.place.at && !self.stuck;
        let segment = self
            .segments
            .iter()
            .rposition(|segment| segment.head.from <= to)
            .unwrap_or(0);
        // Far ahead it is quicker to begin at a snapshot than to run all inputs up to it.
        if !is_forward || segment > self.place.segment.saturating_add(1) {
            self.return_to(|place| place.at <= to, segment);
        }
        while self.next_at().is_some_and(|next| next <= to) && self.advance(|_, _| ()).is_some() {}
    }

    /// Goes to just after so many inputs, forwards or backwards.
    pub fn go_to(&mut self, inputs: u64) {
        if inputs < self.place.inputs || self.stuck {
            let mut before = 0_u64;
            let mut segment = 0_usize;
            // The last segment that begins at or before the wanted input.
            for (number, found) in self.segments.iter().enumerate() {
                if before <= inputs {
                    segment = number;
                }
                before = before.saturating_add(found.head.inputs);
            }
            self.return_to(|place| place.inputs <= inputs, segment);
            // A step back is often followed by more: marks on the way make the next ones short.
            let way = inputs.saturating_sub(self.place.inputs);
            self.go_marking(inputs, (way / MARKS_MAX).max(MARK_INPUTS_MIN));
        }
        while self.place.inputs < inputs && self.advance(|_, _| ()).is_some() {}
    }

    /// Goes forwards and leaves snapshots on the way.
    fn go_marking(&mut self, inputs: u64, stride: u64) {
        let begin = self.place.inputs;
        while self.place.inputs < inputs && self.advance(|_, _| ()).is_some() {
            let gone = self.place.inputs.saturating_sub(begin);
            if gone.checked_rem(stride) == Some(0) {
                self.mark();
            }
        }
    }

    fn mark(&mut self) {
        if let Ok(frozen) = self.node.freeze() {
            let place = self.place;
            self.marks.push(Mark { place, frozen });
        }
        let bytes = |marks: &[Mark]| {
            marks
                .iter()
                .map(|mark| size(mark.frozen.len()))
                .sum::<u64>()
        };
        // The farthest from here goes first: steps back begin at the newest mark.
        while size(self.marks.len()) > MARKS_MAX.saturating_mul(2)
            || bytes(&self.marks) > MARKS_BYTES_MAX
        {
            self.marks.remove(0);
        }
    }

    /// Goes back to the latest snapshot that will do: one on the way, or that of a segment.
    fn return_to(&mut self, will_do: impl Fn(&Place) -> bool, segment: usize) {
        self.stuck = false;
        // Marks beyond the place are of no use: they are left anew on the way forwards.
        self.marks.retain(|mark| will_do(&mark.place));
        let mark = self
            .marks
            .last()
            .filter(|mark| mark.place.segment >= segment);
        let (place, node) = if let Some(mark) = mark {
            (mark.place, Node::thaw(&mark.frozen, &self.tape))
        } else {
            let before = self.segments.iter().take(segment);
            let inputs = before
                .map(|before| before.head.inputs)
                .fold(0, u64::saturating_add);
            let Some(found) = self.segments.get(segment) else {
                return;
            };
            let place = Place {
                segment,
                offset: 0,
                at: found.head.from,
                inputs,
                said: Digest::default(),
            };
            let frozen = self.bytes.get(found.snapshot.clone()).unwrap_or_default();
            (place, Node::thaw(frozen, &self.tape))
        };
        self.place = place;
        match node {
            Ok(node) => {
                self.node = node;
                // At the begin of a segment its own snapshot has a hash to compare with; a mark has
                // none.
                if place.offset == 0 {
                    self.check_snapshot();
                }
                self.settle();
            }
            Err(error) => self.differ(What::Unreadable, "a snapshot".into(), error.to_string()),
        }
    }

    fn reader(&self) -> Reader<'_> {
        let entries = self.segments.get(self.place.segment);
        let entries = entries.and_then(|found| self.bytes.get(found.entries.clone()));
        Reader::new(
            entries
                .and_then(|bytes| bytes.get(self.place.offset..))
                .unwrap_or_default(),
        )
    }

    /// The entry that comes next, taken.
    fn take(&mut self) -> Option<(Time, Entry)> {
        let mut reader = self.reader();
        let left = reader.left();
        let taken = reader.next()?;
        let read = left.saturating_sub(reader.left());
        match taken {
            Ok((since, entry)) => {
                self.place.offset = self.place.offset.saturating_add(read);
                Some((self.place.at + since, entry))
            }
            Err(_) => {
                self.differ(What::Unreadable, "an input".into(), "nothing".into());
                None
            }
        }
    }

    /// One input; answers what `look` says of it and of the node before.
    fn advance<T>(&mut self, look: impl FnOnce(&Node, Option<&NodeInput>) -> T) -> Option<T> {
        if self.stuck {
            return None;
        }
        let (at, entry) = self.take()?;
        let Entry::Input { input, signatures } = entry else {
            // Checks are taken by `settle`, so this entry is an input.
            return None;
        };
        let looked = look(&self.node, input.as_deref());
        // The node has no key: it signs with what the recorded one made for this very input.
        self.tape.load(&signatures);
        self.place.at = at;
        match input {
            None => self.node.handle_timeout(at),
            Some(input) => self.node.handle_input(at, *input),
        }
        // Outputs go nowhere: what they led to is recorded as later inputs.
        while let Some(output) = self.node.poll_output() {
            self.place.said.add(&output);
        }
        self.place.inputs = self.place.inputs.saturating_add(1);
        // More or fewer signatures: the node did something else, even if it said nothing yet.
        if !self.tape.is_used_up() {
            let (recorded, made) = (signatures.len(), self.tape.taken());
            self.differ(What::Signatures, recorded.to_string(), made.to_string());
        }
        self.settle();
        Some(looked)
    }

    /// Takes the checks up to the next input, over the borders of segments.
    fn settle(&mut self) {
        while !self.stuck {
            if self.reader().left() == 0 {
                if !self.enter_next_segment() {
                    return;
                }
                continue;
            }
            let before = self.place.offset;
            match self.take() {
                Some((_, Entry::Said(said))) if said != self.place.said => {
                    let (recorded, replayed) = (said.0, self.place.said.0);
                    self.differ(
                        What::Said,
                        format!("{recorded:016x}"),
                        format!("{replayed:016x}"),
                    );
                }
                Some((_, Entry::Said(_))) => self.passed(before),
                Some((_, Entry::State(hash))) => self.check_state(hash, before),
                Some((_, Entry::Input { .. })) => {
                    // Put back: an input is given by `advance`, when it is wanted.
                    self.place.offset = before;
                    return;
                }
                None => return,
            }
        }
    }

    fn enter_next_segment(&mut self) -> bool {
        let next = self.place.segment.saturating_add(1);
        let Some(found) = self.segments.get(next) else {
            return false;
        };
        // The node goes on as it is: the next snapshot is only compared, which checks the whole
        // segment before it.
        self.place = Place {
            segment: next,
            offset: 0,
            at: found.head.from,
            inputs: self.place.inputs,
            said: Digest::default(),
        };
        self.check_snapshot();
        true
    }

    /// Whether the node is as the snapshot of the segment that begins says.
    fn check_snapshot(&mut self) {
        if let Some(found) = self.segments.get(self.place.segment) {
            // No entry has this offset, so the snapshot counts as a check of its own.
            self.check_state(found.head.hash, usize::MAX);
        }
    }

    fn check_state(&mut self, recorded: Hash, offset: usize) {
        let replayed = self.node.freeze().map(|frozen| state_hash(&frozen));
        if replayed == Ok(recorded) {
            self.passed(offset);
        } else {
            let replayed = replayed.unwrap_or(Hash::ZERO);
            self.differ(What::State, recorded.to_string(), replayed.to_string());
        }
    }

    fn passed(&mut self, offset: usize) {
        // A set, as going back passes the same checks again.
        self.checked.insert((self.place.segment, offset));
    }

    fn differ(&mut self, what: What, recorded: String, replayed: String) {
        self.stuck = true;
        let mismatch = Mismatch {
            at: self.place.at,
            inputs: self.place.inputs,
            what,
            recorded,
            replayed,
        };
        let known = self.mismatch.as_ref();
        // The earliest one: what differs later follows from it.
        if known.is_none_or(|known| known.inputs > mismatch.inputs) {
            self.mismatch = Some(mismatch);
        }
    }
}

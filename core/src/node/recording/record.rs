//! A node with its recorder: started, stopped, saved.

use crate::{
    kernel::{
        machine::Output,
        time::{Time, WallTime},
    },
    node::{
        contract::Event,
        envelope::Envelope,
        machine::Node,
        recording::{
            entry::NodeInput,
            file::{About, Saving},
            recorder::{Recorder, Stopped},
        },
    },
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use serde::{Deserialize, Serialize};

/// How a node's recording is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingStatus {
    /// Whether inputs are being recorded.
    pub running: bool,
    /// The wall clock where the oldest snapshot was taken.
    pub begins_at_ms: Option<WallTime>,
    /// How long a time the recording holds, in milliseconds.
    pub held_ms: u64,
    /// Inputs that are kept.
    pub inputs: u64,
    /// Bytes that are kept.
    pub bytes: u64,
    /// The most bytes that are kept; older inputs are dropped.
    pub bytes_max: u64,
    /// Segments that are kept: a snapshot each, with the inputs after it.
    pub segments: u64,
    /// Segments that were dropped, the oldest first.
    pub dropped: u64,
    /// Why it is not running.
    pub reason: Option<String>,
}

impl Node {
    /// Records every input from now on, in a ring of at most `bytes_max` bytes (at least
    /// [`BYTES_MAX_MIN`]) and one input. What was recorded before is forgotten, unless it still runs:
    /// then nothing changes. A replayed node is not recorded.
    ///
    /// [`BYTES_MAX_MIN`]: super::BYTES_MAX_MIN
    pub fn start_recording(&mut self, bytes_max: u64) {
        // A replayed node has no key, so there is nothing to leave on a tape.
        if self.is_recording() || self.keypair.is_blind() {
            return;
        }
        let recorder = Box::new(Recorder::new(bytes_max));
        for keypair in self.keypairs() {
            keypair.leave_on(Some(&recorder.tape));
        }
        self.recorder = Some(recorder);
    }

    /// Records no more. What was recorded is kept, to be saved.
    pub fn stop_recording(&mut self) {
        let Some(mut recorder) = self.recorder.take() else {
            return;
        };
        // The last check: a replay compares the state at its very end.
        recorder.note_state(self);
        recorder.stop(Stopped::Asked);
        self.recorder = Some(recorder);
        for keypair in self.keypairs() {
            keypair.leave_on(None);
        }
    }

    /// Whether inputs are being recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        let recorder = self.recorder.as_ref();
        recorder.is_some_and(|recorder| recorder.stopped().is_none())
    }

    /// How the recording is; all zero if there was none.
    #[must_use]
    pub fn recording_status(&self) -> RecordingStatus {
        let Some(recorder) = &self.recorder else {
            return RecordingStatus::default();
        };
        let first = recorder.segments().next();
        let last = recorder.segments().last();
        let held = first
            .zip(last)
            .map(|(first, last)| last.head.to.since(first.head.from));
        RecordingStatus {
            running: recorder.stopped().is_none(),
            begins_at_ms: first.map(|first| first.head.wall),
            held_ms: held.map_or(0, crate::kernel::time::millis),
            inputs: recorder
                .segments()
                .fold(0, |sum, segment| sum.saturating_add(segment.head.inputs)),
            bytes: recorder.bytes(),
            bytes_max: recorder.bytes_max,
            segments: super::segment::size(recorder.segments().count()),
            dropped: recorder.dropped(),
            reason: recorder.stopped().map(|why| why.to_string()),
        }
    }

    /// What is recorded until now, to be written to a file; `None` if nothing is.
    ///
    /// Cheap: it shares what is recorded; turning it into bytes ([`Saving::write`]) is for another
    /// thread.
    pub fn save_recording(&mut self) -> Option<Saving> {
        let mut recorder = self.recorder.take()?;
        // So that a replay of the file ends with a check of the state.
        recorder.note_state(self);
        let segments = recorder.share();
        self.recorder = Some(recorder);
        (!segments.is_empty()).then(|| Saving::new(About::of(self), segments))
    }

    pub(in crate::node) fn record_before(&mut self, now: Time, input: Option<&NodeInput>) {
        // Taken out and put back: it reads the whole node, which it is itself a part of.
        if let Some(mut recorder) = self.recorder.take() {
            recorder.before(self, now, input);
            self.recorder = Some(recorder);
        }
    }

    pub(in crate::node) fn record_after(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.after();
        }
    }

    pub(in crate::node) fn record_output(&mut self, output: Option<&Output<Envelope, Event>>) {
        let recorder = self.recorder.as_mut();
        if let Some((open, output)) = recorder
            .and_then(|recorder| recorder.open_mut())
            .zip(output)
        {
            open.said.add(output);
        }
    }
}

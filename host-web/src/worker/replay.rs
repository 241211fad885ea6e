//! A recording's node in place of a running one: it goes to where the page wants it, and shows itself.
//!
//! A long way is gone in strides, so that the page sees it move and can turn elsewhere.

use crate::{
    protocol::{Failure, FromWorker, Go, MEMBERS_SHOWN_MAX, Replayed, Snapshot},
    worker::scope::Scope,
};
use core::time::Duration;
use sporenet_core::{
    kernel::time::Time,
    node::recording::{Mismatch, RecordingStatus, Replay, Step},
};
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};
use wasm_bindgen::{JsCast, prelude::*};

/// How long one stride may take before the page is shown how far it is.
const STRIDE: Duration = Duration::from_millis(60);
/// Inputs between two looks at the clock.
const INPUTS_AT_ONCE: u32 = 32;

/// A replay under a page's hand.
pub(crate) struct Replaying {
    scope: Scope,
    replay: RefCell<Replay>,
    state: RefCell<State>,
    on_stride: Closure<dyn FnMut()>,
}

impl core::fmt::Debug for Replaying {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Replaying")
    }
}

#[derive(Debug, Default)]
struct State {
    /// Where a long way ends.
    to: Option<Time>,
    /// What came in last.
    input: String,
    timer: Option<i32>,
}

/// Opens a recording and goes through it to its end, which checks it.
pub(crate) fn open(scope: &Scope, bytes: Vec<u8>) -> Result<Rc<Replaying>, Failure> {
    let replay = Replay::open(bytes).map_err(|error| Failure::new("bad_recording", error))?;
    let end = replay.span().1;
    let replaying = Rc::new_cyclic(|me: &Weak<Replaying>| {
        let me = me.clone();
        let on_stride = Closure::<dyn FnMut()>::new(move || {
            if let Some(replaying) = me.upgrade() {
                replaying.stride();
            }
        });
        Replaying {
            scope: scope.clone(),
            replay: RefCell::new(replay),
            state: RefCell::default(),
            on_stride,
        }
    });
    replaying.state.borrow_mut().to = Some(end);
    replaying.stride();
    Ok(replaying)
}

impl Replaying {
    /// Goes where the page wants it.
    pub(crate) fn go(&self, go: Go) {
        {
            let mut state = self.state.borrow_mut();
            let mut replay = self.replay.borrow_mut();
            state.to = None;
            match go {
                Go::To(to) => {
                    let to = Time::from_micros(to);
                    // Back is a snapshot and a part of the way; on is gone in strides.
                    if to < replay.now() {
                        replay.seek(to);
                        state.input = String::from("moved back");
                    } else {
                        state.to = Some(to);
                    }
                }
                Go::Inputs(steps) => go_inputs(&mut replay, &mut state, steps),
                Go::Entry { on: true } => next_entry(&mut replay, &mut state),
                Go::Entry { on: false } => entry_back(&mut replay, &mut state),
            }
        }
        self.stride();
    }

    /// Goes on for a while, shows where it is, and comes back if that is not the end.
    fn stride(&self) {
        let mut state = self.state.borrow_mut();
        let mut replay = self.replay.borrow_mut();
        // One stride at a time: what the page asked now replaces the way before.
        if let Some(timer) = state.timer.take() {
            self.scope.cancel(timer);
        }
        if let Some(to) = state.to {
            let until = self.scope.now() + STRIDE;
            let is_there = loop {
                if walk(&mut replay, &mut state, to) {
                    break true;
                }
                if self.scope.now() >= until {
                    break false;
                }
            };
            if is_there {
                state.to = None;
            } else {
                let again = self.on_stride.as_ref().unchecked_ref();
                // Over the event loop, so that the page's messages get their turn.
                state.timer = self.scope.after(Duration::ZERO, again);
            }
        }
        self.show(&replay, &state);
    }

    fn show(&self, replay: &Replay, state: &State) {
        let (node, now) = (replay.node(), replay.now());
        let mut members = node.members(now);
        members.truncate(MEMBERS_SHOWN_MAX);
        let (from, to) = replay.span();
        let outcome = replay.outcome();
        self.scope.post(&FromWorker::Snapshot(Box::new(Snapshot {
            wall_ms: node.wall_now().as_millis(),
            status: node.status(now),
            joining: node.join_trouble(),
            members: Some(members),
            edges: Some(node.edges()),
            connections: node.connections(now),
            vitals: Some(Vec::new()),
            paths: Some(Vec::new()),
            charts: Vec::new(),
            health: Some(Vec::new()),
            alerts: node.alert_views(),
            incidents: node.incident_views(),
            silences: node.silence_views(),
            channels: node.channel_views(),
            settings: node.setting_views(),
            timeline: node.timeline_since(0).entries,
            namespaces: Vec::new(),
            recording: RecordingStatus::default(),
        })));
        self.scope.post(&FromWorker::Replayed(Ok(Box::new(Replayed {
            program: replay.about().version.clone(),
            from_us: from.as_micros(),
            to_us: to.as_micros(),
            at_us: now.as_micros(),
            input: state.input.clone(),
            inputs: replay.position(),
            checks: outcome.checks,
            mismatch: outcome.mismatch.map(|mismatch| told(&mismatch)),
            busy: state.to.is_some(),
            state_hash: replay.state_hash().to_string(),
        }))));
    }
}

/// Some inputs on the way to a moment; answers whether it is reached.
fn walk(replay: &mut Replay, state: &mut State, to: Time) -> bool {
    for _ in 0..INPUTS_AT_ONCE {
        if replay.now() >= to {
            return true;
        }
        match replay.step() {
            // Only giving an input shows its time here: one that is too late is taken back.
            Some(step) if step.at > to => {
                replay.step_back();
                return true;
            }
            Some(step) => state.input = step.what,
            None => return true,
        }
    }
    false
}

fn go_inputs(replay: &mut Replay, state: &mut State, steps: i32) {
    for _ in 0..steps {
        let Some(step) = replay.step() else { return };
        state.input = step.what;
    }
    if let Some(target) = replay
        .position()
        .checked_sub(u64::from(steps.min(0).unsigned_abs()))
        && steps < 0
    {
        // The input before is given again, so that it can be named.
        replay.go_to(target.saturating_sub(1));
        state.input = replay.step().map_or_else(String::new, |step| step.what);
    }
}

fn next_entry(replay: &mut Replay, state: &mut State) {
    while let Some(Step { what, told, .. }) = replay.step() {
        state.input = what;
        if !told.is_empty() {
            return;
        }
    }
}

/// To just before the newest entry of the timeline.
fn entry_back(replay: &mut Replay, state: &mut State) {
    let entries = replay.node().timeline_since(0).entries;
    let Some(newest) = entries.last().map(|entry| entry.at) else {
        return;
    };
    replay.seek(Time::from_micros(newest.as_micros().saturating_sub(1)));
    state.input = String::from("moved back");
}

fn told(mismatch: &Mismatch) -> String {
    format!(
        "{} after input {} ({} recorded, {} here)",
        mismatch.what, mismatch.inputs, mismatch.recorded, mismatch.replayed
    )
}

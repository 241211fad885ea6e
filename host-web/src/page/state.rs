//! What the page knows. It decides nothing: notices of the worker go in, views read.

use crate::{
    client::{Client, Notice},
    page::{data::Browser, dom},
    protocol::{Failure, Phase, Snapshot},
};
use sporenet_core::{
    kernel::id::NodeId,
    node::{
        joining::JoinTrouble,
        recording::RecordingStatus,
        snapshot::{
            Connection, Edge, Member, NodeHealth, NodeVitals, PathView, SeriesPoints, Status,
            TimelineEntry, Verdict,
        },
    },
};
use std::{collections::BTreeMap, rc::Rc};

/// The most timeline entries that the page keeps.
const TIMELINE_MAX: usize = 400;

/// Names under which the tab keeps things across reloads.
const KEPT_SLOT: &str = "sporenet.slot";
pub(crate) const KEPT_LINK: &str = "sporenet.link";

/// What is wrong beside the mesh itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The worker did not start, and is started again.
    NotStarted(String),
    /// The worker crashed and starts again.
    Crashed(String),
    /// Storage is gone.
    Storage(String),
}

/// Everything that views read.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) volatile: Option<String>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) link_error: Option<Failure>,
    pub(crate) status: Option<Status>,
    pub(crate) joining: Option<JoinTrouble>,
    /// Worst first.
    pub(crate) members: Vec<Member>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) vitals: Vec<NodeVitals>,
    pub(crate) paths: Vec<PathView>,
    pub(crate) charts: Vec<SeriesPoints>,
    pub(crate) health: Vec<NodeHealth>,
    /// Newest first.
    pub(crate) timeline: Vec<TimelineEntry>,
    pub(crate) namespaces: Vec<(String, u64)>,
    pub(crate) online: bool,
    /// The wall clock at the last snapshot.
    pub(crate) now_ms: u64,
    pub(crate) client: Option<Rc<Client>>,
    pub(crate) browser: Browser,
    pub(crate) recording: RecordingStatus,
    pub(crate) replaying: Option<crate::page::replay::Replaying>,
    /// The members' names by identity.
    names: BTreeMap<String, String>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Loading,
            volatile: None,
            trouble: None,
            link_error: None,
            status: None,
            joining: None,
            members: Vec::new(),
            edges: Vec::new(),
            connections: Vec::new(),
            vitals: Vec::new(),
            paths: Vec::new(),
            charts: Vec::new(),
            health: Vec::new(),
            timeline: Vec::new(),
            namespaces: Vec::new(),
            online: true,
            now_ms: dom::wall_ms(),
            client: None,
            browser: Browser::default(),
            recording: RecordingStatus::default(),
            replaying: None,
            names: BTreeMap::new(),
        }
    }

    /// Takes a word of the worker.
    pub(crate) fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Phase(phase) => self.take_phase(phase),
            Notice::Snapshot(snapshot) => self.take_snapshot(*snapshot),
            Notice::Replayed(replayed) => {
                if let Some(replaying) = &mut self.replaying {
                    match replayed {
                        Ok(now) => replaying.now = Some(*now),
                        Err(error) => replaying.error = Some(error),
                    }
                }
            }
            Notice::Crashed {
                why,
                again_in_ms: _,
            } => {
                self.trouble = Some(match self.status {
                    Some(_) => Trouble::Crashed(why),
                    None => Trouble::NotStarted(why),
                });
            }
        }
    }

    fn take_phase(&mut self, phase: Phase) {
        match &phase {
            Phase::Running { slot, volatile } => {
                dom::keep(KEPT_SLOT, slot.map(|slot| slot.to_string()).as_deref());
                self.volatile.clone_from(volatile);
                self.link_error = None;
            }
            Phase::Admitted => {
                self.drop_used_link();
                return;
            }
            Phase::StorageLost { why } => {
                self.trouble = Some(Trouble::Storage(why.clone()));
                return;
            }
            Phase::Failed(failure) => {
                // A link that can't be used is not tried again after a reload.
                dom::keep(KEPT_LINK, None);
                self.link_error = Some(failure.clone());
            }
            Phase::Loading | Phase::NeedsLink | Phase::Departed | Phase::Fenced { .. } => {}
        }
        self.phase = phase;
    }

    fn take_snapshot(&mut self, snapshot: Snapshot) {
        let known = self.timeline.first().map(|entry| entry.id);
        let started_anew = known
            .zip(snapshot.timeline.first().map(|entry| entry.id))
            .is_some_and(|(known, new)| new <= known);
        if started_anew {
            self.timeline.clear();
        }
        let newest = snapshot.timeline.into_iter().rev();
        self.timeline.splice(0..0, newest);
        self.timeline.truncate(TIMELINE_MAX);
        if snapshot.status.verdict != Verdict::Joining {
            self.drop_used_link();
        }
        self.members = snapshot.members;
        let names = self.members.iter();
        self.names = names
            .map(|member| (member.id.clone(), member.name.to_string()))
            .collect();
        self.edges = snapshot.edges;
        self.connections = snapshot.connections;
        self.vitals = snapshot.vitals;
        self.paths = snapshot.paths;
        self.charts = snapshot.charts;
        self.health = snapshot.health;
        self.namespaces = snapshot.namespaces;
        self.recording = snapshot.recording;
        self.status = Some(snapshot.status);
        self.joining = snapshot.joining;
        if self
            .joining
            .as_ref()
            .is_some_and(|trouble| trouble.is_final)
        {
            // A link that can't be used is not tried again after a reload.
            dom::keep(KEPT_LINK, None);
        }
        self.now_ms = snapshot.wall_ms;
        if matches!(
            self.trouble,
            Some(Trouble::Crashed(_) | Trouble::NotStarted(_))
        ) {
            self.trouble = None;
        }
    }

    /// A tab that keeps an identity needs its link no more; one that keeps nothing joins anew with it.
    fn drop_used_link(&self) {
        if self.volatile.is_none() {
            dom::keep(KEPT_LINK, None);
        }
    }

    /// The name of a node, if it is known.
    pub(crate) fn name_of(&self, id: &str) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// The name of a node, or the start of its identity.
    pub(crate) fn called(&self, id: &NodeId) -> String {
        let name = self.name_of(&id.to_string()).map(str::to_owned);
        name.unwrap_or_else(|| id.short())
    }
}

/// What this tab kept: a link that did not come to use yet, and its identity slot.
pub(crate) fn kept() -> (Option<String>, Option<u32>) {
    (
        dom::kept(KEPT_LINK),
        dom::kept(KEPT_SLOT).and_then(|slot| slot.parse().ok()),
    )
}

/// Keeps a link until it came to use.
pub(crate) fn keep_link(link: &str) {
    dom::keep(KEPT_LINK, Some(link));
}

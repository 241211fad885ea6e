//! What the page knows, as signals. It decides nothing: notices of the worker go in, views read.

use crate::{
    client::{Client, Notice},
    page::dom,
    protocol::{Failure, Phase, Snapshot},
    small::SmallMap,
};
use sporenet_core::{
    kernel::id::NodeId,
    membership::join_link::JoinLink,
    node::snapshot::{Connection, Edge, Member, Status, TimelineEntry, Verdict},
};
use std::rc::Rc;
use sycamore::prelude::*;

/// The most timeline entries that the page keeps.
const TIMELINE_MAX: usize = 400;

/// Names under which the tab keeps things across reloads.
const KEPT_SLOT: &str = "sporenet.slot";
const KEPT_LINK: &str = "sporenet.link";

/// What is wrong beside the mesh itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The worker crashed and starts again.
    Crashed(String),
    /// Storage is gone.
    Storage(String),
}

/// Everything that views read.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    pub(crate) phase: Signal<Phase>,
    pub(crate) volatile: Signal<Option<String>>,
    pub(crate) trouble: Signal<Option<Trouble>>,
    pub(crate) link_error: Signal<Option<Failure>>,
    pub(crate) status: Signal<Option<Status>>,
    pub(crate) members: Signal<SmallMap<String, Member>>,
    /// Worst first.
    pub(crate) order: Signal<Vec<String>>,
    pub(crate) edges: Signal<Vec<Edge>>,
    pub(crate) connections: Signal<Vec<Connection>>,
    /// Newest first.
    pub(crate) timeline: Signal<Vec<TimelineEntry>>,
    pub(crate) namespaces: Signal<Vec<(String, u64)>>,
    pub(crate) online: Signal<bool>,
    /// The wall clock, each second.
    pub(crate) now_ms: Signal<u64>,
    pub(crate) client: Signal<Option<Rc<Client>>>,
    /// The page's reactive scope, in which words that come from outside are taken.
    scope: NodeHandle,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self {
            phase: create_signal(Phase::Loading),
            volatile: create_signal(None),
            trouble: create_signal(None),
            link_error: create_signal(None),
            status: create_signal(None),
            members: create_signal(SmallMap::new()),
            order: create_signal(Vec::new()),
            edges: create_signal(Vec::new()),
            connections: create_signal(Vec::new()),
            timeline: create_signal(Vec::new()),
            namespaces: create_signal(Vec::new()),
            online: create_signal(true),
            now_ms: create_signal(dom::wall_ms()),
            client: create_signal(None),
            scope: use_current_scope(),
        }
    }

    /// Takes a word of the worker.
    pub(crate) fn take(self, notice: Notice) {
        self.change(move || match notice {
            Notice::Phase(phase) => self.take_phase(phase),
            Notice::Snapshot(snapshot) => self.take_snapshot(*snapshot),
            Notice::Crashed {
                why,
                again_in_ms: _,
            } => {
                self.trouble.set(Some(Trouble::Crashed(why)));
            }
        });
    }

    /// Changes signals from outside a view; what depends on several is drawn once.
    pub(crate) fn change(self, change: impl FnOnce()) {
        self.scope.run_in(|| batch(change));
    }

    fn take_phase(self, phase: Phase) {
        match phase {
            Phase::Running { slot, volatile } => {
                dom::keep(KEPT_SLOT, slot.map(|slot| slot.to_string()).as_deref());
                self.volatile.set(volatile.clone());
                self.link_error.set(None);
                self.phase.set(Phase::Running { slot, volatile });
            }
            Phase::Admitted => self.drop_used_link(),
            Phase::StorageLost { why } => self.trouble.set(Some(Trouble::Storage(why))),
            Phase::Failed(failure) => {
                // A link that can't be used is not tried again after a reload.
                dom::keep(KEPT_LINK, None);
                self.link_error.set(Some(failure.clone()));
                self.phase.set(Phase::Failed(failure));
            }
            Phase::Loading | Phase::NeedsLink | Phase::Departed | Phase::Fenced { .. } => {
                self.phase.set(phase);
            }
        }
    }

    fn take_snapshot(self, snapshot: Snapshot) {
        let started_anew = self
            .timeline
            .with(|known| known.first().map(|entry| entry.id))
            .zip(snapshot.timeline.first().map(|entry| entry.id))
            .is_some_and(|(known, new)| new <= known);
        if !snapshot.timeline.is_empty() {
            self.timeline.update(|known| {
                if started_anew {
                    known.clear();
                }
                known.splice(0..0, snapshot.timeline.into_iter().rev());
                known.truncate(TIMELINE_MAX);
            });
        }
        if snapshot.status.verdict != Verdict::Joining {
            self.drop_used_link();
        }
        set_if_new(
            self.order,
            snapshot
                .members
                .iter()
                .map(|member| member.id.clone())
                .collect(),
        );
        let members = snapshot.members.into_iter();
        self.members
            .set(members.map(|member| (member.id.clone(), member)).collect());
        set_if_new(self.edges, snapshot.edges);
        set_if_new(self.connections, snapshot.connections);
        set_if_new(self.namespaces, snapshot.namespaces);
        self.status.set(Some(snapshot.status));
        self.now_ms.set(snapshot.wall_ms);
        if self
            .trouble
            .with(|trouble| matches!(trouble, Some(Trouble::Crashed(_))))
        {
            self.trouble.set(None);
        }
    }

    /// A tab that keeps an identity needs its link no more; one that keeps nothing joins anew with it.
    fn drop_used_link(self) {
        if self.volatile.with(Option::is_none) {
            dom::keep(KEPT_LINK, None);
        }
    }

    /// The name of a node, or the start of its identity.
    pub(crate) fn name_of(self, id: &NodeId) -> String {
        let name = self.members.with(|members| {
            members
                .get(id.to_string().as_str())
                .map(|member| member.name.to_string())
        });
        name.unwrap_or_else(|| id.short())
    }

    /// Joins with a link, kept for this tab until the node is let in.
    pub(crate) fn join(self, link: String) {
        // A text that is no link must not stop a node that runs.
        if let Err(error) = link.parse::<JoinLink>() {
            self.link_error.set(Some(Failure::new("bad_link", error)));
            return;
        }
        if let Some(client) = self.client.get_clone() {
            self.link_error.set(None);
            self.status.set(None);
            dom::keep(KEPT_LINK, Some(&link));
            client.join(link);
        }
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

/// Views are drawn again only for what changed.
fn set_if_new<T: PartialEq>(signal: Signal<T>, value: T) {
    if signal.with(|known| *known != value) {
        signal.set(value);
    }
}

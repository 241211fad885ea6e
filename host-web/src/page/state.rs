//! What the page knows, as signals. It decides nothing: notices of the worker go in, views follow.
//!
//! Each part of a snapshot is a signal of its own, and is set only if it differs from what was there: what
//! did not change is not drawn anew.

use crate::{
    catalogue::{Language, Phrases, count},
    client::{Client, Notice},
    page::{
        alerts::Alarm, browser::Browser, dom, metrics::Metrics, picture::Picture, replay::Replaying,
    },
    protocol::{Failure, Phase, Snapshot},
    route::Route,
    words,
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
use sycamore::{
    prelude::*,
    reactive::{NodeHandle, use_current_scope},
};

/// The most timeline entries that the page keeps.
pub(crate) const TIMELINE_MAX: usize = 400;

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

/// What the page shows as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The node wakes up.
    Loading,
    /// A link is needed.
    Join,
    /// The node asks to be let in.
    Waiting,
    /// The node has left.
    Departed,
    /// The node is in: the views are there.
    Mesh,
    /// A recording is to be chosen.
    Choose,
}

/// Everything that views follow.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// The scope in which the page's signals live.
    scope: NodeHandle,
    pub(crate) phase: Signal<Phase>,
    pub(crate) volatile: Signal<Option<String>>,
    pub(crate) trouble: Signal<Option<Trouble>>,
    pub(crate) link_error: Signal<Option<Failure>>,
    pub(crate) status: Signal<Option<Status>>,
    pub(crate) joining: Signal<Option<JoinTrouble>>,
    /// Worst first.
    pub(crate) members: Signal<Vec<Member>>,
    pub(crate) edges: Signal<Vec<Edge>>,
    pub(crate) connections: Signal<Vec<Connection>>,
    pub(crate) vitals: Signal<Vec<NodeVitals>>,
    pub(crate) paths: Signal<Vec<PathView>>,
    pub(crate) charts: Signal<Vec<SeriesPoints>>,
    pub(crate) health: Signal<Vec<NodeHealth>>,
    /// Newest first.
    pub(crate) timeline: Signal<Vec<TimelineEntry>>,
    pub(crate) namespaces: Signal<Vec<(String, u64)>>,
    pub(crate) recording: Signal<RecordingStatus>,
    pub(crate) online: Signal<bool>,
    /// The wall clock at the last snapshot.
    pub(crate) now_ms: Signal<u64>,
    pub(crate) client: Signal<Option<Rc<Client>>>,
    pub(crate) browser: Browser,
    pub(crate) alarm: Alarm,
    pub(crate) metrics: Metrics,
    pub(crate) picture: Signal<Rc<Picture>>,
    /// Only on the replay page.
    pub(crate) replaying: Signal<Option<Replaying>>,
    pub(crate) route: Signal<Route>,
    /// The language that was chosen, if one was.
    pub(crate) chosen_language: Signal<Option<Language>>,
    /// The step of the tour that is shown.
    pub(crate) tour: Signal<Option<usize>>,
    /// Which of the two dialogs is open.
    pub(crate) palette_open: Signal<bool>,
    pub(crate) keys_open: Signal<bool>,
    /// The members' names by identity.
    pub(crate) names: ReadSignal<BTreeMap<String, String>>,
    pub(crate) stage: ReadSignal<Stage>,
}

/// Sets a signal if that changes anything.
pub(crate) fn put<T: PartialEq>(signal: Signal<T>, next: T) {
    if signal.with_untracked(|before| *before != next) {
        signal.set(next);
    }
}

/// The same for what a snapshot carries only if it is new.
fn put_told<T: PartialEq>(signal: Signal<T>, next: Option<T>) {
    if let Some(next) = next {
        put(signal, next);
    }
}

impl State {
    /// Must be called in the scope in which the whole page lives.
    pub(crate) fn new(replaying: Option<Replaying>) -> Self {
        let (phase, status) = (create_signal(Phase::Loading), create_signal(None));
        let replaying = create_signal(replaying);
        let members: Signal<Vec<Member>> = create_signal(Vec::new());
        let names = create_selector(move || {
            members.with(|members| {
                let named = members.iter();
                named
                    .map(|member| (member.id.clone(), member.name.to_string()))
                    .collect::<BTreeMap<_, _>>()
            })
        });
        let stage = create_selector(move || {
            replaying.with(|replaying| {
                phase.with(|phase| {
                    status.with(|status| stage(replaying.as_ref(), phase, status.as_ref()))
                })
            })
        });
        Self {
            scope: use_current_scope(),
            phase,
            volatile: create_signal(None),
            trouble: create_signal(None),
            link_error: create_signal(None),
            status,
            joining: create_signal(None),
            members,
            edges: create_signal(Vec::new()),
            connections: create_signal(Vec::new()),
            vitals: create_signal(Vec::new()),
            paths: create_signal(Vec::new()),
            charts: create_signal(Vec::new()),
            health: create_signal(Vec::new()),
            timeline: create_signal(Vec::new()),
            namespaces: create_signal(Vec::new()),
            recording: create_signal(RecordingStatus::default()),
            online: create_signal(true),
            now_ms: create_signal(dom::wall_ms()),
            client: create_signal(None),
            browser: Browser::new(),
            alarm: Alarm::new(),
            metrics: Metrics::new(),
            picture: create_signal(Picture::new()),
            replaying,
            route: create_signal(Route::of(&dom::fragment())),
            chosen_language: create_signal(None),
            tour: create_signal(None),
            palette_open: create_signal(false),
            keys_open: create_signal(false),
            names,
            stage,
        }
    }

    /// Changes several signals at once: views follow when all have changed.
    pub(crate) fn change(self, change: impl FnOnce()) {
        self.scope.run_in(|| batch(change));
    }

    /// The language of the page.
    pub(crate) fn language(self) -> Language {
        let chosen = self.chosen_language.get();
        chosen.unwrap_or_else(|| Language::of(&dom::browser_language()))
    }

    /// Whether this is the replay page, without tracking.
    pub(crate) fn is_replay(self) -> bool {
        self.replaying.with_untracked(Option::is_some)
    }

    /// Takes a word of the worker.
    pub(crate) fn take(self, notice: Notice) {
        self.change(|| match notice {
            Notice::Phase(phase) => self.take_phase(phase),
            Notice::Snapshot(snapshot) => self.take_snapshot(*snapshot),
            Notice::Replayed(replayed) => self.replaying.update(|replaying| {
                if let Some(replaying) = replaying {
                    match replayed {
                        Ok(now) => replaying.now = Some(*now),
                        Err(error) => replaying.error = Some(error),
                    }
                }
            }),
            Notice::Crashed {
                why,
                again_in_ms: _,
            } => {
                let is_known = self.status.with_untracked(Option::is_some);
                let trouble = if is_known {
                    Trouble::Crashed(why)
                } else {
                    Trouble::NotStarted(why)
                };
                put(self.trouble, Some(trouble));
            }
        });
    }

    fn take_phase(self, phase: Phase) {
        match &phase {
            Phase::Running { slot, volatile } => {
                dom::keep(KEPT_SLOT, slot.map(|slot| slot.to_string()).as_deref());
                put(self.volatile, volatile.clone());
                put(self.link_error, None);
            }
            Phase::Admitted => {
                self.drop_used_link();
                return;
            }
            Phase::StorageLost { why } => {
                put(self.trouble, Some(Trouble::Storage(why.clone())));
                return;
            }
            Phase::Failed(failure) => {
                // A link that can't be used is not tried again after a reload.
                dom::keep(KEPT_LINK, None);
                put(self.link_error, Some(failure.clone()));
            }
            Phase::Loading | Phase::NeedsLink | Phase::Departed | Phase::Fenced { .. } => {}
        }
        put(self.phase, phase);
    }

    fn take_snapshot(self, snapshot: Snapshot) {
        if !snapshot.timeline.is_empty() {
            self.timeline
                .update(|timeline| take_entries(timeline, snapshot.timeline));
        }
        if snapshot.status.verdict != Verdict::Joining {
            self.drop_used_link();
        }
        if snapshot
            .joining
            .as_ref()
            .is_some_and(|joining| joining.is_final)
        {
            // A link that can't be used is not tried again after a reload.
            dom::keep(KEPT_LINK, None);
        }
        put_told(self.members, snapshot.members);
        put_told(self.edges, snapshot.edges);
        put(self.connections, snapshot.connections);
        put_told(self.vitals, snapshot.vitals);
        put_told(self.paths, snapshot.paths);
        put(self.charts, snapshot.charts);
        if let Some(health) = &snapshot.health {
            self.metrics.take_health(snapshot.wall_ms, health);
        }
        put_told(self.health, snapshot.health);
        if !self.is_replay() {
            self.alarm.hear(&snapshot.incidents);
        }
        self.alarm.take_wrong(snapshot.alerts, snapshot.incidents);
        self.alarm
            .take_followed(snapshot.silences, snapshot.channels, snapshot.settings);
        put(self.namespaces, snapshot.namespaces);
        put(self.recording, snapshot.recording);
        put(self.status, Some(snapshot.status));
        put(self.joining, snapshot.joining);
        put(self.now_ms, snapshot.wall_ms);
        let trouble = self.trouble.get_clone_untracked();
        if matches!(trouble, Some(Trouble::Crashed(_) | Trouble::NotStarted(_))) {
            self.trouble.set(None);
        }
    }

    /// A tab that keeps an identity needs its link no more; one that keeps nothing joins anew with it.
    fn drop_used_link(self) {
        if self.volatile.with_untracked(Option::is_none) {
            dom::keep(KEPT_LINK, None);
        }
    }

    /// The name of a node, or the start of its identity; tracked.
    pub(crate) fn called(self, id: &str) -> String {
        let name = self.names.with(|names| names.get(id).cloned());
        name.unwrap_or_else(|| words::short(id).to_owned())
    }

    /// The same for an identity in bytes.
    pub(crate) fn author(self, id: &NodeId) -> String {
        self.called(&id.to_string())
    }

    /// How long ago a moment of the wall clock was; tracked.
    pub(crate) fn since(self, say: &Phrases, wall_ms: u64) -> String {
        words::ago(say, self.now_ms.get().saturating_sub(wall_ms))
    }
}

/// Puts what is new, oldest first, before what was known, newest first.
fn take_entries(timeline: &mut Vec<TimelineEntry>, new: Vec<TimelineEntry>) {
    let known = timeline.first().map(|entry| entry.id);
    let started_anew = known
        .zip(new.first().map(|entry| entry.id))
        .is_some_and(|(known, new)| new <= known);
    if started_anew {
        timeline.clear();
    }
    timeline.splice(0..0, new.into_iter().rev());
    timeline.truncate(TIMELINE_MAX);
}

fn stage(replaying: Option<&Replaying>, phase: &Phase, status: Option<&Status>) -> Stage {
    if let Some(replaying) = replaying {
        return if replaying.now.is_some() {
            Stage::Mesh
        } else {
            Stage::Choose
        };
    }
    match phase {
        Phase::Loading => Stage::Loading,
        Phase::NeedsLink | Phase::Failed(_) => Stage::Join,
        Phase::Departed => Stage::Departed,
        Phase::Running { .. }
        | Phase::Admitted
        | Phase::Fenced { .. }
        | Phase::StorageLost { .. } => match status {
            None => Stage::Loading,
            Some(status) if status.verdict == Verdict::Joining => Stage::Waiting,
            Some(_) => Stage::Mesh,
        },
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

/// What every view is given: what the page knows, and the words to say it in.
#[derive(Clone, Copy)]
pub(crate) struct App {
    pub(crate) state: State,
    pub(crate) say: &'static Phrases,
}

impl App {
    /// So many nodes, in words.
    pub(crate) fn nodes(self, number: usize) -> String {
        count(as_u64(number), (self.say.nodes_one, self.say.nodes_many))
    }

    /// So many links, in words.
    pub(crate) fn links(self, number: usize) -> String {
        count(as_u64(number), (self.say.links_one, self.say.links_many))
    }
}

/// A length as a number of protocol and phrases.
pub(crate) fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

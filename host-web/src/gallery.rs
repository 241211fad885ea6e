//! A worker that makes its snapshots up, so that every state of the console can be looked at
//! (docs/console.md). Only with the feature `gallery`; never shipped.

mod alerts;
mod crowd;
mod made_up;
mod series;
mod values;

use crate::{
    protocol::{
        self, Answer, EntryView, Failure, FromWorker, PATHS_SHOWN_MAX, Phase, Request, Snapshot,
        ToWorker,
    },
    sparing::Sparing,
    worker::scope::Scope,
};
use core::time::Duration;
use made_up::{
    cast, connections, edges, entries, entry, health, id, members, paths, text, timeline, vitals,
};
use sporenet_core::{
    kernel::{id::Role, text::Name},
    membership::member::MemberState,
    node::snapshot::{KvCounts, Member, MemberCounts, Status, Verdict},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::{JsCast, prelude::*};

struct Gallery {
    scope: Scope,
    scene: String,
    started: Cell<bool>,
    told: Cell<u64>,
    watch: RefCell<Option<u64>>,
    sparing: RefCell<Sparing>,
}

/// The gallery's worker.
#[wasm_bindgen]
#[expect(
    unreachable_pub,
    reason = "the browser calls it; `wasm_bindgen` wants it public"
)]
pub fn gallery_main(scene: String) {
    crate::report_panics();
    let Some(scope) = Scope::new() else { return };
    let gallery = Rc::new(Gallery {
        scope: scope.clone(),
        scene,
        started: Cell::new(false),
        told: Cell::new(0),
        watch: RefCell::new(None),
        sparing: RefCell::new(Sparing::new()),
    });
    let taker = Rc::clone(&gallery);
    scope.on_message(move |event| {
        let bytes = event.data().dyn_into::<js_sys::Uint8Array>();
        let message = bytes
            .ok()
            .and_then(|bytes| protocol::decode::<ToWorker>(&bytes.to_vec()));
        if let Some(message) = message {
            take(&taker, message);
        }
    });
    scope.ready();
}

fn take(gallery: &Rc<Gallery>, message: ToWorker) {
    let post = |message: FromWorker| gallery.scope.post(&message);
    match message {
        ToWorker::Start(start) => {
            let scene = gallery.scene.as_str();
            let refused = "the invite has expired; ask for a new one";
            let phase = match scene {
                "loading" => Phase::Loading,
                "link" if start.link.is_none() => Phase::NeedsLink,
                "link" | "refused" => Phase::Failed(Failure::new("bad_link", refused)),
                "volatile" => Phase::Running {
                    slot: None,
                    volatile: Some("this page came over plain HTTP from another machine, so the browser offers no locks to keep two tabs apart".into()),
                },
                _ => Phase::Running { slot: Some(0), volatile: None },
            };
            let runs = matches!(phase, Phase::Running { .. });
            post(FromWorker::Phase(phase));
            if runs && !gallery.started.replace(true) {
                tick(Rc::clone(gallery));
            }
        }
        ToWorker::Request { id, request } => answer(gallery, id, request),
        ToWorker::Visible(_)
        | ToWorker::Taken { .. }
        | ToWorker::Open(_)
        | ToWorker::Go(_)
        | ToWorker::Freeze
        | ToWorker::NetworkChanged
        | ToWorker::Unwatch { .. } => {}
    }
}

/// Answers what the console asks.
fn answer(gallery: &Gallery, id: u64, request: Request) {
    let post = |message: FromWorker| gallery.scope.post(&message);
    match request {
        Request::Watch { .. } => {
            *gallery.watch.borrow_mut() = Some(id);
            post(FromWorker::Answer {
                id,
                answer: Ok(Answer::Watching),
            });
            post(FromWorker::Watched {
                id,
                entries: shown(&gallery.scene),
                reset: true,
                more: false,
            });
        }
        Request::Write { .. } if gallery.scene == "alone" => {
            let text = "the write is stored here, but no other relay confirmed it in time; it will still be replicated";
            post(FromWorker::Answer {
                id,
                answer: Err(Failure::new("not_replicated", text)),
            });
        }
        Request::Write { key, value, .. } => {
            post(FromWorker::Answer {
                id,
                answer: Ok(Answer::Written),
            });
            if let Some(watch) = *gallery.watch.borrow() {
                let entries = vec![entry(&key, value.as_deref(), 7, 0)];
                post(FromWorker::Watched {
                    id: watch,
                    entries,
                    reset: false,
                    more: false,
                });
            }
        }
        Request::Wish(_) | Request::History { .. } | Request::DryRun { .. } => {
            let wall_ms = gallery.scope.wall().as_millis();
            if let Some(answer) = alerts::answer(&gallery.scene, wall_ms, request) {
                post(FromWorker::Answer { id, answer });
            }
        }
        Request::Series { .. } | Request::Outlook { .. } | Request::SeriesList => {
            let wall_ms = gallery.scope.wall().as_millis();
            if let Some(answer) = series::answer(&gallery.scene, wall_ms, &request) {
                post(FromWorker::Answer { id, answer });
            }
        }
        Request::Change { .. } | Request::Parts { .. } | Request::Data | Request::Compact => {
            if let Some(answer) = values::answer(&request) {
                post(FromWorker::Answer { id, answer });
            }
        }
        Request::Alerts
        | Request::Incidents
        | Request::Settings
        | Request::Get { .. }
        | Request::Close { .. }
        | Request::Members
        | Request::Status
        | Request::Recording(_)
        | Request::Leave => {}
    }
}

fn shown(scene: &str) -> Vec<EntryView> {
    let mut all = Vec::new();
    if scene != "empty" {
        all.extend(entries());
        all.extend(values::entries());
    }
    all
}

fn tick(gallery: Rc<Gallery>) {
    let snapshot = snapshot(&gallery);
    gallery
        .scope
        .post(&FromWorker::Snapshot(Box::new(snapshot)));
    let scope = gallery.scope.clone();
    let again = Closure::once_into_js(move || tick(gallery));
    let _ = scope.after(Duration::from_secs(1), again.unchecked_ref());
}

fn snapshot(gallery: &Gallery) -> Snapshot {
    let now = gallery.scope.now().as_millis();
    let wall_ms = gallery.scope.wall().as_millis();
    let cast = cast(&gallery.scene);
    let told = gallery.told.replace(9);
    let members = members(&gallery.scene, now, &cast);
    let (mut edges, mut paths) = (edges(&cast), paths(&cast));
    let mut vitals: Vec<_> = cast.iter().map(vitals).collect();
    let mut health: Vec<_> = cast.iter().map(health).collect();
    if gallery.scene == "crowd" {
        let more = crowd::edges();
        paths.extend(crowd::paths(&members, &more));
        paths.truncate(PATHS_SHOWN_MAX);
        edges.extend(more);
        vitals = crowd::vitals(&members, &vitals);
        health = crowd::health(&members, &health);
    }
    let is_long_due = gallery
        .sparing
        .borrow_mut()
        .is_due(gallery.scope.now(), &members, &edges);
    Snapshot {
        wall_ms,
        joining: None,
        status: status(&gallery.scene, now, &members),
        members: is_long_due.then_some(members),
        edges: is_long_due.then_some(edges),
        connections: connections(&gallery.scene, now),
        vitals: is_long_due.then_some(vitals),
        paths: is_long_due.then_some(paths),
        charts: series::charts(&gallery.scene, wall_ms),
        health: is_long_due.then_some(health),
        alerts: alerts::alerts(&gallery.scene, wall_ms),
        incidents: alerts::incidents(&gallery.scene, wall_ms),
        silences: alerts::silences(&gallery.scene, wall_ms),
        channels: alerts::channels(&gallery.scene),
        settings: alerts::settings(wall_ms),
        timeline: if told == 0 {
            timeline(&gallery.scene, wall_ms)
        } else {
            Vec::new()
        },
        namespaces: if gallery.scene == "empty" {
            Vec::new()
        } else {
            vec![
                ("garden".into(), 6),
                ("notes".into(), 1_240),
                ("settings".into(), 38),
            ]
        },
        recording: sporenet_core::node::recording::RecordingStatus::default(),
    }
}

fn status(scene: &str, now: u64, members: &[Member]) -> Status {
    let count = |wanted: MemberState| {
        u32::try_from(members.iter().filter(|one| one.state == wanted).count()).unwrap_or(0)
    };
    let (verdict, reasons): (_, &[&str]) = match scene {
        "alone" => (
            Verdict::Isolated,
            &[
                "no relay answers since 1 min",
                "3 relays are known and redialled",
            ],
        ),
        "outage" => (
            Verdict::Degraded,
            &[
                "attic is dead since 8 s: links reset and redial refused",
                "<img src=x onerror=alert(1)> does not answer",
            ],
        ),
        _ => (
            Verdict::Healthy,
            &["every member answers or announced its absence"],
        ),
    };
    Status {
        id: id(7).to_string(),
        name: text::<64>("Chrome on Linux #1") as Name,
        network: "7d1fc2a09b".repeat(6) + "7d1f",
        version: env!("CARGO_PKG_VERSION").into(),
        role: Role::Tab,
        incarnation: 9,
        verdict,
        reasons: reasons.iter().map(|reason| (*reason).into()).collect(),
        mode: "normal".into(),
        members: MemberCounts {
            alive: count(MemberState::Alive),
            suspect: count(MemberState::Suspect),
            dead: count(MemberState::Dead),
            left: count(MemberState::Left),
            parked: count(MemberState::Parked),
        },
        kv: KvCounts {
            keys: 1_284,
            batches: 312,
        },
        uptime_s: 402 + now / 1_000,
        clock_ahead_ms: Some(3),
    }
}

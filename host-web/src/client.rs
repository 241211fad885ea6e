//! A page's end of the worker: requests, watches, and a new worker after a crash.
//!
//! A wasm instance that panicked is unusable. The page hears of it as the worker's `error` event,
//! ends the worker, starts another, which recovers from the browser's storage, and says so.

use crate::protocol::{
    self, Answer, EntryView, Failure, FromWorker, Phase, Request, Snapshot, Start, ToWorker,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, Worker};

/// The shortest and longest wait before a crashed worker is started again; doubled in between.
const RESPAWN_MS: (i32, i32) = (250, 30_000);
/// A worker that ran this long without a crash starts over at the shortest wait.
const STEADY_MS: f64 = 60_000.0;

/// What a page is told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// How far the node is.
    Phase(Phase),
    /// The node as it is now.
    Snapshot(Box<Snapshot>),
    /// Where a replay is, or why it can't be.
    Replayed(Result<Box<protocol::Replayed>, Failure>),
    /// The worker crashed; another one starts after this many milliseconds.
    Crashed {
        /// What the browser said.
        why: String,
        /// The wait.
        again_in_ms: i32,
    },
}

/// What a watch saw: entries, whether they are all there are, whether rows were left out.
pub type OnWatched = Rc<dyn Fn(Vec<EntryView>, bool, bool)>;
type OnAnswer = Box<dyn FnOnce(Result<Answer, Failure>)>;

/// A page's end of the worker.
pub struct Client {
    spawn: js_sys::Function,
    notice: Box<dyn Fn(Notice)>,
    start: RefCell<Start>,
    worker: RefCell<Option<Running>>,
    next_id: Cell<u64>,
    answers: RefCell<BTreeMap<u64, OnAnswer>>,
    watches: RefCell<BTreeMap<u64, (Request, OnWatched)>>,
    respawn_ms: Cell<i32>,
    crashes: Cell<u32>,
    started: Cell<bool>,
    /// The recording to replay, in place of a node.
    recording: RefCell<Option<Vec<u8>>>,
}

struct Running {
    worker: Worker,
    ready: bool,
    since_ms: f64,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Client({} answers awaited)", self.answers.borrow().len())
    }
}

impl Client {
    /// Starts a worker through `spawn`, which answers a `Worker`, and tells `notice` what it says.
    #[must_use]
    pub fn new(
        spawn: js_sys::Function,
        start: Start,
        notice: impl Fn(Notice) + 'static,
    ) -> Rc<Self> {
        let client = Rc::new(Self {
            spawn,
            notice: Box::new(notice),
            start: RefCell::new(start),
            worker: RefCell::new(None),
            next_id: Cell::new(1),
            answers: RefCell::default(),
            watches: RefCell::default(),
            respawn_ms: Cell::new(RESPAWN_MS.0),
            crashes: Cell::new(0),
            started: Cell::new(false),
            recording: RefCell::default(),
        });
        client.spawn_worker();
        listen_to_page(&client);
        client
    }

    /// Starts a worker that replays a recording.
    #[must_use]
    pub fn replay(
        spawn: js_sys::Function,
        recording: Vec<u8>,
        notice: impl Fn(Notice) + 'static,
    ) -> Rc<Self> {
        let client = Self::new(spawn, Start::default(), notice);
        *client.recording.borrow_mut() = Some(recording);
        client
    }

    /// Goes to another moment of the recording.
    pub fn go(&self, go: protocol::Go) {
        self.post(&ToWorker::Go(go));
    }

    /// How often the worker crashed since the page was loaded.
    #[must_use]
    pub fn crashes(&self) -> u32 {
        self.crashes.get()
    }

    /// Starts with a join link; a node that runs is started anew, and comes back as it was if it
    /// belongs to that network already.
    pub fn join(self: &Rc<Self>, link: String) {
        let start = {
            let mut start = self.start.borrow_mut();
            start.link = Some(link);
            start.clone()
        };
        if self.started.replace(false) {
            if let Some(running) = self.worker.borrow_mut().take() {
                running.worker.terminate();
            }
            self.fail_all("starting", "the node is starting again with another link");
            self.spawn_worker();
        } else {
            self.post(&ToWorker::Start(start));
        }
    }

    /// Asks; `then` gets the answer, or a refusal when the worker crashes before.
    pub fn ask(&self, request: Request, then: impl FnOnce(Result<Answer, Failure>) + 'static) {
        let id = self.new_id();
        self.answers.borrow_mut().insert(id, Box::new(then));
        self.post(&ToWorker::Request { id, request });
    }

    /// Follows a namespace until [`Client::unwatch`]; goes on in a new worker after a crash.
    pub fn watch(
        &self,
        request: Request,
        watched: OnWatched,
        then: impl FnOnce(Result<Answer, Failure>) + 'static,
    ) -> u64 {
        let id = self.new_id();
        self.answers.borrow_mut().insert(id, Box::new(then));
        let again = request.clone();
        self.watches.borrow_mut().insert(id, (again, watched));
        self.post(&ToWorker::Request { id, request });
        id
    }

    /// Ends a watch.
    pub fn unwatch(&self, id: u64) {
        if self.watches.borrow_mut().remove(&id).is_some() {
            self.post(&ToWorker::Unwatch { id });
        }
    }

    /// Ends the worker without a word to the mesh; the browser closes its connections.
    pub fn end(&self) {
        if let Some(running) = self.worker.borrow_mut().take() {
            running.worker.terminate();
        }
        self.fail_all("closed", "the node was closed");
    }

    fn new_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        id
    }

    /// Before the worker listens, everything is held back and sent by [`Client::on_ready`] anew.
    fn post(&self, message: &ToWorker) {
        let worker = self.worker.borrow();
        let Some(running) = worker.as_ref().filter(|running| running.ready) else {
            drop(worker);
            if let ToWorker::Request { id, .. } = message
                && !self.watches.borrow().contains_key(id)
            {
                self.answer(
                    *id,
                    Err(Failure::new("starting", "the node is still starting")),
                );
            }
            return;
        };
        let bytes = js_sys::Uint8Array::from(protocol::encode(message).as_slice());
        let transfer = js_sys::Array::of1(&bytes.buffer());
        let _ = running.worker.post_message_with_transfer(&bytes, &transfer);
    }

    fn spawn_worker(self: &Rc<Self>) {
        let spawned = self.spawn.call0(&JsValue::UNDEFINED);
        let Some(worker) = spawned
            .ok()
            .and_then(|worker| worker.dyn_into::<Worker>().ok())
        else {
            self.on_crash("the browser does not start a worker");
            return;
        };
        let me = Rc::downgrade(self);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(client) = me.upgrade() {
                client.on_message(&event);
            }
        });
        let me = Rc::downgrade(self);
        let on_error = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
            if let Some(client) = me.upgrade() {
                let error = event.dyn_ref::<web_sys::ErrorEvent>();
                let why = error.map(web_sys::ErrorEvent::message);
                client.on_crash(
                    &why.filter(|why| !why.is_empty())
                        .unwrap_or_else(|| "its script could not be loaded".into()),
                );
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        *self.worker.borrow_mut() = Some(Running {
            worker,
            ready: false,
            since_ms: js_sys::Date::now(),
            _on_message: on_message,
            _on_error: on_error,
        });
    }

    fn on_message(&self, event: &MessageEvent) {
        let Ok(bytes) = event.data().dyn_into::<js_sys::Uint8Array>() else {
            self.on_ready();
            return;
        };
        match protocol::decode::<FromWorker>(&bytes.to_vec()) {
            Some(FromWorker::Phase(phase)) => self.on_phase(phase),
            Some(FromWorker::Snapshot(snapshot)) => (self.notice)(Notice::Snapshot(snapshot)),
            Some(FromWorker::Answer { id, answer }) => self.answer(id, answer),
            Some(FromWorker::Replayed(replayed)) => (self.notice)(Notice::Replayed(replayed)),
            Some(FromWorker::Watched {
                id,
                entries,
                reset,
                more,
            }) => {
                let watch = self
                    .watches
                    .borrow()
                    .get(&id)
                    .map(|(_, watched)| Rc::clone(watched));
                if let Some(watched) = watch {
                    watched(entries, reset, more);
                }
                self.post(&ToWorker::Taken { id });
            }
            None => {}
        }
    }

    fn on_ready(&self) {
        if let Some(running) = self.worker.borrow_mut().as_mut() {
            running.ready = true;
        }
        if let Some(recording) = &*self.recording.borrow() {
            self.post(&ToWorker::Open(recording.clone()));
            return;
        }
        let start = self.start.borrow().clone();
        self.post(&ToWorker::Start(start));
        let watches: Vec<_> = {
            let watches = self.watches.borrow();
            watches
                .iter()
                .map(|(id, (request, _))| (*id, request.clone()))
                .collect()
        };
        for (id, request) in watches {
            self.post(&ToWorker::Request { id, request });
        }
    }

    fn on_phase(&self, phase: Phase) {
        match &phase {
            Phase::Running { slot, .. } => {
                self.started.set(true);
                self.start.borrow_mut().slot = *slot;
            }
            Phase::Admitted => {
                self.start.borrow_mut().link = None;
                mark_member();
                ask_to_keep();
            }
            Phase::Loading
            | Phase::NeedsLink
            | Phase::Failed(_)
            | Phase::Departed
            | Phase::Fenced { .. }
            | Phase::StorageLost { .. } => {}
        }
        (self.notice)(Notice::Phase(phase));
    }

    fn on_crash(self: &Rc<Self>, why: &str) {
        let ended = self.worker.borrow_mut().take();
        self.started.set(false);
        let steady = ended
            .as_ref()
            .is_some_and(|running| js_sys::Date::now() - running.since_ms > STEADY_MS);
        if let Some(running) = ended {
            running.worker.terminate();
        }
        self.crashes.set(self.crashes.get().saturating_add(1));
        self.fail_all(
            "crashed",
            "the node stopped unexpectedly and is starting again",
        );
        let wait = if steady {
            RESPAWN_MS.0
        } else {
            self.respawn_ms.get()
        };
        self.respawn_ms
            .set(wait.saturating_mul(2).min(RESPAWN_MS.1));
        (self.notice)(Notice::Crashed {
            why: why.into(),
            again_in_ms: wait,
        });
        let me = Rc::downgrade(self);
        let again = Closure::once_into_js(move || {
            if let Some(client) = me.upgrade() {
                client.spawn_worker();
            }
        });
        after(wait, again.unchecked_ref());
    }

    fn answer(&self, id: u64, answer: Result<Answer, Failure>) {
        let then = self.answers.borrow_mut().remove(&id);
        if let Some(then) = then {
            then(answer);
        }
    }

    fn fail_all(&self, code: &str, text: &str) {
        // A watch goes on in the next worker, so its answer is still to come.
        let ids: Vec<u64> = {
            let watches = self.watches.borrow();
            let answers = self.answers.borrow();
            answers
                .keys()
                .copied()
                .filter(|id| !watches.contains_key(id))
                .collect()
        };
        for id in ids {
            self.answer(id, Err(Failure::new(code, text)));
        }
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, millis: i32) -> JsValue;
}

/// Calls `callback` once after `millis` milliseconds.
pub(crate) fn after(millis: i32, callback: &js_sys::Function) {
    let _ = set_timeout(callback, millis);
}

/// Tells the worker when the page is shown, hidden, frozen or closed, and when the network changes.
fn listen_to_page(client: &Rc<Client>) {
    let Some((window, document)) = crate::page::dom::window_and_document() else {
        return;
    };
    let listen = |target: &web_sys::EventTarget, name: &str, message: fn(bool) -> ToWorker| {
        let me = Rc::downgrade(client);
        let document = document.clone();
        let closure = Closure::<dyn FnMut()>::new(move || {
            if let Some(client) = me.upgrade() {
                let visible = !document.hidden();
                client.start.borrow_mut().visible = visible;
                client.post(&message(visible));
            }
        });
        let _ = target.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        closure.forget();
    };
    listen(&document, "visibilitychange", ToWorker::Visible);
    listen(&document, "freeze", |_| ToWorker::Freeze);
    listen(&document, "resume", ToWorker::Visible);
    listen(&window, "pagehide", |_| ToWorker::Freeze);
    listen(&window, "pageshow", ToWorker::Visible);
    listen(&window, "online", |_| ToWorker::NetworkChanged);
}

/// Notes in the browser's timeline when the node was let in: what the bench reads.
fn mark_member() {
    let window = crate::page::dom::window_and_document().map(|(window, _)| window);
    if let Some(performance) = window.and_then(|window| window.performance()) {
        // A browser that keeps no timeline has nothing to tell.
        let _ = performance.mark("sporenet.member");
    }
}

/// Asks the browser not to clear the node's data when it needs space. Only a page may ask; where the
/// page is not secure, there is nothing to ask.
fn ask_to_keep() {
    let Some((window, _)) = crate::page::dom::window_and_document() else {
        return;
    };
    let Ok(asked) = window.navigator().storage().persist() else {
        return;
    };
    wasm_bindgen_futures::spawn_local(async move {
        let kept = wasm_bindgen_futures::JsFuture::from(asked).await;
        web_sys::console::info_1(&if kept.is_ok_and(|kept| kept.is_truthy()) {
            "sporenet: the browser keeps this node's data".into()
        } else {
            "sporenet: the browser may clear this node's data when it needs space".into()
        });
    });
}

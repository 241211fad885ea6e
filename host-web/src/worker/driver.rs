//! The loop around the core: drain outputs, take the deadline after, wait for one thing, read the
//! clock once, feed one input.
//!
//! Waiting is the browser's event loop: messages of the page and of connections, finished storage, and
//! one timer all become a [`Wake`]. Every wake also runs timers that are due, so that messages drive
//! time where the browser throttles the timers of a hidden tab.

use crate::{
    protocol::{FromWorker, Phase, ToWorker},
    worker::{
        dispatcher::Dispatcher,
        link::{LOOK_INTERVAL, Links},
        scope::Scope,
        store::Store,
        vitals::Vitals,
    },
};
use core::time::Duration;
use sporenet_core::{
    kernel::{id::Ticket, store::StoreBatch, time::Time},
    node::{
        contract::{Changed, HostOutput, Notice, Signal, StoreInput, StoreOutput},
        endpoint::{Endpoint, EndpointInput, EndpointOutput},
    },
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};
use wasm_bindgen::{JsCast, prelude::*};

/// How often the core is told the wall clock.
const WALL_INTERVAL: Duration = Duration::from_secs(1);

/// How long the page may be hidden before the node parks: switching tabs for a moment is no absence.
const PARK_AFTER: Duration = Duration::from_secs(30);

/// The most timer rounds in one wake; the event loop gets a turn before the next.
const ROUNDS_MAX: u32 = 64;

/// What can wake the loop.
#[derive(Debug)]
pub enum Wake {
    /// The timer.
    Timer,
    /// A connection, the store, or a command.
    Input(EndpointInput),
    /// The page.
    Page(ToWorker),
}

/// A running node.
pub struct Driver {
    scope: Scope,
    store: Rc<Store>,
    queue: RefCell<VecDeque<Wake>>,
    running: Cell<bool>,
    timer: Cell<Option<i32>>,
    on_timer: Closure<dyn FnMut()>,
    state: RefCell<State>,
    me: Weak<Self>,
}

struct State {
    endpoint: Endpoint,
    links: Links,
    dispatcher: Dispatcher,
    batches: VecDeque<StoreBatch>,
    writing: bool,
    wall_due: Time,
    vitals: Vitals,
    hidden_at: Option<Time>,
    parked: bool,
}

impl core::fmt::Debug for Driver {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Driver({} wakes queued)", self.queue.borrow().len())
    }
}

impl Driver {
    /// Runs `endpoint` until the worker ends.
    #[must_use]
    pub fn run(
        scope: &Scope,
        endpoint: Endpoint,
        store: Store,
        visible: bool,
        snapshots: bool,
    ) -> Rc<Self> {
        let driver = Rc::new_cyclic(|me: &Weak<Self>| {
            let waker = me.clone();
            let on_timer = Closure::<dyn FnMut()>::new(move || wake(&waker, Wake::Timer));
            let waker = me.clone();
            let sink = Rc::new(move |input| wake(&waker, Wake::Input(input)));
            Self {
                scope: scope.clone(),
                store: Rc::new(store),
                queue: RefCell::default(),
                running: Cell::new(false),
                timer: Cell::new(None),
                on_timer,
                state: RefCell::new(State {
                    endpoint,
                    links: Links::new(scope.clone(), sink),
                    dispatcher: Dispatcher::new(scope.clone(), visible, snapshots),
                    batches: VecDeque::new(),
                    writing: false,
                    wall_due: Time::ZERO,
                    vitals: Vitals::default(),
                    hidden_at: (!visible).then(|| scope.now()),
                    parked: false,
                }),
                me: me.clone(),
            }
        });
        driver.wake(Wake::Timer);
        driver
    }

    /// Feeds one thing that happened, and whatever it causes here at once.
    pub fn wake(&self, wake: Wake) {
        self.queue.borrow_mut().push_back(wake);
        // Called from within, as by a connection that fails while it is told to send: the state is
        // borrowed, and the loop below takes this wake when it is done with the one before.
        if self.running.replace(true) {
            return;
        }
        let mut now = self.scope.now();
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some(wake) = next else { break };
            self.feed(now, wake);
            self.drain(now);
            self.tend(now);
            // Read once for each wake: all that it causes happens at one moment.
            now = self.scope.now();
        }
        self.running.set(false);
        self.set_timer(now);
    }

    fn feed(&self, now: Time, wake: Wake) {
        let mut state = self.state.borrow_mut();
        state.tell_wall_clock(now, &self.scope);
        state.tell_vitals(now);
        match wake {
            Wake::Timer => state.vitals.on_timer(now),
            Wake::Input(input) => state.feed_input(now, input),
            Wake::Page(message) => state.feed_page(now, message),
        }
        state.park_if_long_hidden(now);
        // Browsers tell nobody when a connection has room again, so every wake looks.
        while let Some(writable) = state.links.next_writable() {
            state.endpoint.handle_input(now, writable);
        }
        drop(state);
        for _ in 0..ROUNDS_MAX {
            // While output is queued the deadline reads as due, so it is drained first.
            self.drain(now);
            let mut state = self.state.borrow_mut();
            if state.endpoint.poll_timeout().is_none_or(|due| due > now) {
                break;
            }
            state.endpoint.handle_timeout(now);
        }
    }

    fn drain(&self, now: Time) {
        let mut state = self.state.borrow_mut();
        while let Some(output) = state.endpoint.poll_output() {
            self.put_out(&mut state, now, output);
        }
    }

    fn tend(&self, now: Time) {
        let mut state = self.state.borrow_mut();
        let State {
            dispatcher,
            endpoint,
            ..
        } = &mut *state;
        dispatcher.tend(now, endpoint);
    }

    fn put_out(&self, state: &mut State, now: Time, output: EndpointOutput) {
        let State {
            links,
            dispatcher,
            endpoint,
            ..
        } = state;
        match output {
            EndpointOutput::Connect { link, address } => {
                dispatcher.touch();
                links.connect(link, &address);
            }
            EndpointOutput::Transmit { link, message } => {
                // The endpoint then offers nothing more of this link, so the drain ends.
                if let Some(blocked) = links.transmit(link, &message) {
                    endpoint.handle_input(now, blocked);
                }
            }
            EndpointOutput::Disconnect { link, reason: _ } => {
                dispatcher.touch();
                links.disconnect(link);
            }
            EndpointOutput::Host(output) => self.put_out_to_host(state, now, output),
        }
    }

    fn put_out_to_host(&self, state: &mut State, now: Time, output: HostOutput) {
        let State {
            dispatcher,
            endpoint,
            ..
        } = state;
        match output {
            HostOutput::Store(StoreOutput::Persist(batch)) => {
                state.batches.push_back(batch);
                // One writer at a time keeps the order of tickets.
                if !core::mem::replace(&mut state.writing, true) {
                    self.start_writer();
                }
            }
            HostOutput::Store(StoreOutput::Load { ticket, sequences }) => {
                self.start_load(ticket, sequences);
            }
            HostOutput::Reply { id, reply } => dispatcher.on_reply(id, reply),
            // A tab announces no channel, so it is never asked to notify.
            HostOutput::Notify(_) => {}
            HostOutput::Changed(Changed { namespace, key, .. }) => {
                dispatcher.on_changed(now, &namespace, &key);
            }
            HostOutput::Notice(entry) => {
                dispatcher.touch();
                let phase = if entry.notice == Notice::Joined {
                    Phase::Admitted
                } else if matches!(entry.notice, Notice::Fenced(_)) {
                    let why = endpoint.node().describe(&entry).text;
                    Phase::Fenced { why }
                } else if entry.notice == Notice::Departed {
                    dispatcher.on_departed();
                    Phase::Departed
                } else {
                    return;
                };
                self.scope.post(&FromWorker::Phase(phase));
            }
        }
    }

    /// Writes batches one by one, in ticket order, until none waits. When one fails, those behind it
    /// fail too, so that the journal has no gap.
    fn start_writer(&self) {
        let me = self.me.clone();
        let store = Rc::clone(&self.store);
        wasm_bindgen_futures::spawn_local(async move {
            loop {
                let Some(driver) = me.upgrade() else { return };
                let Some(batch) = driver.next_batch() else {
                    return;
                };
                let outcome = store.write(&batch).await;
                match outcome {
                    Ok(()) => driver.tell(StoreInput::Persisted(batch.ticket)),
                    Err(error) => {
                        web_sys::console::warn_1(&error.text.into());
                        // Taken out first: telling the node of a failure may make it ask for new
                        // batches.
                        let waiting = core::mem::take(&mut driver.state.borrow_mut().batches);
                        for batch in core::iter::once(batch).chain(waiting) {
                            driver.tell(StoreInput::PersistFailed {
                                ticket: batch.ticket,
                                full: error.full,
                            });
                        }
                    }
                }
            }
        });
    }

    fn next_batch(&self) -> Option<StoreBatch> {
        let mut state = self.state.borrow_mut();
        let batch = state.batches.pop_front();
        state.writing = batch.is_some();
        batch
    }

    fn start_load(&self, ticket: Ticket, sequences: Vec<u64>) {
        let me = self.me.clone();
        let store = Rc::clone(&self.store);
        wasm_bindgen_futures::spawn_local(async move {
            // What can't be read is missing, and the core asks a peer for it.
            let records = store.load(&sequences).await.unwrap_or_default();
            if let Some(driver) = me.upgrade() {
                driver.tell(StoreInput::Loaded { ticket, records });
            }
        });
    }

    fn tell(&self, answer: StoreInput) {
        self.wake(Wake::Input(EndpointInput::Host(answer.into())));
    }

    /// Sets the one timer for whatever is due first.
    fn set_timer(&self, now: Time) {
        let mut state = self.state.borrow_mut();
        let due = [
            state.endpoint.poll_timeout(),
            state.dispatcher.due(),
            state.links.any_blocked().then_some(now + LOOK_INTERVAL),
            Some(state.wall_due),
            Some(state.vitals.due()),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(Time::MAX);
        state.vitals.set_timer(due.max(now));
        // One timer for all: many would fire in bursts where the browser throttles them.
        if let Some(timer) = self.timer.take() {
            self.scope.cancel(timer);
        }
        let callback = self.on_timer.as_ref().unchecked_ref();
        self.timer.set(self.scope.after(due.since(now), callback));
    }
}

fn wake(driver: &Weak<Driver>, wake: Wake) {
    if let Some(driver) = driver.upgrade() {
        driver.wake(wake);
    }
}

impl State {
    fn signal(&mut self, now: Time, signal: Signal) {
        let input = EndpointInput::Host(signal.into());
        self.endpoint.handle_input(now, input);
    }

    fn tell_wall_clock(&mut self, now: Time, scope: &Scope) {
        if now >= self.wall_due {
            self.wall_due = now + WALL_INTERVAL;
            self.signal(now, Signal::WallClock(scope.wall()));
        }
    }

    fn tell_vitals(&mut self, now: Time) {
        let visible = self.hidden_at.is_none();
        if let Some(sample) = self.vitals.sample(now, visible) {
            self.signal(now, Signal::Vitals(Box::new(sample)));
        }
    }

    fn feed_input(&mut self, now: Time, input: EndpointInput) {
        match &input {
            EndpointInput::Opened { link } | EndpointInput::Received { link, .. } => {
                // An event that was under way when the connection was given up.
                if !self.links.has(*link) {
                    return;
                }
            }
            EndpointInput::Ended { link, .. } => {
                // The handlers go with it, so that the end is told once.
                self.links.disconnect(*link);
                self.dispatcher.touch();
            }
            EndpointInput::Blocked { .. }
            | EndpointInput::Writable { .. }
            | EndpointInput::Host(_) => {}
        }
        self.endpoint.handle_input(now, input);
    }

    fn feed_page(&mut self, now: Time, message: ToWorker) {
        match message {
            ToWorker::Start(_) => {}
            ToWorker::Visible(visible) => {
                self.dispatcher.set_visible(visible);
                self.hidden_at = (!visible).then_some(now);
                if visible && core::mem::take(&mut self.parked) {
                    self.signal(now, Signal::Unpark);
                }
            }
            // No timer may run after this, so the node parks at once.
            ToWorker::Freeze => {
                self.hidden_at = Some(now);
                self.park(now);
            }
            ToWorker::NetworkChanged => self.signal(now, Signal::NetworkChanged),
            ToWorker::Request { id, request } => {
                self.dispatcher
                    .on_request(now, &mut self.endpoint, id, request);
            }
            ToWorker::Unwatch { id } => self.dispatcher.on_unwatch(now, &mut self.endpoint, id),
            ToWorker::Taken { id } => self.dispatcher.on_taken(now, id),
            // They are for a replay.
            ToWorker::Open(_) | ToWorker::Go(_) => {}
        }
    }

    fn park_if_long_hidden(&mut self, now: Time) {
        if self
            .hidden_at
            .is_some_and(|hidden| now.since(hidden) >= PARK_AFTER)
        {
            self.park(now);
        }
    }

    fn park(&mut self, now: Time) {
        if !core::mem::replace(&mut self.parked, true) {
            self.signal(now, Signal::Park);
        }
    }
}

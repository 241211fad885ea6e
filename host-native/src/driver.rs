//! The core task: drain outputs; take the deadline after; wait for one thing; read the clock once;
//! feed one input. Everything else talks to it through bounded channels.

use crate::{
    calling,
    channels::Channels,
    clock::{self, Clock},
    exit::{Code, Failure},
    history::History,
    links::{Counters, LinkContext, OUTGOING_MAX, ToLink, count, dial, tls},
    logging::TimelineLog,
    store::Store,
};
use sporenet_core::{
    kernel::{
        id::{LinkId, RequestId},
        machine::{Input, Machine, Output},
        time::Time,
    },
    node::{
        Node,
        contract::{
            Changed, Command, Event, HostInput, HostOutput, LinkInput, LinkOutput, Notice, Reply,
            Request, Signal, StoreInput, StoreOutput,
        },
        envelope::Envelope,
        recording::{RecordingStatus, Saving},
    },
    wire::{close::CloseReason, session::SessionParams},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
    time::{MissedTickBehavior, interval, sleep_until, timeout},
};

/// Words of links that wait for the core task; a full channel slows the links down.
const LINKS_INBOX_MAX: usize = 1_024;
/// Questions and requests of users that wait for the core task.
const API_INBOX_MAX: usize = 256;
/// Answers of the store that wait for the core task.
pub(crate) const STORE_INBOX_MAX: usize = 1_024;
/// Requests of single users without reply; more are refused.
const SINGLE_REQUESTS_MAX: usize = 4_096;
/// Requests without reply of those who send many; more wait. Batches have 64 writes, and there is one in each
/// of 64 shards: while these become durable, as many wait for the next.
pub(crate) const BULK_REQUESTS_MAX: usize = 8_192;
/// Requests without reply.
const REQUESTS_MAX: usize = SINGLE_REQUESTS_MAX + BULK_REQUESTS_MAX;
/// How long the links may take for their last words when the process stops.
const FAREWELL_PATIENCE: Duration = Duration::from_millis(1_500);

type Question = Box<dyn FnOnce(&Node, Time) + Send>;

/// What is asked of the node's recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordingAsked {
    /// Record from now on.
    Start,
    /// Record no more; what was recorded is kept.
    Stop,
    /// Give what was recorded until now.
    Save,
}

/// What the recorder answers: how it is now, and what was saved.
type Recorded = (RecordingStatus, Option<Saving>);

/// A word to the core task.
pub(crate) enum ToDriver {
    /// An input for the node.
    Input(Input<Envelope, Command>),
    /// A connection was accepted.
    Register {
        /// Answers the link's number and the session's parameters.
        reply: oneshot::Sender<Registration>,
    },
    /// A link's task is over.
    Ended {
        /// Which.
        link: LinkId,
        /// What the node has to know about it.
        told: Option<LinkInput>,
    },
    /// A read-only question.
    Ask(Question),
    /// A request with a reply.
    Request {
        /// What is wanted.
        request: Request,
        /// Takes the reply.
        reply: oneshot::Sender<Reply>,
    },
    /// Many requests, each with a reply.
    Requests(Vec<(Request, oneshot::Sender<Reply>)>),
    /// A word to the recorder.
    Recording {
        /// What.
        asked: RecordingAsked,
        /// Takes the answer.
        reply: oneshot::Sender<Recorded>,
    },
}

impl fmt::Debug for ToDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input(_) => "Input",
            Self::Register { .. } => "Register",
            Self::Ended { .. } => "Ended",
            Self::Ask(_) => "Ask",
            Self::Request { .. } => "Request",
            Self::Requests(_) => "Requests",
            Self::Recording { .. } => "Recording",
        })
    }
}

/// A link's place in the driver.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Its number.
    pub(crate) link: LinkId,
    /// For its session.
    pub(crate) params: SessionParams,
    /// What the core says to it; closed when the link's queue was full.
    pub(crate) from_core: mpsc::Receiver<ToLink>,
    /// Held as long as the link's task runs.
    pub(crate) alive: mpsc::Sender<()>,
}

/// What is new, for those who wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The latest revision of the data.
    pub(crate) revision: u64,
    /// The latest timeline entry.
    pub(crate) timeline: u64,
    /// Whether the node has been let in since the start.
    pub(crate) admitted: bool,
}

/// The core task is over: the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// The way to the core task.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    /// For links.
    pub(crate) links: mpsc::Sender<ToDriver>,
    /// For users.
    api: mpsc::Sender<ToDriver>,
    /// Room for the requests of those who send many: they leave room for others.
    pub(crate) bulk: Arc<Semaphore>,
    /// What is new.
    pub(crate) news: watch::Receiver<News>,
}

impl Handle {
    /// Tells something on behalf of a link, waiting for room.
    pub(crate) async fn tell(&self, said: ToDriver) {
        let _ = self.links.send(said).await;
    }

    /// Reports a connection that was cut off; dropped when the inbox of the core task is full.
    pub(crate) fn refused(&self, reason: CloseReason) {
        let refused = LinkInput::HandshakeRefused { reason };
        let input = Input::Command(refused.into());
        // Never waits: a flood of strangers must not hold up the links' own words.
        let _ = self.links.try_send(ToDriver::Input(input));
    }

    /// Forgets a link that never came to be.
    pub(crate) fn forget(&self, link: LinkId) {
        let ended = ToDriver::Ended { link, told: None };
        let _ = self.links.try_send(ended);
    }

    /// Registers an accepted connection.
    pub(crate) async fn register(&self) -> Result<Registration, Gone> {
        let (reply, answer) = oneshot::channel();
        self.links
            .send(ToDriver::Register { reply })
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Asks the node something.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, Gone>
    where
        T: Send + 'static,
        F: FnOnce(&Node, Time) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let asked: Question = Box::new(move |node, now| {
            let _ = reply.send(question(node, now));
        });
        self.api
            .send(ToDriver::Ask(asked))
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Sends a request and waits for its reply.
    pub(crate) async fn request(&self, request: Request) -> Result<Reply, Gone> {
        let (reply, answer) = oneshot::channel();
        self.api
            .send(ToDriver::Request { request, reply })
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Sends many requests; answers where their replies come, in the same order.
    pub(crate) async fn requests(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<oneshot::Receiver<Reply>>, Gone> {
        let (mut asked, mut answers) = (Vec::new(), Vec::new());
        for request in requests {
            let (reply, answer) = oneshot::channel();
            asked.push((request, reply));
            answers.push(answer);
        }
        let asked = ToDriver::Requests(asked);
        self.api.send(asked).await.map_err(|_| Gone)?;
        Ok(answers)
    }

    /// Starts, stops or saves the recording.
    pub(crate) async fn recording(&self, asked: RecordingAsked) -> Result<Recorded, Gone> {
        let (reply, answer) = oneshot::channel();
        self.api
            .send(ToDriver::Recording { asked, reply })
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Tells the node something that has no reply.
    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), Gone> {
        let input = ToDriver::Input(Input::Command(signal.into()));
        self.api.send(input).await.map_err(|_| Gone)
    }
}

/// The core task.
#[derive(Debug)]
pub(crate) struct Driver {
    node: Node,
    clock: Clock,
    store: Store,
    store_inbox: mpsc::Receiver<StoreInput>,
    links_inbox: mpsc::Receiver<ToDriver>,
    api_inbox: mpsc::Receiver<ToDriver>,
    context: LinkContext,
    links: BTreeMap<LinkId, mpsc::Sender<ToLink>>,
    requests: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    link_last: LinkId,
    request_last: RequestId,
    news: watch::Sender<News>,
    alive: mpsc::Sender<()>,
    all_ended: mpsc::Receiver<()>,
    log: TimelineLog,
    history: History,
    /// How people are told, and where the console is.
    calling: Option<(Channels, String)>,
    record_bytes_max: u64,
    departed: bool,
}

/// What the loop woke up for.
enum Wake {
    Said(ToDriver),
    Stored(Option<StoreInput>),
    Second,
    Deadline,
}

impl Driver {
    /// A driver around a started node, and the way to it.
    pub(crate) fn new(
        node: Node,
        clock: Clock,
        store: Store,
        store_inbox: mpsc::Receiver<StoreInput>,
        handshakes: Arc<Semaphore>,
        tls: tls::Dialling,
        record_bytes_max: u64,
    ) -> (Self, LinkContext) {
        let (links_sender, links_inbox) = mpsc::channel(LINKS_INBOX_MAX);
        let (api, api_inbox) = mpsc::channel(API_INBOX_MAX);
        let (news, news_receiver) = watch::channel(News {
            revision: node.revision(),
            timeline: 0,
            admitted: node.is_admitted(),
        });
        let (alive, all_ended) = mpsc::channel(1);
        let core = Handle {
            links: links_sender,
            api,
            bulk: Arc::new(Semaphore::new(BULK_REQUESTS_MAX)),
            news: news_receiver,
        };
        let context = LinkContext {
            core,
            clock,
            handshakes,
            tls,
            counters: Arc::new(Counters::default()),
            queued: Arc::default(),
        };
        let driver = Self {
            node,
            clock,
            store,
            store_inbox,
            links_inbox,
            api_inbox,
            context: context.clone(),
            links: BTreeMap::new(),
            requests: BTreeMap::new(),
            link_last: LinkId(0),
            request_last: RequestId(0),
            news,
            alive,
            all_ended,
            log: TimelineLog::new(),
            history: History::off("nobody keeps it"),
            calling: None,
            record_bytes_max,
            departed: false,
        };
        (driver, context)
    }

    /// Gives what happens to a history.
    pub(crate) fn keep(&mut self, history: History) {
        self.history = history;
    }

    /// Tells people what the node wants them to be told; `console` is the start of links to it.
    pub(crate) fn tell_by(&mut self, channels: Channels, console: String) {
        self.calling = Some((channels, console));
    }

    /// Runs until the node has left or stopped.
    ///
    /// # Errors
    /// When the storage thread is gone.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut second = interval(Duration::from_secs(1));
        // After a pause one reading of the wall clock is enough.
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.drain_outputs();
            if self.departed {
                break;
            }
            // Asked after the drain: while output is queued a node is due at once.
            let deadline = self.clock.wake_at(self.node.poll_timeout());
            // In random order, which is what `select!` does: no inbox can starve the others or the
            // timers.
            let wake = tokio::select! {
                Some(said) = self.links_inbox.recv() => Wake::Said(said),
                Some(said) = self.api_inbox.recv() => Wake::Said(said),
                answer = self.store_inbox.recv() => Wake::Stored(answer),
                _ = second.tick() => Wake::Second,
                () = sleep_until(deadline) => Wake::Deadline,
            };
            // Read once, after the wait: all that this input causes happens at one moment.
            let now = self.clock.now();
            self.feed(now, wake)?;
            if let Some(refusal) = self.refusal() {
                self.finish().await;
                return Err(Failure::new(Code::Config, refusal));
            }
        }
        self.finish().await;
        Ok(())
    }

    fn feed(&mut self, now: Time, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::Said(said) => self.on_said(now, said),
            Wake::Stored(Some(answer)) => self.tell(now, answer),
            // The thread is gone without being asked: nothing can become durable any more.
            Wake::Stored(None) => {
                return Err(Failure::new(
                    Code::Io,
                    "the storage thread failed; see the log",
                ));
            }
            Wake::Second => {
                self.count_queued();
                self.tell(now, Signal::WallClock(clock::wall()));
            }
            Wake::Deadline => self.node.handle_timeout(now),
        }
        Ok(())
    }

    /// How much waits in the queues to the links.
    fn count_queued(&self) {
        let links = self.links.values();
        let queued = links.map(|link| link.max_capacity().saturating_sub(link.capacity()));
        let queued = u64::try_from(queued.sum::<usize>()).unwrap_or(u64::MAX);
        self.context.queued.store(queued, Ordering::Relaxed);
    }

    /// Why going on makes no sense for a newcomer, if so.
    fn refusal(&self) -> Option<String> {
        if self.news.borrow().admitted {
            return None;
        }
        self.node.join_refusal()
    }

    fn tell(&mut self, now: Time, command: impl Into<Command>) {
        let command = Input::Command(command.into());
        self.node.handle_input(now, command);
    }

    fn on_said(&mut self, now: Time, said: ToDriver) {
        match said {
            ToDriver::Input(input) => self.node.handle_input(now, input),
            ToDriver::Register { reply } => {
                let registration = self.register();
                let link = registration.link;
                // The task that asked is gone: nobody would ever report the end of this link.
                if reply.send(registration).is_err() {
                    self.links.remove(&link);
                }
            }
            // Removed first: what the node says because of the end must not go to this link.
            ToDriver::Ended { link, told } => {
                self.links.remove(&link);
                if let Some(told) = told {
                    self.tell(now, told);
                }
            }
            ToDriver::Ask(question) => question(&self.node, now),
            ToDriver::Recording { asked, reply } => {
                let _ = reply.send(self.on_recording(asked));
            }
            ToDriver::Request { request, reply } => self.on_request(now, request, reply),
            ToDriver::Requests(requests) => {
                for (request, reply) in requests {
                    self.on_request(now, request, reply);
                    self.drain_outputs();
                }
            }
        }
    }

    fn on_request(&mut self, now: Time, request: Request, reply: oneshot::Sender<Reply>) {
        if self.requests.len() >= REQUESTS_MAX {
            // Users who no longer wait free their places.
            self.requests.retain(|_, waiting| !waiting.is_closed());
        }
        // A reply that is dropped reads as "busy" at the other end.
        if self.requests.len() < REQUESTS_MAX {
            self.request_last = self.request_last.next();
            self.requests.insert(self.request_last, reply);
            let id = self.request_last;
            self.tell(now, HostInput::Request { id, request });
        }
    }

    fn on_recording(&mut self, asked: RecordingAsked) -> Recorded {
        let mut saved = None;
        match asked {
            RecordingAsked::Start => self.node.start_recording(self.record_bytes_max),
            RecordingAsked::Stop => self.node.stop_recording(),
            RecordingAsked::Save => saved = self.node.save_recording(),
        }
        let status = self.node.recording_status();
        tracing::info!(
            code = "recording",
            ?asked,
            bytes = status.bytes,
            "the recorder was asked"
        );
        (status, saved)
    }

    fn register(&mut self) -> Registration {
        let (to_link, from_core) = mpsc::channel(OUTGOING_MAX);
        self.link_last = self.link_last.next();
        self.links.insert(self.link_last, to_link);
        Registration {
            link: self.link_last,
            params: self.node.session_params(),
            from_core,
            alive: self.alive.clone(),
        }
    }

    fn drain_outputs(&mut self) {
        let before = *self.news.borrow();
        let mut news = before;
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { message, .. } => {
                    let link = message.link();
                    self.tell_link(link, ToLink::Message(Box::new(message)));
                }
                Output::Event(Event::Link(output)) => self.on_link_output(output),
                Output::Event(Event::Host(output)) => self.on_host_output(output, &mut news),
            }
        }
        // Told once for all that an input changed.
        if news != before {
            self.news.send_replace(news);
        }
    }

    fn tell_link(&mut self, link: LinkId, said: ToLink) {
        let Some(to_link) = self.links.get(&link) else {
            count(&self.context.counters.sends_dropped);
            return;
        };
        match to_link.try_send(said) {
            Ok(()) => {}
            // The core never waits for a link. Dropping the sender tells the link's task, which
            // ends with `Overload` and reports it.
            Err(TrySendError::Full(_)) => {
                count(&self.context.counters.overloaded);
                tracing::warn!(
                    code = "link_overload",
                    link = link.0,
                    "a full link is closed"
                );
                self.links.remove(&link);
            }
            Err(TrySendError::Closed(_)) => {
                self.links.remove(&link);
            }
        }
    }

    fn on_link_output(&mut self, output: LinkOutput) {
        match output {
            LinkOutput::Dial(wanted) => {
                let registration = self.register();
                tokio::spawn(dial::run(wanted, registration, self.context.clone()));
            }
            LinkOutput::Probe { dial, address } => {
                tokio::spawn(dial::probe(dial, address, self.context.clone()));
            }
            LinkOutput::Key { link, key } => self.tell_link(link, ToLink::Key(key)),
            LinkOutput::Close { link, reason } => self.tell_link(link, ToLink::Close(reason)),
        }
    }

    fn on_host_output(&mut self, output: HostOutput, news: &mut News) {
        match output {
            HostOutput::Store(StoreOutput::Persist(batch)) => self.store.persist(batch),
            HostOutput::Store(StoreOutput::Load { ticket, sequences }) => {
                self.store.load(ticket, sequences);
            }
            HostOutput::Reply { id, reply } => {
                if let Some(waiting) = self.requests.remove(&id) {
                    let _ = waiting.send(reply);
                }
            }
            HostOutput::Notify(notification) => {
                if let Some((channels, console)) = &self.calling {
                    calling::call(channels, *notification, console);
                }
            }
            HostOutput::Changed(Changed { revision, .. }) => news.revision = revision,
            HostOutput::Notice(entry) => {
                self.log.take(&self.node, &entry);
                if self.history.is_on() {
                    self.history.event(self.node.describe(&entry));
                    calling::keep(&self.history, &self.node, &entry);
                }
                news.timeline = entry.id;
                news.admitted |= entry.notice == Notice::Joined;
                self.departed |= entry.notice == Notice::Departed;
            }
        }
    }

    /// Lets the links say their last words and the store finish.
    async fn finish(mut self) {
        for to_link in self.links.values() {
            // For links that the node has not closed itself, such as those in a handshake.
            let _ = to_link.try_send(ToLink::Close(CloseReason::Unwanted));
        }
        // From here on only the links' own clones keep `all_ended` open.
        drop(self.alive);
        drop(self.links_inbox);
        drop(self.api_inbox);
        let _ = timeout(FAREWELL_PATIENCE, self.all_ended.recv()).await;
        // Else the storage thread could wait for ever for room in a channel that nobody reads.
        drop(self.store_inbox);
        let _ = tokio::task::spawn_blocking(move || self.store.finish()).await;
    }
}

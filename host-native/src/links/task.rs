//! One link: its session, its queues, its end.

use crate::{
    driver::{Registration, ToDriver},
    links::{LinkContext, Receive, ToLink, Transmit, count, count_bytes},
};
use futures_util::FutureExt;
use sporenet_core::{
    kernel::{
        id::{DialId, LinkId, NetworkId, NodeId},
        machine::Input,
        time::Time,
    },
    node::{contract::LinkInput, envelope::Envelope},
    wire::{
        close::CloseReason,
        session::{SendError, Session, SessionEvent},
    },
};
use std::{collections::VecDeque, panic::AssertUnwindSafe, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinHandle,
    time::{sleep_until, timeout},
};

/// Encrypted messages between the session and the socket. Few, because their order is settled: what
/// waits longer should wait in the session, where an urgent message overtakes.
const TRANSMIT_MAX: usize = 4;
/// How long a full session queue is tolerated before the link is given up.
const FULL_PATIENCE: Duration = Duration::from_secs(10);
/// How long the last words to a peer may take.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// A link's task.
#[derive(Debug)]
pub(crate) struct LinkTask {
    link: LinkId,
    /// The dial that opened it; `None` if the other side dialled.
    dial: Option<DialId>,
    network: NetworkId,
    session: Session,
    context: LinkContext,
    from_core: mpsc::Receiver<ToLink>,
    core_listens: bool,
    /// Held until the peer has proved who it is.
    handshake: Option<OwnedSemaphorePermit>,
    peer: Option<NodeId>,
    /// For the core, oldest first. Nothing is read from the peer while something waits here.
    inbound: VecDeque<ToDriver>,
    /// An encrypted message for the socket.
    pending: Option<Vec<u8>>,
    full_since: Option<Time>,
    ended: Option<CloseReason>,
    ended_by_core: bool,
    /// Dropped at the very end: the driver waits for it when the process stops.
    _alive: mpsc::Sender<()>,
}

/// What the task woke up for.
enum Woke {
    /// The peer sent a message, or can't any more.
    Received(Result<Vec<u8>, CloseReason>),
    /// The core said something, or gave the link up.
    Told(Option<ToLink>),
    /// The session's deadline.
    Deadline,
    /// Something was passed on.
    Passed,
}

impl LinkTask {
    /// A link around a session that has just begun.
    pub(crate) fn new(
        registration: Registration,
        session: Session,
        dial: Option<DialId>,
        handshake: Option<OwnedSemaphorePermit>,
        context: LinkContext,
    ) -> Self {
        Self {
            link: registration.link,
            dial,
            network: registration.params.network,
            session,
            context,
            from_core: registration.from_core,
            core_listens: true,
            handshake,
            peer: None,
            inbound: VecDeque::new(),
            pending: None,
            full_since: None,
            ended: None,
            ended_by_core: false,
            _alive: registration.alive,
        }
    }

    /// Runs the link to its end and tells the core, also if the task panics.
    pub(crate) async fn run<R: Receive, T: Transmit>(mut self, reader: R, transmitter: T) {
        let outcome = AssertUnwindSafe(self.drive(reader, transmitter))
            .catch_unwind()
            .await;
        // A panic costs this link, not the process.
        let reason = outcome.unwrap_or(CloseReason::Lost);
        // The place is free again, even while the core has no room for the news.
        self.handshake = None;
        tracing::debug!(link = self.link.0, reason = reason.code(), "a link ended");
        let told = self.obituary(reason);
        self.context
            .core
            .tell(ToDriver::Ended {
                link: self.link,
                told,
            })
            .await;
    }

    /// What the core has to know about the end.
    fn obituary(&self, reason: CloseReason) -> Option<LinkInput> {
        match (self.peer, self.dial) {
            (Some(_), _) => Some(LinkInput::Down {
                link: self.link,
                reason,
            }),
            (None, Some(dial)) => Some(LinkInput::DialFailed { dial, reason }),
            // The core refused it and has counted that already.
            (None, None) if self.ended_by_core => None,
            (None, None) => Some(LinkInput::HandshakeRefused { reason }),
        }
    }

    async fn drive<R: Receive, T: Transmit>(
        &mut self,
        mut reader: R,
        transmitter: T,
    ) -> CloseReason {
        let (socket, outbox) = mpsc::channel(TRANSMIT_MAX);
        let writer = tokio::spawn(write(transmitter, outbox));
        let reason = self.exchange(&mut reader, &socket).await;
        self.flush(&reason, socket, writer).await;
        reason
    }

    async fn exchange<R: Receive>(
        &mut self,
        reader: &mut R,
        socket: &mpsc::Sender<Vec<u8>>,
    ) -> CloseReason {
        loop {
            self.drain_session(reader);
            // The core hears of everything that came before the end first.
            if let Some(reason) = self.ended.take_if(|_| self.inbound.is_empty()) {
                return reason;
            }
            // One at a time: what stays in the session can still be overtaken by what is urgent.
            if self.pending.is_none() {
                self.pending = self.session.poll_transmit();
            }
            let wake = self.context.clock.wake_at(self.session.poll_timeout());
            let woke = tokio::select! {
                // Backpressure: a core that is busy stops the reading, and in the end the peer's
                // sending.
                received = reader.receive(), if self.inbound.is_empty() => Woke::Received(received),
                permit = self.context.core.links.reserve(), if !self.inbound.is_empty() => {
                    // Room first, then the message: a branch that `select!` drops must not lose
                    // one.
                    let Ok(permit) = permit else { return CloseReason::Unwanted };
                    if let Some(said) = self.inbound.pop_front() {
                        permit.send(said);
                    }
                    Woke::Passed
                },
                said = self.from_core.recv(), if self.core_listens => Woke::Told(said),
                permit = socket.reserve(), if self.pending.is_some() => match permit {
                    Ok(permit) => {
                        if let Some(message) = self.pending.take() {
                            count_bytes(&self.context.counters.link_bytes_sent, &message);
                            permit.send(message);
                        }
                        Woke::Passed
                    }
                    // The writer ended: the socket takes no more.
                    Err(_) => Woke::Received(Err(CloseReason::Lost)),
                },
                () = sleep_until(wake) => Woke::Deadline,
            };
            let now = self.context.clock.now();
            match woke {
                Woke::Received(Ok(message)) => {
                    count_bytes(&self.context.counters.link_bytes_received, &message);
                    self.session.handle_bytes(now, &message);
                }
                Woke::Received(Err(reason)) => self.on_read_failed(reason),
                Woke::Told(said) => self.on_core(now, said),
                Woke::Deadline => self.session.handle_timeout(now),
                Woke::Passed => {}
            }
        }
    }

    fn drain_session<R: Receive>(&mut self, reader: &mut R) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::KeyWanted(hint) => {
                    self.tell_core(LinkInput::KeyWanted {
                        link: self.link,
                        hint,
                    });
                }
                SessionEvent::Up { peer, invitation } => {
                    self.peer = Some(peer.id);
                    self.handshake = None;
                    // Before the next read, which may bring a long message.
                    reader.trust();
                    let (link, dial) = (self.link, self.dial);
                    self.tell_core(LinkInput::Up {
                        link,
                        peer,
                        dial,
                        invitation,
                    });
                }
                SessionEvent::Frame { kind, body } => self.on_frame(kind, body),
                SessionEvent::Closed(reason) => {
                    self.ended.get_or_insert(reason);
                }
            }
        }
    }

    fn tell_core(&mut self, input: LinkInput) {
        let command = Input::Command(input.into());
        self.inbound.push_back(ToDriver::Input(command));
    }

    /// Reads ahead, so that signatures are checked on this task and not on the core's.
    fn on_frame(&mut self, kind: u16, body: Vec<u8>) {
        let Some(from) = self.peer else { return };
        let mut message = Envelope::sealed(self.link, kind, body.into());
        message.read_ahead(self.network);
        self.inbound
            .push_back(ToDriver::Input(Input::Message { from, message }));
    }

    fn on_core(&mut self, now: Time, said: Option<ToLink>) {
        match said {
            Some(ToLink::Message(message)) => self.send(now, &message),
            Some(ToLink::Key(key)) => {
                // A refusal by the core is counted there.
                self.ended_by_core |= key.is_err();
                self.session.provide_key(now, key);
            }
            Some(ToLink::Close(reason)) => {
                self.ended_by_core = true;
                self.end(reason);
            }
            // The driver gave the link up because its queue was full.
            None => {
                self.core_listens = false;
                self.end(CloseReason::Overload);
            }
        }
    }

    fn send(&mut self, now: Time, message: &Envelope) {
        match self
            .session
            .send(message.class(), message.kind(), message.encode())
        {
            Ok(()) => self.full_since = None,
            Err(SendError::Full { .. }) => {
                count(&self.context.counters.sends_dropped);
                let since = *self.full_since.get_or_insert(now);
                if now.since(since) > FULL_PATIENCE {
                    count(&self.context.counters.overloaded);
                    self.end(CloseReason::Overload);
                }
            }
            Err(SendError::TooLarge) => {
                count(&self.context.counters.sends_dropped);
                tracing::warn!(
                    code = "send_too_large",
                    link = self.link.0,
                    kind = message.kind()
                );
            }
            Err(SendError::NotUp | SendError::ReservedKind) => {
                count(&self.context.counters.sends_dropped)
            }
        }
    }

    fn on_read_failed(&mut self, reason: CloseReason) {
        // There is nobody left for a last word.
        if reason == CloseReason::Lost {
            self.ended.get_or_insert(reason);
        } else if self.peer.is_none() && self.dial.is_some() {
            // What answers with something else than frames is another kind of server.
            self.end(CloseReason::NotSporenet);
        } else {
            self.end(reason);
        }
    }

    /// Ends the session with a last word to the peer.
    fn end(&mut self, reason: CloseReason) {
        self.session.close(self.context.clock.now(), reason.clone());
        self.ended.get_or_insert(reason);
    }

    async fn flush(
        &mut self,
        reason: &CloseReason,
        socket: mpsc::Sender<Vec<u8>>,
        mut writer: JoinHandle<()>,
    ) {
        if *reason != CloseReason::Lost {
            let last_words = async {
                while let Some(message) =
                    self.pending.take().or_else(|| self.session.poll_transmit())
                {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
                // The writer ends once it has written all.
                drop(socket);
                (&mut writer).await
            };
            if timeout(FLUSH_PATIENCE, last_words).await.is_ok() {
                return;
            }
        }
        writer.abort();
    }
}

/// Writes what the session has encrypted until there is no more.
async fn write<T: Transmit>(mut transmitter: T, mut outbox: mpsc::Receiver<Vec<u8>>) {
    let mut messages = Vec::new();
    while outbox.recv_many(&mut messages, TRANSMIT_MAX).await > 0 {
        if transmitter
            .transmit(std::mem::take(&mut messages))
            .await
            .is_err()
        {
            return;
        }
    }
    transmitter.finish().await;
}

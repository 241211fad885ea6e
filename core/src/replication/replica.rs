//! The replica: this node's copy of the data, and how it stays the same as everyone's.
//!
//! | input | what happens |
//! |---|---|
//! | `Write` | waits for its turn, is sealed into a batch, journaled; visible and pushed once durable |
//! | `Push`, `Batches`, `Page` | cheap checks, signature, clock bound, journaled; then as above |
//! | `Summary`, `Heads`, `Mine` | frontiers are compared; what is lacking is fetched |
//! | `Fetch`, `Subscribe` | answered from memory or the journal, in windows |
//! | `Stored` | frees room in flight, acknowledges writes at level `relay` |
//! | `Evidence` | the chain is set aside from the fork on, the proof passed on |
//! | `SetAside`, `FetchAside` | branches beyond forks go to their author, who issues them again |
//!
//! A relay holds every shard; a tab holds the namespaces that it opened, and serves nobody.
//!
//! Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, sections
//! 1.3 and 1.5 (anti-entropy beside direct mail); Kleppmann and Howard, "Byzantine Eventual
//! Consistency and the Fundamental Limits of Peer-to-Peer Databases", 2020, section 4 (heads as
//! hashes); Kulkarni et al., 2014 (clock).

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Keypair, Signed},
        deadlines::Deadlines,
        id::{NetworkId, NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        persist::{Persist, PersistFailed, Persisted},
        rng::Rng,
        text::{Key, Namespace},
        time::{Time, WallTime},
    },
    replication::{
        batch::Batch,
        cells::Cells,
        clock::Clock,
        config::Config,
        lives::OwnShard,
        log::{ChainId, Lane, Log},
        peer::Peer,
        queue::{Staging, WriteQueue},
        reissue::Reissue,
        serve::Load,
        stats::Stats,
        sync::Fetch,
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

pub use crate::replication::message::Message;

/// What the replica's owner asks for or tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A link to a peer is up.
    PeerUp {
        /// Who.
        peer: NodeId,
        /// Relay or tab.
        role: Role,
    },
    /// The last link to a peer is gone.
    PeerDown {
        /// Who.
        peer: NodeId,
    },
    /// A reading of the wall clock, at start and then about every second.
    WallClock(WallTime),
    /// Write a value. Answered by [`Event::Replied`].
    Write {
        /// Comes back in the reply.
        request: RequestId,
        /// The namespace; a tab opens it.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// The value, at most 256 KiB; `None` deletes.
        value: Option<Bytes>,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Hold a namespace (a relay holds all anyway).
    Open(Namespace),
    /// Stop following a namespace. What is stored stays.
    Close(Namespace),
    /// What [`Event::Persist`] asked for is durable.
    Persisted(Persisted),
    /// What [`Event::Persist`] asked for was not kept.
    PersistFailed(PersistFailed),
    /// The records that [`Event::Load`] asked for; missing ones are left out.
    Loaded {
        /// Which load.
        token: u64,
        /// Journal sequence and body.
        records: Vec<(u64, Bytes)>,
    },
    /// Refuse writes for this reason too, until [`Command::Unblock`] takes it back.
    Block(WriteBlock),
    /// Take a reason back. Writes are taken again once there is none left.
    Unblock(WriteBlock),
}

/// What the replica tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Append a record to the journal; answer with `Persisted` or `PersistFailed`. Its body has at most
    /// [`BATCH_BYTES_MAX`] plus signature (the proof of a fork has two batches).
    ///
    /// [`BATCH_BYTES_MAX`]: crate::replication::batch::BATCH_BYTES_MAX
    Persist(Persist),
    /// Read these records from the journal; answer with `Loaded`.
    Load {
        /// Comes back in the answer.
        token: u64,
        /// Journal sequences.
        sequences: Vec<u64>,
    },
    /// The answer to a write: the revision that made it visible here, or why it was refused.
    Replied {
        /// Which write.
        request: RequestId,
        /// The answer.
        result: Result<u64, WriteRefusal>,
    },
    /// A value or its conflict record changed here. Revisions are consecutive from 1 in a run.
    Changed {
        /// The number of the change.
        revision: u64,
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
    },
    /// A node broke the protocol.
    Offence {
        /// Who.
        peer: NodeId,
        /// How.
        offence: Offence,
    },
    /// An author signed two batches with one sequence; its chain is set aside from there on, until
    /// the author issues it again. Once per chain.
    Equivocation {
        /// Whose chain; this node's own if its store went back in time or its identity was copied.
        author: NodeId,
        /// In which shard.
        shard: u16,
        /// From which batch on.
        sequence: u64,
    },
    /// A peer gave what was missing here.
    CaughtUp {
        /// Who gave it.
        peer: NodeId,
        /// How many batches.
        batches: u64,
        /// How many bytes of batches.
        bytes: u64,
        /// How long it took.
        took: Duration,
    },
    /// Memory is full, and what others write is not taken for now. At most once in 10 s.
    Full {
        /// Bytes in use.
        bytes: u64,
    },
}

/// How a node broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub enum Offence {
    /// It sent a batch whose signature does not hold.
    BadSignature,
    /// It sent what no honest node sends.
    Malformed,
    /// A tab passed on what another wrote.
    NotItsOwn,
    /// An author's batch does not fit its own chain.
    BrokenChain,
    /// An author's stamps are too far ahead of the clock here.
    ClockAhead {
        /// How far.
        ahead_ms: u64,
    },
}

impl Offence {
    /// A stable word for logs, metrics and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Malformed => "malformed",
            Self::NotItsOwn => "not_its_own",
            Self::BrokenChain => "broken_chain",
            Self::ClockAhead { .. } => "clock_ahead",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) enum Timer {
    /// Compare with a peer.
    Summary(NodeId),
    /// Ask for the rest of the namespaces.
    Subscribe(NodeId),
    /// Confirm what was held back.
    Ack(NodeId),
    /// Pushes to a peer stay unconfirmed.
    Push(NodeId),
    /// A fetch in a shard stays unanswered.
    Fetch(u16),
    /// A load stays unanswered.
    Load(u64),
    /// A batch that writers wait for is not confirmed by a relay.
    Patience(ChainId, u64),
    /// A peer does not give what it has set aside.
    Aside(NodeId),
    /// A tab holds something else than we do, or does not give it.
    Ahead(NodeId),
    /// Our next life in a shard may begin.
    Life(u16),
    /// Issuing again goes on.
    Reissue,
    /// Memory was full; see whether it still is.
    Full,
}

/// The machine.
///
/// ```
/// use sporenet_core::kernel::{
///     crypto::Keypair, id::{NetworkId, RequestId, Role}, machine::{Input, Machine, Output},
///     persist::{Persist, Persisted}, rng::Rng, text::{Key, Namespace}, time::{Time, WallTime},
/// };
/// use sporenet_core::replication::{
///     config::Config, replica::{Command, Event, Replica}, write::AckLevel,
/// };
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (config, rng, now) = (Config::of(Role::Relay), Rng::from_number(1), Time::ZERO);
/// let (keypair, network) = (Keypair::from_seed(&[1; 32]), NetworkId::from_bytes([2; 32]));
/// let mut replica = Replica::new(config, keypair, network, Role::Relay, rng, now);
/// replica.handle_input(now, Input::Command(Command::WallClock(WallTime::from_millis(1))));
/// replica.handle_input(now, Input::Command(Command::Write {
///     request: RequestId(7),
///     namespace: Namespace::new("notes")?,
///     key: Key::new("today")?,
///     value: Some(b"sow".as_slice().into()),
///     level: AckLevel::Local,
/// }));
/// let Some(Output::Event(Event::Persist(Persist { token, .. }))) = replica.poll_output() else {
///     return Err("a write is journaled first".into());
/// };
/// assert_eq!(replica.entry("notes", "today"), None);
/// let persisted = Persisted { token, sequence: Some(1) };
/// replica.handle_input(now, Input::Command(Command::Persisted(persisted)));
/// assert!(replica.entry("notes", "today").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Replica {
    pub(in crate::replication) config: Config,
    pub(in crate::replication) keypair: Keypair,
    pub(in crate::replication) me: NodeId,
    pub(in crate::replication) network: NetworkId,
    pub(in crate::replication) role: Role,
    pub(in crate::replication) rng: Rng,
    pub(in crate::replication) now: Time,
    pub(in crate::replication) clock: Clock,
    pub(in crate::replication) log: Log,
    pub(in crate::replication) cells: Cells,
    pub(in crate::replication) queue: WriteQueue,
    pub(in crate::replication) staging: Staging,
    pub(in crate::replication) tokens: u64,
    /// Writers that wait for a relay, by our chain and batch.
    pub(in crate::replication) awaiting: BTreeMap<(ChainId, u64), Vec<(RequestId, u64)>>,
    pub(in crate::replication) awaiting_writes: usize,
    pub(in crate::replication) peers: BTreeMap<NodeId, Peer>,
    /// At most one fetch per shard.
    pub(in crate::replication) fetches: BTreeMap<u16, Fetch>,
    pub(in crate::replication) loads: BTreeMap<u64, Load>,
    pub(in crate::replication) opened: BTreeSet<Namespace>,
    /// Chains that are not asked for again before a time.
    pub(in crate::replication) held_off: BTreeMap<ChainId, Time>,
    /// Our own batches that the journal once had beyond a damaged record, by chain: before they are
    /// back, nothing may be written there, or the chain would fork.
    pub(in crate::replication) own_gaps: BTreeMap<ChainId, u64>,
    /// Of the shards where something was to be done.
    pub(in crate::replication) own_shards: BTreeMap<u16, OwnShard>,
    pub(in crate::replication) reissue: Reissue,
    pub(in crate::replication) fork_records: u32,
    pub(in crate::replication) full_until: Time,
    /// Why writes are refused; none: they are taken.
    pub(in crate::replication) blocks: BTreeSet<WriteBlock>,
    pub(in crate::replication) deadlines: Deadlines<Timer>,
    pub(in crate::replication) outbox: Outbox<Message, Event>,
    pub(in crate::replication) stats: Stats,
}

impl Replica {
    /// An empty replica. Give it what the journal holds with [`Replica::restore`] before the first
    /// input, and end with [`Replica::finish_restore`].
    #[must_use]
    pub fn new(
        config: Config,
        keypair: Keypair,
        network: NetworkId,
        role: Role,
        rng: Rng,
        now: Time,
    ) -> Self {
        Self {
            log: Log::new(
                size(config.recent_bytes_max),
                size(config.unshared_bytes_max),
            ),
            cells: Cells::new(config.cells_bytes_max, size(config.changes_max)),
            outbox: Outbox::new(size(config.outbox_max)),
            me: keypair.id(),
            config,
            keypair,
            network,
            role,
            rng,
            now,
            clock: Clock::new(),
            queue: WriteQueue::default(),
            staging: Staging::default(),
            tokens: 0,
            awaiting: BTreeMap::new(),
            awaiting_writes: 0,
            peers: BTreeMap::new(),
            fetches: BTreeMap::new(),
            loads: BTreeMap::new(),
            opened: BTreeSet::new(),
            held_off: BTreeMap::new(),
            own_gaps: BTreeMap::new(),
            own_shards: BTreeMap::new(),
            reissue: Reissue::default(),
            fork_records: 0,
            full_until: Time::ZERO,
            blocks: BTreeSet::new(),
            deadlines: Deadlines::new(),
            stats: Stats::default(),
        }
    }

    /// Whether its settings can be used: they may come from a file.
    ///
    /// # Errors
    /// Which setting is out of range.
    #[cfg(feature = "recording")]
    pub fn check_settings(&self) -> Result<(), &'static str> {
        use crate::kernel::component::Settings;
        self.config.validate()
    }

    /// The key pair, to bind it to a tape.
    #[cfg(feature = "recording")]
    pub const fn keypair_mut(&mut self) -> &mut Keypair {
        &mut self.keypair
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::PeerUp { peer, role } => self.on_peer_up(peer, role),
            Command::PeerDown { peer } => self.on_peer_down(peer),
            Command::WallClock(wall) => {
                self.clock.set_wall(self.now, wall);
                self.show_asides();
            }
            Command::Write {
                request,
                namespace,
                key,
                value,
                level,
            } => self.on_write(request, namespace, key, value, level),
            Command::Open(namespace) => {
                if self.role == Role::Tab {
                    self.open(namespace);
                }
            }
            Command::Close(namespace) => self.close(&namespace),
            Command::Persisted(persisted) => self.on_persisted(persisted),
            Command::PersistFailed(failed) => self.on_persist_failed(failed),
            Command::Loaded { token, records } => self.on_loaded(token, records),
            Command::Block(block) => {
                self.blocks.insert(block);
            }
            Command::Unblock(block) => {
                self.blocks.remove(&block);
                self.go_on_reissuing();
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        if !self.peers.contains_key(&from) {
            self.stats.from_strangers = self.stats.from_strangers.saturating_add(1);
            return;
        }
        match message {
            Message::Summary { digests } => self.on_summary(from, &digests),
            Message::Heads {
                shard,
                after,
                heads,
                last,
                answer,
            } => self.on_heads(from, shard, after, &heads, last, answer),
            Message::Mine { heads } => self.on_mine(from, &heads),
            Message::Fetch {
                request,
                shard,
                wants,
            } => self.on_fetch(from, request, shard, &wants),
            Message::Batches { request, batches } => self.on_batches(from, request, batches),
            Message::Push { batch, told } => self.on_push(from, *batch, told),
            Message::Stored { dots } => self.on_stored(from, &dots),
            Message::Evidence { first, second } => self.on_evidence(from, *first, *second),
            Message::Subscribe {
                namespace,
                digest,
                heads,
            } => self.on_subscribe(from, namespace, digest, heads),
            Message::Unsubscribe { namespace } => self.on_unsubscribe(from, &namespace),
            Message::Page {
                namespace,
                batches,
                live,
            } => self.on_page(from, namespace, batches, live),
            Message::SetAside {
                shard,
                author,
                roots,
            } => self.on_set_aside(from, shard, author, &roots),
            Message::FetchAside {
                shard,
                author,
                roots,
            } => self.on_fetch_aside(from, shard, author, &roots),
            Message::FetchAhead {
                shard,
                writer,
                first,
            } => self.on_fetch_ahead(from, shard, writer, first),
            Message::AsideBatches { batches } => self.on_aside_batches(from, batches),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Summary(peer) => self.on_summary_due(peer),
            Timer::Subscribe(peer) => self.on_subscribe_due(peer),
            Timer::Ack(peer) => self.send_acks(peer),
            Timer::Push(peer) => self.on_push_stalled(peer),
            Timer::Fetch(shard) => self.on_fetch_stalled(shard),
            Timer::Load(token) => self.give_up_load(token),
            Timer::Patience(chain, sequence) => self.give_up_waiting(chain, sequence),
            Timer::Ahead(peer) => self.on_ahead_due(peer),
            Timer::Aside(peer) => self.on_aside_stalled(peer),
            Timer::Life(shard) => self.on_life_due(shard),
            Timer::Reissue => self.go_on_reissuing(),
            Timer::Full => self.schedule_fetches(),
        }
    }

    fn on_peer_up(&mut self, peer: NodeId, role: Role) {
        if peer == self.me || (self.role == Role::Tab && role == Role::Tab) {
            return;
        }
        self.on_peer_down(peer);
        if self.peers.len() >= size(self.config.peers_max) {
            self.stats.peers_refused = self.stats.peers_refused.saturating_add(1);
            return;
        }
        self.peers.insert(peer, Peer::new(role));
        self.ask_for_gaps();
        match (self.role, role) {
            (Role::Relay, Role::Relay) if self.me < peer => self.on_summary_due(peer),
            // One side compares at once; the other makes sure that it did.
            (Role::Relay, Role::Relay) => self.summarize_within(peer, FIRST_LOOK),
            (Role::Relay, Role::Tab) => {}
            (Role::Tab, Role::Relay | Role::Tab) => {
                self.send_mine(peer, true);
                self.subscribe_all(peer);
                // The home may have learnt of the link only after these words: look again soon.
                self.summarize_within(peer, FIRST_LOOK);
                let again = self.now + FIRST_LOOK;
                self.deadlines.set_earlier(Timer::Subscribe(peer), again);
            }
        }
    }

    fn on_peer_down(&mut self, peer: NodeId) {
        if self.peers.remove(&peer).is_none() {
            return;
        }
        for timer in [
            Timer::Summary(peer),
            Timer::Subscribe(peer),
            Timer::Ack(peer),
            Timer::Push(peer),
            Timer::Aside(peer),
            Timer::Ahead(peer),
        ] {
            self.deadlines.clear(&timer);
        }
        self.fetches.retain(|shard, fetch| {
            let keep = fetch.peer != peer;
            if !keep {
                self.deadlines.clear(&Timer::Fetch(*shard));
            }
            keep
        });
        self.subscribe_elsewhere();
        self.schedule_fetches();
    }

    /// Which lane a batch belongs to here: a tab holds others' batches by namespace.
    pub(in crate::replication) fn lane_of(&self, batch: &Batch) -> Lane {
        let by_namespace = self.role == Role::Tab && batch.author != self.me;
        Lane {
            shard: batch.shard,
            writer: batch.writer(),
            namespace: by_namespace.then(|| batch.namespace.clone()),
        }
    }

    pub(in crate::replication) fn next_token(&mut self) -> u64 {
        self.tokens = self.tokens.saturating_add(1);
        self.tokens
    }

    pub(in crate::replication) fn offend(&mut self, peer: NodeId, offence: Offence) {
        self.stats.offences = self.stats.offences.saturating_add(1);
        self.outbox.event(Event::Offence { peer, offence });
    }
}

impl Machine for Replica {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::Command(command) => self.on_command(command),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        let mut rounds = self.deadlines.len();
        while rounds > 0 {
            let Some(timer) = self.deadlines.pop_due(self.now) else {
                break;
            };
            self.on_timer(timer);
            rounds = rounds.saturating_sub(1);
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.outbox.pop()
    }
}

/// When it is looked after whether the first words on a new link have arrived; longer than a usual
/// round trip.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// A configured number as a length here.
pub(in crate::replication) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The bytes of a batch as they are counted: the signed bytes and the signature.
pub(in crate::replication) fn bytes_of(signed: &Signed<Batch>) -> u64 {
    let bytes = u64::try_from(signed.bytes().len()).unwrap_or(u64::MAX);
    bytes.saturating_add(SIGNATURE_BYTES)
}

const SIGNATURE_BYTES: u64 = 64;

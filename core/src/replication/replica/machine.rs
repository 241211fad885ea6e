//! The replica: this node's copy of the data, and how it stays the same as everyone's.
//!
//! | input | what happens |
//! |---|---|
//! | `Write`, `Change` | queued, sealed into a batch, journaled; visible and pushed once durable |
//! | `Push`, `Batches`, `Page` | cheap checks, signature, clock bound, journaled; then as above |
//! | `Summary`, `Heads`, `Mine` | frontiers are compared; what is lacking is fetched |
//! | `Fetch`, `Subscribe` | answered from memory or the journal, in windows |
//! | `Stored` | frees room in flight, acknowledges writes at level `relay` |
//! | `Evidence` | from the fork on the chain is a side branch; the proof is passed on |
//! | `NameBranches`, `FetchBranches` | side branches go to their author, who issues them again |
//!
//! A relay holds every shard; a tab holds the namespaces that it opened, and serves nobody.
//!
//! Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, sections
//! 1.3 and 1.5 (anti-entropy beside direct mail); Kleppmann and Howard, "Byzantine Eventual
//! Consistency and the Fundamental Limits of Peer-to-Peer Databases", 2020, section 4 (heads as
//! hashes); Kulkarni et al., 2014 (clock).

use crate::{
    kernel::{
        crypto::{Keypair, Signed},
        id::{NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        rng::Rng,
        time::{Time, millis},
    },
    replication::{
        batch::Batch,
        config::Config,
        message::Message,
        replica::{
            answers::Answers,
            anti_entropy::AntiEntropy,
            compaction::Compaction,
            context::{Context, REPAIR_SOON, Timer, size},
            contract::{Command, Event},
            database::Database,
            forks::{Forks, keep::show_branches},
            gate::Gate,
            pushes::Pushes,
            subscriptions::Subscriptions,
            trim::Trim,
            verify::Verify,
            writes::Writes,
        },
    },
};
use alloc::vec::Vec;
use core::time::Duration;

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
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Replica {
    pub(in crate::replication) cx: Context,
    pub(in crate::replication) db: Database,
    pub(in crate::replication) gate: Gate,
    pub(in crate::replication) writes: Writes,
    pub(in crate::replication) pushes: Pushes,
    pub(in crate::replication) answers: Answers,
    pub(in crate::replication) anti_entropy: AntiEntropy,
    pub(in crate::replication) subscriptions: Subscriptions,
    pub(in crate::replication) forks: Forks,
    pub(in crate::replication) compaction: Compaction,
    pub(in crate::replication) trim: Trim,
    pub(in crate::replication) verify: Verify,
    /// Records of the journal, until all of them are there: a chain's may stand in any order.
    pub(in crate::replication) restoring: Vec<(u64, Signed<Batch>)>,
}

/// How soon a node checks that the first messages on a new link have arrived; longer than a usual
/// round trip.
const FIRST_LOOK: Duration = Duration::from_millis(500);

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
            db: Database::new(&config, keypair.id(), rng.fork("run").next_u64()),
            cx: Context::new(config, keypair, network, role, rng, now),
            gate: Gate::default(),
            writes: Writes::default(),
            pushes: Pushes::default(),
            answers: Answers::default(),
            anti_entropy: AntiEntropy::default(),
            subscriptions: Subscriptions::default(),
            forks: Forks::default(),
            compaction: Compaction::default(),
            trim: Trim::default(),
            verify: Verify::default(),
            restoring: Vec::new(),
        }
    }

    /// Whether its settings can be used: they may come from a file.
    ///
    /// # Errors
    /// Which setting is out of range.
    pub fn check_settings(&self) -> Result<(), &'static str> {
        use crate::kernel::component::Settings;
        self.cx.config.validate()
    }

    /// The key pair, to bind it to a tape.
    pub const fn keypair_mut(&mut self) -> &mut Keypair {
        &mut self.cx.keypair
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::PeerUp { peer, role } => self.on_peer_up(peer, role),
            Command::PeerDown { peer } => self.on_peer_down(peer),
            Command::WallClock(wall) => {
                if self.db.clock.set_wall(self.cx.now, wall) {
                    self.look_again();
                }
                self.leave_ahead_behind();
                // Branches with stamps too far ahead, and all of them before the clock was known,
                // may be shown now.
                show_branches(&mut self.cx, &mut self.db);
            }
            Command::TrustClock(is_trusted) => self.db.clock.trust(is_trusted),
            Command::Write {
                request,
                namespace,
                key,
                value,
                level,
            } => self.on_write(request, namespace, key, value, level),
            Command::Change {
                request,
                namespace,
                key,
                change,
                level,
            } => self.on_change(request, namespace, key, change, level),
            Command::Verify {
                request,
                peer,
                namespace,
            } => self.on_verify(request, peer, namespace),
            Command::Compact => self.on_compact(),
            Command::Open(namespace) => {
                if self.cx.role == Role::Tab {
                    self.subscriptions
                        .open(&mut self.cx, &mut self.db, &namespace);
                }
            }
            Command::Hold(namespace) => {
                let (cx, db) = (&mut self.cx, &mut self.db);
                if cx.role == Role::Tab && self.subscriptions.open(cx, db, &namespace) {
                    db.opened.hold(&namespace);
                }
            }
            Command::Release(namespace) => self.db.opened.release(&namespace),
            Command::Close(namespace) => {
                self.subscriptions
                    .close(&mut self.cx, &mut self.db, &namespace);
            }
            Command::Persisted(persisted) => self.on_persisted(persisted),
            Command::PersistFailed(failed) => self.on_persist_failed(failed),
            Command::Loaded { token, records } => {
                if self.on_copies_loaded(token, &records) {
                    return;
                }
                if let Some(ready) = self.answers.on_loaded(&mut self.cx, token, records) {
                    self.finish_answer(ready);
                }
            }
            Command::Block(block) => {
                self.writes.block(block);
            }
            Command::Unblock(block) => {
                // Issuing again stands still while writes are refused (`seal_reissue`), so it is
                // woken.
                self.writes.unblock(block);
                self.go_on_reissuing();
            }
        }
    }

    /// The clock was set: what was held back for its stamps is asked for again, at once.
    fn look_again(&mut self) {
        self.db.end_holds();
        for peer in self.cx.relays() {
            self.cx.summarize_within(peer, REPAIR_SOON);
        }
        let (cx, db) = (&mut self.cx, &mut self.db);
        self.anti_entropy.schedule_fetches(cx, db);
    }

    /// What this node stamped while its clock was ahead is held back by peers, and so would be all that
    /// follows it: stamps and chains go on without it.
    fn leave_ahead_behind(&mut self) {
        let (cx, db) = (&mut self.cx, &mut self.db);
        db.clock.leave_behind(cx.now, millis(cx.config.ahead_max));
        self.forks.epochs.leave_ahead_behind(cx, db);
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        // A message may arrive after its link went down, or before the owner has told of it. Parts
        // keep state only for linked peers, so it can't be answered; comparison makes up for it.
        if !self.cx.is_linked(from) {
            self.cx.stats.from_strangers = self.cx.stats.from_strangers.saturating_add(1);
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
            Message::Unsubscribe { namespace } => {
                self.subscriptions
                    .on_unsubscribe(&self.cx, from, &namespace);
            }
            Message::Page {
                namespace,
                batches,
                live,
            } => self.on_page(from, namespace, batches, live),
            Message::NameBranches {
                shard,
                author,
                roots,
            } => {
                let (cx, db) = (&mut self.cx, &mut self.db);
                self.forks
                    .branches
                    .on_named(cx, db, from, shard, author, &roots);
            }
            Message::FetchBranches {
                shard,
                author,
                roots,
            } => self.on_fetch_branches(from, shard, author, &roots),
            Message::FetchTabCopy {
                shard,
                writer,
                first,
            } => self.on_fetch_tab_copy(from, shard, writer, first),
            Message::BranchBatches { batches } => self.on_branches(from, batches),
            Message::SubscribeRefused { namespace } => {
                let (cx, db) = (&mut self.cx, &self.db);
                self.subscriptions.on_refused(cx, db, from, &namespace);
            }
            Message::Verify(word) => self.on_proving(from, word),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let (cx, db) = (&mut self.cx, &mut self.db);
        match timer {
            Timer::Summary(peer) => self.on_summary_due(peer),
            Timer::Subscribe(peer) => self.subscriptions.on_subscribe_due(cx, db, peer),
            Timer::Ack(peer) => self.pushes.send_acks(cx, peer),
            Timer::Push(peer) => self.on_push_stalled(peer),
            Timer::Fetch(shard) => self.anti_entropy.on_fetch_stalled(cx, db, shard),
            Timer::Load(token) => self.give_up_load(token),
            Timer::Patience(chain, sequence) => self.writes.give_up_waiting(cx, chain, sequence),
            Timer::TabCopy(peer) => self.forks.branches.on_tab_copy_due(cx, db, peer),
            Timer::Branches(peer) => self.forks.branches.on_fetch_stalled(cx, db, peer),
            Timer::Epoch(shard) => self.on_epoch_due(shard),
            Timer::Reissue => self.go_on_reissuing(),
            Timer::Trim => self.on_trim_due(),
            Timer::Compact => self.on_compact_due(),
            Timer::Verify => self.on_verify_due(),
            Timer::Audit => self.on_audit_due(),
            Timer::Full => self.anti_entropy.schedule_fetches(cx, db),
        }
    }

    fn on_peer_up(&mut self, peer: NodeId, role: Role) {
        // Tabs do not replicate with each other: neither holds whole chains that the other could
        // take.
        if peer == self.cx.me || (self.cx.role == Role::Tab && role == Role::Tab) {
            return;
        }
        // A link that is up again begins anew: nothing of the old one may be taken for answered.
        self.on_peer_down(peer);
        if self.cx.linked.len() >= size(self.cx.config.peers_max) {
            self.cx.stats.peers_refused = self.cx.stats.peers_refused.saturating_add(1);
            return;
        }
        self.cx.linked.insert(peer, role);
        self.writes.on_peer_up(peer);
        self.pushes.on_peer_up(peer);
        self.anti_entropy.on_peer_up(peer);
        self.subscriptions.on_peer_up(peer);
        self.forks.branches.on_peer_up(peer);
        self.audit_within_interval();
        let (cx, db) = (&mut self.cx, &mut self.db);
        // The patience with gaps starts when somebody can be asked, not at the start of the
        // process.
        self.forks.epochs.ask_for_gaps(cx, db);
        match (cx.role, role) {
            (Role::Relay, Role::Relay) if cx.me < peer => self.on_summary_due(peer),
            // One side compares at once; the other makes sure that it did.
            (Role::Relay, Role::Relay) => cx.summarize_within(peer, FIRST_LOOK),
            // The tab speaks first: it alone knows which namespaces it follows.
            (Role::Relay, Role::Tab) => {}
            (Role::Tab, Role::Relay | Role::Tab) => {
                self.writes.send_mine(cx, db, peer, true);
                self.subscriptions.subscribe_all(cx, db, peer);
                // The home may have learnt of the link only after these words: look again soon.
                cx.summarize_within(peer, FIRST_LOOK);
                let again = cx.now + FIRST_LOOK;
                cx.deadlines.set_earlier(Timer::Subscribe(peer), again);
            }
        }
    }

    fn on_peer_down(&mut self, peer: NodeId) {
        if self.cx.linked.remove(&peer).is_none() {
            return;
        }
        for timer in [
            Timer::Summary(peer),
            Timer::Subscribe(peer),
            Timer::Ack(peer),
            Timer::Push(peer),
            Timer::Branches(peer),
            Timer::TabCopy(peer),
        ] {
            self.cx.deadlines.clear(&timer);
        }
        self.stop_verifying(peer);
        // The parts' state goes first, then what it held up is asked of others.
        let (cx, db) = (&mut self.cx, &mut self.db);
        self.gate.on_peer_down(peer);
        self.writes.on_peer_down(peer);
        self.pushes.on_peer_down(peer);
        self.anti_entropy.on_peer_down(cx, peer);
        self.forks.branches.on_peer_down(peer);
        self.subscriptions.on_peer_down(peer);
        self.subscriptions.subscribe_elsewhere(cx, db);
        self.anti_entropy.schedule_fetches(cx, db);
    }
}

impl Machine for Replica {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        // The owner's clock is monotonic; should it not be, deadlines still must not move back.
        self.cx.now = self.cx.now.max(now);
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::Command(command) => self.on_command(command),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.cx.now = self.cx.now.max(now);
        // At most as many as there were: a timer that sets itself for now is left for the next
        // call.
        let mut rounds = self.cx.deadlines.len();
        while rounds > 0 {
            let Some(timer) = self.cx.deadlines.pop_due(self.cx.now) else {
                break;
            };
            self.on_timer(timer);
            rounds = rounds.saturating_sub(1);
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.cx.outbox.or_timer(self.cx.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.cx.outbox.pop()
    }
}

//! What all parts of the replica share: identity, settings, time, timers, the outbox, counters.
//!
//! It is handed to each part as a parameter, so that no part needs to know another one for it.

use crate::{
    kernel::{
        crypto::{Keypair, Signed, encode},
        deadlines::Deadlines,
        id::{NetworkId, NodeId, RequestId, Role},
        outbox::Outbox,
        persist::Persist,
        rng::Rng,
        time::Time,
    },
    replication::{
        batch::{Batch, Record},
        config::Config,
        log::{ChainId, Lane},
        message::Message,
        replica::contract::{Event, Offence},
        stats::Stats,
        write::WriteRefusal,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
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
    /// A peer does not give the side branches that it named.
    Branches(NodeId),
    /// A tab holds something else than we do, or does not give it.
    TabCopy(NodeId),
    /// Our next writer epoch in a shard may begin.
    Epoch(u16),
    /// Issuing again goes on.
    Reissue,
    /// The next step of dropping the front of the journal.
    Trim,
    /// The next step of writing a shard anew.
    Compact,
    /// The next step of comparing what is held.
    Verify,
    /// It is time to compare with the next relay.
    Audit,
    /// Memory was full; see whether it still is.
    Full,
}

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Context {
    pub(in crate::replication) config: Config,
    pub(in crate::replication) keypair: Keypair,
    pub(in crate::replication) me: NodeId,
    pub(in crate::replication) network: NetworkId,
    pub(in crate::replication) role: Role,
    pub(in crate::replication) rng: Rng,
    pub(in crate::replication) now: Time,
    pub(in crate::replication) deadlines: Deadlines<Timer>,
    pub(in crate::replication) outbox: Outbox<Message, Event>,
    pub(in crate::replication) stats: Stats,
    /// Who is linked.
    pub(in crate::replication) linked: BTreeMap<NodeId, Role>,
    tokens: u64,
}

/// How soon frontiers are compared after something was left out.
pub(in crate::replication) const REPAIR_SOON: Duration = Duration::from_millis(250);

impl Context {
    pub(in crate::replication) fn new(
        config: Config,
        keypair: Keypair,
        network: NetworkId,
        role: Role,
        rng: Rng,
        now: Time,
    ) -> Self {
        Self {
            outbox: Outbox::new(size(config.outbox_max)),
            me: keypair.id(),
            config,
            keypair,
            network,
            role,
            rng,
            now,
            deadlines: Deadlines::new(),
            stats: Stats::default(),
            linked: BTreeMap::new(),
            tokens: 0,
        }
    }

    /// Relay or tab, if it is linked.
    pub(in crate::replication) fn role_of(&self, peer: NodeId) -> Option<Role> {
        self.linked.get(&peer).copied()
    }

    pub(in crate::replication) fn is_linked(&self, peer: NodeId) -> bool {
        self.linked.contains_key(&peer)
    }

    /// The linked relays, in order.
    pub(in crate::replication) fn relays(&self) -> Vec<NodeId> {
        let relays = self.linked.iter().filter(|(_, role)| **role == Role::Relay);
        relays.map(|(id, _)| *id).collect()
    }

    /// Asks the owner to append a record to the journal.
    pub(in crate::replication) fn persist(&mut self, token: u64, record: &Record) {
        let body = encode(record).into();
        self.outbox
            // Events are never dropped by the outbox, only sends are: nothing durable can get lost
            // here.
            .event(Event::Persist(Persist::append(token, body)));
    }

    pub(in crate::replication) fn next_token(&mut self) -> u64 {
        self.tokens = self.tokens.saturating_add(1);
        self.tokens
    }

    pub(in crate::replication) fn offend(&mut self, peer: NodeId, offence: Offence) {
        self.stats.offences = self.stats.offences.saturating_add(1);
        self.outbox.event(Event::Offence { peer, offence });
    }

    pub(in crate::replication) fn refuse(&mut self, request: RequestId, refusal: WriteRefusal) {
        self.stats.writes_refused = self.stats.writes_refused.saturating_add(1);
        self.outbox.event(Event::Replied {
            request,
            result: Err(refusal),
        });
    }

    pub(in crate::replication) fn written(&mut self, request: RequestId, revision: u64) {
        self.stats.writes = self.stats.writes.saturating_add(1);
        self.outbox.event(Event::Replied {
            request,
            result: Ok(revision),
        });
    }

    /// Which lane a batch belongs to here: a tab holds others' batches by namespace.
    pub(in crate::replication) fn lane_of(&self, batch: &Batch) -> Lane {
        // A tab's own chains are whole, as only who has its own chain whole can go on with it.
        let by_namespace = self.role == Role::Tab && batch.author != self.me;
        Lane {
            shard: batch.shard,
            writer: batch.writer(),
            namespace: by_namespace.then(|| batch.namespace.clone()),
        }
    }

    /// Compares with a peer no later than about `span` from now.
    pub(in crate::replication) fn summarize_within(&mut self, peer: NodeId, span: Duration) {
        // A tenth of jitter, so that nodes that were started together do not compare in step.
        let at = self.now + self.rng.jitter(span, 100);
        self.deadlines.set_earlier(Timer::Summary(peer), at);
    }

    pub(in crate::replication) fn summarize_after_interval(&mut self, peer: NodeId) {
        let at = self.now + self.rng.jitter(self.config.summary_interval, 100);
        self.deadlines.set(Timer::Summary(peer), at);
    }

    /// After catching up, others may lack what is new here.
    pub(in crate::replication) fn summarize_to_others(&mut self, except: NodeId) {
        if self.role == Role::Tab {
            return;
        }
        for peer in self.relays() {
            if peer != except {
                self.summarize_within(peer, REPAIR_SOON);
            }
        }
    }

    pub(in crate::replication) fn fetch_tab_copy(
        &mut self,
        tab: NodeId,
        (shard, writer): ChainId,
        first: u64,
    ) {
        self.outbox.send(
            tab,
            Message::FetchTabCopy {
                shard,
                writer,
                first,
            },
        );
        let until = self.now + self.config.fetch_patience;
        self.deadlines.set(Timer::TabCopy(tab), until);
    }
}

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

//! Members, edges, connections and data as plain views.

use crate::{
    kernel::{
        id::NodeId,
        text::{Key, Namespace},
        time::{Duration, Time, millis},
    },
    membership::{
        join_link::JoinLink,
        member::{MemberRecord, MemberState},
        roster::MemberView,
        spore::{Authority, Pointer, Spore},
    },
    node::{
        contract::ForgetRefusal,
        machine::Node,
        read::{
            sentences::in_words,
            snapshot::{
                Conflict, Connection, Edge, EntriesPage, Entry, Member, PartsPage, PlaceView,
            },
            timeline::TimelinePage,
        },
    },
    overlay::dialer::{Attempts, Destination},
    replication::{
        cells::{EntryView, PageMax},
        replica::Following,
    },
    wire::invitation::Invitation,
};
use alloc::{collections::BTreeSet, format, string::ToString, vec::Vec};

/// The changes after a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesPage {
    /// Revision, namespace and key; oldest first.
    pub changes: Vec<(u64, Namespace, Key)>,
    /// Whether older ones that were asked for are gone: read the namespace anew.
    pub gap: bool,
}

/// The fewest digits of an identity that name a member.
const CALLED_MIN: usize = 4;

impl Node {
    /// All members as this node sees them, worst first, then by name.
    #[must_use]
    pub fn members(&self, now: Time) -> Vec<Member> {
        let now = now.max(self.now);
        let mut members: Vec<Member> = self
            .swim
            .members()
            .map(|member| self.member(&member, now))
            .collect();
        members.sort_by(|a, b| {
            weight(a.state)
                .cmp(&weight(b.state))
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| a.id.cmp(&b.id))
        });
        members
    }

    /// The members of that name, or whose identity begins with these digits, at least
    /// four. Those that take part come alone, if there are any.
    #[must_use]
    pub fn members_called(&self, called: &str) -> Vec<NodeId> {
        let found = self.found_by(called);
        let alive = found
            .iter()
            .filter(|member| member.state == MemberState::Alive);
        let alive: Vec<NodeId> = alive.map(|member| member.record.id).collect();
        if alive.is_empty() {
            return found.iter().map(|member| member.record.id).collect();
        }
        alive
    }

    /// The member that is to be forgotten, called as in [`Node::members_called`]. The dead come first: who
    /// took a dead member's place often has its name.
    ///
    /// # Errors
    /// If there is no such member, or several are dead.
    pub fn to_forget(&self, called: &str) -> Result<NodeId, ForgetRefusal> {
        let mut found = self.found_by(called);
        if found.iter().any(|member| member.state == MemberState::Dead) {
            found.retain(|member| member.state == MemberState::Dead);
            if found.len() > 1 {
                return Err(ForgetRefusal::Several);
            }
        }
        let first = found.first().ok_or(ForgetRefusal::NotKnown)?;
        Ok(first.record.id)
    }

    fn found_by(&self, called: &str) -> Vec<MemberView<'_>> {
        let digits = called.to_ascii_lowercase();
        let called_so = |member: &MemberView<'_>| {
            let id = member.record.id.to_string();
            member.record.name.as_str() == called
                || (called.len() >= CALLED_MIN && id.starts_with(&digits))
        };
        self.swim.members().filter(called_so).collect()
    }

    fn member(&self, member: &MemberView<'_>, now: Time) -> Member {
        let record: &MemberRecord = member.record;
        let id = record.id;
        Member {
            id: id.to_string(),
            name: record.name.clone(),
            role: record.role,
            state: member.state,
            incarnation: record.incarnation.0,
            zone: record.zone.clone(),
            place: self.place_of(record, now),
            addresses: record.addresses.clone(),
            rtt_ms: self.links.rtt(id).map(in_millis),
            last_heard_ms: self.links.heard_at(id).map(|at| millis(now.since(at))),
            reason: Some(self.why_in_words(member.why)),
            since_ms: millis(now.since(member.since)),
            homes: member.homes.iter().map(ToString::to_string).collect(),
            this_node: id == self.id(),
            linked: self.links.is_linked(id),
        }
    }

    pub(in crate::node) fn place_of(&self, record: &MemberRecord, now: Time) -> Option<PlaceView> {
        let degrees = |millionths: i32| f64::from(millionths) / 1_000_000.0;
        let declared = record.location.map(|place| PlaceView {
            latitude: degrees(place.latitude),
            longitude: degrees(place.longitude),
            estimated: false,
        });
        declared.or_else(|| {
            let (sample, _) = self.told_by(record.id, now)?;
            let (latitude, longitude) = sample.guessed_place()?;
            Some(PlaceView {
                latitude: f64::from(latitude) / 10.0,
                longitude: f64::from(longitude) / 10.0,
                estimated: true,
            })
        })
    }

    /// The edges of the mesh: this node's own links, the rings that every relay derives alike, and
    /// the leases of tabs.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let mut pairs: BTreeSet<(NodeId, NodeId)> = BTreeSet::new();
        for (a, b) in self.swim.ring_edges() {
            // The smaller identity first, so that an edge known from both ends counts once.
            pairs.insert((a.min(b), a.max(b)));
        }
        for member in self.swim.members() {
            for home in member.homes {
                pairs.insert((member.record.id.min(home), member.record.id.max(home)));
            }
        }
        let me = self.id();
        // Of its own edges this node knows the truth: links replace what is derived.
        pairs.retain(|(a, b)| *a != me && *b != me);
        for peer in self.links.peers() {
            pairs.insert((me.min(peer.id), me.max(peer.id)));
        }
        pairs
            .into_iter()
            .map(|(a, b)| Edge {
                a: a.to_string(),
                b: b.to_string(),
                own: a == me || b == me,
            })
            .collect()
    }

    /// What is being done about each connection that is wanted.
    #[must_use]
    pub fn connections(&self, now: Time) -> Vec<Connection> {
        let now = now.max(self.now);
        let destinations = self.links.dialer().destinations();
        destinations
            .filter(|(to, _)| matches!(to, Destination::Member(_)) || self.links.wants(to))
            .filter_map(|(to, attempts)| self.connection(to, attempts, now))
            .collect()
    }

    fn connection(&self, to: &Destination, attempts: &Attempts, now: Time) -> Option<Connection> {
        let (peer, linked) = match to {
            Destination::Member(peer) => (Some(*peer), self.links.is_linked(*peer)),
            Destination::Entry(_) => (None, false),
        };
        let wait = attempts.ready_at().since(now);
        // A wait that is over is no wait: the dialler only has not come to it yet.
        let waits = !linked && !attempts.is_dialling() && wait > Duration::ZERO;
        let doing = match (linked, attempts.is_dialling(), attempts.last_failure()) {
            (true, _, _) => "linked".to_string(),
            (false, true, _) => "dialling".to_string(),
            (false, false, Some(reason)) if waits => {
                format!("tried again in {}: {reason}", in_words(wait))
            }
            (false, false, Some(reason)) => format!("about to be tried again: {reason}"),
            (false, false, None) if waits && attempts.failures() > 0 => {
                format!("tried again in {}", in_words(wait))
            }
            (false, false, None) => "about to be dialled".to_string(),
        };
        Some(Connection {
            address: attempts.address()?.clone(),
            peer: peer.map(|peer| peer.to_string()),
            doing,
            retry_in_ms: waits.then(|| millis(wait)),
            failures: attempts.failures(),
        })
    }

    /// The timeline's entries after `id`; all that are kept for 0.
    #[must_use]
    pub fn timeline_since(&self, id: u64) -> TimelinePage {
        let (entries, gap) = self.timeline.since(id);
        TimelinePage {
            entries: entries.map(|entry| self.describe(entry)).collect(),
            gap,
        }
    }

    /// A value, with the concurrent writes that lost; `None` if the key was never written. A deleted
    /// key has an entry without a value.
    #[must_use]
    pub fn entry(&self, namespace: &str, key: &str) -> Option<Entry> {
        let view = self.replica.entry(namespace, key)?;
        Some(entry(Key::new(key).ok()?, &view))
    }

    /// The live keys that begin with `prefix`, in key order, after `after`, at most `limit`.
    #[must_use]
    pub fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Entry> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let page = self.replica.list(namespace, prefix, after, limit);
        page.into_iter()
            .map(|(key, view)| entry(key, &view))
            .collect()
    }

    /// A page of the live keys that begin with `prefix`, in key order, after `after`. The values in it
    /// are shared, not copied.
    #[must_use]
    pub fn page(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        max: PageMax,
    ) -> EntriesPage {
        let page = self.replica.page(namespace, prefix, after, max);
        let entries = page.entries.into_iter();
        EntriesPage {
            entries: entries.map(|(key, view)| entry(key, &view)).collect(),
            next: page.next,
        }
    }

    /// A page of the elements of a set, the fields of a map or the authors of a counter, in order, after
    /// `after`, at most `limit` and 1,000. `None` if the key holds nothing of the kind.
    #[must_use]
    pub fn parts(
        &self,
        namespace: &str,
        key: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Option<PartsPage> {
        self.replica.parts(namespace, key, after, limit)
    }

    /// The namespaces with their numbers of live keys.
    #[must_use]
    pub fn namespaces(&self) -> Vec<(Namespace, u64)> {
        self.replica.namespaces()
    }

    /// The namespaces that this tab follows, in order.
    pub fn opened(&self) -> impl Iterator<Item = &Namespace> {
        self.replica.opened()
    }

    /// How much of a namespace this tab knows.
    #[must_use]
    pub fn following(&self, namespace: &Namespace) -> Following {
        self.replica.following(namespace)
    }

    /// The number of the last change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.replica.revision()
    }

    /// The changes after a revision.
    #[must_use]
    pub fn changes_since(&self, revision: u64) -> ChangesPage {
        let changes = self.replica.changes_since(revision);
        ChangesPage {
            gap: changes.is_none(),
            changes: changes.unwrap_or_default(),
        }
    }

    /// A link under which newcomers find and may enter the network: the entry points known now, with
    /// an invite from [`Reply::Invited`](crate::node::contract::Reply::Invited).
    #[must_use]
    pub fn join_link(
        &self,
        invitation: &Invitation,
        key: &crate::kernel::crypto::Secret,
    ) -> JoinLink {
        JoinLink::new(&self.spore(), invitation.clone(), key.clone())
    }

    /// Where members are, own addresses first.
    pub(in crate::node) fn spore(&self) -> Spore {
        let mut spore = Spore::new(self.network);
        for address in &self.config.addresses {
            spore.add_entry(address.clone());
        }
        let now = self.wall_now();
        for member in self.swim.members() {
            // Newcomers dial these addresses: one that may be dead would only cost them a wait.
            if member.state == MemberState::Alive && !member.record.addresses.is_empty() {
                spore.add(Pointer {
                    authority: Authority::Gossip,
                    last_seen: now,
                    id: member.record.id,
                    role: member.record.role,
                    addresses: member.record.addresses.clone(),
                });
            }
        }
        spore
    }
}

/// The worst first.
const fn weight(state: MemberState) -> u8 {
    match state {
        MemberState::Dead => 0,
        MemberState::Suspect => 1,
        MemberState::Parked => 2,
        MemberState::Alive => 3,
        MemberState::Left => 4,
    }
}

/// For display only.
fn in_millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn entry(key: Key, view: &EntryView) -> Entry {
    let conflicts = view.conflicts.iter().map(|version| Conflict {
        value: version.value.clone(),
        author: version.author,
        written_at: version.stamp.wall(),
    });
    Entry {
        key,
        value: view.value.clone(),
        author: view.author,
        written_at: view.written_at(),
        conflicts: conflicts.collect(),
        content: view.content.clone(),
        also: view.also.clone(),
    }
}

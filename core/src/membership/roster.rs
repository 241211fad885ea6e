//! The table of members.
//!
//! | from \ what happens | accused | window over | higher incarnation | says parked | says goodbye |
//! |---|---|---|---|---|---|
//! | alive | suspect | – | alive | parked | left |
//! | suspect | suspect | dead | alive | parked | left |
//! | dead | – (an operator's word: left) | – | alive | parked | left |
//! | parked | – | – | alive | parked | left |
//! | left | – | – | alive | parked | left |
//!
//! At one incarnation: left > dead > suspect > alive. A tab is alive or parked by its leases and never
//! suspect or dead.
//!
//! Dead members are remembered until an operator says that they won't come back. When the table is full, a newcomer takes the place of the tab
//! that left longest ago; a relay also that of the tab parked longest, then that of the relay that
//! left longest ago; otherwise it is refused and counted.
//!
//! Source: Das, Gupta, Motivala, "SWIM", DSN 2002, section 4.2 (order of alive, suspect, confirm).

use crate::{
    kernel::{
        address::Address,
        bounded::first_broken,
        crypto::{Hash, Verified},
        id::{Incarnation, NodeId, Role},
        planted::{self, Planted},
        table::Table,
        time::Time,
    },
    membership::{
        member::{MemberRecord, MemberState, Standing},
        presence::Leases,
        rings::Rings,
        suspicion::Suspicion,
        why::Why,
    },
};
use alloc::{sync::Arc, vec::Vec};

/// How many members are in which state, this node included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Alive.
    pub alive: u32,
    /// Suspect.
    pub suspect: u32,
    /// Dead.
    pub dead: u32,
    /// Left.
    pub left: u32,
    /// Parked.
    pub parked: u32,
}

impl Counts {
    const fn of(&mut self, state: MemberState) -> &mut u32 {
        match state {
            MemberState::Alive => &mut self.alive,
            MemberState::Suspect => &mut self.suspect,
            MemberState::Dead => &mut self.dead,
            MemberState::Left => &mut self.left,
            MemberState::Parked => &mut self.parked,
        }
    }
}

/// A member as an owner sees it.
#[derive(Clone, Debug)]
pub struct MemberView<'a> {
    /// Its word about itself.
    pub record: &'a Verified<MemberRecord>,
    /// What it is believed to be.
    pub state: MemberState,
    /// Since when.
    pub since: Time,
    /// Why.
    pub why: &'a Why,
    /// The relays that hold a tab's links.
    pub homes: Vec<NodeId>,
}

/// One line of the table.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Member {
    record: Verified<MemberRecord>,
    state: MemberState,
    since: Time,
    why: Why,
    /// What is held against it at this incarnation; without effect while the state is alive.
    pub suspicion: Option<Suspicion>,
    /// Who vouches for it, if it is a tab.
    pub leases: Leases,
    /// When its identity was last reported as seen in two processes.
    pub conflict_at: Option<Time>,
    /// Those of its addresses at which somebody else was met since its last word.
    vacated: Vec<Address>,
}

impl Member {
    /// Its word about itself.
    #[must_use]
    pub const fn record(&self) -> &Verified<MemberRecord> {
        &self.record
    }

    /// What it is believed to be.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        self.state
    }

    /// Since when.
    #[must_use]
    pub const fn since(&self) -> Time {
        self.since
    }

    /// Why.
    #[must_use]
    pub const fn why(&self) -> &Why {
        &self.why
    }

    /// Somebody else was met at an address; without effect if it is none of the member's.
    pub fn vacate(&mut self, address: &Address) {
        // A tab dials another transport at the same place.
        let same = |own: &&Address| own.host() == address.host() && own.port() == address.port();
        for own in self.record.addresses.iter().filter(same) {
            if !self.vacated.contains(own) {
                self.vacated.push(own.clone());
            }
        }
    }

    /// Where it is worth trying: all its addresses while it takes part, otherwise without those at
    /// which somebody else was met.
    #[must_use]
    pub fn addresses_to_try(&self) -> Vec<Address> {
        let mut addresses = self.record.addresses.clone();
        if !self.is_in() {
            addresses.retain(|address| !self.vacated.contains(address));
        }
        addresses
    }

    /// Whether it is a relay.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        self.record.role == Role::Relay
    }

    /// Whether it takes part: alive or suspect.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        match self.state {
            MemberState::Alive | MemberState::Suspect => true,
            MemberState::Dead | MemberState::Left | MemberState::Parked => false,
        }
    }
}

/// The table: members by identity, the rings over the relays that take part, the counts, and a
/// digest that is equal where the tables are.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Roster {
    /// Tables of nodes in one process share what they agree on.
    members: Table<NodeId, Arc<Member>>,
    members_max: usize,
    rings: Rings,
    counts: Counts,
    digest: [u8; 32],
    refused: u64,
    evicted: u64,
}

impl Roster {
    /// An empty table for at most `members_max` members (at least one) with `rings` rings.
    #[must_use]
    pub fn new(members_max: usize, rings: u8) -> Self {
        Self {
            members: Table::new(),
            members_max: members_max.max(1),
            rings: Rings::new(rings),
            counts: Counts::default(),
            digest: [0; 32],
            refused: 0,
            evicted: 0,
        }
    }

    /// Adds a member, or replaces it altogether. Answers `false` when there is no room.
    pub fn insert(
        &mut self,
        record: Verified<MemberRecord>,
        state: MemberState,
        why: Why,
        now: Time,
    ) -> bool {
        let id = record.id;
        // Whoever is in the table already takes no further place.
        if !self.members.contains_key(&id) && !self.make_room(record.role) {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.unlist(id);
        let member = Member {
            record,
            state,
            since: now,
            why,
            suspicion: None,
            leases: Leases::default(),
            conflict_at: None,
            vacated: Vec::new(),
        };
        self.members.insert(id, Arc::new(member));
        self.list(id);
        true
    }

    /// Replaces a member's record, and leaves its state to the caller.
    pub fn update(&mut self, record: Verified<MemberRecord>) {
        let id = record.id;
        if !self.members.contains_key(&id) {
            return;
        }
        self.unlist(id);
        if let Some(member) = self.get_mut(&id) {
            member.record = record;
            member.vacated.clear();
        }
        self.list(id);
    }

    /// Sets what a member is believed to be; answers what it was.
    pub fn set_state(
        &mut self,
        id: NodeId,
        state: MemberState,
        why: Why,
        now: Time,
    ) -> Option<MemberState> {
        let before = self.members.get(&id)?.state;
        self.unlist(id);
        if let Some(member) = self.get_mut(&id) {
            // Another reason for the same state does not make the state younger.
            if before != state {
                member.since = now;
            }
            member.state = state;
            member.why = why;
        }
        self.list(id);
        Some(before)
    }

    /// A member.
    #[must_use]
    pub fn get(&self, id: &NodeId) -> Option<&Member> {
        self.members.get(id).map(|member| &**member)
    }

    /// A member, to change what does not count in rings, counts or digest.
    pub fn get_mut(&mut self, id: &NodeId) -> Option<&mut Member> {
        self.members.get_mut(id).map(Arc::make_mut)
    }

    /// Every member, in the order of their identities.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&NodeId, &Member)> {
        self.members.iter().map(|(id, member)| (id, &**member))
    }

    /// The members after `after` (from the first if `None`), in order.
    pub fn after(&self, after: Option<NodeId>) -> impl Iterator<Item = (&NodeId, &Member)> {
        let all = after.is_none().then(|| self.iter());
        let later = after.map(|id| self.members.after(&id));
        let later = later.into_iter().flatten();
        let later = later.map(|(id, member)| (id, &**member));
        all.into_iter().flatten().chain(later)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The rings over the relays that take part.
    #[must_use]
    pub const fn rings(&self) -> &Rings {
        &self.rings
    }

    /// How many are in which state.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Equal where identities, incarnations and states are.
    ///
    /// The XOR of one hash a member: against accidents, not against a forger, who could as well send
    /// a wrong digest.
    #[must_use]
    pub const fn digest(&self) -> Hash {
        Hash::from_bytes(self.digest)
    }

    /// How many newcomers were refused, and how many members made room.
    #[must_use]
    pub const fn overflow(&self) -> (u64, u64) {
        (self.refused, self.evicted)
    }

    fn make_room(&mut self, newcomer: Role) -> bool {
        if self.members.len() < self.members_max {
            return true;
        }
        // Who takes part or is dead never makes room. The dead must be remembered, since tries at
        // them are what heals a split.
        let candidates = self.members.iter().filter_map(|(id, member)| {
            let rank = match (member.record.role, member.state, newcomer) {
                (Role::Tab, MemberState::Left, _) => 0_u8,
                (Role::Tab, MemberState::Parked, Role::Relay) => 1,
                (Role::Relay, MemberState::Left, Role::Relay) => 2,
                (Role::Tab | Role::Relay, _, _) => return None,
            };
            // Oldest first within a rank; the identity makes the choice the same in every run.
            Some((rank, member.since, *id))
        });
        let Some((_, _, id)) = candidates.min() else {
            return false;
        };
        self.unlist(id);
        self.members.remove(&id);
        self.evicted = self.evicted.saturating_add(1);
        true
    }

    /// Takes a member out of rings, counts and digest before it changes.
    fn unlist(&mut self, id: NodeId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let count = self.counts.of(member.state);
        *count = count.saturating_sub(1);
        // XOR is its own inverse: to mix the fingerprint in again takes it out.
        mix(&mut self.digest, &fingerprint(id, member));
    }

    /// Counts a member in again; a relay stays on the rings where it was there before.
    fn list(&mut self, id: NodeId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let count = self.counts.of(member.state);
        *count = count.saturating_add(1);
        mix(&mut self.digest, &fingerprint(id, member));
        let kept = planted::is(Planted::DeadOnRing) && member.state == MemberState::Dead;
        if member.is_relay() && (member.is_in() || kept) {
            self.rings.insert(id);
        } else {
            self.rings.remove(id);
        }
    }
}

impl Roster {
    /// What must hold in the table at any time.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut counts = Counts::default();
        let mut relays_in = 0_usize;
        let mut are_right = true;
        for (id, member) in self.members.iter() {
            let count = counts.of(member.state);
            *count = count.saturating_add(1);
            let belongs = member.is_relay() && member.is_in();
            are_right &= self.rings.contains(*id) == belongs;
            relays_in = relays_in.saturating_add(usize::from(belongs));
        }
        first_broken(&[
            (counts == self.counts, "members are counted wrongly"),
            (
                are_right,
                "the rings hold others than the relays that take part",
            ),
            (
                relays_in == self.rings.len(),
                "the rings hold who is not a member",
            ),
            (
                self.rings.is_whole(),
                "a relay is not on every ring, or not once",
            ),
        ])
    }
}

fn mix(digest: &mut [u8; 32], fingerprint: &Hash) {
    for (byte, other) in digest.iter_mut().zip(fingerprint.as_bytes()) {
        *byte ^= other;
    }
}

fn fingerprint(id: NodeId, member: &Member) -> Hash {
    Hash::of(
        "sporenet 2026 member digest",
        &[
            id.as_bytes(),
            &member.record.incarnation.0.to_le_bytes(),
            &[state_rank(member.state)],
        ],
    )
}

/// The order of states at one incarnation: the higher overrides the lower.
#[must_use]
pub const fn state_rank(state: MemberState) -> u8 {
    match state {
        MemberState::Alive => 0,
        MemberState::Parked => 1,
        MemberState::Suspect => 2,
        MemberState::Dead => 3,
        // A goodbye is the member's own word and final for its incarnation.
        MemberState::Left => 4,
    }
}

/// How a claimed record stands to a known one of the same member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It says nothing new.
    Stale,
    /// It replaces the known one.
    Newer,
    /// The same incarnation in another process: one identity runs twice.
    Copied,
}

/// Compares a claimed record with the known one.
#[must_use]
pub fn freshness(known: &MemberRecord, claimed: &MemberRecord) -> Freshness {
    let newer = |one: Incarnation, other: Incarnation| {
        one > other || (planted::is(Planted::OldIncarnation) && one != other)
    };
    if newer(claimed.incarnation, known.incarnation) {
        Freshness::Newer
    } else if newer(known.incarnation, claimed.incarnation) {
        Freshness::Stale
    } else if claimed.instance != known.instance {
        // Every process reserves its incarnations before it uses them, so two with an equal one
        // run with copies of one store.
        Freshness::Copied
    } else if claimed.standing == Standing::Left && known.standing != Standing::Left {
        // A node that cannot make a higher incarnation durable says goodbye at the present one.
        Freshness::Newer
    } else {
        Freshness::Stale
    }
}

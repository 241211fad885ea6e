//! What must hold in membership at any time; simulators and tests ask.

use super::{Swim, Timer, false_accusations::PAIRS_MAX, probe::HELPS_MAX};
use crate::{
    kernel::{
        bounded::{Gauge, first_broken},
        component::{Component, Settings},
        crypto::Hash,
        id::{Incarnation, NodeId},
        metrics::Metrics,
    },
    membership::{
        member::{Evidence, MemberState},
        presence::HOMES_MAX,
        roster::Member,
        suspicion::ACCUSERS_MAX,
        why::Why,
    },
};
use core::time::Duration;

/// How long after its end a lease may still hold a tab alive: a stall puts off the step that
/// notices.
const LATE: Duration = Duration::from_secs(5);

impl Component for Swim {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        self.roster.check()?;
        self.check_own()?;
        self.check_watches()?;
        let mut members = self.roster.iter();
        members.try_for_each(|(id, member)| self.check_member(*id, member))
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let max = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        let members_max = max(self.config.members_max);
        tell("members", self.roster.len(), members_max);
        tell(
            "links of membership",
            self.peers.len(),
            max(self.config.links_max),
        );
        tell("lost links", self.lost.len(), members_max);
        tell("avoided relays", self.avoided.len(), members_max);
        tell(
            "held tabs",
            self.held.len(),
            max(self.config.links_max).saturating_mul(2),
        );
        tell("rumours", self.rumours.len(), max(self.config.rumours_max));
        tell("helped probes", self.helping.len(), HELPS_MAX);
        tell(
            "refuted accusations",
            self.false_accusations.len(),
            PAIRS_MAX,
        );
        let observed = self
            .roster
            .rings()
            .neighbours_max()
            .max(usize::from(self.config.homes));
        tell("neighbours", self.neighbours.len(), observed);
        tell("watched neighbours", self.watches.len(), observed);
    }
    fn metrics(&self, to: &mut Metrics) {
        self.tell_metrics(to);
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

impl Swim {
    fn check_own(&self) -> Result<(), &'static str> {
        let incarnation = self.own.incarnation;
        let own = self.roster.get(&self.me);
        let listed = own.map(|own| own.record().incarnation);
        let state = own.map(Member::state);
        let mut told = self.rumours.records().filter(|record| record.id == self.me);
        let (durable, reserved) = self.reservations();
        // A node never judges itself: it refutes.
        let dead = matches!(state, Some(MemberState::Suspect | MemberState::Dead));
        first_broken(&[
            (
                listed == Some(incarnation),
                "its own record is not the one in its table",
            ),
            (!dead, "it believes itself suspect or dead"),
            (
                told.all(|record| record.incarnation <= durable),
                "it announces an incarnation that is not durable",
            ),
            (
                incarnation <= reserved || reserved == Incarnation(u64::MAX) || self.has_left(),
                "it uses an incarnation that it did not reserve",
            ),
            (
                self.health.multiplier() <= u32::from(self.config.health_max).saturating_add(1),
                "its health is out of range",
            ),
        ])
    }

    fn check_watches(&self) -> Result<(), &'static str> {
        let watched = |(id, _): &(NodeId, _)| self.watches.contains_key(id);
        let same =
            self.watches.len() == self.neighbours.len() && self.neighbours.iter().all(watched);
        // Tabs observe nobody, and who has left has dropped its watches.
        let observes = !self.is_relay() || self.has_left() || same;
        let ends = |target: &NodeId| self.deadlines.at(&Timer::Verdict(*target)).is_some();
        first_broken(&[
            (
                !self.peers.contains(self.me),
                "membership counts on a link to itself",
            ),
            (
                observes,
                "it does not observe its neighbours, or observes others",
            ),
            (self.probes.keys().all(ends), "a probe has no end"),
        ])
    }

    fn check_member(&self, id: NodeId, member: &Member) -> Result<(), &'static str> {
        let state = member.state();
        let incarnation = member.record().incarnation;
        let suspicion = member.suspicion.as_ref();
        let accusers = suspicion.map_or(0, |held| held.accusations().count());
        let suspect = state == MemberState::Suspect;
        let present = suspicion.is_none_or(|held| {
            held.accusations()
                .all(|word| word.incarnation == incarnation)
        });
        let timed = self.deadlines.at(&Timer::Suspicion(id)).is_some();
        let tab_state = !matches!(state, MemberState::Suspect | MemberState::Dead);
        first_broken(&[
            (
                !suspect || accusers > 0,
                "a member is suspect without an accuser",
            ),
            (
                !suspect || timed || self.has_left(),
                "a suspect's window has no end",
            ),
            (
                present,
                "what is held against a member is of another incarnation",
            ),
            (
                self.has_waited(member),
                "a member was dead before its window was over",
            ),
            (accusers <= ACCUSERS_MAX, "a member has too many accusers"),
            (
                member.leases.len() <= HOMES_MAX,
                "a member has too many leases",
            ),
            (member.is_relay() || tab_state, "a tab is suspect or dead"),
            (
                id == self.me
                    || member.is_relay()
                    || state != MemberState::Alive
                    || self.has_left()
                    || self.is_vouched_for(member),
                "a tab is alive although nobody vouches for it",
            ),
        ])
    }

    /// Whether who counts as dead had the time to refute that it is owed at least.
    fn has_waited(&self, member: &Member) -> bool {
        let Why::Unrefuted {
            evidence, after, ..
        } = member.why()
        else {
            return true;
        };
        let shortest = match evidence {
            // The minimum grows with the number of relays, which may have been any when the verdict
            // fell.
            Evidence::Silence | Evidence::Forgotten => self.config.windows.silence_min,
            Evidence::Crash => self
                .config
                .windows
                .crash
                .min(self.config.windows.silence_min),
        };
        *after >= shortest
    }

    fn is_vouched_for(&self, tab: &Member) -> bool {
        let living = |home: &NodeId| self.roster.get(home).is_some_and(Member::is_in);
        let mut ends = tab.leases.ends();
        ends.any(|(home, end)| living(&home) && end + LATE > self.now)
    }

    /// How new what is known of each member is.
    pub fn incarnations(&self) -> impl Iterator<Item = (NodeId, Incarnation)> {
        let members = self.roster.iter();
        members.map(|(id, member)| (*id, member.record().incarnation))
    }

    /// Equal where identities, incarnations and states of all members are.
    #[must_use]
    pub const fn table_digest(&self) -> Hash {
        self.roster.digest()
    }
}

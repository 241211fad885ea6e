//! What must hold in membership at any time; simulators and tests ask.

use super::{Stats, Swim, Timer, accusations::REFUTED_MAX, probe::HELPS_MAX};
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
        roster::{Counts, Member},
        suspicion::ACCUSERS_MAX,
        why::Why,
    },
};
use core::time::Duration;

/// How late a lease may be noticed to have run out: a step that a stall has put off.
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
            self.links.len(),
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
        tell("refuted accusations", self.refuted.len(), REFUTED_MAX);
        let observed = self
            .roster
            .rings()
            .neighbours_max()
            .max(usize::from(self.config.homes));
        tell("neighbours", self.neighbours.len(), observed);
        tell("watched neighbours", self.watches.len(), observed);
    }
    fn metrics(&self, to: &mut Metrics) {
        self.state_metrics(to);
        self.probe_metrics(to);
        self.rumour_metrics(to);
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
        let observes = !self.is_relay() || self.has_left() || same;
        let ends = |target: &NodeId| self.deadlines.at(&Timer::Verdict(*target)).is_some();
        first_broken(&[
            (
                !self.links.contains_key(&self.me),
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
            Evidence::Silence => self.config.windows.silence_min,
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

    fn state_metrics(&self, to: &mut Metrics) {
        let Counts {
            alive,
            suspect,
            dead,
            left,
            parked,
        } = self.counts();
        let states = [
            ("alive", alive),
            ("suspect", suspect),
            ("dead", dead),
            ("left", left),
            ("parked", parked),
        ];
        for (state, count) in states {
            let label = ("state", state);
            to.gauge_of("sporenet_members", "Members by state.", label, count.into());
        }
        to.gauge(
            "sporenet_incarnation",
            "This node's incarnation.",
            self.incarnation().0,
        );
        to.gauge(
            "sporenet_local_health_multiplier",
            "Lifeguard's local health multiplier; 1 is healthy.",
            self.health_multiplier().into(),
        );
    }

    /// What was counted of probes, accusations and links.
    fn probe_metrics(&self, to: &mut Metrics) {
        let Stats {
            probes,
            helpers_asked,
            probes_failed,
            helped,
            accusations,
            refutations,
            doubted,
            distrusted,
            unlinked,
            links_refused,
            stalls,
            members_refused,
            members_evicted,
            sends_dropped,
            rumours: _,
            rumours_stale: _,
            rumours_unknown: _,
            rumours_dropped: _,
            verifies: _,
            verifies_refused: _,
            signatures_bad: _,
            comparisons_refused: _,
        } = self.stats();
        let counters = [
            (
                "sporenet_probes",
                "Pings sent to neighbours of its own accord.",
                probes,
            ),
            (
                "sporenet_probe_helpers_asked",
                "Helpers asked to reach a silent neighbour.",
                helpers_asked,
            ),
            (
                "sporenet_probes_failed",
                "Probes that nobody answered.",
                probes_failed,
            ),
            (
                "sporenet_probes_helped",
                "Times it helped another to reach a third.",
                helped,
            ),
            (
                "sporenet_accusations",
                "Accusations by this node.",
                accusations,
            ),
            (
                "sporenet_refutations",
                "Refutations by this node.",
                refutations,
            ),
            (
                "sporenet_accusations_doubted",
                "Accusations by others that its own evidence contradicted.",
                doubted,
            ),
            (
                "sporenet_accusations_distrusted",
                "Accusations ignored since their accuser was wrong too often.",
                distrusted,
            ),
            (
                "sporenet_membership_unlinked",
                "Messages about members from peers without a link.",
                unlinked,
            ),
            (
                "sporenet_membership_links_refused",
                "Links that membership ignored because there were too many.",
                links_refused,
            ),
            (
                "sporenet_stalls",
                "Times the process did not run when it should have.",
                stalls,
            ),
            (
                "sporenet_members_refused",
                "Members refused because the table was full.",
                members_refused,
            ),
            (
                "sporenet_members_evicted",
                "Members that made room for others in a full table.",
                members_evicted,
            ),
            (
                "sporenet_membership_sends_dropped",
                "Messages about members dropped because too many were waiting.",
                sends_dropped,
            ),
        ];
        for (name, help, value) in counters {
            to.counter(name, help, value);
        }
    }

    /// What was counted of rumours, signatures and comparisons of tables.
    fn rumour_metrics(&self, to: &mut Metrics) {
        let stats = self.stats();
        let counters = [
            (
                "sporenet_rumours_received",
                "Rumours received.",
                stats.rumours,
            ),
            (
                "sporenet_rumours_stale",
                "Rumours that said nothing new.",
                stats.rumours_stale,
            ),
            (
                "sporenet_rumours_unknown",
                "Rumours about or by nodes that are not known.",
                stats.rumours_unknown,
            ),
            (
                "sporenet_rumours_dropped",
                "Rumours dropped because there were too many to tell.",
                stats.rumours_dropped,
            ),
            (
                "sporenet_rumour_signatures_checked",
                "Signatures of rumours checked.",
                stats.verifies,
            ),
            (
                "sporenet_rumour_signatures_refused",
                "Rumours dropped unchecked because their sender sent too many.",
                stats.verifies_refused,
            ),
            (
                "sporenet_rumour_signatures_bad",
                "Signatures of rumours that did not hold.",
                stats.signatures_bad,
            ),
            (
                "sporenet_table_comparisons_refused",
                "Comparisons of member tables refused because a peer asked too often.",
                stats.comparisons_refused,
            ),
        ];
        for (name, help, value) in counters {
            to.counter(name, help, value);
        }
    }
}

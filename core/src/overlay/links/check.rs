//! What must hold among the links at any time; simulators and tests ask.

use super::{Links, Peer, Stats, Timer};
use crate::{
    kernel::{
        bounded::{Gauge, first_broken},
        component::{Component, Settings},
        id::{LinkId, NodeId},
        metrics::Metrics,
        time::Duration,
    },
    overlay::dialer::Destination,
};

/// How late silence may be noticed, beyond four intervals: a tab waits for three and looks once in
/// each.
const LATE: Duration = Duration::from_secs(2);

impl Component for Links {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        let back = |(peer, routed): (&NodeId, &Peer)| self.by_link.get(&routed.link) == Some(peer);
        let watched = |peer: &NodeId| self.deadlines.at(&Timer::Ping(*peer)).is_some();
        let heard = |routed: &Peer| {
            let patience = self.interval_to(routed.identity.role) * 4 + LATE;
            self.now.since(routed.heard_at) <= patience
        };
        let is_patient = |link: &LinkId| self.deadlines.at(&Timer::Arrival(*link)).is_some();
        // A machine that was not woken in time can't have noticed silence yet.
        let on_time = self.deadlines.next().is_none_or(|next| next >= self.now);
        first_broken(&[
            (!self.is_linked(self.id), "it is linked to itself"),
            (
                self.peers.len() == self.by_link.len(),
                "a link leads to nobody, or two to one peer",
            ),
            (
                self.peers.iter().all(back),
                "a peer's link leads to somebody else",
            ),
            (self.peers.keys().all(watched), "a link is never pinged"),
            (
                self.standby
                    .keys()
                    .all(|peer| self.peers.contains_key(peer)),
                "a second link waits beside none",
            ),
            (
                !self
                    .arriving
                    .keys()
                    .any(|link| self.by_link.contains_key(link)),
                "a newcomer's link is used before it was let in",
            ),
            (
                self.arriving.keys().all(is_patient),
                "a newcomer's link waits for ever",
            ),
            (
                !on_time || self.peers.values().all(heard),
                "a silent link is kept",
            ),
            (
                !self.stopped || (self.peers.is_empty() && self.arriving.is_empty()),
                "it has stopped and holds links",
            ),
            (
                !self.stopped || self.deadlines.at(&Timer::Dial).is_none(),
                "it has stopped and still dials",
            ),
        ])?;
        // Who has stopped dials nobody, whoever was wanted before.
        self.dialer
            .check(|peer| self.stopped || self.targets.contains_key(peer))
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let links_max = usize::try_from(self.config.links_max).unwrap_or(usize::MAX);
        tell("links", self.by_link.len(), links_max);
        tell(
            "messages of links",
            self.outbox.len(),
            links_max.saturating_mul(2),
        );
        let arriving_max = usize::try_from(self.config.arriving_max).unwrap_or(usize::MAX);
        tell("newcomers", self.arriving.len(), arriving_max);
        self.dialer.gauge(tell);
    }

    fn metrics(&self, to: &mut Metrics) {
        let Stats {
            dials,
            dials_failed,
            duplicates,
            silent,
            refused,
        } = self.stats();
        let links = u64::try_from(self.peers().count()).unwrap_or(u64::MAX);
        to.gauge("sporenet_links", "Peers with a link.", links);
        let counters = [
            ("sporenet_dials", "Dials started.", dials),
            (
                "sporenet_dials_failed",
                "Dials that ended without a link.",
                dials_failed,
            ),
            (
                "sporenet_links_duplicate",
                "Links closed because another was kept.",
                duplicates,
            ),
            (
                "sporenet_links_silent",
                "Links closed as half-open.",
                silent,
            ),
            (
                "sporenet_links_too_many",
                "Links refused because there were too many.",
                refused,
            ),
            (
                "sporenet_destinations_refused",
                "Places to dial refused because there were too many.",
                self.dialer.refused(),
            ),
            (
                "sporenet_destinations_unusable",
                "Places not dialled because none of their addresses leads anywhere.",
                self.dialer.unusable(),
            ),
            (
                "sporenet_link_pings_dropped",
                "Pings and pongs dropped because too many were waiting.",
                self.outbox.sends_dropped(),
            ),
        ];
        for (name, help, value) in counters {
            to.counter(name, help, value);
        }
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

impl Links {
    /// Who is dialled again whenever there is no link.
    pub fn targets(&self) -> impl Iterator<Item = NodeId> {
        self.targets.keys().copied()
    }

    /// Peers whose link has answered, and whose failures of before are not forgiven.
    pub fn unforgiven(&self) -> impl Iterator<Item = NodeId> {
        let answered = self
            .peers
            .iter()
            .filter(|(_, routed)| routed.pings.times.is_some());
        let failed = |peer: &NodeId| self.dialer.failures(&Destination::Member(*peer)) > 0;
        answered.map(|(peer, _)| *peer).filter(failed)
    }
}

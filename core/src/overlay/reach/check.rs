//! What must hold in [`Reach`] at any time, how full it is, and what it counted.

use super::{
    Reach, Standing, Stats,
    machine::{ADDRESSES_MAX, REQUESTS_MAX, Timer},
};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    component::{Component, Settings},
    id::NodeId,
    metrics::Metrics,
};

impl Component for Reach {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        let is_timed = |peer: &NodeId| self.deadlines.at(&Timer::Serve(*peer)).is_some();
        let is_awaited = self.deadlines.at(&Timer::Check).is_some();
        first_broken(&[
            (
                self.check.is_some() == is_awaited,
                "a check of what others reach is never told",
            ),
            (
                self.serving.keys().all(is_timed),
                "a peer is never told what came of its addresses",
            ),
            (
                self.serving
                    .keys()
                    .all(|peer| self.relays.contains_key(peer)),
                "a peer without a link is dialled back",
            ),
        ])
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let max = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        tell(
            "relays that are dialled back",
            self.serving.len(),
            max(self.config.serving_max),
        );
        let asked = self.check.as_ref().map_or(0, |check| check.asked.len());
        tell("relays that dial back", asked, max(self.config.helpers_max));
        let waiting = self.check.as_ref().map_or(0, |check| check.requests.len());
        tell("who waits for a check", waiting, REQUESTS_MAX);
        tell(
            "addresses that were checked",
            self.standing.len(),
            ADDRESSES_MAX,
        );
    }

    fn metrics(&self, to: &mut Metrics) {
        let Stats { served, refused } = self.stats;
        let reached = |standing: &&Standing| standing.failed.is_none();
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        let checked = count(self.standing.len());
        let reached = count(self.standing.values().filter(reached).count());
        to.gauge(
            "sporenet_addresses_checked",
            "Addresses of this node that linked relays have dialled.",
            checked,
        );
        to.gauge(
            "sporenet_addresses_reached",
            "Those of them at which a connection opened.",
            reached,
        );
        to.counter(
            "sporenet_dial_backs",
            "Relays whose addresses were dialled because they asked.",
            served,
        );
        to.counter(
            "sporenet_dial_backs_refused",
            "Requests of relays to be dialled that were refused.",
            refused,
        );
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

//! How healthy each node is, term by term.

use crate::{
    detection::health_score::{self, Found, Term, WEIGHTS},
    kernel::{
        planted::{self, Planted},
        time::{Duration, Time, millis},
    },
    membership::{member::MemberState, roster::MemberView},
    node::{
        life::shares_used,
        machine::Node,
        read::snapshot::{HealthTerm, NodeHealth, PathView},
    },
};
use alloc::{string::ToString, vec::Vec};

/// A node that was heard of within this time, takes part and scores above [`HEALTHY`] is healthy.
const HEARD: Duration = Duration::from_secs(300);
/// See [`HEARD`].
const HEALTHY: f64 = 0.5;

impl Node {
    /// How healthy every member is that has not left, this node included; the worst first, the unknown
    /// last.
    #[must_use]
    pub fn health(&self, now: Time) -> Vec<NodeHealth> {
        let now = now.max(self.now);
        let paths = self.rtt_matrix(now);
        let members = self.swim.members();
        let present = members.filter(|member| member.state != MemberState::Left);
        let mut all: Vec<NodeHealth> = present
            .map(|member| self.health_of(&member, &paths, now))
            .collect();
        all.sort_by(|a, b| {
            let worse = |health: &NodeHealth| health.score.unwrap_or(f64::INFINITY);
            let order = worse(a).total_cmp(&worse(b));
            order.then_with(|| a.name.cmp(&b.name).then_with(|| a.node.cmp(&b.node)))
        });
        all
    }

    pub(in crate::node) fn health_of(
        &self,
        member: &MemberView<'_>,
        paths: &[PathView],
        now: Time,
    ) -> NodeHealth {
        let (id, state) = (member.record.id, member.state);
        let node = id.to_string();
        // Never by its own measuring: only what others see of the way to it.
        let by_itself = planted::is(Planted::SelfScore);
        let seen = paths
            .iter()
            .filter(|path| path.to == node || by_itself && path.from == node);
        let seen = seen.map(|path| {
            let age = Duration::from_millis(path.age_ms);
            (path.rtt_ms, path.loss, age)
        });
        let told = self.told_by(id, now);
        let age = told.map(|(_, age)| age);
        let used = told.map(|(sample, _)| shares_used(&sample));
        let uptime = self.measured.uptime_of(id);
        let found = if state == MemberState::Dead {
            // Nobody reaches it, and its own last word is worth nothing.
            let unreached = Found {
                value: Some(0.0),
                confidence: 1.0,
                age: Some(now.since(member.since)),
                observers: 1,
            };
            [unreached, uptime, Found::default(), Found::default()]
        } else {
            let used = used.into_iter().flatten().flatten();
            let resources = health_score::resources(used, age.unwrap_or_default());
            [
                health_score::network(seen),
                uptime,
                resources,
                Found::default(),
            ]
        };
        let score = health_score::score(&found);
        let score = score.or_else(|| planted::is(Planted::UnknownHealthy).then_some(1.0));
        let is_in = matches!(state, MemberState::Alive | MemberState::Suspect);
        let is_fresh = id == self.id() || age.is_some_and(|age| age <= HEARD);
        NodeHealth {
            name: self.display_name(id),
            node,
            score,
            healthy: score.map(|score| is_in && is_fresh && score > HEALTHY),
            terms: WEIGHTS.into_iter().zip(found).map(term).collect(),
        }
    }
}

fn term(((term, weight), found): ((Term, f64), Found)) -> HealthTerm {
    HealthTerm {
        name: term.name().into(),
        weight,
        value: found.value,
        confidence: found.confidence,
        age_ms: found.age.map(millis),
        observers: found.observers,
    }
}

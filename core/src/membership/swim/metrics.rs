//! Every number that membership counts and measures, under the name it has on `/metrics`.

use super::{Stats, Swim};
use crate::{kernel::metrics::Metrics, membership::roster::Counts};

/// A counter's name and what it counts.
type Named = (&'static str, &'static str);

const PROBES: [Named; 4] = [
    (
        "sporenet_probes",
        "Pings sent to neighbours of its own accord.",
    ),
    (
        "sporenet_probe_helpers_asked",
        "Helpers asked to reach a silent neighbour.",
    ),
    ("sporenet_probes_failed", "Probes that nobody answered."),
    (
        "sporenet_probes_helped",
        "Times it helped another to reach a third.",
    ),
];

const ACCUSATIONS: [Named; 4] = [
    ("sporenet_accusations", "Accusations by this node."),
    ("sporenet_refutations", "Refutations by this node."),
    (
        "sporenet_accusations_doubted",
        "Accusations by others that its own evidence contradicted.",
    ),
    (
        "sporenet_accusations_distrusted",
        "Accusations ignored since their accuser was wrong too often.",
    ),
];

const RUMOURS: [Named; 4] = [
    ("sporenet_rumours_received", "Rumours received."),
    ("sporenet_rumours_stale", "Rumours that said nothing new."),
    (
        "sporenet_rumours_unknown",
        "Rumours about or by nodes that are not known.",
    ),
    (
        "sporenet_rumours_dropped",
        "Rumours dropped because there were too many to tell.",
    ),
];

const CHECKS: [Named; 4] = [
    (
        "sporenet_rumour_signatures_checked",
        "Signatures of rumours checked.",
    ),
    (
        "sporenet_rumour_signatures_refused",
        "Rumours dropped unchecked because their sender sent too many.",
    ),
    (
        "sporenet_rumour_signatures_bad",
        "Signatures of rumours that did not hold.",
    ),
    (
        "sporenet_table_comparisons_refused",
        "Comparisons of member tables refused because a peer asked too often.",
    ),
];

const BOUNDS: [Named; 6] = [
    (
        "sporenet_stalls",
        "Times the process did not run when it should have.",
    ),
    (
        "sporenet_membership_unlinked",
        "Messages about members from peers without a link.",
    ),
    (
        "sporenet_membership_links_refused",
        "Links that membership ignored because there were too many.",
    ),
    (
        "sporenet_members_refused",
        "Members refused because the table was full.",
    ),
    (
        "sporenet_members_evicted",
        "Members that made room for others in a full table.",
    ),
    (
        "sporenet_membership_sends_dropped",
        "Messages about members dropped because too many were waiting.",
    ),
];

impl Swim {
    pub(super) fn tell_metrics(&self, to: &mut Metrics) {
        self.tell_states(to);
        // By every name, so that no counter is forgotten.
        let Stats {
            probes,
            helpers_asked,
            probes_failed,
            helped,
            accusations,
            refutations,
            doubted,
            distrusted,
            rumours,
            rumours_stale,
            rumours_unknown,
            rumours_dropped,
            verifies,
            verifies_refused,
            signatures_bad,
            comparisons_refused,
            stalls,
            unlinked,
            links_refused,
            members_refused,
            members_evicted,
            sends_dropped,
        } = self.stats();
        tell(to, PROBES, [probes, helpers_asked, probes_failed, helped]);
        let accused = [accusations, refutations, doubted, distrusted];
        tell(to, ACCUSATIONS, accused);
        let told = [rumours, rumours_stale, rumours_unknown, rumours_dropped];
        tell(to, RUMOURS, told);
        let checked = [
            verifies,
            verifies_refused,
            signatures_bad,
            comparisons_refused,
        ];
        tell(to, CHECKS, checked);
        let bounds = [
            stalls,
            unlinked,
            links_refused,
            members_refused,
            members_evicted,
            sends_dropped,
        ];
        tell(to, BOUNDS, bounds);
    }

    fn tell_states(&self, to: &mut Metrics) {
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
}

fn tell<const N: usize>(to: &mut Metrics, names: [Named; N], values: [u64; N]) {
    for ((name, help), value) in names.into_iter().zip(values) {
        to.counter(name, help, value);
    }
}

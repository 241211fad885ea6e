//! What must hold of alerts and health: who is there is not told of as dead, a channel is told once, all agree on
//! who looks after what, and nobody is healthy by its own word or because nothing is known.

use crate::{
    kernel::time::Time,
    membership::member::MemberState,
    node::{Node, alert_views::AlertView},
    observe::alerts::{Standing, record::ToldKey},
    sim::host::HostId,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
};

/// The most hosts that send one notification: the two sides of a cut, and one that took over from one that
/// crashed on each.
const TELLERS_MAX: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct AlertChecks {
    told: BTreeMap<ToldKey, BTreeSet<HostId>>,
}

impl AlertChecks {
    /// A host was to send a notification.
    pub(super) fn told(&mut self, host: HostId, key: &ToldKey) -> Result<(), String> {
        let hosts = self.told.entry(key.clone()).or_default();
        hosts.insert(host);
        if hosts.len() > TELLERS_MAX {
            return Err(format!(
                "hosts {hosts:?} all notify of incident {}",
                key.incident
            ));
        }
        Ok(())
    }
}

/// Who looks after each alert, as a node knows it, and of which time that is.
pub(super) fn looked_after(node: &Node) -> BTreeMap<(String, u64, Option<u64>), Option<String>> {
    let alerts = node.alert_views().into_iter();
    let known = alerts.filter(|alert| alert.state != Standing::Pending);
    known
        .map(|alert| {
            let which = (alert.id, alert.since_ms, alert.ended_ms);
            (which, alert.acknowledged_by)
        })
        .collect()
}

/// An alert on which two nodes do not agree who looks after it.
pub(super) fn acts_differ(a: &Node, b: &Node) -> Option<String> {
    let (a, b) = (looked_after(a), looked_after(b));
    let (which, by) = a
        .into_iter()
        .find(|(which, by)| b.get(which).is_some_and(|other| other != by))?;
    let other = b.get(&which).cloned().flatten();
    let name = |by: Option<String>| by.unwrap_or_else(|| "nobody".into());
    Some(format!(
        "{} looks after alert {} here, {} there",
        name(by),
        which.0,
        name(other)
    ))
}

/// A node whose health is no word of others.
pub(super) fn wrong_health(node: &Node, now: Time) -> Option<String> {
    let paths = node.rtt_matrix(now);
    node.health(now).into_iter().find_map(|health| {
        let (network, uptime) = (health.terms.first()?, health.terms.get(1)?);
        if health.score.is_some() && network.value.is_none() && uptime.value.is_none() {
            return Some(format!("{} has a health that nobody measured", health.name));
        }
        let by_others = paths
            .iter()
            .filter(|path| path.to == health.node && path.from != health.node)
            .count();
        // Whoever is dead is reached by nobody, which takes no path.
        let is_dead = network.value == Some(0.0);
        (!is_dead && u64::from(network.observers) > by_others as u64)
            .then(|| format!("the health of {} is its own word", health.name))
    })
}

/// Who is there, and is said to be dead by an alert.
pub(super) fn wrong_alert(node: &Node) -> Option<String> {
    let fires = |alert: &AlertView| {
        alert.metric == "unreachable"
            && matches!(alert.state, Standing::Firing | Standing::Acknowledged)
    };
    let mut alerts = node.alert_views().into_iter().filter(fires);
    let wrong = alerts.find(|alert| {
        let subject = alert.node.parse().ok();
        subject.and_then(|id| node.state_of(id)) == Some(MemberState::Alive)
    })?;
    Some(format!(
        "{} is alive, and an alert says that it is not",
        wrong.node_name
    ))
}

//! What must hold of alerts: who is there is not told of as dead, and a channel is told once.

use crate::{
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

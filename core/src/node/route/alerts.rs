//! Where the outputs of [`Alerts`](crate::observe::alerts::Alerts) go.
//!
//! | output | goes to |
//! |---|---|
//! | write | the replica, as a write of the node itself |
//! | notify | the host, as a [`Notification`](crate::node::read::alert_views::Notification) |
//! | fires, ended, acted, settings changed | the timeline |
//!
//! What changes in a reserved namespace comes back to it as a record, wherever it was written.

use crate::{
    kernel::{id::RequestId, machine::Output, text::Namespace},
    node::{
        contract::{HostOutput, Notice},
        machine::Node,
    },
    observe::alerts::{
        self, Written,
        record::{Place, RESERVED, SETTINGS, WATCH},
    },
    replication::{replica, write::AckLevel},
};
use alloc::{boxed::Box, vec::Vec};
use core::convert::Infallible;

/// The numbers of the node's own writes begin here; hosts number theirs from 1.
const OWN_FROM: u64 = 1 << 63;
/// The most records that are read at start, more than there can be of all kinds.
const RECORDS_MAX: u32 = 32_768;

/// The numbers of writes that the node itself asked for.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::node) struct OwnWrites {
    issued: u64,
}

impl OwnWrites {
    const fn next(&mut self) -> RequestId {
        self.issued = self.issued.saturating_add(1);
        RequestId(OWN_FROM.saturating_add(self.issued))
    }

    /// Whether it is the number of such a write: no host waits for its answer.
    pub(in crate::node) const fn is_own(self, id: RequestId) -> bool {
        id.0 > OWN_FROM && id.0 <= OWN_FROM.saturating_add(self.issued)
    }
}

impl Node {
    pub(in crate::node) fn route_alerts(&mut self, output: Output<Infallible, alerts::Event>) {
        let event = match output {
            Output::Send { message, .. } => match message {},
            Output::Event(event) => event,
        };
        match event {
            alerts::Event::Write { place, value } => {
                let request = self.own_writes.next();
                self.write_reserved(request, &place, value);
            }
            alerts::Event::Notify(key) => {
                if let Some(notification) = self.notification(&key) {
                    let output = HostOutput::Notify(Box::new(notification));
                    self.outbox.event(output.into());
                }
            }
            alerts::Event::Fires(id) => self.note_alert(id),
            alerts::Event::Ended(id) => self.note_alert(id),
            alerts::Event::Acted {
                by,
                deed,
                alerts,
                note,
            } => self.note(Notice::Acted {
                by,
                deed,
                alerts,
                note,
            }),
            alerts::Event::SettingsChanged { name, by } => {
                self.note(Notice::SettingChanged { name, by });
            }
        }
    }

    fn note_alert(&mut self, id: alerts::record::Id) {
        if let Some(alert) = self.alerts.alert(id) {
            let notice = Notice::Alert(Box::new(alert.clone()));
            self.note(notice);
        }
    }

    /// Writes a record to its place.
    pub(in crate::node) fn write_reserved(
        &mut self,
        request: RequestId,
        place: &Place,
        value: Option<crate::kernel::bytes::Bytes>,
    ) {
        self.tell_replica(replica::Command::Write {
            request,
            namespace: Namespace::clean(place.namespace()),
            key: place.key(),
            value,
            level: AckLevel::Local,
        });
    }

    /// Something may have changed in a reserved namespace.
    pub(in crate::node) fn on_reserved_change(&mut self, namespace: &str, key: &str) {
        if !namespace.starts_with(RESERVED) {
            return;
        }
        let Some(place) = Place::of(namespace, key) else {
            return;
        };
        let entry = self.replica.entry(namespace, key);
        let written = entry.map_or_else(Vec::new, |entry| {
            let lost = entry.conflicts.iter();
            let lost = lost.map(|version| (version.author, version.value.clone()));
            // What was deleted is gone, whatever lost against that.
            let winner = entry.value.clone().map(|value| (entry.author, Some(value)));
            let lost = lost.filter(|_| winner.is_some());
            let all = winner.clone().into_iter().chain(lost);
            all.filter_map(|(author, value)| {
                let value = value?;
                Some(Written { author, value })
            })
            .collect()
        });
        self.tell_alerts(alerts::Command::Record { place, written });
    }

    /// Reads what stands in the reserved namespaces, and follows them.
    pub(in crate::node) fn read_reserved(&mut self) {
        for namespace in [SETTINGS, WATCH] {
            if self.is_tab() {
                let namespace = Namespace::clean(namespace);
                self.tell_replica(replica::Command::Hold(namespace));
            }
            let keys = self.replica.list(namespace, "", None, RECORDS_MAX);
            for (key, _) in keys {
                self.on_reserved_change(namespace, &key);
            }
        }
        // What stood there before the start is no news.
        while let Some(output) = crate::kernel::machine::Machine::poll_output(&mut self.alerts) {
            drop(output);
        }
    }
}

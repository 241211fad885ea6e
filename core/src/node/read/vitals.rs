//! How each node is, and the paths between them.

use crate::{
    kernel::{
        id::NodeId,
        time::{Duration, Time, millis},
    },
    membership::{
        member::{MemberRecord, MemberState},
        roster::MemberView,
    },
    node::{
        machine::Node,
        read::snapshot::{NodeVitals, PathView, TransportView},
    },
    observe::vitals::{Path, Sample, Tag},
    overlay::links,
};
use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

impl Node {
    /// How every member is that has not left, this node included; in the order of names.
    #[must_use]
    pub fn vitals(&self, now: Time) -> Vec<NodeVitals> {
        let now = now.max(self.now);
        let mut vitals: Vec<NodeVitals> = self
            .present()
            .map(|member| {
                let record: &MemberRecord = member.record;
                let told = self.told_by(record.id, now);
                node_vitals(record, told)
            })
            .collect();
        vitals.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
        vitals
    }

    /// The paths between members that have not left: this node's own to all its linked peers, and of the
    /// others what they told. Both directions of a link are paths of their own.
    #[must_use]
    pub fn rtt_matrix(&self, now: Time) -> Vec<PathView> {
        let now = now.max(self.now);
        let present: BTreeMap<Tag, &MemberRecord> = self
            .present()
            .map(|member| {
                let record: &MemberRecord = member.record;
                (Tag::of(record.id), record)
            })
            .collect();
        let mut paths = Vec::new();
        for from in present.values().copied() {
            if from.id == self.id() {
                let own = self.links.paths();
                paths.extend(own.filter_map(|path| {
                    let to = present.get(&Tag::of(path.peer))?;
                    Some(self.own_path(from, to, &path, now))
                }));
            } else if let Some(known) = self.vitals.known(&from.id, now) {
                let told = known.report.paths.iter();
                paths.extend(told.filter_map(|path| {
                    let to = present.get(&path.peer)?;
                    Some(told_path(from, to, path, known.age))
                }));
            }
        }
        paths
    }

    /// The paths to one node, as [`Node::rtt_matrix`] has them.
    pub(in crate::node) fn paths_to(&self, node: NodeId, now: Time) -> Vec<PathView> {
        let now = now.max(self.now);
        let Some(to) = self.swim.record(&node) else {
            return Vec::new();
        };
        let tag = Tag::of(node);
        let mut paths = Vec::new();
        for member in self.present() {
            let from: &MemberRecord = member.record;
            if from.id == self.id() {
                let own = self.links.paths().filter(|path| path.peer == node);
                paths.extend(own.map(|path| self.own_path(from, to, &path, now)));
            } else if let Some(known) = self.vitals.known(&from.id, now) {
                let told = known.report.paths.iter().filter(|path| path.peer == tag);
                paths.extend(told.map(|path| told_path(from, to, path, known.age)));
            }
        }
        paths
    }

    fn own_path(
        &self,
        from: &MemberRecord,
        to: &MemberRecord,
        path: &links::Path,
        now: Time,
    ) -> PathView {
        let in_millis = |span: Duration| span.as_secs_f64() * 1_000.0;
        PathView {
            rtt_ms: in_millis(path.rtt),
            min_ms: in_millis(path.rtt_min),
            jitter_ms: in_millis(path.jitter),
            loss: f64::from(path.loss_permille) / 1_000.0,
            phi: self.links.phi(path.peer, now),
            ..ends(from, to, Duration::ZERO)
        }
    }

    fn present(&self) -> impl Iterator<Item = MemberView<'_>> {
        let members = self.swim.members();
        members.filter(|member| member.state != MemberState::Left)
    }

    pub(in crate::node) fn told_by(&self, id: NodeId, now: Time) -> Option<(Sample, Duration)> {
        if id == self.id() {
            return self.vitals.own(now);
        }
        let known = self.vitals.known(&id, now)?;
        Some((known.report.sample, known.age))
    }
}

fn node_vitals(record: &MemberRecord, told: Option<(Sample, Duration)>) -> NodeVitals {
    let age_ms = told.map(|(_, age)| millis(age));
    let sample = told.map(|(sample, _)| sample).unwrap_or_default();
    NodeVitals {
        id: record.id.to_string(),
        name: record.name.clone(),
        role: record.role,
        age_ms,
        cpu_permille: sample.cpu_permille,
        memory_used_kib: sample.memory_used_kib,
        memory_limit_kib: sample.memory_limit_kib,
        disk_used_kib: sample.disk_used_kib,
        disk_total_kib: sample.disk_total_kib,
        network_rx: sample.network_rx,
        network_tx: sample.network_tx,
        descriptors_used: sample.descriptors_used,
        descriptors_limit: sample.descriptors_limit,
        loop_lag_ms: sample.loop_lag_ms,
        journal_latency_ms: sample.journal_latency_ms,
        send_queue: sample.send_queue,
        visible: sample.visible,
        storage_used_kib: sample.storage_used_kib,
        storage_quota_kib: sample.storage_quota_kib,
        heap_used_kib: sample.heap_used_kib,
        heap_limit_kib: sample.heap_limit_kib,
        transports: sample
            .reached_over()
            .map(|(transport, reached)| TransportView {
                transport: transport.scheme().into(),
                reached,
            })
            .collect(),
    }
}

fn told_path(from: &MemberRecord, to: &MemberRecord, path: &Path, age: Duration) -> PathView {
    let in_millis = |micros: u32| f64::from(micros) / 1_000.0;
    PathView {
        rtt_ms: in_millis(path.rtt_us),
        min_ms: in_millis(path.min_us),
        jitter_ms: in_millis(path.jitter_us),
        loss: f64::from(path.loss_permille.min(1_000)) / 1_000.0,
        ..ends(from, to, age)
    }
}

fn ends(from: &MemberRecord, to: &MemberRecord, age: Duration) -> PathView {
    PathView {
        from: from.id.to_string(),
        to: to.id.to_string(),
        from_name: from.name.clone(),
        to_name: to.name.clone(),
        rtt_ms: 0.0,
        min_ms: 0.0,
        jitter_ms: 0.0,
        loss: 0.0,
        phi: None,
        age_ms: millis(age),
    }
}

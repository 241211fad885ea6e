//! How the node is: one word, and the facts behind it in the order of their weight.

use crate::{
    kernel::{
        id::{NodeId, Role},
        time::{Duration, Time},
    },
    membership::{member::MemberState, why::Why},
    node::{
        life::Phase,
        machine::Node,
        read::{
            sentences::{
                fence_in_words, held_back_in_words, in_words, left_behind_in_words,
                own_clock_in_words,
            },
            snapshot::{KvCounts, MemberCounts, Status, Verdict},
        },
    },
    observe::alerts::{
        Cause, Incident,
        record::{Grade, RESERVED},
    },
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// A dead relay stops counting against the verdict after this long: it is gone, and known to be.
const DEAD_MATTERS_FOR: Duration = Duration::from_secs(24 * 3_600);

/// A trouble that is younger is told as "just now".
const JUST_NOW: Duration = Duration::from_secs(1);

/// The most reasons given.
const REASONS_MAX: usize = 8;

impl Node {
    /// The node in one view.
    #[must_use]
    pub fn status(&self, now: Time) -> Status {
        let now = now.max(self.now);
        let (verdict, mut reasons) = self.judge(now);
        // The worst come first, so that the cut leaves out the least.
        reasons.truncate(REASONS_MAX);
        let (live, batches) = self.replica.counts();
        // What the mesh keeps for itself is not what its users stored.
        let namespaces = self.replica.namespaces();
        let own = namespaces
            .iter()
            .filter(|(name, _)| name.starts_with(RESERVED));
        let keys = own.fold(live, |keys, (_, count)| keys.saturating_sub(*count));
        Status {
            id: self.id().to_string(),
            name: self.config.name.clone(),
            network: self.network.to_string(),
            version: self.config.version.clone(),
            role: self.config.role,
            incarnation: self.swim.incarnation().0,
            verdict,
            reasons,
            mode: self.mode().to_string(),
            members: self.member_counts(),
            kv: KvCounts { keys, batches },
            uptime_s: now.since(self.started_at).as_secs(),
            clock_ahead_ms: self.clock.ahead_ms(),
        }
    }

    /// Members by state, this node included.
    #[must_use]
    pub fn member_counts(&self) -> MemberCounts {
        let mut counts = MemberCounts::default();
        for member in self.swim.members() {
            let count = match member.state {
                MemberState::Alive => &mut counts.alive,
                MemberState::Suspect => &mut counts.suspect,
                MemberState::Dead => &mut counts.dead,
                MemberState::Left => &mut counts.left,
                MemberState::Parked => &mut counts.parked,
            };
            *count = count.saturating_add(1);
        }
        counts
    }

    const fn mode(&self) -> &'static str {
        match &self.phase {
            Phase::Joining => "joining",
            Phase::Fenced(_) => "fenced",
            Phase::Leaving { .. } | Phase::Departed => "leaving",
            Phase::Running if self.journal.is_broken() => "read-only",
            Phase::Running => "normal",
        }
    }

    fn judge(&self, now: Time) -> (Verdict, Vec<String>) {
        match &self.phase {
            Phase::Joining => (Verdict::Joining, alloc::vec![self.why_joining()]),
            Phase::Fenced(cause) => (Verdict::Fenced, alloc::vec![fence_in_words(cause)]),
            Phase::Leaving { .. } | Phase::Departed => (
                Verdict::Leaving,
                alloc::vec!["This node is leaving the mesh.".into()],
            ),
            Phase::Running if !self.is_acquainted(now) => (
                Verdict::Joining,
                alloc::vec!["Let in; asking who else is there.".into()],
            ),
            Phase::Running => self.judge_running(now),
        }
    }

    fn judge_running(&self, now: Time) -> (Verdict, Vec<String>) {
        let mut reasons = self.store_troubles();
        let (others, linked) = self.relays();
        // Without a link to a relay what is known of members is old news: their troubles are left
        // out.
        if others > 0 && linked == 0 {
            reasons.push(self.why_isolated());
            return (Verdict::Isolated, reasons);
        }
        reasons.extend(self.clock_troubles());
        reasons.extend(self.member_troubles(now));
        let (is_grave, incidents) = self.open_incidents();
        if !reasons.is_empty() || is_grave {
            reasons.extend(incidents);
            return (Verdict::Degraded, reasons);
        }
        let alive = self.member_counts().alive;
        let all_well = match (others, alive) {
            (0, 0 | 1) => "This is the only node so far; invite others with a join link.".into(),
            (0, _) => format!("{alive} nodes are alive; this is the only relay."),
            (_, _) => format!("All {alive} nodes are alive and answer."),
        };
        let all_well = core::iter::once(all_well);
        (Verdict::Healthy, all_well.chain(incidents).collect())
    }

    /// Whether an open incident hurts the mesh, and all that are worth a reason, the gravest first. Who is
    /// dead is told of already. One that somebody silenced for all its alerts is left out.
    fn open_incidents(&self) -> (bool, Vec<String>) {
        let open = self.alerts.incidents().filter(|incident| {
            let cause = incident.causes.first().map(|(cause, _)| cause);
            let is_told = matches!(cause, Some(Cause::NodeDown(_) | Cause::Partition));
            incident.ended_ms.is_none() && incident.grade >= Grade::Medium && !is_told
        });
        let mut open: Vec<&Incident> = open
            .filter(|incident| !self.alerts.is_silenced(incident))
            .collect();
        open.sort_by_key(|incident| (core::cmp::Reverse(incident.grade), incident.id));
        // A busy machine still does all it should.
        let is_grave = open.iter().any(|incident| {
            let cause = incident.causes.first().map(|(cause, _)| cause);
            incident.grade >= Grade::High && !matches!(cause, Some(Cause::Overload(_)))
        });
        let text = |incident: &&Incident| {
            format!(
                "{} (incident {}, {}).",
                self.title(incident),
                incident.id,
                incident.grade.name()
            )
        };
        (is_grave, open.iter().map(text).collect())
    }

    /// Other relays that have not left, and how many of them are linked.
    fn relays(&self) -> (u32, u32) {
        let mut counts = (0_u32, 0_u32);
        for member in self.swim.members() {
            let id = member.record.id;
            // Dead relays count: a node without a link to any is isolated, whoever failed.
            let counted = member.record.role == Role::Relay
                && id != self.id()
                && member.state != MemberState::Left;
            if counted {
                counts.0 = counts.0.saturating_add(1);
                counts.1 = counts.1.saturating_add(u32::from(self.links.is_linked(id)));
            }
        }
        counts
    }

    fn why_joining(&self) -> String {
        let trouble = self.join_trouble().map(|trouble| trouble.text);
        trouble.unwrap_or_else(|| "Asking to be let into the network.".into())
    }

    fn why_isolated(&self) -> String {
        let keeps = if self.is_tab() {
            "in this browser"
        } else {
            "on this node"
        };
        format!(
            "No relay answers; what you write is kept {keeps} and goes out when one does. \
             Connecting is tried all the time."
        )
    }

    fn store_troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.store_lost {
            troubles.push(
                "The data directory is gone or was replaced: nothing can be written. Stop the node, \
                 put the directory back (is its volume mounted?) and start the node again."
                    .to_string(),
            );
        } else if self.journal.is_broken() {
            troubles.push(
                "The store failed: nothing can be written. Check the disk and restart.".to_string(),
            );
        } else if self.journal.full_since().is_some() {
            troubles.push("The store is full: writes are refused. Free some space.".to_string());
        }
        troubles
    }

    fn clock_troubles(&self) -> Vec<String> {
        let own = self.clock.wrong_by_ms().map(own_clock_in_words);
        let held_back = self.writes_held_back().map(held_back_in_words);
        let peers = self.clock.peers().map(|off| self.clock_in_words(off));
        let behind = self.left_behind().map(left_behind_in_words);
        let own = held_back.into_iter().chain(own);
        own.chain(peers).chain(behind).collect()
    }

    /// What is to be said beside the answer to a write that succeeded.
    pub(in crate::node) fn write_warning(&self) -> Option<String> {
        let held_back = self.writes_held_back().map(held_back_in_words);
        held_back.or_else(|| self.clock.wrong_by_ms().map(own_clock_in_words))
    }

    fn member_troubles(&self, now: Time) -> Vec<String> {
        let mut troubles: Vec<(MemberState, Duration, String)> = self
            .swim
            .members()
            .filter_map(|member| {
                let age = now.since(member.since);
                let matters = match member.state {
                    MemberState::Suspect => true,
                    MemberState::Dead => age < DEAD_MATTERS_FOR,
                    MemberState::Alive | MemberState::Left | MemberState::Parked => false,
                };
                matters.then(|| {
                    let text = self.trouble(member.record.id, member.state, age, member.why);
                    (member.state, age, text)
                })
            })
            .collect();
        troubles.sort_by(|a, b| {
            // The text decides last, so that the order is the same each time.
            let worse_or_newer = b.0.cmp(&a.0).then(a.1.cmp(&b.1));
            worse_or_newer.then_with(|| a.2.cmp(&b.2))
        });
        troubles.into_iter().map(|(_, _, text)| text).collect()
    }

    fn trouble(&self, id: NodeId, state: MemberState, age: Duration, why: &Why) -> String {
        let (whom, why) = (self.display_name(id), self.why_in_words(why));
        let word = if state == MemberState::Dead {
            "dead"
        } else {
            "suspect"
        };
        if age < JUST_NOW {
            return format!("{whom} was found {word} just now: {why}.");
        }
        format!("{whom} has been {word} for {}: {why}.", in_words(age))
    }
}

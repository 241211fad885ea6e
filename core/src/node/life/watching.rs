//! What is unusual about this node's own series is told, and what was told is held against the alerts that
//! follow.

use crate::{
    node::{contract::Notice, machine::Node},
    observe::{series::Series, watch::Told},
};
use alloc::vec::Vec;

impl Node {
    /// Looks at a value of this node that was just measured.
    pub(in crate::node) fn watch(&mut self, series: Series, at_ms: u64, value: f64) {
        for told in self.history.watch.observe(series, at_ms, value) {
            self.note(match told {
                Told::Unusual(unusual) => Notice::Anomaly(unusual),
                Told::Together(series) => Notice::UnusualTogether(series),
                Told::RunsFull { series, after } => Notice::RunsFull { series, after },
            });
        }
    }

    /// Holds findings that are old enough against the alerts about this node.
    pub(in crate::node) fn settle_findings(&mut self) {
        let now_ms = self.wall_now().as_millis();
        if !self.history.watch.is_owing(now_ms) {
            return;
        }
        let me = self.id();
        let alerts = self.alerts.alerts();
        let about = alerts.iter().filter(|known| {
            let about = &known.alert.about;
            about.node == me || about.peer == Some(me)
        });
        let began: Vec<u64> = about.map(|known| known.alert.since_ms).collect();
        self.history.watch.settle(now_ms, &began);
    }
}

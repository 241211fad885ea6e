//! What was measured over time, as charts ask for it.

use crate::{
    kernel::id::NodeId,
    node::{
        machine::Node,
        read::snapshot::{SeriesPoints, SeriesView},
    },
    observe::{
        metrics::Points,
        series::{Key, Series},
    },
};
use alloc::{string::ToString, vec::Vec};

/// What a console shows without being asked.
const CHARTS: [Series; 10] = [
    Series::Cpu,
    Series::Memory,
    Series::LoopLag,
    Series::Latency,
    Series::LatencyP50,
    Series::LatencyP99,
    Series::MessagesIn,
    Series::MessagesOut,
    Series::Writes,
    Series::ErrorRate,
];
/// The window of those charts.
const CHARTS_MS: u64 = 600_000;
/// The most points of each: steps of 5 s, in which a tab has measured.
const CHART_POINTS: usize = 121;

impl Node {
    /// Every series that this node has of itself and of others, with its latest value.
    #[must_use]
    pub fn series(&self) -> Vec<SeriesView> {
        let store = &self.history.store;
        let known = store.series().filter_map(|(key, _)| {
            let latest = store.latest(key)?;
            Some(SeriesView {
                node: key.node.to_string(),
                name: self.display_name(key.node),
                series: key.series.name().into(),
                unit: key.series.unit().into(),
                at_ms: latest.at_ms,
                value: f64::from(latest.value),
            })
        });
        known.collect()
    }

    /// What a console shows of this node without being asked: the last ten minutes of some series, at most
    /// 121 points each.
    #[must_use]
    pub fn charts(&self) -> Vec<SeriesPoints> {
        let now = self.wall_now().as_millis();
        let window = (now.saturating_sub(CHARTS_MS), now);
        let points = |series| self.series_points(self.id(), series, window, CHART_POINTS);
        CHARTS.into_iter().filter_map(points).collect()
    }

    /// A series of a node in a window of wall-clock time, both ends included, as at most `points_max`
    /// points; `None` if nothing of it was ever measured.
    #[must_use]
    pub fn series_points(
        &self,
        node: NodeId,
        series: Series,
        (from_ms, to_ms): (u64, u64),
        points_max: usize,
    ) -> Option<SeriesPoints> {
        let key = Key { node, series };
        let Points { step_ms, points } =
            self.history.store.peek(&key, from_ms, to_ms, points_max)?;
        let value = |number: f32| f64::from(number);
        Some(SeriesPoints {
            node: node.to_string(),
            series: series.name().into(),
            unit: series.unit().into(),
            step_ms,
            points: points
                .iter()
                .map(|point| (point.at_ms, value(point.mean)))
                .collect(),
            min: points.iter().map(|point| value(point.min)).reduce(f64::min),
            max: points.iter().map(|point| value(point.max)).reduce(f64::max),
        })
    }
}

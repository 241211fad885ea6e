//! `/metrics` in OpenMetrics text: what the core measures, and what the shell counts.

use crate::{
    http::{
        Api,
        asked::{InQuery, Nothing},
        problem::Problem,
        within_patience,
    },
    links::Counters,
    log_sink,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use sporenet_core::kernel::metrics::Metric;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The media type of the answer.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The measurements of one moment.
#[derive(Debug)]
struct Snapshot(Vec<Metric>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
        for metric in &self.0 {
            families.entry(metric.name).or_default().push(metric);
        }
        for (name, metrics) in families {
            let Some(first) = metrics.first() else {
                continue;
            };
            let kind = if first.counter {
                MetricType::Counter
            } else {
                MetricType::Gauge
            };
            let mut family = encoder.encode_descriptor(name, first.help, None, kind)?;
            if let Some(alone) = metrics.iter().find(|metric| metric.label.is_none()) {
                write_value(alone, family)?;
                continue;
            }
            for metric in &metrics {
                let labels: Vec<_> = metric
                    .label
                    .iter()
                    .map(|(label, value)| (*label, value.as_str()))
                    .collect();
                write_value(metric, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn write_value(
    metric: &Metric,
    encoder: prometheus_client::encoding::MetricEncoder<'_>,
) -> Result<(), fmt::Error> {
    if metric.counter {
        ConstCounter::new(metric.value).encode(encoder)
    } else {
        ConstGauge::new(metric.value).encode(encoder)
    }
}

/// The metrics.
pub(crate) async fn metrics(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    let mut all = within_patience(api.core().ask(|node, now| node.metrics(now))).await?;
    all.extend(of_shell(&api.links.counters));
    all.extend(api.channels.metrics());
    all.extend(api.history.metrics());
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot(all)));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The metrics can't be written.",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

fn of_shell(counters: &Counters) -> Vec<Metric> {
    let mut all = counted(counters);
    all.push(Metric {
        name: "sporenet_log_lines_dropped",
        help: "Log lines that could not be written",
        counter: true,
        label: None,
        value: as_f64(log_sink::dropped()),
    });
    let gauge = |name, help, label, value| Metric {
        name,
        help,
        counter: false,
        label,
        value,
    };
    let version = Some(("version", env!("CARGO_PKG_VERSION").to_owned()));
    all.push(gauge(
        "sporenet_build_info",
        "The program's version",
        version,
        1.0,
    ));
    if let Some(bytes) = resident_bytes() {
        let name = "sporenet_process_resident_memory_bytes";
        all.push(gauge(
            name,
            "Resident memory of the process",
            None,
            as_f64(bytes),
        ));
    }
    all
}

fn counted(counters: &Counters) -> Vec<Metric> {
    let links = [
        (
            "sporenet_connections_accepted",
            "Connections accepted",
            &counters.accepted,
        ),
        (
            "sporenet_connections_turned_away",
            "Connections without room",
            &counters.turned_away,
        ),
        (
            "sporenet_accept_failures",
            "Connections that failed to open",
            &counters.accept_failed,
        ),
        (
            "sporenet_unknown_frames",
            "Frames of a kind not known here",
            &counters.unknown_frames,
        ),
        (
            "sporenet_link_sends_dropped",
            "Messages without route or room",
            &counters.sends_dropped,
        ),
        (
            "sporenet_links_overloaded",
            "Links whose queue stayed full",
            &counters.overloaded,
        ),
        (
            "sporenet_link_received_bytes",
            "Bytes received",
            &counters.link_bytes_received,
        ),
        (
            "sporenet_link_sent_bytes",
            "Bytes sent",
            &counters.link_bytes_sent,
        ),
    ];
    let all = links.into_iter().chain(http(counters));
    all.map(|(name, help, counter)| Metric {
        name,
        help,
        counter: true,
        label: None,
        value: as_f64(counter.load(Ordering::Relaxed)),
    })
    .collect()
}

/// A counter's name, what it counts, and the counter.
type Named<'a> = (&'static str, &'static str, &'a AtomicU64);

const fn http(counters: &Counters) -> [Named<'_>; 4] {
    [
        (
            "sporenet_http_connections_stalled",
            "HTTP connections closed because their peer took no bytes",
            &counters.http_stalled,
        ),
        (
            "sporenet_http_connections_displaced",
            "HTTP connections of strangers that gave way to newer ones",
            &counters.http_displaced,
        ),
        (
            "sporenet_http_requests",
            "HTTP requests",
            &counters.requests,
        ),
        (
            "sporenet_http_requests_refused",
            "HTTP requests refused",
            &counters.requests_refused,
        ),
    ]
}

/// A count as a measured value; beyond 2⁵³ the last digits don't matter.
pub(crate) fn as_f64(count: u64) -> f64 {
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// The resident memory, where the operating system tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_described_once_and_labels_are_escaped() {
        let metric = |name, label, counter, value| Metric {
            name,
            help: "Help",
            counter,
            label,
            value,
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Snapshot(vec![
            metric(
                "sporenet_members",
                Some(("state", "alive".to_owned())),
                false,
                2.0,
            ),
            metric("sporenet_writes", None, true, 7.0),
            metric(
                "sporenet_members",
                Some(("state", "a\"b".to_owned())),
                false,
                1.5,
            ),
        ])));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(
            text.matches("# TYPE sporenet_members gauge").count(),
            1,
            "{text}"
        );
        assert!(
            text.contains("sporenet_members{state=\"alive\"} 2.0"),
            "{text}"
        );
        assert!(
            text.contains("sporenet_members{state=\"a\\\"b\"} 1.5"),
            "{text}"
        );
        assert!(text.contains("sporenet_writes_total 7.0"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn large_counts_keep_their_size() {
        assert!((as_f64(1 << 40) - 1_099_511_627_776.0).abs() < 0.5);
        assert!((as_f64(7) - 7.0).abs() < 0.5);
    }
}

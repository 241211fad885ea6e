//! Alerts, incidents and settings that nobody has: trouble in the scene `outage`, calm in the others.

use super::{
    made_up::{cast, id},
    series,
};
use crate::protocol::{Answer, Failure, Request};
use sporenet_core::{
    node::alert_views::{
        AlertView, CauseView, ChannelView, DryAlert, DryRun, IncidentView, NotifiedView,
        SettingView, SilenceView, VersionView,
    },
    observe::alerts::{
        self, Standing,
        record::{Ending, Grade},
        rule::{Level, Metric, Rule},
        text::TextRefusal,
    },
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
/// For how long series are kept, and how many minutes that is.
const KEPT_MS: u64 = 48 * HOUR_MS;
const MINUTES: u32 = 2_880;

/// An alert: its id, rule, severity, state, node, name, metric, value, threshold, unit, age and incident.
struct Made(
    &'static str,
    &'static str,
    Grade,
    Standing,
    (u8, &'static str),
    &'static str,
    Option<(f64, f64)>,
    &'static str,
    u64,
    Option<&'static str>,
    &'static str,
);

#[expect(clippy::too_many_lines, reason = "a list of made-up alerts")]
fn made(scene: &str) -> Vec<Made> {
    use Grade::{Critical, High, Low, Medium};
    use Standing::{Acknowledged, Firing, Pending, Resolved};
    let over = Made(
        "00000004",
        "latency",
        Low,
        Resolved,
        (1, "cellar"),
        "latency",
        Some((312.4, 250.0)),
        "ms",
        5 * HOUR_MS,
        Some("0000000d"),
        "cellar to hetzner-fsn1: round trip of 312 ms, above 250 ms",
    );
    if scene != "outage" {
        return vec![over];
    }
    vec![
        Made(
            "00000006",
            "cpu",
            Low,
            Pending,
            (3, "hetzner-fsn1"),
            "cpu",
            None,
            "%",
            4_000,
            None,
            "hetzner-fsn1, processors: beyond its threshold, not for long enough yet",
        ),
        Made(
            "00000001",
            "unreachable",
            Critical,
            Firing,
            (2, "attic"),
            "unreachable",
            Some((1.0, 1.0)),
            "",
            8_000,
            Some("0000000a"),
            "attic is dead",
        ),
        Made(
            "00000002",
            "slow-path",
            High,
            Firing,
            (4, "<img src=x onerror=alert(1)>"),
            "slow_path",
            Some((7.25, 3.0)),
            "",
            40_000,
            Some("0000000b"),
            "the path to <img src=x onerror=alert(1)> takes 7.25 times its shortest round trip",
        ),
        Made(
            "00000003",
            "resources",
            Medium,
            Acknowledged,
            (1, "cellar"),
            "resource_usage",
            Some((91.2, 90.0)),
            "%",
            50 * MINUTE_MS,
            Some("0000000c"),
            "cellar uses 91.2 % of its disk",
        ),
        over,
    ]
}

pub(super) fn alerts(scene: &str, wall_ms: u64) -> Vec<AlertView> {
    let made = made(scene).into_iter();
    made.map(|one| {
        let Made(name, rule, severity, state, node, metric, values, unit, age, incident, text) =
            one;
        let since_ms = wall_ms.saturating_sub(age) / MINUTE_MS * MINUTE_MS;
        let is_known = state == Standing::Acknowledged;
        AlertView {
            id: name.into(),
            rule: rule.into(),
            severity,
            state,
            node: id(node.0).to_string(),
            node_name: node.1.into(),
            peer: None,
            peer_name: None,
            metric: metric.into(),
            value: values.map(|(value, _)| value),
            threshold: values.map(|(_, threshold)| threshold),
            unit: unit.into(),
            since_ms,
            ended_ms: (state == Standing::Resolved).then_some(since_ms + 12 * MINUTE_MS),
            ending: (state == Standing::Resolved).then_some(Ending::NodeDown),
            acknowledged_by: is_known.then(|| "hetzner-fsn1".into()),
            acknowledged_ms: is_known.then_some(since_ms + 9 * MINUTE_MS),
            note: is_known.then(|| "old logs are being removed".into()),
            silenced_until_ms: is_known.then_some(since_ms + 2 * HOUR_MS),
            incident: incident.map(Into::into),
            text: text.into(),
        }
    })
    .collect()
}

/// An incident for each alert that has one.
pub(super) fn incidents(scene: &str, wall_ms: u64) -> Vec<IncidentView> {
    let alerts = alerts(scene, wall_ms).into_iter();
    alerts
        .filter_map(|alert| Some((alert.incident.clone()?, alert)))
        .map(|(name, alert)| IncidentView {
            id: name,
            title: alert.text.clone(),
            severity: alert.severity,
            state: alert.state,
            cause: "node_down".into(),
            causes: causes(),
            next_step: format!(
                "Look at {}: is its machine on, does its process run?",
                alert.node_name
            ),
            nodes: vec![alert.node.clone(), id(8).to_string()],
            alerts: vec![alert.id.clone()],
            since_ms: alert.since_ms,
            ended_ms: alert.ended_ms,
            acknowledged_by: alert.acknowledged_by.clone(),
            note: alert.note.clone(),
            notified: notified(alert.since_ms),
        })
        .collect()
}

fn causes() -> Vec<CauseView> {
    let causes = [
        ("node_down", "the node's process or machine is down", 72),
        ("network_of_node", "the node's own network is cut", 20),
        ("partition", "the mesh is cut in two", 8),
    ];
    let view = |(code, text, percent): (&str, &str, u8)| CauseView {
        code: code.into(),
        text: text.into(),
        percent,
    };
    causes.map(view).to_vec()
}

fn notified(since_ms: u64) -> Vec<NotifiedView> {
    let told = [
        ("ops", Some(0), 3_000, Some(true), None),
        (
            "mail",
            Some(0),
            3_200,
            Some(false),
            Some("connection refused by smtp.example.org:587"),
        ),
        ("phone", Some(1), 5_000, None, None),
    ];
    let view = |(channel, step, after, ok, error): (&str, _, u64, _, Option<&str>)| NotifiedView {
        channel: channel.into(),
        step,
        by: "cellar".into(),
        at_ms: since_ms + after,
        ok,
        error: error.map(Into::into),
    };
    told.map(view).to_vec()
}

pub(super) fn silences(scene: &str, wall_ms: u64) -> Vec<SilenceView> {
    if scene != "outage" {
        return Vec::new();
    }
    let node = id(1).to_string();
    let node = node.get(..16).unwrap_or_default();
    vec![SilenceView {
        id: "000000aa".into(),
        fits: format!("resources {node}"),
        until_ms: wall_ms / HOUR_MS * HOUR_MS + 2 * HOUR_MS,
        at_ms: wall_ms / HOUR_MS * HOUR_MS,
        by: "hetzner-fsn1".into(),
        note: Some("the disk is being replaced".into()),
    }]
}

pub(super) fn channels(scene: &str) -> Vec<ChannelView> {
    if scene == "empty" {
        return Vec::new();
    }
    let channels = [
        ("ops", "webhook", Grade::Low),
        ("mail", "smtp", Grade::Medium),
        ("phone", "command", Grade::High),
    ];
    let view = |(name, kind, min_severity): (&str, &str, Grade)| ChannelView {
        name: name.into(),
        kind: kind.into(),
        min_severity,
        nodes: vec!["cellar".into(), "hetzner-fsn1".into()],
    };
    channels.map(view).to_vec()
}

pub(super) fn settings(wall_ms: u64) -> Vec<SettingView> {
    let settings = [
        (
            "alerts.group_wait",
            "how long an incident gathers alerts before it is told",
            "3s",
            "3s",
        ),
        ("alerts.keep", "how long ended alerts are kept", "14d", "7d"),
        (
            "alerts.escalation",
            "who is told when",
            "0s *, 15m ops high",
            "0s *",
        ),
        (
            "rule.latency",
            "the round trip of a path is above 250 ms for 10s",
            "latency above 250 500 for 10s clear 10% samples 3 impact 60%",
            "latency above 250 500 for 10s clear 10% samples 3 impact 60%",
        ),
        (
            "rule.errors",
            "a rule that is switched off",
            "off",
            "error_rate above 0.05 0.2 for 30s clear 10% samples 3 impact 80%",
        ),
    ];
    let view = |(key, meaning, value, default): (&str, &str, &str, &str)| {
        let is_changed = value != default;
        SettingView {
            key: key.into(),
            meaning: meaning.into(),
            value: value.into(),
            default: default.into(),
            version: if is_changed { 2 } else { 0 },
            changed_by: is_changed.then(|| "cellar".into()),
            changed_ms: is_changed.then_some(wall_ms / HOUR_MS * HOUR_MS - 3 * HOUR_MS),
        }
    };
    settings.map(view).to_vec()
}

/// What a setting of this name was.
fn history(name: &str, wall_ms: u64) -> Vec<VersionView> {
    let now = settings(wall_ms);
    let Some(setting) = now.iter().find(|one| one.key == name && one.version > 0) else {
        return Vec::new();
    };
    let at_ms = setting.changed_ms.unwrap_or(wall_ms);
    let view = |version, value: &str, at_ms, lost| VersionView {
        version,
        value: value.into(),
        by: "cellar".into(),
        at_ms,
        note: (version == 2).then(|| "too noisy at night".into()),
        lost,
    };
    vec![
        view(2, &setting.value, at_ms, false),
        view(2, "1h", at_ms, true),
        view(1, &setting.default, at_ms - HOUR_MS, false),
    ]
}

/// What a rule would have done to the made-up series.
fn dry_run(scene: &str, written: &str, wall_ms: u64) -> Result<DryRun, TextRefusal> {
    let rule: Rule = written.parse()?;
    if rule.metric.series().is_empty() {
        return Err(TextRefusal {
            field: "metric".into(),
            bound: format!("no history is kept of {}", rule.metric.name()),
        });
    }
    let from_ms = wall_ms.saturating_sub(KEPT_MS);
    let mut times = Vec::new();
    let mut is_measured = false;
    for one in cast(scene) {
        let node = id(one.0).to_string();
        for series in rule.metric.series() {
            let of = (&*node, series.name());
            let Ok(Answer::Series(Some(kept))) =
                series::series(scene, wall_ms, of, (from_ms, wall_ms), MINUTES)
            else {
                continue;
            };
            is_measured = true;
            let scale = if rule.metric == Metric::ErrorRate {
                10.0
            } else {
                1_000.0
            };
            let points = kept.points.iter();
            let points = points.map(|(at, value)| (*at, milli(value * scale)));
            let fired = alerts::dry_run(&rule, points, 5, 10 * MINUTE_MS);
            times.extend(
                fired
                    .into_iter()
                    .map(|(since_ms, ended_ms, level)| DryAlert {
                        node: node.clone(),
                        node_name: one.name().into(),
                        series: series.name().into(),
                        since_ms,
                        ended_ms,
                        critical: level == Level::Critical,
                    }),
            );
        }
    }
    times.sort_by_key(|time| time.since_ms);
    Ok(DryRun {
        rule: rule.to_string(),
        fired: u32::try_from(times.len()).unwrap_or(u32::MAX),
        from_ms: is_measured.then_some(from_ms),
        times,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "made-up values are small")]
fn milli(value: f64) -> i64 {
    value as i64
}

/// What is answered to a request about alerts or settings.
pub(super) fn answer(
    scene: &str,
    wall_ms: u64,
    request: Request,
) -> Option<Result<Answer, Failure>> {
    if let Request::History { name } = request {
        return Some(Ok(Answer::History(history(&name, wall_ms))));
    }
    if let Request::DryRun { rule } = request {
        let tried = dry_run(scene, &rule, wall_ms);
        return Some(match tried {
            Ok(run) => Ok(Answer::DryRun(Box::new(run))),
            Err(refusal) => {
                let text = format!("`{}`: {}", refusal.field, refusal.bound);
                Err(Failure::new("bad_setting", text))
            }
        });
    }
    let text = "this node has not measured yet; try again in a second";
    matches!(request, Request::Wish(_)).then(|| match scene {
        "alone" => Err(Failure::new("not_ready", text)),
        _ => Ok(Answer::Written),
    })
}

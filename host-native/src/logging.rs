//! Logs go to standard error (through `log_sink`): text on a terminal, JSON lines otherwise.

use crate::log_sink;
use sporenet_core::{
    kernel::time::Time,
    node::{
        Node,
        contract::{NoticeEntry, Severity},
        snapshot::TimelineEntry,
    },
};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    serde::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging, and makes a panic in any task a logged error. `filter` is in `tracing`'s syntax,
/// such as `info` or `sporenet=debug`; what can't be read counts as `info`.
pub(crate) fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log_sink::standard_error())
        // Its own complaints would go to standard error past the queue, by `eprintln!`.
        .log_internal_errors(false);
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A second start (in tests) keeps the first subscriber.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colour).with_target(false).try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        let at = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(code = "panic", at, what, "a task panicked");
    }));
}

/// Timeline entries that are logged in one go.
const BURST: u64 = 200;
/// Timeline entries that are logged a second in the long run.
const PER_SECOND: u64 = 10;

/// Logs the core's timeline, and no faster than a disk should fill: strangers at the port can cause
/// entries at will. What is left out is counted; the timeline itself has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimelineLog {
    tokens: u64,
    refilled_at: Time,
    left_out: u64,
}

impl TimelineLog {
    /// A log that has its whole burst.
    pub(crate) const fn new() -> Self {
        Self {
            tokens: BURST,
            refilled_at: Time::ZERO,
            left_out: 0,
        }
    }

    /// Logs an entry, or counts it as left out.
    pub(crate) fn take(&mut self, node: &Node, entry: &NoticeEntry) {
        if !self.admits(entry.at) {
            return;
        }
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            tracing::warn!(
                code = "log_left_out",
                left_out,
                "entries were too many to log"
            );
        }
        write(&node.describe(entry));
    }

    fn admits(&mut self, now: Time) -> bool {
        let seconds = now.since(self.refilled_at).as_secs();
        if seconds > 0 {
            self.refilled_at = now;
            self.tokens = self
                .tokens
                .saturating_add(seconds.saturating_mul(PER_SECOND))
                .min(BURST);
        }
        let admitted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        self.left_out = self.left_out.saturating_add(u64::from(!admitted));
        admitted
    }
}

fn write(entry: &TimelineEntry) {
    let code = entry.code.as_str();
    let subject = entry.subject.map(|id| id.short()).unwrap_or_default();
    let text = entry.text.as_str();
    match entry.severity {
        Severity::Info => tracing::info!(code, subject, "{text}"),
        Severity::Warn => tracing::warn!(code, subject, "{text}"),
        Severity::Error => tracing::error!(code, subject, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_as_its_beginning_and_a_number() {
        let mut log = TimelineLog::new();
        let now = Time::from_millis(500);
        let admitted = (0..1_000).filter(|_| log.admits(now)).count();
        assert_eq!((admitted, log.left_out), (200, 800));
        assert!(log.admits(Time::from_millis(2_000)));
    }
}

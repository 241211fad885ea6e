//! The words of a notification. Names and causes come from other nodes: they are cleaned and bounded.

use crate::{
    channels::notification::{Notification, State},
    cli::print,
};

/// The longest title, in characters.
pub(super) const TITLE_CHARS_MAX: usize = 200;
/// The longest line of a text, in characters.
const LINE_CHARS_MAX: usize = 1_000;
/// The most nodes and the most alerts that a text names.
const NAMED_MAX: usize = 20;

/// A text as one line of at most `max` characters: no controls, no line breaks.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let cleaned = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let cleaned: String = cleaned.collect();
    let mut line = String::new();
    for (at, word) in cleaned.split_whitespace().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > max {
        line = line.chars().take(max.saturating_sub(1)).collect();
        line.push('…');
    }
    line
}

/// Bytes in lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Notification {
    /// The incident in one line, with where it stands.
    pub(super) fn headline(&self) -> String {
        let standing = match self.state {
            State::Open => self.severity.name(),
            State::Acknowledged | State::Resolved => self.state.word(),
        };
        one_line(&format!("[{standing}] {}", self.title), TITLE_CHARS_MAX)
    }

    /// Everything, for people, in lines.
    pub(super) fn text(&self) -> String {
        let line = |text: &str| one_line(text, LINE_CHARS_MAX);
        let mut lines = Vec::new();
        if !self.cause.trim().is_empty() {
            lines.push(line(&self.cause));
            lines.push(String::new());
        }
        lines.push(format!("Network:  {}", line(&self.network)));
        lines.push(format!("Severity: {}", self.severity));
        lines.push(format!("State:    {}", self.state.word()));
        lines.push(format!("Since:    {}", print::moment(self.since_ms)));
        if !self.nodes.is_empty() {
            let named: Vec<_> = self
                .nodes
                .iter()
                .take(NAMED_MAX)
                .map(|node| line(node))
                .collect();
            let more = more(self.nodes.len());
            lines.push(format!("Nodes:    {}{more}", named.join(", ")));
        }
        if !self.alerts.is_empty() {
            lines.push(String::new());
            let alerts = self.alerts.iter().take(NAMED_MAX);
            lines.extend(alerts.map(|alert| format!("- {}", line(alert))));
            if self.alerts.len() > NAMED_MAX {
                lines.push(format!("-{}", more(self.alerts.len())));
            }
        }
        if let Some(link) = &self.link {
            lines.push(String::new());
            lines.push(line(link));
        }
        lines.join("\n")
    }
}

/// How many are not named.
fn more(all: usize) -> String {
    match all.saturating_sub(NAMED_MAX) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::channels::notification::Severity;

    /// A notification with everything in it.
    pub(in crate::channels) fn sample() -> Notification {
        Notification {
            key: "i7/opened/ops".to_owned(),
            incident: "i7".to_owned(),
            title: "Zürich is <down> & out".to_owned(),
            severity: Severity::Critical,
            state: State::Open,
            cause: "No relay of the zone answers.".to_owned(),
            nodes: vec!["zh-1".to_owned(), "zh-2".to_owned()],
            alerts: vec!["zh-1 is dead".to_owned()],
            since_ms: 951_782_400_000,
            network: "alps".to_owned(),
            link: Some("https://relay.example.org/#incident=i7".to_owned()),
        }
    }

    #[test]
    fn foreign_words_can_neither_break_a_line_nor_fill_the_screen() {
        assert_eq!(one_line(" a\r\nBcc: b\u{1b}[31m ", 50), "a Bcc: b [31m");
        assert_eq!(one_line("abcdef", 4), "abc…");
        let mut flood = sample();
        flood.nodes = vec!["n".repeat(9_999); 5_000];
        flood.alerts = vec!["a".repeat(9_999); 5_000];
        let text = flood.text();
        assert!(text.chars().count() < 50_000, "{}", text.len());
        assert_eq!(text.matches("and 4980 more").count(), 2);
    }

    #[test]
    fn the_text_says_what_where_and_since_when() {
        let text = sample().text();
        for part in [
            "No relay of the zone",
            "alps",
            "critical",
            "open",
            "2000-02-29",
            "zh-1, zh-2",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(sample().headline(), "[critical] Zürich is <down> & out");
        let over = Notification {
            state: State::Resolved,
            ..sample()
        };
        assert!(over.headline().starts_with("[resolved] "));
    }
}

//! Output: data on standard output, as tables for people or JSON for programs.

use crate::{
    exit::{Code, Failure},
    log_sink,
};
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};

/// Prints text as it is.
///
/// # Errors
/// When standard output is closed or broken.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Prints a line.
///
/// # Errors
/// When standard output is closed or broken.
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Prints bytes as they are.
///
/// # Errors
/// When standard output is closed or broken.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| failed(&error))
}

/// Why standard output could not be written.
pub(crate) fn failed(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        // The reader has seen enough, as with `| head`.
        Failure::silent(Code::Failed)
    } else {
        Failure::new(
            Code::Io,
            format!("standard output can't be written: {error}; send it to another place"),
        )
    }
}

/// Says something to people on standard error. What it says is never worth the command's data: a
/// failure is ignored.
pub(crate) fn say(line: &str) {
    log_sink::say(line);
}

/// Prints a value as indented JSON.
///
/// # Errors
/// When standard output is closed or broken.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Code::Io, format!("the answer can't be shown: {error}")))?;
    line(&text)
}

/// A JSON array that is printed while it comes.
#[derive(Debug, Default)]
pub(crate) struct Array {
    begun: bool,
}

impl Array {
    /// Prints the next element.
    ///
    /// # Errors
    /// When standard output is closed or broken.
    pub(crate) fn push<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let before = if self.begun { ",\n" } else { "[\n" };
        self.begun = true;
        let element = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(Code::Io, format!("the answer can't be shown: {error}"))
        })?;
        text(&format!("{before}  {}", element.replace('\n', "\n  ")))
    }

    /// Prints the end.
    ///
    /// # Errors
    /// When standard output is closed or broken.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        text(if self.begun { "\n]\n" } else { "[]\n" })
    }
}

/// Prints a value as one line of JSON, for streams.
///
/// # Errors
/// When standard output is closed or broken.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new(Code::Io, format!("the answer can't be shown: {error}")))?;
    line(&text)
}

/// Rows under headings, in columns as wide as their content.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let head = headings.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A colour of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Well.
    Green,
    /// Wants attention.
    Yellow,
    /// Broken.
    Red,
    /// Not important.
    Grey,
}

/// Colours a word, where standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn coloured(colour: Colour, word: &str) -> String {
    let wanted = std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !wanted {
        return word.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
        Colour::Grey => 90,
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

/// Text of others without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A moment by the wall clock, as `2026-11-20 17:03:09Z`.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2021, `civil_from_days`.
pub(crate) fn moment(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// A span in words, such as `3 s` or `2 h 5 min`.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "long".to_owned()],
            ["bb".to_owned(), String::new()],
        ];
        assert_eq!(table(["X", "Y"], &rows), "X   Y\na   long\nbb\n");
    }

    #[test]
    fn moments_and_spans_read_as_people_expect() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00Z");
        assert_eq!(moment(1_795_193_999_000), "2026-11-20 16:59:59Z");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(7_500), "2 h 5 min");
    }

    #[test]
    fn a_terminal_is_not_given_orders_by_others() {
        assert_eq!(harmless("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\n");
    }
}

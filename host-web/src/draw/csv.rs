//! Series as a file of comma-separated values (RFC 4180).

use crate::draw::{column::Sample, time::Window};
use std::{collections::BTreeMap, fmt::Write as _};

/// One row for each moment of a window at which any series has a point, in order of time: the moment in
/// milliseconds since 1970, the same as `time` writes it, and each series' value. A cell is empty where
/// nothing was measured.
#[must_use]
pub fn csv(series: &[(&str, &[Sample])], window: Window, time: impl Fn(u64) -> String) -> String {
    let mut rows: BTreeMap<u64, BTreeMap<usize, f64>> = BTreeMap::new();
    for (place, (_, points)) in series.iter().enumerate() {
        for (at, value) in *points {
            if window.contains(*at) && value.is_finite() {
                rows.entry(*at).or_default().insert(place, *value);
            }
        }
    }
    let mut text = String::from("at_ms,time");
    for (name, _) in series {
        text.push(',');
        text.push_str(&quoted(name));
    }
    text.push_str("\r\n");
    for (at, values) in rows {
        // Writing to a string can't fail.
        let _ = write!(text, "{at},{}", quoted(&time(at)));
        for place in 0..series.len() {
            text.push(',');
            if let Some(value) = values.get(&place) {
                let _ = write!(text, "{value}");
            }
        }
        text.push_str("\r\n");
    }
    text
}

/// A text as a field: in quotes if it has signs that mean something.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_all_series_are_rows_in_order_and_the_unknown_is_empty() {
        let cpu = [(2_000, 1.5), (3_000, f64::NAN), (9_000, 7.0)];
        let loss = [(1_000, 0.0), (2_000, 2.0)];
        let window = Window {
            from: 0,
            until: 5_000,
        };
        let text = csv(&[("cpu", &cpu), ("a,\"b\"", &loss)], window, |at| {
            format!("T{at}")
        });
        let expected = "at_ms,time,cpu,\"a,\"\"b\"\"\"\r\n1000,T1000,,0\r\n2000,T2000,1.5,2\r\n";
        assert_eq!(text, expected);
        assert_eq!(csv(&[], window, |_| String::new()), "at_ms,time\r\n");
    }
}

//! Reads the series and their label windows.

use std::{fs, path::Path};

/// One series with the index ranges (first and last, both inside) of its label windows.
pub(crate) struct Series {
    /// Folder and file, as in `windows.json`.
    pub(crate) name: String,
    /// Milliseconds since 1970, and the value.
    pub(crate) points: Vec<(u64, f64)>,
    /// Label windows, in time order.
    pub(crate) windows: Vec<(usize, usize)>,
}

/// Every series that `windows.json` in `folder` names, in the order of their names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Series>, String> {
    let text = fs::read_to_string(folder.join("windows.json")).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    // The file holds only names and moments in quotes: a name ends in `.csv`, moments come in pairs.
    for quoted in text.split('"').skip(1).step_by(2) {
        if quoted.ends_with(".csv") {
            found.push((quoted.to_string(), Vec::new()));
        } else if let Some((_, moments)) = found.last_mut() {
            moments.push(millis(quoted)?);
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(name, moments)| series(folder, name, &moments))
        .collect()
}

fn series(folder: &Path, name: String, moments: &[u64]) -> Result<Series, String> {
    let text = fs::read_to_string(folder.join(&name)).map_err(|e| format!("{name}: {e}"))?;
    let mut points = Vec::new();
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let (at, value) = line
            .split_once(',')
            .ok_or_else(|| format!("{name}: {line}"))?;
        let value = value
            .trim()
            .parse()
            .map_err(|e| format!("{name}: {line}: {e}"))?;
        points.push((millis(at)?, value));
    }
    let mut windows = Vec::new();
    for pair in moments.chunks_exact(2) {
        let first = points.iter().position(|p| p.0 >= pair[0]);
        let last = points.iter().rposition(|p| p.0 <= pair[1]);
        match (first, last) {
            (Some(first), Some(last)) if first <= last => windows.push((first, last)),
            _ => return Err(format!("{name}: a window without points")),
        }
    }
    Ok(Series {
        name,
        points,
        windows,
    })
}

/// Milliseconds since 1970 of `2014-04-10 16:15:00`, fractions of a second ignored.
fn millis(text: &str) -> Result<u64, String> {
    let whole = text.split('.').next().unwrap_or(text);
    let parts: Vec<u64> = whole
        .split(['-', ' ', ':', 'T'])
        .filter_map(|part| part.parse().ok())
        .collect();
    let [year, month, day, hour, minute, second] = parts[..] else {
        return Err(format!("not a moment: {text}"));
    };
    // Days from the civil calendar; years begin in March so that the leap day comes last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Ok((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

//! A plan as a small file that people read and write.
//!
//! | line | means |
//! |---|---|
//! | `# …` | a remark |
//! | `seed 7` | everything that is not written follows from this number; 0 if absent |
//! | `relays 5`, `tabs 2` | who takes part; 3 and 0 if absent |
//! | `mode bounded` or `unbounded` | what must hold in the end; bounded if absent |
//! | `level bytes` or `typed` | whole nodes on streams, or messages each on its own; bytes if absent |
//! | `settings wide` | each node's settings are its own, up to a hundred times apart; usual if absent |
//! | `writes 300` | writes a minute, all hosts together; 300 if absent |
//! | `chaos 30` | for how many seconds things go wrong; until the last fault ended if absent |
//! | `latency 10 40`, `loss 20`, `tail 5` | the usual network: milliseconds at least and at most; lost of a thousand; twenty times as long on their way of a thousand |
//! | `expect heal-ms 30000` | a figure's limit: `detection-ms`, `heal-ms`, `false-deaths`, `true-deaths` |
//! | `at 5 for 3 crash 1` | a fault, see [`fault`](crate::sim::fault) |

use crate::{
    kernel::time::Duration,
    sim::{
        fault::{parse_seconds, seconds},
        host::HostId,
        network::PathConfig,
        plan::{Figure, Level, Mode, Plan, Wish, mode_name},
    },
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt::{self, Write as _},
    str::FromStr,
};

/// Why a scenario cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl core::error::Error for ScenarioError {}

const FIGURES: [(&str, Figure); 4] = [
    ("detection-ms", Figure::DetectionMs),
    ("heal-ms", Figure::HealMs),
    ("false-deaths", Figure::FalseDeaths),
    ("true-deaths", Figure::TrueDeaths),
];

/// The most hosts of a scenario.
const HOSTS_MAX: HostId = 10_000;

/// Reads a scenario.
///
/// # Errors
/// [`ScenarioError`]: the first line that is wrong.
pub fn parse(text: &str) -> Result<Plan, ScenarioError> {
    let mut plan = Plan {
        seed: 0,
        wish: Wish::default(),
        mode: Mode::Bounded,
        level: Level::Bytes,
        relays: 3,
        tabs: 0,
        is_wide: false,
        network: PathConfig::default(),
        writes_per_minute: 300,
        chaos: Duration::ZERO,
        faults: Vec::new(),
        limits: Vec::new(),
        canary: false,
    };
    let mut last = 1;
    for (line, text) in (1..).zip(text.lines()) {
        last = line;
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            read_line(&mut plan, text).map_err(|why| ScenarioError { line, why })?;
        }
    }
    if plan.relays == 0 || plan.relays.saturating_add(plan.tabs) > HOSTS_MAX {
        let why = format!("a mesh has at least one relay and at most {HOSTS_MAX} nodes");
        return Err(ScenarioError { line: last, why });
    }
    if plan.chaos.is_zero() {
        let ends = plan.faults.iter().map(|planned| planned.at + planned.lasts);
        plan.chaos = ends.max().unwrap_or_default() + Duration::from_secs(1);
    }
    plan.faults.sort_by_key(|planned| planned.at);
    Ok(plan)
}

fn read_line(plan: &mut Plan, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["at", ..] => plan.faults.push(text.parse()?),
        ["seed", seed] => plan.seed = number(seed)?,
        ["relays", relays] => plan.relays = number(relays)?,
        ["tabs", tabs] => plan.tabs = number(tabs)?,
        ["mode", "bounded"] => plan.mode = Mode::Bounded,
        ["mode", "unbounded"] => plan.mode = Mode::Unbounded,
        ["level", "bytes"] => plan.level = Level::Bytes,
        ["level", "typed"] => plan.level = Level::Typed,
        ["settings", "usual"] => plan.is_wide = false,
        ["settings", "wide"] => plan.is_wide = true,
        ["writes", writes] => plan.writes_per_minute = number(writes)?,
        ["chaos", span] => {
            let span = parse_seconds(span);
            plan.chaos = span.ok_or("`chaos` takes a time in seconds, such as 30")?;
        }
        ["latency", least, most] => {
            let (least, most): (u64, u64) = (number(least)?, number(most)?);
            plan.network.latency_min = Duration::from_millis(least);
            plan.network.latency_spread = Duration::from_millis(most.saturating_sub(least));
        }
        ["loss", permille] => plan.network.loss_permille = number(permille)?,
        ["tail", permille] => plan.network.tail_permille = number(permille)?,
        ["expect", figure, most] => {
            let known = FIGURES.iter().find(|(name, _)| name == figure);
            let (_, figure) = known.ok_or_else(|| {
                let known = FIGURES.map(|(name, _)| name).join(", ");
                format!("`expect` takes one of {known}, not `{figure}`")
            })?;
            plan.limits.push((*figure, number(most)?));
        }
        _ => {
            return Err(format!(
                "`{text}` is not a line of a scenario; see docs/testing.md"
            ));
        }
    }
    Ok(())
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("`{word}` is not a number that fits here"))
}

/// The plan as a scenario, so that the same run follows from the file.
#[must_use]
pub fn print(plan: &Plan) -> String {
    let mut text = String::new();
    let network = plan.network;
    let most = network.latency_min + network.latency_spread;
    let limits = plan.limits.iter().filter_map(|(figure, most)| {
        let known = FIGURES.iter().find(|(_, known)| known == figure)?;
        Some(format!("expect {} {most}\n", known.0))
    });
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "seed {}\nrelays {}\ntabs {}\nmode {}\nlevel {}\nwrites {}\nchaos {}\n",
        plan.seed,
        plan.relays,
        plan.tabs,
        mode_name(plan.mode),
        match plan.level {
            Level::Bytes => "bytes",
            Level::Typed => "typed",
        },
        plan.writes_per_minute,
        seconds(plan.chaos),
    );
    if plan.is_wide {
        text.push_str("settings wide\n");
    }
    let usual = PathConfig::default();
    let spans = |config: PathConfig| (config.latency_min, config.latency_spread);
    if spans(network) != spans(usual) {
        let least = network.latency_min.as_millis();
        let _ = writeln!(text, "latency {least} {}", most.as_millis());
    }
    if network.loss_permille > 0 {
        let _ = writeln!(text, "loss {}", network.loss_permille);
    }
    if network.tail_permille > 0 {
        let _ = writeln!(text, "tail {}", network.tail_permille);
    }
    text.extend(limits);
    for fault in &plan.faults {
        text.push_str(&fault.to_string());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read_as_it_is_written() {
        for seed in 0..50 {
            let mut plan = Plan::draw(seed, Wish::default());
            plan.limits.push((Figure::HealMs, seed));
            assert_eq!(parse(&print(&plan)), Ok(plan));
        }
    }

    #[test]
    fn what_is_absent_has_a_default() {
        let plan = parse("# nothing\n\nat 2 for 3 crash 1 # dies\n").unwrap();
        assert_eq!((plan.relays, plan.tabs, plan.mode), (3, 0, Mode::Bounded));
        assert_eq!(plan.chaos, Duration::from_secs(6));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, line, why) in [
            (
                "seed 1\nfoo 2",
                2,
                "`foo 2` is not a line of a scenario; see docs/testing.md",
            ),
            ("relays many", 1, "`many` is not a number that fits here"),
            (
                "\nrelays 0\n",
                2,
                "a mesh has at least one relay and at most 10000 nodes",
            ),
            (
                "expect luck 7",
                1,
                "`expect` takes one of detection-ms, heal-ms, false-deaths, true-deaths, not `luck`",
            ),
            ("at 1 explode 2", 1, "there is no fault `explode`"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line, error.why.as_str()), (line, why));
        }
    }
}

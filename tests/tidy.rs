//! The rules of the house that no lint knows: CONTRIBUTING.md, "Style", in one plain test each.

#[path = "tidy/codes.rs"]
mod codes;
#[path = "tidy/machines.rs"]
mod machines;
#[path = "tidy/metrics.rs"]
mod metrics;

use sporenet_tests::tree::{self, Source};
use std::collections::BTreeSet;

/// A file longer than this holds a second room that wants out.
const FILE_LINES_MAX: usize = 700;
/// A door plate says who lives there; the rooms themselves are behind it.
const DOOR_PLATE_LINES_MAX: usize = 60;
/// What every room may import besides itself.
const SHARED_ROOMS: [&str; 2] = ["kernel", "wire"];
/// The rooms where the others meet.
const COMPOSING_ROOMS: [&str; 3] = ["node", "sim", "lib"];
/// What may lie beside the card's top level: what convention asks for.
const TOP_LEVEL: [&str; 24] = [
    ".cargo",
    ".ci",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".github",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "core",
    "deny.toml",
    "docs",
    "host-native",
    "host-web",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "target",
    "tests",
];

#[test]
fn no_file_is_longer_than_700_lines() {
    report(rust().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
    }));
}

#[test]
fn the_top_level_is_the_cards() {
    let entries = std::fs::read_dir(tree::root()).unwrap();
    report(entries.filter_map(|entry| {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let expected = TOP_LEVEL.contains(&name.as_str()) || name == "www";
        (!expected).then(|| format!("{name}: not a name of the top level"))
    }));
}

#[test]
fn rooms_import_the_kernel_and_the_wire_only() {
    report(core().into_iter().flat_map(|source| {
        let room = source.room().unwrap_or_default().to_owned();
        foreign_rooms(&source, &room)
            .into_iter()
            .map(|foreign| format!("{}: {room} imports {foreign}", source.path))
            .collect::<Vec<_>>()
    }));
}

/// The rooms that a file names in its code and may not.
fn foreign_rooms(source: &Source, room: &str) -> BTreeSet<String> {
    if COMPOSING_ROOMS.contains(&room) {
        return BTreeSet::new();
    }
    let code = source.code().collect::<Vec<_>>().join("\n");
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        named.extend(first_segments(&code[at + "crate::".len()..]));
    }
    named
        .into_iter()
        .filter(|name| name != room && is_room(name))
        .filter(|name| room == "kernel" || !SHARED_ROOMS.contains(&name.as_str()))
        .filter(|name| !(room == "wire" && name == "kernel"))
        // It has values only, and imports nothing itself.
        .filter(|name| !(room == "observe" && name == "detection"))
        .collect()
}

/// The first segments of a path or of the paths in a brace group.
fn first_segments(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut depth = 0_usize;
    let mut segments = Vec::new();
    let mut expects_segment = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_segment = true,
            c if expects_segment && depth == 0 && c.is_alphanumeric() => {
                segments.push(word(&group[at..]));
                expects_segment = false;
            }
            _ => {}
        }
    }
    segments
}

fn is_room(name: &str) -> bool {
    tree::root().join("core/src").join(name).is_dir()
}

#[test]
fn an_import_of_another_room_is_noticed() {
    let with = |text: &str| Source {
        path: "core/src/membership/swim.rs".into(),
        text: text.into(),
    };
    let noticed = |text| {
        foreign_rooms(&with(text), "membership")
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(noticed("use crate::kernel::time::Time;"), [""; 0]);
    assert_eq!(
        noticed("use crate::{\n    kernel::{id::NodeId, time::Time},\n    replication::write,\n};"),
        ["replication"]
    );
    assert_eq!(noticed("fn f() { crate::node::event::Event }"), ["node"]);
    assert_eq!(noticed("/// [`Event`]: crate::node::event::Event"), [""; 0]);
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let mut places = vec![tree::root().to_string_lossy().into_owned()];
    places.extend(std::env::var("HOME").ok().map(|home| format!("{home}/")));
    places.extend(["home", "Users", "root"].map(|name| format!("/{name}/")));
    report(tree::sources().iter().flat_map(|source| {
        let numbered = source.text.lines().enumerate();
        let faults = numbered.filter_map(|(at, line)| {
            let place = places.iter().find(|place| line.contains(place.as_str()))?;
            Some(format!("{}:{}: names {place}", source.path, at + 1))
        });
        faults.collect::<Vec<_>>()
    }));
}

#[test]
fn every_setting_is_documented() {
    report(rust().iter().flat_map(undocumented_settings));
}

/// Public fields of public `…Config` and `…Limits` structs without a doc comment.
fn undocumented_settings(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let mut inside = false;
    let mut documented = false;
    for (at, line) in source.text.lines().map(str::trim).enumerate() {
        if is_settings(line) {
            inside = true;
        } else if inside && line == "}" {
            inside = false;
        } else if line.starts_with("///") {
            documented = true;
        } else if !line.starts_with("#[") {
            if inside && line.starts_with("pub ") && !documented {
                faults.push(format!("{}:{}: {line} has no words", source.path, at + 1));
            }
            documented = false;
        }
    }
    faults
}

fn is_settings(line: &str) -> bool {
    let name = line.strip_prefix("pub struct ").unwrap_or_default();
    let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
    (name.ends_with("Config") || name.ends_with("Limits")) && line.ends_with('{')
}

#[test]
fn a_setting_without_words_is_noticed() {
    let text = "pub struct Config {\n    /// Said.\n    pub a: u8,\n    pub b: u8,\n}\n";
    let source = Source {
        path: "x.rs".into(),
        text: text.into(),
    };
    assert_eq!(
        undocumented_settings(&source),
        ["x.rs:4: pub b: u8, has no words"]
    );
}

#[test]
fn door_plates_are_short() {
    report(
        core()
            .iter()
            .filter(|s| s.path.ends_with("/mod.rs"))
            .filter_map(|source| {
                let is_room = source.path.matches('/').count() == 3;
                let plate = source
                    .text
                    .lines()
                    .take_while(|line| line.starts_with("//!"))
                    .count();
                let lines = if is_room {
                    source.text.lines().count()
                } else {
                    plate
                };
                let fault = if plate == 0 {
                    Some("has no door plate".to_owned())
                } else if lines > DOOR_PLATE_LINES_MAX {
                    Some(format!("{lines} lines are too many for a door plate"))
                } else {
                    None
                };
                fault.map(|fault| format!("{}: {fault}", source.path))
            }),
    );
}

#[test]
fn every_file_says_what_it_is() {
    report(rust().iter().filter_map(|source| {
        let first = source.text.lines().find(|line| !line.starts_with("#!"));
        let said = first.is_some_and(|line| line.starts_with("//!"));
        (!said).then(|| format!("{}: has no module doc", source.path))
    }));
}

#[test]
fn every_route_file_opens_with_its_table() {
    let routes = core()
        .into_iter()
        .filter(|source| source.path.starts_with("core/src/node/route/"))
        .filter(|source| !source.path.ends_with("/mod.rs"));
    report(routes.filter_map(|source| {
        let opens = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.contains("| output") && line.contains("| goes to"));
        (!opens).then(|| format!("{}: no table `output | goes to`", source.path))
    }));
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME", "XXX", "HACK"].map(|mark| format!("{mark}:"));
    let macros = ["todo!", "unimplemented!"].map(|mark| format!("{mark}("));
    let ignored = format!("#[{}", "ignore");
    report(rust().iter().flat_map(|source| {
        let numbered = source.text.lines().enumerate();
        let faults = numbered.filter_map(|(at, line)| {
            let mark = marks
                .iter()
                .chain(&macros)
                .chain([&ignored])
                .find(|mark| line.contains(mark.as_str()))?;
            Some(format!("{}:{}: {mark}", source.path, at + 1))
        });
        faults.collect::<Vec<_>>()
    }));
}

fn rust() -> Vec<Source> {
    let mut sources = tree::sources();
    sources.retain(Source::is_rust);
    sources
}

fn core() -> Vec<Source> {
    let mut sources = rust();
    sources.retain(|source| source.path.starts_with("core/src/"));
    sources
}

/// Fails with all the faults at once.
fn report(faults: impl Iterator<Item = String>) {
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

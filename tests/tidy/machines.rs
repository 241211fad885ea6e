//! What is asked of every machine, one by one: it names its source, stands before the laws, its messages
//! are pinned to the byte, its settings are drawn in simulation, its counters are told as metrics.
//!
//! The list of machines is read from the source: who writes `impl Machine for` is on it. A new one is
//! asked for all of this without being entered anywhere. The composite (`node`) is no machine of this
//! list; its laws are in `tests/laws.rs`.

use crate::{core, report};
use sporenet_tests::tree::{self, Source};

/// A machine as its source shows it.
struct Machine {
    /// Its type.
    name: String,
    /// The file with its `impl Machine`.
    path: String,
    /// All files that are about it: those of its folder, or of its room if it is alone there.
    files: Vec<Source>,
}

impl Machine {
    /// The text of all that is about it.
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.text.as_str())
    }

    fn fault(&self, what: &str) -> String {
        format!("{}: {} {what}", self.path, self.name)
    }

    /// Whether the node can have it on its list of machines.
    fn is_component(&self) -> bool {
        let head = format!("Component for {} ", self.name);
        self.files.iter().any(|file| implements(file, &head))
    }
}

/// Whether a line of code begins an `impl` of this.
fn implements(file: &Source, head: &str) -> bool {
    file.code()
        .any(|line| line.starts_with("impl") && line.contains(head))
}

/// The machines among some sources of the core.
fn machines(sources: &[Source]) -> Vec<Machine> {
    let mut found = Vec::new();
    for file in sources.iter().filter(|file| !file.path.contains("/tests")) {
        let impls = file.code().filter(|line| line.starts_with("impl"));
        let names = impls.filter_map(|line| Some(line.split_once("Machine for ")?.1));
        let names = names.map(|rest| words(rest).next().unwrap_or_default().to_owned());
        let room = file.room().unwrap_or_default().to_owned();
        if !["kernel", "node"].contains(&room.as_str()) {
            found.extend(names.map(|name| (name, file.path.clone(), room.clone())));
        }
    }
    let alone = |room: &str| found.iter().filter(|other| other.2 == room).count() == 1;
    let with_files = |(name, path, room): &(String, String, String)| {
        let home = if alone(room) {
            format!("core/src/{room}")
        } else {
            home(path)
        };
        let is_about = |file: &&Source| {
            let rest = file.path.strip_prefix(&home);
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        Machine {
            name: name.clone(),
            path: path.clone(),
            files: sources.iter().filter(is_about).cloned().collect(),
        }
    };
    found.iter().map(with_files).collect()
}

/// A machine's folder, by the path of the file with its `impl Machine`.
fn home(path: &str) -> String {
    let path = path.trim_end_matches(".rs");
    let inner = ["/machine", "/mod"]
        .into_iter()
        .find_map(|end| path.strip_suffix(end));
    inner.unwrap_or(path).to_owned()
}

/// What may stand before a field's name.
const VISIBILITY: [&str; 4] = ["pub", "crate", "super", "in"];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

fn names(text: &str, word: &str) -> bool {
    words(text).any(|one| one == word)
}

/// What stands between the braces that open after `head`.
fn block<'a>(text: &'a str, head: &str) -> Option<&'a str> {
    let opened = text.split_once(head)?.1.split_once('{')?.1;
    let mut depth = 1_usize;
    let end = opened.char_indices().find(|(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    Some(&opened[..end.0])
}

/// The names at the outer level of a block of an enum or a struct.
fn entries(block: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for line in block.lines().map(str::trim) {
        if line.starts_with("//") || line.starts_with('#') {
            continue;
        }
        let name = words(line).find(|word| !VISIBILITY.contains(word));
        if depth == 0 {
            found.extend(name);
        }
        depth += line.matches(['{', '(', '[']).count();
        depth = depth.saturating_sub(line.matches(['}', ')', ']']).count());
    }
    found
}

/// The bodies of the functions whose signature has this in it.
fn bodies<'a>(text: &'a str, sign: &str) -> Vec<&'a str> {
    let starts = text.match_indices("fn ").map(|(at, _)| &text[at..]);
    let wanted = starts.filter(|rest| {
        let signature = rest.split(['{', ';']).next().unwrap_or_default();
        signature.contains(sign)
    });
    wanted.filter_map(|rest| block(rest, "fn ")).collect()
}

fn without_source(machine: &Machine) -> Option<String> {
    let home = home(&machine.path);
    let is_plate = |file: &&Source| {
        file.path == machine.path
            || [format!("{home}.rs"), format!("{home}/mod.rs")].contains(&file.path)
    };
    let mut plates = machine.files.iter().filter(is_plate);
    let says = plates.any(|file| file.text.contains("Source:"));
    (!says).then(|| machine.fault("has no `Source:`"))
}

fn lawless(machine: &Machine) -> Option<String> {
    let lawful = |text: &str| names(text, "laws") && names(text, "Bounds");
    (!machine.texts().any(lawful))
        .then(|| machine.fault("is put before the laws by no test in its folder"))
}

/// Variants of the machine's messages without a line in `tests/golden/wire-v1-<machine>.hex`.
fn unpinned(machine: &Machine, golden: &[Source]) -> Vec<String> {
    let speaks = machine.texts().any(|text| {
        let head = format!("Machine for {} ", machine.name);
        block(text, &head).is_some_and(|block| block.contains("type Message = Message;"))
    });
    let message = machine
        .texts()
        .find_map(|text| block(text, "pub enum Message "));
    let variants = match message {
        _ if !speaks => Vec::new(),
        Some(block) => entries(block),
        None => return vec![machine.fault("has no `enum Message` in its folder")],
    };
    let file = format!("tests/golden/wire-v1-{}.hex", machine.name.to_lowercase());
    let pinned = golden.iter().find(|source| source.path == file);
    let pinned: Vec<&str> = pinned
        .into_iter()
        .flat_map(|source| source.text.lines())
        .filter_map(|line| line.split_once(' ').map(|(name, _)| name))
        .collect();
    let missing = variants
        .into_iter()
        .filter(|variant| !pinned.contains(&kebab(variant).as_str()));
    missing
        .map(|variant| {
            machine.fault(&format!(
                "says {variant}, but {file} has no `{}`",
                kebab(variant)
            ))
        })
        .collect()
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

/// Settings that `Settings::draw` neither draws nor names in a comment as one that stays.
fn undrawn(machine: &Machine) -> Vec<String> {
    let settings = machine
        .texts()
        .find_map(|text| block(text, "pub struct Config "));
    let is_drawing = |text: &&str| text.contains("Settings for Config");
    let draws = machine
        .texts()
        .filter(is_drawing)
        .flat_map(|text| bodies(text, "fn draw("));
    let draws: Vec<&str> = draws.collect();
    let fields = settings.map(entries).unwrap_or_default();
    let missing = fields
        .into_iter()
        .filter(|field| !draws.iter().any(|draw| names(draw, field)));
    missing
        .map(|field| {
            machine.fault(&format!(
                "has a setting `{field}` that `draw` says nothing of"
            ))
        })
        .collect()
}

/// Counters that no function that tells metrics names.
fn untold(machine: &Machine) -> Vec<String> {
    let stats = machine
        .texts()
        .find_map(|text| block(text, "pub struct Stats "));
    let tells: Vec<&str> = machine
        .texts()
        .flat_map(|text| bodies(text, "&mut Metrics"))
        .collect();
    let fields = stats.map(entries).unwrap_or_default();
    let missing = fields
        .into_iter()
        .filter(|field| !tells.iter().any(|tell| names(tell, field)));
    missing
        .map(|field| machine.fault(&format!("counts `{field}`, which is in no metric")))
        .collect()
}

/// How a function that gives the list of all machines, or of their settings, is signed.
const LISTS: [&str; 3] = [
    "-> [&dyn Component",
    "-> [&mut dyn Component",
    "-> [&mut dyn Settings",
];

/// Machines that the node holds, but not on its list of all machines.
fn unlisted(machines: &[Machine], sources: &[Source]) -> Vec<String> {
    let node = || sources.iter().filter(|file| file.room() == Some("node"));
    let lists: Vec<&str> = node()
        .flat_map(|file| LISTS.map(|sign| bodies(&file.text, sign)).concat())
        .collect();
    let fields = node().find_map(|file| block(&file.text, "pub struct Node "));
    let fields = fields.unwrap_or_default().lines().map(str::trim);
    let fields: Vec<&str> = fields.filter(|line| !line.starts_with("//")).collect();
    let is_listed = |machine: &&Machine| {
        let field = fields.iter().find(|line| names(line, &machine.name));
        let field = field.and_then(|line| words(line).find(|word| !VISIBILITY.contains(word)));
        field.is_some_and(|field| lists.iter().all(|list| names(list, field)))
    };
    machines
        .iter()
        .filter(|machine| !is_listed(machine))
        .map(|machine| machine.fault("is not on the node's list of machines"))
        .collect()
}

#[test]
fn every_machine_names_its_source_and_is_put_before_the_laws() {
    let machines = machines(&core());
    assert!(
        machines.len() >= 5,
        "the list of machines is not read right"
    );
    report(
        machines
            .iter()
            .flat_map(|machine| without_source(machine).into_iter().chain(lawless(machine))),
    );
}

#[test]
fn every_message_of_every_machine_is_pinned() {
    let mut golden = tree::sources();
    golden.retain(|source| source.path.starts_with("tests/golden/"));
    report(
        machines(&core())
            .iter()
            .flat_map(|machine| unpinned(machine, &golden)),
    );
}

#[test]
fn every_setting_is_drawn_in_simulation_and_every_counter_is_a_metric() {
    let machines = machines(&core());
    report(machines.iter().flat_map(|machine| {
        let alone = (!machine.is_component()).then(|| machine.fault("is no `Component`"));
        let mut faults = [undrawn(machine), untold(machine)].concat();
        faults.extend(alone);
        faults
    }));
}

#[test]
fn the_list_of_the_node_has_every_machine() {
    let sources = core();
    report(unlisted(&machines(&sources), &sources).into_iter());
}

/// A machine of a room of its own, with this text.
fn toy(text: &str) -> Machine {
    let path = "core/src/toys/toy.rs";
    let file = Source {
        path: path.into(),
        text: text.into(),
    };
    let text = format!("{text}\nimpl Machine for Toy {{\n    type Message = Message;\n}}\n");
    let own = Source {
        path: path.into(),
        text,
    };
    let mut found = machines(&[
        own,
        Source {
            path: "core/src/other/toy.rs".into(),
            ..file
        },
    ]);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn a_machine_without_laws_or_source_is_noticed() {
    let good = toy("//! Source: a book.\nuse laws::{Bounds, check};");
    assert_eq!((without_source(&good), lawless(&good)), (None, None));
    let bad = toy("//! A book.");
    assert!(without_source(&bad).is_some() && lawless(&bad).is_some());
}

#[test]
fn a_machine_is_judged_by_its_own_folder() {
    let file = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.into(),
    };
    let sources = [
        file("core/src/room/one/machine.rs", "impl Machine for One {}"),
        file(
            "core/src/room/one/tests.rs",
            "laws::check(build, &[], Bounds::default())",
        ),
        file("core/src/room/two.rs", "impl Machine for Two {}"),
    ];
    let lawless: Vec<_> = machines(&sources).iter().filter_map(lawless).collect();
    assert_eq!(
        lawless,
        ["core/src/room/two.rs: Two is put before the laws by no test in its folder"]
    );
}

#[test]
fn a_message_without_golden_bytes_is_noticed() {
    let machine = toy(
        "pub enum Message {\n    /// Hm.\n    Ping {\n        nonce: u64,\n    },\n    PingReq(u8),\n}",
    );
    let golden = |text: &str| {
        [Source {
            path: "tests/golden/wire-v1-toy.hex".into(),
            text: text.into(),
        }]
    };
    assert_eq!(
        unpinned(&machine, &golden("ping 00\nping-req 01\n")),
        [""; 0]
    );
    assert_eq!(
        unpinned(&machine, &golden("ping 00\n")),
        [
            "core/src/toys/toy.rs: Toy says PingReq, but tests/golden/wire-v1-toy.hex has no `ping-req`"
        ]
    );
    assert_eq!(unpinned(&machine, &[]).len(), 2);
}

#[test]
fn a_setting_that_is_not_drawn_is_noticed() {
    let config =
        "pub struct Config {\n    pub a: u8,\n    pub b: u8,\n}\nimpl Settings for Config {\n";
    let drawn = |body: &str| {
        toy(&format!(
            "{config}    fn draw(&mut self, rng: &mut Rng) {{\n{body}\n    }}\n}}"
        ))
    };
    assert_eq!(
        undrawn(&drawn("self.a = 1;\n// All nodes share `b`.")),
        [""; 0]
    );
    assert_eq!(
        undrawn(&drawn("self.a = 1;")),
        ["core/src/toys/toy.rs: Toy has a setting `b` that `draw` says nothing of"]
    );
}

#[test]
fn a_counter_without_a_metric_is_noticed() {
    let stats = "pub struct Stats {\n    pub sent: u64,\n    pub lost: u64,\n}\n";
    let told = |body: &str| {
        toy(&format!(
            "{stats}fn metrics(&self, to: &mut Metrics) {{\n{body}\n}}"
        ))
    };
    assert_eq!(
        untold(&told("to.counter(self.sent); to.counter(self.lost);")),
        [""; 0]
    );
    assert_eq!(
        untold(&told("to.counter(self.sent);")),
        ["core/src/toys/toy.rs: Toy counts `lost`, which is in no metric"]
    );
}

#[test]
fn a_machine_that_the_node_does_not_list_is_noticed() {
    let node = |list: &str| Source {
        path: "core/src/node/machine.rs".into(),
        text: format!(
            "pub struct Node {{\n    pub(super) toy: Toy,\n}}\nfn all(&self) -> [&dyn Component; 1] {{\n    {list}\n}}"
        ),
    };
    let machines = [toy("")];
    assert_eq!(unlisted(&machines, &[node("[&self.toy]")]), [""; 0]);
    assert_eq!(unlisted(&machines, &[node("[]")]).len(), 1);
}

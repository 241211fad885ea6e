//! What the address says: which view is open, of what, and how it is filtered.
//!
//! It all stands in the fragment, which no server sees: `#/nodes?q=cellar&sort=name`. So a view can be
//! kept as a bookmark or sent to someone, and the browser's back button works.

use std::{collections::BTreeMap, fmt::Write as _};

/// What stands before an incident's id.
const INCIDENTS: &str = "incidents";

/// An entry of the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// How everything is.
    Overview,
    /// What is wrong.
    Alerts,
    /// The members.
    Nodes,
    /// The picture of the mesh.
    Topology,
    /// Charts.
    Metrics,
    /// Namespaces and keys.
    Data,
    /// Recording this node, replaying a file.
    Recordings,
    /// What is done about each relay.
    Connections,
    /// What is in force here.
    Settings,
}

impl Section {
    /// All of them in the rail's order.
    pub const ALL: [Self; 9] = [
        Self::Overview,
        Self::Alerts,
        Self::Nodes,
        Self::Topology,
        Self::Metrics,
        Self::Data,
        Self::Recordings,
        Self::Connections,
        Self::Settings,
    ];

    /// The key that goes there after `g`.
    #[must_use]
    pub const fn key(self) -> char {
        match self {
            Self::Overview => 'o',
            Self::Alerts => 'a',
            Self::Nodes => 'n',
            Self::Topology => 't',
            Self::Metrics => 'm',
            Self::Data => 'd',
            Self::Recordings => 'r',
            Self::Connections => 'c',
            Self::Settings => 's',
        }
    }

    /// The view that an entry of the rail opens.
    #[must_use]
    pub const fn place(self) -> Place {
        match self {
            Self::Overview => Place::Overview,
            Self::Alerts => Place::Alerts,
            Self::Nodes => Place::Nodes,
            Self::Topology => Place::Topology,
            Self::Metrics => Place::Metrics,
            Self::Data => Place::Data(None),
            Self::Recordings => Place::Recordings,
            Self::Connections => Place::Connections,
            Self::Settings => Place::Settings,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Alerts => "alerts",
            Self::Nodes => "nodes",
            Self::Topology => "topology",
            Self::Metrics => "metrics",
            Self::Data => "data",
            Self::Recordings => "recordings",
            Self::Connections => "connections",
            Self::Settings => "settings",
        }
    }
}

/// Which view is open, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// How everything is.
    Overview,
    /// Incidents, alerts and rules.
    Alerts,
    /// One incident, by its id.
    Incident(String),
    /// All members.
    Nodes,
    /// One member, by its identity.
    Node(String),
    /// The picture of the mesh.
    Topology,
    /// Charts of this node.
    Metrics,
    /// The data browser, with a namespace opened or not.
    Data(Option<String>),
    /// Recording and replaying.
    Recordings,
    /// Each connection.
    Connections,
    /// What is in force here.
    Settings,
    /// A path that leads nowhere.
    Unknown(String),
}

impl Place {
    /// The rail's entry for this view.
    #[must_use]
    pub const fn section(&self) -> Option<Section> {
        Some(match self {
            Self::Overview => Section::Overview,
            Self::Alerts | Self::Incident(_) => Section::Alerts,
            Self::Nodes | Self::Node(_) => Section::Nodes,
            Self::Topology => Section::Topology,
            Self::Metrics => Section::Metrics,
            Self::Data(_) => Section::Data,
            Self::Recordings => Section::Recordings,
            Self::Connections => Section::Connections,
            Self::Settings => Section::Settings,
            Self::Unknown(_) => return None,
        })
    }

    /// The fragment that leads here, such as `#/data/app`.
    #[must_use]
    pub fn href(&self) -> String {
        let of = match self {
            Self::Node(of) | Self::Data(Some(of)) => Some(of),
            Self::Incident(id) => return format!("#/{INCIDENTS}/{}", escaped(id)),
            Self::Unknown(path) => return format!("#/{path}"),
            Self::Overview
            | Self::Alerts
            | Self::Nodes
            | Self::Topology
            | Self::Metrics
            | Self::Data(None)
            | Self::Recordings
            | Self::Connections
            | Self::Settings => None,
        };
        let word = self.section().map_or("", Section::word);
        match of {
            Some(of) => format!("#/{word}/{}", escaped(of)),
            None => format!("#/{word}"),
        }
    }
}

/// All that the address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which view.
    pub place: Place,
    /// How it is filtered and sorted: `q`, `sort`, `state`, `prefix`.
    pub query: BTreeMap<String, String>,
}

impl Route {
    /// A view as it is when nothing was chosen in it.
    #[must_use]
    pub const fn to(place: Place) -> Self {
        Self {
            place,
            query: BTreeMap::new(),
        }
    }

    /// What a fragment says. An empty one is the overview.
    #[must_use]
    pub fn of(fragment: &str) -> Self {
        let text = fragment.trim_start_matches('#').trim_start_matches('/');
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (word, of) = match path.split_once('/') {
            Some((word, of)) => (word, Some(plain(of)).filter(|of| !of.is_empty())),
            None => (path, None),
        };
        let section = Section::ALL.into_iter().find(|one| one.word() == word);
        let place = match (section, of) {
            (Some(section), None) => section.place(),
            (Some(Section::Nodes), Some(id)) => Place::Node(id),
            (Some(Section::Data), Some(namespace)) => Place::Data(Some(namespace)),
            (None, Some(id)) if word == INCIDENTS => Place::Incident(id),
            (_, _) => Place::Unknown(path.into()),
        };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self {
            place,
            query: pairs
                .map(|(name, value)| (plain(name), plain(value)))
                .collect(),
        }
    }

    /// The fragment that says this.
    #[must_use]
    pub fn href(&self) -> String {
        let mut href = self.place.href();
        for (number, (name, value)) in self.query.iter().enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            let _ = write!(href, "{mark}{}={}", escaped(name), escaped(value));
        }
        href
    }

    /// What was chosen under a name; empty if nothing was.
    #[must_use]
    pub fn chosen(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The same view with something else chosen; an empty value chooses nothing.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            self.query.remove(name);
        } else {
            self.query.insert(name.into(), value.into());
        }
        self
    }
}

/// With everything escaped that means something in a fragment.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// The text of what was escaped. What is escaped wrongly stands for itself.
fn plain(escaped: &str) -> String {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more
            .get(..2)
            .and_then(|code| core::str::from_utf8(code).ok());
        let code = code.filter(|_| *first == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_rail_is_found_by_its_own_fragment() {
        for section in Section::ALL {
            let place = section.place();
            assert_eq!(Route::of(&place.href()), Route::to(place.clone()));
            assert_eq!(place.section(), Some(section));
        }
        let mut keys = Section::ALL.map(Section::key).to_vec();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Section::ALL.len(), "each has a key of its own");
    }

    #[test]
    fn names_with_signs_in_them_come_back_as_they_were() {
        for name in ["a/b?c=d&e#f", "grün 100%", "%41", "+", "\u{1f344}"] {
            let route = Route::to(Place::Data(Some(name.into()))).with("prefix", name);
            assert_eq!(Route::of(&route.href()), route, "{}", route.href());
            let route = Route::to(Place::Incident(name.into()));
            assert_eq!(Route::of(&route.href()), route, "{}", route.href());
        }
    }

    #[test]
    fn no_fragment_is_the_overview_and_a_wrong_one_leads_nowhere() {
        for empty in ["", "#", "#/", "/"] {
            assert_eq!(Route::of(empty), Route::to(Place::Overview));
        }
        for wrong in ["#/nowhere", "#/topology/x"] {
            assert!(
                matches!(Route::of(wrong).place, Place::Unknown(_)),
                "{wrong}"
            );
        }
        assert_eq!(Route::of("#/nodes/").place, Place::Nodes);
        assert_eq!(
            Route::of("#/incidents").place,
            Place::Unknown("incidents".into())
        );
    }

    #[test]
    fn what_is_escaped_wrongly_stands_for_itself() {
        for (text, meant) in [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%41", "aA")] {
            assert_eq!(plain(text), meant);
        }
    }

    #[test]
    fn nothing_chosen_leaves_nothing_behind() {
        let route = Route::to(Place::Nodes).with("q", "x").with("q", "");
        assert_eq!(route.href(), "#/nodes");
    }
}

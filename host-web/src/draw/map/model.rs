//! Nodes and links, as the map is given them.

use crate::{catalogue::topology::Phrases, draw::shape::Ink};
use sporenet_core::{membership::member::MemberState, node::snapshot::PlaceView};

/// The most nodes that a map places; the table lists them all.
pub const NODES_MAX: usize = 2_000;
/// The most links that it draws, the worst first.
pub const ARCS_MAX: usize = 600;

/// What a map shows, borrowed from whoever has it.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The nodes; the first 2,000 that have a place are drawn.
    pub nodes: &'a [Node<'a>],
    /// The links between them.
    pub links: &'a [Link],
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Where it is; `None` if nobody knows.
    pub place: Option<Place>,
    /// Its state.
    pub state: MemberState,
    /// Whether it is the node whose view the page shows.
    pub this_node: bool,
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees to the north, from -90 to 90.
    pub latitude: f64,
    /// Degrees to the east, from -180 to 180.
    pub longitude: f64,
    /// Whether it is only guessed, such as from a time zone.
    pub is_estimated: bool,
}

impl Place {
    /// The place in words: `52.5° N, 13.4° E`, and whether it is estimated.
    #[must_use]
    pub fn in_words(self, say: &Phrases) -> String {
        let north = if self.latitude < 0.0 { 'S' } else { 'N' };
        let east = if self.longitude < 0.0 { 'W' } else { 'E' };
        let (latitude, longitude) = (self.latitude.abs(), self.longitude.abs());
        let place = format!("{latitude:.1}° {north}, {longitude:.1}° {east}");
        if self.is_estimated {
            format!("{place}, {}", say.estimated)
        } else {
            place
        }
    }

    /// Whether it can be on the world.
    pub(crate) fn is_valid(self) -> bool {
        self.latitude.abs() <= 90.0 && self.longitude.abs() <= 180.0
    }
}

impl From<PlaceView> for Place {
    fn from(place: PlaceView) -> Self {
        Self {
            latitude: place.latitude,
            longitude: place.longitude,
            is_estimated: place.estimated,
        }
    }
}

/// A link between two nodes, by their numbers among the nodes. A number that no node has is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub from: usize,
    /// The other end.
    pub to: usize,
    /// How good it is.
    pub quality: Quality,
    /// Whether its two ends see it differently.
    pub asymmetric: bool,
}

/// How good a link is. What is greater is worse, and drawn above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Nobody measured it.
    Unknown,
    /// It is as it should be.
    Good,
    /// It takes longer than it should.
    Slow,
    /// It loses what is sent.
    Lossy,
}

impl Quality {
    /// Its colour.
    #[must_use]
    pub const fn ink(self) -> Ink {
        match self {
            Self::Unknown => Ink::Border,
            Self::Good => Ink::Accent,
            Self::Slow => Ink::Warn,
            Self::Lossy => Ink::Bad,
        }
    }

    /// Its dashes: pixels of line and of gap, none for a whole line.
    #[must_use]
    pub const fn dashes(self) -> &'static [f64] {
        match self {
            Self::Unknown => &[1.0, 4.0],
            Self::Good => &[],
            Self::Slow => &[9.0, 4.0],
            Self::Lossy => &[3.0, 4.0],
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self, say: &Phrases) -> &'static str {
        match self {
            Self::Unknown => say.unmeasured,
            Self::Good => say.good,
            Self::Slow => say.slow,
            Self::Lossy => say.lossy,
        }
    }
}

//! Typed values: counters, sets, maps, flags and multi-value registers, made of registers at *parts* of
//! a key. Batches, tombstones, compaction and tabs know registers only.
//!
//! | kind | letter | parts | a part's value |
//! |---|---|---|---|
//! | register | – | the key itself | the value |
//! | multi | `v` | one, empty | the value; concurrent ones stand side by side |
//! | counter | `c` | one an author and run of it: half of its identity and a drawn number, in digits | what it added and took away in that run |
//! | set | `s` | one an element | empty; in the set while any version is live |
//! | map | `m` | one a field | the field's value, a register |
//! | flag | `f` | one, empty | `1` or `0`; on while any version says so |
//!
//! A part is stored at the key, [`SEPARATOR`], the letter and the part's name.
//!
//! Source: Shapiro, Preguiça, Baquero, Zawirski, "A comprehensive study of Convergent and Commutative
//! Replicated Data Types", 2011, sections 3.1.3 (PN-counter), 3.2.2 (MV-register), 3.3.5 (add wins);
//! Riak's data types (maps and flags).

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{decode_exactly, encode},
        id::NodeId,
        text::{Key, TextError},
        time::WallTime,
    },
    replication::{clock::Hlc, crdt::register::Version, write::WriteRefusal},
};
use alloc::{format, string::String, vec, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// What stands between a key and the name of a part; no key of a user contains it.
pub const SEPARATOR: &str = " \u{241f}";
/// The most bytes of a key and one of its parts together.
pub const KEY_AND_PART_BYTES_MAX: usize = 507;
/// The most elements or fields in one change: a batch has no more writes.
pub const ITEMS_MAX: usize = crate::replication::batch::OPS_MAX;
/// The most parts that deleting a key deletes at once.
pub const DELETED_PARTS_MAX: usize = 1_024;
/// The most elements or fields that are read with a key; [`parts`] reads the others.
///
/// [`parts`]: crate::replication::replica::Replica::parts
pub const READ_ITEMS_MAX: usize = 1_000;
/// The most bytes of elements or fields that are read with a key. A first one that is larger is read alone.
pub const READ_BYTES_MAX: usize = 64 * 1024;

/// What a key holds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A value: the last write wins, concurrent ones that lost are kept as conflicts.
    #[default]
    Register,
    /// A value whose concurrent writes stand side by side.
    Multi,
    /// A number that is added to.
    Counter,
    /// A set of texts; adding wins over removing.
    Set,
    /// Registers by name.
    Map,
    /// On or off; on wins.
    Flag,
}

impl Kind {
    /// All kinds, in the order in which one is shown if there are several at a key.
    pub const ALL: [Self; 6] = [
        Self::Register,
        Self::Multi,
        Self::Counter,
        Self::Set,
        Self::Map,
        Self::Flag,
    ];
    /// Those that are made of parts, in the same order.
    pub(in crate::replication) const TYPED: [Self; 5] =
        [Self::Multi, Self::Counter, Self::Set, Self::Map, Self::Flag];

    /// Its name, as it is written and read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Multi => "multi",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Map => "map",
            Self::Flag => "flag",
        }
    }

    /// The letter of its parts; a register has none.
    const fn letter(self) -> Option<char> {
        match self {
            Self::Register => None,
            Self::Multi => Some('v'),
            Self::Counter => Some('c'),
            Self::Set => Some('s'),
            Self::Map => Some('m'),
            Self::Flag => Some('f'),
        }
    }

    /// Whether its parts have names.
    const fn has_named_parts(self) -> bool {
        match self {
            Self::Register | Self::Multi | Self::Flag => false,
            Self::Counter | Self::Set | Self::Map => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no kind of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type is register, multi, counter, set, map or flag")
    }
}

impl core::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// A change of a typed value. It creates the value if there is none. What is so already is nothing to do: it
/// is answered and not written. So is a change of no elements or fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// To a counter; less than zero takes away.
    Add(i64),
    /// Elements into a set, at most [`ITEMS_MAX`].
    Insert(Vec<Key>),
    /// Elements out of a set, at most [`ITEMS_MAX`]; one that is not there is nothing to do.
    Remove(Vec<Key>),
    /// Fields of a map, at most [`ITEMS_MAX`]; `None` deletes one.
    Put(Vec<(Key, Option<Bytes>)>),
    /// Turns a flag on or off.
    Flag(bool),
    /// The value of a multi-value register: it replaces those that were seen here.
    Multi(Bytes),
}

impl Change {
    /// Of what.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Add(_) => Kind::Counter,
            Self::Insert(_) | Self::Remove(_) => Kind::Set,
            Self::Put(_) => Kind::Map,
            Self::Flag(_) => Kind::Flag,
            Self::Multi(_) => Kind::Multi,
        }
    }

    /// By part: the bytes of what comes after the key, and of the value, together and at most.
    pub(in crate::replication) fn sizes(&self) -> impl Iterator<Item = usize> {
        let one = match self {
            Self::Add(_) => Some(COUNTER_PART_BYTES.saturating_add(TOTALS_BYTES_MAX)),
            Self::Flag(_) => Some(1),
            Self::Multi(value) => Some(value.len()),
            Self::Insert(_) | Self::Remove(_) | Self::Put(_) => None,
        };
        let (elements, fields): (&[Key], &[(Key, Option<Bytes>)]) = match self {
            Self::Insert(elements) | Self::Remove(elements) => (elements, &[]),
            Self::Put(fields) => (&[], fields),
            Self::Add(_) | Self::Flag(_) | Self::Multi(_) => (&[], &[]),
        };
        let field = |(name, value): &(Key, Option<Bytes>)| {
            let value = value.as_ref().map_or(0, |value| value.len());
            name.len().saturating_add(value)
        };
        let elements = elements.iter().map(|element| element.len());
        let all = one
            .into_iter()
            .chain(elements)
            .chain(fields.iter().map(field));
        all.map(|bytes| bytes.saturating_add(SEPARATOR.len()).saturating_add(1))
    }

    /// The parts of a key that it writes, each with its new value; `None` takes the part away. Of a
    /// counter the part `counter`, with the largest value that it can have.
    ///
    /// # Errors
    /// [`WriteRefusal::PartTooLong`].
    pub(in crate::replication) fn writes(
        &self,
        key: &Key,
        counter: &str,
    ) -> Result<Vec<(Key, Option<Bytes>)>, WriteRefusal> {
        let kind = self.kind();
        let part = |part: &str| {
            let stored = part_key(key, kind, part);
            stored.map_err(|_| WriteRefusal::PartTooLong {
                max: u32::try_from(KEY_AND_PART_BYTES_MAX).unwrap_or(u32::MAX),
            })
        };
        match self {
            Self::Add(_) => Ok(vec![(part(counter)?, Some(Totals::MAX.to_bytes()))]),
            Self::Insert(elements) => elements
                .iter()
                .map(|element| Ok((part(element)?, Some(Bytes::default()))))
                .collect(),
            Self::Remove(elements) => elements
                .iter()
                .map(|element| Ok((part(element)?, None)))
                .collect(),
            Self::Put(fields) => fields
                .iter()
                .map(|(name, value)| Ok((part(name)?, value.clone())))
                .collect(),
            Self::Flag(is_on) => {
                let value: &[u8] = if *is_on { b"1" } else { b"0" };
                Ok(vec![(part("")?, Some(Bytes::from(value)))])
            }
            Self::Multi(value) => Ok(vec![(part("")?, Some(value.clone()))]),
        }
    }
}

/// What a key holds, beside its value as a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A register, or nothing: the value and its conflicts say all.
    #[default]
    Register,
    /// The concurrent values, the winner first.
    Multi {
        /// At least one, each with a value.
        values: Vec<Version>,
    },
    /// A number.
    Counter {
        /// The sum of all that was added.
        value: i64,
        /// Whether more was added than can be counted: the value is as far as it goes.
        saturated: bool,
        /// How many nodes added to it.
        writers: u64,
    },
    /// A set.
    Set {
        /// In order, the first at most [`READ_ITEMS_MAX`].
        elements: Vec<Key>,
        /// How many there are.
        total: u64,
    },
    /// A map.
    Map {
        /// In order of their names, the first at most [`READ_ITEMS_MAX`].
        fields: Vec<(Key, FieldView)>,
        /// How many there are.
        total: u64,
    },
    /// A flag.
    Flag {
        /// Whether it is on.
        on: bool,
    },
}

impl Content {
    /// What the key holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Register => Kind::Register,
            Self::Multi { .. } => Kind::Multi,
            Self::Counter { .. } => Kind::Counter,
            Self::Set { .. } => Kind::Set,
            Self::Map { .. } => Kind::Map,
            Self::Flag { .. } => Kind::Flag,
        }
    }

    /// It as a text for people: an element or a field a line. Nothing for a register.
    pub(in crate::replication) fn text(&self) -> Option<Bytes> {
        let lines = |lines: Vec<Vec<u8>>, total: u64| {
            let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
            let more = total.saturating_sub(shown);
            let more = (more > 0).then(|| format!("… and {more} more").into_bytes());
            let all: Vec<Vec<u8>> = lines.into_iter().chain(more).collect();
            Bytes::from(all.join(&b'\n'))
        };
        match self {
            Self::Register => None,
            Self::Multi { values } => values.first()?.value.clone(),
            Self::Counter { value, .. } => Some(Bytes::from(format!("{value}").as_bytes())),
            Self::Set { elements, total } => {
                let elements = elements.iter().map(|element| element.as_bytes().to_vec());
                Some(lines(elements.collect(), *total))
            }
            Self::Map { fields, total } => {
                let line =
                    |(name, field): &(Key, FieldView)| [name.as_bytes(), &field.value].join(&b'=');
                Some(lines(fields.iter().map(line).collect(), *total))
            }
            Self::Flag { on } => Some(Bytes::from(if *on { "on" } else { "off" }.as_bytes())),
        }
    }
}

/// A field of a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    /// Its value.
    pub value: Bytes,
    /// Who wrote it.
    pub author: NodeId,
    /// When, by its writer's clock.
    pub stamp: Hlc,
    /// How many concurrent writes lost.
    pub conflicts: u64,
}

impl FieldView {
    /// When it was written, by its writer's wall clock or a faster one it had heard of.
    #[must_use]
    pub const fn written_at(&self) -> WallTime {
        self.stamp.wall()
    }
}

/// A page of the parts of a typed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsPage {
    /// What the key holds.
    pub kind: Kind,
    /// Of a set its elements, with empty values; of a map its fields; of a counter what each author
    /// added in all, by half of its identity. In order.
    pub parts: Vec<(Key, FieldView)>,
    /// Where the next page begins: after this part. `None` on the last page.
    pub next: Option<Key>,
}

/// What one author has added to a counter and taken from it, in all of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::replication) struct Totals {
    pub(in crate::replication) plus: u64,
    pub(in crate::replication) minus: u64,
}

/// The most bytes of totals: two numbers of 64 bits, seven bits a byte.
const TOTALS_BYTES_MAX: usize = 20;

impl Totals {
    const MAX: Self = Self {
        plus: u64::MAX,
        minus: u64::MAX,
    };

    pub(in crate::replication) fn of(value: &[u8]) -> Option<Self> {
        decode_exactly(value).ok()
    }

    pub(in crate::replication) fn to_bytes(self) -> Bytes {
        encode(&self).into()
    }

    /// With more added: totals only ever rise, so the later ones are the greater ones.
    pub(in crate::replication) const fn plus(self, more: i64) -> Self {
        let by = more.unsigned_abs();
        if more < 0 {
            Self {
                minus: self.minus.saturating_add(by),
                ..self
            }
        } else {
            Self {
                plus: self.plus.saturating_add(by),
                ..self
            }
        }
    }

    /// What was added, less what was taken away.
    pub(in crate::replication) fn net(self) -> i128 {
        i128::from(self.plus).saturating_sub(i128::from(self.minus))
    }

    /// Whether a total can rise no more.
    pub(in crate::replication) const fn is_full(self) -> bool {
        self.plus == u64::MAX || self.minus == u64::MAX
    }
}

/// Where a part of a key is stored.
///
/// # Errors
/// If key and part together are too long.
pub(in crate::replication) fn part_key(
    base: &str,
    kind: Kind,
    part: &str,
) -> Result<Key, TextError> {
    match kind.letter() {
        None => Key::new(base),
        Some(letter) => Key::new(&format!("{base}{SEPARATOR}{letter}{part}")),
    }
}

/// The part of a counter that an author writes in a run. Each run has a part of its own: a node whose disk
/// went back in time does not know how much it had added before, and would overwrite it.
pub(in crate::replication) fn counter_part(author: NodeId, run: u64) -> String {
    format!("{}{run:016x}", half_of(author))
}

/// Whether a part of a counter is of an author.
pub(in crate::replication) fn is_counter_part_of(author: NodeId, part: &str) -> bool {
    part.strip_prefix(half_of(author).as_str())
        .is_some_and(|run| run.len() == RUN_DIGITS)
}

/// Half of an identity, in digits: enough to tell authors apart.
pub(in crate::replication) fn half_of(author: NodeId) -> String {
    let mut digits = format!("{author}");
    digits.truncate(HALF_DIGITS);
    digits
}

/// The last identity with these digits.
pub(in crate::replication) fn last_with_half(half: &str) -> Option<NodeId> {
    format!("{half:f<64}").parse().ok()
}

const HALF_DIGITS: usize = 32;
const RUN_DIGITS: usize = 16;
const COUNTER_PART_BYTES: usize = HALF_DIGITS + RUN_DIGITS;

/// What a stored key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Place<'a> {
    /// A key of a user.
    Plain,
    /// A part: of which key, of which kind, its name.
    Part(&'a str, Kind, &'a str),
    /// A part of a kind that is not known here, or what nobody writes: of which key. It is kept and
    /// passed on, and not shown.
    Unknown(&'a str),
}

impl<'a> Place<'a> {
    pub(in crate::replication) fn of(stored: &'a str) -> Self {
        let Some((base, part)) = stored.split_once(SEPARATOR) else {
            return Self::Plain;
        };
        if base.is_empty() {
            return Self::Unknown(stored);
        }
        let mut letters = part.chars();
        let letter = letters.next();
        let part = letters.as_str();
        let mut kinds = Kind::TYPED.into_iter();
        match kinds.find(|kind| kind.letter() == letter) {
            Some(kind) if part.is_empty() != kind.has_named_parts() => Self::Part(base, kind, part),
            Some(_) | None => Self::Unknown(base),
        }
    }
}

/// The key of a user to which a stored key belongs: the same one, except for parts.
#[must_use]
pub fn base_of(stored: &str) -> &str {
    match Place::of(stored) {
        Place::Plain => stored,
        Place::Part(base, _, _) | Place::Unknown(base) => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_part_is_stored_at_its_key_and_read_back() {
        for (kind, part) in [
            (Kind::Multi, ""),
            (Kind::Counter, "0123"),
            (Kind::Set, "an element \u{241f}s with a separator"),
            (Kind::Map, "field"),
            (Kind::Flag, ""),
        ] {
            let stored = part_key("a key", kind, part).unwrap();
            assert_eq!(Place::of(&stored), Place::Part("a key", kind, part));
            assert_eq!(base_of(&stored), "a key");
        }
        assert_eq!(part_key("k", Kind::Register, "").unwrap().as_str(), "k");
        let part = "x".repeat(KEY_AND_PART_BYTES_MAX - 1);
        assert!(part_key("k", Kind::Set, &part).is_ok());
        assert!(part_key("kk", Kind::Set, &part).is_err());
    }

    #[test]
    fn what_is_stored_is_pinned() {
        let stored = |kind, part: &str| part_key("k", kind, part).unwrap().to_string();
        assert_eq!(stored(Kind::Multi, ""), "k \u{241f}v");
        assert_eq!(stored(Kind::Set, "x"), "k \u{241f}sx");
        assert_eq!(stored(Kind::Map, "x"), "k \u{241f}mx");
        assert_eq!(stored(Kind::Flag, ""), "k \u{241f}f");
        let (author, other) = (NodeId::from_bytes([0xab; 32]), NodeId::from_bytes([1; 32]));
        let part = counter_part(author, 7);
        assert_eq!(part, format!("{}0000000000000007", "ab".repeat(16)));
        assert_eq!(stored(Kind::Counter, &part), format!("k \u{241f}c{part}"));
        assert!(is_counter_part_of(author, &part) && !is_counter_part_of(other, &part));
        assert_eq!(
            last_with_half(&half_of(author)).unwrap().short(),
            "abababab"
        );
        let totals = Totals {
            plus: 300,
            minus: 1,
        };
        assert_eq!(*totals.to_bytes(), [0xac, 0x02, 0x01]);
    }

    #[test]
    fn parts_of_unknown_kinds_belong_to_their_key_and_to_no_kind() {
        assert_eq!(Place::of("k"), Place::Plain);
        for stored in ["k \u{241f}", "k \u{241f}zx", "k \u{241f}s", "k \u{241f}fx"] {
            assert_eq!(Place::of(stored), Place::Unknown("k"));
        }
        assert_eq!(base_of(" \u{241f}sx"), " \u{241f}sx");
    }

    #[test]
    fn kinds_are_named_and_read_by_the_same_words() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("list".parse::<Kind>(), Err(UnknownKind));
    }

    #[test]
    fn totals_rise_up_to_their_bound_and_then_say_so() {
        let totals = Totals::default().plus(5).plus(-7).plus(i64::MIN);
        assert_eq!(totals.net(), -2 + i128::from(i64::MIN));
        assert_eq!(Totals::of(&totals.to_bytes()), Some(totals));
        assert!(!totals.is_full());
        let full = (0..3).fold(Totals::default(), |sum, _| sum.plus(i64::MAX));
        assert_eq!((full.plus, full.is_full()), (u64::MAX, true));
        assert_eq!(Totals::of(b"no totals at all"), None);
    }
}

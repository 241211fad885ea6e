//! Typed values against a plain model, by drawn histories: what each replica shows follows from the set of changes
//! that it has heard of, and of which of the others each of them had heard.

use super::world::{World, key, value};
use crate::{
    kernel::{bytes::Bytes, component::Component as _, id::NodeId, text::Namespace},
    replication::{
        batch::Op,
        cells::Cells,
        clock::Hlc,
        typed::{Change, Content, Kind, counter_part, part_key},
        write::AckLevel,
    },
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use core::time::Duration;
use proptest::prelude::*;

const REPLICAS: usize = 3;

/// What is done to one of the five keys.
#[derive(Clone, Copy, Debug)]
enum Act {
    Add(i8),
    Insert(u8),
    Remove(u8),
    Put(u8, u8),
    Delete(u8),
    Flag(bool),
    Multi(u8),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Do(usize, Act),
    /// Two replicas tell each other all.
    Meet(usize, usize),
    Restart(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        any::<i8>().prop_map(Act::Add),
        (0..3_u8).prop_map(Act::Insert),
        (0..3_u8).prop_map(Act::Remove),
        (0..2_u8, any::<u8>()).prop_map(|(field, value)| Act::Put(field, value)),
        (0..2_u8).prop_map(Act::Delete),
        any::<bool>().prop_map(Act::Flag),
        any::<u8>().prop_map(Act::Multi),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..REPLICAS;
    prop_oneof![
        6 => (at(), act()).prop_map(|(at, act)| Step::Do(at, act)),
        3 => (at(), at()).prop_map(|(a, b)| Step::Meet(a, b)),
        1 => at().prop_map(Step::Restart),
    ]
}

/// A change, and which changes its writer had heard of.
struct Known {
    act: Act,
    past: BTreeSet<usize>,
}

/// What was done, in the order of the stamps, and what each replica has heard of.
#[derive(Default)]
struct Model {
    done: Vec<Known>,
    heard: [BTreeSet<usize>; REPLICAS],
}

impl Model {
    fn act(&mut self, at: usize, act: Act) {
        let past = self.heard[at].clone();
        self.heard[at].insert(self.done.len());
        self.done.push(Known { act, past });
    }

    fn meet(&mut self, a: usize, b: usize) {
        let all: BTreeSet<usize> = self.heard[a].union(&self.heard[b]).copied().collect();
        self.heard[a].clone_from(&all);
        self.heard[b] = all;
    }

    /// The changes of some kind that no other of the same kind, of which was heard, had heard of.
    fn last(&self, at: usize, is: impl Fn(Act) -> bool) -> Vec<Act> {
        let heard = || self.heard[at].iter().filter(|one| is(self.done[**one].act));
        let is_last = |one: &&usize| !heard().any(|other| self.done[*other].past.contains(one));
        let last = heard().filter(is_last);
        last.map(|one| self.done[*one].act).collect()
    }

    fn shown(&self, at: usize) -> Vec<String> {
        let sum = self.heard[at].iter().map(|one| match self.done[*one].act {
            Act::Add(by) => i64::from(by),
            Act::Insert(_)
            | Act::Remove(_)
            | Act::Put(..)
            | Act::Delete(_)
            | Act::Flag(_)
            | Act::Multi(_) => 0,
        });
        let has_counter = !self.last(at, |act| matches!(act, Act::Add(_))).is_empty();
        let counter = has_counter.then(|| format!("{}", sum.sum::<i64>()));
        let is_in = |element: &u8| {
            let of = |act| matches!(act, Act::Insert(e) | Act::Remove(e) if e == *element);
            let last = self.last(at, of);
            last.iter().any(|act| matches!(act, Act::Insert(_)))
        };
        let set = (0..3_u8).filter(is_in).map(|element| format!("{element}"));
        let field = |field: u8| {
            // In the order of the stamps: the newest wins.
            let newest = self.heard[at]
                .iter()
                .rev()
                .find_map(|one| match self.done[*one].act {
                    Act::Put(of, value) if of == field => Some(Some(value)),
                    Act::Delete(of) if of == field => Some(None),
                    Act::Put(..)
                    | Act::Delete(_)
                    | Act::Add(_)
                    | Act::Insert(_)
                    | Act::Remove(_)
                    | Act::Flag(_)
                    | Act::Multi(_) => None,
                });
            Some(format!("{field}={}", newest??))
        };
        let flags = self.last(at, |act| matches!(act, Act::Flag(_)));
        let is_on = flags.iter().map(|act| matches!(act, Act::Flag(true))).max();
        let multi = self.last(at, |act| matches!(act, Act::Multi(_)));
        let mut multi: Vec<_> = multi.iter().map(|act| format!("{act:?}")).collect();
        multi.sort();
        [
            counter.unwrap_or_default(),
            set.collect::<Vec<_>>().join(" "),
            (0..2).filter_map(field).collect::<Vec<_>>().join(" "),
            is_on.map(|on| format!("{on}")).unwrap_or_default(),
            multi.join(" "),
        ]
        .into()
    }
}

fn shown(world: &World, at: usize) -> Vec<String> {
    let content = |name: &str| {
        world
            .replica(at)
            .entry("n", name)
            .map(|entry| entry.content)
    };
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    let one = |name: &str| match content(name) {
        None | Some(Content::Register) => String::new(),
        Some(Content::Counter { value, .. }) => format!("{value}"),
        Some(Content::Set { elements, .. }) => {
            let elements = elements.iter().map(|element| element.as_str());
            elements.collect::<Vec<_>>().join(" ")
        }
        Some(Content::Map { fields, .. }) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, field)| format!("{name}={}", text(&field.value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        Some(Content::Flag { on }) => format!("{on}"),
        Some(Content::Multi { values }) => {
            let values = values.iter().filter_map(|version| version.value.as_ref());
            let mut values: Vec<_> = values
                .map(|value| format!("Multi({})", text(value)))
                .collect();
            values.sort();
            values.join(" ")
        }
    };
    ["c", "s", "m", "f", "v"]
        .iter()
        .map(|name| one(name))
        .collect()
}

fn change(act: Act) -> (&'static str, Change) {
    let name = |number: u8| key(&format!("{number}"));
    match act {
        Act::Add(by) => ("c", Change::Add(by.into())),
        Act::Insert(element) => ("s", Change::Insert([name(element)].into())),
        Act::Remove(element) => ("s", Change::Remove([name(element)].into())),
        Act::Put(field, to) => {
            let to = value(&format!("{to}"));
            ("m", Change::Put([(name(field), to)].into()))
        }
        Act::Delete(field) => ("m", Change::Put([(name(field), None)].into())),
        Act::Flag(is_on) => ("f", Change::Flag(is_on)),
        Act::Multi(value) => (
            "v",
            Change::Multi(Bytes::from(format!("{value}").as_bytes())),
        ),
    }
}

/// What is removed or deleted where it is not is no change: the model has to leave it out too.
fn is_nothing(shown: &[String], act: Act) -> bool {
    let has = |list: &str, what: &str| list.split(' ').any(|one| one == what);
    match act {
        Act::Remove(element) => !has(&shown[1], &format!("{element}")),
        Act::Delete(field) => !shown[2]
            .split(' ')
            .any(|one| one.starts_with(&format!("{field}="))),
        Act::Add(0) => !shown[0].is_empty(),
        Act::Add(_) | Act::Insert(_) | Act::Put(..) | Act::Flag(_) | Act::Multi(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_replica_shows_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(17, REPLICAS as u8, 0);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Do(at, act) => {
                    let is_nothing = is_nothing(&model.shown(at), act);
                    let (name, change) = change(act);
                    world.change(at, "n", name, change, AckLevel::Local);
                    if !is_nothing {
                        model.act(at, act);
                    }
                    // Later changes have later stamps.
                    world.run_for(Duration::from_millis(10));
                }
                Step::Meet(a, b) if a != b => {
                    world.link(a, b);
                    world.run_for(Duration::from_secs(10));
                    world.cut(a, b);
                    model.meet(a, b);
                }
                Step::Meet(..) => {}
                Step::Restart(at) => {
                    world.crash(at);
                    world.start(at);
                }
            }
            for at in 0..REPLICAS {
                prop_assert_eq!(shown(&world, at), model.shown(at), "at {} after {:?}", at, step);
                world.replica(at).check().unwrap();
            }
        }
        world.link_all();
        world.settle();
        model.meet(0, 1);
        model.meet(1, 2);
        model.meet(0, 1);
        for at in 0..REPLICAS {
            prop_assert_eq!(shown(&world, at), model.shown(at), "at {} in the end", at);
        }
        world.assert_relays_agree();
    }

    /// Merging is commutative, associative and idempotent: writes in any order, any number of times.
    #[test]
    fn parts_come_to_the_same_in_any_order_and_number(
        writes in prop::collection::vec((0..4_u8, 0..5_usize, 0..2_u8, any::<u8>(), any::<bool>()), 1..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        // What each author knows when it writes: what it and some others wrote before.
        let (mut ops, mut seen_by): (Vec<(NodeId, Op)>, Vec<Cells>) = (Vec::new(), Vec::new());
        for number in 0..4 {
            seen_by.push(Cells::new(u64::MAX, 10, author(number)));
        }
        for (millis, (who, kind, name, value, catches_up)) in (1..).zip(writes) {
            let cells = &mut seen_by[usize::from(who)];
            if catches_up {
                ops.iter().for_each(|op| apply(cells, op));
            }
            let stored = stored(author(who), kind, name);
            let register = cells.register("n", &stored);
            let write = Op {
                seen: register.map(|it| it.seen_by(author(who))).unwrap_or_default(),
                key: stored,
                stamp: Hlc { millis, counter: 0 },
                value: written(kind, value),
            };
            ops.push((author(who), write));
            apply(cells, &ops[ops.len() - 1]);
        }
        let mut in_order = Cells::new(u64::MAX, 10, author(0));
        ops.iter().for_each(|op| apply(&mut in_order, op));
        // Some first, in any order and several times; then all backwards.
        let mut other = Cells::new(u64::MAX, 10, author(0));
        for index in order {
            apply(&mut other, &ops[index.index(ops.len())]);
            other.check(Hlc::MAX).unwrap();
        }
        ops.iter().rev().for_each(|op| apply(&mut other, op));
        for cells in [&in_order, &other] {
            cells.check(Hlc::MAX).unwrap();
        }
        prop_assert_eq!(in_order.entry("n", "k"), other.entry("n", "k"));
        prop_assert_eq!(in_order.namespaces(), other.namespaces());
        prop_assert_eq!(in_order.state_hash(), other.state_hash());
        for kind in 0..5 {
            let of = |cells: &Cells| cells.entry("n", &format!("k{kind}"));
            prop_assert_eq!(of(&in_order), of(&other));
        }
    }
}

const KINDS: [Kind; 5] = [Kind::Multi, Kind::Counter, Kind::Set, Kind::Map, Kind::Flag];

fn author(number: u8) -> NodeId {
    NodeId::from_bytes([number + 1; 32])
}

fn stored(author: NodeId, kind: usize, name: u8) -> crate::kernel::text::Key {
    let part = match KINDS[kind] {
        Kind::Counter => counter_part(author, name.into()),
        Kind::Set | Kind::Map => format!("{name}"),
        Kind::Register | Kind::Multi | Kind::Flag => String::new(),
    };
    // One key for each kind, and one for all of them.
    let base = if name == 0 {
        "k".into()
    } else {
        format!("k{kind}")
    };
    part_key(&base, KINDS[kind], &part).unwrap()
}

fn written(kind: usize, drawn: u8) -> Option<Bytes> {
    if drawn < 64 {
        return None;
    }
    let text = match KINDS[kind] {
        Kind::Counter => alloc::vec![drawn % 128, 0],
        Kind::Flag => alloc::vec![b'0' + drawn % 2],
        Kind::Set => Vec::new(),
        Kind::Register | Kind::Multi | Kind::Map => alloc::vec![drawn],
    };
    Some(Bytes::from(text))
}

fn apply(cells: &mut Cells, (author, op): &(NodeId, Op)) {
    let namespace = Namespace::new("n").unwrap();
    cells.apply((&namespace, 0), *author, op.clone());
}

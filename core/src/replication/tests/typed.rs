//! What typed values promise.

use super::world::{World, key, ns, value};
use crate::{
    kernel::{bytes::Bytes, component::Component as _},
    replication::{
        cells::PageMax,
        replica::{Command, Event},
        typed::{
            Change, Content, DELETED_PARTS_MAX, ITEMS_MAX, KEY_AND_PART_BYTES_MAX, Kind,
            READ_ITEMS_MAX, SEPARATOR,
        },
        write::{AckLevel, WriteRefusal},
    },
};
use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn change(world: &mut World, at: usize, name: &str, change: Change) -> u64 {
    world.change(at, "n", name, change, AckLevel::Local)
}

/// Changes and waits until it is visible there.
fn changed(world: &mut World, at: usize, name: &str, what: Change) {
    let request = change(world, at, name, what);
    world.run_for(SECOND / 10);
    let reply = &world.hosts[at].replies[&request];
    assert!(reply.is_ok(), "{reply:?}");
}

fn refusal(world: &mut World, at: usize, name: &str, what: Change) -> WriteRefusal {
    let request = change(world, at, name, what);
    world.run_for(SECOND / 10);
    world.hosts[at].replies[&request].clone().unwrap_err()
}

fn insert(elements: &[&str]) -> Change {
    Change::Insert(elements.iter().map(|element| key(element)).collect())
}

fn remove(elements: &[&str]) -> Change {
    Change::Remove(elements.iter().map(|element| key(element)).collect())
}

fn put(name: &str, text: &str) -> Change {
    Change::Put(alloc::vec![(key(name), value(text))])
}

fn multi(text: &str) -> Change {
    Change::Multi(Bytes::from(text.as_bytes()))
}

/// What a key holds, as short text.
fn shown(world: &World, at: usize, name: &str) -> String {
    let Some(entry) = world.replica(at).entry("n", name) else {
        return "never".into();
    };
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    let of = match entry.content {
        Content::Register => entry.value.as_ref().map_or_else(|| "gone".into(), text),
        Content::Multi { values } => {
            let values = values.iter().filter_map(|version| version.value.as_ref());
            values.map(text).collect::<Vec<_>>().join("|")
        }
        Content::Counter {
            value, saturated, ..
        } => format!("{value}{}", if saturated { "!" } else { "" }),
        Content::Set { elements, total } => {
            assert_eq!(elements.len() as u64, total);
            format!(
                "{{{}}}",
                elements
                    .iter()
                    .map(|e| e.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        }
        Content::Map { fields, total } => {
            assert_eq!(fields.len() as u64, total);
            let field = |(name, field): &(_, crate::replication::typed::FieldView)| {
                format!("{name}={}", text(&field.value))
            };
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        Content::Flag { on } => on.to_string(),
    };
    let also = entry.also.iter().map(|kind| format!(" and {kind}"));
    of + &also.collect::<String>()
}

fn all_show(world: &World, name: &str, expected: &str) {
    for at in 0..world.hosts.len() {
        assert_eq!(shown(world, at, name), expected, "{name} at {at}");
        world.replica(at).check().unwrap();
    }
}

fn meshed(relays: u8) -> World {
    let mut world = World::new(29, relays, 0);
    world.link_all();
    world.run_for(SECOND);
    world
}

fn split(world: &mut World) {
    for a in 0..world.hosts.len() {
        for b in 0..a {
            world.cut(a, b);
        }
    }
}

fn heal(world: &mut World) {
    world.link_all();
    world.run_for(60 * SECOND);
}

#[test]
fn what_two_nodes_add_at_once_counts_together_also_across_a_split() {
    let mut world = meshed(2);
    change(&mut world, 0, "c", Change::Add(5));
    change(&mut world, 1, "c", Change::Add(7));
    world.run_for(SECOND);
    all_show(&world, "c", "12");
    split(&mut world);
    changed(&mut world, 0, "c", Change::Add(100));
    changed(&mut world, 0, "c", Change::Add(-1));
    changed(&mut world, 1, "c", Change::Add(-20));
    assert_eq!(shown(&world, 0, "c"), "111");
    assert_eq!(shown(&world, 1, "c"), "-8");
    heal(&mut world);
    all_show(&world, "c", "91");
    let page = world.replica(0).parts("n", "c", None, 10).unwrap();
    assert_eq!(page.kind, Kind::Counter);
    let mut sums: Vec<_> = page
        .parts
        .iter()
        .map(|(_, part)| part.value.clone())
        .collect();
    sums.sort();
    assert_eq!(sums, [Bytes::from(&b"-13"[..]), Bytes::from(&b"104"[..])]);
}

#[test]
fn changes_that_are_sealed_together_all_count() {
    let mut world = World::new(3, 1, 0);
    world.weather.append_delay = SECOND;
    let first = change(&mut world, 0, "c", Change::Add(1));
    let second = change(&mut world, 0, "c", Change::Add(10));
    let third = change(&mut world, 0, "c", Change::Add(100));
    change(&mut world, 0, "s", insert(&["a", "b"]));
    change(&mut world, 0, "s", insert(&["b", "c"]));
    change(&mut world, 0, "s", remove(&["b"]));
    change(&mut world, 0, "m", put("x", "1"));
    change(&mut world, 0, "m", put("x", "2"));
    world.run_for(10 * SECOND);
    for request in [first, second, third] {
        assert!(world.hosts[0].replies[&request].is_ok());
    }
    all_show(&world, "c", "111");
    all_show(&world, "s", "{a c}");
    all_show(&world, "m", "x=2");
    let (_, batches) = world.replica(0).counts();
    assert!(batches <= 6, "{batches} batches: two a shard");
}

#[test]
fn who_adds_to_a_set_wins_over_who_removes_at_once_and_what_was_seen_goes() {
    let mut world = meshed(3);
    changed(&mut world, 0, "s", insert(&["a", "b"]));
    world.run_for(SECOND);
    split(&mut world);
    changed(&mut world, 1, "s", remove(&["a", "b"]));
    changed(&mut world, 2, "s", insert(&["a"]));
    changed(&mut world, 0, "s", remove(&["a"]));
    heal(&mut world);
    all_show(&world, "s", "{a}");
    changed(&mut world, 0, "s", remove(&["a"]));
    world.run_for(SECOND);
    all_show(&world, "s", "gone");
    changed(&mut world, 1, "s", insert(&["z"]));
    world.run_for(SECOND);
    all_show(&world, "s", "{z}");
}

#[test]
fn a_flag_that_was_turned_on_and_off_at_once_is_on() {
    let mut world = meshed(2);
    split(&mut world);
    changed(&mut world, 0, "f", Change::Flag(true));
    changed(&mut world, 1, "f", Change::Flag(false));
    heal(&mut world);
    all_show(&world, "f", "true");
    changed(&mut world, 1, "f", Change::Flag(false));
    world.run_for(SECOND);
    all_show(&world, "f", "false");
}

#[test]
fn concurrent_values_stand_side_by_side_until_one_replaces_them() {
    let mut world = meshed(2);
    split(&mut world);
    changed(&mut world, 0, "v", multi("one"));
    world.run_for(SECOND);
    changed(&mut world, 1, "v", multi("two"));
    heal(&mut world);
    all_show(&world, "v", "two|one");
    assert_eq!(world.replica(0).stats().conflicts, 0);
    changed(&mut world, 0, "v", multi("three"));
    world.run_for(SECOND);
    all_show(&world, "v", "three");
}

#[test]
fn fields_of_a_map_are_registers_of_their_own() {
    let mut world = meshed(2);
    changed(&mut world, 0, "m", put("a", "1"));
    world.run_for(SECOND);
    split(&mut world);
    changed(&mut world, 0, "m", put("b", "left"));
    changed(&mut world, 0, "m", put("c", "left"));
    world.run_for(SECOND);
    changed(&mut world, 1, "m", put("c", "right"));
    changed(
        &mut world,
        1,
        "m",
        Change::Put(alloc::vec![(key("a"), None)]),
    );
    heal(&mut world);
    all_show(&world, "m", "b=left c=right");
    let page = world.replica(0).parts("n", "m", Some("b"), 10).unwrap();
    let conflicts: Vec<_> = page
        .parts
        .iter()
        .map(|(name, f)| (name.as_str(), f.conflicts))
        .collect();
    assert_eq!(conflicts, [("c", 1)]);
    assert_eq!(world.replica(0).stats().conflicts, 1);
}

#[test]
fn kinds_that_were_begun_at_once_are_both_kept_until_the_key_is_deleted() {
    let mut world = meshed(2);
    split(&mut world);
    changed(&mut world, 0, "k", Change::Add(4));
    changed(&mut world, 1, "k", insert(&["x"]));
    heal(&mut world);
    all_show(&world, "k", "4 and set");
    // Both can be changed, and nothing else.
    changed(&mut world, 0, "k", insert(&["y"]));
    changed(&mut world, 1, "k", Change::Add(1));
    let other = WriteRefusal::OtherKind {
        kind: Kind::Counter,
    };
    assert_eq!(refusal(&mut world, 0, "k", Change::Flag(true)), other);
    world.run_for(SECOND);
    all_show(&world, "k", "5 and set");
    assert_eq!(world.replica(0).namespaces(), [(ns("n"), 1)]);
    world.write(1, "n", "k", None, AckLevel::Local);
    world.run_for(SECOND);
    all_show(&world, "k", "gone");
    assert_eq!(world.replica(0).namespaces(), []);
    // And it begins anew.
    changed(&mut world, 0, "k", Change::Add(1));
    world.run_for(SECOND);
    all_show(&world, "k", "1");
}

#[test]
fn an_add_that_did_not_know_of_a_deletion_brings_its_part_back() {
    let mut world = meshed(2);
    changed(&mut world, 0, "c", Change::Add(10));
    changed(&mut world, 1, "c", Change::Add(1));
    world.run_for(SECOND);
    split(&mut world);
    world.write(0, "n", "c", None, AckLevel::Local);
    changed(&mut world, 1, "c", Change::Add(2));
    heal(&mut world);
    all_show(&world, "c", "3");
}

#[test]
fn a_key_holds_one_kind() {
    let mut world = World::new(5, 1, 0);
    changed(&mut world, 0, "c", Change::Add(1));
    world.put(0, "n", "r", "text");
    world.run_for(SECOND);
    let write = world.put(0, "n", "c", "text");
    world.run_for(SECOND);
    let kind = Kind::Counter;
    assert_eq!(
        world.hosts[0].replies[&write],
        Err(WriteRefusal::OtherKind { kind })
    );
    let kind = Kind::Register;
    assert_eq!(
        refusal(&mut world, 0, "r", Change::Add(1)),
        WriteRefusal::OtherKind { kind }
    );
    all_show(&world, "c", "1");
    all_show(&world, "r", "text");
    // Also if both wait at once: the second is refused as it is sealed.
    world.weather.append_delay = SECOND;
    let first = change(&mut world, 0, "both", Change::Add(1));
    let second = world.put(0, "n", "both", "text");
    let deletion = world.write(0, "n", "both", None, AckLevel::Local);
    let third = world.put(0, "n", "both", "again");
    world.run_for(20 * SECOND);
    let kind = Kind::Counter;
    let replies = &world.hosts[0].replies;
    assert!(replies[&first].is_ok() && replies[&deletion].is_ok() && replies[&third].is_ok());
    assert_eq!(replies[&second], Err(WriteRefusal::OtherKind { kind }));
    all_show(&world, "both", "again");
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut world = World::new(5, 1, 0);
    let reserved = format!("k{SEPARATOR}sx");
    assert_eq!(
        refusal(&mut world, 0, &reserved, Change::Add(1)),
        WriteRefusal::KeyReserved
    );
    let write = world.put(0, "n", &reserved, "text");
    assert_eq!(
        world.hosts[0].replies[&write],
        Err(WriteRefusal::KeyReserved)
    );
    let many = (0..=ITEMS_MAX)
        .map(|number| key(&format!("{number}")))
        .collect();
    let too_many = WriteRefusal::TooMany { max: 64 };
    assert_eq!(refusal(&mut world, 0, "s", Change::Insert(many)), too_many);
    let large = Bytes::from(alloc::vec![0; 200_000]);
    let fields = ["a", "b"].map(|name| (key(name), Some(large.clone())));
    assert_eq!(
        refusal(&mut world, 0, "m", Change::Put(fields.to_vec())),
        too_many
    );
    let larger = Bytes::from(alloc::vec![0; 300_000]);
    let too_large = refusal(&mut world, 0, "v", Change::Multi(larger));
    assert_eq!(too_large, WriteRefusal::ValueTooLarge { max: 262_144 });
    let long = "x".repeat(KEY_AND_PART_BYTES_MAX);
    let too_long = WriteRefusal::PartTooLong { max: 507 };
    assert_eq!(refusal(&mut world, 0, "s", insert(&[&long])), too_long);
    assert_eq!(
        refusal(&mut world, 0, &long[..460], Change::Add(1)),
        WriteRefusal::PartTooLong { max: 507 }
    );
    changed(&mut world, 0, &long[..459], Change::Add(1));
    for name in ["s", "m", "v"] {
        all_show(&world, name, "never");
    }
}

#[test]
fn what_is_so_already_is_answered_and_not_written() {
    let mut world = World::new(5, 1, 0);
    changed(&mut world, 0, "c", Change::Add(0));
    all_show(&world, "c", "0");
    changed(&mut world, 0, "s", insert(&["a"]));
    let (_, batches) = world.replica(0).counts();
    changed(&mut world, 0, "s", remove(&["b"]));
    changed(&mut world, 0, "s", insert(&[]));
    changed(
        &mut world,
        0,
        "m",
        Change::Put(alloc::vec![(key("x"), None)]),
    );
    changed(&mut world, 0, "c", Change::Add(0));
    assert_eq!(world.replica(0).counts().1, batches);
    all_show(&world, "m", "never");
}

#[test]
fn a_counter_goes_as_far_as_it_can_and_says_so() {
    let mut world = meshed(2);
    changed(&mut world, 0, "c", Change::Add(i64::MAX));
    all_show_soon(&mut world, "c", &format!("{}", i64::MAX));
    changed(&mut world, 1, "c", Change::Add(1));
    all_show_soon(&mut world, "c", &format!("{}!", i64::MAX));
    changed(&mut world, 1, "c", Change::Add(-2));
    all_show_soon(&mut world, "c", &format!("{}", i64::MAX - 1));
    for _ in 0..3 {
        changed(&mut world, 1, "d", Change::Add(i64::MIN));
    }
    all_show_soon(&mut world, "d", &format!("{}!", i64::MIN));
}

fn all_show_soon(world: &mut World, name: &str, expected: &str) {
    world.run_for(SECOND);
    all_show(world, name, expected);
}

fn many_elements(world: &mut World, at: usize, count: usize) {
    let names: Vec<_> = (0..count)
        .map(|number| key(&format!("e{number:05}")))
        .collect();
    for part in names.chunks(ITEMS_MAX) {
        changed(world, at, "many", Change::Insert(part.to_vec()));
    }
}

#[test]
fn five_thousand_elements_are_read_in_pages_and_listed_as_one_key() {
    let mut world = meshed(2);
    for name in ["a", "many!", "many  x", "z"] {
        world.put(0, "n", name, "text");
    }
    many_elements(&mut world, 0, 5_000);
    world.run_for(30 * SECOND);
    let replica = world.replica(1);
    replica.check().unwrap();
    let entry = replica.entry("n", "many").unwrap();
    let Content::Set { elements, total } = entry.content else {
        panic!("no set");
    };
    assert_eq!((elements.len(), total), (READ_ITEMS_MAX, 5_000));
    assert!(entry.value.unwrap().ends_with("… and 4000 more".as_bytes()));
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = replica.parts("n", "many", after.as_deref(), 700).unwrap();
        assert!(page.parts.len() <= 700);
        all.extend(page.parts.into_iter().map(|(name, _)| name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 5_000);
    assert!(all.is_sorted());
    let names = |prefix: &str, after| {
        let listed = replica.list("n", prefix, after, 10).into_iter();
        listed
            .map(|(name, _)| name.as_str().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("", None), ["a", "many", "many  x", "many!", "z"]);
    assert_eq!(names("many", Some("many")), ["many  x", "many!"]);
    assert_eq!(names(&format!("many{SEPARATOR}s"), None), [""; 0]);
    assert_eq!(replica.namespaces(), [(ns("n"), 5)]);
    let max = PageMax {
        entries: 2,
        bytes: 100_000,
        value_bytes: 100,
    };
    let page = replica.page("n", "", None, max);
    let names: Vec<_> = page.entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        (names, page.next),
        (alloc::vec!["a", "many"], Some(key("many")))
    );
    let page = replica.page("n", "", Some("many"), max);
    let names: Vec<_> = page.entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["many  x", "many!"]);
}

#[test]
fn a_large_set_is_deleted_in_several_batches_and_one_that_is_too_large_not_at_once() {
    let mut world = meshed(2);
    many_elements(&mut world, 0, DELETED_PARTS_MAX + 1);
    let deletion = world.write(1, "n", "many", None, AckLevel::Relay);
    world.run_for(SECOND);
    let too_many = Err(WriteRefusal::TooMany { max: 1_024 });
    assert_eq!(world.hosts[1].replies[&deletion], too_many);
    changed(&mut world, 1, "many", remove(&["e00000"]));
    world.put(1, "n", "beside", "stays");
    let deletion = world.write(1, "n", "many", None, AckLevel::Relay);
    let after = change(&mut world, 1, "many", Change::Add(9));
    world.run_for(10 * SECOND);
    assert!(world.hosts[1].replies[&deletion].is_ok());
    assert!(world.hosts[1].replies[&after].is_ok());
    all_show(&world, "many", "9");
    all_show(&world, "beside", "stays");
}

fn every_kind(world: &mut World, at: usize, suffix: &str) {
    for what in [
        ("c", Change::Add(3)),
        ("s", insert(&["a", suffix])),
        ("s", remove(&["a"])),
        ("m", put(suffix, "1")),
        ("f", Change::Flag(true)),
        ("v", multi(suffix)),
    ] {
        changed(world, at, what.0, what.1);
    }
}

const KEYS: [&str; 5] = ["c", "s", "m", "f", "v"];

fn everything(world: &World, at: usize) -> Vec<String> {
    KEYS.iter().map(|name| shown(world, at, name)).collect()
}

#[test]
fn a_restart_keeps_all_and_counts_on() {
    let mut world = meshed(2);
    every_kind(&mut world, 0, "x");
    every_kind(&mut world, 1, "y");
    world.run_for(SECOND);
    let before = everything(&world, 0);
    assert_eq!(before, ["6", "{x y}", "x=1 y=1", "true", "y"]);
    for _ in 0..3 {
        world.crash(0);
        world.start(0);
        assert_eq!(everything(&world, 0), before);
    }
    changed(&mut world, 0, "c", Change::Add(1));
    heal(&mut world);
    all_show(&world, "c", "7");
    let page = world.replica(1).parts("n", "c", None, 1).unwrap();
    let next = page.next.clone();
    let rest = world
        .replica(1)
        .parts("n", "c", next.as_deref(), 1)
        .unwrap();
    assert_eq!(
        (page.parts.len(), rest.parts.len(), rest.next),
        (1, 1, None)
    );
    let Content::Counter { writers, .. } = world.replica(1).entry("n", "c").unwrap().content else {
        panic!("no counter");
    };
    assert_eq!(writers, 2, "authors, in however many runs");
}

#[test]
fn a_node_whose_store_went_back_overwrites_nothing_that_it_counted() {
    let mut world = meshed(3);
    changed(&mut world, 0, "c", Change::Add(1));
    world.run_for(SECOND);
    let image = world.hosts[0].journal.clone();
    let request = world.change(0, "n", "c", Change::Add(10), AckLevel::Relay);
    world.run_for(SECOND);
    assert!(world.hosts[0].replies[&request].is_ok());
    world.crash(0);
    world.hosts[0].journal = image;
    world.start(0);
    // It does not know of the ten, and forks its chain.
    changed(&mut world, 0, "c", Change::Add(100));
    assert_eq!(shown(&world, 0, "c"), "101");
    heal(&mut world);
    changed(&mut world, 0, "c", Change::Add(1_000));
    world.run_for(60 * SECOND);
    all_show(&world, "c", "1111");
    world.assert_relays_agree();
}

#[test]
fn leaving_overwritten_chains_behind_keeps_all() {
    let mut world = World::new(71, 3, 0);
    for at in 0..3 {
        world.hosts[at].config.overwritten_bytes_max = 4_096;
        world.start(at);
    }
    world.link_all();
    every_kind(&mut world, 0, "x");
    for number in 0..300 {
        changed(&mut world, 0, "c", Change::Add(1));
        changed(&mut world, 0, "s", insert(&["again"]));
        if number % 3 == 0 {
            changed(&mut world, 1, "s", remove(&["again"]));
            changed(&mut world, 1, "c", Change::Add(-1));
        }
        changed(&mut world, 0, "m", put("again", &format!("{number:.>500}")));
        changed(&mut world, 0, "f", Change::Flag(number % 2 == 0));
    }
    world.run_for(60 * SECOND);
    assert!(world.replica(0).stats().compactions > 0);
    let expected = everything(&world, 1);
    assert_eq!(expected[0], "203");
    assert_eq!(expected[1], "{again x}");
    assert_eq!(expected[3], "false");
    for at in 0..3 {
        assert_eq!(everything(&world, at), expected, "at {at}");
        world.crash(at);
        world.start(at);
        assert_eq!(everything(&world, at), expected, "at {at} after a restart");
    }
    // Who held nothing fetches what is left.
    world.crash(2);
    world.hosts[2].journal.clear();
    world.start(2);
    heal(&mut world);
    assert_eq!(everything(&world, 2), expected);
}

#[test]
fn a_change_of_many_parts_is_told_once_and_by_the_key_of_the_user() {
    let mut world = meshed(2);
    world.hosts[1].events.clear();
    changed(&mut world, 0, "s", insert(&["a", "b", "c"]));
    world.run_for(SECOND);
    let told = |event: &Event| {
        let Event::Changed { key, revision, .. } = event else {
            return None;
        };
        Some((key.as_str().to_string(), *revision))
    };
    let told: Vec<_> = world.hosts[1].events.iter().filter_map(told).collect();
    assert_eq!(told, [("s".to_string(), 1)]);
    assert_eq!(world.replica(1).changes_since(0).unwrap().len(), 1);
}

#[test]
fn a_tab_changes_typed_values_and_sees_those_of_others() {
    let mut world = World::new(29, 2, 1);
    world.tell(2, Command::Open(ns("n")));
    world.link_all();
    every_kind(&mut world, 0, "x");
    world.run_for(5 * SECOND);
    every_kind(&mut world, 2, "tab");
    world.run_for(5 * SECOND);
    for at in 0..3 {
        let expected = ["6", "{tab x}", "tab=1 x=1", "true", "tab"];
        assert_eq!(everything(&world, at), expected, "at {at}");
    }
    // One that has forgotten all adds to what it had added.
    world.crash(2);
    world.hosts[2].journal.clear();
    world.start(2);
    changed(&mut world, 2, "c", Change::Add(10));
    world.link_all();
    world.run_for(60 * SECOND);
    all_show(&world, "c", "16");
}

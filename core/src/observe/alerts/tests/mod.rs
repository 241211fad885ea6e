//! What alerts promise.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod down;
mod mesh;

use self::mesh::{Mesh, reading};
use super::{
    Alerts, Command, Config, Event, Look, Presence, Reading, Seen, Standing, Wish, WishRefusal,
    Written, dry_run,
    record::{Channel, Ending, Grade, Id, Place, RESERVED, Record, WATCH},
    rule::{Level, Metric, Rule, SHIPPED},
    settings::{Known, Value, default_of},
};
use crate::kernel::{
    component::Component as _,
    crypto::Keypair,
    id::{NodeId, Role},
    laws::{self, Bounds},
    machine::{Input, Machine as _},
    text::{Name, Text},
    time::Time,
};
use alloc::{string::ToString, vec, vec::Vec};
use proptest::prelude::*;

const WALL_MS: u64 = 1_790_000_000_000;

fn id(seed: u8) -> NodeId {
    Keypair::from_seed(&[seed; 32]).id()
}

const BUSY: (usize, Metric, Option<i64>) = (0, Metric::ResourceUsage, Some(97_000));
const FINE: (usize, Metric, Option<i64>) = (0, Metric::ResourceUsage, Some(20_000));
const UNKNOWN: (usize, Metric, Option<i64>) = (0, Metric::ResourceUsage, None);

#[test]
fn the_shipped_rules_are_those_that_were_promised() {
    let rule = |name: &str| {
        SHIPPED
            .iter()
            .find(|(shipped, _)| *shipped == name)
            .unwrap()
            .1
    };
    let thresholds = |name| (rule(name).warn_milli, rule(name).critical_milli);
    assert_eq!(thresholds("latency"), (Some(500_000), Some(1_000_000)));
    assert_eq!(thresholds("node-health"), (Some(500), Some(300)));
    assert_eq!(thresholds("resource-usage"), (Some(80_000), Some(95_000)));
    assert_eq!(thresholds("shard-variance"), (Some(5_000), Some(10_000)));
    assert_eq!(thresholds("error-rate"), (Some(50), Some(100)));
    for (name, rule) in SHIPPED {
        assert_eq!(rule.validate(), Ok(()), "{name}");
        assert_eq!(rule.to_string().parse(), Ok(rule), "{name}");
    }
}

#[test]
fn a_value_fires_after_its_duration_on_every_node_and_ends_when_it_has_come_back() {
    let mut mesh = Mesh::of(3);
    mesh.pass(10, &[BUSY]);
    assert_eq!(mesh.standings(2), []);
    mesh.pass(1, &[BUSY]);
    for at in 0..3 {
        assert_eq!(
            mesh.standings(at),
            [("resource-usage".into(), Standing::Firing)]
        );
    }
    let known = mesh.nodes[2].alerts()[0].alert.clone();
    assert_eq!(
        (known.level, known.grade),
        (Level::Critical, Grade::Critical)
    );
    // Below the threshold, but not by the hysteresis.
    mesh.pass(60, &[(0, Metric::ResourceUsage, Some(75_000))]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Firing);
    mesh.pass(12, &[FINE]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Resolved);
}

#[test]
fn what_is_not_known_is_neither_fine_nor_wrong() {
    let mut mesh = Mesh::of(2);
    mesh.pass(30, &[UNKNOWN]);
    assert_eq!(mesh.standings(0), []);
    mesh.pass(12, &[BUSY]);
    mesh.pass(600, &[UNKNOWN]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Firing);
}

#[test]
fn a_warning_becomes_critical_and_one_alert_says_both() {
    let mut mesh = Mesh::of(2);
    mesh.pass(12, &[(0, Metric::ResourceUsage, Some(85_000))]);
    let before = mesh.nodes[1].alerts()[0].alert.clone();
    assert_eq!((before.level, before.grade), (Level::Warn, Grade::Medium));
    mesh.pass(12, &[BUSY]);
    let known = mesh.nodes[1].alerts();
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known[0].alert.level, known[0].alert.since_ms),
        (Level::Critical, before.since_ms)
    );
}

#[test]
fn what_flaps_is_one_alert_until_it_was_fine_for_long() {
    let mut mesh = Mesh::of(2);
    for _ in 0..12 {
        mesh.pass(12, &[BUSY]);
        mesh.pass(12, &[FINE]);
    }
    let raised = mesh
        .notices
        .iter()
        .filter(|event| matches!(event, Event::Fires(_)))
        .count();
    // Two nodes are told of each: five times, and then it stays.
    assert_eq!(raised, 10);
    assert_eq!(mesh.standings(1)[0].1, Standing::Firing);
    mesh.pass(320, &[FINE]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Resolved);
}

#[test]
fn a_dead_relay_is_one_incident_with_its_cause_and_over_when_it_is_back() {
    let mut mesh = Mesh::of(6).with_channels();
    mesh.pass(70, &[]);
    mesh.presence[3] = Presence::Missed;
    mesh.pass(20, &[]);
    let incidents: Vec<_> = mesh.nodes[0].incidents().cloned().collect();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].causes[0].0, super::Cause::NodeDown(id(3)));
    assert_eq!(incidents[0].grade, Grade::Critical);
    mesh.presence[3] = Presence::Here;
    mesh.pass(30, &[]);
    assert!(
        mesh.nodes[0]
            .incidents()
            .all(|incident| incident.ended_ms.is_some())
    );
    let steps: Vec<u8> = mesh.told.iter().map(|(_, _, step)| *step).collect();
    assert_eq!(
        steps,
        [0, super::record::ToldKey::ENDED],
        "told once, and once that it is over"
    );
}

#[test]
fn a_cut_is_one_incident_a_side_and_told_once_a_side_and_not_again_after_healing() {
    let mut mesh = Mesh::of(10).with_channels();
    mesh.pass(70, &[]);
    mesh.records[1] = mesh.records[0].clone();
    for at in 5..10 {
        mesh.sides[at] = 1;
    }
    mesh.pass(60, &[]);
    for at in 0..10 {
        let incidents: Vec<_> = mesh.nodes[at].incidents().collect();
        assert_eq!(incidents.len(), 1, "{at}");
        assert_eq!(incidents[0].causes[0].0, super::Cause::Partition);
        assert_eq!(
            (incidents[0].nodes.len(), incidents[0].grade),
            (5, Grade::Critical)
        );
    }
    let side = |at: usize| at / 5;
    let told: Vec<usize> = mesh.told.iter().map(|(at, ..)| side(*at)).collect();
    assert_eq!(
        (told.iter().filter(|side| **side == 0).count(), told.len()),
        (1, 2)
    );
    mesh.heal();
    mesh.pass(60, &[]);
    let open = mesh.told.iter().filter(|(_, _, step)| *step == 0).count();
    assert_eq!(open, 2, "nothing is told twice");
    for at in 0..10 {
        assert!(
            mesh.nodes[at]
                .incidents()
                .all(|incident| incident.ended_ms.is_some())
        );
    }
}

#[test]
fn the_next_relay_notifies_when_the_first_does_not() {
    let mut mesh = Mesh::of(4).with_channels();
    mesh.delivers = false;
    mesh.pass(70, &[]);
    mesh.presence[3] = Presence::Missed;
    mesh.pass(5, &[]);
    assert_eq!(mesh.told.len(), 1);
    // It dies with the claim in hand.
    let first = mesh.told[0].0;
    mesh.presence[first] = Presence::Missed;
    mesh.delivers = true;
    mesh.pass(120, &[]);
    let again = mesh
        .told
        .iter()
        .filter(|(at, incident, step)| *at != first && *incident == mesh.told[0].1 && *step == 0);
    assert_eq!(again.count(), 1);
}

#[test]
fn who_acknowledges_is_seen_everywhere_and_escalation_stops() {
    let mut mesh = Mesh::of(3).with_channels();
    mesh.pass(70, &[]);
    let steps = Wish::Set {
        name: Text::clean("alerts.escalation"),
        value: Text::new("0s *, 60s *").ok(),
        note: None,
    };
    mesh.wish(1, steps).unwrap();
    mesh.pass(12, &[BUSY]);
    mesh.pass(10, &[BUSY]);
    assert_eq!(mesh.told.len(), 1);
    let acknowledge = Wish::Acknowledge {
        id: mesh.first(2),
        note: Text::new("on it").ok(),
    };
    mesh.wish(2, acknowledge).unwrap();
    for at in 0..3 {
        let alerts = mesh.nodes[at].alerts();
        assert_eq!(alerts[0].standing, Standing::Acknowledged);
        let (by, act) = alerts[0].act.unwrap();
        assert_eq!((by, act.note.as_deref()), (id(2), Some("on it")));
    }
    mesh.pass(120, &[BUSY]);
    assert_eq!(mesh.told.len(), 1, "the second step is not taken");
}

#[test]
fn nobody_looks_after_it_so_the_next_step_is_told() {
    let mut mesh = Mesh::of(3).with_channels();
    mesh.pass(70, &[]);
    let steps = Wish::Set {
        name: Text::clean("alerts.escalation"),
        value: Text::new("0s *, 60s *").ok(),
        note: None,
    };
    mesh.wish(1, steps).unwrap();
    mesh.pass(120, &[BUSY]);
    let steps: Vec<u8> = mesh.told.iter().map(|(_, _, step)| *step).collect();
    assert_eq!(steps, [0, 1]);
}

#[test]
fn what_both_sides_of_a_cut_did_is_kept() {
    let mut mesh = Mesh::of(4);
    mesh.pass(12, &[BUSY]);
    mesh.records[1] = mesh.records[0].clone();
    mesh.sides = vec![0, 0, 1, 1];
    let alert = mesh.first(0);
    mesh.pass(2, &[BUSY]);
    let acknowledge = |note| Wish::Acknowledge {
        id: alert,
        note: Text::new(note).ok(),
    };
    mesh.wish(1, acknowledge("here")).unwrap();
    mesh.pass(2, &[BUSY]);
    mesh.wish(3, acknowledge("there")).unwrap();
    mesh.heal();
    for at in 0..4 {
        assert_eq!(mesh.nodes[at].board.acts[&alert].len(), 2);
        let alerts = mesh.nodes[at].alerts();
        let known = alerts.iter().find(|known| known.id == alert).unwrap();
        assert_eq!(known.standing, Standing::Acknowledged);
    }
}

#[test]
fn an_acknowledgement_ends_with_its_alert() {
    let mut mesh = Mesh::of(2);
    mesh.pass(12, &[BUSY]);
    let alert = mesh.first(1);
    mesh.wish(
        1,
        Wish::Acknowledge {
            id: alert,
            note: None,
        },
    )
    .unwrap();
    mesh.pass(12, &[FINE]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Resolved);
    mesh.pass(12, &[BUSY]);
    assert_eq!(
        mesh.standings(1)[0].1,
        Standing::Firing,
        "it began anew, and nobody has seen it"
    );
}

#[test]
fn what_was_resolved_by_hand_does_not_fire_before_it_was_fine() {
    let mut mesh = Mesh::of(2);
    mesh.pass(12, &[BUSY]);
    mesh.wish(
        1,
        Wish::Resolve {
            id: mesh.first(1),
            note: None,
        },
    )
    .unwrap();
    assert_eq!(mesh.standings(1)[0].1, Standing::Resolved);
    mesh.pass(60, &[BUSY]);
    let alert = mesh.nodes[1].alerts()[0].alert.clone();
    assert!(alert.ending == Ending::ByHand && alert.ended_ms.is_some());
    mesh.pass(2, &[FINE]);
    mesh.pass(12, &[BUSY]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Firing);
}

#[test]
fn nobody_is_told_of_what_is_silenced() {
    let mut mesh = Mesh::of(3).with_channels();
    mesh.pass(2, &[]);
    let silence = Wish::Silence {
        fits: Text::clean("resource-usage"),
        for_ms: 60_000,
        note: None,
    };
    mesh.wish(1, silence).unwrap();
    mesh.pass(40, &[BUSY]);
    assert_eq!(mesh.told, []);
    assert!(
        mesh.nodes[2]
            .silenced_until(mesh.nodes[2].alerts()[0].alert)
            .is_some()
    );
    mesh.pass(40, &[BUSY]);
    assert_eq!(mesh.told.len(), 1, "once the silence is over");
}

#[test]
fn a_rule_is_in_force_at_once_and_reverting_brings_the_old_one_back() {
    let mut mesh = Mesh::of(3);
    mesh.pass(1, &[]);
    let name: Text<64> = Text::clean("rule.resource-usage");
    let before = mesh.nodes[0].value_of(&name).unwrap();
    let set = Wish::Set {
        name: name.clone(),
        value: Text::new("resource_usage above 10 20 for 2s").ok(),
        note: Text::new("try").ok(),
    };
    mesh.wish(2, set).unwrap();
    mesh.pass(4, &[(0, Metric::ResourceUsage, Some(30_000))]);
    assert_eq!(mesh.standings(1)[0].1, Standing::Firing);
    mesh.wish(
        1,
        Wish::Revert {
            name: name.clone(),
            version: None,
        },
    )
    .unwrap();
    for at in 0..3 {
        assert_eq!(mesh.nodes[at].value_of(&name).unwrap(), before);
        assert_eq!(
            mesh.nodes[at]
                .setting(&name)
                .unwrap()
                .setting
                .versions
                .len(),
            2
        );
    }
}

#[test]
fn what_can_not_be_changes_nothing() {
    let mut mesh = Mesh::of(2);
    mesh.pass(1, &[]);
    let name = "rule.latency";
    let before = mesh.nodes[0].in_force().clone();
    for value in [b"".as_slice(), b"\x01", &[0xff; 40], &[1; 20_000]] {
        let written = vec![Written {
            author: id(1),
            value: value.into(),
        }];
        let place = Place::Setting(name.into());
        mesh.tell(0, Command::Record { place, written });
    }
    assert_eq!(mesh.nodes[0].in_force(), &before);
    assert_eq!(mesh.nodes[0].stats.refused, 4);
    for (name, value, field) in [
        ("rule.latency", "latency above 500 400", "critical"),
        ("rule.latency", "latencies above 500 400", "metric"),
        ("rule.latency", "latency over 500 400", "side"),
        ("rule.latency", "latency above 1 2 for 2d", "for"),
        ("rule.latency", "latency above 1 2 samples 0", "samples"),
        ("alerts.lease", "1s", "alerts.lease"),
        ("alerts.escalation", "0s", "channel"),
        ("no.such", "1s", "no.such"),
    ] {
        let wish = Wish::Set {
            name: Text::clean(name),
            value: Text::new(value).ok(),
            note: None,
        };
        let Err(WishRefusal::Setting(refusal)) = mesh.nodes[0].plan(wish) else {
            panic!("{name} {value} is taken");
        };
        assert_eq!(refusal.field, field);
    }
}

#[test]
fn only_its_own_word_says_over_which_channels_a_node_notifies() {
    let mut mesh = Mesh::of(2).with_channels();
    mesh.pass(1, &[]);
    let place = Place::Channels(id(0));
    let value = mesh.records[0][&Place::Channels(id(1))][0].value.clone();
    let forged = vec![Written {
        author: id(1),
        value,
    }];
    mesh.tell(
        1,
        Command::Record {
            place,
            written: forged,
        },
    );
    assert_eq!(mesh.nodes[1].stats.refused, 1);
}

#[test]
fn old_records_are_forgotten_and_what_was_done_with_them() {
    let mut mesh = Mesh::of(2).with_channels();
    mesh.pass(1, &[]);
    let keep = Wish::Set {
        name: Text::clean("alerts.keep"),
        value: Text::new("1h").ok(),
        note: None,
    };
    mesh.wish(0, keep).unwrap();
    mesh.pass(12, &[BUSY]);
    mesh.wish(
        1,
        Wish::Acknowledge {
            id: mesh.first(1),
            note: None,
        },
    )
    .unwrap();
    mesh.pass(12, &[FINE]);
    mesh.pass(3_800, &[FINE]);
    assert_eq!(mesh.standings(0), []);
    assert!(mesh.nodes[1].board.acts.is_empty() && mesh.nodes[1].board.told.is_empty());
}

#[test]
fn a_dry_run_tells_what_a_rule_would_have_done() {
    let rule: Rule = "cpu above 80 95 for 10s".parse().unwrap();
    let value = |at: u64| {
        if (20..40).contains(&at) || at >= 60 {
            90_000
        } else {
            10_000
        }
    };
    let points = (0..80).map(|at| (WALL_MS + at * 1_000, value(at)));
    let fired = dry_run(&rule, points, 5, 600_000);
    let at = |second: u64| WALL_MS + second * 1_000;
    assert_eq!(
        fired,
        [
            (at(30), Some(at(50)), Level::Warn),
            (at(70), None, Level::Warn)
        ]
    );
}

#[test]
fn settings_read_as_they_are_written() {
    for known in Known::ALL {
        let default = known.default();
        assert_eq!(
            Value::parse(known.name(), &default.to_string()),
            Ok(default),
            "{known:?}"
        );
    }
    let steps = Value::parse("alerts.escalation", "0s *, 15m ops high").unwrap();
    assert_eq!(steps.to_string(), "0s *, 15m ops high");
    assert_eq!(default_of("rule.own"), Some(Value::Rule(None)));
    assert_eq!(default_of("rule.Bad Name"), None);
}

#[test]
fn a_place_is_found_by_its_key() {
    let key = super::record::ToldKey {
        incident: Id::of("x", &[]),
        step: 3,
        channel: Name::clean("ops/night"),
    };
    let id_of = Id::of("y", &[]);
    for place in [
        Place::Told(key),
        Place::Alert(id_of),
        Place::Act(id_of),
        Place::Silence(id_of),
        Place::Channels(id(4)),
    ] {
        assert!(place.namespace().starts_with(RESERVED));
        assert_eq!(Place::of(WATCH, &place.key()), Some(place));
    }
    for bad in [
        "",
        "alert",
        "alert/xyz",
        "alert/ABCDEF00",
        "told/00000000/1",
        "else/00000000",
    ] {
        assert_eq!(Place::of(WATCH, bad), None, "{bad}");
    }
}

#[test]
fn one_relay_judges_each_and_two_stand_in_for_it() {
    let mut mesh = Mesh::of(5);
    mesh.pass(1, &[]);
    for subject in 0..5 {
        let judges = mesh.nodes.iter().filter(|node| node.judges(&id(subject)));
        assert_eq!(judges.count(), 3);
        assert!(!mesh.nodes[usize::from(subject)].judges(&id(subject)));
    }
}

#[test]
fn of_a_node_that_can_not_write_its_judge_tells_what_is_wrong() {
    let mut mesh = Mesh::of(4);
    mesh.pass(1, &[]);
    let judges: Vec<usize> = (0..3).filter(|at| mesh.nodes[*at].judges(&id(3))).collect();
    for _ in 0..12 {
        mesh.now += 1_000;
        for at in judges.iter().copied() {
            let readings = vec![
                reading(3, Metric::StoreFailed, Some(1_000)),
                reading(3, Metric::ResourceUsage, Some(99_000)),
            ];
            let look = Look {
                wall_ms: WALL_MS + mesh.now,
                members: mesh.members(at),
                readings,
            };
            mesh.tell(at, Command::Look(look));
        }
    }
    let mut rules: Vec<_> = mesh.standings(0).into_iter().collect();
    rules.sort();
    assert_eq!(
        rules,
        [
            ("resource-usage".into(), Standing::Firing),
            ("store-failed".into(), Standing::Firing)
        ]
    );
}

#[test]
fn what_the_one_that_judges_can_not_write_the_next_one_does() {
    let mut mesh = Mesh::of(5);
    mesh.pass(70, &[]);
    mesh.presence[3] = Presence::Missed;
    mesh.pass(2, &[]);
    assert_eq!(
        mesh.standings(0),
        [("unreachable".into(), Standing::Firing)]
    );
    // What the first one writes is lost from now on.
    let alert = mesh.first(0);
    let author = mesh.nodes[0].board.alerts[&alert].0;
    mesh.mute = mesh.nodes.iter().position(|node| node.me == author);
    mesh.presence[3] = Presence::Here;
    mesh.pass(40, &[]);
    assert_eq!(mesh.standings(0)[0].1, Standing::Resolved);
    assert_ne!(mesh.nodes[0].board.alerts[&alert].0, author);
}

fn arbitrary_command() -> impl Strategy<Value = Command> {
    let node = 0_u8..4;
    let value = prop_oneof![Just(None), (0_i64..2_000_000).prop_map(Some)];
    let metric = (0..Metric::ALL.len()).prop_map(|at| Metric::ALL[at]);
    let reading = (metric, node.clone(), value).prop_map(|(metric, node, value_milli)| Reading {
        peer: metric.is_of_path().then(|| id(9)),
        ..reading(node.into(), metric, value_milli)
    });
    let presence = prop_oneof![
        Just(Presence::Here),
        Just(Presence::Missed),
        Just(Presence::Away)
    ];
    let seen = (node, presence).prop_map(|(node, presence)| Seen {
        node: id(node),
        role: Role::Relay,
        presence,
        writes: true,
    });
    let look = (
        0_u64..1 << 42,
        prop::collection::vec(seen, 0..4),
        prop::collection::vec(reading, 0..6),
    );
    let look = look.prop_map(|(wall_ms, members, readings)| {
        Command::Look(Look {
            wall_ms,
            members,
            readings,
        })
    });
    let written = prop::collection::vec(any::<u8>(), 0..40);
    let record = (0_u8..6, written).prop_map(|(kind, value)| {
        let one = Id::of("x", &[&[kind]]);
        let place = match kind {
            0 => Place::Alert(one),
            1 => Place::Act(one),
            2 => Place::Silence(one),
            3 => Place::Channels(id(2)),
            4 => Place::Setting("rule.latency".into()),
            _ => Place::Setting("alerts.keep".into()),
        };
        let value = value.into();
        Command::Record {
            place,
            written: vec![Written {
                author: id(2),
                value,
            }],
        }
    });
    let channels = Just(Command::Channels(vec![Channel {
        name: Name::clean("ops"),
        kind: Text::clean("log"),
        grade_min: Grade::Low,
    }]));
    prop_oneof![6 => look, 2 => record, 1 => channels]
}

proptest! {
    #[test]
    fn the_laws_of_machines_hold(
        script in prop::collection::vec((0_u64..20_000_000, arbitrary_command()), 0..60)
    ) {
        let build = || Alerts::new(Config::default(), id(0), Role::Relay, Time::ZERO);
        let script = script.into_iter();
        let script = script.map(|(after, command)| (after, Input::Command(command))).collect();
        laws::check(build, &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn arbitrary_bytes_are_no_record_that_breaks_a_check(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20)
    ) {
        let mut node = Alerts::new(Config::default(), id(0), Role::Relay, Time::ZERO);
        for (at, value) in values.into_iter().enumerate() {
            let one = Id::of("x", &[&[u8::try_from(at % 256).unwrap()]]);
            prop_assert!(Record::read(Place::Alert(one), &value).is_none());
            let written = vec![Written { author: id(1), value: value.into() }];
            for place in [Place::Act(one), Place::Setting("alerts.keep".into())] {
                let command = Command::Record { place, written: written.clone() };
                node.handle_input(Time::ZERO, Input::Command(command));
            }
            prop_assert_eq!(node.check(), Ok(()));
        }
    }
}

#[test]
fn an_hour_of_calm_writes_nothing() {
    let mut mesh = Mesh::of(2).with_channels();
    mesh.pass(3_600, &[FINE]);
    assert!(
        mesh.records[0]
            .keys()
            .all(|place| matches!(place, Place::Channels(_)))
    );
}

//! What becomes of alerts about a node that is dead.

use super::{Mesh, id};
use crate::{
    kernel::{crypto::decode_exactly, text::Text},
    observe::alerts::{
        Presence, Standing,
        record::{About, Alert, Ending, Grade, Record, to_bytes},
        rule::{Level, Metric},
    },
};

#[test]
fn what_was_wrong_of_a_relay_is_over_when_it_is_dead_and_fires_anew_when_it_is_back_with_it() {
    let ill = (3, Metric::ResourceUsage, Some(97_000));
    let mut mesh = Mesh::of(5);
    mesh.pass(70, &[ill]);
    assert_eq!(
        mesh.standings(0),
        [("resource-usage".into(), Standing::Firing)]
    );
    mesh.presence[3] = Presence::Missed;
    mesh.pass(20, &[]);
    let of = |mesh: &Mesh, at: usize, rule: &str| {
        let alerts = mesh.nodes[at].alerts();
        let found = alerts.iter().find(|known| *known.alert.about.rule == *rule);
        found.map(|known| (known.standing, known.alert.ending))
    };
    for at in [0, 1, 2, 4] {
        let usage = of(&mesh, at, "resource-usage");
        assert_eq!(usage, Some((Standing::Resolved, Ending::NodeDown)), "{at}");
        let dead = of(&mesh, at, "unreachable").map(|(standing, _)| standing);
        assert_eq!(dead, Some(Standing::Firing), "{at}");
    }
    mesh.presence[3] = Presence::Here;
    mesh.pass(30, &[ill]);
    for at in 0..5 {
        let usage = of(&mesh, at, "resource-usage").map(|(standing, _)| standing);
        let dead = of(&mesh, at, "unreachable").map(|(standing, _)| standing);
        assert_eq!(
            (usage, dead),
            (Some(Standing::Firing), Some(Standing::Resolved))
        );
    }
}

/// An alert as nodes write and read it that don't know why it ended but by hand or not.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Before {
    about: About,
    metric: Metric,
    of: Option<Metric>,
    level: Level,
    grade: Grade,
    value_milli: i64,
    threshold_milli: i64,
    since_ms: u64,
    ended_ms: Option<u64>,
    by_hand: bool,
    calm_since_ms: u64,
}

#[test]
fn nodes_of_before_read_that_it_ended_and_theirs_are_read() {
    let about = About {
        rule: Text::clean("resource-usage"),
        node: id(3),
        peer: None,
    };
    let fires = Alert {
        about: about.clone(),
        metric: Metric::ResourceUsage,
        of: Some(Metric::Memory),
        level: Level::Warn,
        grade: Grade::Medium,
        value_milli: 97_000,
        threshold_milli: 95_000,
        since_ms: 1_000,
        ended_ms: None,
        ending: Ending::ByItself,
        calm_since_ms: 0,
    };
    for (ending, by_hand) in [(Ending::ByItself, false), (Ending::ByHand, true)] {
        let before = Before {
            about: about.clone(),
            metric: Metric::ResourceUsage,
            of: Some(Metric::Memory),
            level: Level::Warn,
            grade: Grade::Medium,
            value_milli: 97_000,
            threshold_milli: 95_000,
            since_ms: 1_000,
            ended_ms: Some(2_000),
            by_hand,
            calm_since_ms: 0,
        };
        let record = Record::Alert(about.id(), fires.ended(2_000, ending));
        assert_eq!(record.bytes(), to_bytes(&before));
        assert_eq!(
            Record::read(record.place(), &to_bytes(&before)),
            Some(record)
        );
    }
    let down = fires.ended(2_000, Ending::NodeDown);
    assert_eq!(
        (down.metric, down.of),
        (Metric::Memory, None),
        "what decided"
    );
    let record = Record::Alert(about.id(), down);
    let (_, before): (u8, Before) = decode_exactly(&record.bytes()).unwrap();
    assert_eq!((before.ended_ms, before.by_hand), (Some(2_000), false));
    assert_eq!(Record::read(record.place(), &record.bytes()), Some(record));
}

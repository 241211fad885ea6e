//! A key of each type, and what data takes that nobody has.

use super::made_up::{entry, id, text};
use crate::protocol::{Answer, EntryView, Failure, Request};
use sporenet_core::{
    kernel::{bytes::Bytes, text::Key},
    membership::member::MemberState,
    node::{
        data::{AuthorView, DataView},
        snapshot::{Content, FieldView},
    },
    replication::{clock::Hlc, crdt::register::Version, replica::ShardFootprint, typed::Kind},
};

/// A key that holds this, with the text that stands for it.
fn typed(key: &str, shown: &str, author: u8, content: Content) -> EntryView {
    let mut view = entry(key, Some(shown.as_bytes()), author, 0);
    view.entry.content = content;
    view
}

fn at(author: u8) -> Hlc {
    let wall = entry("any", None, author, 0).entry.written_at;
    Hlc {
        millis: wall.as_millis(),
        counter: 0,
    }
}

fn field(name: &str, value: &str, author: u8, conflicts: u64) -> (Key, FieldView) {
    let view = FieldView {
        value: Bytes::from(value.as_bytes()),
        author: id(author),
        stamp: at(author),
        conflicts,
    };
    (text::<512>(name), view)
}

fn version(value: &str, author: u8) -> Version {
    Version {
        author: id(author),
        stamp: at(author),
        value: Some(Bytes::from(value.as_bytes())),
    }
}

/// One of each type; the register is among the others.
pub(super) fn entries() -> Vec<EntryView> {
    let plants = [
        "basil",
        "chard",
        "climbing beans on the south fence",
        "kale",
        "rosemary",
        "tomato",
    ];
    let fields = vec![
        field("every", "second morning", 1, 0),
        field("litres", "12", 2, 1),
        field("who", "Ada, Grace when Ada is away", 3, 0),
    ];
    let mut open = typed("gate/open", "on", 8, Content::Flag { on: true });
    open.entry.also = vec![Kind::Set];
    vec![
        typed(
            "harvest/kg",
            "128",
            2,
            Content::Counter {
                value: 128,
                saturated: false,
                writers: 3,
            },
        ),
        open,
        typed(
            "plants",
            &plants.join("\n"),
            1,
            Content::Set {
                elements: plants.into_iter().map(text::<512>).collect(),
                total: 211,
            },
        ),
        typed(
            "rota",
            "every=second morning",
            3,
            Content::Map { fields, total: 3 },
        ),
        typed(
            "theme",
            "violet",
            8,
            Content::Multi {
                values: vec![version("violet", 8), version("green, as last year", 3)],
            },
        ),
    ]
}

/// What is said of changes and of room.
pub(super) fn answer(request: &Request) -> Option<Result<Answer, Failure>> {
    match request {
        Request::Change { .. } => Some(Ok(Answer::Written)),
        Request::Data => Some(Ok(Answer::Data(Box::new(takes())))),
        Request::Compact => Some(Ok(Answer::Compacting)),
        Request::Parts { .. } => Some(Ok(Answer::Parts(None))),
        Request::Write { .. }
        | Request::Get { .. }
        | Request::Watch { .. }
        | Request::Close { .. }
        | Request::Members
        | Request::Status
        | Request::Leave
        | Request::Recording(_)
        | Request::Wish(_)
        | Request::Alerts
        | Request::Incidents
        | Request::Settings
        | Request::History { .. }
        | Request::DryRun { .. }
        | Request::Series { .. }
        | Request::Outlook { .. }
        | Request::SeriesList => None,
    }
}

fn takes() -> DataView {
    let author = |number: u8, name: &str, state, since_ms, batches, held_bytes| AuthorView {
        id: id(number).to_string(),
        name: name.into(),
        state,
        since_ms,
        batches,
        held_bytes,
    };
    let alive = Some(MemberState::Alive);
    let shards = (0..44_u16).map(|number| {
        let held_bytes = 9_000 + u64::from(number).pow(3) % 97 * 1_400;
        ShardFootprint {
            shard: number * 5,
            batches: 7,
            held_bytes,
            own_overwritten_bytes: if number % 3 == 0 { held_bytes / 4 } else { 0 },
        }
    });
    DataView {
        keys: 1_284,
        memory_bytes: 6_310_000,
        memory_bytes_max: 256 << 20,
        batches: 312,
        held_bytes: 3_480_000,
        journal_bytes: 5_120_000,
        disk_bytes: None,
        to_compact: 0,
        is_trimming: false,
        compactions: 9,
        trims: 2,
        shards: shards.collect(),
        ledger: vec![
            author(1, "cellar", alive, Some(402_000), 141, 1_730_000),
            author(3, "hetzner-fsn1", alive, Some(399_000), 88, 1_102_000),
            author(
                4,
                "attic",
                Some(MemberState::Dead),
                Some(8_200),
                61,
                540_000,
            ),
            author(9, "0c9d3a51", None, None, 22, 108_000),
        ],
    }
}

//! Members, links, charts and keys that nobody has, for every scene of the gallery.

use super::crowd;
use crate::protocol::EntryView;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::{NodeId, Role},
        text::{Key, Zone},
        time::{Time, WallTime},
    },
    membership::member::MemberState,
    node::snapshot::{
        Conflict, Connection, Content, Edge, Entry, HealthTerm, Member, NodeHealth, NodeVitals,
        PathView, PlaceView, Severity, TimelineEntry,
    },
};

pub(super) fn id(number: u8) -> NodeId {
    let mut bytes = [number.wrapping_mul(37); 32];
    if let Some(first) = bytes.first_mut() {
        *first = number.wrapping_mul(73).wrapping_add(0x1f);
    }
    NodeId::from_bytes(bytes)
}

pub(super) fn text<const MAX: usize>(text: &str) -> sporenet_core::kernel::text::Text<MAX> {
    match sporenet_core::kernel::text::Text::new(text) {
        Ok(text) => text,
        Err(_) => unreachable!("the gallery's names are valid"),
    }
}

/// One member: its number, name, role, state, zone, round trip, reason and age in its state.
pub(super) struct Cast(
    pub(super) u8,
    &'static str,
    Role,
    pub(super) MemberState,
    Option<&'static str>,
    Option<f64>,
    Option<&'static str>,
    u64,
);

impl Cast {
    pub(super) const fn name(&self) -> &'static str {
        self.1
    }
}

#[expect(clippy::too_many_lines, reason = "a list of made-up members")]
pub(super) fn cast(scene: &str) -> Vec<Cast> {
    use MemberState::{Alive, Dead, Left, Parked, Suspect};
    use Role::{Relay, Tab};
    match scene {
        "empty" => vec![
            Cast(7, "Chrome on Linux #1", Tab, Alive, None, None, None, 4_000),
            Cast(1, "cellar", Relay, Alive, None, Some(0.8), None, 4_000),
        ],
        "alone" => vec![
            Cast(
                1,
                "cellar",
                Relay,
                Suspect,
                Some("home"),
                None,
                Some("no answer to 3 probes, 2 observers asked"),
                3_400,
            ),
            Cast(
                2,
                "attic",
                Relay,
                Dead,
                Some("home"),
                None,
                Some("did not refute for 4.2 s"),
                64_000,
            ),
            Cast(
                3,
                "hetzner-fsn1",
                Relay,
                Dead,
                Some("fsn1"),
                None,
                Some("did not refute for 4.2 s"),
                65_000,
            ),
            Cast(
                7,
                "Chrome on Linux #1",
                Tab,
                Alive,
                None,
                None,
                None,
                400_000,
            ),
        ],
        "outage" => vec![
            Cast(
                2,
                "attic",
                Relay,
                Dead,
                Some("home"),
                None,
                Some("links reset and redial refused: the process is gone"),
                8_200,
            ),
            Cast(
                4,
                "<img src=x onerror=alert(1)>",
                Relay,
                Suspect,
                Some("garden"),
                Some(38.2),
                Some("no answer to probes of cellar and hetzner-fsn1"),
                1_400,
            ),
            Cast(
                6,
                "Firefox on Android #1",
                Tab,
                Parked,
                None,
                None,
                Some("the page is hidden"),
                512_000,
            ),
            Cast(
                1,
                "cellar",
                Relay,
                Alive,
                Some("home"),
                Some(0.8),
                None,
                86_400_000,
            ),
            Cast(
                3,
                "hetzner-fsn1",
                Relay,
                Alive,
                Some("fsn1"),
                Some(21.4),
                None,
                3_600_000,
            ),
            Cast(
                7,
                "Chrome on Linux #1",
                Tab,
                Alive,
                None,
                None,
                None,
                402_000,
            ),
            Cast(8, "Safari on Mac #1", Tab, Alive, None, None, None, 80_000),
            Cast(
                9,
                "old-laptop",
                Relay,
                Left,
                None,
                None,
                Some("said goodbye"),
                190_000_000,
            ),
        ],
        _ => vec![
            Cast(
                6,
                "Firefox on Android #1",
                Tab,
                Parked,
                None,
                None,
                Some("the page is hidden"),
                512_000,
            ),
            Cast(
                1,
                "cellar",
                Relay,
                Alive,
                Some("home"),
                Some(0.8),
                None,
                86_400_000,
            ),
            Cast(
                2,
                "attic",
                Relay,
                Alive,
                Some("home"),
                Some(1.3),
                None,
                9_400_000,
            ),
            Cast(
                3,
                "hetzner-fsn1",
                Relay,
                Alive,
                Some("fsn1"),
                None,
                None,
                3_600_000,
            ),
            Cast(
                4,
                "greenhouse",
                Relay,
                Alive,
                Some("garden"),
                None,
                None,
                7_300_000,
            ),
            Cast(
                7,
                "Chrome on Linux #1",
                Tab,
                Alive,
                None,
                None,
                None,
                402_000,
            ),
            Cast(8, "Safari on Mac #1", Tab, Alive, None, None, None, 80_000),
        ],
    }
}

fn member(now: u64, Cast(number, name, role, state, zone, rtt, reason, since): &Cast) -> Member {
    let address = format!("tcp://10.0.0.{number}:7600");
    Member {
        id: id(*number).to_string(),
        name: text::<64>(name),
        role: *role,
        state: *state,
        incarnation: u64::from(*number) + 2,
        zone: zone.map(text::<64>) as Option<Zone>,
        addresses: address
            .parse()
            .into_iter()
            .filter(|_| *role == Role::Relay)
            .collect(),
        rtt_ms: *rtt,
        last_heard_ms: rtt.map(|_| (now + u64::from(*number) * 311) % 1_000),
        reason: reason.map(Into::into),
        since_ms: since + now,
        homes: Vec::new(),
        place: place(*number),
        this_node: *number == 7,
        linked: rtt.is_some(),
    }
}

/// The cast, and in the scene `crowd` as many again as make a thousand.
pub(super) fn members(scene: &str, now: u64, cast: &[Cast]) -> Vec<Member> {
    let mut members: Vec<_> = cast.iter().map(|one| member(now, one)).collect();
    if scene == "crowd" {
        crowd::fill(&mut members, |number| {
            Some(member(now, cast.get(number % cast.len())?))
        });
    }
    members
}

/// Where those of the cast are who told it: as they declared, or guessed.
fn place(number: u8) -> Option<PlaceView> {
    let (latitude, longitude, estimated) = match number {
        1 => (48.1, 11.6, false),
        2 => (53.6, 10.0, false),
        3 => (60.2, 24.9, false),
        4 => (38.7, -9.1, false),
        7 => (52.5, 13.4, true),
        8 => (40.7, -74.0, true),
        _ => return None,
    };
    Some(PlaceView {
        latitude,
        longitude,
        estimated,
    })
}

pub(super) fn health(Cast(number, name, _, state, ..): &Cast) -> NodeHealth {
    let term = |term: &str, weight: f64, value: Option<f64>, observers: u32| HealthTerm {
        name: term.into(),
        weight,
        value,
        confidence: value.map_or(0.0, |_| 0.8),
        age_ms: value.map(|_| 4_200),
        observers,
    };
    let network = match state {
        MemberState::Alive => Some(0.97),
        MemberState::Suspect => Some(0.42),
        MemberState::Dead => Some(0.0),
        MemberState::Parked | MemberState::Left => None,
    };
    NodeHealth {
        node: id(*number).to_string(),
        name: (*name).into(),
        score: network.map(|network| network * 0.6 + 0.35),
        healthy: network.map(|network| network > 0.5),
        terms: vec![
            term("network", 0.4, network, 3),
            term("uptime", 0.2, Some(0.99), 3),
            term("resources", 0.2, network.map(|_| 0.83), 0),
            term("trust", 0.2, None, 0),
        ],
    }
}

/// A path each way between those that answer, one of them lossy, one slow, one asymmetric.
pub(super) fn paths(cast: &[Cast]) -> Vec<PathView> {
    let answering = |one: &&Cast| {
        let is_linked = one.2 == Role::Relay || one.0 == 7;
        is_linked && matches!(one.3, MemberState::Alive | MemberState::Suspect)
    };
    let nodes: Vec<_> = cast.iter().filter(answering).collect();
    let mut paths = Vec::new();
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.0 != from.0) {
            if [from.0, to.0].contains(&7) && ![from.0, to.0].iter().any(|one| [1, 2].contains(one))
            {
                continue;
            }
            let rtt_ms = match (from.0, to.0) {
                (2, 4) => 31.0,
                (4, 2) => 118.0,
                (3, 4) | (4, 3) => 214.0,
                (from, to) => 6.0 + 0.7 * f64::from(from) * f64::from(to),
            };
            paths.push(PathView {
                from: id(from.0).to_string(),
                to: id(to.0).to_string(),
                from_name: text::<64>(from.1),
                to_name: text::<64>(to.1),
                rtt_ms,
                min_ms: rtt_ms * 0.9,
                jitter_ms: rtt_ms * 0.1,
                loss: if (from.0, to.0) == (1, 3) { 0.06 } else { 0.0 },
                phi: (from.0 == 1).then_some(0.2),
                age_ms: 900,
            });
        }
    }
    paths
}

pub(super) fn vitals(Cast(number, name, role, ..): &Cast) -> NodeVitals {
    let own = id(*number).to_string();
    let number = u64::from(*number);
    let relay = (*role == Role::Relay).then_some(number);
    NodeVitals {
        id: own,
        name: text::<64>(name),
        role: *role,
        age_ms: Some(number * 700),
        cpu_permille: relay.map(|number| 31 + number * 57),
        memory_used_kib: relay.map(|number| 400_000 + number * 90_000),
        memory_limit_kib: relay.map(|_| 4 << 20),
        disk_used_kib: relay.map(|number| (7 + number) << 20),
        disk_total_kib: relay.map(|_| 64 << 20),
        network_rx: relay.map(|number| number * 9_100),
        network_tx: relay.map(|number| number * 12_400),
        descriptors_used: relay.map(|number| 30 + number),
        descriptors_limit: relay.map(|_| 4_096),
        loop_lag_ms: Some(number % 4),
        journal_latency_ms: relay.map(|number| 1 + number % 3),
        send_queue: relay.map(|_| 0),
        visible: (*role == Role::Tab).then_some(true),
        storage_used_kib: None,
        storage_quota_kib: None,
        heap_used_kib: None,
        heap_limit_kib: None,
        transports: Vec::new(),
    }
}

pub(super) fn edges(cast: &[Cast]) -> Vec<Edge> {
    let all = [
        (1, 2, false),
        (1, 3, false),
        (2, 3, false),
        (2, 4, false),
        (3, 4, false),
        (1, 4, false),
        (7, 1, true),
        (7, 2, true),
        (8, 3, false),
        (8, 4, false),
        (6, 2, false),
    ];
    let linked = |number: u8| {
        let one = cast.iter().find(|one| one.0 == number);
        one.is_some_and(|one| matches!(one.3, MemberState::Alive | MemberState::Suspect))
    };
    let there = all.iter().filter(|(a, b, _)| linked(*a) && linked(*b));
    there
        .map(|(a, b, own)| Edge {
            a: id(*a).to_string(),
            b: id(*b).to_string(),
            own: *own,
        })
        .collect()
}

pub(super) fn connections(scene: &str, now: u64) -> Vec<Connection> {
    let connection = |host: &str, peer: u8, doing: &str, retry: Option<u64>, failures| Connection {
        address: match format!("ws://{host}:7600").parse() {
            Ok(address) => address,
            Err(_) => unreachable!("the gallery's addresses are valid"),
        },
        peer: Some(id(peer).to_string()),
        doing: doing.into(),
        retry_in_ms: retry,
        failures,
    };
    let wait = 4_000 - now % 4_000;
    match scene {
        "alone" => vec![
            connection(
                "127.0.0.1",
                1,
                "waiting 4 s after: nothing listens at the address",
                Some(wait),
                5,
            ),
            connection("10.0.0.2", 2, "dialling", None, 4),
            connection(
                "fsn1.example.org",
                3,
                "waiting 12 s after: the address can't be reached or resolved",
                Some(wait + 8_000),
                6,
            ),
        ],
        "outage" => vec![
            connection("127.0.0.1", 1, "linked", None, 0),
            connection(
                "10.0.0.2",
                2,
                "waiting 4 s after: nothing listens at the address",
                Some(wait),
                3,
            ),
        ],
        _ => vec![
            connection("127.0.0.1", 1, "linked", None, 0),
            connection("10.0.0.2", 2, "linked", None, 0),
        ],
    }
}

pub(super) fn timeline(scene: &str, wall_ms: u64) -> Vec<TimelineEntry> {
    let mut entries = vec![
        (
            402_000,
            Severity::Info,
            "started",
            "this tab started with incarnation 9; 312 batches replayed from its journal",
        ),
        (
            401_200,
            Severity::Info,
            "link_up",
            "linked to cellar (ws://127.0.0.1:7600)",
        ),
        (
            400_100,
            Severity::Info,
            "synced",
            "caught up with cellar: 14 batches, 9.2 KiB",
        ),
        (
            399_800,
            Severity::Info,
            "link_up",
            "linked to attic (ws://10.0.0.2:7600)",
        ),
        (
            310_000,
            Severity::Info,
            "member_parked",
            "Firefox on Android #1 is parked: its page is hidden",
        ),
        (
            80_000,
            Severity::Info,
            "member_joined",
            "Safari on Mac #1 joined with an invite of greenhouse",
        ),
    ];
    if scene != "healthy" && scene != "empty" {
        entries.extend([
            (41_000, Severity::Warn, "link_refused", "refused a link from 203.0.113.9: the isolation key or the invite is not valid here"),
            (9_800, Severity::Warn, "member_suspect", "attic is suspected: its links broke; probed by cellar and hetzner-fsn1"),
            (8_200, Severity::Error, "member_dead", "attic is dead: links reset and redial refused, the process is gone"),
        ]);
    }
    let entry = |(number, (ago, severity, code, text)): (usize, (u64, Severity, &str, &str))| {
        TimelineEntry {
            id: u64::try_from(number).unwrap_or(0) + 1,
            at: Time::ZERO,
            wall: WallTime::from_millis(wall_ms.saturating_sub(ago)),
            severity,
            code: code.into(),
            subject: None,
            text: text.into(),
        }
    };
    entries.into_iter().enumerate().map(entry).collect()
}

pub(super) fn entry(key: &str, value: Option<&[u8]>, author: u8, conflicts: u8) -> EntryView {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "made up"
    )]
    let wall = js_sys::Date::now() as u64;
    let conflict = |number: u8| Conflict {
        value: Some(Bytes::from(format!("{}.4 °C", 17 + number).as_bytes())),
        author: id(3),
        written_at: WallTime::from_millis(wall - 1_000 * u64::from(number)),
    };
    EntryView {
        entry: Entry {
            key: text::<512>(key) as Key,
            value: value.map(Bytes::from),
            author: id(author),
            written_at: WallTime::from_millis(wall - 30_000 * u64::from(author)),
            conflicts: (0..conflicts).map(conflict).collect(),
            content: Content::Register,
            also: Vec::new(),
        },
        value_bytes: u64::try_from(value.map_or(0, <[u8]>::len)).unwrap_or(0),
    }
}

pub(super) fn entries() -> Vec<EntryView> {
    vec![
        entry("bed-1/moisture", Some(b"0.41"), 1, 0),
        entry("bed-1/temperature", Some("21.4 °C".as_bytes()), 2, 1),
        entry("bed-2/moisture", Some(b"0.38"), 1, 0),
        entry("lamp", Some(b"{\"on\": true, \"hue\": \"violet\"}"), 7, 0),
        entry(
            "photo/thumb",
            Some(&[0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0, 1]),
            8,
            0,
        ),
        entry(
            "watering",
            Some("every second morning, more when it is hot\nask Ada before changing".as_bytes()),
            3,
            0,
        ),
    ]
}

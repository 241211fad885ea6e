//! A thousand members in twenty cities with five thousand links, for the scene `crowd`.

use crate::protocol::{MEMBERS_SHOWN_MAX, PATHS_SHOWN_MAX};
use sporenet_core::{
    kernel::id::Role,
    membership::member::MemberState,
    node::snapshot::{Edge, Member, NodeHealth, NodeVitals, PathView, PlaceView},
};

use super::made_up::text;

/// Zones with their places.
const CITIES: [(&str, f64, f64); 20] = [
    ("ams", 52.4, 4.9),
    ("fra", 50.1, 8.7),
    ("lon", 51.5, -0.1),
    ("mad", 40.4, -3.7),
    ("sto", 59.3, 18.1),
    ("waw", 52.2, 21.0),
    ("nyc", 40.7, -74.0),
    ("chi", 41.9, -87.6),
    ("sfo", 37.8, -122.4),
    ("mia", 25.8, -80.2),
    ("mex", 19.4, -99.1),
    ("gru", -23.5, -46.6),
    ("scl", -33.4, -70.7),
    ("jnb", -26.2, 28.0),
    ("nbo", -1.3, 36.8),
    ("bom", 19.1, 72.9),
    ("sin", 1.4, 103.8),
    ("tyo", 35.7, 139.7),
    ("syd", -33.9, 151.2),
    ("akl", -36.8, 174.8),
];
/// Every so many is a relay.
const RELAYS: usize = 5;

/// Adds members to a cast until there are a thousand. `pattern` gives one with all that does not differ.
pub(super) fn fill(members: &mut Vec<Member>, pattern: impl Fn(usize) -> Option<Member>) {
    for number in members.len()..MEMBERS_SHOWN_MAX {
        let Some(mut one) = pattern(number) else {
            return;
        };
        let (zone, latitude, longitude) = city(number);
        let is_relay = number.is_multiple_of(RELAYS);
        one.id = id(number);
        one.role = if is_relay { Role::Relay } else { Role::Tab };
        let role = if is_relay { "relay" } else { "tab" };
        one.name = text::<64>(&format!("{zone}-{role}-{number}"));
        one.state = state(number, is_relay);
        one.reason = (one.state == MemberState::Dead).then(|| "did not refute for 4.2 s".into());
        one.zone = Some(text(zone));
        one.place = (number % 50 != 3).then_some(PlaceView {
            latitude,
            longitude,
            estimated: !is_relay,
        });
        one.this_node = false;
        one.linked = false;
        members.push(one);
    }
    // Worst first, as the core has them.
    members.sort_by_key(|one| match one.state {
        MemberState::Dead => 0,
        MemberState::Suspect => 1,
        MemberState::Parked => 2,
        MemberState::Alive => 3,
        MemberState::Left => 4,
    });
}

const fn state(number: usize, is_relay: bool) -> MemberState {
    match (number, is_relay) {
        (number, _) if number % 97 == 0 => MemberState::Dead,
        (number, _) if number % 89 == 0 => MemberState::Suspect,
        (number, false) if number % 11 == 0 => MemberState::Parked,
        _ => MemberState::Alive,
    }
}

fn city(number: usize) -> (&'static str, f64, f64) {
    // Two of three are where most people of the mesh are.
    let at = if number.is_multiple_of(3) {
        number
    } else {
        number % 7
    };
    let found = CITIES.get(at % CITIES.len()).copied();
    found.unwrap_or(("", 0.0, 0.0))
}

fn id(number: usize) -> String {
    let seed = u64::try_from(number).unwrap_or_default().wrapping_add(1);
    format!("{:016x}", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
}

/// Between relays one link to every third, around the ring; each tab has three or four relays.
pub(super) fn edges() -> Vec<Edge> {
    let edge = |a: usize, b: usize| Edge {
        a: id(a),
        b: id(b),
        own: false,
    };
    let (first, last) = (10, MEMBERS_SHOWN_MAX);
    let relays: Vec<usize> = (first..last).step_by(RELAYS).collect();
    let relay = |at: usize| relays.get(at % relays.len()).copied().unwrap_or(first);
    let mut edges = Vec::new();
    for at in 0..relays.len() {
        edges.extend((1..=10).map(|step| edge(relay(at), relay(at + step * step))));
    }
    for tab in (first..last).filter(|number| !number.is_multiple_of(RELAYS)) {
        let homes = 3 + usize::from(tab % 4 != 0);
        edges.extend((0..homes).map(|home| edge(tab, relay(tab * 7 + home * 31))));
    }
    edges
}

/// What both ends of the links measured, a few of which are slow, lossy or asymmetric.
pub(super) fn paths(members: &[Member], edges: &[Edge]) -> Vec<PathView> {
    let known: std::collections::BTreeMap<&str, &Member> = members
        .iter()
        .map(|member| (member.id.as_str(), member))
        .collect();
    let mut paths = Vec::new();
    for (number, edge) in edges.iter().enumerate() {
        let ends = known.get(edge.a.as_str()).zip(known.get(edge.b.as_str()));
        let Some((a, b)) = ends else { continue };
        let rtt_ms = far_ms(a.place, b.place);
        let (there, back) = match number {
            number if number % 61 == 0 => (rtt_ms * 5.0 + 60.0, rtt_ms * 5.0 + 55.0),
            number if number % 83 == 0 => (rtt_ms, rtt_ms * 2.2 + 30.0),
            _ => (rtt_ms, rtt_ms * 1.02),
        };
        let loss = if number % 47 == 0 { 0.07 } else { 0.0 };
        paths.push(path(a, b, there, loss));
        paths.push(path(b, a, back, loss));
    }
    paths.truncate(PATHS_SHOWN_MAX);
    paths
}

fn path(from: &Member, to: &Member, rtt_ms: f64, loss: f64) -> PathView {
    PathView {
        from: from.id.clone(),
        to: to.id.clone(),
        from_name: from.name.clone(),
        to_name: to.name.clone(),
        rtt_ms,
        min_ms: rtt_ms * 0.9,
        jitter_ms: rtt_ms * 0.1,
        loss,
        phi: None,
        age_ms: 900,
    }
}

/// About what a round trip takes between two places, over flat ground.
fn far_ms(a: Option<PlaceView>, b: Option<PlaceView>) -> f64 {
    let Some((a, b)) = a.zip(b) else { return 40.0 };
    let north = a.latitude - b.latitude;
    let east = (a.longitude - b.longitude) * ((a.latitude + b.latitude) / 2.0).to_radians().cos();
    north.hypot(east) * 111.0 / 70.0 + 2.0
}

/// A pattern's vitals and health for each member.
pub(super) fn vitals(members: &[Member], pattern: &[NodeVitals]) -> Vec<NodeVitals> {
    let patterns = pattern.iter().cycle();
    let both = members.iter().zip(patterns);
    both.map(|(member, pattern)| NodeVitals {
        id: member.id.clone(),
        name: member.name.clone(),
        role: member.role,
        ..pattern.clone()
    })
    .collect()
}

/// The same for health.
pub(super) fn health(members: &[Member], pattern: &[NodeHealth]) -> Vec<NodeHealth> {
    let patterns = pattern.iter().cycle();
    let both = members.iter().zip(patterns);
    both.map(|(member, pattern)| NodeHealth {
        node: member.id.clone(),
        name: member.name.to_string(),
        ..pattern.clone()
    })
    .collect()
}

//! How good each link of the mesh is, judged by what both of its ends measured.
//!
//! | verdict | when |
//! |---|---|
//! | lossy | either end lost more than 2 of 100 pings |
//! | slow | a round trip takes three times as long as light in a fibre between the two places, and 30 ms more; or three times the shortest since the link is up, and 20 ms more |
//! | good | something was measured, and it is neither |
//! | asymmetric | one end measured twice as much as the other and 20 ms more, or lost 5 of 100 more; or one end tells of it and the other, which tells of other paths, does not |
//!
//! A place that is only guessed may be 1,000 km off. Only for display: it decides nothing.

use crate::draw::map::model::Quality;
use sporenet_core::node::snapshot::{Edge, Member, PathView, PlaceView};
use std::collections::{BTreeMap, BTreeSet};

/// A share of lost pings above this makes a link lossy.
pub const LOSS_MAX: f64 = 0.02;
/// Light in a fibre covers so many kilometres of a round trip in a millisecond: 200 each way.
const FIBRE_KM_PER_MS: f64 = 100.0;
/// How far off a guessed place may be.
const GUESSED_KM: f64 = 1_000.0;
/// The middle radius of the earth.
const EARTH_KM: f64 = 6_371.0;

/// What one end measured of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The smoothed round-trip time in milliseconds.
    pub rtt_ms: f64,
    /// The shortest since the link came up.
    pub min_ms: f64,
    /// How much it varies, in milliseconds.
    pub jitter_ms: f64,
    /// The share of lost pings, from 0 to 1.
    pub loss: f64,
    /// How old that is.
    pub age_ms: u64,
}

/// A link between two members, by their numbers in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The end with the lower number.
    pub a: usize,
    /// The other end.
    pub b: usize,
    /// Whether this node holds it itself.
    pub own: bool,
    /// What `a` measured, if it told.
    pub forth: Option<Reading>,
    /// What `b` measured, if it told.
    pub back: Option<Reading>,
    /// How good it is.
    pub quality: Quality,
    /// Whether its two ends see it differently.
    pub asymmetric: bool,
}

/// The links among members, the worst first. A link is what an edge tells of or what either end measured;
/// one with an end that is no member is left out.
#[must_use]
pub fn judged(members: &[Member], edges: &[Edge], paths: &[PathView]) -> Vec<Link> {
    let numbers: BTreeMap<&str, usize> =
        members.iter().map(|one| one.id.as_str()).zip(0..).collect();
    let pair = |a: &str, b: &str| {
        let (a, b) = (*numbers.get(a)?, *numbers.get(b)?);
        (a != b).then_some((a, b))
    };
    let mut links: BTreeMap<(usize, usize), Link> = BTreeMap::new();
    let mut telling = BTreeSet::new();
    for (a, b, own) in edges.iter().filter_map(|edge| {
        let (a, b) = pair(&edge.a, &edge.b)?;
        Some((a, b, edge.own))
    }) {
        let link = links.entry(ends(a, b)).or_insert_with(|| unmeasured(a, b));
        link.own |= own;
    }
    for path in paths {
        let Some((from, to)) = pair(&path.from, &path.to) else {
            continue;
        };
        telling.insert(from);
        let link = links
            .entry(ends(from, to))
            .or_insert_with(|| unmeasured(from, to));
        let reading = Some(Reading {
            rtt_ms: path.rtt_ms,
            min_ms: path.min_ms,
            jitter_ms: path.jitter_ms,
            loss: path.loss,
            age_ms: path.age_ms,
        });
        if from == link.a {
            link.forth = reading;
        } else {
            link.back = reading;
        }
    }
    let mut links: Vec<Link> = links.into_values().collect();
    for link in &mut links {
        let place = |number: usize| members.get(number).and_then(|member| member.place);
        let least_ms = place(link.a)
            .zip(place(link.b))
            .map(|(a, b)| suggested_ms(a, b));
        link.quality = quality(link, least_ms);
        link.asymmetric = is_asymmetric(link, &telling);
    }
    links.sort_by(|a, b| {
        let rank = |link: &Link| (link.quality, link.asymmetric, link.own);
        rank(b).cmp(&rank(a))
    });
    links
}

fn ends(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

fn unmeasured(a: usize, b: usize) -> Link {
    let (a, b) = ends(a, b);
    Link {
        a,
        b,
        own: false,
        forth: None,
        back: None,
        quality: Quality::Unknown,
        asymmetric: false,
    }
}

/// The round trip that light in a fibre would take between two places, in milliseconds.
fn suggested_ms(a: PlaceView, b: PlaceView) -> f64 {
    let guessed = [a, b].iter().filter(|place| place.estimated).count();
    let slack = if guessed > 0 { GUESSED_KM } else { 0.0 };
    (distance_km(a, b) + slack) / FIBRE_KM_PER_MS
}

/// The distance over ground, by the haversine formula.
fn distance_km(a: PlaceView, b: PlaceView) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = a.latitude.to_radians().cos()
        * b.latitude.to_radians().cos()
        * half(a.longitude, b.longitude);
    let part = (half(a.latitude, b.latitude) + across).clamp(0.0, 1.0);
    2.0 * EARTH_KM * part.sqrt().asin()
}

fn quality(link: &Link, least_ms: Option<f64>) -> Quality {
    let readings = [link.forth, link.back];
    let known = readings.iter().flatten();
    if known.clone().any(|reading| reading.loss > LOSS_MAX) {
        return Quality::Lossy;
    }
    let is_slow = |reading: &Reading| {
        least_ms.is_some_and(|least| reading.rtt_ms > 3.0 * least + 30.0)
            || reading.rtt_ms > 3.0 * reading.min_ms + 20.0
    };
    match known.clone().next() {
        None => Quality::Unknown,
        Some(_) if known.clone().any(is_slow) => Quality::Slow,
        Some(_) => Quality::Good,
    }
}

/// An end that tells of no path at all tells nothing by not telling of this one.
fn is_asymmetric(link: &Link, telling: &BTreeSet<usize>) -> bool {
    match (link.forth, link.back) {
        (Some(forth), Some(back)) => {
            let (less, more) = (forth.rtt_ms.min(back.rtt_ms), forth.rtt_ms.max(back.rtt_ms));
            more > 2.0 * less + 20.0 || (forth.loss - back.loss).abs() > 0.05
        }
        (Some(_), None) => telling.contains(&link.b),
        (None, Some(_)) => telling.contains(&link.a),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sporenet_core::{
        kernel::{id::Role, text::Text},
        membership::member::MemberState,
    };

    fn member(id: &str, place: Option<(f64, f64)>) -> Member {
        Member {
            id: id.into(),
            name: Text::new(id).unwrap(),
            role: Role::Relay,
            state: MemberState::Alive,
            incarnation: 1,
            zone: None,
            place: place.map(|(latitude, longitude)| PlaceView {
                latitude,
                longitude,
                estimated: false,
            }),
            addresses: Vec::new(),
            rtt_ms: None,
            last_heard_ms: None,
            reason: None,
            since_ms: 0,
            homes: Vec::new(),
            this_node: false,
            linked: false,
        }
    }

    fn path(from: &str, to: &str, rtt_ms: f64) -> PathView {
        PathView {
            from: from.into(),
            to: to.into(),
            from_name: Text::new(from).unwrap(),
            to_name: Text::new(to).unwrap(),
            rtt_ms,
            min_ms: rtt_ms,
            jitter_ms: 0.1,
            loss: 0.0,
            phi: None,
            age_ms: 10,
        }
    }

    fn edge(a: &str, b: &str, own: bool) -> Edge {
        let (a, b) = (a.into(), b.into());
        Edge { a, b, own }
    }

    const BERLIN: Option<(f64, f64)> = Some((52.5, 13.4));
    const TOKYO: Option<(f64, f64)> = Some((35.7, 139.7));

    /// The only link between two members.
    fn only(places: [Option<(f64, f64)>; 2], paths: &[PathView]) -> Link {
        let members = [member("a", places[0]), member("b", places[1])];
        let links = judged(&members, &[edge("b", "a", true)], paths);
        assert_eq!(links.len(), 1);
        links[0]
    }

    #[test]
    fn what_nobody_measured_is_unknown_and_not_asymmetric() {
        let link = only([None, None], &[]);
        assert_eq!((link.a, link.b, link.own), (0, 1, true));
        assert_eq!((link.quality, link.asymmetric), (Quality::Unknown, false));
    }

    #[test]
    fn a_round_trip_is_judged_by_the_distance() {
        let both = |rtt_ms| [path("a", "b", rtt_ms), path("b", "a", rtt_ms)];
        // 8,900 km: light takes 89 ms there and back.
        assert_eq!(only([BERLIN, TOKYO], &both(240.0)).quality, Quality::Good);
        assert_eq!(only([BERLIN, TOKYO], &both(310.0)).quality, Quality::Slow);
        assert_eq!(only([BERLIN, BERLIN], &both(29.0)).quality, Quality::Good);
        assert_eq!(only([BERLIN, BERLIN], &both(31.0)).quality, Quality::Slow);
        assert_eq!(
            only([BERLIN, None], &both(310.0)).quality,
            Quality::Good,
            "without a place there is nothing to compare it with"
        );
    }

    #[test]
    fn a_round_trip_is_judged_by_its_own_shortest() {
        let mut slow = path("a", "b", 60.0);
        slow.min_ms = 10.0;
        assert_eq!(only([None, None], &[slow]).quality, Quality::Slow);
    }

    #[test]
    fn loss_of_either_end_is_worse_than_slowness() {
        let mut lossy = path("b", "a", 400.0);
        lossy.loss = 0.03;
        let link = only([BERLIN, BERLIN], &[path("a", "b", 400.0), lossy]);
        assert_eq!((link.quality, link.asymmetric), (Quality::Lossy, false));
    }

    #[test]
    fn ends_that_see_it_differently_make_it_asymmetric() {
        let differ = |rtt_ms, loss| {
            let mut back = path("b", "a", rtt_ms);
            back.loss = loss;
            only([None, None], &[path("a", "b", 10.0), back]).asymmetric
        };
        assert!(!differ(39.0, 0.0));
        assert!(differ(41.0, 0.0));
        assert!(!differ(10.0, 0.04));
        assert!(differ(10.0, 0.06));
    }

    #[test]
    fn one_end_that_does_not_tell_of_it_makes_it_asymmetric_if_it_tells_of_others() {
        let one_sided = [path("a", "b", 10.0)];
        assert!(!only([None, None], &one_sided).asymmetric);
        let members = ["a", "b", "c"].map(|id| member(id, None));
        let paths = [path("a", "b", 10.0), path("b", "c", 10.0)];
        let links = judged(&members, &[], &paths);
        let asymmetric: Vec<_> = links
            .iter()
            .map(|link| ((link.a, link.b), link.asymmetric))
            .collect();
        assert_eq!(asymmetric, [((0, 1), true), ((1, 2), false)]);
    }

    #[test]
    fn the_worst_come_first_and_strangers_are_left_out() {
        let members = ["a", "b", "c"].map(|id| member(id, None));
        let mut lossy = path("c", "b", 1.0);
        lossy.loss = 0.5;
        let edges = [edge("a", "c", false), edge("a", "stranger", true)];
        let links = judged(&members, &edges, &[path("a", "b", 1.0), lossy]);
        let order: Vec<_> = links.iter().map(|link| link.quality).collect();
        assert_eq!(order, [Quality::Lossy, Quality::Good, Quality::Unknown]);
    }
}

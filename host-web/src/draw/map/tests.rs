//! What the map promises.

use super::{
    layout::{Layout, Under},
    model::{ARCS_MAX, Link, NODES_MAX, Node, Place, Quality, World},
    projection::View,
};
use crate::{
    catalogue::ENGLISH,
    draw::shape::{Point, Size},
};
use sporenet_core::membership::member::MemberState;

const SIZE: Size = Size {
    width: 900.0,
    height: 420.0,
};

fn node(name: &str, latitude: f64, longitude: f64) -> Node<'_> {
    Node {
        name,
        place: Some(Place {
            latitude,
            longitude,
            is_estimated: false,
        }),
        state: MemberState::Alive,
        this_node: false,
    }
}

fn link(from: usize, to: usize, quality: Quality) -> Link {
    Link {
        from,
        to,
        quality,
        asymmetric: false,
    }
}

fn laid_out(nodes: &[Node<'_>], links: &[Link]) -> Layout {
    Layout::new(&World { nodes, links }, View::default(), SIZE)
}

#[test]
fn nodes_at_one_place_are_one_cluster_until_one_is_near_enough() {
    let mut nodes = [
        node("berlin", 52.5, 13.4),
        node("potsdam", 52.4, 13.0),
        node("tokyo", 35.7, 139.7),
        node("berlin again", 52.5, 13.4),
    ];
    nodes[3].state = MemberState::Dead;
    let far = laid_out(&nodes, &[]);
    let members: Vec<&[usize]> = far.spots.iter().map(|spot| spot.nodes.as_slice()).collect();
    assert_eq!(members, [&[0, 1, 3][..], &[2]]);
    assert_eq!(
        far.spots[0].states,
        [(MemberState::Dead, 1), (MemberState::Alive, 2)]
    );
    assert!(far.spots[0].radius > far.spots[1].radius);
    let near = View::default().zoomed(SIZE, 20.0, far.spots[0].at);
    let world = World {
        nodes: &nodes,
        links: &[],
    };
    let near = Layout::new(&world, near, SIZE);
    assert_eq!(
        near.spots.len(),
        2,
        "the two in Potsdam and Berlin are 27 km apart"
    );
}

#[test]
fn single_spots_never_overlap() {
    let degrees = |number: u32| f64::from(u16::try_from(number * 37 % 360).unwrap()) - 180.0;
    let names: Vec<String> = (0..500).map(|number| format!("node {number}")).collect();
    let nodes: Vec<Node<'_>> = (0..500)
        .zip(&names)
        .map(|(number, name)| node(name, degrees(number * 7) / 3.0, degrees(number)))
        .collect();
    let layout = laid_out(&nodes, &[]);
    for (number, a) in layout.spots.iter().enumerate() {
        for b in &layout.spots[number + 1..] {
            assert!((a.at.x - b.at.x).hypot(a.at.y - b.at.y) >= 28.0);
        }
    }
    let members: usize = layout.spots.iter().map(|spot| spot.nodes.len()).sum();
    assert_eq!(members, 500);
}

#[test]
fn who_has_no_place_is_counted_and_not_drawn() {
    let mut nodes = [
        node("a", 0.0, 0.0),
        node("b", f64::NAN, 0.0),
        node("c", 91.0, 0.0),
    ];
    nodes[0].place = None;
    let layout = laid_out(&nodes, &[link(0, 1, Quality::Good)]);
    assert_eq!(
        (layout.unplaced, layout.spots.len(), layout.arcs.len()),
        (3, 0, 0)
    );
}

#[test]
fn the_pointer_hits_nodes_clusters_and_the_sea() {
    let nodes = [
        node("berlin", 52.5, 13.4),
        node("potsdam", 52.4, 13.0),
        node("tokyo", 35.7, 139.7),
    ];
    let layout = laid_out(&nodes, &[]);
    let beside = |spot: usize, far: f64| {
        let at = layout.spots[spot].at;
        layout.under(Point {
            x: at.x + far,
            y: at.y,
        })
    };
    assert_eq!(beside(0, 0.0), Some(Under::Cluster(0)));
    assert_eq!(beside(1, 9.0), Some(Under::Node(2)));
    assert_eq!(beside(1, 25.0), None);
    let linked = laid_out(&nodes, &[link(0, 2, Quality::Good)]);
    let middle = linked.arcs[0].middle().unwrap();
    assert_eq!(linked.under(middle), Some(Under::Arc(0)));
    assert_eq!(layout.under(middle), None);
    let (longitude, latitude) = layout.coordinates(layout.spots[1].at).unwrap();
    assert!((longitude - 139.7).abs() < 0.01 && (latitude - 35.7).abs() < 0.01);
    assert_eq!(layout.coordinates(Point { x: 1.0, y: 1.0 }), None);
}

#[test]
fn links_between_two_spots_are_one_arc_of_the_worst_quality() {
    let nodes = [
        node("berlin", 52.5, 13.4),
        node("potsdam", 52.4, 13.0),
        node("tokyo", 35.7, 139.7),
    ];
    let links = [
        link(0, 2, Quality::Good),
        link(2, 1, Quality::Lossy),
        link(0, 1, Quality::Slow),
        link(0, 99, Quality::Lossy),
    ];
    let layout = laid_out(&nodes, &links);
    assert_eq!(layout.arcs.len(), 1);
    assert_eq!(
        (layout.arcs[0].quality, layout.arcs[0].links.as_slice()),
        (Quality::Lossy, &[1, 0][..])
    );
    let points = &layout.arcs[0].pieces[0];
    assert_eq!(
        (points[0], points[points.len() - 1]),
        (layout.spots[0].at, layout.spots[1].at)
    );
    let north = points.iter().map(|point| point.y).fold(f64::MAX, f64::min);
    assert!(
        north < layout.spots[0].at.y - 10.0,
        "the shortest way leads over the north"
    );
}

#[test]
fn a_link_across_the_pacific_leaves_at_one_edge_and_comes_back_at_the_other() {
    let nodes = [node("tokyo", 35.7, 139.7), node("california", 37.4, -122.1)];
    for links in [[link(0, 1, Quality::Good)], [link(1, 0, Quality::Good)]] {
        let layout = laid_out(&nodes, &links);
        let pieces = &layout.arcs[0].pieces;
        assert_eq!(pieces.len(), 2);
        let jumps = pieces.iter().flat_map(|piece| piece.windows(2));
        let longest = jumps
            .map(|pair| (pair[0].x - pair[1].x).abs())
            .fold(0.0, f64::max);
        assert!(longest < 40.0, "{longest}");
        let ends: Vec<f64> = pieces
            .iter()
            .map(|piece| piece[0].y.min(piece[piece.len() - 1].y))
            .collect();
        assert!((ends[0] - ends[1]).abs() < 30.0);
    }
}

#[test]
fn opposite_places_and_poles_are_linked_with_finite_numbers() {
    let nodes = [
        node("a", 0.0, 0.0),
        node("b", 0.0, 180.0),
        node("n", 90.0, 0.0),
        node("s", -90.0, -180.0),
    ];
    let links = [
        link(0, 1, Quality::Good),
        link(2, 3, Quality::Good),
        link(0, 2, Quality::Good),
    ];
    let layout = laid_out(&nodes, &links);
    assert_eq!(layout.arcs.len(), 3);
    let points = layout
        .arcs
        .iter()
        .flat_map(|arc| arc.pieces.iter().flatten());
    assert!(
        points
            .into_iter()
            .all(|point| point.x.is_finite() && point.y.is_finite())
    );
}

#[test]
fn too_many_nodes_and_links_are_counted() {
    let nodes = vec![node("x", 10.0, 10.0); NODES_MAX + 7];
    assert_eq!(laid_out(&nodes, &[]).left_out, 7);
    let spread: Vec<Node<'_>> = (0..40)
        .map(|n: u16| {
            node(
                "x",
                f64::from(n / 8) * 20.0 - 40.0,
                f64::from(n % 8) * 40.0 - 160.0,
            )
        })
        .collect();
    let all = (0..40).flat_map(|from| (0..from).map(move |to| link(from, to, Quality::Good)));
    let mut links: Vec<Link> = all.collect();
    let last = links.len() - 1;
    links[last].quality = Quality::Lossy;
    let layout = laid_out(&spread, &links);
    assert_eq!(
        (layout.arcs.len(), layout.left_out),
        (ARCS_MAX, 780 - ARCS_MAX)
    );
    assert_eq!(
        layout.arcs[ARCS_MAX - 1].quality,
        Quality::Lossy,
        "the worst is kept, and on top"
    );
}

#[test]
fn names_neither_cover_one_another_nor_leave_the_picture() {
    let names: Vec<String> = (0..30)
        .map(|n| format!("a node with a long name {n}"))
        .collect();
    let nodes: Vec<Node<'_>> = (0..30_u8)
        .zip(&names)
        .map(|(n, name)| {
            let (row, column) = (f64::from(n % 6), f64::from(n / 6));
            node(name, row * 18.0 - 45.0, column * 60.0 - 150.0 + row * 7.0)
        })
        .collect();
    let layout = laid_out(&nodes, &[]);
    assert!(layout.names.len() > 5);
    for (number, a) in layout.names.iter().enumerate() {
        assert!(a.at.x >= 0.0 && a.at.x + 100.0 < SIZE.width);
        for b in &layout.names[number + 1..] {
            let apart = (a.at.y - b.at.y).abs() >= 13.9 || (a.at.x - b.at.x).abs() >= 120.0;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_table_lists_all_nodes_with_places_and_links() {
    let mut nodes = [
        node("berlin", 52.5, 13.4),
        node("quito", -0.2, -78.5),
        node("nowhere", 0.0, 0.0),
    ];
    nodes[1].place = Some(Place {
        latitude: -2.2,
        longitude: -79.8,
        is_estimated: true,
    });
    nodes[2].place = None;
    let mut links = [link(0, 1, Quality::Good), link(1, 0, Quality::Lossy)];
    links[0].asymmetric = true;
    let rows = World {
        nodes: &nodes,
        links: &links,
    }
    .twin(&ENGLISH);
    let text = |row: usize, value: usize| rows[row].values[value].text.as_str();
    assert_eq!(text(0, 1), "52.5° N, 13.4° E");
    assert_eq!(text(1, 1), "2.2° S, 79.8° W, estimated");
    assert_eq!(text(0, 2), "1 lossy, 1 good, 1 asymmetric");
    assert_eq!((text(2, 1), text(2, 2)), ("unknown", "–"));
}

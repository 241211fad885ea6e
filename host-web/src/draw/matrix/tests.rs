//! What the matrix promises.

use super::{
    layout::Layout,
    model::{Deviation, Matrix, NODES_MAX, Node, Path},
};
use crate::{
    catalogue::ENGLISH,
    draw::shape::{Point, Size},
};

fn node<'a>(name: &'a str, group: &'a str) -> Node<'a> {
    Node {
        name,
        group,
        is_dead: false,
    }
}

fn path(from: usize, to: usize, rtt_ms: f64) -> Path {
    Path {
        from,
        to,
        rtt_ms,
        loss: 0.0,
    }
}

const NODES: [(&str, &str); 4] = [("d", "eu"), ("a", "us"), ("b", "eu"), ("c", "us")];

fn nodes() -> [Node<'static>; 4] {
    NODES.map(|(name, group)| node(name, group))
}

/// All paths take 10 ms.
fn even() -> Vec<Path> {
    let pairs = (0..4).flat_map(|from| (0..4).map(move |to| (from, to)));
    pairs
        .filter(|(from, to)| from != to)
        .map(|(from, to)| path(from, to, 10.0))
        .collect()
}

fn size(side: f64) -> Size {
    Size {
        width: side,
        height: side,
    }
}

#[test]
fn nodes_are_sorted_by_group_and_name() {
    let matrix = Matrix::new(&nodes(), &[]);
    assert_eq!(matrix.order, [2, 0, 1, 3]);
    assert_eq!(matrix.groups, [("eu".into(), 2), ("us".into(), 2)]);
}

#[test]
fn a_path_is_compared_with_its_row_and_its_column() {
    let mut paths = even();
    for path in &mut paths {
        // All that end at node 1 take longer, which is usual for its column; one is unusual.
        if path.to == 1 {
            path.rtt_ms = 40.0;
        }
        if (path.from, path.to) == (2, 0) {
            path.rtt_ms = 100.0;
        }
        if (path.from, path.to) == (3, 2) {
            path.rtt_ms = 2.0;
        }
    }
    let matrix = Matrix::new(&nodes(), &paths);
    let deviation = |row, column| matrix.cell(row, column).map(|cell| cell.deviation);
    // In the order of rows and columns: nodes 2, 0, 1, 3.
    assert_eq!(deviation(0, 1), Some(Deviation::FarSlower));
    assert_eq!(deviation(3, 0), Some(Deviation::MuchFaster));
    assert_eq!(deviation(3, 1), Some(Deviation::Usual));
    assert_eq!(
        deviation(1, 2),
        Some(Deviation::Slower),
        "twice the mean of 10 and 40"
    );
    assert_eq!(deviation(2, 3), Some(Deviation::Usual));
}

#[test]
fn what_was_not_measured_is_unknown_and_so_are_impossible_times() {
    let paths = [
        path(0, 1, 10.0),
        path(1, 0, f64::NAN),
        path(2, 3, 0.0),
        path(3, 2, -1.0),
        path(0, 9, 1.0),
        path(2, 2, 5.0),
    ];
    let matrix = Matrix::new(&nodes(), &paths);
    let known = (0..4).flat_map(|row| (0..4).map(move |column| (row, column)));
    let known: Vec<_> = known
        .filter(|(row, column)| matrix.cell(*row, *column).is_some())
        .collect();
    assert_eq!(known, [(1, 2)]);
    assert_eq!(matrix.cell(1, 4), None);
    assert_eq!(
        matrix.told(&nodes(), (2, 1), &ENGLISH).unwrap(),
        "a → d: unknown"
    );
    assert_eq!(
        matrix.told(&nodes(), (1, 2), &ENGLISH).unwrap(),
        "d → a: 10\u{a0}ms, usual"
    );
}

#[test]
fn the_pointer_finds_the_cell_that_is_drawn_there() {
    let matrix = Matrix::new(&nodes(), &even());
    let layout = Layout::new(&matrix, &nodes(), size(300.0));
    let at = |row: f64, column: f64| {
        let (x, y) = (
            layout.grid.x + layout.cell * column,
            layout.grid.y + layout.cell * row,
        );
        layout.under(Point { x, y })
    };
    assert_eq!(at(0.5, 3.5), Some((0, 3)));
    assert_eq!(at(3.99, 0.01), Some((3, 0)));
    assert_eq!(at(4.01, 1.0), None);
    assert_eq!(at(-0.1, 1.0), None);
    let usual = layout
        .fills
        .iter()
        .find(|(kind, _)| *kind == Deviation::Usual)
        .unwrap();
    assert_eq!(usual.1.len(), 12);
    assert_eq!(layout.times.len(), 12);
    assert_eq!(layout.rows.len(), 4);
    assert_eq!(layout.borders, [layout.cell * 2.0]);
}

#[test]
fn two_hundred_nodes_fit_with_their_groups_and_the_rest_is_counted() {
    let names: Vec<String> = (0..NODES_MAX + 11)
        .map(|n| format!("node {n:03}"))
        .collect();
    let nodes: Vec<Node<'_>> = names
        .iter()
        .enumerate()
        .map(|(n, name)| Node {
            is_dead: n == 3,
            ..node(name, ["eu", "us", "asia"][n % 3])
        })
        .collect();
    let pairs = (0..NODES_MAX).flat_map(|from| (0..NODES_MAX).map(move |to| (from, to)));
    let paths: Vec<Path> = pairs.map(|(from, to)| path(from, to, 10.0)).collect();
    let matrix = Matrix::new(&nodes, &paths);
    assert_eq!((matrix.side(), matrix.left_out), (NODES_MAX, 11));
    let layout = Layout::new(&matrix, &nodes, size(700.0));
    assert!(layout.grid.right() <= 700.0 && layout.grid.bottom() <= 700.0);
    assert_eq!(
        layout
            .rows
            .iter()
            .map(|row| row.text.as_str())
            .collect::<Vec<_>>(),
        ["asia", "eu", "us"]
    );
    assert_eq!(layout.dead.len(), 2);
    let rects: usize = layout.fills.iter().map(|(_, rects)| rects.len()).sum();
    assert!(
        rects < 4_000,
        "neighbours that are alike are one rectangle: {rects}"
    );
    let covered: f64 = layout
        .fills
        .iter()
        .flat_map(|(_, rects)| rects)
        .map(|rect| rect.width)
        .sum();
    let known = (0..NODES_MAX).flat_map(|row| (0..NODES_MAX).map(move |column| (row, column)));
    let known = known
        .filter(|(row, column)| matrix.cell(*row, *column).is_some())
        .count();
    assert!((covered / layout.cell - f64::from(u32::try_from(known).unwrap())).abs() < 1e-6);
}

#[test]
fn any_size_and_no_node_at_all_have_a_layout() {
    for side in [0.0, 30.0, 5_000.0] {
        let empty = Layout::new(&Matrix::new(&[], &[]), &[], size(side));
        assert_eq!(empty.under(Point::default()), None);
        let layout = Layout::new(&Matrix::new(&nodes(), &even()), &nodes(), size(side));
        assert!(layout.cell > 0.0);
    }
}

#[test]
fn the_table_has_a_row_for_each_node_that_pings() {
    let mut paths = even();
    paths.retain(|path| path.from != 3);
    paths[0].rtt_ms = 90.0;
    paths[1].loss = 0.5;
    let rows = Matrix::new(&nodes(), &paths).twin(&nodes(), &ENGLISH);
    let texts = |row: usize| {
        rows[row]
            .values
            .iter()
            .map(|value| value.text.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows[1].name, "d");
    assert_eq!(
        texts(1),
        ["3", "10\u{a0}ms", "a in 90\u{a0}ms, far slower", "b"]
    );
    assert_eq!(texts(3), ["0", "unknown", "–", "–"]);
}

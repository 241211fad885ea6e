//! Questions of a page that are answered from the node at once.

use crate::{
    protocol::{Answer, Failure},
    worker::dispatcher::refused,
};
use sporenet_core::{
    node::{Node, contract::Refusal},
    observe::{alerts::WishRefusal, series::Series},
};

/// The most points of a series in an answer.
const POINTS_MAX: u32 = 2_000;

pub(super) fn history(node: &Node, name: &str) -> Result<Answer, Failure> {
    let unknown = || Failure::new("not_found", format!("there is no setting {name}"));
    node.setting_history(name)
        .map(Answer::History)
        .ok_or_else(unknown)
}

pub(super) fn dry_run(node: &Node, rule: &str) -> Result<Answer, Failure> {
    let tried = node.dry_run(rule);
    tried
        .map(|tried| Answer::DryRun(Box::new(tried)))
        .map_err(|refusal| refused(&Refusal::Wish(WishRefusal::Setting(refusal))))
}

pub(super) fn series(
    node: &Node,
    (whose, name): (&str, &str),
    window: (u64, u64),
    points: u32,
) -> Result<Answer, Failure> {
    let unknown = || Failure::new("not_found", format!("there is no series {name} of {whose}"));
    let id = whose.parse().map_err(|_| unknown())?;
    let series = Series::called(name).ok_or_else(unknown)?;
    let points = points.clamp(1, POINTS_MAX);
    let points = usize::try_from(points).unwrap_or(usize::MAX);
    Ok(Answer::Series(
        node.series_points(id, series, window, points),
    ))
}

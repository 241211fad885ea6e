//! Questions of a page that are answered from the node at once.

use crate::{
    protocol::{Answer, Failure, Request},
    worker::refusals::{refused, text},
};
use sporenet_core::{
    kernel::{bytes::Bytes, id::NodeId, time::Time},
    node::{
        Node,
        contract::{Refusal, Request as Wanted},
    },
    observe::{alerts::WishRefusal, series::Series},
    replication::{
        typed::{Change, Content, ITEMS_MAX},
        write::AckLevel,
    },
};

/// The most points of a series in an answer.
const POINTS_MAX: u32 = 2_000;

/// The answer to a request that only reads.
pub(super) fn read(now: Time, node: &Node, request: &Request) -> Result<Answer, Failure> {
    match request {
        Request::Members => Ok(Answer::Members(node.members(now))),
        Request::Status => Ok(Answer::Status {
            status: Box::new(node.status(now)),
            joining: node.join_trouble(),
        }),
        Request::Alerts => Ok(Answer::Alerts(node.alert_views())),
        Request::Incidents => Ok(Answer::Incidents(node.incident_views())),
        Request::Settings => Ok(Answer::Settings(node.setting_views())),
        Request::SeriesList => Ok(Answer::SeriesList(node.series())),
        Request::History { name } => history(node, name),
        Request::DryRun { rule } => dry_run(node, rule),
        Request::Series {
            node: whose,
            series: name,
            from_ms,
            to_ms,
            points,
        } => series(node, (whose, name), (*from_ms, *to_ms), *points),
        Request::Outlook {
            node: whose,
            series,
        } => outlook(node, whose, series),
        Request::Parts {
            namespace,
            key,
            after,
            limit,
        } => Ok(parts(node, (namespace, key), after.as_deref(), *limit)),
        Request::Data => Ok(Answer::Data(Box::new(node.data(now)))),
        Request::Write { .. }
        | Request::Change { .. }
        | Request::Get { .. }
        | Request::Watch { .. }
        | Request::Close { .. }
        | Request::Leave
        | Request::Recording(_)
        | Request::Wish(_)
        | Request::Compact => Err(Failure::new("unexpected", "this is more than a question")),
    }
}

/// What the node is asked for a change of a typed value.
pub(super) fn change(
    (namespace, key): (&str, &str),
    change: Change,
    level: AckLevel,
) -> Result<Wanted, Failure> {
    Ok(Wanted::Change {
        namespace: text(namespace, "namespace")?,
        key: text(key, "key")?,
        change,
        level,
    })
}

fn parts(node: &Node, (namespace, key): (&str, &str), after: Option<&str>, limit: u32) -> Answer {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Answer::Parts(node.parts(namespace, key, after, limit))
}

/// Leaves in a list what people look at: the first elements or fields, and of each value the beginning.
pub(super) fn shorten(content: &mut Content, value_bytes_max: usize) {
    let cut = |value: &mut Bytes| {
        if let Some(head) = value.get(..value_bytes_max) {
            *value = Bytes::from(head);
        }
    };
    match content {
        Content::Register | Content::Counter { .. } | Content::Flag { .. } => {}
        Content::Multi { values } => {
            let values = values.iter_mut();
            values
                .filter_map(|version| version.value.as_mut())
                .for_each(cut);
        }
        Content::Set { elements, .. } => elements.truncate(ITEMS_MAX),
        Content::Map { fields, .. } => {
            fields.truncate(ITEMS_MAX);
            fields
                .iter_mut()
                .for_each(|(_, field)| cut(&mut field.value));
        }
    }
}

fn history(node: &Node, name: &str) -> Result<Answer, Failure> {
    let unknown = || Failure::new("not_found", format!("there is no setting {name}"));
    node.setting_history(name)
        .map(Answer::History)
        .ok_or_else(unknown)
}

fn dry_run(node: &Node, rule: &str) -> Result<Answer, Failure> {
    let tried = node.dry_run(rule);
    tried
        .map(|tried| Answer::DryRun(Box::new(tried)))
        .map_err(|refusal| refused(&Refusal::Wish(WishRefusal::Setting(refusal))))
}

fn series(
    node: &Node,
    (whose, name): (&str, &str),
    window: (u64, u64),
    points: u32,
) -> Result<Answer, Failure> {
    let (id, series) = named(whose, name)?;
    let points = points.clamp(1, POINTS_MAX);
    let points = usize::try_from(points).unwrap_or(usize::MAX);
    Ok(Answer::Series(
        node.series_points(id, series, window, points),
    ))
}

fn outlook(node: &Node, whose: &str, name: &str) -> Result<Answer, Failure> {
    let (id, series) = named(whose, name)?;
    let outlook = (id == node.id()).then(|| node.outlook(series)).flatten();
    Ok(Answer::Outlook(outlook.map(Box::new)))
}

fn named(whose: &str, name: &str) -> Result<(NodeId, Series), Failure> {
    let unknown = || Failure::new("not_found", format!("there is no series {name} of {whose}"));
    let id = whose.parse().map_err(|_| unknown())?;
    Ok((id, Series::called(name).ok_or_else(unknown)?))
}

//! Proving that other relays hold the same as this one.

use crate::{
    driver::Gone,
    http::{
        Api,
        asked::{InQuery, Nothing, read_json},
        problem::Problem,
        within_patience,
    },
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::{
        id::{NodeId, Role},
        text::Namespace,
    },
    node::contract::{Reply, Request},
    replication::{replica::Verified, typed::base_of},
};
use std::{sync::Arc, time::Duration};

/// Longer than the core waits for a relay that answers page by page.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is to be compared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Only of this namespace.
    namespace: Option<Namespace>,
    /// With which relay: its name, or the first digits of its identity. All linked ones unless it is given.
    peer: Option<String>,
}

/// What came of comparing with one relay.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Compared {
    /// The relay, 64 hexadecimal digits.
    pub(crate) peer: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether it holds the same; null if that is not known.
    pub(crate) equal: Option<bool>,
    /// Why it is not known.
    pub(crate) reason: Option<String>,
    /// How many keys were compared, deleted ones and parts of typed values included.
    pub(crate) keys: u64,
    /// The keys that differ.
    pub(crate) differing: Vec<Differing>,
    /// Whether more differ than are told.
    pub(crate) more: bool,
    /// How many keys were being written meanwhile.
    pub(crate) changing: u64,
    /// How long it took.
    pub(crate) took_ms: u64,
}

/// A key that differs.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Differing {
    /// The namespace.
    pub(crate) namespace: String,
    /// The key.
    pub(crate) key: String,
    /// Whether it was ever written here.
    pub(crate) here: bool,
    /// Whether it was ever written there.
    pub(crate) there: bool,
}

/// `POST /api/v1/verify`.
pub(crate) async fn verify(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Vec<Compared>>, Problem> {
    let wanted: Wanted = read_json(&headers, body).await?.unwrap_or_default();
    let peers = peers(&api, wanted.peer).await?;
    let mut all = Vec::new();
    for (peer, name) in peers {
        all.push(compare(&api, (peer, name), wanted.namespace.clone()).await?);
    }
    Ok(Json(all))
}

/// The relays to compare with: the one that is called so, or all that are linked.
async fn peers(api: &Api, called: Option<String>) -> Result<Vec<(NodeId, String)>, Problem> {
    let name = called.clone();
    let question = api.core().ask(move |node, now| {
        let meant = name.map(|name| node.members_called(&name));
        let linked = node.members(now).into_iter();
        let linked = linked.filter(|member| member.linked && member.role == Role::Relay);
        let named = linked.filter_map(|member| Some((member.id.parse().ok()?, member.name)));
        let is_meant = |id: &NodeId| meant.as_ref().is_none_or(|meant| meant.contains(id));
        let peers = named.filter(|(id, _)| is_meant(id));
        let peers = peers.map(|(id, name)| (id, name.to_string()));
        peers.collect::<Vec<(NodeId, String)>>()
    });
    let peers = within_patience(question).await?;
    match (called, peers.as_slice()) {
        (Some(called), []) => {
            let detail = format!("There is no link to a relay that is called `{called}`.");
            Err(Problem::new(StatusCode::NOT_FOUND, "not_linked", detail))
        }
        (Some(called), [_, _, ..]) => Err(Problem::bad_request(format!(
            "several linked relays are called `{called}`; write more digits of the identity."
        ))),
        (None | Some(_), _) => Ok(peers),
    }
}

async fn compare(
    api: &Api,
    (peer, name): (NodeId, String),
    namespace: Option<Namespace>,
) -> Result<Compared, Problem> {
    let asked = api.core().request(Request::Verify { peer, namespace });
    let outcome = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(Reply::Verified(verified))) => Ok(verified),
        Ok(Ok(Reply::Refused(refusal))) => Err(refusal.to_string()),
        Ok(Ok(
            Reply::Written { .. }
            | Reply::Invited { .. }
            | Reply::Reach(_)
            | Reply::Forgotten
            | Reply::Compacting,
        ))
        | Err(_) => return Err(Problem::busy()),
        Ok(Err(Gone)) => return Err(Problem::stopping()),
    };
    let unknown = |reason: String| Compared {
        peer: peer.to_string(),
        name: name.clone(),
        equal: None,
        reason: Some(reason),
        keys: 0,
        differing: Vec::new(),
        more: false,
        changing: 0,
        took_ms: 0,
    };
    Ok(match outcome {
        Ok(verified) => compared(name, &verified),
        Err(reason) => unknown(reason),
    })
}

fn compared(name: String, verified: &Verified) -> Compared {
    let mut differing: Vec<Differing> = Vec::new();
    for of in &verified.differing {
        let (namespace, key) = (of.namespace.as_str(), base_of(&of.key));
        // Parts of one typed value stand beside each other.
        match differing
            .last_mut()
            .filter(|last| last.key == key && last.namespace == namespace)
        {
            Some(last) => {
                last.here |= of.here;
                last.there |= of.there;
            }
            None => differing.push(Differing {
                namespace: namespace.to_owned(),
                key: key.to_owned(),
                here: of.here,
                there: of.there,
            }),
        }
    }
    Compared {
        peer: verified.peer.to_string(),
        name,
        equal: Some(differing.is_empty()),
        reason: None,
        keys: verified.keys,
        differing,
        more: verified.is_cut,
        changing: verified.changing,
        took_ms: u64::try_from(verified.took.as_millis()).unwrap_or(u64::MAX),
    }
}

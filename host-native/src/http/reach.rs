//! Whether linked relays reach the addresses that this node announces.

use crate::{
    driver::Gone,
    http::{
        Api,
        asked::{InQuery, Nothing},
        problem::Problem,
        within_patience,
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::address::Address,
    node::contract::{Reply, Request},
};
use std::{sync::Arc, time::Duration};

/// Longer than the core waits for the relays that it asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one relay found at one address.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Found {
    /// The relay, 64 hexadecimal digits.
    pub(crate) peer: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it dialled; null if it has not answered in time.
    pub(crate) address: Option<Address>,
    /// Whether a connection opened.
    pub(crate) reached: bool,
    /// Why not.
    pub(crate) reason: Option<String>,
}

/// `POST /api/v1/reach`.
pub(crate) async fn reach(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Vec<Found>>, Problem> {
    let asked = tokio::time::timeout(PATIENCE, api.core().request(Request::Reach)).await;
    let reports = match asked {
        Ok(Ok(Reply::Reach(reports))) => reports,
        Ok(Ok(
            Reply::Written { .. }
            | Reply::Invited { .. }
            | Reply::Forgotten
            | Reply::Compacting
            | Reply::Verified(_)
            | Reply::Refused(_),
        ))
        | Err(_) => {
            return Err(Problem::busy());
        }
        Ok(Err(Gone)) => return Err(Problem::stopping()),
    };
    let found = api.core().ask(move |node, _| {
        let mut found = Vec::new();
        for report in reports {
            let of = |address, reached, reason| Found {
                peer: report.peer.to_string(),
                name: node.display_name(report.peer).to_string(),
                address,
                reached,
                reason,
            };
            if report.dialled.is_empty() {
                let reason = "it has not answered in time".to_owned();
                found.push(of(None, false, Some(reason)));
            }
            found.extend(report.dialled.iter().map(|dialled| {
                let reason = dialled.failed.as_ref().map(ToString::to_string);
                of(Some(dialled.address.clone()), reason.is_none(), reason)
            }));
        }
        found
    });
    within_patience(found).await.map(Json)
}

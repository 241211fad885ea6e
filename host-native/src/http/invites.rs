//! Join links. What is answered here is secret: it is never logged, cached or put into a query.

use crate::http::{
    Api,
    asked::{InQuery, Nothing, read_json},
    problem::Problem,
    who::{Act, Who},
    within_patience,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::id::Role,
    node::contract::{Reply, Request},
};
use std::{sync::Arc, time::Duration};

/// How long an invite lasts unless the request says otherwise, in seconds.
pub(crate) const TTL_S: u64 = 3_600;

/// What is asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    /// How long it is honoured, in seconds; at most 30 days.
    pub(crate) ttl_s: u64,
    /// How many newcomers it lets in; any number if absent.
    pub(crate) uses: Option<u16>,
    /// Who may come; both roles if absent.
    pub(crate) role: Option<Role>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            ttl_s: TTL_S,
            uses: None,
            role: None,
        }
    }
}

/// Links that let newcomers in. Not `Debug`: they are secrets.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Links {
    /// For relays: `spore:…`.
    pub(crate) relay_link: Option<String>,
    /// For browsers; the secret stands in the fragment, which browsers don't send.
    pub(crate) browser_link: Option<String>,
    /// When it is no longer honoured, in milliseconds since 1970-01-01 UTC.
    pub(crate) expires_at_ms: u64,
    /// How many newcomers it lets in; any number if null.
    pub(crate) uses: Option<u16>,
    /// Who may come; both roles if null.
    pub(crate) role: Option<Role>,
}

/// Issues an invite.
pub(crate) async fn issue(api: &Api, wanted: Wanted) -> Result<Links, Problem> {
    let reply = within_patience(api.core().request(Request::Invite {
        ttl: Duration::from_secs(wanted.ttl_s),
        uses_max: wanted.uses,
        role: wanted.role,
    }))
    .await?;
    let (invitation, key) = match reply {
        Reply::Invited { invitation, key } => (invitation, key),
        Reply::Refused(refusal) => return Err(refusal.into()),
        Reply::Written { .. }
        | Reply::Reach(_)
        | Reply::Forgotten
        | Reply::Compacting
        | Reply::Verified(_) => {
            return Err(Problem::busy());
        }
    };
    let told = invitation.clone();
    let link = within_patience(api.core().ask(move |node, _| node.join_link(&told, &key))).await?;
    Ok(Links {
        relay_link: (wanted.role != Some(Role::Tab)).then(|| link.to_string()),
        browser_link: (wanted.role != Some(Role::Relay))
            .then(|| link.browser_url(&api.console_origin)),
        expires_at_ms: invitation.expires_at.as_millis(),
        uses: invitation.uses_max,
        role: invitation.role,
    })
}

/// `POST /api/v1/invites`; an empty body asks for the defaults.
pub(crate) async fn invite(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    who: Who,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Links>), Problem> {
    let wanted: Wanted = read_json(&headers, body).await?.unwrap_or_default();
    let issued = issue(&api, wanted).await;
    let uses = wanted
        .uses
        .map_or_else(|| "any number of".to_owned(), |uses| uses.to_string());
    let role = wanted.role.map_or_else(
        || "newcomers".to_owned(),
        |role| format!("newcomers as {role}"),
    );
    let act = Act {
        action: "invite",
        node: None,
        detail: format!("for {uses} {role}, for {} s", wanted.ttl_s),
    };
    api.audit(&who, act, &issued);
    Ok((StatusCode::CREATED, Json(issued?)))
}

//! Alerts, incidents, silences and settings of the mesh: reading, and what people do about them.

use crate::http::{
    Api,
    asked::{InPath, InQuery, Nothing, read_json},
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
    kernel::{id::NodeId, text::Text},
    node::{
        Node,
        alert_views::{
            AlertView, ChannelView, DryRun, IncidentView, SettingView, SilenceView, VersionView,
        },
        contract::{Refusal, Reply, Request},
    },
    observe::alerts::{
        Standing, Wish, WishRefusal,
        record::{Grade, Id, Note},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// How long a silence lasts unless the request says otherwise, in seconds.
const SILENCE_S: u64 = 7_200;

/// Which alerts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Which {
    /// Those that are over too.
    all: bool,
}

/// `GET /api/v1/alerts`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InQuery(Which { all }): InQuery<Which>,
) -> Result<Json<Vec<AlertView>>, Problem> {
    let mut alerts = within_patience(api.core().ask(|node, _| node.alert_views())).await?;
    alerts.retain(|alert| all || alert.state != Standing::Resolved);
    Ok(Json(alerts))
}

/// `GET /api/v1/incidents`.
pub(crate) async fn incidents(
    State(api): State<Arc<Api>>,
    InQuery(Which { all }): InQuery<Which>,
) -> Result<Json<Vec<IncidentView>>, Problem> {
    let mut incidents = within_patience(api.core().ask(|node, _| node.incident_views())).await?;
    incidents.retain(|incident| all || incident.state != Standing::Resolved);
    Ok(Json(incidents))
}

/// `GET /api/v1/incidents/{id}`.
pub(crate) async fn incident(
    State(api): State<Arc<Api>>,
    InPath(id): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<IncidentView>, Problem> {
    let incidents = within_patience(api.core().ask(|node, _| node.incident_views())).await?;
    let found = incidents.into_iter().find(|incident| incident.id == id);
    found.map(Json).ok_or_else(|| not_known(&id))
}

fn not_known(id: &str) -> Problem {
    Problem::not_found(format!("there is no alert or incident `{id}`."))
}

/// What to do about an alert or incident.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acted {
    id: String,
    #[serde(default)]
    note: Option<String>,
}

/// What a change came to.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    /// The revision that made it visible here.
    revision: u64,
}

/// `POST /api/v1/ack`.
pub(crate) async fn acknowledge(
    State(api): State<Arc<Api>>,
    who: Who,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let (id, note) = acted(&headers, body).await?;
    wish(&api, &who, Wish::Acknowledge { id, note }).await
}

/// `POST /api/v1/resolve`.
pub(crate) async fn resolve(
    State(api): State<Arc<Api>>,
    who: Who,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let (id, note) = acted(&headers, body).await?;
    wish(&api, &who, Wish::Resolve { id, note }).await
}

async fn acted(headers: &HeaderMap, body: Body) -> Result<(Id, Option<Note>), Problem> {
    let Some(Acted { id, note }) = read_json(headers, body).await? else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"id\": \"ID\", \"note\": \"…\"}.",
        ));
    };
    let known = id.parse().map_err(|()| not_known(&id))?;
    Ok((known, note_of(note)?))
}

fn note_of(note: Option<String>) -> Result<Option<Note>, Problem> {
    let note = note.filter(|note| !note.trim().is_empty());
    let checked = note.map(|note| Text::new(&note)).transpose();
    checked.map_err(|error| Problem::bad_request(format!("`note`: {error}.")))
}

/// `GET /api/v1/silences`.
pub(crate) async fn silences(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Vec<SilenceView>>, Problem> {
    let silences = within_patience(api.core().ask(|node, _| node.silence_views())).await?;
    Ok(Json(silences))
}

/// What nobody is to be notified of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hushed {
    /// `*`, or words that are each a rule, a node or a severity.
    matches: String,
    #[serde(default)]
    for_s: Option<u64>,
    #[serde(default)]
    note: Option<String>,
}

/// `POST /api/v1/silences`.
pub(crate) async fn silence(
    State(api): State<Arc<Api>>,
    who: Who,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Done>), Problem> {
    let Some(Hushed {
        matches,
        for_s,
        note,
    }) = read_json(&headers, body).await?
    else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"matches\": \"RULE NODE SEVERITY\", \"for_s\": 7200}.",
        ));
    };
    let note = note_of(note)?;
    let named = within_patience(api.core().ask(move |node, _| name_nodes(node, &matches))).await?;
    let fits = Text::new(&named?);
    let fits = fits.map_err(|error| Problem::bad_request(format!("`matches`: {error}.")))?;
    let for_ms = for_s.unwrap_or(SILENCE_S).saturating_mul(1_000);
    let done = wish(&api, &who, Wish::Silence { fits, for_ms, note }).await?;
    Ok((StatusCode::CREATED, done))
}

/// The words of a silence, with the beginning of an identity in place of each name of a node.
fn name_nodes(node: &Node, matches: &str) -> Result<String, Problem> {
    let rules = &node.alerts_in_force().rules;
    let mut words = Vec::new();
    for word in matches.split_whitespace() {
        let is_known = word == "*"
            || Grade::called(word).is_some()
            || rules.iter().any(|(name, _)| name == word);
        if is_known {
            words.push(word.to_owned());
            continue;
        }
        match node.members_called(word).as_slice() {
            [one] => words.push(beginning(*one)),
            [] => {
                return Err(Problem::bad_request(format!(
                    "`{word}` is no rule, no node and no severity; `*` silences everything."
                )));
            }
            [..] => {
                return Err(Problem::ambiguous(format!(
                    "several members are called `{word}`; write more digits of the identity."
                )));
            }
        }
    }
    if words.is_empty() {
        return Err(Problem::bad_request(
            "`matches` is empty; `*` silences everything.",
        ));
    }
    Ok(words.join(" "))
}

/// Enough digits of an identity to tell members apart.
fn beginning(node: NodeId) -> String {
    node.to_string().chars().take(16).collect()
}

/// `DELETE /api/v1/silences/{id}`.
pub(crate) async fn unsilence(
    State(api): State<Arc<Api>>,
    who: Who,
    InPath(id): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Done>, Problem> {
    let id = id.parse().map_err(|()| not_known(&id))?;
    wish(&api, &who, Wish::Unsilence { id }).await
}

/// `GET /api/v1/channels`.
pub(crate) async fn channels(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Vec<ChannelView>>, Problem> {
    let channels = within_patience(api.core().ask(|node, _| node.channel_views())).await?;
    Ok(Json(channels))
}

/// `GET /api/v1/settings`: by name.
pub(crate) async fn settings(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<BTreeMap<String, SettingView>>, Problem> {
    let views = within_patience(api.core().ask(|node, _| node.setting_views())).await?;
    let named = views.into_iter().map(|view| (view.key.clone(), view));
    Ok(Json(named.collect()))
}

/// `GET /api/v1/settings/{key}`.
pub(crate) async fn setting(
    State(api): State<Arc<Api>>,
    InPath(key): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<SettingView>, Problem> {
    let asked = key.clone();
    let view = within_patience(api.core().ask(move |node, _| node.setting_view(&asked))).await?;
    view.map(Json).ok_or_else(|| no_setting(&key))
}

fn no_setting(key: &str) -> Problem {
    Problem::not_found(format!(
        "there is no setting `{key}`; GET /api/v1/settings lists them."
    ))
}

/// `GET /api/v1/settings/{key}/history`.
pub(crate) async fn history(
    State(api): State<Arc<Api>>,
    InPath(key): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Vec<VersionView>>, Problem> {
    let asked = key.clone();
    let found =
        within_patience(api.core().ask(move |node, _| node.setting_history(&asked))).await?;
    found.map(Json).ok_or_else(|| no_setting(&key))
}

/// What a setting is to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// As it is written; null for the default.
    value: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

/// `PUT /api/v1/settings/{key}`.
pub(crate) async fn set(
    State(api): State<Arc<Api>>,
    who: Who,
    InPath(key): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let Some(Wanted { value, note }) = read_json(&headers, body).await? else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"value\": \"…\"}, or null for the default.",
        ));
    };
    let value = value.map(|value| Text::new(&value)).transpose();
    let value = value.map_err(|error| Problem::bad_request(format!("`value`: {error}.")))?;
    let note = note_of(note)?;
    let name = Text::new(&key).map_err(|_| no_setting(&key))?;
    wish(&api, &who, Wish::Set { name, value, note }).await
}

/// Which version.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Version {
    /// Null for the one before the present.
    version: Option<u32>,
}

/// `POST /api/v1/settings/{key}/revert`.
pub(crate) async fn revert(
    State(api): State<Arc<Api>>,
    who: Who,
    InPath(key): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let wanted: Option<Version> = read_json(&headers, body).await?;
    let version = wanted.unwrap_or_default().version;
    let name = Text::new(&key).map_err(|_| no_setting(&key))?;
    wish(&api, &who, Wish::Revert { name, version }).await
}

/// A rule to try.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tried {
    rule: String,
}

/// `POST /api/v1/dry-run`.
pub(crate) async fn dry_run(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DryRun>, Problem> {
    let Some(Tried { rule }) = read_json(&headers, body).await? else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"rule\": \"cpu above 80 95 for 10s\"}.",
        ));
    };
    let tried = within_patience(api.core().ask(move |node, _| node.dry_run(&rule))).await?;
    let refused = |refusal| Problem::from(Refusal::Wish(WishRefusal::Setting(refusal)));
    tried.map(Json).map_err(refused)
}

async fn wish(api: &Api, who: &Who, wish: Wish) -> Result<Json<Done>, Problem> {
    let (action, detail) = in_words(&wish);
    let outcome = match within_patience(api.core().request(Request::Wish(wish))).await {
        Ok(Reply::Written { revision, .. }) => Ok(Json(Done { revision })),
        Ok(Reply::Refused(refusal)) => Err(refusal.into()),
        Ok(
            Reply::Forgotten
            | Reply::Invited { .. }
            | Reply::Reach(_)
            | Reply::Compacting
            | Reply::Verified(_),
        ) => Err(Problem::busy()),
        Err(problem) => Err(problem),
    };
    let act = Act {
        action,
        node: None,
        detail,
    };
    api.audit(who, act, &outcome);
    outcome
}

/// What is wanted, for the audit log: a stable word, and what exactly.
fn in_words(wish: &Wish) -> (&'static str, String) {
    match wish {
        Wish::Acknowledge { id, .. } => ("ack", id.to_string()),
        Wish::Resolve { id, .. } => ("resolve", id.to_string()),
        Wish::Silence { fits, for_ms, .. } => {
            ("silence", format!("{fits} for {} s", for_ms / 1_000))
        }
        Wish::Unsilence { id } => ("unsilence", id.to_string()),
        Wish::Set { name, value, .. } => {
            let value: &str = value.as_ref().map_or("default", |value| value.as_str());
            ("set", format!("{name} to {value}"))
        }
        Wish::Revert { name, version } => {
            let version = version.map_or_else(|| "before".to_owned(), |number| number.to_string());
            ("revert", format!("{name} to version {version}"))
        }
    }
}

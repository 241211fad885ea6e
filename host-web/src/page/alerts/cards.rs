//! Incidents and alerts, in lists of their own and on other views.

use crate::{
    catalogue::{count, fill},
    page::{
        alerts::{acts, words},
        dom,
        each::{each, memo, text, when},
        parts,
        state::{App, as_u64},
    },
    route::Place,
    words as general,
};
use sporenet_core::{
    node::alert_views::{AlertView, IncidentView},
    observe::alerts::{Standing, record::Grade},
};
use sycamore::prelude::*;

/// The most names of nodes in a line.
const NAMES_MAX: usize = 6;
/// The most incidents on the overview.
const OVERVIEW_MAX: usize = 3;

/// By [`key`].
type Alerts = ReadSignal<Vec<(Key, AlertView)>>;
type Key = (String, bool);

/// What tells an alert from all others: one that is pending has the id of the last one about the same.
pub(super) fn key(alert: &AlertView) -> Key {
    (alert.id.clone(), alert.state == Standing::Pending)
}

/// An incident in a list.
pub(super) fn incident(app: App, incident: ReadSignal<IncidentView>) -> View {
    let say = app.say.alerts();
    let id = incident.with_untracked(|incident| incident.id.clone());
    let (element, title_id) = (format!("incident-{id}"), format!("title-{id}"));
    let named = title_id.clone();
    let class = move || incident.with(words::incident_class);
    let href = Place::Incident(id.clone()).href();
    let title = text(move || incident.with(|incident| incident.title.clone()));
    let alerts = text(move || {
        let number = incident.with(|incident| incident.alerts.len());
        count(as_u64(number), (say.alerts_one, say.alerts_many))
    });
    let (mark, time, nodes, by, buttons) = (
        mark(app, incident),
        time(app, incident),
        text(move || names(app, &incident.with(|incident| incident.nodes.clone()))),
        by(app, incident),
        acts::buttons(app, incident),
    );
    view! {
        li(id=element, class=class, data-incident=id, tabindex="0", aria-labelledby=named,
            aria-keyshortcuts="a r s") {
            p(class="incident-head") {
                (mark)
                a(id=title_id, class="incident-title", href=href) { (title) }
            }
            p(class="incident-meta") { span { (time) } span { (alerts) } span { (nodes) } }
            (by)
            (buttons)
        }
    }
}

/// Severity and state of an incident: a shape, and both in words.
pub(super) fn mark(app: App, incident: ReadSignal<IncidentView>) -> View {
    let grade = memo(move || incident.with(|incident| incident.severity));
    let standing = memo(move || incident.with(|incident| incident.state));
    let shape = when(move || grade.get(), parts::grade_shape);
    let grade = text(move || words::grade(app, grade.get()).into());
    let standing = text(move || words::standing(app, standing.get()).into());
    view! {
        span(class="grade") { (shape) (grade) }
        span(class="tag standing") { (standing) }
    }
}

/// When it began and, if it did, ended.
pub(super) fn time(app: App, incident: ReadSignal<IncidentView>) -> View {
    let say = app.say.alerts();
    let began = incident.with_untracked(|incident| incident.since_ms);
    let (iso, moment) = (dom::iso(began), dom::moment(began));
    let text = text(move || {
        let (since, ended) = incident.with(|incident| (incident.since_ms, incident.ended_ms));
        let began = fill(say.began, &[&app.state.since(app.say, since)]);
        match ended {
            None => began,
            Some(ended) => {
                let span = general::span(ended.saturating_sub(since));
                format!("{began}, {}", fill(say.lasted, &[&span]))
            }
        }
    });
    view! { time(datetime=iso, title=moment) { (text) } }
}

/// Who looks after it, with which words, and for how long nobody is notified.
pub(super) fn by(app: App, incident: ReadSignal<IncidentView>) -> View {
    let (say, alarm) = (app.say.alerts(), app.state.alarm);
    let text = memo(move || {
        let incident = incident.get_clone();
        let by = incident.acknowledged_by.map(|by| {
            let by = fill(words::by(app, incident.state), &[&by]);
            match &incident.note {
                None => by,
                Some(note) => fill(say.with_note, &[&by, note]),
            }
        });
        let now = app.state.now_ms.get();
        let until = alarm.alerts.with(|alerts| {
            let own = alerts
                .iter()
                .filter(|alert| incident.alerts.contains(&alert.id) && alert.ended_ms.is_none());
            // It is silent only as long as all of it is.
            let until = own.map(|alert| alert.silenced_until_ms.unwrap_or_default());
            until.min().filter(|until| *until > now)
        });
        let silenced = until.map(|until| {
            let left = general::span(until.saturating_sub(now));
            fill(say.silenced, &[&left])
        });
        let all: Vec<String> = by.into_iter().chain(silenced).collect();
        all.join(" · ")
    });
    when(
        move || text.get_clone(),
        |text| match text.as_str() {
            "" => View::new(),
            _ => view! { p(class="incident-by") { (text) } },
        },
    )
}

/// What people call some nodes, and how many more there are; tracked.
fn names(app: App, nodes: &[String]) -> String {
    let named = nodes.iter().take(NAMES_MAX);
    let mut names: Vec<String> = named.map(|id| app.state.called(id)).collect();
    let more = nodes.len().saturating_sub(names.len());
    if more > 0 {
        names.push(fill(app.say.alerts().and_more, &[&more.to_string()]));
    }
    names.join(", ")
}

/// Alerts in a table.
pub(super) fn alerts(app: App, alerts: Alerts) -> View {
    let say = app.say.alerts();
    let rows = each(alerts, move |one| alert(app, one));
    let headings = [say.alerts, say.severity, say.state, say.value, say.since];
    let headings: Vec<View> = headings
        .into_iter()
        .map(|name| view! { th(scope="col") { (name) } })
        .collect();
    view! {
        div(class="table-wrap") {
            table(class="cards alerts") {
                thead { tr { (headings) } }
                tbody { (rows) }
            }
        }
    }
}

fn alert(app: App, alert: ReadSignal<AlertView>) -> View {
    let say = app.say.alerts();
    let (node, name, since) = alert.with_untracked(|alert| {
        let name = alert.node_name.clone();
        (alert.node.clone(), name, alert.since_ms)
    });
    let href = Place::Node(node).href();
    let grade = memo(move || alert.with(|alert| alert.severity));
    let shape = when(move || grade.get(), parts::grade_shape);
    let grade = text(move || words::grade(app, grade.get()).into());
    let standing = text(move || {
        let state = alert.with(|alert| alert.state);
        words::standing(app, state).into()
    });
    let said = text(move || alert.with(|alert| alert.text.clone()));
    let rule = alert.with_untracked(|alert| alert.rule.clone());
    let value = text(move || alert.with(|alert| words::measured(app, alert)));
    let (iso, moment) = (dom::iso(since), dom::moment(since));
    let ago = text(move || {
        let since = alert.with(|alert| alert.since_ms);
        app.state.since(app.say, since)
    });
    view! {
        tr {
            th(scope="row") {
                span(class="alert-text") { (said) }
                span(class="alert-of") { a(href=href) { (name) } " " span(class="mono") { (rule) } }
            }
            td(data-label=say.severity) { span(class="grade") { (shape) (grade) } }
            td(data-label=say.state) { (standing) }
            td(data-label=say.value) { (value) }
            td(data-label=say.since) { time(datetime=iso, title=moment) { (ago) } }
        }
    }
}

/// What helps next with the gravest open incident, if one is worth a look today; tracked.
pub(crate) fn gravest(app: App) -> Option<String> {
    let open = app.state.alarm.open().into_iter();
    let grave = open.filter(|incident| incident.severity >= Grade::Medium);
    let gravest = grave.max_by_key(|incident| incident.severity);
    gravest.map(|incident| incident.next_step)
}

/// The open incidents for the overview, the gravest first; nothing while all is calm.
pub(crate) fn open_now(app: App) -> View {
    let (say, alarm) = (app.say.alerts(), app.state.alarm);
    let open = memo(move || {
        let mut open = alarm.open();
        open.sort_by_key(|incident| core::cmp::Reverse(incident.severity));
        let open = open.into_iter();
        open.map(|incident| (incident.id.clone(), incident))
            .collect::<Vec<_>>()
    });
    let first =
        memo(move || open.with(|open| open.iter().take(OVERVIEW_MAX).cloned().collect::<Vec<_>>()));
    when(
        move || open.with(Vec::is_empty),
        move |is_calm| {
            if is_calm {
                return View::new();
            }
            let number = text(move || {
                let number = as_u64(open.with(Vec::len));
                count(number, (say.incidents_open_one, say.incidents_open_many))
            });
            let items = each(first, move |incident| brief(app, incident));
            view! {
                section(class="panel open-incidents", aria-labelledby="open-incidents-title") {
                    div(class="panel-head") {
                        h2(id="open-incidents-title") { (number) }
                        a(href="#/alerts") { (say.back) }
                    }
                    ul { (items) }
                }
            }
        },
    )
}

fn brief(app: App, incident: ReadSignal<IncidentView>) -> View {
    let id = incident.with_untracked(|incident| incident.id.clone());
    let href = Place::Incident(id).href();
    let class = move || incident.with(words::incident_class);
    let title = text(move || incident.with(|incident| incident.title.clone()));
    let next = text(move || incident.with(|incident| incident.next_step.clone()));
    let (mark, time) = (mark(app, incident), time(app, incident));
    view! {
        li(class=class) {
            p(class="incident-head") { (mark) a(class="incident-title", href=href) { (title) } }
            p(class="incident-meta") { span { (time) } span { (next) } }
        }
    }
}

/// The open alerts of a node; nothing if it has none.
pub(crate) fn of_node(app: App, node: String) -> View {
    let (say, alarm) = (app.say.alerts(), app.state.alarm);
    let own = memo(move || {
        alarm.alerts.with(|alerts| {
            let own = alerts
                .iter()
                .filter(|alert| alert.state != Standing::Resolved && alert.node == node);
            own.map(|alert| (key(alert), alert.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || own.with(Vec::is_empty),
        move |is_calm| {
            if is_calm {
                return View::new();
            }
            let table = alerts(app, own);
            view! {
                section(class="panel", aria-labelledby="node-alerts-title") {
                    div(class="panel-head") {
                        h2(id="node-alerts-title") { (say.open_alerts) }
                        a(href="#/alerts") { (say.alerts) }
                    }
                    (table)
                }
            }
        },
    )
}

/// The number of open incidents beside the rail's entry; nothing while all is calm.
pub(crate) fn badge(app: App) -> View {
    let (say, alarm) = (app.say.alerts(), app.state.alarm);
    when(
        move || alarm.open().len(),
        move |open| match open {
            0 => View::new(),
            open => {
                let words = count(
                    as_u64(open),
                    (say.incidents_open_one, say.incidents_open_many),
                );
                let title = words.clone();
                view! {
                    span(class="rail-count", title=title) {
                        span(aria-hidden="true") { (open.to_string()) }
                        span(class="visually-hidden") { (words) }
                    }
                }
            }
        },
    )
}

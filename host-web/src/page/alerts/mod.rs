//! What is wrong in the mesh, what is done about it, and what is watched.
//!
//! | file | what lives there |
//! |---|---|
//! | `known` | what the page knows of it, and what is under way |
//! | `cards`, `words` | incidents and alerts as they are shown |
//! | `acts` | the buttons of an incident and their keys |
//! | `incident` | the page of one incident |
//! | `notified` | silences and channels |
//! | `setting`, `history` | rules and settings: editing them; what they were, what a rule would have done |
//! | `tell`, `sound` | notices of the browser, and a sound with them |

mod acts;
mod cards;
mod history;
mod incident;
mod known;
mod notified;
mod setting;
mod sound;
mod tell;
mod words;

pub(crate) use acts::take_key;
pub(crate) use cards::{badge, gravest, of_node, open_now};
pub(crate) use incident::view as incident_view;
pub(crate) use known::Alarm;
pub(crate) use setting::mesh;
pub(crate) use tell::live;

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::{each, memo, text, when},
        parts,
        state::{App, State},
    },
    protocol::ALERTS_SHOWN_MAX,
};
use sporenet_core::observe::alerts::Standing;
use sycamore::prelude::*;

/// What the address says when those that are over are shown too.
const ALL: &str = "all";

/// The view.
pub(crate) fn view(app: App) -> View {
    let say = app.say.alerts();
    let is_replay = app.state.is_replay();
    let tell = if is_replay {
        View::new()
    } else {
        tell::button(app)
    };
    let (switch, incidents, alerts) = (switch(app), incidents(app), alerts(app));
    let (silences, channels, rules) = (
        notified::silences(app),
        notified::channels(app),
        setting::rules(app),
    );
    let heading = parts::heading(say.alerts);
    view! {
        (heading)
        div(class="alerts-head") { (tell) (switch) }
        div(class="grid halves") {
            section(class="panel whole", aria-labelledby="incidents-title") {
                div(class="panel-head") { h2(id="incidents-title") { (say.incidents) } }
                (incidents)
            }
            section(class="panel whole", aria-labelledby="alerts-title") {
                div(class="panel-head") { h2(id="alerts-title") { (say.all_alerts) } }
                (alerts)
            }
            (silences)
            (channels)
            (rules)
        }
    }
}

/// Whether those that are over are shown too; tracked.
fn shows_all(state: State) -> bool {
    state.route.with(|route| !route.chosen(ALL).is_empty())
}

fn switch(app: App) -> View {
    let state = app.state;
    let is_all = memo(move || shows_all(state));
    let choose = move |_| {
        let value = if is_all.get_untracked() { "" } else { "1" };
        let route = state.route.get_clone_untracked().with(ALL, value);
        dom::restate(&route.href());
        state.route.set(route);
    };
    view! {
        label(class="check") {
            input(id="over-too", r#type="checkbox", prop:checked=move || is_all.get(), on:change=choose)
            (app.say.alerts().over_too)
        }
    }
}

fn incidents(app: App) -> View {
    let (state, say) = (app.state, app.say.alerts());
    let shown = memo(move || {
        let is_all = shows_all(state);
        state.alarm.incidents.with(|incidents| {
            let shown = incidents
                .iter()
                .filter(|incident| is_all || incident.state != Standing::Resolved);
            shown
                .map(|incident| (incident.id.clone(), incident.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || shown.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! {
                    p(class="empty") { b { (say.nothing_fires) } " " (say.nothing_text) }
                };
            }
            let items = each(shown, move |incident| cards::incident(app, incident));
            view! { ul(class="incidents") { (items) } }
        },
    )
}

fn alerts(app: App) -> View {
    let (state, say) = (app.state, app.say.alerts());
    let shown = memo(move || {
        let is_all = shows_all(state);
        state.alarm.alerts.with(|alerts| {
            let shown = alerts
                .iter()
                .filter(|alert| is_all || alert.state != Standing::Resolved);
            shown
                .map(|alert| (cards::key(alert), alert.clone()))
                .collect::<Vec<_>>()
        })
    });
    let cut = text(move || {
        if state.alarm.alerts.with(Vec::len) < ALERTS_SHOWN_MAX {
            return String::new();
        }
        fill(say.newest_shown, &[&ALERTS_SHOWN_MAX.to_string()])
    });
    let table = when(
        move || shown.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                view! { p(class="empty") { (say.nothing_fires) } }
            } else {
                cards::alerts(app, shown)
            }
        },
    );
    view! { (table) p(class="muted small older") { (cut) } }
}

//! What a person does about an incident: the buttons, their keys, and what came of it.

use crate::{
    page::{
        alerts::known::{self, Outcome},
        dom,
        each::{memo, when},
        parts,
        state::{App, State},
    },
    route::Place,
};
use sporenet_core::{
    kernel::text::Text,
    node::{
        alert_views::{AlertView, IncidentView},
        snapshot::Severity,
    },
    observe::alerts::{
        Standing, Wish,
        record::{Id, Note},
    },
};
use std::collections::BTreeSet;
use sycamore::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// How long the button silences for: 2 h.
const SILENCE_MS: u64 = 7_200_000;
/// The most silences that one click makes.
const SILENCES_MAX: usize = 8;
/// So much of an identity stands for it: enough to tell all nodes of a mesh apart.
const NODE_DIGITS: usize = 16;

/// The buttons of an incident that is not over; nothing where a recording is replayed.
pub(super) fn buttons(app: App, incident: ReadSignal<IncidentView>) -> View {
    if app.state.is_replay() {
        return View::new();
    }
    let id = incident.with_untracked(|incident| incident.id.clone());
    let is_open = memo(move || incident.with(|incident| incident.state != Standing::Resolved));
    let outcome = outcome(app, id.clone());
    let shown = when(
        move || is_open.get(),
        move |is_open| {
            if is_open {
                open(app, incident)
            } else {
                View::new()
            }
        },
    );
    view! { (shown) (outcome) }
}

fn open(app: App, incident: ReadSignal<IncidentView>) -> View {
    let say = app.say.alerts();
    let id = incident.with_untracked(|incident| incident.id.clone());
    let busy = app.state.alarm.is_busy(&id);
    let [note_id, acknowledge_id, resolve_id, silence_id] =
        ["note", "acknowledge", "resolve", "silence"].map(|word| format!("{word}-{id}"));
    let (label, note) = (note_id.clone(), note_id.clone());
    let (of_acknowledge, of_resolve) = (id.clone(), id);
    let (to_acknowledge, to_resolve) = (note_id.clone(), note_id);
    view! {
        div(class="acts") {
            label(class="visually-hidden", r#for=label) { (say.note) }
            input(id=note, r#type="text", maxlength="256", autocomplete="off", placeholder=say.note_optional)
            button(id=acknowledge_id, class="button small", r#type="button", disabled=move || busy.get(),
                on:click=move |_| act(app, &of_acknowledge, &to_acknowledge, true)) { (say.acknowledge) }
            button(id=resolve_id, class="button small", r#type="button", disabled=move || busy.get(),
                on:click=move |_| act(app, &of_resolve, &to_resolve, false)) { (say.resolve) }
            button(id=silence_id, class="button small", r#type="button", disabled=move || busy.get(),
                on:click=move |_| silence(app, &incident.get_clone_untracked())) { (say.silence) }
        }
    }
}

/// What came of the last act about this.
pub(super) fn outcome(app: App, about: String) -> View {
    let alarm = app.state.alarm;
    let shown = when(
        move || alarm.outcome_of(&about),
        |outcome: Option<Outcome>| match outcome {
            None => View::new(),
            Some(Ok(text)) => view! { span(class="good") { (text) } },
            Some(Err(text)) => {
                let shape = parts::severity_shape(Severity::Error);
                view! { span(class="bad") { (shape) (text) } }
            }
        },
    );
    view! { p(class="outcome", role="status") { (shown) } }
}

/// What stands in a field for a note; `None` if it is empty.
pub(super) fn note(field: &str) -> Result<Option<Note>, String> {
    let text = dom::field(field);
    match text.trim() {
        "" => Ok(None),
        text => Note::new(text).map(Some).map_err(|error| error.to_string()),
    }
}

fn act(app: App, about: &str, field: &str, acknowledges: bool) {
    let say = app.say.alerts();
    let alarm = app.state.alarm;
    let Ok(id) = about.parse::<Id>() else { return };
    match note(field) {
        Err(why) => alarm.say(about, Err(why)),
        Ok(note) if acknowledges => {
            let wishes = vec![Wish::Acknowledge { id, note }];
            known::wish(app, about, wishes, say.acknowledged_done);
        }
        Ok(note) => known::wish(
            app,
            about,
            vec![Wish::Resolve { id, note }],
            say.resolved_done,
        ),
    }
}

/// Notifies nobody of an incident for a while.
fn silence(app: App, incident: &IncidentView) {
    let say = app.say.alerts();
    let alarm = app.state.alarm;
    let fits = alarm.alerts.with_untracked(|alerts| fits(incident, alerts));
    let note = match note(&format!("note-{}", incident.id)) {
        Ok(note) => note,
        Err(why) => {
            alarm.say(&incident.id, Err(why));
            return;
        }
    };
    let wishes: Vec<Wish> = fits
        .iter()
        .filter_map(|fits| Text::new(fits).ok())
        .map(|fits| Wish::Silence {
            fits,
            for_ms: SILENCE_MS,
            note: note.clone(),
        })
        .collect();
    if wishes.is_empty() {
        alarm.say(&incident.id, Err(say.nothing_to_silence.into()));
        return;
    }
    known::wish(app, &incident.id, wishes, say.silenced_done);
}

/// What fits the open alerts of an incident: each of its rules at each node; where those are many, its rules.
fn fits(incident: &IncidentView, alerts: &[AlertView]) -> BTreeSet<String> {
    let own = alerts
        .iter()
        .filter(|alert| incident.alerts.contains(&alert.id) && alert.ended_ms.is_none());
    let pairs: BTreeSet<(&str, &str)> = own
        .map(|alert| {
            let node = alert.node.get(..NODE_DIGITS).unwrap_or(&alert.node);
            (alert.rule.as_str(), node)
        })
        .collect();
    let is_many = pairs.len() > SILENCES_MAX;
    let fits = pairs.into_iter().map(|(rule, node)| {
        if is_many {
            rule.to_owned()
        } else {
            format!("{rule} {node}")
        }
    });
    fits.collect()
}

/// Takes a key for the incident that has the focus, or for the one whose page is open.
pub(crate) fn take_key(state: State, event: &KeyboardEvent) {
    let word = match event.key().as_str() {
        "a" => "acknowledge",
        "r" => "resolve",
        "s" => "silence",
        _ => return,
    };
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    let card = target.and_then(|target| target.closest("[data-incident]").ok().flatten());
    let id = match card {
        Some(card) => card.get_attribute("data-incident"),
        None => open_incident(state),
    };
    let button = id.and_then(|id| dom::element(&format!("{word}-{id}")));
    if let Some(button) = button {
        event.prevent_default();
        HtmlElement::click(&button);
    }
}

/// The incident whose page is open.
fn open_incident(state: State) -> Option<String> {
    let place = state.route.with_untracked(|route| route.place.clone());
    if let Place::Incident(id) = place {
        Some(id)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sporenet_core::observe::alerts::record::Grade;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    fn alert(number: usize, rule: &str, ended_ms: Option<u64>) -> AlertView {
        AlertView {
            id: format!("{number:08x}"),
            rule: rule.into(),
            severity: Grade::Low,
            state: Standing::Firing,
            node: format!("{number:064}"),
            node_name: String::new(),
            peer: None,
            peer_name: None,
            metric: String::new(),
            value: None,
            threshold: None,
            unit: String::new(),
            since_ms: 0,
            ended_ms,
            ending: None,
            acknowledged_by: None,
            acknowledged_ms: None,
            note: None,
            silenced_until_ms: None,
            incident: None,
            text: String::new(),
        }
    }

    fn incident(alerts: &[AlertView]) -> IncidentView {
        IncidentView {
            id: "0000000a".into(),
            title: String::new(),
            severity: Grade::Low,
            state: Standing::Firing,
            cause: String::new(),
            causes: Vec::new(),
            next_step: String::new(),
            nodes: Vec::new(),
            alerts: alerts.iter().map(|alert| alert.id.clone()).collect(),
            since_ms: 0,
            ended_ms: None,
            acknowledged_by: None,
            note: None,
            notified: Vec::new(),
        }
    }

    #[wasm_bindgen_test]
    fn a_silence_fits_the_open_alerts_of_its_incident_and_no_other() {
        let own = [alert(1, "cpu", None), alert(2, "disk", Some(7))];
        let incident = incident(&own);
        let [open, over] = own;
        let other = alert(3, "loss", None);
        let fits = fits(&incident, &[open, over, other]);
        assert_eq!(fits, BTreeSet::from(["cpu 0000000000000000".to_owned()]));
    }

    #[wasm_bindgen_test]
    fn a_silence_of_many_alerts_fits_their_rules() {
        let own: Vec<AlertView> = (0..20)
            .map(|number| AlertView {
                node: format!("{number:016}"),
                ..alert(number, "cpu", None)
            })
            .collect();
        let fits = fits(&incident(&own), &own);
        assert_eq!(fits, BTreeSet::from(["cpu".to_owned()]));
    }
}

//! Notices of the browser and of a screen reader: that an incident is new, once for each.

use crate::{
    catalogue::fill,
    page::{
        alerts::{known::Alarm, sound},
        dom,
        each::{memo, text, when},
        state::App,
    },
    route::Place,
};
use sporenet_core::{
    node::alert_views::IncidentView,
    observe::alerts::{Standing, record::Grade},
};
use sycamore::prelude::*;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{Notification, NotificationOptions, NotificationPermission};

/// Where it is kept that this browser notifies.
const KEPT: &str = "sporenet.notify";
/// Where it is kept that a sound comes with it.
const LOUD: &str = "sporenet.sound";
/// The least severity that is worth a notice.
const GRADE_MIN: Grade = Grade::Medium;
/// The most incidents that are remembered as told of; those with the lowest ids are forgotten first.
const HEARD_MAX: usize = 1_000;

/// Whether this browser was asked to notify, and may.
pub(crate) fn is_on() -> bool {
    dom::chosen(KEPT).is_some() && is_allowed()
}

/// Whether a sound comes with a notice.
pub(crate) fn is_loud() -> bool {
    dom::chosen(LOUD).is_some()
}

/// Whether the browser has notifications at all.
fn is_there() -> bool {
    let window = dom::window_and_document();
    window.is_some_and(|(window, _)| {
        js_sys::Reflect::has(&window, &"Notification".into()).unwrap_or_default()
    })
}

fn is_allowed() -> bool {
    is_there() && Notification::permission() == NotificationPermission::Granted
}

impl Alarm {
    /// Tells of each incident that is new. Those of the first snapshot are not: the page shows them already.
    pub(crate) fn hear(self, incidents: &[IncidentView]) {
        let grave = incidents
            .iter()
            .filter(|one| one.state != Standing::Resolved && one.severity >= GRADE_MIN);
        let Some(mut heard) = self.heard.get_clone_untracked() else {
            self.heard
                .set(Some(grave.map(|one| one.id.clone()).collect()));
            return;
        };
        let new: Vec<&IncidentView> = grave.filter(|one| !heard.contains(&one.id)).collect();
        let Some(newest) = new.first() else { return };
        self.news.set(Some(newest.title.clone()));
        if self.tells.get_untracked() {
            for incident in &new {
                notify(incident);
            }
        }
        let gravest = new.iter().map(|incident| incident.severity).max();
        if let Some(grade) = gravest.filter(|_| self.sounds.get_untracked()) {
            sound::play(grade);
        }
        heard.extend(new.iter().map(|one| one.id.clone()));
        while heard.len() > HEARD_MAX {
            heard.pop_first();
        }
        self.heard.set(Some(heard));
    }
}

fn notify(incident: &IncidentView) {
    let options = NotificationOptions::new();
    options.set_body(&incident.next_step);
    // A second tab replaces the notice in place of showing another.
    options.set_tag(&format!("sporenet-{}", incident.id));
    // Some browsers offer them to service workers only; then there is none.
    let Ok(notice) = Notification::new_with_options(&incident.title, &options) else {
        return;
    };
    let href = Place::Incident(incident.id.clone()).href();
    let clicked = Closure::once_into_js(move || {
        if let Some((window, _)) = dom::window_and_document() {
            let _ = window.focus();
        }
        dom::go(&href);
    });
    notice.set_onclick(clicked.dyn_ref());
}

/// Switches the notices on or off.
fn switch(app: App) {
    let alarm = app.state.alarm;
    if alarm.tells.get_untracked() {
        dom::choose(KEPT, None);
        alarm.tells.set(false);
        return;
    }
    let refused = app.say.alerts().tell_refused;
    let Ok(asked) = Notification::request_permission() else {
        alarm.say(KEPT, Err(refused.into()));
        return;
    };
    wasm_bindgen_futures::spawn_local(async move {
        // What was answered stands in the permission.
        let _ = wasm_bindgen_futures::JsFuture::from(asked).await;
        app.state.change(|| {
            if is_allowed() {
                dom::choose(KEPT, Some("on"));
                alarm.tells.set(true);
            } else {
                alarm.say(KEPT, Err(refused.into()));
            }
        });
    });
}

/// Switches the sound on or off. Switched on, it is heard once: browsers want a click before the first sound.
fn switch_sound(alarm: Alarm) {
    let is_loud = !alarm.sounds.get_untracked();
    dom::choose(LOUD, is_loud.then_some("on"));
    alarm.sounds.set(is_loud);
    if is_loud {
        sound::play(GRADE_MIN);
    }
}

/// The switches.
pub(super) fn button(app: App) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let loud = move || alarm.sounds.get().to_string();
    let sound = view! {
        button(id="sound", class="button small", r#type="button", aria-pressed=loud,
            on:click=move |_| switch_sound(alarm)) { (say.tell_sound) }
    };
    if !is_there() {
        return view! { div(class="tell") { (sound) p(class="muted small") { (say.tell_unknown) } } };
    }
    let note = text(move || {
        let outcome = alarm.outcome_of(KEPT);
        match (alarm.tells.get(), outcome) {
            (true, _) => say.tell_on.into(),
            (false, Some(Err(why))) => why,
            (false, Some(Ok(_)) | None) => String::new(),
        }
    });
    let pressed = move || alarm.tells.get().to_string();
    view! {
        div(class="tell") {
            button(id="tell", class="button small", r#type="button", aria-pressed=pressed,
                on:click=move |_| switch(app)) { (say.tell_here) }
            (sound)
            p(class="muted small", role="status") { (note) }
        }
    }
}

/// What a screen reader is told when an incident is new.
pub(crate) fn live(app: App) -> View {
    let alarm = app.state.alarm;
    let news = memo(move || alarm.news.get_clone());
    let shown = when(
        move || news.get_clone(),
        move |title| match title {
            None => View::new(),
            Some(title) => {
                let text = fill(app.say.alerts().new_incident, &[&title]);
                view! { (text) }
            }
        },
    );
    view! { p(id="alert-live", class="visually-hidden", role="status", aria-live="polite") { (shown) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    fn incident(id: &str, severity: Grade, state: Standing) -> IncidentView {
        IncidentView {
            id: id.into(),
            title: format!("incident {id}"),
            severity,
            state,
            cause: "node_down".into(),
            causes: Vec::new(),
            next_step: String::new(),
            nodes: Vec::new(),
            alerts: Vec::new(),
            since_ms: 0,
            ended_ms: None,
            acknowledged_by: None,
            note: None,
            notified: Vec::new(),
        }
    }

    /// What is news about these incidents, given what was heard before.
    fn news(alarm: Alarm, incidents: &[IncidentView]) -> Option<String> {
        alarm.news.set(None);
        alarm.hear(incidents);
        alarm.news.get_clone_untracked()
    }

    #[wasm_bindgen_test]
    fn an_incident_is_news_once_and_never_in_the_first_snapshot() {
        let root = create_root(|| {
            let alarm = Alarm::new();
            let first = incident("a", Grade::High, Standing::Firing);
            let next = incident("b", Grade::Medium, Standing::Firing);
            assert_eq!(news(alarm, core::slice::from_ref(&first)), None);
            let both = [next, first];
            assert_eq!(news(alarm, &both), Some("incident b".into()));
            assert_eq!(news(alarm, &both), None);
        });
        root.dispose();
    }

    #[wasm_bindgen_test]
    fn what_is_mild_or_over_is_no_news_until_it_is_grave() {
        let root = create_root(|| {
            let alarm = Alarm::new();
            assert_eq!(news(alarm, &[]), None);
            let mild = incident("a", Grade::Low, Standing::Firing);
            let over = incident("b", Grade::Critical, Standing::Resolved);
            assert_eq!(news(alarm, &[mild, over]), None);
            let grave = incident("a", Grade::Medium, Standing::Firing);
            assert_eq!(news(alarm, &[grave]), Some("incident a".into()));
        });
        root.dispose();
    }
}

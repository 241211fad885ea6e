//! The page of one incident: probable causes, what helps next, its alerts, and who was told when.

use crate::{
    catalogue::fill,
    page::{
        alerts::{acts, cards, words},
        dom,
        each::{each, memo, text, when},
        parts,
        state::App,
    },
    route::Place,
};
use sporenet_core::{
    node::{
        alert_views::{CauseView, IncidentView, NotifiedView},
        snapshot::Severity,
    },
    observe::alerts::record::Ending,
};
use sycamore::prelude::*;

/// The setting that says who is told when.
const ESCALATION: &str = "alerts.escalation";

/// Something that happened to an incident: when, how grave, in words.
type Step = (u64, Severity, String);

/// The view of the incident with this id.
pub(crate) fn view(app: App, id: String) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let wanted = id.clone();
    let found = memo(move || {
        alarm.incidents.with(|incidents| {
            let mut found = incidents.iter().filter(|incident| incident.id == wanted);
            found.next().cloned()
        })
    });
    let shown = when(
        move || found.with(Option::is_some),
        move |is_known| {
            let incident = found.with_untracked(Option::clone);
            match incident.filter(|_| is_known) {
                None => {
                    let text = fill(say.no_such, &[&id]);
                    view! {
                        section(class="panel calm") {
                            h1 { (app.say.nowhere_title) }
                            p(class="muted") { (text) }
                        }
                    }
                }
                Some(first) => {
                    let incident = memo(move || found.get_clone().unwrap_or_else(|| first.clone()));
                    known(app, incident)
                }
            }
        },
    );
    view! {
        p(class="back") { a(href="#/alerts") { "‹ " (say.back) } }
        (shown)
    }
}

fn known(app: App, incident: ReadSignal<IncidentView>) -> View {
    let (head, causes, alerts, course) = (
        head(app, incident),
        causes(app, incident),
        alerts(app, incident),
        course(app, incident),
    );
    view! {
        (head)
        div(class="grid halves") { (causes) (course) (alerts) }
    }
}

fn head(app: App, incident: ReadSignal<IncidentView>) -> View {
    let id = incident.with_untracked(|incident| incident.id.clone());
    let class = move || {
        format!(
            "panel incident-page {}",
            incident.with(words::incident_class)
        )
    };
    let title = text(move || incident.with(|incident| incident.title.clone()));
    let (mark, time, by, nodes, buttons) = (
        cards::mark(app, incident),
        cards::time(app, incident),
        cards::by(app, incident),
        nodes(app, incident),
        acts::buttons(app, incident),
    );
    view! {
        section(class=class, aria-labelledby="incident-title", data-incident=id, aria-keyshortcuts="a r s") {
            h1(id="incident-title") { (title) }
            p(class="incident-head") { (mark) span(class="muted") { (time) } }
            (by)
            (nodes)
            (buttons)
        }
    }
}

fn nodes(app: App, incident: ReadSignal<IncidentView>) -> View {
    let nodes = memo(move || {
        let mut nodes = incident.with(|incident| incident.nodes.clone());
        nodes.sort_unstable();
        nodes.dedup();
        let named = nodes.into_iter().map(|id| (id.clone(), (id, ())));
        named.collect::<Vec<_>>()
    });
    let links = each(nodes, move |one| {
        let id = one.with_untracked(|(id, ())| id.clone());
        let href = Place::Node(id.clone()).href();
        let name = text(move || app.state.called(&id));
        view! { li { a(class="chip", href=href) { (name) } } }
    });
    view! { ul(class="chips", aria-label=app.say.nodes) { (links) } }
}

fn causes(app: App, incident: ReadSignal<IncidentView>) -> View {
    let say = app.say.alerts();
    let causes = memo(move || {
        incident.with(|incident| {
            // Two causes may have one code, about different nodes.
            let causes = incident.causes.iter().cloned();
            causes.enumerate().collect::<Vec<_>>()
        })
    });
    let list = when(
        move || causes.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.no_causes) } };
            }
            let items = each(causes, cause);
            view! { ul(class="causes") { (items) } }
        },
    );
    let next = parts::known(app, move || {
        let next = incident.with(|incident| incident.next_step.clone());
        Some(next).filter(|next| !next.is_empty())
    });
    view! {
        section(class="panel", aria-labelledby="causes-title") {
            div(class="panel-head") { h2(id="causes-title") { (say.causes) } }
            (list)
            h2(class="eyebrow") { (say.next_step) }
            p(class="next-step") { (next) }
        }
    }
}

fn cause(cause: ReadSignal<CauseView>) -> View {
    let said = text(move || cause.with(|cause| cause.text.clone()));
    let percent = text(move || format!("{} %", cause.with(|cause| cause.percent)));
    let width = memo(move || cause.with(|cause| cause.percent.to_string()));
    view! {
        li {
            span(class="cause-text") { (said) }
            b { (percent) }
            svg(class="bar", viewBox="0 0 100 4", preserveAspectRatio="none", aria-hidden="true") {
                rect(class="bar-all", width="100", height="4")
                rect(class="bar-part", width=width, height="4")
            }
        }
    }
}

fn alerts(app: App, incident: ReadSignal<IncidentView>) -> View {
    let alarm = app.state.alarm;
    let own = memo(move || {
        let ids = incident.with(|incident| incident.alerts.clone());
        alarm.alerts.with(|alerts| {
            let own = alerts
                .iter()
                .filter(|alert| alert.incident.is_some() && ids.contains(&alert.id));
            own.map(|alert| (cards::key(alert), alert.clone()))
                .collect::<Vec<_>>()
        })
    });
    let table = cards::alerts(app, own);
    view! {
        section(class="panel whole", aria-labelledby="its-alerts-title") {
            div(class="panel-head") { h2(id="its-alerts-title") { (app.say.alerts().alerts) } }
            (table)
        }
    }
}

/// How it began, who was told, who looked after it, how it ended.
fn course(app: App, incident: ReadSignal<IncidentView>) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let steps = memo(move || {
        let steps = steps(app, &incident.get_clone()).into_iter().enumerate();
        steps.collect::<Vec<_>>()
    });
    let items = each(steps, move |one| step(app, one));
    let plan = text(move || {
        let settings = alarm.settings.get_clone();
        let plan = settings.iter().find(|setting| setting.key == ESCALATION);
        plan.map_or_else(String::new, |plan| fill(say.escalation, &[&plan.value]))
    });
    view! {
        section(class="panel", aria-labelledby="course-title") {
            div(class="panel-head") { h2(id="course-title") { (say.course) } }
            ol(class="course") { (items) }
            p(class="muted small") { (plan) }
        }
    }
}

fn steps(app: App, incident: &IncidentView) -> Vec<Step> {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let mut steps = vec![(incident.since_ms, Severity::Warn, say.it_began.to_owned())];
    steps.extend(incident.notified.iter().map(|told| {
        let (severity, text) = notified(app, told);
        (told.at_ms, severity, text)
    }));
    let acted = alarm.alerts.with(|alerts| {
        let own = alerts
            .iter()
            .filter(|alert| incident.alerts.contains(&alert.id));
        own.filter_map(|alert| alert.acknowledged_ms).max()
    });
    if let (Some(at), Some(by)) = (acted, &incident.acknowledged_by) {
        let by = fill(words::by(app, incident.state), &[by]);
        let text = match &incident.note {
            None => by,
            Some(note) => fill(say.with_note, &[&by, note]),
        };
        steps.push((at, Severity::Info, text));
    }
    alarm.alerts.with(|alerts| {
        let own = alerts.iter().filter(|alert| {
            alert.ending == Some(Ending::NodeDown) && incident.alerts.contains(&alert.id)
        });
        steps.extend(own.filter_map(|alert| {
            let text = fill(say.over_node_down, &[&alert.text]);
            Some((alert.ended_ms?, Severity::Info, text))
        }));
    });
    if let Some(ended) = incident.ended_ms {
        steps.push((ended, Severity::Info, say.it_ended.to_owned()));
    }
    steps.sort_by_key(|(at, _, _)| *at);
    steps
}

fn notified(app: App, told: &NotifiedView) -> (Severity, String) {
    let say = app.say.alerts();
    let what = match told.step {
        // Steps count from 0; people count from 1.
        Some(step) => {
            let step = u32::from(step).saturating_add(1).to_string();
            fill(say.told, &[&told.by, &told.channel, &step])
        }
        None => fill(say.told_over, &[&told.by, &told.channel]),
    };
    match told.ok {
        Some(true) => (Severity::Info, fill(say.arrived, &[&what])),
        None => (Severity::Warn, fill(say.on_its_way, &[&what])),
        Some(false) => {
            let why = told.error.as_deref().unwrap_or(say.no_reason);
            (Severity::Error, fill(say.not_arrived, &[&what, why]))
        }
    }
}

fn step(app: App, step: ReadSignal<Step>) -> View {
    let severity = memo(move || step.with(|(_, severity, _)| *severity));
    let shape = when(move || severity.get(), parts::severity_shape);
    let class = move || format!("event {}", crate::words::severity(severity.get()));
    let said = text(move || step.with(|(_, _, text)| text.clone()));
    let at = memo(move || step.with(|(at, _, _)| *at));
    let (iso, moment) = (
        memo(move || dom::iso(at.get())),
        memo(move || dom::moment(at.get())),
    );
    let ago = text(move || app.state.since(app.say, at.get()));
    view! {
        li(class=class) {
            span(class="event-shape") { (shape) }
            div {
                p(class="event-text") { (said) }
                p(class="event-meta") { time(datetime=iso, title=moment) { (ago) } }
            }
        }
    }
}

//! What a setting was, and what a rule would have done.

use crate::{
    catalogue::fill,
    page::{
        alerts::known,
        dom,
        each::{memo, when},
        metrics,
        state::App,
    },
    protocol::{Answer, Request},
    words,
};
use sporenet_core::{
    kernel::text::Text,
    node::alert_views::{DryAlert, DryRun, VersionView},
    observe::alerts::{Wish, rule::Rule},
};
use sycamore::prelude::*;

/// The most times that a trial lists; its count covers all.
const TIMES_MAX: usize = 50;

/// The versions of a setting, asked for anew whenever it changes.
pub(super) fn list(app: App, key: String) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let (of, asked) = (key.clone(), key.clone());
    let version = memo(move || {
        alarm.settings.with(|settings| {
            let own = settings.iter().find(|setting| setting.key == of);
            own.map(|setting| (setting.version, setting.changed_ms))
        })
    });
    create_effect(move || {
        version.track();
        // The answer may be there at once, which no effect may set signals under.
        let asked = asked.clone();
        dom::soon(move || ask(app, asked));
    });
    when(
        move || alarm.history.get_clone(),
        move |history| {
            let versions = match history {
                Some((of, versions)) if of == key => versions,
                Some(_) | None => return View::new(),
            };
            if versions.is_empty() {
                return view! { p(class="muted small") { (say.no_history) } };
            }
            let items: Vec<View> = versions
                .into_iter()
                .enumerate()
                .map(|(place, version)| item(app, key.clone(), place == 0, version))
                .collect();
            view! {
                div(class="history") {
                    h3 { (say.history) }
                    ol { (items) }
                }
            }
        },
    )
}

fn ask(app: App, key: String) {
    let request = Request::History { name: key.clone() };
    known::ask_quietly(app, request, move |alarm, answer| match answer {
        Ok(Answer::History(versions)) => alarm.history.set(Some((key, versions))),
        // One that nobody has set yet has none.
        Ok(_) | Err(_) => alarm.history.set(None),
    });
}

fn item(app: App, key: String, is_newest: bool, version: VersionView) -> View {
    let say = app.say.alerts();
    let number = version.version.to_string();
    let label = fill(say.revert_to, &[&number]);
    let ago = app.state.now_ms.get_untracked();
    let ago = words::ago(app.say, ago.saturating_sub(version.at_ms));
    let said = fill(say.version, &[&number, &version.by, &ago]);
    let said = match &version.note {
        None => said,
        Some(note) => fill(say.with_note, &[&said, note]),
    };
    let moment = dom::moment(version.at_ms);
    let lost = if version.lost {
        view! { span(class="tag") { (say.lost) } }
    } else {
        View::new()
    };
    // The present one is no way back, and what was lost has the number of another.
    let revert = if is_newest || version.lost {
        View::new()
    } else {
        let busy = app.state.alarm.is_busy(&key);
        let to = version.version;
        view! {
            button(class="button small", r#type="button", aria-label=label, disabled=move || busy.get(),
                on:click=move |_| revert(app, &key, to)) { (say.revert) }
        }
    };
    view! {
        li {
            p(class="mono setting-value") { (version.value) }
            p(class="muted small", title=moment) { (said) " " (lost) }
            (revert)
        }
    }
}

fn revert(app: App, key: &str, version: u32) {
    let say = app.say.alerts();
    let Ok(name) = Text::new(key) else { return };
    let wish = Wish::Revert {
        name,
        version: Some(version),
    };
    known::wish(app, key, vec![wish], say.reverted);
}

/// Asks what a rule would have done.
pub(super) fn try_out(app: App, key: &str, rule: String) {
    let of = key.to_owned();
    let request = Request::DryRun { rule };
    known::ask(app, key, request, move |alarm, answer| match answer {
        Ok(Answer::DryRun(run)) => alarm.trial.set(Some((of, *run))),
        Ok(_) => alarm.trial.set(None),
        Err(failure) => {
            alarm.trial.set(None);
            alarm.say(&of, Err(failure.text));
        }
    });
}

/// What the rule that is being edited would have done: in a sentence that is read aloud, drawn, and listed.
pub(super) fn trial(app: App, key: String) -> View {
    let alarm = app.state.alarm;
    let run = memo(move || match alarm.trial.get_clone() {
        Some((of, run)) if of == key => Some(run),
        Some(_) | None => None,
    });
    let said = when(
        move || run.get_clone(),
        move |run| run.map_or_else(View::new, |run| said(app, &run)),
    );
    let shown = when(
        move || run.get_clone(),
        move |run| run.map_or_else(View::new, |run| shown(app, run)),
    );
    view! {
        div(class="trial", role="status") { (said) }
        div(class="trial") { (shown) }
    }
}

fn said(app: App, run: &DryRun) -> View {
    let say = app.say.alerts();
    let Some(from) = run.from_ms else {
        return view! { p(class="muted") { (say.nothing_measured) } };
    };
    let since = dom::moment(from);
    let text = match run.fired {
        0 => fill(say.fired_never, &[&since]),
        fired => {
            let phrase = if fired == 1 {
                say.fired_one
            } else {
                say.fired_many
            };
            fill(phrase, &[&fired.to_string(), &since])
        }
    };
    let rule = run.rule.clone();
    view! {
        p { b { (text) } }
        p(class="mono small muted") { (rule) }
    }
}

fn shown(app: App, run: DryRun) -> View {
    let chart = metrics::tried(app, &run);
    if run.times.is_empty() {
        return chart;
    }
    let more = run.times.len().saturating_sub(TIMES_MAX);
    let more = match more {
        0 => String::new(),
        more => fill(app.say.alerts().and_more, &[&more.to_string()]),
    };
    let rule = run.rule.parse::<Rule>();
    let is_of_several = rule.is_ok_and(|rule| rule.metric.series().len() > 1);
    let times = run.times.into_iter().take(TIMES_MAX);
    let times: Vec<View> = times
        .map(|time| {
            let text = fired(app, &time, is_of_several);
            view! { li { (text) } }
        })
        .collect();
    view! {
        (chart)
        ul { (times) }
        p(class="muted small older") { (more) }
    }
}

fn fired(app: App, time: &DryAlert, is_of_several: bool) -> String {
    let say = app.say.alerts();
    let whose = metrics::whose(app, &time.node_name, &time.series, is_of_several);
    let began = dom::moment(time.since_ms);
    let said = match time.ended_ms {
        None => fill(say.fires_still, &[&whose, &began]),
        Some(ended) => {
            let span = words::span(ended.saturating_sub(time.since_ms));
            fill(say.fired_at, &[&whose, &began, &span])
        }
    };
    if time.critical {
        format!("{said} · {}", say.critical)
    } else {
        said
    }
}

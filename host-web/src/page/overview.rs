//! How everything is: the verdict, the facts behind it and the next step; four counters; what changed in
//! the last hour; throughput and latency.

use crate::{
    catalogue::fill,
    page::{
        alerts,
        each::{memo, text, when},
        join, metrics, nodes, parts,
        state::App,
        timeline,
    },
    words,
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{MemberCounts, Status, Verdict},
};
use sycamore::prelude::*;

/// What counts as changed lately.
const HOUR_MS: u64 = 3_600_000;

/// The view.
pub(crate) fn view(app: App) -> View {
    let say = app.say;
    let (verdict, counters) = (verdict(app), counters(app));
    let now = app.state.now_ms;
    let lately = timeline::list(
        app,
        move |entry| entry.wall.as_millis().saturating_add(HOUR_MS) >= now.get(),
        say.quiet_hour,
    );
    let charts = metrics::overview(app);
    let (incidents, worst) = (alerts::open_now(app), nodes::worst(app));
    view! {
        div(class="grid") {
            (verdict)
            (counters)
            (incidents)
            section(class="panel timeline", aria-labelledby="timeline-title") {
                div(class="panel-head") {
                    h2(id="timeline-title") { (say.last_hour) }
                    p(class="muted") { (say.newest_first) }
                }
                (lately)
            }
            div(class="aside") {
                (worst)
                section(class="panel", aria-labelledby="throughput-title") {
                    div(class="panel-head") { h2(id="throughput-title") { (say.throughput) } a(href="#/metrics") { (say.metrics) } }
                    (charts)
                }
            }
        }
    }
}

fn verdict(app: App) -> View {
    let status = app.state.status;
    let shown = when(
        move || {
            let verdict = status.with(|status| status.as_ref().map(|status| status.verdict));
            (verdict, alerts::gravest(app))
        },
        move |(verdict, gravest)| {
            let shape = parts::verdict_shape(verdict);
            let (word, headline, next) = match verdict {
                Some(verdict) => words::verdict(app.say, verdict),
                None => ("", app.say.no_verdict, ""),
            };
            // A mesh that is whole has something to do all the same where something is wrong.
            let (headline, next) = match gravest.filter(|_| verdict == Some(Verdict::Healthy)) {
                Some(next) => (app.say.works_title, next),
                None => (headline, next.to_owned()),
            };
            let reasons = join::reasons(app);
            view! {
                div(class="verdict-shape") { (shape) }
                div(class="verdict-words") {
                    p(class="eyebrow") { (word) }
                    h1(id="verdict-title") { (headline) }
                    h2(class="eyebrow") { (app.say.why) }
                    ul(class="reasons") { (reasons) }
                    h2(class="eyebrow") { (app.say.next_step) }
                    p(class="next") { (next) }
                }
            }
        },
    );
    let numbers = numbers(app);
    view! {
        section(class="panel verdict", aria-labelledby="verdict-title") { (shown) (numbers) }
    }
}

fn numbers(app: App) -> View {
    let say = app.say;
    let number = move |of: fn(App, &Status) -> String| {
        move || {
            app.state.status.with(|status| match status {
                Some(status) => of(app, status),
                None => say.unknown.into(),
            })
        }
    };
    let keys = parts::fact(
        say.keys_here,
        number(|_, status| status.kv.keys.to_string()),
    );
    let batches = parts::fact(
        say.batches,
        number(|_, status| status.kv.batches.to_string()),
    );
    let up_for = parts::fact(
        say.up_for,
        number(|_, status| words::span(status.uptime_s.saturating_mul(1_000))),
    );
    let incarnation = parts::fact(
        say.incarnation,
        number(|_, status| status.incarnation.to_string()),
    );
    let clock = parts::fact(say.clock, number(clock));
    view! { dl(class="numbers") { (keys) (batches) (up_for) (incarnation) (clock) } }
}

/// How far this clock is from those of its peers.
fn clock(app: App, status: &Status) -> String {
    let span = |ahead: i64| words::span(ahead.unsigned_abs());
    match status.clock_ahead_ms {
        None => app.say.unknown.into(),
        Some(-999..=999) => app.say.clock_agrees.into(),
        Some(ahead @ 1_000..) => fill(app.say.clock_ahead, &[&span(ahead)]),
        Some(ahead @ ..=-1_000) => fill(app.say.clock_behind, &[&span(ahead)]),
    }
}

fn counters(app: App) -> View {
    let say = app.say;
    let alive = counter(app, MemberState::Alive, say.alive_hint, |all| all.alive);
    let suspect = counter(app, MemberState::Suspect, say.suspect_hint, |all| {
        all.suspect
    });
    let parked = counter(app, MemberState::Parked, say.parked_hint, |all| all.parked);
    let dead = counter(app, MemberState::Dead, say.dead_hint, |all| all.dead);
    view! {
        section(class="counters", aria-label=say.by_state) { (alive) (suspect) (parked) (dead) }
    }
}

fn counter(app: App, state: MemberState, hint: &'static str, of: fn(&MemberCounts) -> u32) -> View {
    let status = app.state.status;
    let count =
        memo(move || status.with(|status| status.as_ref().map(|status| of(&status.members))));
    let word = words::state(state);
    let class = move || {
        let quiet = if count.get() == Some(0) { " quiet" } else { "" };
        format!("counter {word}{quiet}")
    };
    let number = text(move || match count.get() {
        Some(count) => count.to_string(),
        None => app.say.unknown.into(),
    });
    let shape = parts::state_shape(state);
    let href = format!("#/nodes?state={word}");
    view! {
        a(class=class, href=href) {
            span(class="counter-word") { (shape) (words::state_said(app.say, state)) }
            span(class="counter-number") { (number) }
            span(class="counter-hint") { (hint) }
        }
    }
}

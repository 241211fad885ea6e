//! One node: its score term by term, what it tells of itself, its paths in both directions, its events.

use crate::{
    page::{
        alerts,
        each::{each, memo, text, when},
        metrics, nodes, parts,
        state::App,
        timeline, vitals,
    },
    route::Place,
    words,
};
use sporenet_core::node::snapshot::{HealthTerm, Member, NodeVitals, PathView};
use sycamore::prelude::*;

/// The most paths in the table.
const PATHS_MAX: usize = 60;

/// The view of the node with this identity.
pub(crate) fn view(app: App, id: String) -> View {
    let state = app.state;
    let wanted = id.clone();
    let found = memo(move || {
        state.members.with(|members| {
            let mut found = members.iter().filter(|member| member.id == wanted);
            found.next().cloned()
        })
    });
    let shown = when(
        move || found.with(Option::is_some),
        move |is_known| {
            let member = found.with_untracked(Option::clone);
            match member.filter(|_| is_known) {
                None => view! {
                    section(class="panel calm") {
                        h1 { (app.say.nowhere_title) }
                        p(class="muted") { (app.say.no_such_node) }
                    }
                },
                Some(first) => {
                    let member = memo(move || found.get_clone().unwrap_or_else(|| first.clone()));
                    known(app, member)
                }
            }
        },
    );
    view! {
        p(class="back") { a(href="#/nodes") { "‹ " (app.say.back_to_nodes) } }
        (shown)
    }
}

fn known(app: App, member: ReadSignal<Member>) -> View {
    let id = member.with_untracked(|member| member.id.clone());
    let (head, score, vitals, paths) = (
        head(app, member),
        score(app, id.clone()),
        vitals_of(app, id.clone()),
        paths(app, id.clone()),
    );
    let alerts = alerts::of_node(app, id.clone());
    let charts = metrics::of_node(app, id.clone());
    let events = timeline::list(
        app,
        move |entry| {
            entry
                .subject
                .is_some_and(|subject| subject.to_string() == id)
        },
        app.say.no_events,
    );
    view! {
        (head)
        (alerts)
        div(class="grid halves") {
            (score)
            (vitals)
            (charts)
            (paths)
            section(class="panel timeline", aria-labelledby="events-title") {
                div(class="panel-head") {
                    h2(id="events-title") { (app.say.events) }
                    p(class="muted") { (app.say.newest_first) }
                }
                (events)
            }
        }
    }
}

fn head(app: App, member: ReadSignal<Member>) -> View {
    let say = app.say;
    let state = memo(move || member.with(|member| member.state));
    let shape = when(move || state.get(), parts::state_shape);
    let class = move || format!("panel node-head {}", words::state(state.get()));
    let name = text(move || member.with(|member| member.name.to_string()));
    let word = text(move || words::state_said(say, state.get()).into());
    let tag = nodes::tag(app, member);
    let of = move |of: fn(App, &Member) -> String| move || of(app, &member.get_clone());
    let facts: Vec<View> = vec![
        parts::fact(
            say.reason,
            of(|app, member| member.reason.clone().unwrap_or_else(|| app.say.none.into())),
        ),
        parts::fact(say.in_state, of(|_, member| words::span(member.since_ms))),
        parts::fact(
            say.role,
            of(|app, member| words::role(app.say, member.role).into()),
        ),
        parts::fact(
            say.zone,
            of(|app, member| {
                let zone = member.zone.as_ref();
                zone.map_or_else(|| app.say.unknown.into(), ToString::to_string)
            }),
        ),
        parts::fact(
            say.incarnation,
            of(|_, member| member.incarnation.to_string()),
        ),
        parts::fact(say.round_trip, of(nodes::rtt)),
        parts::fact(say.last_heard, of(nodes::heard)),
        parts::fact(
            say.addresses,
            of(|app, member| {
                let addresses: Vec<_> = member.addresses.iter().map(ToString::to_string).collect();
                list(app, &addresses)
            }),
        ),
        parts::fact(
            say.homes,
            of(|app, member| {
                let homes: Vec<_> = member.homes.iter().map(|id| app.state.called(id)).collect();
                list(app, &homes)
            }),
        ),
        parts::fact(say.identity, of(|_, member| member.id.clone())),
    ];
    view! {
        section(class=class, aria-labelledby="node-title") {
            h1(id="node-title") { (name) " " (tag) }
            p(class="state") { (shape) (word) }
            dl(class="facts") { (facts) }
        }
    }
}

fn list(app: App, items: &[String]) -> String {
    if items.is_empty() {
        app.say.none.into()
    } else {
        items.join(", ")
    }
}

fn score(app: App, id: String) -> View {
    let say = app.say;
    let health = memo(move || vitals::health_of(app, &id));
    let terms = memo(move || {
        health.with(|health| {
            let terms = health.iter().flat_map(|health| &health.terms);
            terms
                .map(|term| (term.name.clone(), term.clone()))
                .collect::<Vec<_>>()
        })
    });
    let figure = when(
        move || {
            health.with(|health| {
                let health = health.as_ref()?;
                let class = match health.healthy {
                    Some(true) => ("health good", say.takes_part),
                    Some(false) | None => ("health bad", say.takes_no_part),
                };
                Some((class, format!("{:.0} %", health.score? * 100.0)))
            })
        },
        move |figure| match figure {
            None => view! { p(class="empty") { (say.no_score) } },
            Some(((class, words), score)) => view! {
                p(class="score") { b(class=class) { (score) } " " span(class="muted") { (words) } }
            },
        },
    );
    let rows = each(terms, move |one| term(app, one));
    let headings = [
        say.check,
        say.value,
        say.share,
        say.sureness,
        say.age,
        say.observers,
    ];
    let headings: Vec<View> = headings.into_iter().map(heading).collect();
    view! {
        section(class="panel", aria-labelledby="score-title") {
            div(class="panel-head") { h2(id="score-title") { (say.score) } }
            (figure)
            p(class="muted small") { (say.score_text) }
            div(class="table-wrap") {
                table(class="cards") {
                    thead { tr { (headings) } }
                    tbody { (rows) }
                }
            }
        }
    }
}

fn heading(name: &'static str) -> View {
    view! { th(scope="col") { (name) } }
}

fn term(app: App, term: ReadSignal<HealthTerm>) -> View {
    let say = app.say;
    let share = |share: f64| format!("{:.0} %", share * 100.0);
    let name = term.with_untracked(|term| term.name.clone());
    let value = parts::known(app, move || term.with(|term| term.value.map(share)));
    let weight = text(move || share(term.with(|term| term.weight)));
    let sure = text(move || share(term.with(|term| term.confidence)));
    let age = parts::known(app, move || {
        term.with(|term| term.age_ms.map(|age| words::ago(say, age)))
    });
    let observers = parts::known(app, move || {
        let (value, observers) = term.with(|term| (term.value, term.observers));
        value.map(|_| match observers {
            0 => say.own_word.into(),
            observers => observers.to_string(),
        })
    });
    view! {
        tr {
            th(scope="row") { (name) }
            td(data-label=say.value) { (value) }
            td(data-label=say.share) { (weight) }
            td(data-label=say.sureness) { (sure) }
            td(data-label=say.age) { (age) }
            td(data-label=say.observers) { (observers) }
        }
    }
}

fn vitals_of(app: App, id: String) -> View {
    let say = app.say;
    let told: ReadSignal<Option<NodeVitals>> = memo(move || {
        app.state.vitals.with(|vitals| {
            let mut found = vitals.iter().filter(|vitals| vitals.id == id);
            found
                .next()
                .filter(|vitals| vitals.age_ms.is_some())
                .cloned()
        })
    });
    let shown = when(
        move || told.with(Option::is_some),
        move |has_told| {
            if !has_told {
                return view! { p(class="empty") { (say.no_vitals) } };
            }
            let facts: Vec<View> = vitals::figures(app)
                .into_iter()
                .map(|(name, of)| {
                    let value = parts::known(app, move || {
                        told.with(|told| told.as_ref().and_then(|told| of(app, told)))
                    });
                    view! { div { dt { (name) } dd { (value) } } }
                })
                .collect();
            view! { dl(class="facts") { (facts) } }
        },
    );
    view! {
        section(class="panel", aria-labelledby="vitals-title") {
            div(class="panel-head") { h2(id="vitals-title") { (say.vitals) } }
            (shown)
        }
    }
}

fn paths(app: App, id: String) -> View {
    let say = app.say;
    let own = id.clone();
    let found = memo(move || {
        app.state.paths.with(|paths| {
            let mine = paths
                .iter()
                .filter(|path| path.from == own || path.to == own);
            mine.take(PATHS_MAX)
                .map(|path| ((path.from.clone(), path.to.clone()), path.clone()))
                .collect::<Vec<_>>()
        })
    });
    let shown = when(
        move || found.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.no_paths) } };
            }
            let own = id.clone();
            let rows = each(found, move |one| path(app, &own, one));
            let headings = [
                say.peer,
                say.direction,
                say.round_trip,
                say.shortest,
                say.jitter,
                say.loss,
            ];
            let headings: Vec<View> = headings.into_iter().map(heading).collect();
            view! {
                p(class="muted small") { (say.paths_text) }
                div(class="table-wrap") {
                    table(class="cards") {
                        thead { tr { (headings) } }
                        tbody { (rows) }
                    }
                }
            }
        },
    );
    view! {
        section(class="panel", aria-labelledby="paths-title") {
            div(class="panel-head") { h2(id="paths-title") { (say.paths) } }
            (shown)
        }
    }
}

fn path(app: App, own: &str, path: ReadSignal<PathView>) -> View {
    let say = app.say;
    let first = path.get_clone_untracked();
    let (direction, peer, name) = if first.from == own {
        (say.from_it, first.to, first.to_name)
    } else {
        (say.to_it, first.from, first.from_name)
    };
    let (href, name) = (Place::Node(peer).href(), name.to_string());
    let rtt = text(move || words::rtt(path.with(|path| path.rtt_ms)));
    let shortest = text(move || words::rtt(path.with(|path| path.min_ms)));
    let jitter = text(move || words::rtt(path.with(|path| path.jitter_ms)));
    let loss = text(move || format!("{:.1} %", path.with(|path| path.loss) * 100.0));
    view! {
        tr {
            th(scope="row") { a(href=href) { (name) } }
            td(data-label=say.direction) { (direction) }
            td(data-label=say.round_trip) { (rtt) }
            td(data-label=say.shortest) { (shortest) }
            td(data-label=say.jitter) { (jitter) }
            td(data-label=say.loss) { (loss) }
        }
    }
}

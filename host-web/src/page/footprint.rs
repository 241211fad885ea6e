//! What the data takes on this node, whose it is, and the way to have room back at once.

use crate::{
    catalogue::{count, fill},
    page::{
        each::{each, memo, text, when},
        parts,
        state::{App, as_u64, put},
    },
    protocol::{Answer, Request},
    route::Place,
    words,
};
use sporenet_core::{
    node::data::{AuthorView, DataView},
    replication::replica::ShardFootprint,
};
use std::rc::Rc;
use sycamore::prelude::*;

/// Between two looks, in milliseconds.
const LOOK_MS: u64 = 2_000;
/// The most authors in the table.
const AUTHORS_MAX: usize = 50;
/// The width of a shard's bar with its gap, and the height of the row, in the picture's own unit.
const BAR: u32 = 10;
const BARS_HEIGHT: f64 = 100.0;

/// The section.
pub(crate) fn view(app: App) -> View {
    let state = app.state;
    let told: Signal<Option<DataView>> = create_signal(None);
    let looked = create_signal(0_u64);
    create_effect(move || {
        let now = state.now_ms.get();
        if now.abs_diff(looked.get_untracked()) >= LOOK_MS {
            looked.set(now);
            look(app, told);
        }
    });
    let shown = when(
        move || told.with(Option::is_some),
        move |is_told| {
            let first = told.get_clone_untracked();
            match first.filter(|_| is_told) {
                None => View::new(),
                Some(first) => {
                    let told = memo(move || told.get_clone().unwrap_or_else(|| first.clone()));
                    panel(app, told)
                }
            }
        },
    );
    view! { (shown) }
}

fn look(app: App, told: Signal<Option<DataView>>) {
    let state = app.state;
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let Some(client) = client else { return };
    client.ask(Request::Data, move |answer| {
        // The view may be gone by now.
        if let Ok(Answer::Data(data)) = answer
            && told.is_alive()
        {
            state.change(|| put(told, Some(*data)));
        }
    });
}

fn panel(app: App, told: ReadSignal<DataView>) -> View {
    let say = app.say.values();
    let failed: Signal<Option<String>> = create_signal(None);
    let is_busy = memo(move || told.with(|data| data.is_trimming || data.to_compact > 0));
    let asked = create_signal(false);
    let compact = move |_| {
        let client = app
            .state
            .client
            .with_untracked(|client| client.as_ref().map(Rc::clone));
        let Some(client) = client else { return };
        client.ask(Request::Compact, move |answer| {
            if failed.is_alive() {
                app.state.change(|| {
                    failed.set(answer.err().map(|failure| failure.text));
                    asked.set(true);
                });
            }
        });
    };
    let outcome = when(
        move || (failed.get_clone(), is_busy.get(), asked.get()),
        move |(failed, is_busy, asked)| match (failed, is_busy, asked) {
            (Some(why), _, _) => view! { span(class="bad") { (why) } },
            (None, true, _) => view! { span(class="muted") { (say.giving_back) } },
            (None, false, true) => view! { span(class="good") { (say.given_back) } },
            (None, false, false) => View::new(),
        },
    );
    let (facts, shards, ledger) = (facts(app, told), shards(app, told), ledger(app, told));
    view! {
        section(class="panel footprint", aria-labelledby="takes-title") {
            div(class="panel-head") {
                h2(id="takes-title") { (say.takes) }
                button(id="compact", class="button small", r#type="button", disabled=is_busy, on:click=compact) { (say.give_back) }
            }
            p(class="muted") { (say.takes_text) }
            p(class="outcome", role="status") { (outcome) }
            dl(class="facts") { (facts) }
            (shards)
            (ledger)
        }
    }
}

fn facts(app: App, told: ReadSignal<DataView>) -> Vec<View> {
    let say = app.say.values();
    let of = move |read: fn(App, &DataView) -> String| move || told.with(|data| read(app, data));
    vec![
        parts::fact(say.key_count, of(|_, data| data.keys.to_string())),
        parts::fact(
            say.memory,
            of(|app, data| {
                let of = (data.memory_bytes, data.memory_bytes_max);
                let (used, max) = (words::bytes(of.0), words::bytes(of.1));
                fill(app.say.values().memory_of, &[&used, &max])
            }),
        ),
        parts::fact(
            say.journal,
            of(|app, data| {
                let needed = data.journal_bytes.min(data.held_bytes);
                let (all, needed) = (words::bytes(data.journal_bytes), words::bytes(needed));
                fill(app.say.values().journal_of, &[&all, &needed])
            }),
        ),
        parts::fact(
            say.batches,
            of(|app, data| {
                let (batches, held) = (data.batches.to_string(), words::bytes(data.held_bytes));
                fill(app.say.values().batches_of, &[&batches, &held])
            }),
        ),
        parts::fact(
            say.overwritten,
            of(|_, data| words::bytes(overwritten(&data.shards))),
        ),
        parts::fact(
            say.rewritten,
            of(|app, data| {
                let (done, wait) = (data.compactions.to_string(), data.to_compact.to_string());
                fill(app.say.values().rewritten_of, &[&done, &wait])
            }),
        ),
    ]
}

fn overwritten(shards: &[ShardFootprint]) -> u64 {
    let bytes = shards.iter().map(|shard| shard.own_overwritten_bytes);
    bytes.fold(0, u64::saturating_add)
}

/// A bar for each shard that holds something: its bytes, and those of them that are overwritten.
fn shards(app: App, told: ReadSignal<DataView>) -> View {
    let say = app.say.values();
    when(
        move || told.with(|data| data.shards.clone()),
        move |shards| {
            let largest = shards.iter().map(|shard| shard.held_bytes).max();
            let Some(largest) = largest.filter(|largest| *largest > 0) else {
                return View::new();
            };
            let held = count(as_u64(shards.len()), (say.shards_one, say.shards_many));
            let (most, lost) = (words::bytes(largest), words::bytes(overwritten(&shards)));
            let label = fill(say.shards_label, &[&held, &most, &lost]);
            let width = u32::try_from(shards.len()).unwrap_or(u32::MAX);
            let size = format!("0 0 {} {BARS_HEIGHT}", width.saturating_mul(BAR));
            let bars: Vec<View> = (0..)
                .zip(&shards)
                .map(|(at, one)| bar(at, one, largest))
                .collect();
            view! {
                div(class="shards") {
                    h3(class="eyebrow") { (held) }
                    div(role="img", aria-label=label) {
                        svg(class="shard-bars", viewBox=size, preserveAspectRatio="none", aria-hidden="true") { (bars) }
                    }
                    p(class="legend") {
                        span(class="shard-key held") { (say.held) }
                        span(class="shard-key overwritten") { (say.overwritten_here) }
                    }
                }
            }
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "heights of bars")]
fn bar(at: u32, shard: &ShardFootprint, largest: u64) -> View {
    let height = |bytes: u64| (bytes as f64 / largest as f64 * BARS_HEIGHT).clamp(0.0, BARS_HEIGHT);
    // What holds little is still there.
    let all = height(shard.held_bytes).max(2.0);
    let lost = height(shard.own_overwritten_bytes.min(shard.held_bytes));
    let x = at.saturating_mul(BAR).to_string();
    let (top, tall) = (format!("{:.2}", BARS_HEIGHT - all), format!("{all:.2}"));
    let (lost_top, lost_tall) = (format!("{:.2}", BARS_HEIGHT - lost), format!("{lost:.2}"));
    let (also, wide) = (x.clone(), (BAR - 2).to_string());
    let as_wide = wide.clone();
    let hint = format!("{}: {}", shard.shard, words::bytes(shard.held_bytes));
    view! {
        g {
            title { (hint) }
            rect(class="bar-held", x=x, y=top, width=as_wide, height=tall)
            rect(class="bar-overwritten", x=also, y=lost_top, width=wide, height=lost_tall)
        }
    }
}

fn ledger(app: App, told: ReadSignal<DataView>) -> View {
    let say = app.say.values();
    let all = memo(move || told.with(|data| data.held_bytes.max(1)));
    let authors = memo(move || {
        told.with(|data| {
            let authors = data.ledger.iter().take(AUTHORS_MAX);
            authors
                .map(|author| (author.id.clone(), author.clone()))
                .collect::<Vec<_>>()
        })
    });
    let shown = when(
        move || authors.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.no_batches) } };
            }
            let rows = each(authors, move |one| author(app, one, all));
            let headings = [say.author, app.say.state, say.batches, say.room, say.share];
            let headings: Vec<View> = headings
                .into_iter()
                .map(|name| view! { th(scope="col") { (name) } })
                .collect();
            view! {
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
        h3(class="eyebrow ledger-title") { (say.whose) }
        (shown)
    }
}

fn author(app: App, author: ReadSignal<AuthorView>, all: ReadSignal<u64>) -> View {
    let say = app.say.values();
    let (id, name) = author.with_untracked(|author| (author.id.clone(), author.name.clone()));
    let href = Place::Node(id).href();
    let state = memo(move || author.with(|author| author.state));
    // Who is not in the list has no page.
    let named = when(
        move || state.get().is_some(),
        move |is_listed| {
            let (href, name) = (href.clone(), name.clone());
            if is_listed {
                view! { a(href=href) { (name) } }
            } else {
                view! { (name) }
            }
        },
    );
    let shape = when(
        move || state.get(),
        |state| state.map_or_else(View::new, parts::state_shape),
    );
    let word = text(move || {
        let since = author.with(|author| author.since_ms);
        match (state.get(), since) {
            (Some(state), Some(since)) => {
                let word = words::state_said(app.say, state);
                fill(say.state_since, &[word, &words::span(since)])
            }
            (Some(state), None) => words::state_said(app.say, state).into(),
            (None, _) => say.gone.into(),
        }
    });
    let batches = text(move || author.with(|author| author.batches).to_string());
    let room = text(move || words::bytes(author.with(|author| author.held_bytes)));
    let percent = memo(move || {
        let held = author.with(|author| author.held_bytes);
        held.saturating_mul(100).checked_div(all.get()).unwrap_or(0)
    });
    let said = text(move || format!("{} %", percent.get()));
    let width = memo(move || percent.get().to_string());
    view! {
        tr {
            th(scope="row") { (named) }
            td(class="state-cell", data-label=app.say.state) { span(class="state") { (shape) (word) } }
            td(data-label=say.batches) { (batches) }
            td(data-label=say.room) { (room) }
            td(data-label=say.share) {
                (said)
                svg(class="bar", viewBox="0 0 100 4", preserveAspectRatio="none", aria-hidden="true") {
                    rect(class="bar-all", width="100", height="4")
                    rect(class="bar-part", width=width, height="4")
                }
            }
        }
    }
}

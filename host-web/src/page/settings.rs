//! What is in force here, and the choices that are this browser's own: language and colours.

use crate::{
    catalogue::{Language, fill},
    page::{
        alerts, dom, keys, parts,
        state::{App, State, TIMELINE_MAX},
        theme::{self, Theme},
        tour,
    },
    protocol::{MEMBERS_SHOWN_MAX, Phase},
    words,
};
use sporenet_core::node::snapshot::Status;
use std::rc::Rc;
use sycamore::prelude::*;

/// Where the language that was chosen is kept.
const KEPT_LANGUAGE: &str = "sporenet.language";

/// The language that was chosen, if one was.
pub(crate) fn chosen_language() -> Option<Language> {
    let tag = dom::chosen(KEPT_LANGUAGE)?;
    Language::ALL
        .into_iter()
        .find(|language| language.tag() == tag)
}

fn choose_language(state: State, tag: &str) {
    let language = Language::ALL.into_iter().find(|one| one.tag() == tag);
    dom::choose(KEPT_LANGUAGE, language.map(Language::tag));
    // The whole page is made anew, this choice with it: only once its event is over.
    dom::soon(move || {
        state.chosen_language.set(language);
        dom::soon(|| dom::focus("language"));
    });
}

/// The view.
pub(crate) fn view(app: App) -> View {
    let (heading, appearance, in_force) = (
        parts::heading(app.say.settings),
        appearance(app),
        in_force(app),
    );
    let mesh = alerts::mesh(app);
    view! { (heading) div(class="grid halves") { (appearance) (in_force) (mesh) } }
}

fn appearance(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let languages = Language::ALL.map(|language| (language.tag(), language.name()));
    let language = state.chosen_language.get_untracked().map(Language::tag);
    let languages = options(languages, say.by_browser, language);
    let themes = Theme::ALL.map(|theme| {
        let name = match theme {
            Theme::Neon => say.theme_neon,
            Theme::Contrast => say.theme_contrast,
        };
        (theme.word(), name)
    });
    let themes = options(themes, say.by_browser, theme::chosen().map(Theme::word));
    let choose_theme = |_| {
        let word = dom::field("theme");
        theme::choose(Theme::ALL.into_iter().find(|theme| theme.word() == word));
    };
    let is_still = dom::asks_for("(prefers-reduced-motion: reduce)");
    let motion = parts::fact(say.motion, move || {
        if is_still {
            say.motion_little.into()
        } else {
            say.motion_full.into()
        }
    });
    view! {
        section(class="panel", aria-labelledby="appearance-title") {
            div(class="panel-head") {
                h2(id="appearance-title") { (say.appearance) }
                p(class="muted") { (say.kept_here) }
            }
            div(class="choices") {
                div(class="field") {
                    label(r#for="language") { (say.language) }
                    select(id="language", on:change=move |_| choose_language(state, &dom::field("language"))) { (languages) }
                }
                div(class="field") {
                    label(r#for="theme") { (say.theme) }
                    select(id="theme", on:change=choose_theme) { (themes) }
                }
            }
            dl(class="facts") { (motion) }
            div(class="row wraps") {
                button(id="show-keys", class="button small", r#type="button",
                    on:click=move |_| keys::open(state)) { (say.show_keys) }
                button(id="show-tour", class="button small", r#type="button",
                    on:click=move |_| tour::again(state)) { (say.show_tour) }
            }
        }
    }
}

fn options<const N: usize>(
    options: [(&'static str, &'static str); N],
    by_browser: &'static str,
    chosen: Option<&'static str>,
) -> View {
    let all = core::iter::once(("", by_browser)).chain(options);
    let all: Vec<View> = all
        .map(|(value, name)| {
            let selected = chosen.unwrap_or_default() == value;
            view! { option(value=value, selected=selected) { (name) } }
        })
        .collect();
    all.into()
}

fn in_force(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let of = move |of: fn(App, &Status) -> String| {
        move || {
            state.status.with(|status| match status {
                Some(status) => of(app, status),
                None => say.unknown.into(),
            })
        }
    };
    let facts: Vec<View> = vec![
        parts::fact(say.name, of(|_, status| status.name.to_string())),
        parts::fact(
            say.role,
            of(|app, status| words::role(app.say, status.role).into()),
        ),
        parts::fact(say.version, of(|_, status| status.version.clone())),
        parts::fact(say.mode, of(|_, status| status.mode.clone())),
        parts::fact(say.identity, of(|_, status| status.id.clone())),
        parts::fact(say.network, of(|_, status| status.network.clone())),
        parts::fact(say.storage, move || storage(app)),
        parts::fact(say.recording_ring, move || {
            let most = state.recording.with(|recording| recording.bytes_max);
            if most == 0 {
                say.unknown.into()
            } else {
                words::bytes(most)
            }
        }),
        parts::fact(say.members_shown, || MEMBERS_SHOWN_MAX.to_string()),
        parts::fact(say.entries_kept, || TIMELINE_MAX.to_string()),
        parts::fact(say.crashes, move || {
            // Asked again with every snapshot.
            state.now_ms.track();
            let client = state.client.with(|client| client.as_ref().map(Rc::clone));
            client.map_or_else(|| say.unknown.into(), |client| client.crashes().to_string())
        }),
    ];
    view! {
        section(class="panel", aria-labelledby="in-force-title") {
            div(class="panel-head") { h2(id="in-force-title") { (say.in_force) } }
            dl(class="facts") { (facts) }
        }
    }
}

/// Where identity and journal are kept; tracked.
fn storage(app: App) -> String {
    let phase = app.state.phase.get_clone();
    let Phase::Running { slot, volatile } = phase else {
        return app.say.unknown.into();
    };
    match (slot, volatile) {
        (_, Some(why)) => fill(app.say.storage_memory, &[&why]),
        (Some(slot), None) => fill(app.say.storage_slot, &[&slot.to_string()]),
        (None, None) => app.say.unknown.into(),
    }
}

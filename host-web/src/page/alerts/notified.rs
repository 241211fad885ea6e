//! What nobody is notified of, and over which channels the relays notify.

use crate::{
    catalogue::fill,
    page::{
        alerts::{acts, known, words},
        dom,
        each::{each, memo, text, when},
        state::App,
    },
    words as general,
};
use sporenet_core::{
    node::alert_views::{ChannelView, SilenceView},
    observe::alerts::Wish,
};
use sycamore::prelude::*;

/// About what the outcome of an ended silence is said.
const SILENCES: &str = "silences";

/// The silences in force.
pub(super) fn silences(app: App) -> View {
    let (state, say) = (app.state, app.say.alerts());
    let in_force = memo(move || {
        let now = state.now_ms.get();
        state.alarm.silences.with(|silences| {
            let in_force = silences.iter().filter(|silence| silence.until_ms > now);
            in_force
                .map(|silence| (silence.id.clone(), silence.clone()))
                .collect::<Vec<_>>()
        })
    });
    let list = when(
        move || in_force.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.no_silences) } };
            }
            let items = each(in_force, move |one| silence(app, one));
            view! { ul(class="silences") { (items) } }
        },
    );
    let outcome = acts::outcome(app, SILENCES.into());
    view! {
        section(class="panel", aria-labelledby="silences-title") {
            div(class="panel-head") { h2(id="silences-title") { (say.silences) } }
            (list)
            (outcome)
        }
    }
}

fn silence(app: App, silence: ReadSignal<SilenceView>) -> View {
    let (state, say) = (app.state, app.say.alerts());
    let first = silence.get_clone_untracked();
    let fits = fits(app, &first.fits);
    let label = fill(say.end_of, &[&fits]);
    let text = text(move || {
        let left = first.until_ms.saturating_sub(state.now_ms.get());
        let said = fill(say.silence_text, &[&fits, &general::span(left), &first.by]);
        match &first.note {
            None => said,
            Some(note) => fill(say.with_note, &[&said, note]),
        }
    });
    let (until, busy) = (dom::moment(first.until_ms), state.alarm.is_busy(SILENCES));
    let end = move |_| {
        if let Ok(id) = first.id.parse() {
            known::wish(
                app,
                SILENCES,
                vec![Wish::Unsilence { id }],
                say.silence_ended,
            );
        }
    };
    let button = if state.is_replay() {
        View::new()
    } else {
        view! {
            button(class="button small", r#type="button", aria-label=label, disabled=move || busy.get(), on:click=end) { (say.end) }
        }
    };
    view! { li(title=until) { span { (text) } (button) } }
}

/// What a silence fits, with the names of nodes in place of their identities.
fn fits(app: App, fits: &str) -> String {
    if fits.trim() == "*" {
        return app.say.alerts().everything.into();
    }
    let members = app.state.members.get_clone_untracked();
    let words = fits.split_whitespace().map(|word| {
        // Rules and severities are shorter than what the console writes of an identity.
        let is_node = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut named = members.iter().filter(|member| member.id.starts_with(word));
        match named.next().filter(|_| is_node) {
            Some(member) => member.name.to_string(),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" · ")
}

/// The channels of all relays.
pub(super) fn channels(app: App) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let all = memo(move || {
        alarm.channels.with(|channels| {
            let all = channels.iter();
            all.map(|channel| (channel.name.clone(), channel.clone()))
                .collect::<Vec<_>>()
        })
    });
    let list = when(
        move || all.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.no_channels) } };
            }
            let items = each(all, move |one| channel(app, one));
            view! { ul(class="channels") { (items) } }
        },
    );
    view! {
        section(class="panel", aria-labelledby="channels-title") {
            div(class="panel-head") { h2(id="channels-title") { (say.channels) } }
            (list)
        }
    }
}

fn channel(app: App, channel: ReadSignal<ChannelView>) -> View {
    let name = channel.with_untracked(|channel| channel.name.clone());
    let said = text(move || {
        let channel = channel.get_clone();
        let grade = words::grade(app, channel.min_severity);
        let nodes = channel.nodes.join(", ");
        fill(
            app.say.alerts().channel_text,
            &[&channel.kind, grade, &nodes],
        )
    });
    view! { li { b { (name) } " " span(class="muted") { (said) } } }
}

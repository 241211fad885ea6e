//! Rules and settings of the mesh: what is in force, editing, and setting back.

use crate::{
    catalogue::fill,
    page::{
        alerts::{acts, history, known, known::Alarm},
        dom,
        each::{each, memo, text, when},
        state::App,
    },
};
use sporenet_core::{kernel::text::Text, node::alert_views::SettingView, observe::alerts::Wish};
use sycamore::{prelude::*, web::events::SubmitEvent};

/// What the names of rules begin with.
const RULE: &str = "rule.";
/// What stands for a rule that is switched off.
const OFF: &str = "off";
/// The fields of the editor; one is open at a time.
const VALUE: &str = "setting-value";
const NOTE: &str = "setting-note";
/// The field for the name of a new rule.
const NEW: &str = "new-rule";

/// The rules.
pub(super) fn rules(app: App) -> View {
    let say = app.say.alerts();
    let list = list(app, true);
    let add = if app.state.is_replay() {
        View::new()
    } else {
        add(app)
    };
    view! {
        section(class="panel whole", aria-labelledby="rules-title") {
            div(class="panel-head") { h2(id="rules-title") { (say.rules) } p(class="muted") { (say.rules_text) } }
            (list)
            (add)
        }
    }
}

/// All settings but the rules, for the view of the settings.
pub(crate) fn mesh(app: App) -> View {
    let say = app.say.alerts();
    let list = list(app, false);
    view! {
        section(class="panel whole", aria-labelledby="mesh-title") {
            div(class="panel-head") { h2(id="mesh-title") { (say.mesh) } p(class="muted") { (say.mesh_text) } }
            (list)
        }
    }
}

fn list(app: App, rules: bool) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let wanted = memo(move || {
        alarm.settings.with(|settings| {
            let wanted = settings
                .iter()
                .filter(|setting| setting.key.starts_with(RULE) == rules);
            wanted
                .map(|setting| (setting.key.clone(), setting.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || wanted.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (say.none_known) } };
            }
            let items = each(wanted, move |one| item(app, one));
            view! { ul(class="settings-list") { (items) } }
        },
    )
}

fn item(app: App, setting: ReadSignal<SettingView>) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let key = setting.with_untracked(|setting| setting.key.clone());
    let name = key.strip_prefix(RULE).unwrap_or(&key).to_owned();
    let meaning = text(move || setting.with(|setting| setting.meaning.clone()));
    let value = text(move || setting.with(|setting| setting.value.clone()));
    let is_off = memo(move || setting.with(|setting| setting.value == OFF));
    let class = move || {
        if is_off.get() {
            "setting off"
        } else {
            "setting"
        }
    };
    let tag = when(
        move || is_off.get(),
        move |is_off| {
            if is_off {
                view! { span(class="tag") { (say.off) } }
            } else {
                View::new()
            }
        },
    );
    let changed = text(move || changed(app, &setting.get_clone()));
    let wanted = key.clone();
    let is_open = memo(move || alarm.edited.with(|edited| edited.as_ref() == Some(&wanted)));
    let editor = when(
        move || is_open.get(),
        move |is_open| {
            if is_open {
                let (key, value) =
                    setting.with_untracked(|setting| (setting.key.clone(), setting.value.clone()));
                editor(app, &key, value)
            } else {
                View::new()
            }
        },
    );
    let label = fill(say.edit_of, &[&name]);
    let button = if app.state.is_replay() {
        View::new()
    } else {
        view! {
            button(class="button small", r#type="button", aria-label=label,
                aria-expanded=move || is_open.get().to_string(),
                on:click=move |_| toggle(app, &key)) {
                (say.edit)
            }
        }
    };
    view! {
        li(class=class) {
            div(class="setting-head") {
                p { b(class="mono") { (name) } " " (tag) }
                p(class="setting-meaning") { (meaning) }
                p(class="mono setting-value") { (value) }
                p(class="muted small") { (changed) }
            }
            (button)
            (editor)
        }
    }
}

/// Who set it last and when, and what it was shipped as; tracked.
fn changed(app: App, setting: &SettingView) -> String {
    let say = app.say.alerts();
    let shipped = if setting.value == setting.default {
        say.as_shipped.to_owned()
    } else {
        fill(say.shipped, &[&setting.default])
    };
    match (&setting.changed_by, setting.changed_ms) {
        (Some(by), Some(at)) => {
            let changed = fill(say.changed, &[by, &app.state.since(app.say, at)]);
            format!("{changed} · {shipped}")
        }
        (Some(_) | None, None) | (None, Some(_)) => shipped,
    }
}

fn close(alarm: Alarm) {
    alarm.edited.set(None);
    alarm.history.set(None);
    alarm.trial.set(None);
}

/// Opens the editor of a setting, or closes it.
fn toggle(app: App, key: &str) {
    let alarm = app.state.alarm;
    let was_open = alarm
        .edited
        .with_untracked(|edited| edited.as_deref() == Some(key));
    app.state.change(|| {
        close(alarm);
        alarm.edited.set((!was_open).then(|| key.to_owned()));
    });
    if !was_open {
        dom::soon(|| dom::focus(VALUE));
    }
}

fn editor(app: App, key: &str, value: String) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let is_rule = key.starts_with(RULE);
    let busy = alarm.is_busy(key);
    let (outcome, history) = (
        acts::outcome(app, key.to_owned()),
        history::list(app, key.to_owned()),
    );
    let (form, trial) = if is_rule {
        (say.rule_form, history::trial(app, key.to_owned()))
    } else {
        ("", View::new())
    };
    let acts_of_rule = if is_rule {
        acts_of_rule(app, key, busy)
    } else {
        View::new()
    };
    let (saved, reset) = (key.to_owned(), key.to_owned());
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        set(app, &saved, Some(dom::field(VALUE).trim()));
    };
    view! {
        form(class="editor", on:submit=on_submit) {
            div(class="field wide") {
                label(r#for=VALUE) { (say.value) }
                input(id=VALUE, class="mono", r#type="text", maxlength="512", autocomplete="off", autocapitalize="off",
                    "spellcheck"="false", required=true, value=value)
                p(class="muted small") { (form) }
            }
            div(class="field") {
                label(r#for=NOTE) { (say.why) }
                input(id=NOTE, r#type="text", maxlength="256", autocomplete="off", placeholder=say.note_optional)
            }
            div(class="acts") {
                button(class="button small primary", r#type="submit", disabled=move || busy.get()) { (say.save) }
                (acts_of_rule)
                button(class="button small", r#type="button", disabled=move || busy.get(),
                    on:click=move |_| set(app, &reset, None)) { (say.reset) }
                button(class="button small", r#type="button", on:click=move |_| close(alarm)) { (say.close) }
            }
            (outcome)
            (trial)
            (history)
        }
    }
}

fn acts_of_rule(app: App, key: &str, busy: ReadSignal<bool>) -> View {
    let say = app.say.alerts();
    let (tried, off) = (key.to_owned(), key.to_owned());
    view! {
        button(class="button small", r#type="button", disabled=move || busy.get(),
            on:click=move |_| history::try_out(app, &tried, dom::field(VALUE))) { (say.try_it) }
        button(class="button small danger", r#type="button", disabled=move || busy.get(),
            on:click=move |_| set(app, &off, Some(OFF))) { (say.switch_off) }
    }
}

/// Sets a setting; `None` for the default.
fn set(app: App, key: &str, value: Option<&str>) {
    let alarm = app.state.alarm;
    let made = || -> Result<Wish, String> {
        let refused = |error: sporenet_core::kernel::text::TextError| error.to_string();
        Ok(Wish::Set {
            name: Text::new(key).map_err(refused)?,
            value: value.map(Text::new).transpose().map_err(refused)?,
            note: acts::note(NOTE)?,
        })
    };
    match made() {
        Err(why) => alarm.say(key, Err(why)),
        Ok(wish) => known::wish(app, key, vec![wish], app.say.alerts().saved),
    }
}

/// A field for the name of a rule that there is not yet, and its editor.
fn add(app: App) -> View {
    let (alarm, say) = (app.state.alarm, app.say.alerts());
    let new = memo(move || {
        let edited = alarm.edited.get_clone()?;
        let is_known = alarm
            .settings
            .with(|settings| settings.iter().any(|setting| setting.key == edited));
        (edited.starts_with(RULE) && !is_known).then_some(edited)
    });
    let editor = when(
        move || new.get_clone(),
        move |new| match new {
            None => View::new(),
            Some(key) => {
                let editor = editor(app, &key, String::new());
                view! { p(class="mono") { b { (key) } } (editor) }
            }
        },
    );
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let name = dom::field(NEW);
        if !name.trim().is_empty() {
            dom::set_field(NEW, "");
            toggle(app, &format!("{RULE}{}", name.trim()));
        }
    };
    view! {
        form(class="row new-rule", on:submit=on_submit) {
            label(class="visually-hidden", r#for=NEW) { (say.new_rule) }
            input(id=NEW, r#type="text", maxlength="32", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                placeholder=say.new_rule)
            button(class="button", r#type="submit") { (say.add) }
        }
        (editor)
    }
}

//! What the page knows of alerts, incidents and settings, and what is being done about them.
//!
//! All of it lives as long as the page, so that an answer that comes late finds its place.

use crate::{
    page::{
        alerts::tell,
        each::memo,
        state::{App, State, put},
    },
    protocol::{Answer, Failure, Request},
};
use core::cell::{Cell, RefCell};
use sporenet_core::{
    node::alert_views::{
        AlertView, ChannelView, DryRun, IncidentView, SettingView, SilenceView, VersionView,
    },
    observe::alerts::{Standing, Wish},
};
use std::{collections::BTreeSet, rc::Rc};
use sycamore::prelude::*;

/// What came of something, in words.
pub(crate) type Outcome = Result<String, String>;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    /// Those that are open first, then the newest.
    pub(crate) alerts: Signal<Vec<AlertView>>,
    /// The same.
    pub(crate) incidents: Signal<Vec<IncidentView>>,
    pub(crate) silences: Signal<Vec<SilenceView>>,
    pub(crate) channels: Signal<Vec<ChannelView>>,
    pub(crate) settings: Signal<Vec<SettingView>>,
    /// About what something is under way: an incident, a silence, a setting.
    busy: Signal<BTreeSet<String>>,
    /// What came of the last act, and about what it was.
    outcome: Signal<Option<(String, Outcome)>>,
    /// The setting that is being edited.
    pub(crate) edited: Signal<Option<String>>,
    /// What a setting was.
    pub(crate) history: Signal<Option<(String, Vec<VersionView>)>>,
    /// What a rule would have done.
    pub(crate) trial: Signal<Option<(String, DryRun)>>,
    /// Whether the browser notifies.
    pub(crate) tells: Signal<bool>,
    /// Whether a sound comes with it.
    pub(crate) sounds: Signal<bool>,
    /// What was told of already; `None` before the first snapshot.
    pub(crate) heard: Signal<Option<BTreeSet<String>>>,
    /// The title of the newest incident, to be read aloud.
    pub(crate) news: Signal<Option<String>>,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            alerts: create_signal(Vec::new()),
            incidents: create_signal(Vec::new()),
            silences: create_signal(Vec::new()),
            channels: create_signal(Vec::new()),
            settings: create_signal(Vec::new()),
            busy: create_signal(BTreeSet::new()),
            outcome: create_signal(None),
            edited: create_signal(None),
            history: create_signal(None),
            trial: create_signal(None),
            tells: create_signal(tell::is_on()),
            sounds: create_signal(tell::is_loud()),
            heard: create_signal(None),
            news: create_signal(None),
        }
    }

    /// Takes what a snapshot says of what is wrong.
    pub(crate) fn take_wrong(self, alerts: Vec<AlertView>, incidents: Vec<IncidentView>) {
        put(self.alerts, alerts);
        put(self.incidents, incidents);
    }

    /// Takes what a snapshot says of what the mesh follows.
    pub(crate) fn take_followed(
        self,
        silences: Vec<SilenceView>,
        channels: Vec<ChannelView>,
        settings: Vec<SettingView>,
    ) {
        put(self.silences, silences);
        put(self.channels, channels);
        put(self.settings, settings);
    }

    /// The incidents that are not over; tracked.
    pub(crate) fn open(self) -> Vec<IncidentView> {
        let mut open = self.incidents.get_clone();
        open.retain(|incident| incident.state != Standing::Resolved);
        open
    }

    /// Whether something is under way about this.
    pub(crate) fn is_busy(self, about: &str) -> ReadSignal<bool> {
        let about = about.to_owned();
        memo(move || self.busy.with(|busy| busy.contains(&about)))
    }

    /// What came of the last act, if it was about this; tracked.
    pub(crate) fn outcome_of(self, about: &str) -> Option<Outcome> {
        self.outcome.with(|outcome| match outcome {
            Some((of, outcome)) if of == about => Some(outcome.clone()),
            Some(_) | None => None,
        })
    }

    /// Says what came of something.
    pub(crate) fn say(self, about: &str, outcome: Outcome) {
        self.outcome.set(Some((about.to_owned(), outcome)));
    }

    fn start(self, about: &str) {
        self.outcome.set(None);
        self.busy.update(|busy| busy.insert(about.to_owned()));
    }

    fn finish(self, about: &str) {
        self.busy.update(|busy| busy.remove(about));
    }
}

/// Wants something done about `about`, and says `done` once all of it is.
pub(crate) fn wish(app: App, about: &str, wishes: Vec<Wish>, done: &'static str) {
    let left = Cell::new(wishes.len());
    let failed = RefCell::new(None);
    let shared = Rc::new((left, failed));
    for wish in wishes {
        let (shared, of) = (Rc::clone(&shared), about.to_owned());
        ask(app, about, Request::Wish(wish), move |alarm, answer| {
            let (left, failed) = &*shared;
            left.set(left.get().saturating_sub(1));
            if let Err(failure) = answer {
                failed.replace(Some(failure.text));
            }
            if left.get() == 0 {
                alarm.say(&of, failed.take().map_or_else(|| Ok(done.into()), Err));
            }
        });
    }
}

/// Asks the node, and marks `about` as busy until the answer is there.
pub(crate) fn ask(
    app: App,
    about: &str,
    request: Request,
    then: impl FnOnce(Alarm, Result<Answer, Failure>) + 'static,
) {
    let state = app.state;
    let alarm = state.alarm;
    let Some(client) = client(state) else {
        alarm.say(about, Err(app.say.alerts().no_node.into()));
        return;
    };
    alarm.start(about);
    let of = about.to_owned();
    client.ask(request, move |answer| {
        state.change(|| {
            alarm.finish(&of);
            then(alarm, answer);
        });
    });
}

/// Asks the node for something to show beside.
pub(crate) fn ask_quietly(
    app: App,
    request: Request,
    then: impl FnOnce(Alarm, Result<Answer, Failure>) + 'static,
) {
    let state = app.state;
    if let Some(client) = client(state) {
        client.ask(request, move |answer| {
            state.change(|| then(state.alarm, answer));
        });
    }
}

fn client(state: State) -> Option<Rc<crate::client::Client>> {
    state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone))
}

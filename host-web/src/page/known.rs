//! Members and the links among them, as the two pictures of the mesh show and tell them.

use crate::{
    catalogue::{count, fill},
    draw::{map::model::Quality, unit::Unit},
    graph::links::{self, Link, Reading},
    page::state::{App, State, as_u64},
    words,
};
use sporenet_core::node::snapshot::Member;
use std::rc::Rc;
use sycamore::prelude::*;

/// Members as a snapshot has them, and the links among them, the worst first.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) members: Vec<Member>,
    pub(crate) links: Vec<Link>,
}

impl Known {
    /// What is known now, made anew with each snapshot.
    pub(crate) fn of(state: State) -> ReadSignal<Rc<Self>> {
        create_memo(move || {
            state.members.with(|members| {
                let links = state.edges.with(|edges| {
                    state
                        .paths
                        .with(|paths| links::judged(members, edges, paths))
                });
                Rc::new(Self {
                    members: members.clone(),
                    links,
                })
            })
        })
    }

    /// A member's name.
    pub(crate) fn name(&self, number: usize) -> String {
        let member = self.members.get(number);
        member.map_or_else(String::new, |member| member.name.to_string())
    }

    /// A member's number, by its identity.
    pub(crate) fn number_of(&self, id: &str) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    /// How many links are slow or lossy, and how many asymmetric.
    pub(crate) fn bad_and_asymmetric(&self) -> (usize, usize) {
        let bad = |link: &&Link| link.quality >= Quality::Slow;
        (
            self.links.iter().filter(bad).count(),
            self.links.iter().filter(|link| link.asymmetric).count(),
        )
    }

    /// What is told of a member: its name, its state with the reason, what it is, and its links.
    pub(crate) fn tell_member(&self, app: App, number: usize) -> Vec<String> {
        let Some(member) = self.members.get(number) else {
            return Vec::new();
        };
        let say = app.say.topology();
        let state = words::state_said(app.say, member.state);
        let state = match &member.reason {
            Some(reason) => format!("{state}: {reason}"),
            None => state.into(),
        };
        let zone = member.zone.as_ref().map(ToString::to_string);
        let what = [Some(words::role(app.say, member.role).into()), zone];
        let own = self.links.iter();
        let own: Vec<&Link> = own
            .filter(|link| link.a == number || link.b == number)
            .collect();
        let mut links = vec![app.links(own.len())];
        for quality in [Quality::Lossy, Quality::Slow] {
            match own.iter().filter(|link| link.quality == quality).count() {
                0 => {}
                some => links.push(format!("{some} {}", quality.word(say))),
            }
        }
        let mut lines = vec![
            member.name.to_string(),
            state,
            what.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        ];
        if let Some(place) = member.place {
            lines.push(crate::draw::map::model::Place::from(place).in_words(say));
        }
        lines.push(links.join(", "));
        lines
    }

    /// What is told of a link: its ends with its quality, and what each of them measured.
    pub(crate) fn tell_link(&self, app: App, link: &Link) -> Vec<String> {
        let say = app.say.topology();
        let (a, b) = (self.name(link.a), self.name(link.b));
        let mut lines = vec![
            format!("{a} – {b}: {}", link.quality.word(say)),
            tell_reading(app, (&a, &b), link.forth),
            tell_reading(app, (&b, &a), link.back),
        ];
        if link.asymmetric {
            lines.push(say.asymmetric_why.into());
        }
        lines
    }

    /// What is told of several nodes at one place.
    pub(crate) fn tell_cluster(&self, app: App, numbers: &[usize]) -> Vec<String> {
        const NAMED_MAX: usize = 8;
        let mut lines = vec![app.nodes(numbers.len())];
        let named = numbers.iter().take(NAMED_MAX);
        lines.extend(named.filter_map(|number| {
            let member = self.members.get(*number)?;
            let state = words::state_said(app.say, member.state);
            Some(format!("{}: {state}", member.name))
        }));
        if numbers.len() > NAMED_MAX {
            let more = numbers.len().saturating_sub(NAMED_MAX).to_string();
            lines.push(fill(app.say.alerts().and_more, &[&more]));
        }
        lines.push(app.say.topology().cluster_hint.into());
        lines
    }
}

/// What one end measured of a link.
fn tell_reading(app: App, (from, to): (&str, &str), of: Option<Reading>) -> String {
    let say = app.say.topology();
    let Some(of) = of else {
        return fill(say.not_told, &[from, to]);
    };
    let (rtt, jitter) = (
        Unit::Millis.tell(of.rtt_ms),
        Unit::Millis.tell(of.jitter_ms),
    );
    let (loss, age) = (percent(of.loss), words::ago(app.say, of.age_ms));
    fill(say.reading, &[from, to, &rtt, &jitter, &loss, &age])
}

/// A share as hundredths, without the sign.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// How many are left out, if any are.
pub(crate) fn left_out(number: usize, phrases: (&str, &str)) -> View {
    match number {
        0 => View::new(),
        some => {
            let text = count(as_u64(some), phrases);
            view! { p(class="muted small") { (text) } }
        }
    }
}

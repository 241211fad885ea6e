//! What is shown, and what keys do.

use super::{
    rows,
    seen::{Act, SILENCE, Seen},
};
use crate::cli::print::{harmless, span};
use ratatui::{
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    widgets::TableState,
};
use sporenet_core::node::alert_views::IncidentView;

/// A view below the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    #[default]
    Nodes,
    Paths,
    Events,
    Incidents,
}

impl Shown {
    /// All of them with their keys and names, in order.
    pub(super) const ALL: [(Self, char, &'static str); 4] = [
        (Self::Nodes, '1', "nodes"),
        (Self::Paths, '2', "round trips"),
        (Self::Events, '3', "events"),
        (Self::Incidents, '4', "incidents"),
    ];

    const fn next(self) -> Self {
        match self {
            Self::Nodes => Self::Paths,
            Self::Paths => Self::Events,
            Self::Events => Self::Incidents,
            Self::Incidents => Self::Nodes,
        }
    }

    const fn before(self) -> Self {
        self.next().next().next()
    }

    /// The view whose name begins so.
    fn called(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        let found = Self::ALL
            .into_iter()
            .find(|(_, _, name)| name.starts_with(&word));
        found
            .filter(|_| !word.is_empty())
            .map(|(shown, _, _)| shown)
    }
}

/// What keys mean now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Moving about.
    #[default]
    Browse,
    /// Typing what rows have to contain.
    Filter,
    /// Typing a view's name.
    Jump(String),
    /// Asked whether to do it, in these words.
    Confirm(Act, String),
    /// Reading what keys do.
    Help,
}

/// What follows from a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing but what is shown.
    Stay,
    /// The end.
    Quit,
    /// The node is to do it.
    Act(Act),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) shown: Shown,
    pub(super) mode: Mode,
    /// What rows have to contain.
    pub(super) filter: String,
    /// The row that is selected in the view.
    pub(super) selected: TableState,
    /// The incident that is shown with all that is known of it.
    pub(super) open: Option<String>,
    /// How many of its lines are above the screen.
    pub(super) scrolled: u16,
    /// What came of the last act.
    pub(super) said: Option<Result<String, String>>,
}

impl Screen {
    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent, seen: &Seen) -> Outcome {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Outcome::Quit;
        }
        match std::mem::take(&mut self.mode) {
            Mode::Browse => self.browse(key.code, seen),
            Mode::Filter => self.filter(key.code),
            Mode::Jump(typed) => self.jump(typed, key.code),
            // Any key but yes is no.
            Mode::Confirm(act, _) if matches!(key.code, KeyCode::Char('y') | KeyCode::Enter) => {
                Outcome::Act(act)
            }
            Mode::Confirm(..) => {
                self.said = Some(Ok("Nothing was done.".to_owned()));
                Outcome::Stay
            }
            Mode::Help if key.code == KeyCode::Char('q') => Outcome::Quit,
            Mode::Help => Outcome::Stay,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing here"
    )]
    fn browse(&mut self, key: KeyCode, seen: &Seen) -> Outcome {
        self.said = None;
        match key {
            KeyCode::Char('q') => return Outcome::Quit,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char(':') => self.mode = Mode::Jump(String::new()),
            KeyCode::Char(digit @ '1'..='4') => {
                let view = Shown::ALL.into_iter().find(|(_, key, _)| *key == digit);
                if let Some((view, _, _)) = view {
                    self.show(view);
                }
            }
            KeyCode::Tab => self.show(self.shown.next()),
            KeyCode::BackTab => self.show(self.shown.before()),
            KeyCode::Esc if self.open.is_some() => self.open = None,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Enter => {
                self.open = self.incident(seen).map(|one| one.id.clone());
                self.scrolled = 0;
            }
            KeyCode::Char(act @ ('a' | 'r' | 's')) => self.want(act, seen),
            other => self.step(other),
        }
        Outcome::Stay
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing here"
    )]
    fn step(&mut self, key: KeyCode) {
        let is_open = self.open.is_some();
        let (rows, scrolled) = (&mut self.selected, &mut self.scrolled);
        match key {
            KeyCode::Down | KeyCode::Char('j') if is_open => *scrolled = scrolled.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') if is_open => *scrolled = scrolled.saturating_sub(1),
            KeyCode::Home | KeyCode::Char('g') if is_open => *scrolled = 0,
            KeyCode::End | KeyCode::Char('G') if is_open => *scrolled = u16::MAX,
            KeyCode::Down | KeyCode::Char('j') => rows.select_next(),
            KeyCode::Up | KeyCode::Char('k') => rows.select_previous(),
            KeyCode::Home | KeyCode::Char('g') => rows.select_first(),
            KeyCode::End | KeyCode::Char('G') => rows.select_last(),
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing here"
    )]
    fn filter(&mut self, key: KeyCode) -> Outcome {
        match key {
            KeyCode::Enter => return Outcome::Stay,
            KeyCode::Esc => {
                self.filter.clear();
                return Outcome::Stay;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(typed) => {
                self.filter.push(typed);
                self.selected.select_first();
            }
            _ => {}
        }
        self.mode = Mode::Filter;
        Outcome::Stay
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing here"
    )]
    fn jump(&mut self, mut typed: String, key: KeyCode) -> Outcome {
        match key {
            KeyCode::Esc => return Outcome::Stay,
            KeyCode::Enter if matches!(typed.trim(), "q" | "quit") => return Outcome::Quit,
            KeyCode::Enter => {
                match Shown::called(&typed) {
                    Some(view) => self.show(view),
                    None => {
                        let names = Shown::ALL.map(|(_, _, name)| name).join(", ");
                        self.said = Some(Err(format!("No view is called {typed}: {names}.")));
                    }
                }
                return Outcome::Stay;
            }
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(letter) => typed.push(letter),
            _ => {}
        }
        self.mode = Mode::Jump(typed);
        Outcome::Stay
    }

    fn show(&mut self, view: Shown) {
        self.open = None;
        if view != self.shown {
            self.shown = view;
            self.filter.clear();
            self.selected = TableState::default().with_selected(0);
        }
    }

    /// The incident that is open or selected.
    fn incident<'a>(&self, seen: &'a Seen) -> Option<&'a IncidentView> {
        if self.shown != Shown::Incidents {
            return None;
        }
        if let Some(id) = &self.open {
            return seen.incident(id);
        }
        let rows = rows::of(seen, Shown::Incidents, &self.filter);
        let place = self.selected.selected().unwrap_or(0);
        let row = rows.get(place.min(rows.len().saturating_sub(1)))?;
        seen.incident(row.id.as_ref()?)
    }

    /// Asks whether to do something about an incident.
    fn want(&mut self, key: char, seen: &Seen) {
        let Some(incident) = self.incident(seen) else {
            return;
        };
        let id = incident.id.clone();
        if incident.ended_ms.is_some() {
            self.said = Some(Err(format!("{id} is over already.")));
            return;
        }
        let (act, what) = match key {
            'a' => (Act::Acknowledge(id.clone()), "Acknowledge".to_owned()),
            'r' => (Act::Resolve(id.clone()), "Resolve".to_owned()),
            _ => {
                let fits = seen.fits(incident);
                if fits.is_empty() {
                    self.said = Some(Err(format!("Nothing of {id} fires any more.")));
                    return;
                }
                let what = format!("Silence for {}", span(SILENCE.as_secs()));
                (Act::Silence(fits), what)
            }
        };
        let question = format!("{what}: {id}, {}? y/n", harmless(&incident.title));
        self.mode = Mode::Confirm(act, question);
    }
}

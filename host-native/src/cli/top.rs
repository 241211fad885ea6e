//! `top`: the mesh as this node sees it, live in the terminal.
//!
//! | file | what lives there |
//! |---|---|
//! | `seen` | what the node answered, asked for by a thread of its own; what it is told to do |
//! | `screen` | what is shown, and what keys do |
//! | `rows` | the tables' rows |
//! | `draw` | all of it in a frame |

mod draw;
mod rows;
mod screen;
mod seen;

use crate::{
    cli::{ClientArgs, client::Client},
    exit::{Code, Failure},
};
use clap::Args;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use screen::{Outcome, Screen};
use seen::{Asking, Seen};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};

/// How long the terminal waits for a key before it looks for answers.
const LOOK: Duration = Duration::from_millis(100);

/// `sporenet top`.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// Shows the mesh until `q`.
pub(crate) fn top(args: &TopArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::new(
            Code::Usage,
            "top needs a terminal; for scripts there are `sporenet vitals --json`, `sporenet health all --json` \
             and `sporenet incidents --json`",
        ));
    }
    let asking = Asking::start(args.client.clone(), client).map_err(|error| failed(&error))?;
    let terminal = ratatui::try_init().map_err(|error| failed(&error))?;
    let ended = run(terminal, &asking);
    ratatui::restore();
    ended.map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Code::Io, format!("the terminal can't be used: {error}"))
}

fn run(mut terminal: DefaultTerminal, asking: &Asking) -> io::Result<()> {
    let mut seen = Seen::default();
    let mut screen = Screen::default();
    loop {
        while let Some(word) = asking.next() {
            seen.take(word, &mut screen.said);
        }
        terminal.draw(|frame| draw::draw(frame, &seen, &mut screen))?;
        if !event::poll(LOOK)? {
            continue;
        }
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        match screen.press(key, &seen) {
            Outcome::Stay => {}
            Outcome::Quit => return Ok(()),
            Outcome::Act(act) => asking.act(act),
        }
    }
}

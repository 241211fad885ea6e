//! Following a stream of events for as long as it takes: a node that is restarted, a connection that
//! breaks and one that falls silent are survived, from the last event that came.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Ended, Event},
        print,
    },
    exit::{Code, Failure},
};
use clap::Args;
use std::{thread, time::Duration};

/// How long to wait before the first new try, and the most between two: each failure doubles it.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How long a silent stream is trusted.
#[derive(Args, Debug)]
pub(crate) struct PatienceArgs {
    /// Connect again when nothing was heard for so long; a node says something every 15 s
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 45,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    patience: u32,
}

/// Hands over each event, until that fails. A node that can't be reached at the first try is not
/// waited for.
///
/// # Errors
/// When no node is there at first, it refuses, or `each` fails.
pub(crate) fn follow(
    client: &ClientArgs,
    patience: &PatienceArgs,
    path: &str,
    mut each: impl FnMut(&Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let silence_max = Duration::from_secs(patience.patience.into());
    let mut last_id: Option<String> = None;
    let mut pause = RETRY.0;
    let (mut was_linked, mut told) = (false, false);
    loop {
        let stream = Client::find(client, true)
            .and_then(|client| client.open(path, last_id.as_deref(), silence_max));
        let why = match stream {
            Ok(stream) => {
                if std::mem::take(&mut told) {
                    print::say("sporenet: connected again");
                }
                (was_linked, pause) = (true, RETRY.0);
                let ended = stream.each(|event| {
                    last_id = event.id.clone().or_else(|| last_id.take());
                    each(event)
                })?;
                in_words(ended, patience)
            }
            Err(failure) if was_linked && may_pass(failure.code) => failure.message,
            Err(failure) => return Err(failure),
        };
        // Once an outage: what is missed meanwhile comes afterwards.
        if !std::mem::replace(&mut told, true) {
            print::say(&format!("sporenet: connecting again, because {why}"));
        }
        thread::sleep(pause);
        pause = pause.saturating_mul(2).min(RETRY.1);
    }
}

fn in_words(ended: Ended, patience: &PatienceArgs) -> String {
    match ended {
        Ended::ByNode => "the node ended the stream".to_owned(),
        Ended::Silent => format!("nothing was heard for {} s", patience.patience),
        Ended::Lost(error) => format!("the connection broke: {error}"),
    }
}

/// Whether it may be otherwise at the next try.
const fn may_pass(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Temporary)
}

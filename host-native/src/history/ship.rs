//! The task that copies rows to the database: where it is, and when it tries again.

use super::{
    postgres::{Database, Failed},
    read::{Reader, Waiting},
    state::{Dropped, State, Work},
    target::Target,
};
use crate::clock;
use rustls::pki_types::CertificateDer;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::sleep};

/// The most rows in one transaction of the database.
const BATCH_MAX: usize = 500;
/// How long to wait after a failure: each doubles it, between these.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What the task works with.
#[derive(Debug)]
pub(super) struct Shipper {
    target: Target,
    authorities: Vec<CertificateDer<'static>>,
    path: PathBuf,
    /// The relay's identity, and its spool's.
    whose: (String, String),
    state: Arc<State>,
    rest: Duration,
}

/// Why copying stopped.
enum Stopped {
    Database(Failed),
    File(String),
}

impl From<Failed> for Stopped {
    fn from(failed: Failed) -> Self {
        Self::Database(failed)
    }
}

impl Shipper {
    /// A task that is not started yet, for the file at `path`.
    pub(super) fn new(
        target: Target,
        authorities: &[CertificateDer<'static>],
        path: PathBuf,
        whose: (String, String),
        state: Arc<State>,
    ) -> Self {
        Self {
            target,
            authorities: authorities.to_vec(),
            path,
            whose,
            state,
            rest: REST.0,
        }
    }

    /// Copies for ever; after a failure it begins again from where the database is.
    pub(super) async fn run(mut self) {
        loop {
            let Err(stopped) = self.copy().await;
            let what = match stopped {
                Stopped::Database(failed) => format!("the database: {failed}"),
                Stopped::File(what) => format!("history.db can't be read: {what}"),
            };
            let now = clock::wall().as_millis();
            if self.state.failed(Work::Shipping, now, what.clone()) {
                let target = self.target.to_string();
                tracing::warn!(
                    code = "history_waits",
                    target,
                    what,
                    "history waits to be copied"
                );
            }
            sleep(jittered(self.rest)).await;
            self.rest = self.rest.saturating_mul(2).min(REST.1);
        }
    }

    async fn copy(&mut self) -> Result<std::convert::Infallible, Stopped> {
        let whose = self.whose.clone();
        let (mut database, mut place) =
            Database::connect(&self.target, &self.authorities, whose).await?;
        // That it takes rows shows when it has taken some.
        self.state.shipped_row.send_replace(place);
        let mut reader = None;
        let mut news = self.state.last_row.subscribe();
        loop {
            news.mark_unchanged();
            let (open, rows) = self.waiting(reader, place).await?;
            reader = Some(open);
            let Some(last) = rows.last().map(|row| row.row) else {
                self.works(place);
                // What is new wakes it; that the sender is gone can't be: it is in `state`.
                let _ = news.changed().await;
                continue;
            };
            let shipped = database.ship(&rows).await?;
            place = last;
            let state = &self.state;
            state.shipped.fetch_add(shipped.taken, Ordering::Relaxed);
            state.count_dropped(Dropped::Refused, shipped.refused);
            self.works(place);
        }
    }

    /// The database answers, and is at this row.
    fn works(&mut self, place: u64) {
        self.rest = REST.0;
        self.state.shipped_row.send_replace(place);
        if self.state.works(Work::Shipping) {
            tracing::info!(code = "history_copied", "history is copied again");
        }
    }

    async fn waiting(
        &self,
        reader: Option<Reader>,
        place: u64,
    ) -> Result<(Reader, Vec<Waiting>), Stopped> {
        let path = self.path.clone();
        let read = move || {
            let reader = reader.map_or_else(|| Reader::open(&path), Ok)?;
            let rows = reader.after(place, BATCH_MAX)?;
            Ok((reader, rows))
        };
        spawn_blocking(read)
            .await
            .map_err(|error| Stopped::File(error.to_string()))?
            .map_err(|error: rusqlite::Error| Stopped::File(error.to_string()))
    }
}

/// Between half and all of a span: relays that lost one database don't come back as one.
fn jittered(span: Duration) -> Duration {
    let drawn = clock::entropy().map_or(0, |bytes| bytes[0]);
    span / 2 + span / 2 * u32::from(drawn) / 255
}

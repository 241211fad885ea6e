//! What is known of an HTTP connection, and how long it may wait for its peer to take bytes.
//!
//! A connection begins as a stranger's. With its first request that bears the token it becomes a holder's:
//! it changes over to the places of holders, and gets more patience. A connection that becomes a link has
//! the patience of links, which the core decides on.

use crate::{
    http::{places::Seat, problem::Problem},
    links::{Counters, count},
};
use axum::http::StatusCode;
use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};

/// How long a stranger may take no bytes. Twice as long would let 512 strangers hold twice as long what
/// waits for them.
const STRANGER_PATIENCE: Duration = Duration::from_secs(10);
/// How long who has the token may take no bytes. The kernel's buffer has to be taken down by a third
/// before that counts, which a slow program needs time for.
const HOLDER_PATIENCE: Duration = Duration::from_secs(30);

/// Whose a connection is.
#[derive(Debug)]
enum Standing {
    /// It has not shown the token.
    Stranger,
    /// It has shown the token.
    Holder { _place: OwnedSemaphorePermit },
    /// It has become a link.
    Link,
}

/// An HTTP connection.
#[derive(Debug)]
pub(crate) struct Connection {
    standing: Mutex<Standing>,
    seat: Seat,
    holders: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Connection {
    /// A stranger's connection.
    pub(crate) fn new(seat: Seat, holders: Arc<Semaphore>, counters: Arc<Counters>) -> Self {
        Self {
            standing: Mutex::new(Standing::Stranger),
            seat,
            holders,
            counters,
        }
    }

    /// It has shown the token.
    ///
    /// # Errors
    /// When all places of holders are taken.
    pub(crate) fn trust(&self) -> Result<(), Problem> {
        let mut standing = self.standing();
        match *standing {
            Standing::Holder { .. } | Standing::Link => Ok(()),
            Standing::Stranger => {
                let place = Arc::clone(&self.holders)
                    .try_acquire_owned()
                    .map_err(|_| too_many())?;
                *standing = Standing::Holder { _place: place };
                self.seat.free();
                Ok(())
            }
        }
    }

    /// It is about to become a link.
    pub(crate) fn link(&self) {
        *self.standing() = Standing::Link;
    }

    /// Waits until it has to give way to another stranger.
    pub(crate) async fn displaced(&self) {
        self.seat.given_up().await;
        count(&self.counters.http_displaced);
    }

    fn patience(&self) -> Option<Duration> {
        match *self.standing() {
            Standing::Stranger => Some(STRANGER_PATIENCE),
            Standing::Holder { .. } => Some(HOLDER_PATIENCE),
            Standing::Link => None,
        }
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too_many_connections",
        "Too many HTTP connections with the token are open; close one or try again.",
    )
}

/// A stream whose peer has to take bytes in time.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Runs while bytes wait and the peer takes none.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// A connection's stream.
    pub(crate) const fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            waiting: None,
        }
    }

    /// Passes on what the stream says of writing, but waits only so long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.waiting = None;
            return said;
        }
        let Some(patience) = self.connection.patience() else {
            return Poll::Pending;
        };
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        if waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        count(&self.connection.counters.http_stalled);
        Poll::Ready(Err(io::Error::new(
            ErrorKind::TimedOut,
            "the peer takes no bytes",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, said)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(cx, said)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, said)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::places::Places;
    use tokio::io::{AsyncWriteExt, duplex};

    fn connection(holders_max: usize) -> (Arc<Connection>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let seat = Places::new(1).take();
        let holders = Arc::new(Semaphore::new(holders_max));
        let connection = Connection::new(seat, holders, Arc::clone(&counters));
        (Arc::new(connection), counters)
    }

    #[test]
    fn who_has_the_token_waits_longer_and_links_wait_for_the_core() {
        let (connection, _) = connection(1);
        assert_eq!(connection.patience(), Some(STRANGER_PATIENCE));
        connection.trust().unwrap();
        assert_eq!(connection.patience(), Some(HOLDER_PATIENCE));
        connection.trust().unwrap();
        connection.link();
        assert_eq!(connection.patience(), None);
    }

    #[test]
    fn holders_have_places_of_their_own_and_no_more() {
        let (connection, _) = connection(0);
        let refused = connection.trust().unwrap_err();
        assert_eq!(refused.code, "too_many_connections");
        assert_eq!(connection.patience(), Some(STRANGER_PATIENCE));
    }

    #[tokio::test]
    async fn a_peer_that_takes_bytes_is_waited_for() {
        let (connection, counters) = connection(1);
        let (mut peer, stream) = duplex(4);
        let mut patient = Patient::new(stream, connection);
        let write = patient.write_all(b"more than fits in");
        let read = async {
            let mut all = [0; 17];
            tokio::io::AsyncReadExt::read_exact(&mut peer, &mut all).await
        };
        let (written, read) = tokio::join!(write, read);
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(
            counters
                .http_stalled
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    }
}

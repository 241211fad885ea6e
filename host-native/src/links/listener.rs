//! One port for TCP links, WebSocket links and HTTP.

use crate::{
    clock,
    config::Listen,
    exit::{Code, Failure},
    http,
    links::{
        FIRST_BYTE_PATIENCE, HANDSHAKE_PATIENCE, LinkContext, count,
        peek::{Speaks, speaks},
        task::LinkTask,
        tcp,
    },
};
use sporenet_core::wire::{close::CloseReason, session::Session};
use std::{io::ErrorKind, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

/// How long accepting rests after a failure, so that a machine without file descriptors is not kept
/// busy by finding that out.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How often a failure to accept is logged.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Opens the listening sockets.
///
/// # Errors
/// When an address is in use, not ours, not permitted or not to be resolved.
pub(crate) async fn bind(listen: &[Listen]) -> Result<Vec<TcpListener>, Failure> {
    let mut sockets = Vec::new();
    for address in listen {
        let socket = TcpListener::bind(address.as_str()).await.map_err(|error| {
            let (code, advice) = bind_advice(error.kind());
            Failure::new(
                code,
                format!("can't listen on {address}: {advice} ({error})"),
            )
        })?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// What a failure to listen means, and what to do about it.
pub(crate) fn bind_advice(kind: ErrorKind) -> (Code, &'static str) {
    if kind == ErrorKind::AddrInUse {
        let advice =
            "the port is in use; stop the program that holds it or choose another with --listen";
        (Code::Temporary, advice)
    } else if kind == ErrorKind::PermissionDenied {
        (
            Code::NoPermission,
            "the port needs privileges; choose one above 1023 with --listen",
        )
    } else if kind == ErrorKind::AddrNotAvailable {
        (
            Code::Config,
            "the address is not one of this machine; choose another with --listen",
        )
    } else {
        (Code::Config, "check the address given with --listen")
    }
}

/// What accepted connections need.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    /// For links.
    pub(crate) links: LinkContext,
    /// For everything else.
    pub(crate) http: http::Server,
    /// All open connections.
    pub(crate) connections: Arc<Semaphore>,
}

impl Acceptor {
    /// Accepts connections for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut quiet_until = Instant::now();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.admit(stream),
                Err(error) => {
                    count(&self.links.counters.accept_failed);
                    if Instant::now() >= quiet_until {
                        tracing::warn!(code = "accept_failed", %error, "a connection can't be accepted");
                        quiet_until = Instant::now() + ACCEPT_LOG_INTERVAL;
                    }
                    sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream) {
        count(&self.links.counters.accepted);
        // Both places are taken before a task is made: a flood is turned away at once.
        let connection = Arc::clone(&self.connections).try_acquire_owned();
        let handshake = Arc::clone(&self.links.handshakes).try_acquire_owned();
        let (Ok(connection), Ok(handshake)) = (connection, handshake) else {
            count(&self.links.counters.turned_away);
            self.links.core.refused(CloseReason::Busy);
            return;
        };
        let acceptor = self.clone();
        tokio::spawn(async move {
            if let Err(reason) = acceptor.connection(stream, connection, handshake).await {
                acceptor.links.core.refused(reason);
            }
        });
    }

    async fn connection(
        &self,
        stream: TcpStream,
        connection: OwnedSemaphorePermit,
        handshake: OwnedSemaphorePermit,
    ) -> Result<(), CloseReason> {
        let _ = stream.set_nodelay(true);
        let accepted_at = Instant::now();
        let mut first = [0];
        // Only looked at: the byte is part of the first message, whoever reads it.
        let peeked = timeout(FIRST_BYTE_PATIENCE, stream.peek(&mut first))
            .await
            .map_err(|_| CloseReason::HandshakeTimeout)?;
        // A connection that ends before it says anything is a port check, not an attempt.
        if !peeked.is_ok_and(|bytes| bytes > 0) {
            return Ok(());
        }
        match speaks(first[0]) {
            Speaks::Link => self.link(stream, handshake, accepted_at).await,
            Speaks::Http => {
                // HTTP has its own patience and limits; only links wait for a proof of identity.
                drop(handshake);
                self.http.serve(stream, connection).await;
                Ok(())
            }
            Speaks::Garbage => Err(CloseReason::Protocol),
        }
    }

    async fn link(
        &self,
        stream: TcpStream,
        handshake: OwnedSemaphorePermit,
        accepted_at: Instant,
    ) -> Result<(), CloseReason> {
        let mut registration = self
            .links
            .core
            .register()
            .await
            .map_err(|_| CloseReason::Busy)?;
        let entropy = clock::entropy().ok_or(CloseReason::Busy)?;
        let now = self.links.clock.now();
        let limits = &mut registration.params.limits;
        // What the first byte took counts too.
        limits.handshake_patience = HANDSHAKE_PATIENCE.saturating_sub(accepted_at.elapsed());
        let session = Session::accept(registration.params.clone(), entropy, now);
        let (reader, transmitter) = tcp::split(stream);
        LinkTask::new(
            registration,
            session,
            None,
            Some(handshake),
            self.links.clone(),
        )
        .run(reader, transmitter)
        .await;
        Ok(())
    }
}

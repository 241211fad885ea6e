//! One port for TCP links, WebSocket links and HTTP.

use crate::{
    clock,
    config::Listen,
    exit::{Code, Failure},
    http::{
        self,
        places::{Places, Seat},
    },
    links::{
        FIRST_BYTE_PATIENCE, HANDSHAKE_PATIENCE, HEADER_PATIENCE, LinkContext, count,
        peek::{Speaks, speaks},
        task::LinkTask,
        tcp,
    },
};
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};
use sporenet_core::wire::{close::CloseReason, session::Session};
use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream, lookup_host},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

/// How long accepting rests after a failure, so that a machine without file descriptors is not kept
/// busy by finding that out.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How often a failure to accept is logged.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Opens the listening sockets.
///
/// # Errors
/// When an address is in use, not ours, not permitted or not to be resolved.
pub(crate) async fn bind(listen: &[Listen]) -> Result<Vec<TcpListener>, Failure> {
    let mut wanted: Vec<(&Listen, SocketAddr)> = Vec::new();
    for place in listen {
        let found = lookup_host(place.as_str()).await;
        // The first that the resolver names, as other servers do it.
        let address =
            found.and_then(|mut found| found.next().ok_or_else(|| ErrorKind::NotFound.into()));
        wanted.push((place, address.map_err(|error| refused(place, &error))?));
    }
    let all: Vec<SocketAddr> = wanted.iter().map(|(_, address)| *address).collect();
    wanted
        .iter()
        .enumerate()
        .filter(|(at, _)| !is_covered(&all, *at))
        .map(|(_, (place, address))| open(*address, &all).map_err(|error| refused(place, &error)))
        .collect()
}

/// Whether the socket of another wanted address takes the connections to this one too: two sockets of
/// one program must not stand in each other's way.
fn is_covered(all: &[SocketAddr], at: usize) -> bool {
    let Some(address) = all.get(at).filter(|address| address.port() != 0) else {
        return false;
    };
    all.iter().enumerate().any(|(other_at, other)| {
        let is_same_place = other.port() == address.port() && other.is_ipv4() == address.is_ipv4();
        let is_wider = other.ip().is_unspecified() && !address.ip().is_unspecified();
        is_same_place && (is_wider || (other == address && other_at < at))
    })
}

/// Opens a listening socket. One for IPv6 leaves IPv4 alone where that is wanted at the same port.
fn open(address: SocketAddr, all: &[SocketAddr]) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    let has_twin = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    if address.is_ipv6() && all.iter().any(has_twin) {
        socket.set_only_v6(true)?;
    }
    // A restarted relay has its port at once, though old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn refused(place: &Listen, error: &std::io::Error) -> Failure {
    let (code, advice) = bind_advice(error.kind());
    Failure::new(code, format!("can't listen on {place}: {advice} ({error})"))
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
    /// For TLS, if it is spoken.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Connections that have not said a byte.
    pub(crate) silent: Arc<Places>,
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
        // Its place is taken before a task is made: a flood is turned away at once.
        let Ok(connection) = Arc::clone(&self.connections).try_acquire_owned() else {
            count(&self.links.counters.turned_away);
            self.links.core.refused(CloseReason::Busy);
            return;
        };
        let seat = self.silent.take();
        let acceptor = self.clone();
        tokio::spawn(async move {
            if let Err(reason) = acceptor.connection(stream, connection, seat).await {
                acceptor.links.core.refused(reason);
            }
        });
    }

    /// A place for a connection that has to prove who it is.
    fn handshake(&self) -> Result<OwnedSemaphorePermit, CloseReason> {
        Arc::clone(&self.links.handshakes)
            .try_acquire_owned()
            .map_err(|_| self.turn_away())
    }

    fn turn_away(&self) -> CloseReason {
        count(&self.links.counters.turned_away);
        CloseReason::Busy
    }

    async fn connection(
        &self,
        stream: TcpStream,
        connection: OwnedSemaphorePermit,
        seat: Seat,
    ) -> Result<(), CloseReason> {
        let _ = stream.set_nodelay(true);
        let accepted_at = Instant::now();
        let mut first = [0];
        // Only looked at: the byte is part of the first message, whoever reads it.
        let peeked = tokio::select! {
            peeked = timeout(FIRST_BYTE_PATIENCE, stream.peek(&mut first)) => peeked,
            // However many say nothing, there is room for who speaks, such as a probe.
            () = seat.given_up() => return Err(self.turn_away()),
        };
        let peeked = peeked.map_err(|_| CloseReason::HandshakeTimeout)?;
        drop(seat);
        // A connection that ends before it says anything is a port check, not an attempt.
        if !peeked.is_ok_and(|bytes| bytes > 0) {
            return Ok(());
        }
        match speaks(first[0]) {
            Speaks::Link => {
                let handshake = self.handshake()?;
                self.link(stream, handshake, accepted_at).await
            }
            Speaks::Http => {
                // HTTP has its own patience and limits; only links wait for a proof of identity.
                if let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) {
                    self.http.serve(stream, (local, peer), connection).await;
                }
                Ok(())
            }
            Speaks::Tls => {
                let handshake = self.handshake()?;
                self.secure(stream, connection, handshake).await
            }
            Speaks::Garbage => Err(CloseReason::Protocol),
        }
    }

    /// HTTP over TLS, and with it WebSocket links.
    async fn secure(
        &self,
        stream: TcpStream,
        connection: OwnedSemaphorePermit,
        handshake: OwnedSemaphorePermit,
    ) -> Result<(), CloseReason> {
        let (local, peer) = (stream.local_addr(), stream.peer_addr());
        let (Some(tls), Ok(local), Ok(peer)) = (&self.tls, local, peer) else {
            return Err(CloseReason::Protocol);
        };
        let secured = timeout(
            HEADER_PATIENCE,
            TlsAcceptor::from(Arc::clone(tls)).accept(stream),
        )
        .await
        .map_err(|_| CloseReason::HandshakeTimeout)?
        .map_err(|_| CloseReason::Protocol)?;
        drop(handshake);
        self.http.serve(secured, (local, peer), connection).await;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_within_another_needs_no_socket_of_its_own() {
        let covered = |texts: &[&str]| {
            let all: Vec<SocketAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
            (0..all.len())
                .map(|at| is_covered(&all, at))
                .collect::<Vec<_>>()
        };
        assert_eq!(covered(&["0.0.0.0:1", "[::]:1"]), [false, false]);
        assert_eq!(covered(&["127.0.0.1:1", "0.0.0.0:1"]), [true, false]);
        assert_eq!(covered(&["[::]:1", "[::1]:1"]), [false, true]);
        assert_eq!(covered(&["127.0.0.1:1", "127.0.0.1:1"]), [false, true]);
        assert_eq!(covered(&["127.0.0.1:0", "127.0.0.1:0"]), [false, false]);
        assert_eq!(covered(&["0.0.0.0:1", "127.0.0.1:2"]), [false, false]);
    }
}

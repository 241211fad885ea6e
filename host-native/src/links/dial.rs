//! Connecting to a relay.

use crate::{
    clock,
    driver::{Registration, ToDriver},
    links::{
        LinkContext, race,
        task::LinkTask,
        tcp,
        ws::{self, Carries},
    },
};
use sporenet_core::{
    kernel::{
        address::{Address, Transport},
        id::{DialId, LinkId},
        machine::Input,
    },
    node::contract::{Dial, LinkInput},
    wire::{close::CloseReason, session::Session},
};
use std::{
    io::{Error, ErrorKind},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{client_async_with_config, tungstenite::Error as WsError};

/// How long a connection may take to open, and again to become a WebSocket.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Connects, shakes hands and runs the link, or tells the core why not.
pub(crate) async fn run(wanted: Dial, registration: Registration, context: LinkContext) {
    let (link, dial) = (registration.link, wanted.dial);
    if let Err(reason) = try_run(wanted, registration, &context).await {
        fail(&context, link, dial, reason).await;
    }
}

/// Opens a connection and closes it again: whether something listens there.
pub(crate) async fn probe(dial: DialId, address: Address, context: LinkContext) {
    let opened = async {
        let stream = connect(&address).await?;
        match address.transport() {
            Transport::Tcp => Ok(()),
            Transport::Ws => upgrade(&address, stream).await.map(drop),
            Transport::Wss => {
                let stream = secure(&address, stream, &context).await?;
                upgrade(&address, stream).await.map(drop)
            }
        }
    };
    let failed = opened.await.err();
    let input = Input::Command(LinkInput::Probed { dial, failed }.into());
    context.core.tell(ToDriver::Input(input)).await;
}

async fn fail(context: &LinkContext, link: LinkId, dial: DialId, reason: CloseReason) {
    let told = Some(LinkInput::DialFailed { dial, reason });
    context.core.tell(ToDriver::Ended { link, told }).await;
}

async fn try_run(
    wanted: Dial,
    registration: Registration,
    context: &LinkContext,
) -> Result<(), CloseReason> {
    let address = wanted.address.clone();
    let stream = connect(&address).await?;
    match address.transport() {
        Transport::Tcp => {
            let (reader, transmitter) = tcp::split(stream);
            task(wanted, registration, context)?
                .run(reader, transmitter)
                .await;
        }
        Transport::Ws => {
            let socket = upgrade(&address, stream).await?;
            run_socket(wanted, registration, context, socket).await?;
        }
        Transport::Wss => {
            let stream = secure(&address, stream, context).await?;
            let socket = upgrade(&address, stream).await?;
            run_socket(wanted, registration, context, socket).await?;
        }
    }
    Ok(())
}

async fn run_socket<S: Carries>(
    wanted: Dial,
    registration: Registration,
    context: &LinkContext,
    socket: ws::Dialled<S>,
) -> Result<(), CloseReason> {
    let (reader, transmitter) = ws::split_dialled(socket);
    task(wanted, registration, context)?
        .run(reader, transmitter)
        .await;
    Ok(())
}

fn task(
    wanted: Dial,
    registration: Registration,
    context: &LinkContext,
) -> Result<LinkTask, CloseReason> {
    let entropy = clock::entropy().ok_or(CloseReason::Busy)?;
    let session = Session::initiate(
        registration.params.clone(),
        wanted.hint,
        wanted.key,
        wanted.expect,
        entropy,
        context.clock.now(),
    );
    Ok(LinkTask::new(
        registration,
        session,
        Some(wanted.dial),
        None,
        context.clone(),
    ))
}

async fn connect(address: &Address) -> Result<TcpStream, CloseReason> {
    let connecting = race::connect(address.host(), address.port());
    let stream = timeout(CONNECT_PATIENCE, connecting)
        .await
        .map_err(|_| CloseReason::Unreachable)?
        .map_err(|error| reason_of(&error))?;
    // Probes are small: they must not wait until more is there to send (Nagle, RFC 896).
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn reason_of(error: &Error) -> CloseReason {
    if error.kind() == ErrorKind::ConnectionRefused {
        CloseReason::ConnectionRefused
    } else {
        CloseReason::Unreachable
    }
}

async fn secure(
    address: &Address,
    stream: TcpStream,
    context: &LinkContext,
) -> Result<TlsStream<TcpStream>, CloseReason> {
    let securing = context.tls.connect(address.host(), stream);
    timeout(CONNECT_PATIENCE, securing)
        .await
        .map_err(|_| CloseReason::HandshakeTimeout)?
        .map_err(|error| {
            tracing::debug!(%address, %error, "TLS failed");
            CloseReason::Untrusted
        })
}

async fn upgrade<S: Carries>(address: &Address, stream: S) -> Result<ws::Dialled<S>, CloseReason> {
    // As browsers write it, without the scheme's own port: proxies compare names.
    let scheme = address.transport().scheme();
    let url = format!(
        "{scheme}://{}{}{}",
        address.authority(),
        address.path(),
        ws::PATH
    );
    let upgrading = client_async_with_config(url, stream, Some(ws::client_config()));
    let (socket, _) = timeout(CONNECT_PATIENCE, upgrading)
        .await
        .map_err(|_| CloseReason::HandshakeTimeout)?
        .map_err(|error| {
            // Any other answer is one, but not that of a WebSocket: another kind of server.
            if matches!(error, WsError::Io(_) | WsError::ConnectionClosed) {
                CloseReason::Lost
            } else {
                CloseReason::NotSporenet
            }
        })?;
    Ok(socket)
}

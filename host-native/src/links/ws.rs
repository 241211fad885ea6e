//! Messages on a WebSocket connection: one binary message each.

use crate::links::{Budget, Receive, Transmit};
use axum::extract::ws::{Message as AxumMessage, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use sporenet_core::wire::{close::CloseReason, session::LINK_MESSAGE_BYTES_MAX};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as WsError, Message as ClientMessage, protocol::WebSocketConfig},
};

/// The path of WebSocket links.
pub(crate) const PATH: &str = "/link";
/// The most bytes that wait in a WebSocket's own write buffer; the session's queues are the real ones.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 1 << 20;
/// The largest WebSocket message.
pub(crate) const WS_MESSAGE_BYTES_MAX: usize = LINK_MESSAGE_BYTES_MAX as usize;

/// The limits of a WebSocket that we dial.
pub(crate) fn client_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(WS_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(WS_MESSAGE_BYTES_MAX))
        // Nothing is gathered here: the session decides as late as possible what goes next.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
}

/// The receiving half of a WebSocket.
#[derive(Debug)]
pub(crate) struct WsReceiver<S> {
    stream: SplitStream<S>,
    budget: Budget,
}

/// The sending half of a WebSocket.
#[derive(Debug)]
pub(crate) struct WsTransmitter<S, M> {
    sink: SplitSink<S, M>,
}

/// The halves of an accepted WebSocket.
pub(crate) fn split_accepted(
    socket: WebSocket,
) -> (WsReceiver<WebSocket>, WsTransmitter<WebSocket, AxumMessage>) {
    let (sink, stream) = socket.split();
    (
        WsReceiver {
            stream,
            budget: Budget::new(),
        },
        WsTransmitter { sink },
    )
}

/// What a dialled WebSocket runs on: TCP, or TLS on it.
pub(crate) trait Carries: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Carries for S {}

/// A WebSocket that we dialled.
pub(crate) type Dialled<S> = WebSocketStream<S>;

/// The halves of a dialled WebSocket.
pub(crate) fn split_dialled<S: Carries>(
    socket: Dialled<S>,
) -> (
    WsReceiver<Dialled<S>>,
    WsTransmitter<Dialled<S>, ClientMessage>,
) {
    let (sink, stream) = socket.split();
    (
        WsReceiver {
            stream,
            budget: Budget::new(),
        },
        WsTransmitter { sink },
    )
}

impl Receive for WsReceiver<WebSocket> {
    async fn receive(&mut self) -> Result<Vec<u8>, CloseReason> {
        loop {
            match self.stream.next().await {
                Some(Ok(AxumMessage::Binary(bytes))) => {
                    self.budget.spend(bytes.len())?;
                    return Ok(bytes.into());
                }
                Some(Ok(AxumMessage::Ping(bytes) | AxumMessage::Pong(bytes))) => {
                    // The library answers pings; they count, so that they can't be sent for ever.
                    self.budget.spend(bytes.len().saturating_add(2))?;
                }
                Some(Ok(AxumMessage::Text(_))) => return Err(CloseReason::Protocol),
                // The reasons of WebSocket mean nothing here: the session's own come as messages.
                Some(Ok(AxumMessage::Close(_))) | None => return Err(CloseReason::Lost),
                Some(Err(error)) => return Err(reason_of_axum(error)),
            }
        }
    }

    fn trust(&mut self) {
        self.budget.lift();
    }
}

impl<S: Carries> Receive for WsReceiver<Dialled<S>> {
    async fn receive(&mut self) -> Result<Vec<u8>, CloseReason> {
        loop {
            match self.stream.next().await {
                Some(Ok(ClientMessage::Binary(bytes))) => {
                    self.budget.spend(bytes.len())?;
                    return Ok(bytes.into());
                }
                Some(Ok(ClientMessage::Ping(bytes) | ClientMessage::Pong(bytes))) => {
                    self.budget.spend(bytes.len().saturating_add(2))?;
                }
                Some(Ok(ClientMessage::Text(_) | ClientMessage::Frame(_))) => {
                    return Err(CloseReason::Protocol);
                }
                Some(Ok(ClientMessage::Close(_))) | None => return Err(CloseReason::Lost),
                Some(Err(error)) => return Err(reason_of(&error)),
            }
        }
    }

    fn trust(&mut self) {
        self.budget.lift();
    }
}

fn reason_of_axum(error: axum::Error) -> CloseReason {
    error
        .into_inner()
        .downcast::<WsError>()
        .map_or(CloseReason::Lost, |error| reason_of(&error))
}

fn reason_of(error: &WsError) -> CloseReason {
    if matches!(error, WsError::Capacity(_)) {
        CloseReason::Oversized
    } else if matches!(error, WsError::Utf8(_) | WsError::AttackAttempt) {
        CloseReason::Protocol
    } else {
        CloseReason::Lost
    }
}

impl Transmit for WsTransmitter<WebSocket, AxumMessage> {
    async fn transmit(&mut self, messages: Vec<Vec<u8>>) -> io::Result<()> {
        for message in messages {
            self.sink
                .feed(AxumMessage::Binary(message.into()))
                .await
                .map_err(io::Error::other)?;
        }
        self.sink.flush().await.map_err(io::Error::other)
    }

    async fn finish(&mut self) {
        let _ = self.sink.close().await;
    }
}

impl<S: Carries> Transmit for WsTransmitter<Dialled<S>, ClientMessage> {
    async fn transmit(&mut self, messages: Vec<Vec<u8>>) -> io::Result<()> {
        for message in messages {
            self.sink
                .feed(ClientMessage::Binary(message.into()))
                .await
                .map_err(io::Error::other)?;
        }
        self.sink.flush().await.map_err(io::Error::other)
    }

    async fn finish(&mut self) {
        let _ = self.sink.close().await;
    }
}

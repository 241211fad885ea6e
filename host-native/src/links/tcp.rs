//! Messages on a TCP connection: a four-byte length, then the message.

use crate::links::{Budget, Receive, Transmit};
use sporenet_core::wire::{
    close::CloseReason,
    length::{LengthDecoder, length_prefixed},
    session::{HANDSHAKE_MESSAGE_BYTES_MAX, LINK_MESSAGE_BYTES_MAX},
};
use std::{io, ops::Range};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// The size of one read, in bytes.
const READ_BYTES: usize = 16 << 10;

/// The receiving half.
#[derive(Debug)]
pub(crate) struct TcpReceiver {
    socket: OwnedReadHalf,
    decoder: LengthDecoder,
    budget: Budget,
    buffer: Vec<u8>,
    /// The part of `buffer` that is received and not yet decoded.
    waiting: Range<usize>,
}

/// The sending half.
#[derive(Debug)]
pub(crate) struct TcpTransmitter {
    socket: OwnedWriteHalf,
}

/// The halves of a connection.
pub(crate) fn split(stream: TcpStream) -> (TcpReceiver, TcpTransmitter) {
    let (read, write) = stream.into_split();
    (
        TcpReceiver {
            socket: read,
            decoder: LengthDecoder::new(HANDSHAKE_MESSAGE_BYTES_MAX),
            budget: Budget::new(),
            buffer: vec![0; READ_BYTES],
            waiting: 0..0,
        },
        TcpTransmitter { socket: write },
    )
}

impl Receive for TcpReceiver {
    async fn receive(&mut self) -> Result<Vec<u8>, CloseReason> {
        loop {
            let waiting = self.buffer.get(self.waiting.clone()).unwrap_or_default();
            // One read may hold several messages: the decoder takes no more than ends the next one.
            self.waiting.start += self.decoder.push(waiting);
            match self.decoder.next() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(_) => return Err(CloseReason::Oversized),
            }
            if !self.waiting.is_empty() {
                continue;
            }
            // The only place that waits. All else is in `self`, so a dropped call loses nothing.
            let received = self
                .socket
                .read(&mut self.buffer)
                .await
                .map_err(|_| CloseReason::Lost)?;
            if received == 0 {
                return Err(CloseReason::Lost);
            }
            // Bytes as received, so that prefixes and halves of messages count too.
            self.budget.spend(received)?;
            self.waiting = 0..received;
        }
    }

    fn trust(&mut self) {
        self.budget.lift();
        self.decoder.set_max(LINK_MESSAGE_BYTES_MAX);
    }
}

impl Transmit for TcpTransmitter {
    async fn transmit(&mut self, messages: Vec<Vec<u8>>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.extend(length_prefixed(&message));
        }
        self.socket.write_all(&bytes).await
    }

    async fn finish(&mut self) {
        let _ = self.socket.shutdown().await;
    }
}

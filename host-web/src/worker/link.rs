//! WebSocket connections: one binary message is one link message.

use crate::{small::SmallMap, worker::scope::Scope};
use core::time::Duration;
use sporenet_core::{
    kernel::{
        address::{Address, Transport},
        bytes::Bytes,
        id::LinkId,
    },
    node::endpoint::EndpointInput,
    wire::{close::CloseReason, session::LINK_MESSAGE_BYTES_MAX},
};
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// How long a connection may take to open. Browsers wait a minute or two.
const OPEN_PATIENCE: Duration = Duration::from_secs(8);

/// The most bytes that a connection may hold back before it is given up: the other side, or the way
/// to it, no longer takes what we send.
const UNSENT_BYTES_MAX: u32 = 8 << 20;

/// The WebSocket URL of an address. A relay takes every transport on one port, so an address that
/// was announced for TCP serves too.
#[must_use]
pub fn url(address: &Address) -> String {
    match address.transport() {
        Transport::Tcp => format!("{}/link", address.over(Transport::Ws)),
        Transport::Ws | Transport::Wss => format!("{address}/link"),
    }
}

/// Takes what connections have to say.
pub type Sink = Rc<dyn Fn(EndpointInput)>;

/// The connections of a node.
pub struct Links {
    scope: Scope,
    sink: Sink,
    open: SmallMap<LinkId, Link>,
}

impl core::fmt::Debug for Links {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} links", self.open.len())
    }
}

struct Link {
    socket: WebSocket,
    timer: Option<i32>,
    _callbacks: [Closure<dyn FnMut(MessageEvent)>; 3],
    _patience: Closure<dyn FnMut()>,
}

impl Links {
    /// No connections yet; what they say goes to `sink`.
    #[must_use]
    pub const fn new(scope: Scope, sink: Sink) -> Self {
        Self {
            scope,
            sink,
            open: SmallMap::new(),
        }
    }

    /// Opens a connection. Its end, too, is told to the sink, later.
    pub fn connect(&mut self, link: LinkId, address: &Address) {
        match WebSocket::new(&url(address)) {
            Ok(socket) => {
                let link_state = self.listen(link, socket);
                self.open.insert(link, link_state);
            }
            // The page's policy or the browser forbids it (such as ws: from an https: page).
            Err(_) => (self.sink)(EndpointInput::Ended {
                link,
                reason: CloseReason::Unreachable,
            }),
        }
    }

    fn listen(&self, link: LinkId, socket: WebSocket) -> Link {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = Rc::new(Cell::new(false));

        let (sink, flag) = (Rc::clone(&self.sink), Rc::clone(&opened));
        let on_open = Closure::<dyn FnMut(MessageEvent)>::new(move |_| {
            flag.set(true);
            sink(EndpointInput::Opened { link });
        });
        let sink = Rc::clone(&self.sink);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            sink(received(link, &event));
        });
        let (sink, flag) = (Rc::clone(&self.sink), Rc::clone(&opened));
        let on_close = Closure::<dyn FnMut(MessageEvent)>::new(move |_| {
            let reason = if flag.get() {
                CloseReason::Lost
            } else {
                CloseReason::ConnectionRefused
            };
            sink(EndpointInput::Ended { link, reason });
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));

        let sink = Rc::clone(&self.sink);
        let patience = Closure::<dyn FnMut()>::new(move || {
            if !opened.get() {
                let reason = CloseReason::Unreachable;
                sink(EndpointInput::Ended { link, reason });
            }
        });
        let timer = self
            .scope
            .after(OPEN_PATIENCE, patience.as_ref().unchecked_ref());
        Link {
            socket,
            timer,
            _callbacks: [on_open, on_message, on_close],
            _patience: patience,
        }
    }

    /// Sends one message. A connection that holds back too much is given up.
    pub fn transmit(&mut self, link: LinkId, message: &Bytes) {
        let Some(open) = self.open.get(&link) else {
            return;
        };
        let failed = open.socket.send_with_u8_array(message).is_err();
        if failed || open.socket.buffered_amount() > UNSENT_BYTES_MAX {
            self.disconnect(link);
            (self.sink)(EndpointInput::Ended {
                link,
                reason: if failed {
                    CloseReason::Lost
                } else {
                    CloseReason::Overload
                },
            });
        }
    }

    /// Lets what is queued go out, then closes. Nothing more is heard of the connection.
    pub fn disconnect(&mut self, link: LinkId) {
        if let Some(open) = self.open.remove(&link) {
            open.socket.set_onopen(None);
            open.socket.set_onmessage(None);
            open.socket.set_onclose(None);
            let _ = open.socket.close();
            if let Some(timer) = open.timer {
                self.scope.cancel(timer);
            }
        }
    }

    /// Whether the connection still exists: late words of one that is gone are dropped.
    #[must_use]
    pub fn has(&self, link: LinkId) -> bool {
        self.open.contains_key(&link)
    }
}

fn received(link: LinkId, event: &MessageEvent) -> EndpointInput {
    let Ok(buffer) = event.data().dyn_into::<js_sys::ArrayBuffer>() else {
        let reason = CloseReason::NotSporenet;
        return EndpointInput::Ended { link, reason };
    };
    if buffer.byte_length() > LINK_MESSAGE_BYTES_MAX {
        let reason = CloseReason::Oversized;
        return EndpointInput::Ended { link, reason };
    }
    EndpointInput::Received {
        link,
        message: Bytes::from(js_sys::Uint8Array::new(&buffer).to_vec()),
    }
}

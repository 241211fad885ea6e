//! WebSocket connections: one binary message is one link message.

use crate::worker::scope::Scope;
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
use std::{cell::Cell, collections::BTreeMap, rc::Rc};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// How long a connection may take to open. Browsers wait a minute or two.
const OPEN_PATIENCE: Duration = Duration::from_secs(8);

/// The most bytes that a connection may hold back before it is called blocked: what waits in the core
/// instead can still be overtaken by what is urgent. Twice as much makes a heartbeat wait 4 s at
/// 1 Mbit/s, half as much slows fast links down.
const BUFFERED_BYTES_MAX: u32 = 256 << 10;

/// A blocked connection is writable again when it holds back less than this.
const BUFFERED_BYTES_LOW: u32 = BUFFERED_BYTES_MAX / 2;

/// How often a blocked connection is looked at: browsers don't say when it has room.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(20);

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
    /// The relay that served the page, and its WebSocket URL.
    home: Option<(Address, String)>,
    open: BTreeMap<LinkId, Link>,
}

impl core::fmt::Debug for Links {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} links", self.open.len())
    }
}

struct Link {
    socket: WebSocket,
    blocked: Cell<bool>,
    timer: Option<i32>,
    _callbacks: [Closure<dyn FnMut(MessageEvent)>; 3],
    _patience: Closure<dyn FnMut()>,
}

impl Links {
    /// No connections yet; what they say goes to `sink`.
    #[must_use]
    pub fn new(scope: Scope, sink: Sink) -> Self {
        let home = crate::worker::boot::serving_relay(&scope.origin()).zip(scope.link_url());
        Self {
            scope,
            sink,
            home,
            open: BTreeMap::new(),
        }
    }

    /// Opens a connection. Its end, too, is told to the sink, later.
    pub fn connect(&mut self, link: LinkId, address: &Address) {
        // The relay that served the page is dialled where the page is: a proxy may serve it below a
        // path.
        let is_home = self.home.as_ref().is_some_and(|(home, _)| home == address);
        let own = self.home.as_ref().filter(|_| is_home);
        let url = own.map_or_else(|| url(address), |(_, url)| url.clone());
        match WebSocket::new(&url) {
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
            // Browsers hide why a connection did not open, so that pages can't scan ports: every
            // such failure reads as refused. A tab accuses nobody of a crash because of it: only
            // relays probe (`Swim::may_probe`).
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
            blocked: Cell::new(false),
            timer,
            _callbacks: [on_open, on_message, on_close],
            _patience: patience,
        }
    }

    /// Sends one message; says when the connection holds back too much from now on.
    #[must_use]
    pub fn transmit(&mut self, link: LinkId, message: &Bytes) -> Option<EndpointInput> {
        let open = self.open.get(&link)?;
        // The driver queues this end behind the wake that it is busy with.
        if open.socket.send_with_u8_array(message).is_err() {
            self.disconnect(link);
            let reason = CloseReason::Lost;
            (self.sink)(EndpointInput::Ended { link, reason });
            return None;
        }
        let full = open.socket.buffered_amount() > BUFFERED_BYTES_MAX;
        // Told once, until `next_writable` has found room.
        let news = full && !open.blocked.replace(true);
        news.then_some(EndpointInput::Blocked { link })
    }

    /// Whether a connection holds back too much.
    #[must_use]
    pub fn any_blocked(&self) -> bool {
        self.open.values().any(|open| open.blocked.get())
    }

    /// The next connection that was blocked and has room again.
    #[must_use]
    pub fn next_writable(&self) -> Option<EndpointInput> {
        let (link, _) = self.open.iter().find(|(_, open)| {
            // Lower than where it blocked, so that a connection does not flip with every message.
            let has_room = open.socket.buffered_amount() < BUFFERED_BYTES_LOW;
            has_room && open.blocked.replace(false)
        })?;
        Some(EndpointInput::Writable { link: *link })
    }

    /// Lets what is queued go out, then closes. Nothing more is heard of the connection.
    pub fn disconnect(&mut self, link: LinkId) {
        if let Some(open) = self.open.remove(&link) {
            // The closures are dropped with the link: an event that called one then would throw.
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
    // Text: a relay sends binary messages only.
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

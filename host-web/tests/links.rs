//! Addresses, connections and messages between page and worker.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use core::{cell::RefCell, time::Duration};
use sporenet_core::{
    kernel::id::LinkId, node::endpoint::EndpointInput, replication::write::AckLevel,
    wire::close::CloseReason,
};
use sporenet_web::{
    protocol::{self, Request, ToWorker},
    worker::{
        link::{self, Links},
        scope::Scope,
    },
};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn an_address_is_dialled_at_its_link_path_by_web_socket() {
    let url = |text: &str| link::url(&text.parse().unwrap());
    assert_eq!(url("ws://127.0.0.1:7600"), "ws://127.0.0.1:7600/link");
    assert_eq!(
        url("wss://relay.example.org:443"),
        "wss://relay.example.org:443/link"
    );
    // One port takes every transport.
    assert_eq!(url("tcp://[::1]:7600"), "ws://[::1]:7600/link");
}

#[wasm_bindgen_test]
async fn a_connection_that_nobody_takes_ends_as_refused() {
    let scope = Scope::new().unwrap();
    let heard: Rc<RefCell<Vec<EndpointInput>>> = Rc::default();
    let sink = Rc::clone(&heard);
    let mut links = Links::new(
        scope.clone(),
        Rc::new(move |input| sink.borrow_mut().push(input)),
    );
    // Port 9 of this machine: nothing listens there.
    links.connect(LinkId(7), &"ws://127.0.0.1:9".parse().unwrap());
    for _ in 0..100 {
        if !heard.borrow().is_empty() {
            break;
        }
        pause(&scope, Duration::from_millis(50)).await;
    }
    let ended = EndpointInput::Ended {
        link: LinkId(7),
        reason: CloseReason::ConnectionRefused,
    };
    assert_eq!(*heard.borrow(), [ended]);
    links.disconnect(LinkId(7));
    assert!(!links.has(LinkId(7)));
}

async fn pause(scope: &Scope, span: Duration) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let _ = scope.after(span, resolve.unchecked_ref());
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

#[wasm_bindgen_test]
fn a_request_reads_back_what_was_sent() {
    let request = Request::Write {
        namespace: "app".into(),
        key: "k".into(),
        value: Some(vec![0, 255, 128]),
        level: AckLevel::Relay,
    };
    let bytes = protocol::encode(&ToWorker::Request { id: 3, request });
    let Some(ToWorker::Request { id, request }) = protocol::decode(&bytes) else {
        panic!("a request comes out as a request");
    };
    let Request::Write { value, level, .. } = request else {
        panic!("a write comes out as a write");
    };
    assert_eq!(
        (id, value, level),
        (3, Some(vec![0, 255, 128]), AckLevel::Relay)
    );
    assert!(protocol::decode::<ToWorker>(&[250, 1, 2]).is_none());
}

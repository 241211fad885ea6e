//! A tab through nginx with TLS at a sub-path, with the configuration of docs/nginx.conf.

use sporenet_tests::{
    nginx::{Nginx, certificate},
    page::{self, Page},
    relay::{Relay, free_address},
    wait,
    webdriver::Browser,
};
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn a_tab_joins_through_nginx_at_a_sub_path_by_the_printed_link() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = certificate(folder.path());
    let front = free_address();
    let url = format!("wss://localhost:{}/mesh/", front.port());
    let mut relay = Relay::prepare("hidden", &["--advertise", &url]);
    let _nginx = Nginx::documented(front, relay.address, (&cert, &key));
    relay.start();
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page::all_alive(
        std::slice::from_ref(&relay),
        &[&page],
        2,
        Duration::from_secs(20),
    );
    page.put_by_script("app", "key", "from the tab");
    // The tab acknowledges by its own store: the relay has it a moment later.
    wait::eventually("the relay has the value", Duration::from_secs(20), || {
        let value = relay.value("app", "key");
        (value.as_deref() == Some("from the tab"))
            .then_some(())
            .ok_or(value)
    });
    let address = page.here().run("return location.href", &[]);
    let address = address.as_str().unwrap();
    let (page, view) = address.split_once('#').expect("a view is open");
    assert!(
        page.ends_with("/mesh/") && !view.contains("spore"),
        "{address}"
    );
}

//! A relay behind nginx with TLS at a sub-path, with the configuration of docs/nginx.conf.

use sporenet_tests::{
    nginx::{Nginx, certificate},
    relay::{Relay, free_address},
    wait,
};
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_relay_joins_through_nginx_at_a_sub_path_by_the_printed_link() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = certificate(folder.path());
    let front = free_address();
    let url = format!("wss://localhost:{}/mesh/", front.port());
    let mut founder = Relay::prepare("founder", &["--advertise", &url]);
    let _nginx = Nginx::documented(front, founder.address, (&cert, &key));
    founder.start();
    founder.put("app", "greeting", "value", "local").unwrap();
    let links = founder.invite(&[]);
    let page = format!("https://localhost:{}/mesh/#spore=", front.port());
    assert!(links.browser.starts_with(&page), "{}", links.browser);

    let trusted = format!("--tls-ca={cert}");
    let mut second = Relay::prepare("second", &[&trusted, "--join", &links.relay]);
    second.start();
    wait::eventually("the second relay joins through nginx", PATIENCE, || {
        let value = second.value("app", "greeting");
        (value.as_deref() == Some("value"))
            .then_some(())
            .ok_or(value)
    });

    let api = format!("--api=https://localhost:{}/mesh", front.port());
    let put = founder.cli(&["put", "app", "a/../b//c", "through", &api, &trusted]);
    let _ = put.expect_success();
    let read = founder.cli(&["get", "app", "a/../b//c", &api, &trusted]);
    assert_eq!(read.expect_success().stdout.trim(), "through");

    let doctor = founder.cli(&["doctor", "--json", &trusted]).json();
    let findings = doctor["findings"].as_array().unwrap().iter();
    let about = |check: &str| -> Vec<_> {
        let findings = findings.clone();
        findings.filter(|one| one["check"] == check).collect()
    };
    let addresses = about("address");
    assert!(
        addresses.iter().all(|one| one["level"] == "ok"),
        "{addresses:?}"
    );
    assert_eq!((addresses.len(), about("proxy").len()), (1, 0));
}

//! A link is all that a newcomer needs; without one the page says how to get it.

use sporenet_tests::{
    mesh::Mesh,
    page::{self, Page},
    relay::Relay,
    wait,
    webdriver::Browser,
};
use std::time::Duration;

#[test]
fn three_relays_and_two_tabs_list_five_alive() {
    let mesh = Mesh::of(3);
    let browser = Browser::start();
    let first = Page::visit(&browser, &mesh.links.browser);
    wait::promised(
        "a tab lists the mesh after page load",
        Duration::from_secs(3),
        || {
            let names = first.names("alive");
            if names.len() == 4 { Ok(()) } else { Err(names) }
        },
    );
    let second = Page::visit(&browser, &mesh.links.browser);
    page::all_alive(&mesh.relays, &[&first, &second], 5, Duration::from_secs(5));
    assert_ne!(first.id(), second.id(), "each tab is a node of its own");
    assert_eq!(first.counter("alive"), Some(5));
    for relay in &mesh.relays {
        let tabs = relay
            .members()
            .into_iter()
            .filter(|member| member["role"] == "tab")
            .count();
        assert_eq!(tabs, 2);
    }
}

#[test]
fn the_link_vanishes_from_the_address_bar() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let address = page.here().run("return location.href", &[]);
    assert!(!address.as_str().unwrap().contains("spore"), "{address}");
}

#[test]
fn without_a_link_the_page_says_how_to_get_one_and_takes_a_pasted_one() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::visit(&browser, &relay.origin());
    wait::eventually("the page explains", Duration::from_secs(20), || {
        let text = page.text("main");
        if text.contains("sporenet invite") {
            Ok(())
        } else {
            Err(text)
        }
    });
    page.fill("#link", "spore:nonsense");
    page.submit(".join form");
    wait::eventually(
        "a bad link is refused in words",
        Duration::from_secs(10),
        || {
            let error = page.text("#link-error");
            if error.trim().len() > 10 {
                Ok(())
            } else {
                Err(page.text("main"))
            }
        },
    );
    page.fill("#link", &relay.invite(&[]).browser);
    page.submit(".join form");
    page.is_in();
    page::all_alive(&[relay], &[&page], 2, Duration::from_secs(5));
}

#[test]
fn a_one_use_link_lets_one_tab_in() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let link = relay.invite(&["--uses", "1"]).browser;
    let first = Page::open(&browser, &link);
    let second = Page::visit(&browser, &link);
    wait::eventually("the second is told", Duration::from_secs(20), || {
        let text = second.text("body");
        if text.contains("used up") {
            Ok(())
        } else {
            Err(text)
        }
    });
    page::all_alive(&[relay], &[&first], 2, Duration::from_secs(5));
}

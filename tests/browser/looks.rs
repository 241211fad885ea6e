//! The console is honest, safe and usable: names are text, the keyboard is enough, 360 px suffice.

use serde_json::json;
use sporenet_tests::{
    mesh::Mesh,
    page::{self, Page},
    relay::Relay,
    wait,
    webdriver::{self, Browser},
};
use std::time::Duration;

#[test]
fn a_hostile_node_name_is_text() {
    let name = "<img src=x onerror=\"window.hacked=1\">";
    let relay = Relay::with(name, &["--zone=<script>window.hacked=1</script>"]);
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    wait::eventually("the name is shown", Duration::from_secs(20), || {
        let names = page.names("alive");
        if names.iter().any(|shown| shown == name) {
            Ok(())
        } else {
            Err(names)
        }
    });
    let harm = page.here().run(
        "return [typeof window.hacked, document.querySelectorAll('main img, main script').length]",
        &[],
    );
    assert_eq!(harm, json!(["undefined", 0]));
    page.open_namespace("app");
    page.put("<b>key</b>", "<img src=x onerror=\"window.hacked=1\">");
    wait::eventually(
        "the value is shown as text",
        Duration::from_secs(20),
        || {
            let shown = page.shown("<b>key</b>");
            let expected = Some("<img src=x onerror=\"window.hacked=1\">");
            if shown.as_deref() == expected {
                Ok(())
            } else {
                Err(page.text("section.data"))
            }
        },
    );
    assert_eq!(
        page.here().run("return typeof window.hacked", &[]),
        "undefined"
    );
}

#[test]
fn the_console_writes_no_errors_and_breaks_no_policy() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.open_namespace("app");
    page.put("key", "value");
    let said = page.here().console();
    let bad: Vec<_> = said
        .iter()
        .filter(|line| line.contains("SEVERE") || line.contains("Content Security Policy"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_keyboard_is_enough_to_put_a_value() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.here().keys("gd");
    tab_to(&page, "namespace");
    page.here().keys("app\u{e007}");
    wait::until("the namespace is open", Duration::from_secs(20), || {
        !page.texts("#key").is_empty()
    });
    tab_to(&page, "key");
    page.here().keys("typed");
    tab_to(&page, "value");
    page.here().keys("by hand");
    // From the value: the acknowledgement's box, then the button.
    page.here().keys("\u{e004}\u{e004}\u{e007}");
    wait::eventually("the value is stored", Duration::from_secs(20), || {
        let value = relay.value("app", "typed");
        if value.as_deref() == Some("by hand") {
            Ok(())
        } else {
            Err((value, page.text(".outcome")))
        }
    });
}

/// Presses Tab until an element has the focus.
fn tab_to(page: &Page<'_>, id: &str) {
    for _ in 0..200 {
        if page.here().run("return document.activeElement.id", &[]) == id {
            return;
        }
        page.here().keys("\u{e004}");
    }
    panic!("no Tab leads to {id}");
}

#[test]
fn the_console_fits_1440_and_360_pixels_and_is_worth_showing() {
    let mut mesh = Mesh::of(3);
    let browser = Browser::start();
    let first = Page::open(&browser, &mesh.links.browser);
    let second = Page::open(&browser, &mesh.links.browser);
    page::all_alive(&mesh.relays, &[&first, &second], 5, Duration::from_secs(5));
    first.open_namespace("app");
    for (key, value) in [
        ("greeting", "hello, mesh"),
        ("colour", "neon"),
        ("count", "42"),
    ] {
        mesh.relays[1].put("app", key, value, "relay").unwrap();
    }
    wait::until("the values are shown", Duration::from_secs(10), || {
        first.shown("count").is_some()
    });
    shoot(&first, "five-nodes");
    let id = mesh.relays[2].id();
    mesh.relays[2].kill();
    wait::until("the death is shown", Duration::from_secs(20), || {
        first.state_of(&id).as_deref() == Some("dead")
    });
    assert_eq!(first.counter("dead"), Some(1));
    shoot(&first, "one-relay-down");
}

/// Every view, with the name of its picture.
const VIEWS: [(&str, &str); 8] = [
    ("overview", "#/"),
    ("nodes", "#/nodes"),
    ("topology", "#/topology"),
    ("metrics", "#/metrics"),
    ("data", "#/data/app"),
    ("recordings", "#/recordings"),
    ("connections", "#/connections"),
    ("settings", "#/settings"),
];

/// Pictures of every view; nothing may stick out to the right.
fn shoot(page: &Page<'_>, name: &str) {
    for (view, fragment) in VIEWS {
        page.at(fragment);
        shoot_view(page, &format!("{name}-{view}"));
    }
    page.at(&format!("#/nodes/{}", page.id()));
    shoot_view(page, &format!("{name}-node"));
}

/// Pictures of one view at both widths.
fn shoot_view(page: &Page<'_>, name: &str) {
    if webdriver::keeps_pictures() {
        wait::throughout("the drawing comes to rest", Duration::from_secs(3), || true);
    }
    for (width, height) in [(1440, 1800), (360, 2400)] {
        page.here().resize(width, height);
        let sticks_out = page.here().run(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
            &[],
        );
        assert_eq!(sticks_out, 0, "{name}: at {width} px something sticks out");
        page.here().keep_picture(&format!("{name}-{width}"));
    }
}

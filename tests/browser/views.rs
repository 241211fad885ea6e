//! Views have addresses, everything is a few keys away, and the page speaks the reader's language.

use serde_json::json;
use sporenet_tests::{page::Page, relay::Relay, wait, webdriver::Browser};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const CONTROL: char = '\u{e009}';

/// Waits until the page's heading is this.
fn headed(page: &Page<'_>, heading: &str) {
    wait::eventually(&format!("the heading is {heading}"), PATIENCE, || {
        let now = page.text("main h1");
        if now == heading { Ok(()) } else { Err(now) }
    });
}

/// The overview is shown. On a busy machine its relay may be overloaded, which has a heading of its own.
fn is_overview(page: &Page<'_>) {
    let headings = [
        "The mesh is whole",
        "The mesh works; something wants a look",
    ];
    wait::eventually("the overview is shown", PATIENCE, || {
        let now = page.text("main h1");
        if headings.contains(&&*now) {
            Ok(())
        } else {
            Err(now)
        }
    });
}

/// The entry of the rail that is marked as open.
fn current(page: &Page<'_>) -> Vec<String> {
    page.texts(".rail [aria-current=page] > span:not(.rail-count)")
}

#[test]
fn every_view_has_an_address_and_the_back_button_works() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let views = [
        ("#/alerts", "Alerts"),
        ("#/nodes", "Nodes"),
        ("#/topology", "Topology"),
        ("#/metrics", "Metrics"),
        ("#/data", "Data"),
        ("#/recordings", "Recordings"),
        ("#/connections", "Connections"),
        ("#/settings", "Settings"),
    ];
    for (fragment, heading) in views {
        page.click(&format!(".rail a[href='{fragment}']"));
        headed(&page, heading);
        assert_eq!(page.fragment(), fragment);
        assert_eq!(current(&page), [heading]);
    }
    for (fragment, heading) in views.into_iter().rev().skip(1) {
        page.here().run("history.back()", &[]);
        headed(&page, heading);
        assert_eq!(page.fragment(), fragment);
    }
    // A reload opens the same view, with what was typed in it.
    page.at("#/nodes");
    page.fill("#filter", "alo");
    assert_eq!(page.fragment(), "#/nodes?q=alo");
    page.here().reload();
    page.is_in();
    headed(&page, "Nodes");
    wait::eventually("the filter is kept", PATIENCE, || {
        let names = page.texts("tr[id^=node-] .node-name");
        if names == ["alone"] {
            Ok(())
        } else {
            Err(names)
        }
    });
    page.at("#/nowhere");
    headed(&page, "There is nothing here");
    page.click(".nowhere a");
    is_overview(&page);
}

#[test]
fn a_nodes_page_shows_its_checks_and_is_reached_from_the_list() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let id = relay.id();
    assert_eq!(
        wait::eventually("the relay is listed", PATIENCE, || {
            page.state_of(&id).ok_or_else(|| page.text("main"))
        })
        .0,
        "alive"
    );
    page.click(&format!("#node-{id} a"));
    wait::eventually("its page is open", PATIENCE, || {
        let text = page.text("main");
        let shown = ["alone", &id, "Health score", "Paths", "Vitals"];
        if shown.iter().all(|part| text.contains(part)) {
            Ok(())
        } else {
            Err(text)
        }
    });
    assert_eq!(page.fragment(), format!("#/nodes/{id}"));
    page.at("#/nodes/0000");
    wait::eventually("an unknown node is said to be unknown", PATIENCE, || {
        let text = page.text("main");
        if text.contains("No node with this identity") {
            Ok(())
        } else {
            Err(text)
        }
    });
}

#[test]
fn charts_share_a_window_that_stands_in_the_address() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.at("#/metrics");
    let label = |series: &str| {
        let script = "return document.querySelector(arguments[0])?.getAttribute('aria-label')";
        let canvas = format!("#series-{series} canvas");
        let label = page.here().run(script, &[json!(canvas)]);
        label.as_str().unwrap_or_default().to_owned()
    };
    let measured = |series: &str| {
        // A node tells of itself every few seconds, and measures its processors from the second time on.
        wait::eventually("the chart says what was measured", 3 * PATIENCE, || {
            let label = label(series);
            if label.contains("latest") {
                Ok(())
            } else {
                Err(label)
            }
        });
    };
    let stands = |check: &dyn Fn(&str) -> bool| {
        wait::eventually("the address says so", PATIENCE, || {
            let at = page.fragment();
            if check(&at) { Ok(()) } else { Err(at) }
        });
    };
    measured("loop_lag");
    page.click(".segment:nth-child(2)");
    stands(&|at| at == "#/metrics?range=1h");
    page.here().keys("+");
    stands(&|at| at.contains("from=") && at.contains("range=1h"));
    page.click("#metrics-live");
    stands(&|at| at == "#/metrics?range=1h");
    // A relay's processors are measured, a tab's are not.
    page.at(&format!("#/metrics?node={}", relay.id()));
    measured("cpu");
    page.here().run("history.back()", &[]);
    stands(&|at| at == "#/metrics?range=1h");
    wait::eventually("a tab's are not measured", PATIENCE, || {
        let label = label("cpu");
        if label == "CPU: not measured" {
            Ok(())
        } else {
            Err(label)
        }
    });
}

#[test]
fn a_join_link_followed_in_the_open_console_is_taken_and_hidden() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let id = page.id();
    page.at("#/settings");
    let link = relay.invite(&[]).browser;
    let (_, spore) = link.split_once('#').expect("a link has a fragment");
    page.here()
        .run("location.hash = arguments[0]", &[json!(spore)]);
    page.is_in();
    assert_eq!(page.id(), id, "a member stays who it is");
    assert_eq!(page.fragment(), "#/settings");
    let length = page.here().run("return location.href.length", &[]);
    assert!(length.as_u64().unwrap() < 60, "the secret is gone");
}

#[test]
fn the_palette_jumps_to_views_nodes_and_namespaces() {
    let relay = Relay::found("alone");
    relay.put("garden", "k", "v", "local").unwrap();
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.put_by_script("garden", "k", "v");
    let open = |typed: &str| {
        page.here().chord(CONTROL, 'k');
        wait::until("the palette is open", PATIENCE, || {
            page.here().run("return document.activeElement.id", &[]) == "palette-input"
        });
        page.here().keys(typed);
    };
    open("topo");
    page.here().keys(ENTER);
    headed(&page, "Topology");
    open("alone");
    page.here().keys(ENTER);
    wait::eventually("the relay's page is open", PATIENCE, || {
        let at = page.fragment();
        if at == format!("#/nodes/{}", relay.id()) {
            Ok(())
        } else {
            Err(at)
        }
    });
    wait::until("the namespace is held", PATIENCE, || {
        page.at("#/data");
        page.texts(".chip")
            .iter()
            .any(|chip| chip.contains("garden"))
    });
    open("garden");
    page.here().keys(ENTER);
    wait::eventually("the namespace is open", PATIENCE, || {
        let at = page.fragment();
        if at == "#/data/garden" {
            Ok(())
        } else {
            Err(at)
        }
    });
    // Arrows choose, Escape leaves all as it was.
    open("e");
    let chosen = || page.text("#palette [aria-selected=true] .palette-name");
    let first = chosen();
    page.here().keys("\u{e015}");
    assert_ne!(chosen(), first);
    page.here().keys("\u{e013}");
    assert_eq!(chosen(), first);
    page.here().keys(ESCAPE);
    wait::until("the palette is closed", PATIENCE, || {
        page.texts("dialog[open]").is_empty()
    });
    assert_eq!(page.fragment(), "#/data/garden");
}

#[test]
fn keys_jump_and_are_not_taken_while_typing() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    for (keys, heading) in [
        ("gt", "Topology"),
        ("gm", "Metrics"),
        ("gd", "Data"),
        ("gr", "Recordings"),
        ("gc", "Connections"),
        ("gs", "Settings"),
        ("gn", "Nodes"),
    ] {
        page.here().keys(keys);
        headed(&page, heading);
    }
    page.here().keys("/");
    page.here().keys("gt?");
    assert_eq!(page.fragment(), "#/nodes?q=gt%3F");
    headed(&page, "Nodes");
    assert!(
        page.texts("dialog[open]").is_empty(),
        "no dialog while typing"
    );
    page.here().run("document.activeElement.blur()", &[]);
    page.here().keys("?");
    wait::eventually("the keys are listed", PATIENCE, || {
        let text = page.text("dialog[open]");
        if text.contains("Topology") && text.contains("Ctrl K") {
            Ok(())
        } else {
            Err(text)
        }
    });
    page.here().keys(ESCAPE);
    page.here().keys("go");
    is_overview(&page);
}

#[test]
fn language_and_colours_are_chosen_in_the_settings_and_kept() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let root = |attribute: &str| {
        let script = "return document.documentElement.getAttribute(arguments[0])";
        page.here().run(script, &[json!(attribute)])
    };
    let choose = |selector: &str, value: &str| {
        let script = "const choice = document.querySelector(arguments[0]);\
            choice.value = arguments[1];\
            choice.dispatchEvent(new Event('change', {bubbles: true}));";
        page.here().run(script, &[json!(selector), json!(value)]);
    };
    page.at("#/settings");
    headed(&page, "Settings");
    assert_eq!(root("lang"), "en");
    choose("#language", "de");
    headed(&page, "Einstellungen");
    assert_eq!(root("lang"), "de");
    assert_eq!(current(&page), ["Einstellungen"]);
    choose("#theme", "contrast");
    assert_eq!(root("data-theme"), "contrast");
    let colour = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(page.here().run(colour, &[]), "rgb(0, 0, 0)");
    page.here().reload();
    page.is_in();
    headed(&page, "Einstellungen");
    assert_eq!(root("data-theme"), "contrast");
    page.at("#/");
    headed(&page, "Das Netz ist heil");
    page.at("#/settings");
    choose("#language", "");
    choose("#theme", "");
    headed(&page, "Settings");
    assert_eq!(root("data-theme"), json!(null));
}

#[test]
fn the_tour_is_shown_once_and_blocks_nothing() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    wait::until("the tour is offered", PATIENCE, || {
        page.text("#tour").contains("1 of 4")
    });
    page.at("#/settings");
    headed(&page, "Settings");
    for step in 2..=4 {
        page.click("#tour .primary");
        assert!(page.text("#tour").contains(&format!("{step} of 4")));
    }
    page.click("#tour .primary");
    assert_eq!(page.texts("#tour"), [""; 0]);
    page.here().reload();
    page.is_in();
    headed(&page, "Settings");
    assert_eq!(page.texts("#tour"), [""; 0]);
    page.click("#show-tour");
    assert!(page.text("#tour").contains("1 of 4"));
}

#[test]
fn what_did_not_change_is_not_touched_by_a_snapshot() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.at("#/nodes");
    let id = relay.id();
    wait::until("the relay is listed", PATIENCE, || {
        page.state_of(&id).is_some()
    });
    // The row and what is focused and selected in it are the same nodes after the ages have moved on.
    let body = "
        const row = document.getElementById('node-' + args[0]);
        const link = row.querySelector('a');
        link.focus();
        getSelection().selectAllChildren(link);
        const cell = row.lastElementChild;
        const before = cell.textContent;
        while (cell.isConnected && cell.textContent === before) await new Promise(requestAnimationFrame);
        return [
            document.getElementById('node-' + args[0]) === row,
            document.activeElement === link,
            getSelection().toString(),
        ];";
    let kept = page.script(body, &[json!(id)]).unwrap();
    assert_eq!(kept, json!([true, true, "alone"]));
}

/// Whether a canvas is on the page and something is painted on it.
fn is_painted(page: &Page<'_>, id: &str) -> bool {
    let script = "
        const canvas = document.getElementById(arguments[0]);
        if (!canvas || !canvas.width) return false;
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return pixels.data.some((byte) => byte > 0);";
    page.here().run(script, &[json!(id)]) == true
}

#[test]
fn the_topology_is_a_graph_or_a_map_and_the_back_button_leads_back() {
    let relay = Relay::with("placed", &["--location=52.5,13.4"]);
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.at("#/topology");
    headed(&page, "Topology");
    wait::until("the graph is painted", PATIENCE, || {
        is_painted(&page, "picture")
    });
    page.here().keys("m");
    wait::until("the map is painted", PATIENCE, || is_painted(&page, "map"));
    assert_eq!(page.fragment(), "#/topology?as=map");
    page.click(".mesh .twin summary");
    wait::eventually("the map's table tells the place", PATIENCE, || {
        let table = page.text(".mesh .twin");
        if table.contains("placed") && table.contains("52.5° N, 13.4° E") {
            Ok(())
        } else {
            Err(table)
        }
    });
    page.here().run("history.back()", &[]);
    wait::until("the graph is back", PATIENCE, || {
        is_painted(&page, "picture")
    });
    assert_eq!(page.fragment(), "#/topology");
}

#[test]
fn the_round_trips_are_a_picture_with_a_table() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.at("#/topology");
    wait::until("the matrix is painted", PATIENCE, || {
        is_painted(&page, "matrix")
    });
    page.click(".trips .twin summary");
    wait::eventually("its table names who pings", PATIENCE, || {
        let table = page.text(".trips .twin");
        if table.contains("alone") && table.contains("Median") {
            Ok(())
        } else {
            Err(table)
        }
    });
}

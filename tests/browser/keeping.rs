//! Reload, offline, crash: what a tab acknowledged is there again, and nothing has to be clicked.

use serde_json::{Value, json};
use sporenet_tests::{mesh::Mesh, page::Page, relay::Relay, wait, webdriver::Browser};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_reload_keeps_identity_and_data() {
    let mut mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    let id = page.id();
    page.put_by_script("app", "kept", "yes");
    page.here().reload();
    page.is_in();
    assert_eq!(page.id(), id);
    assert_eq!(page.value("app", "kept").as_deref(), Some("yes"));
    // The data are the tab's own: they are there with every other relay gone.
    mesh.relays[1].kill();
    assert_eq!(page.value("app", "kept").as_deref(), Some("yes"));
}

#[test]
fn offline_a_tab_reads_and_writes_and_catches_up_when_it_is_back() {
    let mut mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    page.open_namespace("app");
    page.put("before", "online");
    mesh.relays.iter_mut().for_each(Relay::kill);
    wait::eventually("the page says that it is offline", PATIENCE, || {
        let pill = page.text(".pill");
        if pill.contains("offline") {
            Ok(())
        } else {
            Err(pill)
        }
    });
    assert_eq!(page.shown("before").as_deref(), Some("online"));
    page.put("during", "offline");
    mesh.relays.iter_mut().for_each(|relay| relay.start());
    wait::eventually(
        "what was written offline is on the relays",
        PATIENCE,
        || {
            let seen: Vec<_> = mesh
                .relays
                .iter()
                .map(|relay| relay.value("app", "during"))
                .collect();
            let there = seen.iter().all(|value| value.as_deref() == Some("offline"));
            if there {
                Ok(())
            } else {
                Err((seen, page.text("main")))
            }
        },
    );
    wait::eventually("the page is linked again", PATIENCE, || {
        let pill = page.text(".pill");
        if pill.contains("linked") {
            Ok(())
        } else {
            Err(pill)
        }
    });
}

#[test]
fn what_a_tab_acknowledged_survives_the_crash_of_its_process() {
    let mut mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    let id = page.id();
    page.put_by_script("app", "seed", "0");
    // Nothing may come from anywhere else: the relays are gone before the tab writes.
    mesh.relays.iter_mut().for_each(Relay::kill);
    let body =
        "for (let n = 0; n < 50; n++) await window.sporenet.put('app', 'key-' + n, String(n))";
    page.script(body, &[]).unwrap();
    browser.crash(&page.tab);
    mesh.relays[0].start();
    let again = Page::visit(&browser, &mesh.relays[0].origin());
    again.is_in();
    assert_eq!(again.id(), id, "the same identity, from the same slot");
    for number in 0..50 {
        let value = again.value("app", &format!("key-{number}"));
        assert_eq!(value.as_deref(), Some(number.to_string().as_str()));
    }
    wait::eventually("a relay has them too", PATIENCE, || {
        let keys = mesh.relays[0].keys("app").len();
        if keys == 51 { Ok(()) } else { Err(keys) }
    });
}

#[test]
fn many_crashes_lose_nothing() {
    let mut relay = Relay::found("alone");
    let browser = Browser::start();
    let link = relay.invite(&[]).browser;
    let mut page = Page::open(&browser, &link);
    page.put_by_script("app", "seed", "0");
    for round in 0..5 {
        relay.kill();
        let body =
            "for (let n = 0; n < 20; n++) await window.sporenet.put('app', args[0] + '-' + n, 'x')";
        page.script(body, &[round.into()]).unwrap();
        browser.crash(&page.tab);
        relay.start();
        page = Page::visit(&browser, &relay.origin());
        page.is_in();
        for number in 0..20 {
            assert!(
                page.value("app", &format!("{round}-{number}")).is_some(),
                "{round}-{number}"
            );
        }
    }
}

#[test]
fn a_tab_out_of_quota_refuses_keeps_what_it_has_and_goes_on_when_there_is_room() {
    let mesh = Mesh::of(1);
    let browser = Browser::start();
    let page = Page::visit(&browser, "about:blank");
    let origin = mesh.relays[0].origin();
    let quota = |parameters: Value| {
        browser.devtools("Storage.overrideQuotaForOrigin", &parameters);
    };
    // Before the first write: for half a minute the browser goes on with what it knew of the quota.
    quota(json!({"origin": origin, "quotaSize": 2_000_000}));
    page.here().go(&mesh.links.browser);
    page.is_in();
    // The browser compresses what repeats itself.
    let body = "let seed = 1, text = '';
        while (text.length < 200_000) {
            seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
            text += String.fromCharCode(33 + (seed >>> 16) % 90);
        }
        try { await window.sporenet.put('app', args[0], text); return 'put' }
        catch (error) { return error.code ?? error.message }";
    let put = |number: usize| {
        page.script(body, &[json!(format!("key-{number}"))])
            .unwrap()
    };
    let outcomes: Vec<Value> = (0..50)
        .map(put)
        .take_while(|outcome| outcome == "put")
        .collect();
    let kept = outcomes.len();
    assert!((1..50).contains(&kept), "{kept} puts of 200 kB into 2 MB");
    assert_eq!(put(kept), "full");
    assert_eq!(page.value("app", &format!("key-{kept}")), None);
    quota(json!({"origin": origin}));
    wait::eventually("there is room again", PATIENCE, || {
        let outcome = put(kept + 1);
        if outcome == "put" {
            Ok(())
        } else {
            Err(outcome)
        }
    });
    page.here().reload();
    page.is_in();
    for number in (0..kept).chain([kept + 1]) {
        let value = page.value("app", &format!("key-{number}"));
        assert_eq!(
            value.map(|value| value.len()),
            Some(200_000),
            "key-{number}"
        );
    }
    assert_eq!(page.value("app", &format!("key-{kept}")), None);
}

//! Tabs survive their relays; relays make no fuss about tabs that go.

use serde_json::Value;
use sporenet_tests::{
    mesh::Mesh,
    page::{self, Page},
    wait,
    webdriver::Browser,
};
use std::time::Duration;

const NOTICE: Duration = Duration::from_secs(5);

#[test]
fn tabs_notice_a_killed_relay_and_move_to_another() {
    let mut mesh = Mesh::of(3);
    let browser = Browser::start();
    let first = Page::open(&browser, &mesh.links.browser);
    let second = Page::open(&browser, &mesh.links.browser);
    page::all_alive(&mesh.relays, &[&first, &second], 5, NOTICE);
    let id = mesh.relays[0].id();
    mesh.relays[0].kill();
    wait::promised("relays and tabs notice kill -9", NOTICE, || {
        let relays: Vec<_> = mesh.relays[1..]
            .iter()
            .map(|relay| relay.state_of(&id))
            .collect();
        let tabs = [first.state_of(&id), second.state_of(&id)];
        let dead = relays
            .iter()
            .chain(&tabs)
            .all(|state| state.as_deref() == Some("dead"));
        if dead { Ok(()) } else { Err((relays, tabs)) }
    });
    for page in [&first, &second] {
        let told = page
            .events()
            .into_iter()
            .find(|event| event.contains("member_dead"));
        assert!(
            told.is_some_and(|event| event.contains("relay-1")),
            "{:?}",
            page.events()
        );
    }
    first.put_by_script("app", "after", "the death");
    wait::promised("a tab goes on by another relay", NOTICE, || {
        let seen: Vec<_> = mesh.relays[1..]
            .iter()
            .map(|relay| relay.value("app", "after"))
            .collect();
        let there = seen
            .iter()
            .all(|value| value.as_deref() == Some("the death"));
        if there && second.value("app", "after").is_some() {
            Ok(())
        } else {
            Err(seen)
        }
    });
    mesh.relays[0].start();
    page::all_alive(&mesh.relays, &[&first, &second], 5, NOTICE * 2);
}

#[test]
fn a_closed_tab_is_parked_or_left_and_never_dead() {
    let mesh = Mesh::of(3);
    let browser = Browser::start();
    let staying = Page::open(&browser, &mesh.links.browser);
    let going = Page::open(&browser, &mesh.links.browser);
    page::all_alive(&mesh.relays, &[&staying, &going], 5, NOTICE);
    let id = going.id();
    going.close();
    wait::promised("a closed tab is parked or left", NOTICE, || {
        let relays = mesh.relays.iter().map(|relay| relay.state_of(&id));
        let states: Vec<_> = relays.chain([staying.state_of(&id)]).collect();
        let gone = |state: &Option<String>| matches!(state.as_deref(), Some("parked" | "left"));
        if states.iter().all(gone) {
            Ok(())
        } else {
            Err(states)
        }
    });
    wait::throughout("no alarm follows", NOTICE * 2, || {
        mesh.relays
            .iter()
            .all(|relay| relay.state_of(&id).as_deref() != Some("dead"))
    });
    for relay in &mesh.relays {
        let timeline = relay.timeline();
        // A test machine may be busy, and says so.
        let is_busy = |entry: &Value| {
            let text = entry["text"].as_str().unwrap_or_default();
            entry["code"] == "alert" && text.contains("Processors of")
        };
        let mut alarms = timeline.iter().filter(|entry| entry["severity"] == "error");
        let alarm = alarms.find(|entry| !is_busy(entry));
        assert!(alarm.is_none(), "{alarm:?}");
        assert!(
            timeline.iter().all(|entry| entry["code"] != "member_dead"),
            "{timeline:#?}"
        );
    }
}

#[test]
fn a_relay_that_stands_still_for_3_s_is_never_dead_in_a_tab() {
    let mesh = Mesh::of(3);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    page::all_alive(&mesh.relays, &[&page], 4, NOTICE);
    let id = mesh.relays[1].id();
    mesh.relays[1].freeze();
    wait::throughout("frozen, not dead", Duration::from_secs(3), || {
        page.state_of(&id).as_deref() != Some("dead")
    });
    mesh.relays[1].thaw();
    wait::throughout("thawed, not dead", Duration::from_secs(6), || {
        page.state_of(&id).as_deref() != Some("dead")
    });
    page::all_alive(&mesh.relays, &[&page], 4, NOTICE);
}

//! A value written in a tab is read everywhere, and the other way round.

use serde_json::json;
use sporenet_tests::{mesh::Mesh, page::Page, relay::Relay, wait, webdriver::Browser};
use std::time::Duration;

const VISIBLE: Duration = Duration::from_secs(1);

/// Waits until all relays and the tabs' data browsers show a value.
fn read_everywhere(what: &str, relays: &[Relay], pages: &[&Page<'_>], key: &str, value: &str) {
    wait::promised(&format!("a put {what} is read everywhere"), VISIBLE, || {
        let relays: Vec<_> = relays.iter().map(|relay| relay.value("app", key)).collect();
        let pages: Vec<_> = pages.iter().map(|page| page.shown(key)).collect();
        let is_there = |seen: &Option<String>| seen.as_deref() == Some(value);
        if relays.iter().chain(&pages).all(is_there) {
            Ok(())
        } else {
            Err((relays, pages))
        }
    });
}

#[test]
fn a_put_anywhere_is_read_everywhere_within_1_s() {
    let mesh = Mesh::of(3);
    let browser = Browser::start();
    let first = Page::open(&browser, &mesh.links.browser);
    let second = Page::open(&browser, &mesh.links.browser);
    first.open_namespace("app");
    second.open_namespace("app");
    let pages = [&first, &second];
    let read = |what, key, value| read_everywhere(what, &mesh.relays, &pages, key, value);
    let _ = mesh.relays[0]
        .cli(&["put", "app", "cli", "one"])
        .expect_success();
    read("by command line", "cli", "one");
    mesh.relays[2].put("app", "http", "two", "local").unwrap();
    read("by HTTP", "http", "two");
    first.put("page", "three");
    read("in the page", "page", "three");
    second.put_by_script("app", "script", "four");
    read("by script", "script", "four");
    assert_eq!(first.value("app", "script").as_deref(), Some("four"));
    let _ = mesh.relays[1].cli(&["del", "app", "page"]).expect_success();
    wait::promised("a deletion is seen everywhere", VISIBLE, || {
        let gone = pages.iter().all(|page| page.shown("page").is_none());
        if gone {
            Ok(())
        } else {
            Err(second.texts(".entry-key"))
        }
    });
}

#[test]
fn the_page_shows_the_write_that_lost() {
    let mut mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    page.open_namespace("app");
    mesh.relays.iter_mut().for_each(Relay::kill);
    page.put("contested", "from the tab");
    // The relay writes before the tab can tell it of its write.
    browser.freeze();
    mesh.relays[1].start();
    mesh.relays[1]
        .put("app", "contested", "from the relay", "local")
        .unwrap();
    browser.thaw();
    wait::eventually("the conflict is shown", Duration::from_secs(60), || {
        let text = page.text("section.data");
        if text.contains("concurrent write lost") {
            Ok(())
        } else {
            Err(text)
        }
    });
    // The tab may have got the relay's write before the relay got the tab's.
    wait::eventually("the relay keeps it too", Duration::from_secs(60), || {
        let lost = mesh.relays[1].conflicts("app", "contested");
        if lost == ["from the tab"] || lost == ["from the relay"] {
            Ok(())
        } else {
            Err(lost)
        }
    });
}

#[test]
fn scripts_have_a_small_typed_api() {
    let mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::visit(&browser, &mesh.relays[1].origin());
    let body = "
        const { join } = await import('/sporenet.js');
        let asked = 0;
        navigator.storage.persist = async () => { asked += 1; return true; };
        const mesh = await join(args[0], { name: 'script' });
        const members = (await mesh.members()).map((member) => member.name).sort();
        await mesh.put('app', 'from', 'script', { ack: 'relay' });
        const entry = await mesh.get('app', 'from');
        const seen = [];
        const stop = mesh.watch('app', (entry) => seen.push(entry.key + '=' + entry.text));
        await mesh.put('app', 'bytes', new Uint8Array([1, 2, 3]));
        while (seen.length < 2) await new Promise(requestAnimationFrame);
        stop();
        let refused;
        try { await mesh.put('app', 'large', 'x'.repeat(256 * 1024 + 1)); }
        catch (error) { refused = error.code; }
        const bytes = (await mesh.get('app', 'bytes')).value.length;
        await mesh.leave();
        return { text: entry.text, seen: seen.sort(), members, refused, bytes, asked };";
    let answer = page.script(body, &[json!(mesh.links.relay)]).unwrap();
    assert_eq!(answer["text"], "script");
    assert_eq!(answer["bytes"], 3);
    assert_eq!(answer["asked"], 1, "to keep its storage, once");
    assert_eq!(answer["members"], json!(["relay-1", "relay-2", "script"]));
    assert_eq!(answer["refused"], "value_too_large");
    assert_eq!(
        mesh.relays[0].value("app", "from").as_deref(),
        Some("script")
    );
    wait::promised(
        "a script that left is listed as left",
        Duration::from_secs(5),
        || {
            let left = mesh.relays[0].names("left");
            if left == ["script"] {
                Ok(())
            } else {
                Err(left)
            }
        },
    );
}

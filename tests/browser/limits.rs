//! Limits and refusals are told: none of them reads as "nothing there", or as waiting for ever.

use serde_json::json;
use sporenet_tests::{page::Page, relay::Relay, wait, webdriver::Browser};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_65th_namespace_is_read_and_a_watched_one_stays_open() {
    let relay = Relay::found("alone");
    for at in 0..66 {
        let namespace = format!("n{at}");
        relay.put(&namespace, "k", &namespace, "local").unwrap();
    }
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let body = "
        const seen = [];
        const stop = sporenet.watch('n0', (entry) => seen.push(entry.text));
        const texts = [];
        for (let at = 1; at < 66; at += 1) texts.push((await sporenet.get('n' + at, 'k'))?.text);
        let refused;
        try { await sporenet.close('n0'); } catch (error) { refused = error.code; }
        await sporenet.put('n0', 'k', 'again');
        while (!seen.includes('again')) await new Promise(requestAnimationFrame);
        stop();
        await sporenet.close('n0');
        return { texts, refused, absent: await sporenet.get('n65', 'absent') };";
    let answer = page.script(body, &[]).unwrap();
    let expected: Vec<_> = (1..66).map(|at| format!("n{at}")).collect();
    assert_eq!(answer["texts"], json!(expected));
    assert_eq!(answer["refused"], "watched");
    assert_eq!(answer["absent"], json!(null));
}

#[test]
fn beyond_64_held_namespaces_there_is_a_coded_error() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    let body = "
        const stops = [];
        for (let at = 0; at < 64; at += 1) stops.push(sporenet.watch('n' + at, () => {}));
        const code = async (act) => { try { await act(); } catch (error) { return error.code; } };
        const full = [
            await code(() => sporenet.get('other', 'k')),
            await code(() => sporenet.put('other', 'k', 'v')),
        ];
        stops.forEach((stop) => stop());
        await sporenet.put('other', 'k', 'v');
        return [...full, (await sporenet.get('other', 'k')).text];";
    let answer = page.script(body, &[]).unwrap();
    assert_eq!(answer, json!(["namespaces_full", "namespaces_full", "v"]));
}

#[test]
fn what_no_relay_could_be_asked_is_not_told_to_be_absent() {
    let mut relay = Relay::found("alone");
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.put_by_script("held", "k", "v");
    assert_eq!(page.value("held", "absent"), None);
    relay.kill();
    wait::eventually("the tab sees that it is alone", PATIENCE, || {
        let text = page.text(".pill");
        if text.contains("linked") {
            Err(text)
        } else {
            Ok(())
        }
    });
    assert_eq!(page.value("held", "k").as_deref(), Some("v"));
    let body = "try { return await sporenet.get('never opened', 'k'); } \
                catch (error) { return error.code; }";
    assert_eq!(page.script(body, &[]).unwrap(), "not_known");
}

#[test]
fn a_link_that_has_expired_says_so_and_what_to_do() {
    let relay = Relay::found("alone");
    let browser = Browser::start();
    let link = relay.invite(&["--ttl", "1s"]).browser;
    let issued = Instant::now();
    wait::until("the link's lifetime is over", PATIENCE, || {
        issued.elapsed() > Duration::from_secs(1)
    });
    let other = Page::visit(&browser, &relay.origin());
    let body = "
        const { join } = await import('/sporenet.js');
        try { await join(args[0]); } catch (error) { return error.code; }";
    assert_eq!(
        other.script(body, &[json!(link)]).unwrap(),
        "invite_expired"
    );
    let page = Page::visit(&browser, &link);
    wait::eventually("the page says what to do", PATIENCE, || {
        let text = page.text("main");
        if text.contains("has expired") && text.contains("sporenet invite") {
            Ok(())
        } else {
            Err(text)
        }
    });
    let address = page.here().run("return location.href", &[]);
    assert!(!address.as_str().unwrap().contains("spore"), "{address}");
    assert!(!page.texts("#link").is_empty(), "a place for another link");
}

#[test]
fn five_hundred_keys_make_no_long_page() {
    let relay = Relay::found("alone");
    for at in 0..500 {
        relay
            .put("app", &format!("k{at:03}"), "v", "local")
            .unwrap();
    }
    let browser = Browser::start();
    let page = Page::open(&browser, &relay.invite(&[]).browser);
    page.open_namespace("app");
    wait::eventually("a page of keys is shown", PATIENCE, || {
        let rows = page.texts(".entry-key").len();
        if rows == 100 { Ok(()) } else { Err(rows) }
    });
    let height = "return document.documentElement.scrollHeight";
    let height = page.here().run(height, &[]).as_u64().unwrap();
    assert!(height < 6_000, "{height} px");
    page.click("#more");
    wait::eventually("more keys are shown", PATIENCE, || {
        let rows = page.texts(".entry-key").len();
        if rows == 200 { Ok(()) } else { Err(rows) }
    });
}

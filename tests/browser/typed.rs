//! Typed values are changed in one tab and seen in the other, by page and by script.

use serde_json::{Value, json};
use sporenet_tests::{mesh::Mesh, page::Page, wait, webdriver::Browser};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a row of the data browser shows of its value: numbers, elements, fields, versions, a switch.
const ROW: &str = "
    const rows = [...document.querySelectorAll('li.entry')];
    const row = rows.find((row) => row.querySelector('.entry-key').innerText === arguments[0]);
    if (!row) return null;
    const texts = (of) => [...row.querySelectorAll(of)].map((one) => one.innerText);
    const switched = row.querySelector('[role=switch]')?.getAttribute('aria-checked') ?? null;
    return {
      kind: row.querySelector('.kind').innerText,
      number: texts('.typed-number')[0] ?? null,
      elements: texts('.element span'),
      fields: texts('.fields tr').map((line) => line.split('\\t').slice(0, 2).join('=')),
      versions: [...row.querySelectorAll('.version-value')].map((one) => one.textContent).sort(),
      switched,
    };";

/// Does something in the row of a key: fills the fields of its form, then presses what a selector finds.
const PRESS: &str = "
    const rows = [...document.querySelectorAll('li.entry')];
    const row = rows.find((row) => row.querySelector('.entry-key').innerText === arguments[0]);
    for (const [name, text] of Object.entries(arguments[1])) {
      row.querySelector(`[name=${name}]`).value = text;
    }
    row.querySelector(arguments[2]).click();";

fn row(page: &Page<'_>, key: &str) -> Value {
    page.here().run(ROW, &[json!(key)])
}

fn press(page: &Page<'_>, key: &str, fields: Value, button: &str) {
    let _ = page.here().run(PRESS, &[json!(key), fields, json!(button)]);
}

/// Chooses the type of a new key.
fn choose(page: &Page<'_>, kind: &str) {
    let script = "
        const choice = document.querySelector('#kind');
        choice.value = arguments[0];
        choice.dispatchEvent(new Event('change', { bubbles: true }));";
    let _ = page.here().run(script, &[json!(kind)]);
}

/// Waits until a row shows this.
fn shows(what: &str, page: &Page<'_>, key: &str, part: &str, wanted: &Value) {
    wait::eventually(what, PATIENCE, || {
        let row = row(page, key);
        if row[part] == *wanted {
            Ok(())
        } else {
            Err(row)
        }
    });
}

fn script(page: &Page<'_>, body: &str) -> Value {
    page.script(body, &[]).unwrap()
}

#[test]
fn typed_values_are_changed_in_one_tab_and_seen_in_the_other() {
    let mesh = Mesh::of(2);
    let browser = Browser::start();
    let first = Page::open(&browser, &mesh.links.browser);
    let second = Page::open(&browser, &mesh.links.browser);
    first.open_namespace("app");
    second.open_namespace("app");
    a_counter_is_added_to_in_both(&first, &second);
    a_set_is_changed_by_script_and_by_chips(&first, &second);
    a_map_and_a_flag_are_changed_in_place(&first, &second);
    a_type_is_told_and_kept(&second);
}

/// A counter is begun in the page and added to in both tabs.
fn a_counter_is_added_to_in_both(first: &Page<'_>, second: &Page<'_>) {
    first.fill("#key", "visits");
    choose(first, "counter");
    first.fill("#value", "40");
    first.submit("form.put");
    shows(
        "the counter is in the other tab",
        second,
        "visits",
        "number",
        &json!("40"),
    );
    assert_eq!(row(second, "visits")["kind"], "counter");
    press(
        first,
        "visits",
        json!({}),
        "button.step[aria-label^='One more']",
    );
    press(second, "visits", json!({ "by": "-3" }), "form button");
    script(second, "await sporenet.counter('app', 'visits').add(4n)");
    for page in [first, second] {
        shows("both added", page, "visits", "number", &json!("42"));
    }
    let value = script(
        first,
        "return await sporenet.counter('app', 'visits').value()",
    );
    assert_eq!(value, 42);
}

/// A set by script in one tab, by chips in the other.
fn a_set_is_changed_by_script_and_by_chips(first: &Page<'_>, second: &Page<'_>) {
    script(
        first,
        "globalThis.seen = [];
         globalThis.stop = sporenet.set('app', 'tags').onChange((all) => seen.push(all.join(' ')));
         await sporenet.set('app', 'tags').add('wet', 'green', { ack: 'relay' })",
    );
    shows(
        "the set is in the other tab",
        second,
        "tags",
        "elements",
        &json!(["green", "wet"]),
    );
    press(
        second,
        "tags",
        json!({}),
        ".element button[aria-label='Remove wet']",
    );
    shows(
        "an element is out",
        first,
        "tags",
        "elements",
        &json!(["green"]),
    );
    press(second, "tags", json!({ "element": "tall" }), "form button");
    shows(
        "another is in",
        first,
        "tags",
        "elements",
        &json!(["green", "tall"]),
    );
    let read = "
        while (seen.at(-1) !== 'green tall') await new Promise(requestAnimationFrame);
        stop();
        const tags = sporenet.set('app', 'tags');
        return [await tags.elements(), await tags.has('wet'), await tags.has('tall')];";
    let read = script(first, read);
    assert_eq!(read, json!([["green", "tall"], false, true]));
}

/// A map by its form and by script, a flag by its switch.
fn a_map_and_a_flag_are_changed_in_place(first: &Page<'_>, second: &Page<'_>) {
    script(
        first,
        "const lamp = sporenet.map('app', 'lamp');
         await lamp.put('hue', 'violet');
         await lamp.put('watts', '7');
         await sporenet.flag('app', 'open').on()",
    );
    let fields = json!(["hue=violet", "watts=7"]);
    shows(
        "the map is in the other tab",
        second,
        "lamp",
        "fields",
        &fields,
    );
    let changed = json!({ "field": "hue", "content": "green" });
    press(second, "lamp", changed, "form button");
    press(second, "lamp", json!({}), "[aria-label='Delete watts']");
    shows(
        "a field changed",
        first,
        "lamp",
        "fields",
        &json!(["hue=green"]),
    );
    let read = "
        const lamp = sporenet.map('app', 'lamp');
        const all = [...(await lamp.entries())].map(([name, field]) => [name, field.text]);
        return [all, (await lamp.get('hue')).text, await lamp.get('watts')];";
    assert_eq!(
        script(first, read),
        json!([[["hue", "green"]], "green", null])
    );
    shows("the flag is on", second, "open", "switched", &json!("true"));
    press(second, "open", json!({}), "[role=switch]");
    shows(
        "the flag is off",
        first,
        "open",
        "switched",
        &json!("false"),
    );
    assert_eq!(
        script(first, "return await sporenet.flag('app', 'open').value()"),
        false
    );
}

/// What a key holds is told, and what it does not hold is refused.
fn a_type_is_told_and_kept(page: &Page<'_>) {
    let told = "
        const { type, content, total, also } = await sporenet.get('app', 'tags');
        const codes = [];
        for (const wrong of [
          () => sporenet.counter('app', 'tags').add(1),
          () => sporenet.flag('app', 'tags').value(),
          () => sporenet.put('app', 'tags', 'text'),
          () => sporenet.counter('app', 'visits').add(0.5),
          () => sporenet.set('app', 'tags').add(...Array.from({ length: 65 }, (_, at) => `${at}`)),
        ]) await wrong().catch((error) => codes.push(error.code));
        return { type, content, total, also, codes };";
    assert_eq!(
        script(page, told),
        json!({
            "type": "set", "content": ["green", "tall"], "total": 2, "also": [],
            "codes": ["other_kind", "other_kind", "other_kind", "bad_value", "too_many"],
        })
    );
}

#[test]
fn a_set_of_many_is_read_whole_and_shown_in_pages() {
    let mesh = Mesh::of(1);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    page.open_namespace("app");
    let filled = "
        const many = sporenet.set('app', 'many');
        const all = Array.from({ length: 1200 }, (_, at) => String(at).padStart(4, '0'));
        for (let at = 0; at < all.length; at += 50) await many.add(...all.slice(at, at + 50));
        const read = await many.elements();
        return [read.length, read.join() === all.join(), (await sporenet.get('app', 'many')).total];";
    assert_eq!(script(&page, filled), json!([1200, true, 1200]));
    let shown = || {
        row(&page, "many")["elements"]
            .as_array()
            .map_or(0, Vec::len)
    };
    wait::until("the first elements are shown", PATIENCE, || shown() == 64);
    press(&page, "many", json!({}), ".more button");
    wait::until("more are shown", PATIENCE, || shown() == 164);
}

#[test]
fn the_data_view_says_what_the_data_takes_and_gives_room_back() {
    let mesh = Mesh::of(1);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    page.open_namespace("app");
    let write = "
        for (let at = 0; at < 40; at += 1) await sporenet.put('app', 'again', 'x'.repeat(20000) + at);";
    script(&page, write);
    page.at("#/data");
    let text = || page.text(".footprint");
    wait::until("it says whose the data is", PATIENCE, || {
        text().contains("Whose batches take the room")
    });
    page.click("#compact");
    wait::eventually("the room is given back", PATIENCE, || {
        let text = text();
        if text.contains("Nothing is left to give back") {
            Ok(())
        } else {
            Err(text)
        }
    });
    let value = script(
        &page,
        "return (await sporenet.get('app', 'again')).text.length",
    );
    assert_eq!(value, 20_002);
}

#[test]
fn what_was_written_at_once_stands_side_by_side_until_one_is_kept() {
    let mesh = Mesh::of(1);
    let browser = Browser::start();
    let first = Page::open(&browser, &mesh.links.browser);
    let second = Page::open(&browser, &mesh.links.browser);
    first.open_namespace("app");
    second.open_namespace("app");
    // Neither tab can hear of the other's write.
    mesh.relays[0].freeze();
    for (page, word) in [(&first, "one"), (&second, "two")] {
        let write = format!(
            "await sporenet.multi('app', 'theme').put('{word}');
             await sporenet.put('app', 'title', '{word}')"
        );
        script(page, &write);
    }
    mesh.relays[0].thaw();
    for page in [&first, &second] {
        for key in ["theme", "title"] {
            shows(
                "both are there",
                page,
                key,
                "versions",
                &json!(["one", "two"]),
            );
        }
    }
    let values = "
        const values = await sporenet.multi('app', 'theme').values();
        return values.map((one) => one.text).sort()";
    assert_eq!(script(&second, values), json!(["one", "two"]));

    let keep = "
        const rows = [...document.querySelectorAll('li.entry')];
        const row = rows.find((row) => row.querySelector('.entry-key').innerText === arguments[0]);
        const cards = [...row.querySelectorAll('.version')];
        cards.find((card) => card.textContent.startsWith('one')).querySelector('button').click();";
    for key in ["theme", "title"] {
        let _ = first.here().run(keep, &[json!(key)]);
    }
    for page in [&first, &second] {
        shows("one was kept", page, "theme", "versions", &json!(["one"]));
        shows("no conflict is left", page, "title", "versions", &json!([]));
    }
    assert_eq!(second.value("app", "title").as_deref(), Some("one"));
}

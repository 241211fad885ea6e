//! The console in a tab, used as a person uses it, and the script API beside it.

use crate::{
    relay::Relay,
    wait,
    webdriver::{Browser, Tab},
};
use serde_json::{Value, json};
use std::{cell::RefCell, time::Duration};

/// What a tab may take for anything that no promise limits.
const PATIENCE: Duration = Duration::from_secs(30);

/// One tab with the console in it.
#[derive(Debug)]
pub struct Page<'b> {
    browser: &'b Browser,
    /// The tab.
    pub tab: Tab,
    /// The view with the namespace that was opened last.
    open: RefCell<Option<String>>,
}

impl<'b> Page<'b> {
    /// Opens a link and waits until the tab's node has been let in and the page shows its views.
    #[must_use]
    pub fn open(browser: &'b Browser, link: &str) -> Self {
        let page = Self::visit(browser, link);
        page.is_in();
        wait::eventually("the views are there", PATIENCE, || {
            let rail = page.texts(".rail");
            if rail.is_empty() {
                Err(page.text("main"))
            } else {
                Ok(())
            }
        });
        page
    }

    /// Opens an address and does not wait.
    #[must_use]
    pub fn visit(browser: &'b Browser, url: &str) -> Self {
        Self {
            browser,
            tab: browser.open(url),
            open: RefCell::default(),
        }
    }

    /// Waits until the tab's node has been let in.
    pub fn is_in(&self) {
        wait::eventually("the tab's node is in", PATIENCE, || {
            let status = self.script("return await window.sporenet.status()", &[]);
            match status {
                Ok(status) if status["verdict"] != "joining" => Ok(()),
                other => Err((other, self.text("main"))),
            }
        });
    }

    /// The browser, turned to this tab.
    #[must_use]
    pub fn here(&self) -> &'b Browser {
        self.browser.turn_to(&self.tab);
        self.browser
    }

    /// Runs an async function's body in the page.
    ///
    /// # Errors
    /// The text of what it threw.
    pub fn script(&self, body: &str, arguments: &[Value]) -> Result<Value, String> {
        self.here().run_async(body, arguments)
    }

    /// Goes to a view by its fragment, such as `#/nodes`, as following a link to it does.
    pub fn at(&self, fragment: &str) {
        let body = "
            if ((location.hash || '#/') === args[0]) return;
            const moved = new Promise((done) => addEventListener('hashchange', done, { once: true }));
            location.hash = args[0];
            await moved;";
        let moved = self.script(body, &[json!(fragment)]);
        assert!(moved.is_ok(), "{fragment}: {moved:?}");
    }

    /// Goes back to the namespace that was opened last, if one was.
    fn at_data(&self) {
        let open = self.open.borrow().clone();
        if let Some(open) = open {
            self.at(&open);
        }
    }

    /// The fragment in the address.
    #[must_use]
    pub fn fragment(&self) -> String {
        let fragment = self.here().run("return location.hash", &[]);
        fragment.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on an element, once it is there.
    pub fn click(&self, selector: &str) {
        let script = "const it = document.querySelector(arguments[0]); it?.click(); return !!it";
        wait::until(&format!("there is {selector}"), PATIENCE, || {
            self.here().run(script, &[json!(selector)]) == true
        });
    }

    /// The texts of the last hour's events, newest first.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.at("#/");
        self.texts(".event")
    }

    /// The text of the first element that a selector finds; empty if there is none.
    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        self.texts(selector).into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements that a selector finds.
    #[must_use]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)";
        strings(&self.here().run(script, &[json!(selector)]))
    }

    /// The names in the node table in a state, sorted.
    #[must_use]
    pub fn names(&self, state: &str) -> Vec<String> {
        self.at("#/nodes");
        let mut names = self.texts(&format!("tr[id^=node-].{state} .node-name"));
        names.sort();
        names
    }

    /// The number in a counter.
    #[must_use]
    pub fn counter(&self, state: &str) -> Option<u64> {
        self.at("#/");
        self.text(&format!(".counter.{state} .counter-number"))
            .trim()
            .parse()
            .ok()
    }

    /// The state of a member in the node table, by its id.
    #[must_use]
    pub fn state_of(&self, id: &str) -> Option<String> {
        self.at("#/nodes");
        let script = "return document.getElementById(arguments[0])?.className ?? null";
        let found = self.here().run(script, &[json!(format!("node-{id}"))]);
        found
            .as_str()
            .map(|classes| classes.split(' ').next().unwrap_or_default().to_owned())
    }

    /// The id of this tab's own node.
    ///
    /// # Panics
    /// When the node does not answer.
    #[must_use]
    pub fn id(&self) -> String {
        let status = self.script("return await window.sporenet.status()", &[]);
        let status = status.expect("the node answers");
        status["id"]
            .as_str()
            .expect("a status has an id")
            .to_owned()
    }

    /// Types into a field, once it is there, and lets the page know.
    pub fn fill(&self, selector: &str, text: &str) {
        let script = "const field = document.querySelector(arguments[0]);\
            if (!field) return false;\
            const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;\
            Object.getOwnPropertyDescriptor(kind.prototype, 'value').set.call(field, arguments[1]);\
            field.dispatchEvent(new Event('input', {bubbles: true}));\
            field.dispatchEvent(new Event('change', {bubbles: true}));\
            return true;";
        wait::until(&format!("{selector} is there"), PATIENCE, || {
            self.here().run(script, &[json!(selector), json!(text)]) == true
        });
    }

    /// Sends a form.
    pub fn submit(&self, selector: &str) {
        let script = "document.querySelector(arguments[0]).requestSubmit()";
        self.here().run(script, &[json!(selector)]);
    }

    /// Opens a namespace in the data browser.
    pub fn open_namespace(&self, namespace: &str) {
        self.at("#/data");
        self.fill("#namespace", namespace);
        self.submit("form.open-form");
        wait::eventually("the namespace is open", PATIENCE, || {
            let text = self.text("section.data");
            if text.contains("Keys that start with") && !text.contains("Opening…") {
                Ok(())
            } else {
                Err(text)
            }
        });
        *self.open.borrow_mut() = Some(self.fragment());
    }

    /// Puts a value through the page's form and waits until the page says that it is stored.
    pub fn put(&self, key: &str, value: &str) {
        self.at_data();
        self.fill("#key", key);
        self.fill("#value", value);
        self.submit("form.put");
        wait::eventually("the page says that the value is stored", PATIENCE, || {
            let outcome = self.text(".outcome");
            if outcome.contains(&format!("Stored {key}")) {
                Ok(())
            } else {
                Err(outcome)
            }
        });
    }

    /// The value that the data browser shows for a key of the open namespace.
    #[must_use]
    pub fn shown(&self, key: &str) -> Option<String> {
        self.at_data();
        let script = "const rows = [...document.querySelectorAll('li.entry')];\
            const row = rows.find(r => r.querySelector('.entry-key').innerText === arguments[0]);\
            return row ? row.querySelector('.entry-value').innerText : null";
        self.here()
            .run(script, &[json!(key)])
            .as_str()
            .map(str::to_owned)
    }

    /// Puts a value through the script API.
    ///
    /// # Panics
    /// When it is refused.
    pub fn put_by_script(&self, namespace: &str, key: &str, value: &str) {
        let body = "await window.sporenet.put(args[0], args[1], args[2])";
        self.script(body, &[json!(namespace), json!(key), json!(value)])
            .expect("a put is taken");
    }

    /// Reads a value through the script API; `None` also while it is not known.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn value(&self, namespace: &str, key: &str) -> Option<String> {
        let body = "
            try { return (await window.sporenet.get(args[0], args[1]))?.text ?? null; }
            catch (error) { if (error.code === 'not_known') return null; throw error; }";
        let value = self
            .script(body, &[json!(namespace), json!(key)])
            .expect("a get is answered");
        value.as_str().map(str::to_owned)
    }

    /// Closes the tab as a person does.
    pub fn close(self) {
        self.browser.close(&self.tab);
    }
}

/// Waits until all relays and all tabs list `count` living members.
pub fn all_alive(relays: &[Relay], pages: &[&Page<'_>], count: usize, promise: Duration) {
    wait::promised(
        &format!("relays and tabs list {count} alive"),
        promise,
        || {
            let relays: Vec<_> = relays
                .iter()
                .map(|relay| relay.names("alive").len())
                .collect();
            let pages: Vec<_> = pages.iter().map(|page| page.names("alive").len()).collect();
            if relays.iter().chain(&pages).all(|seen| *seen == count) {
                Ok(())
            } else {
                Err((relays, pages))
            }
        },
    );
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().cloned().unwrap_or_default();
    list.iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

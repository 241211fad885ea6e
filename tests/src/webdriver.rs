//! A real browser: headless Chromium, driven through chromedriver's WebDriver protocol.
//!
//! Source: W3C WebDriver, level 2; `goog/cdp` is chromedriver's door to the DevTools protocol.

use crate::{http, relay::free_address, wait};
use base64::{Engine, prelude::BASE64_STANDARD};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// Chromium as root on a machine without display, GPU or the outer world.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];
/// How long chromedriver may take to come up.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// The folder that pictures are kept in, if any are.
fn pictures() -> Option<PathBuf> {
    env::var_os("SPORENET_SHOTS").map(PathBuf::from)
}

/// Whether pictures are kept: only then a test waits until a page is worth one.
#[must_use]
pub fn keeps_pictures() -> bool {
    pictures().is_some()
}

/// One browser with a profile of its own, closed when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Kept so that the profile outlives the browser.
    _profile: Option<TempDir>,
}

/// A tab of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab(String);

impl Browser {
    /// Starts a browser with a fresh profile.
    ///
    /// # Panics
    /// When chromedriver is missing or does not come up.
    #[must_use]
    pub fn start() -> Self {
        let profile = TempDir::with_prefix("sporenet-profile-").expect("a temporary folder");
        let mut browser = Self::with_profile(profile.path());
        browser._profile = Some(profile);
        browser
    }

    /// Starts a browser on a profile folder that outlives it.
    ///
    /// # Panics
    /// When chromedriver is missing or does not come up.
    #[must_use]
    pub fn with_profile(profile: &Path) -> Self {
        let address = free_address();
        let program = env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let driver = Command::new(&program)
            .arg(format!("--port={}", address.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?}: {error}; tests/setup installs it"));
        let mut browser = Self {
            driver,
            address,
            session: String::new(),
            _profile: None,
        };
        wait::until("chromedriver is ready", START_PATIENCE, || {
            http::request(address, "GET", "/status", &[], b"")
                .is_ok_and(|answer| answer.json()["value"]["ready"] == true)
        });
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.push("--window-size=1440,900".into());
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            // Relays behind a proxy with a certificate that nobody vouches for.
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 60_000, "pageLoad": 60_000},
        }}});
        let answer = browser
            .call("POST", "/session", &wanted)
            .expect("a session starts");
        answer["sessionId"]
            .as_str()
            .expect("a session has an id")
            .clone_into(&mut browser.session);
        browser
    }

    /// Opens a tab on a page and turns to it.
    ///
    /// # Panics
    /// When the browser refuses.
    #[must_use]
    pub fn open(&self, url: &str) -> Tab {
        let made = self.post("/window/new", &json!({"type": "tab"}));
        let tab = Tab(made["handle"]
            .as_str()
            .expect("a tab has a handle")
            .to_owned());
        self.turn_to(&tab);
        self.go(url);
        tab
    }

    /// Makes a tab the one that is spoken to.
    pub fn turn_to(&self, tab: &Tab) {
        self.post("/window", &json!({"handle": tab.0}));
    }

    /// Loads a page in the current tab.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Loads the current page anew.
    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// Closes a tab as a person does.
    ///
    /// # Panics
    /// When the browser refuses.
    pub fn close(&self, tab: &Tab) {
        self.turn_to(tab);
        let left = self.call("DELETE", &self.path("/window"), &Value::Null);
        let left = left.expect("a tab closes");
        if let Some(other) = left[0].as_str() {
            self.turn_to(&Tab(other.to_owned()));
        }
    }

    /// Crashes a tab's process, as a bug in the browser would, and turns to another tab.
    ///
    /// # Panics
    /// When no tab is left.
    pub fn crash(&self, tab: &Tab) {
        self.turn_to(tab);
        // The answer is the news of the crash itself: an error.
        let _ = self.call(
            "POST",
            &self.path("/url"),
            &json!({"url": "chrome://crash"}),
        );
        let left = self.call("GET", &self.path("/window/handles"), &Value::Null);
        let left = left
            .ok()
            .and_then(|left| left.as_array().cloned())
            .unwrap_or_default();
        let other = left
            .iter()
            .filter_map(Value::as_str)
            .find(|handle| *handle != tab.0);
        self.turn_to(&Tab(other.expect("the browser has another tab").to_owned()));
    }

    /// Stands still, with all its tabs, until [`Browser::thaw`].
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Goes on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Signals the browser's processes, which are in several groups.
    fn signal(&self, signal: Signal) {
        let mut family = vec![self.driver.id()];
        let mut next = 0;
        while let Some(parent) = family.get(next) {
            let threads = fs::read_dir(format!("/proc/{parent}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                let children = fs::read_to_string(thread.path().join("children"));
                let children = children.unwrap_or_default();
                family.extend(children.split_whitespace().flat_map(str::parse::<u32>));
            }
            next += 1;
        }
        for process in family {
            let pid = Pid::from_raw(process.try_into().expect("a process id"));
            // One that has just ended needs no signal.
            let _ = kill(pid, signal);
        }
    }

    /// Speaks to the current tab in the DevTools protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// Gives the current tab a size in CSS pixels, narrower than any real window too.
    pub fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// Runs the body of a function in the page; answers what it returns.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post(
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// Runs the body of an async function in the page; answers what it resolves to, or the text of
    /// what it threw.
    ///
    /// # Errors
    /// The text of the exception.
    pub fn run_async(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        let body = format!(
            "const done = arguments[arguments.length - 1];\n\
             (async (...args) => {{ {script} }})(...[...arguments].slice(0, -1))\n\
             .then(value => done({{ok: value === undefined ? null : value}}),\n\
             error => done({{error: String(error && error.message || error)}}));"
        );
        let answer = self.post(
            "/execute/async",
            &json!({"script": body, "args": arguments}),
        );
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["ok"].clone()),
        }
    }

    /// Presses keys at whatever has the focus.
    pub fn keys(&self, text: &str) {
        let strokes: Vec<Value> = text
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.post("/actions", &actions);
    }

    /// Presses a key while another one is held.
    pub fn chord(&self, held: char, key: char) {
        let strokes = [
            ("keyDown", held),
            ("keyDown", key),
            ("keyUp", key),
            ("keyUp", held),
        ];
        let strokes = strokes.map(|(kind, key)| json!({"type": kind, "value": key}));
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.post("/actions", &actions);
    }

    /// Saves what pages offer to download in a folder, without asking.
    pub fn download_to(&self, folder: &Path) {
        self.devtools(
            "Browser.setDownloadBehavior",
            &json!({"behavior": "allow", "downloadPath": folder}),
        );
    }

    /// Chooses a file in a field of the current page for files.
    ///
    /// # Panics
    /// When there is no such field.
    pub fn choose_file(&self, selector: &str, file: &Path) {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let element = found.as_object().and_then(|found| found.values().next());
        let element = element.and_then(Value::as_str).expect("the field is there");
        self.post(&format!("/element/{element}/value"), &json!({"text": file}));
    }

    /// What the page and its workers wrote to the console since the last call.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().cloned().unwrap_or_default();
        let line = |entry: &Value| format!("{}: {}", entry["level"], entry["message"]);
        entries.iter().map(line).collect()
    }

    /// A picture of the current tab as PNG.
    ///
    /// # Panics
    /// When the browser makes none.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        let answer = self.call("GET", &self.path("/screenshot"), &Value::Null);
        let answer = answer.expect("a picture is made");
        BASE64_STANDARD
            .decode(answer.as_str().unwrap_or_default())
            .expect("a picture is base64")
    }

    /// Keeps a picture in the folder that `SPORENET_SHOTS` names, if it names one.
    ///
    /// # Panics
    /// When the picture can't be written.
    pub fn keep_picture(&self, name: &str) {
        let Some(folder) = pictures() else {
            return;
        };
        fs::create_dir_all(&folder).expect("the folder for pictures can be made");
        let file = folder.join(format!("{name}.png"));
        fs::write(file, self.picture()).expect("a picture can be written");
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &self.path(path), body)
            .unwrap_or_else(|error| panic!("{path}: {error}; said: {body}"))
    }

    fn path(&self, rest: &str) -> String {
        format!("/session/{}{rest}", self.session)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = [("Content-Type", "application/json")];
        let answer = http::request_within(
            self.address,
            Duration::from_secs(90),
            method,
            path,
            &headers,
            body.as_bytes(),
        );
        let answer = answer.map_err(|error| error.to_string())?;
        let value = answer.json()["value"].take();
        if answer.status == 200 {
            Ok(value)
        } else {
            Err(value["message"].as_str().unwrap_or_default().to_owned())
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            if std::thread::panicking() {
                eprintln!("--- browser console:\n{}", self.console().join("\n"));
            }
            let _ = self.call("DELETE", &self.path(""), &Value::Null);
        }
        if let Ok(group) = i32::try_from(self.driver.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.driver.wait();
    }
}

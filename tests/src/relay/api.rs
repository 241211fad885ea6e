//! What a relay says over its API, and what it is asked.

use crate::{
    http::{self, EventStream, Response},
    relay::Relay,
};
use serde_json::Value;
use sporenet_core::kernel::id::NetworkId;

/// The two links of an invite.
#[derive(Clone, Debug)]
pub struct Links {
    /// For relays: `spore:…`.
    pub relay: String,
    /// For browsers: `http://…/#spore=…`.
    pub browser: String,
}

impl Links {
    /// The links within what `invite` or `run` printed.
    #[must_use]
    pub fn within(text: &str) -> Option<Self> {
        let word = |is: &dyn Fn(&str) -> bool| {
            let found = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
            found.map(str::to_owned).find(|word| is(word))
        };
        Some(Self {
            relay: word(&|word| word.starts_with("spore:"))?,
            browser: word(&|word| word.starts_with("http") && word.contains("#spore="))?,
        })
    }
}

impl Relay {
    /// Calls its API with the token.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn api(&self, method: &str, path: &str, body: &[u8]) -> Response {
        self.try_api(method, path, body).expect("the API answers")
    }

    /// Calls its API with the token.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn try_api(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Response> {
        let bearer = format!("Bearer {}", self.token());
        http::request(
            self.address,
            method,
            path,
            &[("Authorization", &bearer)],
            body,
        )
    }

    /// Opens a stream of its API with the token, from after `last` if given.
    ///
    /// # Panics
    /// When it does not open.
    #[must_use]
    pub fn stream(&self, path: &str, last: Option<&str>) -> EventStream {
        let bearer = format!("Bearer {}", self.token());
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(last.map(|id| ("Last-Event-ID", id)));
        EventStream::open(self.address, path, &headers).expect("the stream opens")
    }

    /// Its status.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn status(&self) -> Value {
        self.api("GET", "/api/v1/status", b"").json()
    }

    /// Its members.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn members(&self) -> Vec<Value> {
        let members = self.api("GET", "/api/v1/members", b"").json();
        members
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("no array: {members}"))
    }

    /// The names of the members in a state, sorted.
    #[must_use]
    pub fn names(&self, state: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .members()
            .iter()
            .filter(|member| member["state"] == state)
            .map(|member| member["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    }

    /// What state it shows a member in, by the member's id.
    #[must_use]
    pub fn state_of(&self, id: &str) -> Option<String> {
        let members = self.members();
        let member = members.iter().find(|member| member["id"] == id)?;
        member["state"].as_str().map(str::to_owned)
    }

    /// Its own id.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn id(&self) -> String {
        self.status()["id"]
            .as_str()
            .expect("a status has an id")
            .to_owned()
    }

    /// The network that it belongs to.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        let status = self.status();
        let network = status["network"]
            .as_str()
            .expect("a status names the network");
        network.parse().expect("a network is 64 hexadecimal digits")
    }

    /// How many links it refused for a reason, by its own count.
    #[must_use]
    pub fn refusals(&self, reason: &str) -> u64 {
        self.metric_labelled("sporenet_links_refused_total", reason)
    }

    /// Its timeline, oldest first.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn timeline(&self) -> Vec<Value> {
        let kept = self.api("GET", "/api/v1/events?format=json", b"").json();
        kept["entries"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("no entries in {kept}"))
    }

    /// An invite's links.
    ///
    /// # Panics
    /// When it can't invite.
    #[must_use]
    pub fn invite(&self, arguments: &[&str]) -> Links {
        let outcome = self
            .cli(&[&["invite"], arguments].concat())
            .expect_success();
        Links::within(&outcome.stdout).unwrap_or_else(|| panic!("no links in {outcome:?}"))
    }

    /// Writes a value over HTTP.
    ///
    /// # Errors
    /// The answer, if it is a refusal.
    ///
    /// # Panics
    /// When the relay does not answer.
    pub fn put(&self, namespace: &str, key: &str, value: &str, ack: &str) -> Result<(), Response> {
        let answer = self
            .try_put(namespace, key, value, ack)
            .expect("the API answers");
        if answer.status < 300 {
            Ok(())
        } else {
            Err(answer)
        }
    }

    /// Writes a value over HTTP; answers whatever came back.
    ///
    /// # Errors
    /// When the relay does not answer.
    pub fn try_put(
        &self,
        namespace: &str,
        key: &str,
        value: &str,
        ack: &str,
    ) -> std::io::Result<Response> {
        let path = format!("{}?ack={ack}", entry_path(namespace, key));
        self.try_api("PUT", &path, value.as_bytes())
    }

    /// The value of a key, if it has one.
    ///
    /// # Panics
    /// When the relay does not answer.
    #[must_use]
    pub fn value(&self, namespace: &str, key: &str) -> Option<String> {
        let answer = self.api("GET", &entry_path(namespace, key), b"");
        match answer.status {
            200 => Some(answer.text()),
            404 => None,
            other => panic!("status {other}: {}", answer.text()),
        }
    }

    /// The values of concurrent writes to a key that lost, newest first.
    ///
    /// # Panics
    /// When the relay does not answer.
    #[must_use]
    pub fn conflicts(&self, namespace: &str, key: &str) -> Vec<String> {
        let path = format!("{}?format=json", entry_path(namespace, key));
        let entry = self.api("GET", &path, b"").json();
        let conflicts = entry["conflicts"].as_array().cloned().unwrap_or_default();
        let text = |lost: &Value| lost["value"].as_str().map(str::to_owned);
        conflicts.iter().filter_map(text).collect()
    }

    /// The keys of a namespace, in order, over as many pages as it takes.
    ///
    /// # Panics
    /// When the relay does not answer.
    #[must_use]
    pub fn keys(&self, namespace: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.api(
                "GET",
                &format!("/api/v1/kv/{namespace}?cursor={cursor}"),
                b"",
            );
            let page = page.json();
            let entries = page["entries"].as_array().cloned().unwrap_or_default();
            keys.extend(
                entries
                    .iter()
                    .filter_map(|entry| entry["key"].as_str().map(str::to_owned)),
            );
            match page["cursor"].as_str() {
                Some(next) => cursor = encode_path(next),
                None => return keys,
            }
        }
    }

    /// How many keys it holds, over all namespaces.
    ///
    /// # Panics
    /// When the relay does not answer.
    #[must_use]
    pub fn key_count(&self) -> u64 {
        self.status()["kv"]["keys"]
            .as_u64()
            .expect("a status counts keys")
    }

    /// The sum of a metric over its labels; 0 if it is not there.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.metric_labelled(name, "")
    }

    /// The sum of a metric over those labels that contain `label`; 0 if it is not there.
    #[must_use]
    pub fn metric_labelled(&self, name: &str, label: &str) -> u64 {
        let text = self.api("GET", "/metrics", b"").text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let of_it = lines.filter(|rest| rest.starts_with([' ', '{']) && rest.contains(label));
        of_it
            .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>() as u64
    }
}

/// The API's path of an entry.
fn entry_path(namespace: &str, key: &str) -> String {
    format!("/api/v1/kv/{}/{}", encode_path(namespace), encode_path(key))
}

/// Percent-encodes what has a meaning in paths and queries.
fn encode_path(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

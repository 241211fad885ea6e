//! `[[channel]]` in the configuration file.

use crate::{
    channels::{email::MailServer, notification::Severity, pagerduty, secret::Secret, url::Url},
    exit::{Code, Failure},
};
use lettre::message::Mailbox;
use std::path::Path;
use toml::{Table, Value};

/// The most channels.
const CHANNELS_MAX: usize = 16;
/// The longest name, in characters: it stands in metrics.
const NAME_CHARS_MAX: usize = 32;
/// The most recipients of a mail.
const MAILBOXES_MAX: usize = 16;
/// A key this many typing errors away from what was typed is suggested.
const TYPOS_MAX: usize = 2;

/// What every channel takes.
const COMMON: [&str; 3] = ["name", "kind", "min_severity"];
/// The kinds, and what each takes besides.
const KINDS: [(&str, &[&str]); 6] = [
    ("webhook", &["url", "url_file", "secret_file"]),
    ("email", &["smtp", "from", "to", "secret_file"]),
    ("slack", &["url", "url_file"]),
    ("pagerduty", &["url", "secret_file"]),
    ("ntfy", &["url", "url_file", "secret_file"]),
    ("log", &[]),
];

/// A way to reach people.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// Its name: letters, digits, `-`, `_` and `.`.
    pub(super) name: String,
    /// Whom it reaches, and how.
    pub(super) recipient: Recipient,
    /// What is milder is not told to it.
    pub(super) min_severity: Severity,
    /// Its keys and values as they may be shown.
    shown: Vec<(&'static str, String)>,
}

impl Channel {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its kind, such as `email`.
    pub(crate) const fn kind(&self) -> &'static str {
        self.recipient.kind()
    }

    /// What is milder is not told to it.
    pub(crate) const fn min_severity(&self) -> Severity {
        self.min_severity
    }
}

/// Whom a channel reaches, and how.
#[derive(Clone, Debug)]
pub(crate) enum Recipient {
    /// A web address of one's own, with the key that signs.
    Webhook(Url, Option<Secret>),
    /// Mailboxes: the server, from whom, to whom.
    Email(MailServer, Box<Mailbox>, Vec<Mailbox>),
    /// A Slack channel.
    Slack(Url),
    /// A PagerDuty service, with its routing key.
    PagerDuty(Url, Secret),
    /// An ntfy topic, with an access token.
    Ntfy(Url, Option<Secret>),
    /// The node's log.
    Log,
}

impl Recipient {
    /// The word of its kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(..) => "webhook",
            Self::Email(..) => "email",
            Self::Slack(_) => "slack",
            Self::PagerDuty(..) => "pagerduty",
            Self::Ntfy(..) => "ntfy",
            Self::Log => "log",
        }
    }

    /// Where it is, as far as that may be shown.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Webhook(url, _)
            | Self::Slack(url)
            | Self::PagerDuty(url, _)
            | Self::Ntfy(url, _) => url.shown().to_owned(),
            Self::Email(server, _, to) => {
                let to: Vec<_> = to.iter().map(|to| to.email.to_string()).collect();
                format!("{} by {}", to.join(", "), server.shown())
            }
            Self::Log => "the node's log".to_owned(),
        }
    }

    /// What must not be shown.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let (url, secret) = match self {
            Self::Webhook(url, secret) | Self::Ntfy(url, secret) => (Some(url), secret.as_ref()),
            Self::Slack(url) => (Some(url), None),
            Self::PagerDuty(url, secret) => (Some(url), Some(secret)),
            Self::Email(server, ..) => (None, server.user.as_ref().map(|(_, password)| password)),
            Self::Log => (None, None),
        };
        let of_url = url.map_or(&[][..], Url::secrets);
        of_url.iter().chain(secret).cloned().collect()
    }
}

/// Reads the channels, and the files with their secrets.
///
/// # Errors
/// What is wrong with which field of which channel, and what is allowed.
pub(crate) fn read(tables: Option<Vec<Table>>) -> Result<Option<Vec<Channel>>, Failure> {
    let wrong = |what: String| Failure::new(Code::Config, what);
    let Some(tables) = tables else {
        return Ok(None);
    };
    if tables.len() > CHANNELS_MAX {
        let number = tables.len();
        let what = format!("{number} channels are too many; at most {CHANNELS_MAX} are allowed");
        return Err(wrong(what));
    }
    let mut channels: Vec<Channel> = Vec::new();
    for (at, table) in tables.into_iter().enumerate() {
        let channel = Reader::new(at, table).channel().map_err(wrong)?;
        if channels.iter().any(|other| other.name == channel.name) {
            return Err(wrong(format!(
                "two channels have the name `{}`; give each a name of its own",
                channel.name
            )));
        }
        channels.push(channel);
    }
    Ok(Some(channels))
}

/// The channels as in a configuration file, without what must not be shown.
pub(crate) fn print(channels: &[Channel]) -> String {
    let mut out = String::new();
    for channel in channels {
        out.push_str("\n[[channel]]\n");
        for (key, value) in &channel.shown {
            out.push_str(&format!("{key} = {value}\n"));
        }
    }
    out
}

/// Reads one table. Errors say which.
struct Reader {
    who: String,
    table: Table,
    shown: Vec<(&'static str, String)>,
}

impl Reader {
    fn new(at: usize, table: Table) -> Self {
        let who = match table.get("name") {
            Some(Value::String(name)) => format!("channel `{name}`"),
            Some(_) | None => format!("channel {} of the file", at + 1),
        };
        Self {
            who,
            table,
            shown: Vec::new(),
        }
    }

    fn channel(mut self) -> Result<Channel, String> {
        let name = self.name()?;
        let kind = self.needed("kind", || one_of(&KINDS.map(|(kind, _)| kind)))?;
        let Some((_, keys)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            return Err(self.wrong(
                "kind",
                &format!(
                    "`{kind}` is not known; it is {}",
                    one_of(&KINDS.map(|(kind, _)| kind))
                ),
            ));
        };
        self.known_only(&kind, keys)?;
        let min_severity = self.min_severity()?;
        let recipient = match kind.as_str() {
            "webhook" => {
                let url = self.url()?;
                Recipient::Webhook(url, self.secret()?)
            }
            "email" => self.email()?,
            "slack" => Recipient::Slack(self.url()?),
            "pagerduty" => self.pagerduty()?,
            "ntfy" => {
                let url = self.url()?;
                Recipient::Ntfy(url, self.secret()?)
            }
            _ => Recipient::Log,
        };
        Ok(Channel {
            name,
            recipient,
            min_severity,
            shown: self.shown,
        })
    }

    fn name(&mut self) -> Result<String, String> {
        let rule =
            || format!("1 to {NAME_CHARS_MAX} of the letters a to z, digits, `-`, `_` and `.`");
        let name = self.needed("name", rule)?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
            return Err(self.wrong("name", &format!("can't be used; it has {}", rule())));
        }
        Ok(name)
    }

    fn min_severity(&mut self) -> Result<Severity, String> {
        let Some(word) = self.text("min_severity")? else {
            return Ok(Severity::Low);
        };
        let known = Severity::called(&word);
        known.ok_or_else(|| {
            let words = one_of(&Severity::ALL.map(Severity::name));
            self.wrong(
                "min_severity",
                &format!("`{word}` is not known; it is {words}"),
            )
        })
    }

    fn email(&mut self) -> Result<Recipient, String> {
        let example = || "such as \"smtp://user@mail.example.org:587\"".to_owned();
        let smtp = self.needed("smtp", example)?;
        let password = self.secret()?;
        let server = MailServer::read(&smtp, password).map_err(|what| self.wrong("smtp", &what))?;
        self.show("smtp", &server.shown());
        let from = self.needed("from", || "such as \"mesh@example.org\"".to_owned())?;
        let from = self.mailbox("from", &from)?;
        let to = self.list("to")?;
        if to.is_empty() || to.len() > MAILBOXES_MAX {
            return Err(self.wrong("to", &format!("wants 1 to {MAILBOXES_MAX} mail addresses")));
        }
        let to = to.iter().map(|to| self.mailbox("to", to));
        let to = to.collect::<Result<_, _>>()?;
        Ok(Recipient::Email(server, Box::new(from), to))
    }

    fn mailbox(&self, key: &str, text: &str) -> Result<Mailbox, String> {
        text.parse().map_err(|_| {
            self.wrong(
                key,
                &format!("`{text}` is no mail address; write one such as ops@example.org"),
            )
        })
    }

    fn pagerduty(&mut self) -> Result<Recipient, String> {
        let base = match self.text("url")? {
            Some(text) => text,
            None => pagerduty::BASE.to_owned(),
        };
        let base = Url::read(&base).map_err(|what| self.wrong("url", &what))?;
        self.show("url", base.shown());
        let url = base.join(pagerduty::PATH);
        let url = url.map_err(|what| self.wrong("url", &what))?;
        let Some(key) = self.secret()? else {
            return Err(self.missing("secret_file", "a file with the service's routing key"));
        };
        Ok(Recipient::PagerDuty(url, key))
    }

    /// `url`, or the address in `url_file`.
    fn url(&mut self) -> Result<Url, String> {
        let (key, text) = match (self.text("url")?, self.text("url_file")?) {
            (Some(text), None) => ("url", Secret::new(text)),
            (None, Some(path)) => {
                let read = Secret::from_file(Path::new(&path));
                (
                    "url_file",
                    read.map_err(|what| self.wrong("url_file", &what))?,
                )
            }
            (Some(_), Some(_)) => {
                return Err(self.wrong("url", "stands beside `url_file`; keep one of them"));
            }
            (None, None) => {
                let what = "an address such as \"https://hooks.example.org/path\", or write it into \
                            a file and name that with `url_file`";
                return Err(self.missing("url", what));
            }
        };
        let url = Url::read(text.expose()).map_err(|what| self.wrong(key, &what))?;
        if key == "url" {
            self.show("url", url.shown());
        }
        Ok(url)
    }

    fn secret(&mut self) -> Result<Option<Secret>, String> {
        let Some(path) = self.text("secret_file")? else {
            return Ok(None);
        };
        let read = Secret::from_file(Path::new(&path));
        read.map(Some)
            .map_err(|what| self.wrong("secret_file", &what))
    }

    /// Refuses keys that the kind does not take.
    fn known_only(&self, kind: &str, keys: &[&str]) -> Result<(), String> {
        let allowed: Vec<&str> = COMMON.iter().chain(keys).copied().collect();
        let Some(unknown) = self
            .table
            .keys()
            .find(|key| !allowed.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let distance = |word: &str| strsim::damerau_levenshtein(unknown, word);
        let near = allowed.iter().min_by_key(|word| distance(word));
        let advice = match near.filter(|word| distance(word) <= TYPOS_MAX) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("a channel of kind `{kind}` takes {}", one_of(&allowed)),
        };
        Err(format!("{}: unknown key `{unknown}`; {advice}", self.who))
    }

    fn needed(&mut self, key: &'static str, what: impl Fn() -> String) -> Result<String, String> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None => Err(self.missing(key, &what())),
        }
    }

    /// A text, noted as it stands where it is no address.
    fn text(&mut self, key: &'static str) -> Result<Option<String>, String> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let text = text.clone();
                if !matches!(key, "url" | "smtp") {
                    self.show(key, &text);
                }
                Ok(Some(text))
            }
            Some(_) => Err(self.wrong(key, "wants text in quotes")),
        }
    }

    /// One text, or a list of them.
    fn list(&mut self, key: &'static str) -> Result<Vec<String>, String> {
        let found = match self.table.get(key) {
            None => return Err(self.missing(key, "mail addresses such as [\"ops@example.org\"]")),
            Some(Value::Array(found)) => found.clone(),
            Some(other) => vec![other.clone()],
        };
        let texts = found.iter().map(|value| value.as_str().map(str::to_owned));
        let texts: Option<Vec<String>> = texts.collect();
        self.shown.push((key, Value::Array(found).to_string()));
        texts.ok_or_else(|| self.wrong(key, "wants text in quotes, or a list of such"))
    }

    fn show(&mut self, key: &'static str, text: &str) {
        self.shown.push((key, Value::from(text).to_string()));
    }

    fn wrong(&self, key: &str, what: &str) -> String {
        format!("{}: `{key}` {what}", self.who)
    }

    fn missing(&self, key: &str, what: &str) -> String {
        format!("{}: `{key}` is missing; write {what}", self.who)
    }
}

/// "`a`, `b` or `c`".
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;

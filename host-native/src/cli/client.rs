//! How a command reaches the running node: HTTP on this machine, with the token from the data
//! directory.

use crate::{
    cli::{ClientArgs, connect},
    config::default_data,
    data_dir::{self, Announced},
    exit::{Code, Failure},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{
    Agent, Body, BodyReader, RequestBuilder, Timeout,
    http::{Response, StatusCode},
};

/// How long a whole answer may take; streams have no such limit.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A node's API. Not `Debug`: it holds the token.
pub(crate) struct Client {
    base: String,
    /// Where the node is looked for, for error messages.
    place: String,
    /// Whether it was found through its data directory.
    is_local: bool,
    token: Option<String>,
    agent: Agent,
}

/// A refusal, as the API words it.
#[derive(Debug, Deserialize)]
struct Refusal {
    detail: String,
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The type of the value in it, if it is one.
    pub(crate) kind: Option<String>,
    /// The content.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Finds the node. Without `authorised` no token is looked for.
    ///
    /// # Errors
    /// When no node runs there, or its token can't be read.
    pub(crate) fn find(args: &ClientArgs, authorised: bool) -> Result<Self, Failure> {
        let (base, place, token_path) = match &args.api {
            Some(url) => {
                let base = connect::base(url)?;
                (
                    base.clone(),
                    format!("at {base}"),
                    args.token_file
                        .clone()
                        .or_else(|| args.data.as_deref().map(data_dir::token_path)),
                )
            }
            None => {
                let data = args.data.clone().map_or_else(default_data, Ok)?;
                let place = format!("with the data directory {}", data.display());
                let address = match data_dir::announced(&data)? {
                    Announced::At(address) => address,
                    Announced::Nothing => return Err(not_running(&data)),
                    Announced::Busy => return Err(busy(&place)),
                };
                let token = args
                    .token_file
                    .clone()
                    .unwrap_or_else(|| data_dir::token_path(&data));
                (format!("http://{address}"), place, Some(token))
            }
        };
        let token = match token_path.filter(|_| authorised) {
            Some(path) => Some(read_token(&path)?),
            None => None,
        };
        let agent = connect::agent(&base, &args.trust.tls_ca)?;
        Ok(Self {
            base,
            place,
            is_local: args.api.is_none(),
            token,
            agent,
        })
    }

    /// Asks and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When no node answers.
    pub(crate) fn ask(&self, method: Method<'_>, path: &str) -> Result<Answer, Failure> {
        let mut response = self.send(method, path, Patience::Whole, &[])?;
        let status = response.status();
        let kind = response.headers().get("x-sporenet-type");
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let kind = kind.map(str::to_owned);
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| self.failed(&error))?;
        Ok(Answer { status, kind, body })
    }

    /// Asks and insists on success.
    ///
    /// # Errors
    /// When no node answers, or it refuses.
    pub(crate) fn done(&self, method: Method<'_>, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.ask(method, path)?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(refused(&answer))
        }
    }

    /// Asks and reads JSON.
    ///
    /// # Errors
    /// When no node answers, it refuses, or the answer is of another form.
    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        method: Method<'_>,
        path: &str,
    ) -> Result<T, Failure> {
        let body = self.done(method, path)?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::new(
                Code::Unavailable,
                format!(
                    "what answers {} is no sporenet node of this version: {error}",
                    self.place
                ),
            )
        })
    }

    /// Opens a stream of events from after `last_id`. A node that is silent for longer than
    /// `silence_max` ends it.
    ///
    /// # Errors
    /// When no node answers, or it refuses.
    pub(crate) fn open(
        &self,
        path: &str,
        last_id: Option<&str>,
        silence_max: Duration,
    ) -> Result<Stream, Failure> {
        let headers: Vec<_> = last_id
            .map(|id| ("Last-Event-ID", id))
            .into_iter()
            .collect();
        let patience = Patience::Silence(silence_max);
        let mut response = self.send(Method::Get, path, patience, &headers)?;
        if !response.status().is_success() {
            let status = response.status();
            let body = response.body_mut().read_to_vec().unwrap_or_default();
            let kind = None;
            return Err(refused(&Answer { status, kind, body }));
        }
        Ok(Stream(response.into_body()))
    }

    /// Asks and insists on success; answers what comes, as it comes. A node that is silent for longer than
    /// `silence_max` ends it.
    ///
    /// # Errors
    /// When no node answers, or it refuses.
    pub(crate) fn lines(
        &self,
        method: Method<'_>,
        path: &str,
        silence_max: Duration,
    ) -> Result<BufReader<BodyReader<'static>>, Failure> {
        let mut response = self.send(method, path, Patience::Silence(silence_max), &[])?;
        if !response.status().is_success() {
            let status = response.status();
            let body = response.body_mut().read_to_vec().unwrap_or_default();
            let kind = None;
            return Err(refused(&Answer { status, kind, body }));
        }
        Ok(BufReader::new(response.into_body().into_reader()))
    }

    fn send(
        &self,
        method: Method<'_>,
        path: &str,
        patience: Patience,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, Failure> {
        let url = format!("{}{path}", self.base);
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers = headers
            .iter()
            .copied()
            .chain(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let sent = match method {
            Method::Get | Method::Delete => {
                let bare = if method == Method::Get {
                    self.agent.get(&url)
                } else {
                    self.agent.delete(&url)
                };
                let request =
                    headers.fold(bare, |request, (name, value)| request.header(name, value));
                patience.set(request).call()
            }
            Method::Put(body) | Method::Post(body) => {
                let bare = if matches!(method, Method::Put(_)) {
                    self.agent.put(&url)
                } else {
                    self.agent.post(&url)
                };
                let request =
                    headers.fold(bare, |request, (name, value)| request.header(name, value));
                patience.set(request).send(body)
            }
        };
        sent.map_err(|error| self.failed(&error))
    }

    /// What a request without an answer tells of the node.
    fn failed(&self, error: &ureq::Error) -> Failure {
        let Self { base, place, .. } = self;
        let cause = if let ureq::Error::Io(cause) = error {
            Some(cause.kind())
        } else {
            None
        };
        let refused = cause == Some(ErrorKind::ConnectionRefused);
        let ended = matches!(
            cause,
            Some(
                ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
            )
        );
        let (code, said) = if refused && self.is_local {
            // Its lock is held, so there is a process.
            return busy(place);
        } else if refused {
            let said =
                format!("nothing listens at {base}; check the address and that the node runs");
            (Code::Unavailable, said)
        } else if ended {
            let said = format!(
                "the node {place} ended the connection without an answer: it stops, or has too \
                 many connections; what was asked may have been done; try again"
            );
            (Code::Temporary, said)
        } else if matches!(
            error,
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve)
        ) {
            let said = format!(
                "{base} does not answer within {} s; check the address, the network and that the \
                 node runs",
                connect::CONNECT_PATIENCE.as_secs()
            );
            (Code::Unavailable, said)
        } else if matches!(error, ureq::Error::Timeout(_)) {
            let said = format!(
                "the node {place} took the request and did not answer in time: it is busy or stands \
                 still; what was asked may have been done; try again"
            );
            (Code::Temporary, said)
        } else if matches!(error, ureq::Error::HostNotFound) {
            let said = format!("the name in {base} is not known; check the address");
            (Code::Unavailable, said)
        } else {
            let advice =
                connect::untrusted(error).unwrap_or_else(|| format!("{error}; check that it runs"));
            (
                Code::Unavailable,
                format!("no node answers {place}: {advice}"),
            )
        };
        Failure::new(code, said)
    }
}

/// How long a node may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// So long for everything.
    Whole,
    /// So long until each next byte.
    Silence(Duration),
}

impl Patience {
    fn set<B>(self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let config = request.config();
        match self {
            Self::Whole => config.timeout_global(Some(PATIENCE)),
            Self::Silence(max) => config.timeout_per_read(Some(max)),
        }
        .build()
    }
}

/// A stream of events.
#[derive(Debug)]
pub(crate) struct Stream(Body);

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The node ended it: it stops.
    ByNode,
    /// Nothing came for too long.
    Silent,
    /// The connection broke.
    Lost(String),
}

impl Stream {
    /// Hands over each event until the stream ends; answers how it did.
    ///
    /// # Errors
    /// When `each` fails.
    pub(crate) fn each(
        self,
        mut each: impl FnMut(&Event) -> Result<(), Failure>,
    ) -> Result<Ended, Failure> {
        let reader = BufReader::new(self.0.into_reader());
        let mut event = Event::default();
        for line in reader.lines() {
            let line = match line {
                Ok(line) => line,
                Err(error) => return Ok(broken(&error)),
            };
            if line.is_empty() {
                let whole = std::mem::take(&mut event);
                if !whole.data.is_empty() {
                    each(&whole)?;
                }
            } else {
                event.take(&line);
            }
        }
        Ok(Ended::ByNode)
    }
}

fn broken(error: &io::Error) -> Ended {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    if matches!(inner, Some(ureq::Error::Timeout(_))) {
        Ended::Silent
    } else {
        Ended::Lost(error.to_string())
    }
}

/// The failure of an event that this version does not know.
pub(crate) fn unknown_event(error: &serde_json::Error) -> Failure {
    Failure::new(
        Code::Failed,
        format!(
            "the node sent an event that this version can't read: {error}; use the node's version"
        ),
    )
}

/// A request's method, with its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method<'a> {
    /// Read.
    Get,
    /// Delete.
    Delete,
    /// Write.
    Put(&'a [u8]),
    /// Do.
    Post(&'a [u8]),
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its kind.
    pub(crate) name: String,
    /// From where to resume.
    pub(crate) id: Option<String>,
    /// Its content.
    pub(crate) data: String,
}

impl Event {
    fn take(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "id" => self.id = Some(value.to_owned()),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
    }
}

fn not_running(data: &Path) -> Failure {
    let shown = data.display();
    Failure::new(
        Code::Unavailable,
        format!(
            "no node runs with the data directory {shown}; start one with \
             `sporenet run --data '{shown}'`, or name another with --data"
        ),
    )
}

fn busy(place: &str) -> Failure {
    Failure::new(
        Code::Temporary,
        format!("the node {place} is starting or stopping; try again in a moment"),
    )
}

fn read_token(path: &PathBuf) -> Result<String, Failure> {
    fs::read_to_string(path).map(|token| token.trim().to_owned()).map_err(|error| {
        let code = if error.kind() == ErrorKind::PermissionDenied {
            Code::NoPermission
        } else {
            Code::Config
        };
        Failure::new(
            code,
            format!(
                "the API token {} can't be read: {error}; run this as the node's user, or name a \
                 copy with --token-file",
                path.display()
            ),
        )
    })
}

/// The failure that an answer stands for.
pub(crate) fn refused(answer: &Answer) -> Failure {
    let detail = serde_json::from_slice::<Refusal>(&answer.body).map_or_else(
        |_| format!("the node answered {}", answer.status),
        |refusal| refusal.detail.trim_end_matches('.').to_owned(),
    );
    let code = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::NoPermission,
        StatusCode::SERVICE_UNAVAILABLE => Code::Temporary,
        StatusCode::INSUFFICIENT_STORAGE => Code::Io,
        _ => Code::Failed,
    };
    Failure::new(code, detail)
}

/// Writes a text so that it can stand in a URL's path or query.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_put_together_from_its_lines() {
        let mut event = Event::default();
        for line in [
            "event: put",
            "id: 1-2",
            "data: {",
            "data: }",
            ": a comment",
            "retry: 5",
        ] {
            event.take(line);
        }
        assert_eq!(event.name, "put");
        assert_eq!(event.id.as_deref(), Some("1-2"));
        assert_eq!(event.data, "{\n}");
    }

    #[test]
    fn what_stands_in_a_url_is_escaped() {
        assert_eq!(escaped("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
    }

    #[test]
    fn a_refusal_gives_its_own_sentence() {
        let answer = Answer {
            status: StatusCode::INSUFFICIENT_STORAGE,
            kind: None,
            body: br#"{"detail":"there is no room left."}"#.to_vec(),
        };
        let failure = refused(&answer);
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (Code::Io, "there is no room left")
        );
    }
}

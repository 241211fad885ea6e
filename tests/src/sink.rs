//! Recipients of notifications: a web server and a mail server that do as they are told, and keep what
//! they got.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

/// What a sink got, shared with its thread.
type Got<T> = Arc<Mutex<Vec<T>>>;

/// A request to a web server.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was there.
    pub at: Instant,
    /// Its first line, such as `POST /path HTTP/1.1`.
    pub line: String,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The header of that name (in lower case).
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(have, _)| have == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// A web server.
#[derive(Debug)]
pub struct WebSink {
    /// Where it listens.
    pub address: SocketAddr,
    got: Got<Request>,
}

impl WebSink {
    /// A server that gives these answers, each a status line with further headers, and then 200. Each
    /// answer's body is the request's path.
    ///
    /// # Panics
    /// When it can't listen.
    #[must_use]
    pub fn answering(answers: &[&str]) -> Self {
        let (listener, address) = listen();
        let got = Got::default();
        let (kept, answers) = (Arc::clone(&got), owned(answers));
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming().flatten() {
                let _ = web(stream, &kept, || {
                    answers.next().unwrap_or_else(|| "200 OK".to_owned())
                });
            }
        });
        Self { address, got }
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        kept(&self.got)
    }

    /// An address at it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn web(stream: TcpStream, got: &Got<Request>, answer: impl FnOnce() -> String) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let request = Request {
        at: Instant::now(),
        line: line.trim().to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    got.lock().expect("no test thread fails").push(request);
    let (answer, length) = (answer(), path.len());
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {answer}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{path}"
    )
}

/// A mail as a server took it, or refused it at its end.
#[derive(Clone, Debug)]
pub struct Mail {
    /// What was said before the content, a command a line.
    pub commands: Vec<String>,
    /// Headers and body.
    pub content: String,
}

impl Mail {
    /// The rest of the header line that begins so.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self
            .content
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// A mail server without TLS that takes any password.
#[derive(Debug)]
pub struct MailSink {
    /// Where it listens.
    pub address: SocketAddr,
    got: Got<Mail>,
}

impl MailSink {
    /// A server that gives these answers to whole mails, and then takes all.
    ///
    /// # Panics
    /// When it can't listen.
    #[must_use]
    pub fn answering(answers: &[&str]) -> Self {
        let (listener, address) = listen();
        let got = Got::default();
        let (kept, answers) = (Arc::clone(&got), owned(answers));
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming().flatten() {
                let _ = mail(stream, &kept, || {
                    answers.next().unwrap_or_else(|| "250 taken".to_owned())
                });
            }
        });
        Self { address, got }
    }

    /// The mails so far, refused ones too.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        kept(&self.got)
    }
}

/// One connection.
///
/// Source: RFC 5321, appendix D (a typical session); RFC 4954, section 4 (`AUTH`).
fn mail(
    mut stream: TcpStream,
    got: &Got<Mail>,
    mut answer: impl FnMut() -> String,
) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut say = |line: &str| write!(stream, "{line}\r\n");
    let mut commands = Vec::new();
    say("220 sink.example.org ready")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        commands.push(line);
        match verb.as_str() {
            "EHLO" => say("250-sink.example.org\r\n250 AUTH PLAIN")?,
            "AUTH" => say("235 welcome")?,
            "DATA" => {
                say("354 go on")?;
                let mut content = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    content.push_str(line.strip_prefix('.').unwrap_or(&line));
                    content.push('\n');
                }
                let commands = std::mem::take(&mut commands);
                let mail = Mail { commands, content };
                got.lock().expect("no test thread fails").push(mail);
                say(&answer())?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    Ok(())
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    (listener, address)
}

fn owned(answers: &[&str]) -> Vec<String> {
    answers.iter().map(ToString::to_string).collect()
}

fn kept<T: Clone>(got: &Got<T>) -> Vec<T> {
    got.lock().expect("no test thread fails").clone()
}

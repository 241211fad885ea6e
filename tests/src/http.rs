//! A plain HTTP/1.1 client, so that a test can say exactly what goes over the wire, rules broken
//! included.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a test waits for an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, decoded if it was chunked.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

/// Sends one request and reads the whole answer.
///
/// # Errors
/// Whatever the socket or a malformed answer gives.
pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    request_within(to, ANSWER_PATIENCE, method, path, headers, body)
}

/// Sends one request and reads the whole answer, waiting for it at most for `patience`.
///
/// # Errors
/// Whatever the socket or a malformed answer gives.
pub fn request_within(
    to: SocketAddr,
    patience: Duration,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let (mut reader, status, headers) = open(to, patience, method, path, headers, body)?;
    let body = read_body(&mut reader, &headers)?;
    Ok(Response {
        status,
        headers,
        body,
    })
}

/// A connection that is kept, for many requests one after another.
#[derive(Debug)]
pub struct Client {
    to: SocketAddr,
    token: String,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a relay's API.
    ///
    /// # Panics
    /// When nothing listens.
    #[must_use]
    pub fn connect(to: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(to).expect("the relay listens");
        stream.set_nodelay(true).expect("an option can be set");
        Self {
            to,
            token: token.to_owned(),
            reader: BufReader::new(stream),
        }
    }

    /// Sends a body; answers the status.
    ///
    /// # Panics
    /// When the connection ends.
    pub fn put(&mut self, path: &str, body: &[u8]) -> u16 {
        let mut bytes = format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            self.to,
            self.token,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        self.reader
            .get_ref()
            .write_all(&bytes)
            .expect("the connection is kept");
        let (status, headers) = read_head(&mut self.reader).expect("an answer");
        read_body(&mut self.reader, &headers).expect("a whole answer");
        status
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct EventStream {
    reader: BufReader<TcpStream>,
    chunked: bool,
    pending: Vec<u8>,
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its type, if it says one.
    pub event: Option<String>,
    /// Its lines of data, joined.
    pub data: String,
}

impl EventStream {
    /// Opens a stream.
    ///
    /// # Errors
    /// When the answer is not 200.
    pub fn open(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let (reader, status, headers) = open(to, ANSWER_PATIENCE, "GET", path, headers, b"")?;
        if status != 200 {
            return Err(io::Error::other(format!("status {status}")));
        }
        let chunked = headers
            .iter()
            .any(|(n, v)| n == "transfer-encoding" && v == "chunked");
        Ok(Self {
            reader,
            chunked,
            pending: Vec::new(),
        })
    }

    /// The next event that carries data; comments and keep-alives are skipped.
    ///
    /// # Errors
    /// When the stream ends or is silent for too long.
    pub fn next_event(&mut self) -> io::Result<ServerEvent> {
        loop {
            let event = self.next_block()?;
            if !event.data.is_empty() {
                return Ok(event);
            }
        }
    }

    fn next_block(&mut self) -> io::Result<ServerEvent> {
        let mut event = ServerEvent::default();
        loop {
            let line = self.line()?;
            let Some((field, value)) = line.split_once(':') else {
                if line.is_empty() {
                    return Ok(event);
                }
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "id" => event.id = Some(value),
                "event" => event.event = Some(value),
                "data" if event.data.is_empty() => event.data = value,
                "data" => event.data = format!("{}\n{value}", event.data),
                _ => {}
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut more = if self.chunked {
                read_chunk(&mut self.reader)?
            } else {
                let read = self.reader.fill_buf()?.to_vec();
                self.reader.consume(read.len());
                read
            };
            if more.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pending.append(&mut more);
        }
    }
}

type Opened = (BufReader<TcpStream>, u16, Vec<(String, String)>);

fn open(
    to: SocketAddr,
    patience: Duration,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Opened> {
    let stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("Host: {to}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    (&stream).write_all(&bytes)?;
    let mut reader = BufReader::new(stream);
    let (status, headers) = read_head(&mut reader)?;
    Ok((reader, status, headers))
}

fn read_head(reader: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no status line: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok((status, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn read_body(reader: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, v)| v)
    };
    let mut body = Vec::new();
    if header("transfer-encoding").is_some_and(|value| value == "chunked") {
        loop {
            let chunk = read_chunk(reader)?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }
    match header("content-length").and_then(|value| value.parse().ok()) {
        Some(length) => {
            body.resize(length, 0);
            reader.read_exact(&mut body)?;
        }
        None => drop(reader.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn read_chunk(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let size = usize::from_str_radix(line.trim(), 16)
        .map_err(|_| io::Error::other(format!("no chunk size: {line:?}")))?;
    let mut chunk = vec![0; size];
    reader.read_exact(&mut chunk)?;
    line.clear();
    reader.read_line(&mut line)?;
    Ok(chunk)
}

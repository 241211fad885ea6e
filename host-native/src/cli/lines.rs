//! `import` and `export`: many values as lines of JSON.

use crate::{
    cli::{
        Ack, ClientArgs,
        client::{Client, Method, escaped},
        print::{self, harmless},
        values::{ack_of, warn_of},
    },
    data_dir::private_file,
    exit::{Code, Failure},
    log_sink,
};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// About how many bytes are sent at once; the node takes 16 MiB.
const CHUNK_BYTES: usize = 4 << 20;
/// The most lines that are sent at once.
const CHUNK_LINES_MAX: usize = 32_768;
/// The longest line, in bytes: room for the largest value, in the longest words of JSON.
const LINE_BYTES_MAX: usize = 8 << 20;
/// How long a node may be silent between two parts of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// `sporenet import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The namespace
    ns: String,
    /// A file with a JSON object a line, such as {"key":"a","value":"b"}; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put refused lines into this file, to look at them and import it again
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// When a line counts as written: when it is durable here, or on one other relay too
    #[arg(long, value_enum, default_value_t)]
    ack: Ack,
    #[command(flatten)]
    client: ClientArgs,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The namespace
    ns: String,
    /// Only keys that begin like this
    #[arg(long, value_name = "P", default_value = "")]
    prefix: String,
    /// Write the type of plain values too
    #[arg(long)]
    types: bool,
    /// Write to this file, which is whole or not there [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What the node says of a line, or at the end of all.
#[derive(Debug, Deserialize)]
struct Told {
    line: Option<u64>,
    key: Option<String>,
    code: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    written: u64,
    warning: Option<String>,
}

/// Lines that are sent together.
#[derive(Debug, Default)]
struct Chunk {
    /// The number of the line before.
    before: u64,
    text: Vec<u8>,
    /// Where each line ends, its newline included.
    ends: Vec<usize>,
}

impl Chunk {
    /// A line by its number in this chunk, from 1.
    fn line(&self, number: u64) -> Option<&[u8]> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let end = *self.ends.get(index)?;
        let begin = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(begin..end)
    }

    const fn is_full(&self) -> bool {
        self.text.len() >= CHUNK_BYTES || self.ends.len() >= CHUNK_LINES_MAX
    }

    fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.ends.push(self.text.len());
    }

    fn lines(&self) -> u64 {
        u64::try_from(self.ends.len()).unwrap_or(u64::MAX)
    }
}

/// An import under way.
struct Import<'a> {
    args: &'a ImportArgs,
    client: Client,
    path: String,
    refused_file: Option<Whole>,
    lines: u64,
    written: u64,
    refused: u64,
    warning: Option<String>,
    progress: Progress,
}

pub(crate) fn import(args: &ImportArgs) -> Result<(), Failure> {
    let mut reader = open(&args.file)?;
    let client = Client::find(&args.client, true)?;
    let mut import = Import {
        args,
        client,
        path: format!("/api/v1/kv/{}?ack={}", escaped(&args.ns), ack_of(args.ack)),
        refused_file: args.refused.as_deref().map(Whole::create).transpose()?,
        lines: 0,
        written: 0,
        refused: 0,
        warning: None,
        progress: Progress::new(),
    };
    let done = import.run(&mut reader);
    import.progress.clear();
    // What was refused until then is set aside, whatever came after.
    let kept = import.refused_file.take().map_or(Ok(()), Whole::finish);
    done.map_err(|failure| import.interrupted(failure))?;
    kept?;
    import.summary()
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::PermissionDenied {
        Code::NoPermission
    } else {
        Code::Io
    };
    Failure::new(code, format!("{} can't be read: {error}", path.display()))
}

impl Import<'_> {
    fn run(&mut self, reader: &mut dyn BufRead) -> Result<(), Failure> {
        let mut chunk = Chunk::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
            let read = reader.take(limit).read_until(b'\n', &mut line);
            let read = read.map_err(|error| cannot_read(&self.args.file, &error))?;
            if read == 0 {
                return self.send(&chunk);
            }
            if read >= LINE_BYTES_MAX && !line.ends_with(b"\n") {
                self.send(&chunk)?;
                self.skip(reader)?;
                chunk = Chunk {
                    before: self.lines,
                    ..Chunk::default()
                };
                continue;
            }
            chunk.push(&line);
            if chunk.is_full() {
                self.send(&chunk)?;
                chunk = Chunk {
                    before: self.lines,
                    ..Chunk::default()
                };
            }
        }
    }

    /// Goes on behind a line that is too long; it is not set aside.
    fn skip(&mut self, reader: &mut dyn BufRead) -> Result<(), Failure> {
        loop {
            let ready = reader.fill_buf();
            let ready = ready.map_err(|error| cannot_read(&self.args.file, &error))?;
            let end = ready.iter().position(|byte| *byte == b'\n');
            let length = ready.len();
            reader.consume(end.map_or(length, |end| end.saturating_add(1)));
            if end.is_some() || length == 0 {
                break;
            }
        }
        self.lines = self.lines.saturating_add(1);
        let number = self.lines;
        let detail =
            format!("The line is longer than {LINE_BYTES_MAX} bytes; it is not set aside.");
        self.refuse(number, None, "line_too_long", &detail, None)
    }

    fn send(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        if chunk.ends.is_empty() {
            return Ok(());
        }
        let method = Method::Post(&chunk.text);
        let answer = self.client.lines(method, &self.path, SILENCE_MAX)?;
        let mut is_whole = false;
        for line in answer.lines() {
            let line = line.map_err(|error| broke_off(&error.to_string()))?;
            let told: Told = serde_json::from_str(&line).map_err(|error| {
                Failure::new(
                    Code::Unavailable,
                    format!("the answer can't be read: {error}; use the node's version"),
                )
            })?;
            if told.done {
                is_whole = true;
                self.warning = told.warning.or_else(|| self.warning.take());
                self.written = self.written.saturating_add(told.written);
            } else if let (Some(line), Some(code)) = (told.line, told.code) {
                let number = chunk.before.saturating_add(line);
                let detail = told.detail.unwrap_or_default();
                let text = chunk.line(line);
                self.refuse(number, told.key.as_deref(), &code, &detail, text)?;
            }
        }
        if !is_whole {
            return Err(broke_off("the last line is missing"));
        }
        self.lines = self.lines.saturating_add(chunk.lines());
        self.progress.show(self.lines, self.refused);
        Ok(())
    }

    fn refuse(
        &mut self,
        number: u64,
        key: Option<&str>,
        code: &str,
        detail: &str,
        text: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.refused = self.refused.saturating_add(1);
        self.progress.clear();
        let key = key.map_or_else(String::new, |key| format!(" (key `{}`)", harmless(key)));
        let (code, detail) = (harmless(code), harmless(detail));
        print::say(&format!("sporenet: line {number}{key}: {code}: {detail}"));
        if let (Some(file), Some(text)) = (&mut self.refused_file, text) {
            file.write(text)?;
        }
        Ok(())
    }

    /// Says how far it came, and how to go on.
    fn interrupted(&self, failure: Failure) -> Failure {
        if self.lines == 0 {
            return failure;
        }
        let (done, next) = (self.lines, self.lines.saturating_add(1));
        Failure::new(
            failure.code,
            format!(
                "{failure}; lines 1 to {done} are imported, some after them may be: go on from line \
                 {next}, such as with `tail -n +{next}`"
            ),
        )
    }

    fn summary(&self) -> Result<(), Failure> {
        warn_of(&json!({ "warning": self.warning }));
        let (written, refused) = (self.written, self.refused);
        let seconds = self.progress.began.elapsed().as_secs_f64();
        if self.args.json {
            let ms = u64::try_from(self.progress.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            print::json(&json!({
                "lines": self.lines,
                "written": written,
                "refused": refused,
                "ms": ms,
                "refused_file": self.args.refused,
            }))?;
        } else {
            let aside = self.args.refused.as_deref().filter(|_| refused > 0);
            let aside = aside.map(|path| format!(", set aside in {}", path.display()));
            let aside = aside.unwrap_or_default();
            print::line(&format!(
                "{written} written, {refused} refused{aside} in {seconds:.1} s"
            ))?;
        }
        if refused > 0 {
            return Err(Failure::silent(Code::Failed));
        }
        Ok(())
    }
}

fn broke_off(why: &str) -> Failure {
    Failure::new(
        Code::Temporary,
        format!("the node's answer broke off: {why}; try again"),
    )
}

/// How far it is, on a terminal.
#[derive(Debug)]
struct Progress {
    began: Instant,
    shown: Option<Instant>,
    is_wanted: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            shown: None,
            is_wanted: io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, lines: u64, refused: u64) {
        let is_soon = |shown: Instant| shown.elapsed() < PROGRESS_INTERVAL;
        if !self.is_wanted || self.shown.is_some_and(is_soon) {
            return;
        }
        self.shown = Some(Instant::now());
        log_sink::flush();
        // It is never worth the import: a failure is ignored.
        let _ = write!(io::stderr(), "\r\u{1b}[K{lines} lines, {refused} refused");
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// A private file that takes its place when it is whole.
#[derive(Debug)]
struct Whole {
    path: PathBuf,
    fresh: PathBuf,
    file: BufWriter<File>,
}

impl Whole {
    fn create(path: &Path) -> Result<Self, Failure> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        let file = private_file().truncate(true).open(&fresh);
        let file = file.map_err(|error| {
            let code = if error.kind() == ErrorKind::PermissionDenied {
                Code::NoPermission
            } else {
                Code::CannotCreate
            };
            let shown = fresh.display();
            Failure::new(
                code,
                format!("{shown} can't be made: {error}; name another place"),
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            fresh,
            file: BufWriter::new(file),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(bytes)
            .map_err(|error| self.failed(&error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let finished = self.file.flush();
        let finished = finished.and_then(|()| self.file.get_ref().sync_all());
        let finished = finished.and_then(|()| fs::rename(&self.fresh, &self.path));
        finished.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        let shown = self.path.display();
        Failure::new(Code::Io, format!("{shown} can't be written: {error}"))
    }

    /// Leaves nothing.
    fn abandon(self) {
        let _ = fs::remove_file(&self.fresh);
    }
}

pub(crate) fn export(args: &ExportArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let path = format!(
        "/api/v1/kv/{}?format=export&types={}&prefix={}",
        escaped(&args.ns),
        args.types,
        escaped(&args.prefix)
    );
    let mut answer = client.lines(Method::Get, &path, SILENCE_MAX)?;
    let Some(output) = &args.output else {
        return copy(&mut answer, print::bytes).map(|_| ());
    };
    let mut file = Whole::create(output)?;
    match copy(&mut answer, |bytes| file.write(bytes)) {
        Ok(lines) => {
            file.finish()?;
            print::say(&format!("{lines} lines in {}", output.display()));
            Ok(())
        }
        Err(failure) => {
            file.abandon();
            Err(failure)
        }
    }
}

/// Hands an answer on; answers how many lines it had.
fn copy(
    answer: &mut dyn Read,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let (mut buffer, mut lines) = (vec![0_u8; 64 << 10], 0_u64);
    loop {
        let read = answer.read(&mut buffer);
        let read = read.map_err(|error| broke_off(&error.to_string()))?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok(lines);
        }
        let ends = part.iter().filter(|byte| **byte == b'\n').count();
        lines = lines.saturating_add(u64::try_from(ends).unwrap_or(u64::MAX));
        write(part)?;
    }
}

/// The lines of an answer, each read as JSON, handed over as they come.
///
/// # Errors
/// When the answer breaks off, or `each` fails.
pub(crate) fn each_line(
    answer: impl BufRead,
    mut each: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut is_whole = false;
    for line in answer.lines() {
        let line = line.map_err(|error| broke_off(&error.to_string()))?;
        let told: Value = serde_json::from_str(&line).map_err(|error| {
            Failure::new(
                Code::Unavailable,
                format!("the answer can't be read: {error}; use the node's version"),
            )
        })?;
        is_whole = told.get("done") == Some(&Value::Bool(true));
        each(&told)?;
    }
    if is_whole {
        Ok(())
    } else {
        Err(broke_off("the last line is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_knows_its_lines() {
        let mut chunk = Chunk::default();
        for line in [&b"one\n"[..], b"\n", b"three"] {
            chunk.push(line);
        }
        let lines: Vec<_> = (0..5).map(|number| chunk.line(number)).collect();
        let expected = [
            None,
            Some(&b"one\n"[..]),
            Some(b"\n"),
            Some(b"three\n"),
            None,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_answer_without_its_last_line_is_not_whole() {
        let mut seen = 0;
        let mut read = |text: &str| {
            each_line(text.as_bytes(), |_| {
                seen += 1;
                Ok(())
            })
        };
        assert!(read("{\"a\":1}\n{\"done\":true}\n").is_ok());
        assert_eq!(read("{\"a\":1}\n").unwrap_err().code, Code::Temporary);
        assert_eq!(read("{\"a\"").unwrap_err().code, Code::Unavailable);
        assert_eq!(seen, 3);
    }
}

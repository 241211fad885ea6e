//! Savepoints: what was at the keys of some namespaces, in files of the data directory. A file has a line a
//! key, as an export, and a last line that says what it is; without that it is not whole and is no savepoint.

use crate::{
    clock,
    data_dir::private_file,
    driver::Handle,
    exit::is_full,
    http::{problem::Problem, within_patience},
    values::{
        kept::Kept,
        line::{self, Line},
        walk::Walk,
    },
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sporenet_core::kernel::text::{Key, Namespace};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, mpsc},
    task::spawn_blocking,
};

/// The most savepoints of a relay. With the largest files they take 16 GiB.
const SAVEPOINTS_MAX: usize = 32;
/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The most namespaces that a savepoint names.
const NAMESPACES_MAX: usize = 64;
/// The last line is looked for in so many bytes: it names at most [`NAMESPACES_MAX`] namespaces.
const END_BYTES_MAX: u64 = 64 << 10;
/// About how many bytes are handed to the file at once.
const PIECE_BYTES: usize = 256 << 10;
/// How many pieces, or keys that were read, wait.
const PIECES_MAX: usize = 8;
/// How many keys are compared at once, and how many bytes of their values; one key is always taken.
pub(crate) const AT_ONCE: (usize, usize) = (256, 512 << 10);
/// How a file's name ends.
const ENDING: &str = "ndjson";

/// What a savepoint is: the last line of its file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Savepoint {
    /// Its name.
    #[serde(rename = "savepoint")]
    pub(crate) name: String,
    /// When it was made, by this relay's clock.
    pub(crate) created_at_ms: u64,
    /// Of which namespaces; `None` is all that there were or came to be.
    pub(crate) namespaces: Option<Vec<Namespace>>,
    /// How many keys are in it.
    pub(crate) keys: u64,
    /// How many bytes the lines before have.
    pub(crate) bytes: u64,
}

impl Savepoint {
    /// Whether it has to do with a namespace.
    pub(crate) fn is_of(&self, namespace: &Namespace) -> bool {
        let named = self.namespaces.as_ref();
        named.is_none_or(|named| named.contains(namespace))
    }
}

/// A key and what was there.
pub(crate) type Was = ((Namespace, Key), Kept);

/// The savepoints of a relay.
#[derive(Clone, Debug)]
pub(crate) struct Savepoints {
    folder: Arc<Path>,
    /// Held by who makes or deletes one, or goes back to one.
    turn: Arc<Mutex<()>>,
}

impl Savepoints {
    /// Those in a folder, which need not be there.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder: folder.into(),
            turn: Arc::default(),
        }
    }

    /// Waits until nobody makes or deletes one, or goes back to one; keeps others waiting as long as the
    /// guard is held.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(crate) async fn list(&self) -> Result<Vec<Savepoint>, Problem> {
        let folder = Arc::clone(&self.folder);
        let mut all = blocking(move || listed(&folder)).await?;
        all.sort_by(|one, other| {
            let by_age = one.created_at_ms.cmp(&other.created_at_ms);
            by_age.then_with(|| one.name.cmp(&other.name))
        });
        Ok(all)
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name, or its file is damaged.
    pub(crate) async fn get(&self, name: &str) -> Result<Savepoint, Problem> {
        check(name)?;
        let (path, shown) = (self.path(name), name.to_owned());
        let found = blocking(move || match about(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        })
        .await?;
        found.ok_or_else(|| Problem::not_found(format!("There is no savepoint `{shown}`.")))
    }

    /// A name that is free, made of another one.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(crate) async fn free_name(&self, before: &str) -> Result<String, Problem> {
        let taken = self.list().await?;
        let is_free = |name: &String| taken.iter().all(|one| one.name != *name);
        // Room for a number is left.
        let start: String = before
            .chars()
            .take(NAME_BYTES_MAX.saturating_sub(16))
            .collect();
        let first = format!("before-{start}");
        let numbered = (2_u32..).map(|number| format!("{first}-{number}"));
        let mut names = std::iter::once(first.clone()).chain(numbered);
        Ok(names.find(is_free).unwrap_or(first))
    }

    /// Makes one of what is there now. The caller holds the turn.
    ///
    /// # Errors
    /// When the name is not valid or taken, there are too many, it grows too large, or the node is busy.
    /// Nothing is left of it then.
    pub(crate) async fn create(
        &self,
        core: &Handle,
        name: &str,
        namespaces: Option<Vec<Namespace>>,
    ) -> Result<Savepoint, Problem> {
        check(name)?;
        let there = self.list().await?;
        if there.iter().any(|one| one.name == name) {
            let detail =
                format!("There is a savepoint `{name}` already; delete it or name another.");
            return Err(Problem::new(StatusCode::CONFLICT, "exists", detail));
        }
        if there.len() >= SAVEPOINTS_MAX {
            let detail =
                format!("There are {SAVEPOINTS_MAX} savepoints, which is the most; delete one.");
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "too_many_savepoints",
                detail,
            ));
        }
        let savepoint = Savepoint {
            name: name.to_owned(),
            created_at_ms: clock::wall().as_millis(),
            namespaces: namespaces.map(checked).transpose()?,
            keys: 0,
            bytes: 0,
        };
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let (folder, path) = (Arc::clone(&self.folder), self.path(name));
        let writing = spawn_blocking(move || write(&folder, &path, pieces));
        let told = tell(core, savepoint, &sender).await;
        drop(sender);
        let written = writing.await.map_err(|_| Problem::stopping())?;
        // What the disk says comes first: the other is only that nobody takes the lines.
        written.map_err(|error| failed(&error))?;
        told
    }

    /// Deletes one. The caller holds the turn.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Problem> {
        check(name)?;
        let (path, shown) = (self.path(name), name.to_owned());
        let is_gone = blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        })
        .await?;
        if is_gone {
            Ok(())
        } else {
            Err(Problem::not_found(format!(
                "There is no savepoint `{shown}`."
            )))
        }
    }

    /// What is in one, at most [`AT_ONCE`] at a time.
    pub(crate) fn read(&self, savepoint: &Savepoint) -> mpsc::Receiver<Result<Vec<Was>, Problem>> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let (path, bytes) = (self.path(&savepoint.name), savepoint.bytes);
        spawn_blocking(move || {
            if let Err(error) = read(&path, bytes, &sender) {
                // Nobody listens: the reader is gone, and needs to know nothing.
                let _ = sender.blocking_send(Err(failed(&error)));
            }
        });
        receiver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ENDING}"))
    }
}

fn check(name: &str) -> Result<(), Problem> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_short = (1..=NAME_BYTES_MAX).contains(&name.len());
    if is_short && name.chars().all(is_known) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "A savepoint's name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`, and begins with no `.`."
    )))
}

fn checked(mut named: Vec<Namespace>) -> Result<Vec<Namespace>, Problem> {
    named.sort();
    named.dedup();
    if named.is_empty() || named.len() > NAMESPACES_MAX {
        return Err(Problem::bad_request(format!(
            "A savepoint names 1 to {NAMESPACES_MAX} namespaces, or none for all."
        )));
    }
    if named.iter().any(is_reserved) {
        return Err(Problem::bad_request(
            "Namespaces that begin with `sys.` are the mesh's own; savepoints have none of them.",
        ));
    }
    Ok(named)
}

/// Whether a namespace is the mesh's own.
pub(crate) fn is_reserved(namespace: &Namespace) -> bool {
    namespace.starts_with("sys.")
}

/// The namespaces that there are now and that a savepoint has to do with.
///
/// # Errors
/// When the node is busy or stops.
pub(crate) async fn namespaces(
    core: &Handle,
    savepoint: &Savepoint,
) -> Result<Vec<Namespace>, Problem> {
    let all = within_patience(core.ask(|node, _| node.namespaces())).await?;
    let all = all.into_iter().map(|(namespace, _)| namespace);
    Ok(all
        .filter(|namespace| !is_reserved(namespace) && savepoint.is_of(namespace))
        .collect())
}

/// What is told to the thread that writes a file.
enum Piece {
    /// Lines.
    Lines(Vec<u8>),
    /// The last one: the file is whole.
    End(Vec<u8>),
}

/// Tells all that is there; answers what the file says of itself.
async fn tell(
    core: &Handle,
    mut savepoint: Savepoint,
    file: &mpsc::Sender<Piece>,
) -> Result<Savepoint, Problem> {
    let mut piece = Vec::new();
    for namespace in namespaces(core, &savepoint).await? {
        let mut walk = Walk::new(core.clone(), namespace.clone(), String::new());
        while let Some((key, current)) = walk.next().await? {
            let before = piece.len();
            for line in line::lines(Some(&namespace), &key, &current.kept, false) {
                append(&mut piece, &line)?;
            }
            let more = piece.len().saturating_sub(before);
            savepoint.keys = savepoint.keys.saturating_add(1);
            savepoint.bytes = savepoint.bytes.saturating_add(wide(more));
            if savepoint.bytes > FILE_BYTES_MAX {
                return Err(too_large());
            }
            if piece.len() >= PIECE_BYTES {
                let lines = Piece::Lines(std::mem::take(&mut piece));
                file.send(lines).await.map_err(|_| Problem::stopping())?;
            }
        }
    }
    file.send(Piece::Lines(piece))
        .await
        .map_err(|_| Problem::stopping())?;
    let mut end = Vec::new();
    append(&mut end, &savepoint)?;
    file.send(Piece::End(end))
        .await
        .map_err(|_| Problem::stopping())?;
    Ok(savepoint)
}

fn append<T: Serialize>(text: &mut Vec<u8>, line: &T) -> Result<(), Problem> {
    serde_json::to_writer(&mut *text, line).map_err(|error| failed(&error.into()))?;
    text.push(b'\n');
    Ok(())
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "savepoint_too_large",
        format!("A savepoint has at most {FILE_BYTES_MAX} bytes; name some namespaces only."),
    )
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = spawn_blocking(work)
        .await
        .map_err(|_| Problem::stopping())?;
    done.map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Problem {
    if is_full(error) {
        return Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "full",
            "The disk is full; free some space and try again.",
        );
    }
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "savepoint_failed",
        format!("The savepoint's file can't be used: {error}."),
    )
}

/// Writes a file whole or not at all.
fn write(folder: &Path, path: &Path, mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
    create_folder(folder)?;
    // No savepoint's name begins like this. One that a killed process left is written over.
    let fresh = folder.join(".new");
    let mut file = BufWriter::new(private_file().truncate(true).open(&fresh)?);
    let mut is_whole = false;
    let written = loop {
        match pieces.blocking_recv() {
            Some(Piece::Lines(lines)) => {
                if let Err(error) = file.write_all(&lines) {
                    break Err(error);
                }
            }
            Some(Piece::End(line)) => {
                is_whole = true;
                break file.write_all(&line).and_then(|()| file.flush());
            }
            None => break Ok(()),
        }
    };
    let kept = written.and_then(|()| {
        if is_whole {
            file.get_ref().sync_all()?;
            fs::rename(&fresh, path)?;
            File::open(folder)?.sync_all()?;
        }
        Ok(is_whole)
    });
    if !matches!(kept, Ok(true)) {
        let _ = fs::remove_file(&fresh);
    }
    kept.map(|_| ())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

fn listed(folder: &Path) -> io::Result<Vec<Savepoint>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            // What is not whole was put there by others.
            all.extend(about(&path).ok());
        }
    }
    Ok(all)
}

/// The last line of a file. Its name counts, whatever the line says: files are copied and renamed.
fn about(path: &Path) -> io::Result<Savepoint> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(END_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut end)?;
    let line = end.strip_suffix(b"\n").unwrap_or(&end);
    let begin = line.iter().rposition(|byte| *byte == b'\n');
    let line = begin
        .and_then(|at| line.get(at.saturating_add(1)..))
        .unwrap_or(line);
    let mut savepoint: Savepoint = serde_json::from_slice(line).map_err(|_| damaged())?;
    let own = wide(line.len()).saturating_add(1);
    if savepoint.bytes.saturating_add(own) != length {
        return Err(damaged());
    }
    if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
        name.clone_into(&mut savepoint.name);
    }
    Ok(savepoint)
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is damaged or not whole")
}

/// Hands over what is in the first `bytes` of a file.
fn read(
    path: &Path,
    bytes: u64,
    sender: &mpsc::Sender<Result<Vec<Was>, Problem>>,
) -> io::Result<()> {
    let lines = BufReader::new(File::open(path)?.take(bytes)).split(b'\n');
    let mut ready: Vec<Was> = Vec::new();
    let mut size = 0_usize;
    for line in lines {
        let (place, kept) = read_line(&line?)?;
        size = size.saturating_add(kept.bytes());
        match ready.last_mut() {
            // A large set or map has several lines.
            Some((last, before)) if *last == place => before.join(kept),
            Some(_) | None => {
                if ready.len() >= AT_ONCE.0 || size > AT_ONCE.1 && !ready.is_empty() {
                    size = kept.bytes();
                    let whole = std::mem::take(&mut ready);
                    if sender.blocking_send(Ok(whole)).is_err() {
                        return Ok(());
                    }
                }
                ready.push((place, kept));
            }
        }
    }
    // An error says that nobody takes it.
    let _ = sender.blocking_send(Ok(ready));
    Ok(())
}

fn read_line(text: &[u8]) -> io::Result<Was> {
    let line = Line::read(text).map_err(|_| damaged())?;
    let namespace = line.namespace.as_deref().map(Namespace::new);
    let (Some(Ok(namespace)), Ok(key), Some(kept)) = (namespace, Key::new(&line.key), line.kept)
    else {
        return Err(damaged());
    };
    Ok(((namespace, key), kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sporenet_core::kernel::bytes::Bytes;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sporenet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn named(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    /// Writes a savepoint of one namespace, or begins to.
    fn written(folder: &Path, name: &str, all: &[(&str, Kept)], is_whole: bool) -> PathBuf {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let (mut text, mut end) = (Vec::new(), Vec::new());
        for (key, kept) in all {
            for line in line::lines(Some("app"), key, kept, false) {
                append(&mut text, &line).unwrap();
            }
        }
        let savepoint = Savepoint {
            name: name.to_owned(),
            created_at_ms: 7,
            namespaces: None,
            keys: wide(all.len()),
            bytes: wide(text.len()),
        };
        append(&mut end, &savepoint).unwrap();
        sender.try_send(Piece::Lines(text)).ok().unwrap();
        if is_whole {
            sender.try_send(Piece::End(end)).ok().unwrap();
        }
        drop(sender);
        let path = folder.join(format!("{name}.{ENDING}"));
        // It blocks, which no thread of the runtime may.
        let write = || write(folder, &path, pieces).unwrap();
        std::thread::scope(|scope| scope.spawn(write).join().unwrap());
        path
    }

    #[tokio::test]
    async fn what_was_written_is_listed_and_read_whole() {
        use std::os::unix::fs::PermissionsExt;
        let folder = scratch("savepoint-whole");
        let many = (0..2_500).map(|number| named(&format!("{number:04}")));
        let all = [
            ("a", Kept::Register(Bytes::from(&b"text"[..]))),
            ("b", Kept::Set(many.collect())),
            ("c", Kept::Counter(-3)),
        ];
        let path = written(&folder, "one", &all, true);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let savepoints = Savepoints::new(folder.clone());
        let listed = savepoints.list().await.unwrap();
        assert_eq!((listed.len(), listed[0].keys), (1, 3));
        let mut reader = savepoints.read(&listed[0]);
        let mut read = Vec::new();
        while let Some(keys) = reader.recv().await {
            read.extend(keys.unwrap());
        }
        let read: Vec<(&str, Kept)> = read
            .iter()
            .map(|((_, key), kept)| (key.as_str(), kept.clone()))
            .collect();
        assert_eq!(read, all);
        assert_eq!(savepoints.free_name("one").await.unwrap(), "before-one");
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_not_whole_is_no_savepoint() {
        let folder = scratch("savepoint-half");
        let all = [("a", Kept::Flag(true))];
        written(&folder, "half", &all, false);
        let savepoints = Savepoints::new(folder.clone());
        assert_eq!(savepoints.list().await.unwrap(), []);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        // A file that lost a line.
        let path = written(&folder, "cut", &all, true);
        let text = fs::read_to_string(&path).unwrap();
        let (_, end) = text.split_once('\n').unwrap();
        fs::write(&path, end).unwrap();
        assert_eq!(
            savepoints.get("cut").await.unwrap_err().code,
            "savepoint_failed"
        );
        assert_eq!(savepoints.get("none").await.unwrap_err().code, "not_found");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_stays_in_its_folder() {
        for name in ["", ".", "..", "../x", "a/b", ".new", "ä", &"x".repeat(65)] {
            assert!(check(name).is_err(), "{name}");
        }
        for name in ["a", "before-a-2", "v1.2_x"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }
}

//! The data directory: one node's store, token and address, held by one process.
//!
//! | file | what is in it |
//! |---|---|
//! | `lock` | locked by the running process |
//! | `node.db` | identity, secrets and journal (SQLite) |
//! | `history.db` | what happened, beyond the node's memory (SQLite) |
//! | `savepoints` | what was at keys, a file a savepoint |
//! | `reserve` | space for what must be written when the disk is full |
//! | `api.token` | the bearer token of the HTTP API |
//! | `api.addr` | where the running node serves the HTTP API; locked as long as that holds |
//!
//! A file outlives a process that is killed, a lock does not. So what `api.addr` says is believed only
//! while it is locked: a client never sends its token to whoever took a dead node's port.

use crate::{
    clock,
    exit::{Code, Failure, is_full},
    reserve::Reserve,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The name of the store's file.
const STORE: &str = "node.db";
/// The name of the file with history.
const HISTORY: &str = "history.db";
/// The name of the folder with savepoints.
const SAVEPOINTS: &str = "savepoints";
/// The name of the reserve's file.
const RESERVE: &str = "reserve";
/// The name of the API token's file.
const TOKEN: &str = "api.token";
/// The name of the file with the API's address.
const ADDRESS: &str = "api.addr";
/// The size of that file without its last newline: the longest address with room to spare.
const ADDRESS_BYTES: usize = 63;
/// The name of the file that the running process locks.
const LOCK: &str = "lock";
/// How long a lock is tried: a client command that looks whether a node runs holds it for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// The fewest characters a usable token has.
const TOKEN_CHARS_MIN: usize = 32;

/// A data directory that this process holds.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Unlocked by the operating system when the process ends, however it ends.
    _lock: File,
    /// The announcement, locked from the moment at which it is true.
    announcement: Mutex<Option<File>>,
}

impl DataDir {
    /// Creates the directory if need be (only its owner may enter) and locks it.
    ///
    /// # Errors
    /// When it can't be created or read, or another process holds it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| cannot_create(path, &error))?;
        fs::read_dir(path).map_err(|error| cannot_read(path, &error))?;
        let lock_path = path.join(LOCK);
        let lock = private_file()
            .open(&lock_path)
            .map_err(|error| cannot_create(&lock_path, &error))?;
        match lock_patiently(&lock) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
                announcement: Mutex::default(),
            }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Code::Temporary,
                format!(
                    "another process runs on the data directory {}; stop it, or use another \
                     directory with --data",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(cannot_read(&lock_path, &error)),
        }
    }

    /// Where the store is.
    pub(crate) fn store_path(&self) -> PathBuf {
        store_path(&self.path)
    }

    /// Where history is.
    pub(crate) fn history_path(&self) -> PathBuf {
        self.path.join(HISTORY)
    }

    /// Where savepoints are.
    pub(crate) fn savepoints_path(&self) -> PathBuf {
        self.path.join(SAVEPOINTS)
    }

    /// Space set aside for what must be written.
    pub(crate) fn reserve(&self) -> Reserve {
        Reserve::at(self.path.join(RESERVE))
    }

    /// Whether others than the owner may enter it.
    pub(crate) fn is_open_to_others(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }

    /// The API token; a fresh one if there is none.
    ///
    /// # Errors
    /// When it can be neither read nor created.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let path = self.path.join(TOKEN);
        match fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= TOKEN_CHARS_MIN => Ok(token.trim().to_owned()),
            Ok(_) => self.create_token(),
            Err(error) if error.kind() == ErrorKind::NotFound => self.create_token(),
            Err(error) => Err(cannot_read(&path, &error)),
        }
    }

    fn create_token(&self) -> Result<String, Failure> {
        let bytes = clock::entropy().ok_or_else(no_entropy)?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        write_private(&self.path.join(TOKEN), token.as_bytes())?;
        Ok(token)
    }

    /// Tells client commands where the API is. The file keeps its place and size from then on, so that
    /// a node on a full disk can be found too.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn announce(&self, address: SocketAddr) -> Result<(), Failure> {
        let path = self.path.join(ADDRESS);
        // Written before it is locked: whoever finds it locked finds what is true.
        let file = write_in_place(&path, &address.to_string())
            .map_err(|error| cannot_create(&path, &error))?;
        lock_patiently(&file).map_err(|error| cannot_read(&path, &error.into()))?;
        *self.held() = Some(file);
        Ok(())
    }

    /// Takes the announcement back.
    pub(crate) fn withdraw(&self) {
        let held = self.held().take();
        let _ = write_in_place(&self.path.join(ADDRESS), "");
        drop(held);
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<File>> {
        self.announcement
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_in_place(path: &Path, text: &str) -> io::Result<File> {
    let mut file = private_file().open(path)?;
    file.write_all(format!("{text:<ADDRESS_BYTES$}\n").as_bytes())?;
    Ok(file)
}

fn lock_patiently(file: &File) -> Result<(), TryLockError> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                thread::sleep(LOCK_INTERVAL);
            }
            outcome => return outcome,
        }
    }
}

/// What a data directory tells of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// No process holds it.
    Nothing,
    /// A process holds it and serves no API yet, or no longer.
    Busy,
    /// A running node serves its API there.
    At(SocketAddr),
}

/// Asks whether a node runs on a data directory, and where.
///
/// # Errors
/// When this user may not look.
pub(crate) fn announced(data: &Path) -> Result<Announced, Failure> {
    if !is_locked(&data.join(LOCK))? {
        return Ok(Announced::Nothing);
    }
    let path = data.join(ADDRESS);
    if !is_locked(&path)? {
        return Ok(Announced::Busy);
    }
    let text = fs::read_to_string(&path).map_err(|error| not_yours(&path, &error))?;
    Ok(text.trim().parse().map_or(Announced::Busy, Announced::At))
}

/// Whether a process holds that lock; a file that is not there is held by none.
fn is_locked(path: &Path) -> Result<bool, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(not_yours(path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(not_yours(path, &error)),
    }
}

/// The failure of a client that may not look into a node's directory.
fn not_yours(path: &Path, error: &io::Error) -> Failure {
    if error.kind() != ErrorKind::PermissionDenied {
        return cannot_read(path, error);
    }
    let shown = path.parent().unwrap_or(path).display();
    Failure::new(
        Code::NoPermission,
        format!(
            "the data directory {shown} belongs to another user ({error}); run this as that user, \
             or use --api with a copy of its api.token in --token-file"
        ),
    )
}

/// The store of a directory.
pub(crate) fn store_path(data: &Path) -> PathBuf {
    data.join(STORE)
}

/// The file with the token of a directory.
pub(crate) fn token_path(data: &Path) -> PathBuf {
    data.join(TOKEN)
}

/// The failure of a machine without entropy.
pub(crate) fn no_entropy() -> Failure {
    Failure::new(
        Code::Io,
        "the operating system gives no random numbers; nothing can be done safely",
    )
}

/// How files that only the owner may read are opened for writing.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
}

/// Writes a whole file that only the owner may read; the old content stays until the new is complete.
fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = private_file().truncate(true).open(&fresh)?;
        file.write_all(content)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| cannot_create(path, &error))
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    if is_full(error) {
        return full(path);
    }
    let kind = error.kind();
    let in_the_way = matches!(kind, ErrorKind::AlreadyExists | ErrorKind::NotADirectory);
    let (code, advice) = if kind == ErrorKind::PermissionDenied {
        (
            Code::NoPermission,
            "; change its owner or use another place with --data",
        )
    } else if in_the_way {
        (
            Code::CannotCreate,
            "; a file is in the way: use another place with --data",
        )
    } else {
        (Code::CannotCreate, "; use another place with --data")
    };
    Failure::new(
        code,
        format!("{} can't be created: {error}{advice}", path.display()),
    )
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::PermissionDenied {
        Code::NoPermission
    } else {
        Code::Io
    };
    Failure::new(
        code,
        format!(
            "{} can't be read: {error}; change its owner and permissions or use another directory \
             with --data",
            path.display()
        ),
    )
}

/// The failure of a full disk.
pub(crate) fn full(path: &Path) -> Failure {
    Failure::new(
        Code::Io,
        format!(
            "the disk that holds {} is full; free some space and start again",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sporenet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_second_holder_is_refused_and_told_why() {
        let path = scratch("held");
        let held = DataDir::open(&path).unwrap();
        let refused = DataDir::open(&path).unwrap_err();
        assert_eq!(refused.code, Code::Temporary);
        assert!(refused.message.contains("another process"));
        drop(held);
        assert!(DataDir::open(&path).is_ok());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn directory_and_token_are_the_owners_alone_and_the_token_stays() {
        let path = scratch("token");
        let held = DataDir::open(&path).unwrap();
        let token = held.token().unwrap();
        assert_eq!(held.token().unwrap(), token);
        assert!(!held.is_open_to_others());
        let mode = fs::metadata(token_path(&path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn an_announcement_that_outlived_its_node_is_not_believed() {
        let path = scratch("stale");
        let held = DataDir::open(&path).unwrap();
        held.announce(SocketAddr::from(([127, 0, 0, 1], 7600)))
            .unwrap();
        // As a kill does it: the locks go, the files stay.
        drop(held);
        assert!(
            fs::read_to_string(path.join(ADDRESS))
                .unwrap()
                .contains("7600")
        );
        assert_eq!(announced(&path), Ok(Announced::Nothing));
        // The next node runs already and has announced nothing yet.
        let next = DataDir::open(&path).unwrap();
        assert_eq!(announced(&path), Ok(Announced::Busy));
        drop(next);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn the_announced_address_reads_back_until_it_is_withdrawn() {
        let path = scratch("address");
        let held = DataDir::open(&path).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 7600));
        assert_eq!(announced(&path), Ok(Announced::Busy));
        held.announce(address).unwrap();
        assert_eq!(announced(&path), Ok(Announced::At(address)));
        held.withdraw();
        assert_eq!(announced(&path), Ok(Announced::Busy));
        drop(held);
        assert_eq!(announced(&path), Ok(Announced::Nothing));
        fs::remove_dir_all(&path).unwrap();
    }
}

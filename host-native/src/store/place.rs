//! Whether the store's files are still where they were opened.
//!
//! A process may write to a file for as long as it runs, though nobody finds the file again: after
//! `rm -rf` of the data directory, after a restore that moved another one in its place, or under a
//! volume that was mounted over it.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often an idle store is looked at. With writes it is looked at before each answer.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What tells one file from another: the device and the inode.
type FileId = (u64, u64);

/// Where the store's files are, and which files they were.
#[derive(Debug)]
pub(crate) struct Place {
    database: (PathBuf, Option<FileId>),
    /// Known from the first look at which it is there: SQLite makes it when it needs it, and keeps it
    /// while the node runs.
    log: (PathBuf, Option<FileId>),
    is_lost: bool,
}

impl Place {
    /// The files of a store that was opened just now.
    pub(super) fn of(path: &Path) -> Self {
        let mut log: OsString = path.into();
        log.push("-wal");
        let log = PathBuf::from(log);
        Self {
            database: (path.to_owned(), id_of(path)),
            log: (log, None),
            is_lost: false,
        }
    }

    /// Whether a look found that they are gone; this is never taken back.
    pub(super) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Looks whether the same files are there; answers the first that is not.
    ///
    /// A look costs two calls that read no disk, beside the flush that each write needs.
    pub(super) fn look(&mut self) -> Option<&Path> {
        if self.log.1.is_none() {
            self.log.1 = id_of(&self.log.0);
        }
        let files = [&self.database, &self.log];
        let is_gone = |(path, id): &&(PathBuf, Option<FileId>)| match (id, fs::metadata(path)) {
            (None, _) => false,
            (Some(id), Ok(found)) => *id != (found.dev(), found.ino()),
            // Another error is no word about the file: it may be there and not be seen for now.
            (Some(_), Err(error)) => {
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
            }
        };
        let gone = files.into_iter().find(is_gone)?;
        self.is_lost = true;
        Some(&gone.0)
    }
}

fn id_of(path: &Path) -> Option<FileId> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

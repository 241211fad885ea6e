//! Space set aside, so that a node whose disk is full can still write down what it must: that it
//! started, who it is, that it leaves.
//!
//! User data never get it. Each use costs a little of it; it is refilled when there is space again.

use crate::data_dir::private_file;
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

/// The whole reserve, in bytes: dozens of small writes.
const BYTES: usize = 256 << 10;
/// Less is not worth a file.
const BYTES_MIN: usize = 8 << 10;

/// A file that takes up space until it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The reserve at a path; it holds nothing yet, or what an earlier run left.
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes as much as there is, up to the whole reserve.
    pub(crate) fn hold(&self) {
        let mut bytes = BYTES;
        while bytes >= BYTES_MIN {
            if fs::metadata(&self.path).is_ok_and(|found| found.len() >= size(bytes))
                || self.fill(bytes).is_ok()
            {
                return;
            }
            bytes /= 2;
        }
        self.release();
        tracing::warn!(code = "disk_full", "the disk is full; free some space");
    }

    fn fill(&self, bytes: usize) -> io::Result<()> {
        let mut file = private_file().truncate(true).open(&self.path)?;
        // Zeros that are written take up space; a file that is only made long would not.
        file.write_all(&vec![0; bytes])?;
        file.sync_all()
    }

    /// Gives the space back to the disk.
    pub(crate) fn release(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_up_space_until_it_is_released() {
        let path = std::env::temp_dir().join(format!("sporenet-reserve-{}", std::process::id()));
        let reserve = Reserve::at(path.clone());
        reserve.hold();
        assert_eq!(fs::metadata(&path).unwrap().len(), size(BYTES));
        reserve.hold();
        reserve.release();
        assert!(!path.exists());
    }
}

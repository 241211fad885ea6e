//! The repository's files, as the tidy test reads them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the repository's root, with `/` between the parts.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Its lines that are code: comments of all kinds left out.
    pub fn code(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.starts_with("//"))
    }

    /// The room it belongs to: the first folder below `core/src`, or the file there.
    #[must_use]
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("core/src/")?;
        inside.split(['/', '.']).next()
    }

    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The repository's root.
///
/// # Panics
/// When this package does not lie in a folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_path_buf()
}

/// Every text file of the repository, sorted by path; build output and `.git` left out.
///
/// # Panics
/// When the repository can't be read.
#[must_use]
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            if is_output(name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let inside = path.strip_prefix(&root).expect("below the root");
                found.push(Source {
                    path: inside.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What git ignores too.
fn is_output(name: &str) -> bool {
    matches!(
        name,
        ".git" | "target" | "corpus" | "artifacts" | "node_modules"
    )
}

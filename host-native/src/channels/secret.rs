//! Secrets: read from files that only their owner may read, and never shown.

use std::{
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// The size that a file with a secret must not exceed, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret from elsewhere than a file.
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    /// Reads the first line of a file; nothing else but white space may follow.
    ///
    /// # Errors
    /// What is wrong with the file and what to do about it, without what is in it.
    pub(super) fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let unreadable = |error: &std::io::Error| {
            if error.kind() == ErrorKind::NotFound {
                format!("{shown} is not there; write the secret into it")
            } else {
                format!("{shown} can't be read: {error}; the node's user must be able to")
            }
        };
        // What is checked is what is read, whatever becomes of the name meanwhile.
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let found = file.metadata().map_err(|error| unreadable(&error))?;
        if !found.is_file() {
            return Err(format!(
                "{shown} is no file; name one with the secret alone in it"
            ));
        }
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "{shown} is open to other users (mode {mode:04o}); make it 0600: \
                 `chmod 600 '{shown}'`"
            ));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| unreadable(&error))?;
        let secret = text.trim();
        let fault = if secret.is_empty() {
            "is empty"
        } else if text.len() as u64 > FILE_BYTES_MAX {
            "is larger than 4096 bytes"
        } else if secret.contains(char::is_control) {
            "has several lines"
        } else {
            return Ok(Self(secret.to_owned()));
        };
        Err(format!("{shown} {fault}; write the secret alone into it"))
    }

    /// The secret itself, for whom it is meant.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Replaces each of the secrets in a text. Recipients may send back what they were sent.
pub(super) fn scrub(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets
        .iter()
        .map(Secret::expose)
        .filter(|secret| !secret.is_empty())
    {
        text = text.replace(secret, "[secret]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(name: &str, content: &str, mode: u32) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("sporenet-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn only_a_file_that_nobody_else_may_read_holds_a_secret() {
        let private = file("private", "hunter2\n", 0o600);
        assert_eq!(Secret::from_file(&private).unwrap().expose(), "hunter2");
        for mode in [0o644, 0o640, 0o602, 0o606] {
            let open = file("open", "hunter2\n", mode);
            let why = Secret::from_file(&open).unwrap_err();
            assert!(
                why.contains("chmod 600") && why.contains(&format!("{mode:04o}")),
                "{why}"
            );
            assert!(!why.contains("hunter2"), "{why}");
            fs::remove_file(open).unwrap();
        }
        fs::remove_file(private).unwrap();
    }

    #[test]
    fn a_file_that_holds_no_secret_is_refused_with_what_to_do() {
        for (name, content, word) in [
            ("empty", " \n", "is empty"),
            ("long", &*"x".repeat(5_000), "larger"),
            ("lines", "a\nb\n", "several lines"),
        ] {
            let path = file(name, content, 0o600);
            let why = Secret::from_file(&path).unwrap_err();
            assert!(why.contains(word), "{why}");
            fs::remove_file(path).unwrap();
        }
        assert!(
            Secret::from_file(Path::new("/nonexistent/x"))
                .unwrap_err()
                .contains("not there")
        );
        assert!(Secret::from_file(&std::env::temp_dir()).is_err());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(scrub("no hunter2 here", &[secret]), "no [secret] here");
    }
}

//! Settings of history: the table `[history]` of the file, and two flags.

use super::{Set, line, put, put_option};
use crate::{
    cli::RunArgs,
    exit::{Code, Failure},
    history::target::{self, Target},
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The variable that may hold an address with its password.
const VARIABLE: &str = "SPORENET_HISTORY";
/// Days that records are kept.
const KEEP_DAYS: u32 = 90;
/// The most days.
const KEEP_DAYS_MAX: u32 = 36_500;
/// The size of the file.
const BYTES_MAX: Size = Size(256 << 20);
/// The least: the write-ahead log alone takes 4 MiB.
const BYTES_MAX_MIN: u64 = 16 << 20;
/// The most.
const BYTES_MAX_MAX: u64 = 1 << 40;

/// A number of bytes, written as `256 MiB` or as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "String")]
pub(crate) struct Size(pub(crate) u64);

/// The ways to write a size.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
        let (number, bytes) = match unit {
            Some((name, bytes)) => (text.trim_end_matches(name), *bytes),
            None => (text, 1),
        };
        let number: Option<u64> = number.trim().parse().ok();
        number
            .and_then(|number| number.checked_mul(bytes))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no size; write it like 256 MiB or 1 GiB"))
    }
}

impl TryFrom<Written> for Size {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        let whole = |bytes: u64| size.0 >= bytes && size.0.is_multiple_of(bytes);
        match UNITS.iter().find(|(_, bytes)| whole(*bytes)) {
            Some((name, bytes)) => format!("{} {name}", size.0 / bytes),
            None => size.0.to_string(),
        }
    }
}

/// What the file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    off: Option<bool>,
    keep_days: Option<u32>,
    bytes_max: Option<Size>,
    target: Option<String>,
    target_file: Option<PathBuf>,
}

/// The effective settings of history.
#[derive(Clone, Debug)]
pub(crate) struct HistorySettings {
    /// Whether it is kept.
    pub(crate) on: Set<bool>,
    /// How many days records are kept.
    pub(crate) keep_days: Set<u32>,
    /// How large its file may grow.
    pub(crate) bytes_max: Set<Size>,
    /// The database that it is copied to.
    pub(crate) target: Set<Option<Target>>,
}

impl HistorySettings {
    /// Puts the layers together; `path` is the configuration file that `file` comes from.
    ///
    /// # Errors
    /// When a value is wrong, or a password is where others can see it.
    pub(super) fn load(args: &RunArgs, file: File, path: Option<&Path>) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::new(Code::Config, what);
        let (given_off, given) = given(args)?;
        let in_file = match (file.target, file.target_file) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "`history.target` and `history.target_file` are both set; keep one".to_owned(),
                ));
            }
            (Some(text), None) => {
                let target: Target = text.parse().map_err(wrong)?;
                if let Some(path) = path.filter(|_| target.has_password()) {
                    target::is_private(path).map_err(wrong)?;
                }
                Some(target)
            }
            (None, Some(file)) if given.is_none() => Some(Target::of_file(&file)?),
            (None, _) => None,
        };
        let settings = Self {
            on: Set::layer(given_off.map(|off| !off), file.off.map(|off| !off), || true),
            keep_days: Set::layer(None, file.keep_days, || KEEP_DAYS),
            bytes_max: Set::layer(None, file.bytes_max, || BYTES_MAX),
            target: Set::layer(given.map(Some), in_file.map(Some), || None),
        };
        if !(1..=KEEP_DAYS_MAX).contains(&settings.keep_days.value) {
            return Err(wrong(
                "`history.keep_days` must be from 1 to 36500".to_owned(),
            ));
        }
        if !(BYTES_MAX_MIN..=BYTES_MAX_MAX).contains(&settings.bytes_max.value.0) {
            let range = "`history.bytes_max` must be from \"16 MiB\" to \"1 TiB\"";
            return Err(wrong(range.to_owned()));
        }
        Ok(settings)
    }

    /// As a table of the configuration file, without a password.
    pub(super) fn print(&self, out: &mut String) {
        out.push_str("\n[history]\n");
        let off = Set {
            value: !self.on.value,
            origin: self.on.origin,
        };
        put(out, "off", &off);
        put(out, "keep_days", &self.keep_days);
        put(out, "bytes_max", &self.bytes_max);
        let shown = Set {
            value: self.target.value.as_ref().map(ToString::to_string),
            origin: self.target.origin,
        };
        put_option(out, "target", &shown);
        if self.target.value.as_ref().is_some_and(Target::has_password) {
            line(
                out,
                "# target has a password, not shown",
                self.target.origin,
            );
        }
    }
}

/// What flags and environment say: whether history is off, and the database.
fn given(args: &RunArgs) -> Result<(Option<bool>, Option<Target>), Failure> {
    let wrong = |what: String| Failure::new(Code::Config, what);
    match (args.history.as_deref(), &args.history_file) {
        (Some("off"), _) => Ok((Some(true), None)),
        (Some(_), Some(_)) => Err(wrong(
            "--history and --history-file are both given; keep one".to_owned(),
        )),
        (None, Some(path)) => Ok((Some(false), Some(Target::of_file(path)?))),
        (Some(text), None) => {
            let target: Target = text.parse().map_err(wrong)?;
            let from_environment = env::var(VARIABLE).is_ok_and(|value| value == text);
            if target.has_password() && !from_environment {
                return Err(wrong(format!(
                    "--history has a password in it, which every user of this machine can see; put the \
                     address into a file that only you can read and name it with --history-file, or \
                     into {VARIABLE}"
                )));
            }
            Ok((Some(false), Some(target)))
        }
        (None, None) => Ok((None, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn args(history: &str) -> RunArgs {
        RunArgs {
            history: Some(history.to_owned()),
            ..RunArgs::default()
        }
    }

    fn refused(args: &RunArgs, file: File, path: Option<&Path>) -> String {
        let refused = HistorySettings::load(args, file, path);
        refused.unwrap_err().message
    }

    #[test]
    fn sizes_are_read_and_written_with_their_unit() {
        assert_eq!("256 MiB".parse(), Ok(Size(256 << 20)));
        assert_eq!("1GiB".parse(), Ok(Size(1 << 30)));
        assert_eq!("1000".parse(), Ok(Size(1_000)));
        assert_eq!(String::from(Size(256 << 20)), "256 MiB");
        assert_eq!(String::from(Size(1_000)), "1000");
        for wrong in ["", "MiB", "-1 MiB", "1.5 GiB", "99999999999999 TiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_repeated() {
        let said = refused(&args("postgres://me:hidden@db/x"), File::default(), None);
        assert!(said.contains("--history-file"), "{said}");
        assert!(!said.contains("hidden"), "{said}");
        let plain = HistorySettings::load(&args("postgres://me@db/x"), File::default(), None);
        assert!(plain.unwrap().target.value.is_some());
    }

    #[test]
    fn a_file_with_a_password_is_for_its_owner_only() {
        let folder = env::temp_dir().join(format!("sporenet-target-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("address");
        fs::write(&path, "postgres://me:hidden@db/x\n").unwrap();
        let named = RunArgs {
            history_file: Some(path.clone()),
            ..RunArgs::default()
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let said = refused(&named, File::default(), None);
        assert!(said.contains("chmod 600"), "{said}");
        let in_file = || File {
            target: Some("postgres://me:hidden@db/x".to_owned()),
            ..File::default()
        };
        let said = refused(&RunArgs::default(), in_file(), Some(&path));
        assert!(said.contains("chmod 600"), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let settings = HistorySettings::load(&named, File::default(), None).unwrap();
        let mut printed = String::new();
        settings.print(&mut printed);
        assert!(printed.contains("postgres://me@db:5432/x"), "{printed}");
        assert!(!printed.contains("hidden"), "{printed}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for file in [
            File {
                keep_days: Some(0),
                ..File::default()
            },
            File {
                bytes_max: Some(Size(1)),
                ..File::default()
            },
        ] {
            assert!(refused(&RunArgs::default(), file, None).contains("must be from"));
        }
        let off = HistorySettings::load(&args("off"), File::default(), None).unwrap();
        assert!(!off.on.value);
    }
}

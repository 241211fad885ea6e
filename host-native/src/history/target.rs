//! The database that history is copied to: its address, and how far its certificate is trusted.

use crate::exit::{Code, Failure};
use std::{
    fmt, fs, net::IpAddr, os::unix::fs::PermissionsExt, path::Path, str::FromStr, time::Duration,
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

/// How long a connection may take to open.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The largest file with an address, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// What of the connection is encrypted, and whose certificate is taken: PostgreSQL's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing is encrypted.
    Disable,
    /// Encrypted if the server can, with any certificate.
    Prefer,
    /// Encrypted, with any certificate: nobody who only listens can read it.
    Require,
    /// Encrypted, and the certificate is for the host's name and from a trusted authority.
    VerifyFull,
}

impl Security {
    const fn named(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }

    fn called(word: &str) -> Result<Self, String> {
        let all = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyFull];
        let found = all.into_iter().find(|one| one.named() == word);
        found.ok_or_else(|| {
            format!("sslmode `{word}` is not known; write disable, prefer, require or verify-full")
        })
    }
}

/// A database's address. It may hold a password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    config: Config,
    /// How its connections are secured.
    pub(crate) security: Security,
}

impl Target {
    /// For connections.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether its password is written in it.
    pub(crate) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Reads the address in a file that only its owner may read.
    ///
    /// # Errors
    /// When it can't be read, others may read it, or it holds no address.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let wrong = |what: String| Failure::new(Code::Config, what);
        let found = fs::metadata(path)
            .map_err(|error| wrong(format!("the history file {shown} can't be read: {error}")))?;
        if found.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("{shown} is too large for an address")));
        }
        let text = fs::read_to_string(path)
            .map_err(|error| wrong(format!("the history file {shown} can't be read: {error}")))?;
        let target: Self = text
            .trim()
            .parse()
            .map_err(|what| wrong(format!("{shown}: {what}")))?;
        if target.has_password() {
            is_private(path).map_err(wrong)?;
        }
        Ok(target)
    }
}

/// Whether nobody but its owner may read a file.
///
/// # Errors
/// When others may, in words that say what to do.
pub(crate) fn is_private(path: &Path) -> Result<(), String> {
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(format!(
        "{shown} holds a password and others may read it; run `chmod 600 {shown}`"
    ))
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            // Not repeated: it may be a password in the wrong place.
            return Err(
                "the history's target is neither `off` nor postgres://USER@HOST/DATABASE".into(),
            );
        }
        let (address, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut security, mut others) = (None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.strip_prefix("sslmode=") {
                Some(word) => security = Some(Security::called(word)?),
                None => others.push(option),
            }
        }
        let plain = format!("{address}?{}", others.join("&"));
        let mut config: Config = plain.trim_end_matches('?').parse().map_err(
            |error: tokio_postgres::Error| {
                // Its cause names the part that is wrong, not its value.
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!(
                    "the history's target can't be read: {}; write postgres://USER@HOST/DATABASE",
                    cause.unwrap_or_else(|| error.to_string())
                )
            },
        )?;
        if config.get_hosts().is_empty() {
            return Err("the history's target names no host".into());
        }
        let security = security.unwrap_or_else(|| usual(&config));
        config
            .ssl_mode(match security {
                Security::Disable => SslMode::Disable,
                Security::Prefer => SslMode::Prefer,
                Security::Require | Security::VerifyFull => SslMode::Require,
            })
            .connect_timeout(CONNECT_PATIENCE)
            .application_name("sporenet");
        Ok(Self { config, security })
    }
}

/// Other machines have to show whose they are; this one need not.
fn usual(config: &Config) -> Security {
    let here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
    };
    if config.get_hosts().iter().all(here) {
        Security::Prefer
    } else {
        Security::VerifyFull
    }
}

impl fmt::Display for Target {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let mut ports = self.config.get_ports().iter();
        let mut port = 5432;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            port = ports.next().copied().unwrap_or(port);
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{name}:{port}")?,
                Host::Unix(path) => write!(f, "{}:{port}", path.display())?,
            }
        }
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "/{database}?sslmode={}", self.security.named())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_is_never_shown() {
        let target = target("postgres://me:hidden@db.example:5433/mesh?sslmode=require");
        assert!(target.has_password());
        let shown = format!("{target} {target:?}");
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(
            shown.starts_with("postgres://me@db.example:5433/mesh?sslmode=require"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_it() {
        for wrong in [
            "hidden",
            "mysql://me:hidden@db/mesh",
            "postgres://me:hidden@db:notaport/mesh",
            "postgres://me:hidden@db/mesh?sslmode=maybe",
            "postgres://me:hidden@db/mesh?what=hidden",
        ] {
            let said = wrong.parse::<Target>().unwrap_err();
            assert!(!said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn another_machine_has_to_show_whose_it_is() {
        assert_eq!(
            target("postgres://db.example/x").security,
            Security::VerifyFull
        );
        assert_eq!(target("postgres://127.0.0.1/x").security, Security::Prefer);
        assert_eq!(target("postgres://[::1]/x").security, Security::Prefer);
        let socket = target("postgresql:///x?host=/run/postgresql");
        assert_eq!(socket.security, Security::Prefer);
        let plain = target("postgres://db.example/x?sslmode=disable");
        assert_eq!(plain.security, Security::Disable);
        assert_eq!(plain.config().get_ssl_mode(), SslMode::Disable);
    }
}

//! How the program ends: one sentence for people, one code for scripts (docs/operations.md).

use crate::log_sink;
use std::{fmt, process::ExitCode};

/// Why the program stops before its work is done, or what its answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// It ran and the answer is no: unhealthy, not found, refused.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// `status --exit-code`: it works, but something wants attention.
    Degraded,
    /// No node answers at the address.
    Unavailable,
    /// A file or directory can't be created.
    CannotCreate,
    /// Reading or writing failed, or the disk is full.
    Io,
    /// It may work later: the port or the data directory is in use, the node is busy.
    Temporary,
    /// The operating system or the node's token says no.
    NoPermission,
    /// A setting is wrong.
    Config,
}

impl Code {
    /// The process exit code.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::Unavailable => 69,
            Self::CannotCreate => 73,
            Self::Io => 74,
            Self::Temporary => 75,
            Self::NoPermission => 77,
            Self::Config => 78,
        }
    }
}

/// A reason to stop: a sentence that says what to do, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What scripts see.
    pub(crate) code: Code,
    /// What people see; empty when everything has been said already.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with a sentence.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A failure whose reason stands on the screen already.
    pub(crate) const fn silent(code: Code) -> Self {
        Self {
            code,
            message: String::new(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Prints the sentence to standard error and answers the code.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                log_sink::say(&format!("sporenet: {failure}"));
            }
            ExitCode::from(failure.code.number())
        }
    }
}

/// Whether an error of the operating system means that there is no space left.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

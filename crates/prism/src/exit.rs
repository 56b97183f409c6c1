//! Exit codes: a contract, listed in `docs/reference/exit-codes.md`.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything asked for was done.
    Success,
    /// Something failed that is not the input's fault.
    Failure,
    /// An input was refused: file, data, recipe or checkpoint. (2 is the command line's.)
    Input,
    /// It ran, but no latent block opened: nothing can be said about latents.
    NoLatents,
    /// Stopped by SIGINT or SIGTERM; finished work is on disk.
    Interrupted,
}

impl ExitStatus {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Success => 0,
            ExitStatus::Failure => 1,
            ExitStatus::Input => 3,
            ExitStatus::NoLatents => 4,
            ExitStatus::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}

/// The status an error ends with, found by the type that lies in its chain.
pub fn status_of(error: &anyhow::Error) -> ExitStatus {
    for cause in error.chain() {
        if let Some(e) = cause.downcast_ref::<prism_run::Error>() {
            return match e {
                prism_run::Error::Interrupted => ExitStatus::Interrupted,
                prism_run::Error::Content { .. } | prism_run::Error::Value { .. } | prism_run::Error::Io { .. } => ExitStatus::Input,
            };
        }
        if let Some(Refused(_)) = cause.downcast_ref::<Refused>() {
            return ExitStatus::Input;
        }
    }
    ExitStatus::Failure
}

/// An input refused by the binary itself; the message names what, where and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

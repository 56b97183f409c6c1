//! Exit codes: a contract, listed in `docs/reference/exit-codes.md`.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything asked for was done.
    Success,
    /// Something failed that is not the input's fault.
    Failure,
    /// The command line was not understood.
    CommandLine,
    /// An input was refused: file, data, recipe or checkpoint.
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
            ExitStatus::CommandLine => 2,
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
    error.chain().find_map(known).unwrap_or(ExitStatus::Failure)
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<ExitStatus> {
    if let Some(error) = cause.downcast_ref::<prism_run::Error>() {
        return Some(of_run(error));
    }
    if let Some(error) = cause.downcast_ref::<prism_data::Error>() {
        return Some(match error {
            prism_data::Error::Run(inner) => of_run(inner),
            _ => ExitStatus::Input,
        });
    }
    if let Some(error) = cause.downcast_ref::<prism_model::Error>() {
        return Some(of_model(error));
    }
    if let Some(error) = cause.downcast_ref::<prism_train::Error>() {
        return Some(match error {
            prism_train::Error::Run(inner) => of_run(inner),
            prism_train::Error::Model(inner) => of_model(inner),
            prism_train::Error::Diverged { .. } => ExitStatus::Failure,
            _ => ExitStatus::Input,
        });
    }
    if let Some(error) = cause.downcast_ref::<prism_audit::Error>() {
        return Some(of_audit(error));
    }
    if let Some(error) = cause.downcast_ref::<prism_report::Error>() {
        return Some(match error {
            prism_report::Error::Run(inner) => of_run(inner),
            prism_report::Error::Findings(inner) => of_audit(inner),
            prism_report::Error::NoAudit => ExitStatus::Input,
            prism_report::Error::Figure { .. } => ExitStatus::Failure,
        });
    }
    cause.downcast_ref::<Refused>().map(|_| ExitStatus::Input)
}

fn of_run(error: &prism_run::Error) -> ExitStatus {
    match error {
        prism_run::Error::Interrupted => ExitStatus::Interrupted,
        // Later the same command may be right.
        prism_run::Error::Busy { .. } => ExitStatus::Failure,
        error if error.is_write_failure() => ExitStatus::Failure,
        _ => ExitStatus::Input,
    }
}

fn of_model(error: &prism_model::Error) -> ExitStatus {
    match error {
        prism_model::Error::Run(inner) => of_run(inner),
        prism_model::Error::Tensor(_) => ExitStatus::Failure,
        _ => ExitStatus::Input,
    }
}

fn of_audit(error: &prism_audit::Error) -> ExitStatus {
    match error {
        prism_audit::Error::Run(inner) => of_run(inner),
        _ => ExitStatus::Input,
    }
}

/// An input refused by the binary itself; the message names what, where and the remedy, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{}", prism_run::shown(.0))]
pub struct Refused(pub String);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_full_disk_is_no_inputs_fault() {
        let of = |action| {
            let error = prism_run::Error::io(action, Path::new("x"), std::io::ErrorKind::StorageFull.into());
            status_of(&prism_train::Error::Run(error).into())
        };
        assert_eq!(of("cannot write"), ExitStatus::Failure);
        assert_eq!(of("cannot create folder"), ExitStatus::Failure);
        // Whatever was being done: no reading fills a disk.
        assert_eq!(of("cannot open"), ExitStatus::Failure);
        let error = prism_run::Error::io("cannot read", Path::new("x"), std::io::ErrorKind::NotFound.into());
        assert_eq!(status_of(&prism_train::Error::Run(error).into()), ExitStatus::Input);
    }

    #[test]
    fn a_folder_that_another_writes_is_no_inputs_fault() {
        let busy = prism_run::Error::Busy { path: "run".into(), holder: "process 1 on x".into() };
        assert_eq!(status_of(&busy.into()), ExitStatus::Failure);
    }
}

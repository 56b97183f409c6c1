//! What can go wrong in the model: each message names what failed, on what, and
//! what to do about it.

use std::path::{Path, PathBuf};

use prism_run::outcome::Cause;
use prism_run::shown::{shown, shown_path};

use crate::preprocess::decode::ImageFault;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the model, its checkpoint or its input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the run layer failed.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
    /// The tensor library refused.
    #[error("tensor: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A key of `config.json` is missing or out of range.
    #[error("{path}: `{key}` {cause}; {remedy}", path = shown_path(path), key = shown(key), cause = shown(cause))]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The key, dotted when nested.
        key: String,
        /// What is wrong with it.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
    /// A checkpoint folder cannot be used; every problem is listed.
    #[error(
        "{path}: the checkpoint cannot be used:\n  {problems}\n  copy or download it again, or correct config.json",
        path = shown_path(path),
        problems = listed(problems)
    )]
    Checkpoint {
        /// The checkpoint folder.
        path: PathBuf,
        /// One line per damaged file and per missing, extra, misshapen or truncated tensor.
        problems: Vec<String>,
    },
    /// A checkpoint's weights are quantised.
    #[error(
        "{path}: the weights are quantised, {scheme}, and Prism reads only F32, BF16 and F16; give the checkpoint that they were \
         made from, or load it in transformers, `model.dequantize()`, and save that",
        path = shown_path(path),
        scheme = shown(scheme)
    )]
    Quantised {
        /// The file that says so.
        path: PathBuf,
        /// The scheme with its bits, as people call it.
        scheme: String,
    },
    /// An image file cannot be used.
    #[error(transparent)]
    Image(#[from] ImageFault),
    /// No prompt can be made of a question and its images.
    #[error(transparent)]
    Prompt(Box<Error>),
    /// What a caller passed does not fit the model.
    #[error("{what}: {cause}; {remedy}", what = shown(what), cause = shown(cause))]
    Input {
        /// The argument or object.
        what: String,
        /// What is wrong with it.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
}

/// Problems shown in a message; the others are counted.
const SHOWN: usize = 40;

fn listed(problems: &[String]) -> String {
    let mut lines: Vec<String> = problems.iter().take(SHOWN).map(|problem| shown(problem).into_owned()).collect();
    if problems.len() > SHOWN {
        lines.push(format!("and {} more (`prism doctor` with --json lists all)", problems.len() - SHOWN));
    }
    lines.join("\n  ")
}

impl Error {
    /// The operating system refused an action on `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Run(prism_run::Error::io(action, path, source))
    }

    /// The content of `path` is not what it should be.
    pub fn content(path: &Path, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Run(prism_run::Error::content(path, cause, remedy))
    }

    /// An argument does not fit the model.
    pub fn input(what: impl Into<String>, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Input { what: what.into(), cause: cause.into(), remedy: remedy.into() }
    }

    /// Why the example that this befell could not be run.
    pub fn cause(&self) -> Cause {
        match self {
            Error::Image(fault) => fault.cause,
            Error::Prompt(_) => Cause::PromptUnfit,
            Error::Tensor(error) => of_tensors(error),
            Error::Input { .. } => Cause::ModelFailed,
            Error::Run(_) | Error::Config { .. } | Error::Checkpoint { .. } | Error::Quantised { .. } => Cause::Other,
        }
    }

    /// What is said of it beside its cause: of an image the file and what is wrong with it.
    pub fn in_short(&self) -> String {
        match self {
            Error::Image(fault) => fault.in_short(),
            other => other.to_string(),
        }
    }
}

/// Whether the accelerator refused, or the arithmetic failed.
fn of_tensors(error: &candle_core::Error) -> Cause {
    use candle_core::Error::{Context, Cuda, WithBacktrace, WithPath};
    match error {
        Cuda(_) => Cause::DeviceRefused,
        Context { inner, .. } | WithBacktrace { inner, .. } | WithPath { inner, .. } => of_tensors(inner),
        _ => Cause::ModelFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_gives_the_cause() {
        let full = || candle_core::Error::Cuda("out of memory".into());
        assert_eq!(Error::from(full()).cause(), Cause::DeviceRefused);
        assert_eq!(Error::from(full().bt().context("prefill")).cause(), Cause::DeviceRefused);
        assert_eq!(Error::from(candle_core::Error::Msg("shape".into()).bt()).cause(), Cause::ModelFailed);
        let image = ImageFault::new(Path::new("a.png"), Cause::ImageUndecodable, "unexpected end of file", "replace the file");
        assert_eq!((Error::from(image.clone()).cause(), Error::from(image.clone()).in_short()), (image.cause, image.in_short()));
        let prompt = Error::Prompt(Box::new(Error::input("prompt", "has no text", "give one")));
        assert_eq!((prompt.cause(), prompt.to_string()), (Cause::PromptUnfit, "prompt: has no text; give one".into()));
    }
}

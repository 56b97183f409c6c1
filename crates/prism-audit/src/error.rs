//! What can go wrong between records and findings.

use prism_run::shown;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the audit: each message names the file or the value, the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the run cannot be read or written, or its content is not what it should be.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
    /// A setting has a value that cannot be used.
    #[error("audit setting `{key}` is {value}: {cause}; {remedy}", value = shown(value))]
    Setting {
        /// The key in the recipe.
        key: &'static str,
        /// What was given.
        value: String,
        /// Why it was refused.
        cause: &'static str,
        /// What would be accepted.
        remedy: &'static str,
    },
    /// The probe's optimizer refused the problem.
    #[error("probe at `{position}`: {cause}; check the vectors of that position for values that are not finite")]
    Probe {
        /// The probe position.
        position: String,
        /// The optimizer's message.
        cause: String,
    },
    /// Runs that cannot stand in one table.
    #[error("cannot compare: {cause}; {remedy}", cause = shown(cause), remedy = shown(remedy))]
    Compare {
        /// What stands in the way.
        cause: String,
        /// What the user can do.
        remedy: String,
    },
}

//! From records to findings: tables in, findings out. This crate knows no
//! tensors and no model; it reads what a model run wrote into `records/` and
//! writes `findings/`, both described by file in [`prism_run::records`] and
//! [`findings`].
//!
//! [`audit_run`] is the audit of one run; [`compare`] sets several beside each
//! other (the paper's Tables 1 and 2); [`paper`] computes the same statistics
//! from the published numbers.

pub mod accuracy;
pub mod alignment;
pub mod audit;
pub mod clusters;
pub mod compare;
pub mod curve;
pub mod error;
pub mod faithfulness;
pub mod findings;
pub mod latents;
pub mod lenient;
pub mod pairs;
pub mod paper;
pub mod paths;
pub mod power;
pub mod probe;
pub mod responses;
pub mod settings;
pub mod statistics;
pub mod summary;
pub mod text;
pub mod validity;
pub mod verdict;

#[cfg(test)]
#[path = "../tests/made/mod.rs"]
mod made;

pub use audit::audit_run;
pub use compare::compare;
pub use error::{Error, Result};
pub use findings::Findings;
pub use settings::AuditSettings;

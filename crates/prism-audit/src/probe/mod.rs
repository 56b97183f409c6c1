//! Linear probes (method, section 6): where is the answer linearly decodable?
//!
//! The default, in order: [`rows`] joins vectors with a target's labels ([`targets`]) and
//! clusters; [`cluster_folds`] divide them; [`nested`] z-scores ([`standardize`]), writes
//! the rows in fewer numbers ([`reduced`], [`eigen`]) and fits many penalties and labellings
//! at once ([`batch`]); [`suite`] adds repeats, [`control`] labels, intervals ([`resample`])
//! and a [`description_length`]; [`floors`] says what had to be beaten; [`finding`] makes
//! rows of it, and [`gap`] the decodability gap.
//!
//! [`paper`] is the release's pipeline, scikit-learn's to the fold: [`folds`],
//! [`logistic`], [`cross_validation`].

pub mod batch;
pub mod cluster_folds;
pub mod control;
pub mod cross_validation;
pub mod description_length;
pub mod eigen;
mod exponential;
pub mod finding;
pub mod floors;
pub mod folds;
pub mod gap;
pub mod logistic;
pub mod matrix;
pub mod nested;
pub mod paper;
pub mod probed;
pub mod reduced;
pub mod resample;
pub mod row;
pub mod rows;
pub mod standardize;
pub mod suite;
pub mod targets;

pub use cross_validation::{CrossValidated, Pipeline, cross_validate};
pub use finding::{probe_run, warnings};
pub use folds::stratified_folds;
pub use gap::{Gap, gap};
pub use logistic::{Logistic, Tolerance};
pub use matrix::Matrix;
pub use row::is_own;

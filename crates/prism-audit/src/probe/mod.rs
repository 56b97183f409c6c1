//! Linear probes (method, section 6): where is the answer linearly decodable?
//!
//! The release's pipeline, scikit-learn's to the fold: [`folds`], [`standardize`],
//! [`logistic`], [`cross_validation`]; the same optimum at a tight tolerance
//! ([`row_space`]); and the control task with permuted labels ([`finding`]).

pub mod cross_validation;
pub mod finding;
pub mod folds;
pub mod logistic;
pub mod matrix;
pub mod row_space;
pub mod standardize;

pub use cross_validation::{CrossValidated, Pipeline, cross_validate};
pub use finding::{Gap, gap, probe, probe_run, warnings};
pub use folds::stratified_folds;
pub use logistic::{Logistic, Tolerance};
pub use matrix::Matrix;

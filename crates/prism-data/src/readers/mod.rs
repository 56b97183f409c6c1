//! From files to examples and training records: one file per format.
//!
//! Every reader guarantees what [`prism_run::Example`] and
//! [`prism_run::TrainingRecord`] promise (images exist, boxes lie inside the image,
//! labels are among the options, ids are unique) or says of a row, in a message that
//! names the file, the place, the cause and the remedy, why it does not. Rows are
//! handed on one at a time, so a reader holds a few of them in memory. Relative paths
//! are relative to the folder of the file that holds them and stay below it; absolute
//! paths are taken as they are.

use std::ops::ControlFlow;
use std::path::PathBuf;

use prism_run::Example;

use crate::Result;
use crate::benchmark::{Description, Layout};

mod blink;
pub(crate) mod checks;
mod images;
mod jsonl;
mod loose;
mod mmvp;
mod questions;
mod training;
mod vstar;

pub use images::{CACHE_VARIABLE, Depth, ImageCheck, Images, Picture, Remark, Remarks, Unusable, cache_folder};
pub use jsonl::{JsonlRow, KEYS as JSONL_KEYS};
pub use training::{TrainingEntry, TrainingJson, TrainingTurn, read_training, training_files};

pub(crate) use mmvp::QUESTIONS as MMVP_QUESTIONS;
pub(crate) use training::holds_questions;
pub(crate) use vstar::QUESTIONS as VSTAR_QUESTIONS;

/// What a reader reads.
pub(crate) struct Source<'a> {
    /// The files of questions, at least one.
    pub(crate) files: &'a [PathBuf],
    /// The task of each file (BLINK).
    pub(crate) tasks: &'a [Option<String>],
    /// Prompts and names.
    pub(crate) description: &'a Description,
    /// How images are looked at.
    pub(crate) images: &'a Images,
}

/// Takes every row: an example, or why it is none.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Result<Example>) -> ControlFlow<()>;

/// Hands every row of `source` to `each` until it breaks off.
///
/// # Errors
/// What makes the file as a whole unreadable.
pub(crate) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    match source.description.layout {
        Layout::Vstar => vstar::visit(source, each),
        Layout::Mmvp => mmvp::visit(source, each),
        Layout::Blink => blink::visit(source, each),
        Layout::Jsonl => jsonl::visit(source, each),
        Layout::Training => training::visit(source, each),
        Layout::Questions => questions::visit(source, each),
    }
}

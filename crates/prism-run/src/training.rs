//! One record of the training data: images, turns, and the regions the answers
//! look at (method, section 2).
//!
//! The texts are the file's own, markers included: [`IMAGE_MARKER`] where an image
//! goes and [`REGION_MARKER`] where a latent block for one region goes. What the
//! markers become in tokens is the prompt's business, not this type's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::RegionBox;

/// Stands for one image in a question; a newline on either side belongs to it.
pub const IMAGE_MARKER: &str = "<image>";

/// Stands for one region (one box) in an answer.
pub const REGION_MARKER: &str = "<lvr>";

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The user's text, with image markers as in the file.
    pub question: String,
    /// The assistant's text, with region markers as in the file.
    pub answer: String,
}

/// One training record.
///
/// Readers guarantee: at least one turn, image files exist, boxes are valid, the
/// questions hold as many [`IMAGE_MARKER`]s as there are images and the answers as
/// many [`REGION_MARKER`]s as there are boxes, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// `dataset/question_id`, for messages; corpora repeat it, so key random
    /// numbers by `row`.
    pub id: String,
    /// Position in the corpus, from 0; unique.
    pub row: usize,
    /// Image files, absolute or relative to the working directory.
    #[serde(serialize_with = "crate::as_text::all")]
    pub images: Vec<PathBuf>,
    /// The turns in order.
    pub turns: Vec<Turn>,
    /// The regions, one per [`REGION_MARKER`] in reading order over the answers.
    pub boxes: Vec<RegionBox>,
    /// The question as a benchmark asks it, when the file gives it.
    pub text: Option<String>,
    /// The gold letter, when the file gives it.
    pub label: Option<String>,
}

/// `text` without image markers, each with the newline before and after it.
pub fn without_image_markers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split(IMAGE_MARKER);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if out.ends_with('\n') {
            out.pop();
        }
        out.push_str(piece.strip_prefix('\n').unwrap_or(piece));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_take_their_newlines_along() {
        assert_eq!(without_image_markers("<image>\nWhat?"), "What?");
        assert_eq!(without_image_markers("Here:\n<image>\nWhat?"), "Here:What?");
        assert_eq!(without_image_markers("<image>\n<image>\nWhich?\n"), "Which?\n");
        assert_eq!(without_image_markers("plain\n"), "plain\n");
    }
}

//! One question with its images and label.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A box, normalised to the image: `[x0, y0, x1, y1]`, each in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegionBox(pub [f64; 4]);

impl RegionBox {
    /// The box scaled by `factor` about its centre and clipped to the image
    /// (the context box of the progressive variants; method, section 3).
    pub fn scaled(self, factor: f64) -> Self {
        let [x0, y0, x1, y1] = self.0;
        let (cx, cy) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
        let (hw, hh) = ((x1 - x0) * factor / 2.0, (y1 - y0) * factor / 2.0);
        Self([(cx - hw).max(0.0), (cy - hh).max(0.0), (cx + hw).min(1.0), (cy + hh).min(1.0)])
    }

    /// Whether the four numbers are finite, inside the image and span an area.
    pub fn is_valid(self) -> bool {
        let [x0, y0, x1, y1] = self.0;
        self.0.iter().all(|v| v.is_finite() && (0.0..=1.0).contains(v)) && x0 < x1 && y0 < y1
    }
}

/// One question of a benchmark, or one training record read as a question.
///
/// Readers guarantee: image files exist, boxes are valid, `label` is among the
/// option letters when there are options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Unique within its benchmark; keys the random numbers.
    pub id: String,
    /// Position in the file it was read from, from 0.
    pub row: usize,
    /// The file's own id of the question.
    pub question_id: String,
    /// Image files, absolute or relative to the working directory.
    #[serde(serialize_with = "crate::as_text::all")]
    pub images: Vec<PathBuf>,
    /// The text of the user turn as the model sees it, options and instruction
    /// included, without image markers.
    pub prompt: String,
    /// The options' texts in letter order (A, B, ...); empty if not multiple choice.
    pub options: Vec<String>,
    /// The gold answer: an option letter for multiple choice.
    pub label: String,
    /// Annotated regions, in order; empty if unknown.
    pub boxes: Vec<RegionBox>,
    /// Subset of the benchmark, e.g. `direct_attributes`.
    pub category: Option<String>,
    /// Examples that share this word belong together (MMVP pairs).
    pub pair: Option<String>,
    /// Id of the counterfactual partner: same scene and question, another answer.
    pub counterfactual: Option<String>,
}

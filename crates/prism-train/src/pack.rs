//! A pack ready for the model: its samples laid end to end, and where in it the
//! images, the counted labels, the latents and the free tokens are.

use prism_model::PackLayout;
use prism_run::Stage;

/// One run of latent positions: one stage of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latents {
    /// Its stage.
    pub stage: Stage,
    /// First row of the run in the pack.
    pub start: u32,
    /// Teacher targets in order: rows of the pack's features.
    pub tokens: Vec<u32>,
}

/// Samples laid end to end.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// Tokens, `[n]`.
    pub ids: Vec<u32>,
    /// Lengths and rotary positions.
    pub layout: PackLayout,
    /// Rows that hold an image token, in order: row i is filled with feature i.
    pub image_rows: Vec<u32>,
    /// Rows whose token counts in the cross-entropy, and the token.
    pub counted: Vec<(u32, u32)>,
    /// Latent runs in order.
    pub latents: Vec<Latents>,
    /// Rows of the free tokens, block by block.
    pub free: Vec<Vec<u32>>,
    /// Per sample: its row in the corpus and how many latent runs it has.
    pub samples: Vec<(usize, usize)>,
}

impl Pack {
    /// Rows of the latent positions, in order.
    pub fn latent_rows(&self) -> Vec<u32> {
        self.latents.iter().flat_map(|s| s.start..s.start + s.tokens.len() as u32).collect()
    }

    /// Per sample: its row in the corpus, and its latent positions.
    pub fn latents_per_sample(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut runs = self.latents.iter();
        self.samples.iter().map(move |&(row, count)| (row, runs.by_ref().take(count).map(|s| s.tokens.len()).sum()))
    }
}

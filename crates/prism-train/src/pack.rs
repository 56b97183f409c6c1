//! A pack ready for the model: its samples laid end to end, and where in it the
//! images, the counted labels, the latents and the free tokens are.

use std::path::PathBuf;

use prism_model::PackLayout;
use prism_model::prompt::TrainingSample;
use prism_run::Stage;

use crate::{Error, Result};

/// One run of latent positions: one stage of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latents {
    /// Index of the sample in the pack.
    pub sample: usize,
    /// Index of the region in its sample.
    pub region: usize,
    /// Its stage.
    pub stage: Stage,
    /// Rows of the latent positions in the pack.
    pub rows: Vec<u32>,
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
    /// Images in order.
    pub images: Vec<PathBuf>,
    /// Rows that hold an image token, in order: row i is filled with feature i.
    pub image_rows: Vec<u32>,
    /// Rows whose token counts in the cross-entropy, and the token.
    pub counted: Vec<(u32, u32)>,
    /// Latent runs with teacher targets, in order.
    pub latents: Vec<Latents>,
    /// Per sample the rows of all its latent positions, in order.
    pub chains: Vec<Vec<u32>>,
    /// Rows of the free tokens, block by block.
    pub free: Vec<Vec<u32>>,
    /// Per sample: its row in the corpus and how many latent positions it has.
    pub samples: Vec<(usize, usize)>,
}

impl Pack {
    /// A pack of samples, each with its image files.
    pub fn of<'a>(samples: impl IntoIterator<Item = (&'a TrainingSample, &'a [PathBuf])>) -> Self {
        let mut pack = Self::default();
        samples.into_iter().for_each(|(sample, images)| pack.push(sample, images));
        pack
    }

    fn push(&mut self, sample: &TrainingSample, images: &[PathBuf]) {
        let start = self.ids.len() as u32;
        let features = self.image_rows.len() as u32;
        let row = |at: usize| start + at as u32;
        self.ids.extend(&sample.ids);
        self.layout.push_hidden(&sample.positions, &sample.hidden);
        self.images.extend_from_slice(images);
        self.image_rows.extend(sample.image_tokens.iter().map(|&at| row(at)));
        // A sample's first token has no state before it that could predict it.
        let counted = sample.labels.iter().enumerate().skip(1);
        self.counted.extend(counted.filter_map(|(at, label)| Some((row(at), (*label)?))));
        let runs = sample.latents.chunk_by(|a, b| (a.region, a.stage) == (b.region, b.stage));
        let number = self.samples.len();
        self.latents.extend(runs.map(|run| Latents {
            sample: number,
            region: run[0].region,
            stage: run[0].stage,
            rows: run.iter().map(|l| row(l.at)).collect(),
            tokens: run.iter().map(|l| features + l.visual as u32).collect(),
        }));
        self.chains.push(sample.runs.iter().flat_map(|run| run.at.clone().map(row)).collect());
        self.free.extend(sample.free.iter().map(|block| block.at.clone().map(row).collect()));
        self.samples.push((sample.row, sample.latents.len()));
    }

    /// The pack with every block filled with the region of another sample, the next that has one, as input and as target:
    /// its tokens in order, begun again where the block is longer.
    ///
    /// # Errors
    /// Only one sample of the pack has a region.
    pub fn with_foreign_regions(mut self) -> Result<Self> {
        let of: Vec<Vec<u32>> = (0..self.samples.len())
            .map(|sample| self.latents.iter().filter(|run| run.sample == sample).flat_map(|run| run.tokens.iter().copied()).collect())
            .collect();
        let count = of.len();
        for run in &mut self.latents {
            let donor = (1..count).map(|step| &of[(run.sample + step) % count]).find(|tokens| !tokens.is_empty());
            let Some(donor) = donor else {
                return Err(Error::Record {
                    id: format!("row {}", self.samples[run.sample].0),
                    cause: "no other sample of its pack has a region to fill its block with".into(),
                    remedy: "give packs of at least two samples (`samples_per_pack`, `tokens_per_pack`)",
                });
            };
            let tokens = donor.iter().cycle().take(run.tokens.len()).copied().collect();
            run.tokens = tokens;
        }
        Ok(self)
    }

    /// Rows of the latent positions that have a teacher target, in order.
    pub fn latent_rows(&self) -> Vec<u32> {
        self.latents.iter().flat_map(|run| run.rows.iter().copied()).collect()
    }
}

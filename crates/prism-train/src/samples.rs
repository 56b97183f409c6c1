//! Records as training samples, laid out once and kept in memory up to a limit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use prism_model::preprocess::{Grid, Preprocessor};
use prism_model::prompt::{BlockLayout, Prompter, TrainingSample};
use prism_run::random::Stream;
use prism_run::{Sight, Stage, Stages, TrainedLengths, TrainingRecord, folder};

use crate::workers::Workers;
use crate::{Error, Result};

/// For records without regions, where no block is ever laid out.
const NO_BLOCK: BlockLayout = BlockLayout {
    stages: Stages::None,
    context_scale: 1.0,
    free_tokens: 0,
    latent_end: false,
    asked: false,
    skipped: false,
    once: false,
    steps: None,
    sight: Sight::Open,
};

/// Lays out the records of a corpus.
pub struct Samples<'a> {
    records: &'a [TrainingRecord],
    prompter: Prompter,
    preprocessor: Preprocessor,
    layout: Option<BlockLayout>,
    /// Share of the records whose block runs.
    share: f64,
    limit: usize,
    kept: RwLock<(usize, HashMap<usize, Arc<TrainingSample>>)>,
}

impl<'a> Samples<'a> {
    /// Samples of `records`, their regions laid out by `layout` (`None`: records must
    /// have no regions), at most `mebibytes` of them kept in memory.
    pub fn new(
        records: &'a [TrainingRecord],
        prompter: Prompter,
        preprocessor: Preprocessor,
        layout: Option<BlockLayout>,
        mebibytes: usize,
    ) -> Self {
        let limit = mebibytes.saturating_mul(1 << 20);
        Self { records, prompter, preprocessor, layout, share: 1.0, limit, kept: RwLock::default() }
    }

    /// The same with a block in that share of the records alone, the same ones for every seed.
    #[must_use]
    pub fn with_share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    fn has_block(&self, record: &TrainingRecord) -> bool {
        self.share >= 1.0 || Stream::new(0, "block share", &[&record.id, &record.row.to_string()]).uniform() < self.share
    }

    /// How images become pixels.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Image files of the record at `index`.
    pub fn images(&self, index: usize) -> &'a [PathBuf] {
        &self.records[index].images
    }

    /// The sample of the record at `index`.
    ///
    /// # Errors
    /// An image cannot be read, or the record does not fit the layout.
    pub fn get(&self, index: usize) -> Result<Arc<TrainingSample>> {
        if let Some(sample) = self.kept.read().unwrap_or_else(PoisonError::into_inner).1.get(&index) {
            return Ok(sample.clone());
        }
        let sample = Arc::new(self.lay_out(&self.records[index])?);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let bytes = 32 * sample.len() + 64 * sample.latents.len() + 16 * sample.hidden.of.len() + 256;
        if kept.0 + bytes <= self.limit && kept.1.insert(index, sample.clone()).is_none() {
            kept.0 += bytes;
        }
        Ok(sample)
    }

    /// The lengths of the latent blocks of all records, each counted once: what a training of any
    /// number of steps draws from, so that they are the same after a resume. `None` without blocks.
    ///
    /// # Errors
    /// An image cannot be read, or a record does not fit the layout.
    pub fn trained_lengths(&self, workers: &Workers) -> Result<Option<TrainedLengths>> {
        let laid = |record: &TrainingRecord| !record.boxes.is_empty() && self.has_block(record);
        let indices: Vec<usize> = (0..self.records.len()).filter(|&index| laid(&self.records[index])).collect();
        if self.layout.is_none_or(|layout| layout.stages == Stages::None) {
            return Ok(None);
        }
        Ok(TrainedLengths::of(workers.map(&indices, |&index| self.blocks(index))?.concat()))
    }

    /// Stage and length of each latent block of a record. Of its images only the sizes are read.
    fn blocks(&self, index: usize) -> Result<Vec<(Stage, usize)>> {
        let record = &self.records[index];
        let (Some(layout), [image]) = (self.layout, record.images.as_slice()) else {
            // A record that has no place for its boxes is refused as it is in training.
            return Ok(self.get(index)?.runs.iter().map(|run| (run.stage, run.at.len())).collect());
        };
        let merge = self.preprocessor.config.merge_size;
        Ok(layout.blocks(&record.boxes, self.preprocessor.grid_of(image)?, merge))
    }

    fn lay_out(&self, record: &TrainingRecord) -> Result<TrainingSample> {
        let grids: Vec<Grid> = record.images.iter().map(|path| self.preprocessor.grid_of(path)).collect::<Result<_, _>>()?;
        let layout = match self.layout {
            Some(layout) => BlockLayout { skipped: !self.has_block(record), ..layout },
            None if record.boxes.is_empty() => NO_BLOCK,
            None => {
                let cause = "it has regions, but the task has no latent block".into();
                return Err(Error::Record { id: record.id.clone(), cause, remedy: "name a variant, or take the regions out" });
            }
        };
        Ok(self.prompter.sample(record, &grids, &layout)?)
    }

    /// [`digest`] of the records.
    pub fn digest(&self) -> String {
        digest(self.records)
    }
}

/// Digest of everything in the records but the folders of their images.
pub fn digest(records: &[TrainingRecord]) -> String {
    let one = |record: &TrainingRecord| {
        let files: Vec<_> = record.images.iter().map(|path| path.file_name().map(|n| n.to_string_lossy())).collect();
        let text = serde_json::json!([record.id, record.row, files, record.turns, record.boxes]).to_string();
        folder::hash_bytes(text.as_bytes())
    };
    let all: String = records.iter().map(one).collect();
    folder::hash_bytes(all.as_bytes())
}

//! `prism paths`: does the gain of a trained variant travel through the latents, or through
//! the weights? (`docs/concepts/paths.md`)
//!
//! | module | holds | table |
//! |---|---|---|
//! | [`cells`] | accuracies of weights crossed with latents | `paths.parquet` |
//! | [`effects`] | what a change of one does, the other held | `effects.parquet` |
//! | [`drift`] | how far weights moved, by tensor, kind and layer | `drift.parquet` |
//! | [`gradient`] | what training logged of the two losses' gradients | `gradient_cosine.parquet` |
//! | [`cka`], [`states`] | likeness of states between checkpoints | `cka.parquet` |
//!
//! Tables in, findings out, as everywhere here: records come from
//! `prism_record::record::crossing`, sums over weights from `prism_model::checkpoint::drift`.

pub mod cells;
pub mod cka;
pub mod drift;
pub mod effects;
pub mod gradient;
pub mod states;

use std::path::Path;

use prism_run::door::share::Share;
use prism_run::folder::PartialFolder;

use crate::Result;
use crate::findings::{CkaFinding, DriftFinding, EffectFinding, GradientCosineFinding, PathFinding, WarningFinding, folder, put, take};

/// File names inside `findings/`.
pub mod files {
    /// [`super::PathFinding`].
    pub const PATHS: &str = "paths.parquet";
    /// [`super::EffectFinding`].
    pub const EFFECTS: &str = "effects.parquet";
    /// [`super::DriftFinding`].
    pub const DRIFT: &str = "drift.parquet";
    /// [`super::GradientCosineFinding`].
    pub const GRADIENT_COSINE: &str = "gradient_cosine.parquet";
    /// [`super::CkaFinding`].
    pub const CKA: &str = "cka.parquet";
    /// [`super::WarningFinding`].
    pub const WARNINGS: &str = "warnings.parquet";
}

/// What a variant is called in tables, and the seed it was trained with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its training seed, when known.
    pub seed: Option<u64>,
}

impl Named {
    /// The seed as tables hold it.
    pub fn seed(&self) -> Option<i64> {
        self.seed.and_then(|seed| i64::try_from(seed).ok())
    }

    /// One word for both.
    pub fn word(&self) -> String {
        self.seed.map_or_else(|| self.name.clone(), |seed| format!("{} seed {seed}", self.name))
    }
}

/// Everything one command found.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PathFindings {
    /// Cells of the crossing.
    pub paths: Vec<PathFinding>,
    /// Differences between them.
    pub effects: Vec<EffectFinding>,
    /// Weights.
    pub drift: Vec<DriftFinding>,
    /// Gradients.
    pub gradient_cosine: Vec<GradientCosineFinding>,
    /// States.
    pub cka: Vec<CkaFinding>,
    /// What a reader must know first.
    pub warnings: Vec<WarningFinding>,
}

impl PathFindings {
    /// Writes the tables that have rows into the run's `findings/`, replacing the folder as a
    /// whole. Same findings, same bytes.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let partial = PartialFolder::create(&folder(run))?;
        put(partial.path(), files::PATHS, &self.paths)?;
        put(partial.path(), files::EFFECTS, &self.effects)?;
        put(partial.path(), files::DRIFT, &self.drift)?;
        put(partial.path(), files::GRADIENT_COSINE, &self.gradient_cosine)?;
        put(partial.path(), files::CKA, &self.cka)?;
        put(partial.path(), files::WARNINGS, &self.warnings)?;
        Ok(partial.finish()?)
    }

    /// Reads the findings of a run; a table that was not written is empty.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn read(run: &Path) -> Result<Self> {
        let (folder, held) = (folder(run), &mut Share::default());
        Ok(Self {
            paths: take(&folder, files::PATHS, held)?,
            effects: take(&folder, files::EFFECTS, held)?,
            drift: take(&folder, files::DRIFT, held)?,
            gradient_cosine: take(&folder, files::GRADIENT_COSINE, held)?,
            cka: take(&folder, files::CKA, held)?,
            warnings: take(&folder, files::WARNINGS, held)?,
        })
    }
}

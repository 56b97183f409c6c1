//! Findings: what the audit computed, one long table per section, one file each.
//!
//! | file | one row per |
//! |---|---|
//! | `alignment.parquet` | mode x stage |
//! | `probe.parquet` | probe position x layer x target x source of the vectors |
//! | `faithfulness.parquet` | intervention x category |
//! | `pairs.parquet` | intervention, for a benchmark with pairs |
//! | `verdict.parquet` | intervention |
//! | `conclusion.parquet` | run |
//! | `visibility.parquet` | view of the image x intervention: necessity and sufficiency |
//! | `dose.parquet` | family and amount of a graded intervention |
//! | `steps.parquet` | intervention on part of the block |
//! | `donors.parquet` | swap or mix |
//! | `counterfactual.parquet` | place from image to answer, for a benchmark with counterfactual partners |
//! | `geometry.parquet` | mode x stage x step |
//! | `retrieval.parquet` | mode x stage x step |
//! | `lens.parquet` | stage x step x layer |
//! | `attention.parquet` | noted forward x layer |
//! | `projection.parquet` | latent of the clean run, in its stage's first two principal components |
//! | `table1.parquet` | variant and seed |
//! | `comparison.parquet` | pair of columns of Table 1 |
//! | `seeds.parquet` | variant with several training seeds x quantity |
//! | `warnings.parquet` | thing a reader must know before reading the rest |
//!
//! `prism paths` writes tables of its own ([`crate::paths`]).
//!
//! Shares (accuracy, deltas, rates) are fractions of 1, entropies nats, and an
//! absent number is absent with a `reason`, never 0.

pub mod conclusion;
pub mod curve;
pub mod faithfulness;
pub mod latents;
pub mod paths;
pub mod probe;
pub mod responses;
pub mod seeds;
pub mod validity;
pub mod verdict;

use std::path::{Path, PathBuf};

pub use conclusion::ConclusionFinding;
pub use curve::CurveFinding;
pub use faithfulness::FaithfulnessFinding;
pub use latents::{AttentionFinding, GeometryFinding, LensFinding, ProjectionFinding, RetrievalFinding};
pub use paths::{CkaFinding, DriftFinding, EffectFinding, GradientCosineFinding, PathFinding};
pub use probe::ProbeFinding;
pub use responses::{CounterfactualFinding, DonorFinding, DoseFinding, StepFinding, VisibilityFinding};
pub use seeds::SeedFinding;
pub use validity::ValidityFinding;
pub use verdict::VerdictFinding;

use prism_run::table::{Row, read_rows, write_rows};
use prism_run::table_row;

use crate::Result;

/// File names inside `findings/`.
pub mod files {
    /// [`super::AlignmentFinding`].
    pub const ALIGNMENT: &str = "alignment.parquet";
    /// [`super::ProbeFinding`].
    pub const PROBE: &str = "probe.parquet";
    /// [`super::FaithfulnessFinding`].
    pub const FAITHFULNESS: &str = "faithfulness.parquet";
    /// [`super::PairFinding`].
    pub const PAIRS: &str = "pairs.parquet";
    /// [`super::VerdictFinding`].
    pub const VERDICT: &str = "verdict.parquet";
    /// [`super::ConclusionFinding`].
    pub const CONCLUSION: &str = "conclusion.parquet";
    /// [`super::VariantSummary`].
    pub const TABLE1: &str = "table1.parquet";
    /// [`super::ComparisonFinding`].
    pub const COMPARISON: &str = "comparison.parquet";
    /// [`super::SeedFinding`].
    pub const SEEDS: &str = "seeds.parquet";
    /// [`super::VisibilityFinding`].
    pub const VISIBILITY: &str = "visibility.parquet";
    /// [`super::DoseFinding`].
    pub const DOSE: &str = "dose.parquet";
    /// [`super::StepFinding`].
    pub const STEPS: &str = "steps.parquet";
    /// [`super::DonorFinding`].
    pub const DONORS: &str = "donors.parquet";
    /// [`super::CounterfactualFinding`].
    pub const COUNTERFACTUAL: &str = "counterfactual.parquet";
    /// [`super::GeometryFinding`].
    pub const GEOMETRY: &str = "geometry.parquet";
    /// [`super::RetrievalFinding`].
    pub const RETRIEVAL: &str = "retrieval.parquet";
    /// [`super::LensFinding`].
    pub const LENS: &str = "lens.parquet";
    /// [`super::AttentionFinding`].
    pub const ATTENTION: &str = "attention.parquet";
    /// [`super::ProjectionFinding`].
    pub const PROJECTION: &str = "projection.parquet";
    /// [`super::WarningFinding`].
    pub const WARNINGS: &str = "warnings.parquet";
}

table_row! {
    /// Alignment of latents and teacher targets (method, section 5): mean over
    /// examples of each example's mean over latent positions.
    pub struct AlignmentFinding {
        /// `teacher_forced` or `free_running`.
        pub mode: String,
        /// `context` or `target`.
        pub stage: String,
        /// Examples with at least one position.
        pub examples: usize,
        /// Latent positions over all examples.
        pub positions: usize,
        /// cos(h, v).
        pub cosine: Option<f64>,
        /// Standard deviation of the examples' means (n - 1); absent for one example.
        pub cosine_sd: Option<f64>,
        /// Mean over dimensions of (h - v)^2.
        pub mse: Option<f64>,
        /// L2 norm of h - v.
        pub l2: Option<f64>,
        /// L2 norm of h.
        pub latent_norm: Option<f64>,
        /// L2 norm of v.
        pub target_norm: Option<f64>,
        /// Mean over positions of |h| / |v|.
        pub norm_ratio: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// One variant and seed in one line (the paper's Table 1).
    pub struct VariantSummary {
        /// Variant id, e.g. `p-lvr-3`.
        pub variant: String,
        /// Printed name.
        pub name: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// Benchmark name.
        pub benchmark: String,
        /// Examples of the clean run that were answered or missed (errors left out).
        pub examples: usize,
        /// Target stage, teacher-forced.
        pub cosine: Option<f64>,
        /// Target stage, free-running.
        pub cosine_free: Option<f64>,
        /// Clean accuracy.
        pub accuracy: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_low: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_high: Option<f64>,
        /// Probe accuracy at `answer_state`.
        pub probe_a: Option<f64>,
        /// Probe accuracy at `latent_last`.
        pub probe_b: Option<f64>,
        /// Decodability gap: probe accuracy at `answer_state` minus at `latent_last`, both
        /// on the examples that have both vectors.
        pub gap: Option<f64>,
        /// Examples the gap is over.
        pub gap_rows: Option<usize>,
        /// Probe accuracy at `question_mean`.
        pub question_mean: Option<f64>,
        /// Share of the commonest label among the examples.
        pub majority: Option<f64>,
        /// What the commonest label of each question type gets ([`crate::summary::type_floor`]).
        pub type_floor: Option<f64>,
        /// Share of examples whose latent block opened in the clean run.
        pub opened: Option<f64>,
        /// Delta under zero (the paper's truncate).
        pub delta_truncate: Option<f64>,
        /// Delta under noise of sigma 0.1.
        pub delta_noise_01: Option<f64>,
        /// Delta under noise of sigma 0.3.
        pub delta_noise_03: Option<f64>,
        /// Delta under noise of sigma 1.0.
        pub delta_noise_10: Option<f64>,
        /// Delta under swap.
        pub delta_swap: Option<f64>,
        /// The verdicts of its interventions in words.
        pub verdict: String,
        /// The verdict of the run, e.g. `load-bearing`.
        pub conclusion: String,
    }
}

table_row! {
    /// One correlation across variants (the paper's Table 2; method, section 8).
    pub struct ComparisonFinding {
        /// What a point is: `seed_mean` (one per variant) or `run` (one per variant and seed).
        pub unit: String,
        /// Column of Table 1.
        pub x: String,
        /// Column of Table 1.
        pub y: String,
        /// Column held fixed by a partial correlation.
        pub given: Option<String>,
        /// Points.
        pub variants: usize,
        /// Pearson (or partial) correlation.
        pub r: Option<f64>,
        /// Bootstrap 95 % interval: items redrawn jointly over the runs (binomially, run by run, where records are absent).
        pub low: Option<f64>,
        /// Bootstrap 95 % interval.
        pub high: Option<f64>,
        /// Exact two-sided permutation p.
        pub exact_p: Option<f64>,
        /// Spearman's correlation; absent for a partial one.
        pub spearman: Option<f64>,
        /// Its exact two-sided permutation p.
        pub spearman_p: Option<f64>,
        /// Fisher 95 % interval.
        pub fisher_low: Option<f64>,
        /// Fisher 95 % interval.
        pub fisher_high: Option<f64>,
        /// Smallest r with one point left out.
        pub leave_one_out_low: Option<f64>,
        /// Largest r with one point left out.
        pub leave_one_out_high: Option<f64>,
        /// Smallest r with one cluster of points left out; absent when the points do not cluster.
        pub leave_cluster_out_low: Option<f64>,
        /// Largest r with one cluster of points left out.
        pub leave_cluster_out_high: Option<f64>,
        /// Says which points cluster, and r inside and without each cluster.
        pub cluster_warning: Option<String>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Pair accuracy: a pair counts only when all of its questions are right.
    pub struct PairFinding {
        /// Textual form of the intervention; `clean` is the baseline.
        pub intervention: String,
        /// Pairs that ran whole.
        pub pairs: usize,
        /// Pairs right as a whole.
        pub correct: usize,
        /// Share of them.
        pub accuracy: Option<f64>,
        /// Wilson interval, 95 %, over pairs.
        pub accuracy_low: Option<f64>,
        /// Its upper end.
        pub accuracy_high: Option<f64>,
        /// Pairs left out: one question only, or one that could not be run.
        pub incomplete: usize,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Something a reader must know before reading the other tables.
    pub struct WarningFinding {
        /// The section it concerns: `alignment`, `probe`, `faithfulness`, `comparison`.
        pub about: String,
        /// What, in one sentence.
        pub text: String,
    }
}

/// Everything one audit found.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Findings {
    /// Alignment by mode and stage.
    pub alignment: Vec<AlignmentFinding>,
    /// Probes by position.
    pub probe: Vec<ProbeFinding>,
    /// Interventions by category.
    pub faithfulness: Vec<FaithfulnessFinding>,
    /// Pair accuracy by intervention; empty for a benchmark without pairs.
    #[serde(default)]
    pub pairs: Vec<PairFinding>,
    /// Verdict per intervention; in a comparison those of every run, adjusted together.
    pub verdict: Vec<VerdictFinding>,
    /// Verdict per run.
    #[serde(default)]
    pub conclusion: Vec<ConclusionFinding>,
    /// Table 1: one row for an audit, all rows for a comparison.
    pub table1: Vec<VariantSummary>,
    /// Table 2; empty for a single audit.
    pub comparison: Vec<ComparisonFinding>,
    /// Variants over their training seeds; empty for a single audit, and where no variant has several.
    #[serde(default)]
    pub seeds: Vec<SeedFinding>,
    /// Necessity and sufficiency, by view of the image; empty where none was run.
    #[serde(default)]
    pub visibility: Vec<VisibilityFinding>,
    /// Graded interventions by amount.
    #[serde(default)]
    pub doses: Vec<DoseFinding>,
    /// Interventions on part of the block.
    #[serde(default)]
    pub steps: Vec<StepFinding>,
    /// Swaps: whether answers follow the donor.
    #[serde(default)]
    pub donors: Vec<DonorFinding>,
    /// Counterfactual partners by place; empty for a benchmark without.
    #[serde(default)]
    pub counterfactual: Vec<CounterfactualFinding>,
    /// Geometry of the latents by mode and step.
    #[serde(default)]
    pub geometry: Vec<GeometryFinding>,
    /// Latents beside their teacher targets, by mode and step.
    #[serde(default)]
    pub retrieval: Vec<RetrievalFinding>,
    /// Logit lens by step and layer.
    #[serde(default)]
    pub lens: Vec<LensFinding>,
    /// Attention by forward and layer.
    #[serde(default)]
    pub attention: Vec<AttentionFinding>,
    /// Latents of the clean run in a plane: points to draw, no result to print.
    #[serde(skip)]
    pub projection: Vec<ProjectionFinding>,
    /// Warnings.
    pub warnings: Vec<WarningFinding>,
}

/// The findings folder of a run.
pub fn folder(run: &Path) -> PathBuf {
    run.join(prism_run::folder::names::FINDINGS)
}

impl Findings {
    /// Writes the tables that have rows into the run's `findings/`, replacing the
    /// folder as a whole. Same findings, same bytes.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let partial = prism_run::folder::PartialFolder::create(&folder(run))?;
        put(partial.path(), files::ALIGNMENT, &self.alignment)?;
        put(partial.path(), files::PROBE, &self.probe)?;
        put(partial.path(), files::FAITHFULNESS, &self.faithfulness)?;
        put(partial.path(), files::PAIRS, &self.pairs)?;
        put(partial.path(), files::VERDICT, &self.verdict)?;
        put(partial.path(), files::CONCLUSION, &self.conclusion)?;
        put(partial.path(), files::TABLE1, &self.table1)?;
        put(partial.path(), files::COMPARISON, &self.comparison)?;
        put(partial.path(), files::SEEDS, &self.seeds)?;
        put(partial.path(), files::VISIBILITY, &self.visibility)?;
        put(partial.path(), files::DOSE, &self.doses)?;
        put(partial.path(), files::STEPS, &self.steps)?;
        put(partial.path(), files::DONORS, &self.donors)?;
        put(partial.path(), files::COUNTERFACTUAL, &self.counterfactual)?;
        put(partial.path(), files::GEOMETRY, &self.geometry)?;
        put(partial.path(), files::RETRIEVAL, &self.retrieval)?;
        put(partial.path(), files::LENS, &self.lens)?;
        put(partial.path(), files::ATTENTION, &self.attention)?;
        put(partial.path(), files::PROJECTION, &self.projection)?;
        put(partial.path(), files::WARNINGS, &self.warnings)?;
        partial.finish()?;
        Ok(())
    }

    /// Reads the findings of a run; a table that was not written is empty.
    ///
    /// # Errors
    /// When the folder does not exist or a file in it is damaged.
    pub fn read(run: &Path) -> Result<Self> {
        let folder = folder(run);
        if !folder.is_dir() {
            let cause = "has no findings";
            return Err(prism_run::Error::content(run, cause, "run `prism audit` on this folder first").into());
        }
        Ok(Self {
            alignment: take(&folder, files::ALIGNMENT)?,
            probe: take(&folder, files::PROBE)?,
            faithfulness: take(&folder, files::FAITHFULNESS)?,
            pairs: take(&folder, files::PAIRS)?,
            verdict: take(&folder, files::VERDICT)?,
            conclusion: take(&folder, files::CONCLUSION)?,
            table1: take(&folder, files::TABLE1)?,
            comparison: take(&folder, files::COMPARISON)?,
            seeds: take(&folder, files::SEEDS)?,
            visibility: take(&folder, files::VISIBILITY)?,
            doses: take(&folder, files::DOSE)?,
            steps: take(&folder, files::STEPS)?,
            donors: take(&folder, files::DONORS)?,
            counterfactual: take(&folder, files::COUNTERFACTUAL)?,
            geometry: take(&folder, files::GEOMETRY)?,
            retrieval: take(&folder, files::RETRIEVAL)?,
            lens: take(&folder, files::LENS)?,
            attention: take(&folder, files::ATTENTION)?,
            projection: take(&folder, files::PROJECTION)?,
            warnings: take(&folder, files::WARNINGS)?,
        })
    }
}

pub(crate) fn put<R: Row + Clone>(folder: &Path, name: &str, rows: &[R]) -> Result<()> {
    if !rows.is_empty() {
        write_rows(&folder.join(name), rows.iter().cloned())?;
    }
    Ok(())
}

pub(crate) fn take<R: Row>(folder: &Path, name: &str) -> Result<Vec<R>> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(read_rows(&path)?)
}

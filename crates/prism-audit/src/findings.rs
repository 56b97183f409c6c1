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
//! | `table1.parquet` | variant and seed |
//! | `comparison.parquet` | pair of columns of Table 1 |
//! | `seeds.parquet` | variant with several training seeds x quantity |
//! | `warnings.parquet` | thing a reader must know before reading the rest |
//!
//! Shares (accuracy, deltas, rates) are fractions of 1, entropies nats, and an
//! absent number is absent with a `reason`, never 0.

pub mod conclusion;
pub mod seeds;
pub mod verdict;

use std::path::{Path, PathBuf};

pub use conclusion::ConclusionFinding;
pub use seeds::SeedFinding;
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
    /// A linear probe of one set of vectors for one target (method, section 6).
    pub struct ProbeFinding {
        /// Probe position, e.g. `answer_state`.
        pub position: String,
        /// Layer, 0 the input embeddings; absent for the last, after the final norm.
        pub layer: Option<usize>,
        /// Whose vectors: `own`, or the name of a floor's run.
        pub source: String,
        /// What is predicted: `gold`, `own_prediction` or `gold_among_errors`.
        pub target: String,
        /// Vectors.
        pub rows: usize,
        /// Examples left out because their label occurs in one cluster only.
        pub left_out: usize,
        /// Clusters (image, scene, pair) the vectors are of: never in training and test at once.
        pub clusters: usize,
        /// Distinct labels.
        pub classes: usize,
        /// Outer folds used.
        pub folds: usize,
        /// Repeats of the outer folds.
        pub repeats: usize,
        /// Mean over repeats of the share predicted right (paper: mean over folds).
        pub accuracy: Option<f64>,
        /// 95 % of the repeats lie in here; absent for one repeat.
        pub repeat_low: Option<f64>,
        /// Upper end of the same.
        pub repeat_high: Option<f64>,
        /// Standard deviation over all folds of all repeats (paper: over n, not n - 1, as numpy's `std`).
        pub accuracy_sd: Option<f64>,
        /// Bootstrap 95 % interval of the accuracy over examples, drawn by cluster.
        pub item_low: Option<f64>,
        /// Upper end of the same.
        pub item_high: Option<f64>,
        /// Cross-entropy of the out-of-fold probabilities, nats, mean over repeats.
        pub cross_entropy: Option<f64>,
        /// Entropy of the labels, nats.
        pub label_entropy: Option<f64>,
        /// Lower bound of the mutual information H(Y) - CE, nats, as it falls.
        pub mi: Option<f64>,
        /// Bootstrap 95 % interval of it over examples, drawn by cluster.
        pub mi_low: Option<f64>,
        /// Upper end of the same.
        pub mi_high: Option<f64>,
        /// The same, not below 0 (the paper's form).
        pub mi_clamped: Option<f64>,
        /// ln(classes) - CE, not below 0 (the paper's uniform prior).
        pub mi_uniform: Option<f64>,
        /// Share of the commonest label: what a constant answer gets.
        pub majority: Option<f64>,
        /// What the category alone gets, out of fold: the commonest label of it in training.
        pub floor_category: Option<f64>,
        /// What the number of options alone gets, likewise.
        pub floor_options: Option<f64>,
        /// What the model's own letter and the number of options get; for `gold_among_errors`.
        pub floor_answer: Option<f64>,
        /// The floor the probe beats by least: `majority`, `category`, `options`, `answer`, `question_blind` or a run's name.
        pub best_floor: Option<String>,
        /// Examples both have.
        pub floor_rows: Option<usize>,
        /// Accuracy of that floor on them.
        pub floor_accuracy: Option<f64>,
        /// The probe's accuracy minus the floor's on them.
        pub above_floor: Option<f64>,
        /// Paired bootstrap 95 % interval, drawn by cluster.
        pub above_floor_low: Option<f64>,
        /// Upper end of the same.
        pub above_floor_high: Option<f64>,
        /// Floors that could not be had, and why.
        pub floors_absent: Option<String>,
        /// Draws of control labels.
        pub control_draws: Option<usize>,
        /// Mean accuracy with labels exchanged within question type (paper: over all rows).
        pub control_accuracy: Option<f64>,
        /// Accuracy minus control accuracy.
        pub selectivity: Option<f64>,
        /// Share of draws at least as accurate as the real labels, these counted among them.
        pub permutation_p: Option<f64>,
        /// Online code of the labels given the vectors, nats (Voita and Titov 2020).
        pub description_length: Option<f64>,
        /// Uniform code over that code: 1 means that the vectors say nothing.
        pub compression: Option<f64>,
        /// C: the median of those chosen over folds and repeats (paper: as given).
        pub c: Option<f64>,
        /// Most iterations of any fit that predicts.
        pub iterations_max: Option<usize>,
        /// Whether every such fit met its tolerance.
        pub converged: Option<bool>,
        /// Largest |gradient of the mean loss| left over any such fit, in the coordinates it was made in.
        pub gradient_max: Option<f64>,
        /// Cross-entropy when the fits are taken to a tight tolerance, nats; the paper's pipeline only.
        pub tight_cross_entropy: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Outcomes under one intervention (method, section 7), paired with the clean
    /// run of the same examples.
    pub struct FaithfulnessFinding {
        /// Textual form of the intervention, e.g. `noise:0.3`.
        pub intervention: String,
        /// `all`, or a category of the benchmark.
        pub category: String,
        /// Examples that ran both clean and under the intervention.
        pub examples: usize,
        /// Right answers among them.
        pub correct: usize,
        /// Share of right answers.
        pub accuracy: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_low: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_high: Option<f64>,
        /// Accuracy minus clean accuracy, same examples.
        pub delta: Option<f64>,
        /// Score 95 % interval of the delta (Tango), every example by itself.
        pub delta_low: Option<f64>,
        /// Upper end of the same interval.
        pub delta_high: Option<f64>,
        /// Paired bootstrap 95 % percentile interval, clusters drawn as a whole; absent when no
        /// answer was gained or lost.
        pub bootstrap_low: Option<f64>,
        /// Upper end of the same interval.
        pub bootstrap_high: Option<f64>,
        /// Clusters the examples form; as many as examples when each stands for itself.
        pub clusters: usize,
        /// What joins examples into clusters, e.g. `pair, image`; absent when nothing does.
        pub clustered_by: Option<String>,
        /// Cluster-robust 95 % interval of the delta (the score interval over clusters when no
        /// answer was gained or lost); absent without clusters.
        pub clustered_low: Option<f64>,
        /// Upper end of the same interval.
        pub clustered_high: Option<f64>,
        /// Wrong clean, right under the intervention.
        pub gained: usize,
        /// Right clean, wrong under the intervention.
        pub lost: usize,
        /// Those lost because no answer could be parsed any more.
        pub lost_unparsed: usize,
        /// Exact McNemar test, two-sided.
        pub mcnemar_p: Option<f64>,
        /// Mean change of the gold letter's log-probability margin, nats.
        pub margin_delta: Option<f64>,
        /// Corrected paired bootstrap 95 % interval (BCa), clusters drawn as a whole.
        pub margin_low: Option<f64>,
        /// Upper end of the same interval.
        pub margin_high: Option<f64>,
        /// Sign-flip permutation test of that change, two-sided, clusters flipped as a whole.
        pub margin_p: Option<f64>,
        /// Equivalence bound of that change, nats: what moves an answer at even odds by the
        /// accuracy margin fixed beforehand.
        pub margin_bound: Option<f64>,
        /// p of the equivalence test (two one-sided t tests) within that bound; absent when the
        /// changes do not vary.
        pub margin_equivalence_p: Option<f64>,
        /// Examples whose generated tokens differ from the clean run's.
        pub changed: usize,
        /// Share of examples whose latent block opened.
        pub opened: Option<f64>,
        /// Mean latent forwards of the context stage.
        pub steps_context: Option<f64>,
        /// Mean latent forwards of the target stage.
        pub steps_target: Option<f64>,
        /// Mean L2 norm of the vectors fed back.
        pub latent_norm: Option<f64>,
        /// Mean L2 norm of what the intervention changed in them.
        pub perturbation_norm: Option<f64>,
        /// Outcome count.
        pub scored: usize,
        /// Outcome count.
        pub no_answer: usize,
        /// Outcome count: interventions did nothing here.
        pub no_latents: usize,
        /// Outcome count: left out of `examples`.
        pub error: usize,
        /// Why numbers are absent, or must not be read as they stand.
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
            warnings: take(&folder, files::WARNINGS)?,
        })
    }
}

fn put<R: Row + Clone>(folder: &Path, name: &str, rows: &[R]) -> Result<()> {
    if !rows.is_empty() {
        write_rows(&folder.join(name), rows.iter().cloned())?;
    }
    Ok(())
}

fn take<R: Row>(folder: &Path, name: &str) -> Result<Vec<R>> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(read_rows(&path)?)
}

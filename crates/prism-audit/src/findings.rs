//! Findings: what the audit computed, one long table per section, one file each.
//!
//! | file | one row per |
//! |---|---|
//! | `failures.parquet` | cause for which examples could not be run |
//! | `readings.parquet` | intervention x part of the rule that read its answers |
//! | `alignment.parquet` | mode x stage |
//! | `probe.parquet` | probe position x layer x target x source of the vectors |
//! | `faithfulness.parquet` | intervention x category |
//! | `pairs.parquet` | intervention, for a benchmark with pairs |
//! | `verdict.parquet` | intervention |
//! | `categories.parquet` | decisive intervention x category |
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
//! | `budgets.parquet` | arm, training seed and K of a study |
//! | `groups.parquet` | group of arms x K x cosine |
//! | `contrasts.parquet` | pair of arms x K |
//! | `warnings.parquet` | thing a reader must know before reading the rest |
//!
//! `prism paths` writes tables of its own ([`crate::paths`]).
//!
//! Shares (accuracy, deltas, rates) are fractions of 1, entropies nats, and an
//! absent number is absent with a `reason`, never 0.

pub mod budget;
pub mod conclusion;
pub mod curve;
pub mod failures;
pub mod faithfulness;
pub mod latents;
pub mod paths;
pub mod probe;
pub mod readings;
pub mod responses;
pub mod seeds;
pub mod validity;
pub mod verdict;

use std::path::{Path, PathBuf};

pub use budget::{BudgetFinding, ContrastFinding, GroupFinding};
pub use conclusion::{CategoryFinding, ConclusionFinding};
pub use curve::CurveFinding;
pub use failures::FailureFinding;
pub use faithfulness::FaithfulnessFinding;
pub use latents::{AttentionFinding, GeometryFinding, LensFinding, ProjectionFinding, RetrievalFinding};
pub use paths::{CkaFinding, DriftFinding, EffectFinding, GradientCosineFinding, PathFinding};
pub use probe::ProbeFinding;
pub use readings::ReadingFinding;
pub use responses::{CounterfactualFinding, DonorFinding, DoseFinding, StepFinding, VisibilityFinding};
pub use seeds::SeedFinding;
pub use validity::ValidityFinding;
pub use verdict::VerdictFinding;

use prism_run::door::share::Share;
use prism_run::kept::{keep_findings, keep_rows};
use prism_run::table::{Row, write_rows};
use prism_run::{Intervention, Mode, Need, Stage, Verdict, table_row};

pub use conclusion::marked;

use crate::Result;

table_row! {
    /// Alignment of latents and teacher targets (method, section 5): mean over
    /// examples of each example's mean over latent positions.
    pub struct AlignmentFinding {
        /// `teacher_forced` or `free_running`.
        pub mode: Mode,
        /// `context` or `target`.
        pub stage: Stage,
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
        /// The run's word: is what its latents say used? Absent where nothing was judged: an evaluation, `--compat paper`.
        pub word: Option<Verdict>,
        /// Whether its block is needed.
        pub presence: Option<Need>,
        /// Both in one sentence.
        pub sentence: Option<String>,
        /// What limits the word; a word with a limit is printed with a star.
        pub qualifier: Option<String>,
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
        /// Smallest r with one of two clusters of points left out; absent when the points do not cluster, or one of
        /// the two has fewer than three points and so no r of its own.
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
        pub intervention: Intervention,
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

/// Declares [`Findings`]: constants, files, reader and writer follow from the one list.
macro_rules! tables {
    ($($(#[$meta:meta])* $field:ident, $constant:ident: $row:ty = $file:literal;)+) => {
        /// File names inside `findings/`.
        pub mod files {
            $(#[doc = concat!("Table of [`super::", stringify!($row), "`].")] pub const $constant: &str = $file;)+
            /// All of them, in the order of a report.
            pub const ALL: [&str; [$($file),+].len()] = [$($file),+];
        }

        /// Everything one audit found.
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct Findings {
            $($(#[$meta])* pub $field: Vec<$row>,)+
            /// What all of them hold of the memory that a process' tables may take.
            #[serde(skip)]
            pub held: Share,
        }

        impl Findings {
            fn write_tables(&self, folder: &Path) -> Result<()> {
                $(put(folder, $file, &self.$field)?;)+
                Ok(())
            }

            fn read_tables(folder: &Path) -> Result<Self> {
                let mut held = Share::default();
                Ok(Self { $($field: take(folder, $file, &mut held)?,)+ held })
            }
        }
    };
}

tables! {
    /// What could not be run, by cause; empty where every example ran, and in findings of before causes were kept.
    #[serde(default)]
    failures, FAILURES: FailureFinding = "failures.parquet";
    /// How the answers were read, by intervention and part of the rule; empty in findings of before rules were named.
    #[serde(default)]
    readings, READINGS: ReadingFinding = "readings.parquet";
    /// Alignment by mode and stage.
    alignment, ALIGNMENT: AlignmentFinding = "alignment.parquet";
    /// Probes by position.
    probe, PROBE: ProbeFinding = "probe.parquet";
    /// Interventions by category.
    faithfulness, FAITHFULNESS: FaithfulnessFinding = "faithfulness.parquet";
    /// Pair accuracy by intervention; empty for a benchmark without pairs.
    #[serde(default)]
    pairs, PAIRS: PairFinding = "pairs.parquet";
    /// What each intervention shows; in a comparison those of every run.
    verdict, VERDICT: VerdictFinding = "verdict.parquet";
    /// Decisive interventions by category.
    #[serde(default)]
    categories, CATEGORIES: CategoryFinding = "categories.parquet";
    /// Verdict per run.
    #[serde(default)]
    conclusion, CONCLUSION: ConclusionFinding = "conclusion.parquet";
    /// Table 1: one row for an audit, all rows for a comparison.
    table1, TABLE1: VariantSummary = "table1.parquet";
    /// Table 2; empty for a single audit.
    comparison, COMPARISON: ComparisonFinding = "comparison.parquet";
    /// Variants over their training seeds; empty for a single audit, and where no variant has several.
    #[serde(default)]
    seeds, SEEDS: SeedFinding = "seeds.parquet";
    /// A study's arms over K; empty for a single audit.
    #[serde(default)]
    budgets, BUDGETS: BudgetFinding = "budgets.parquet";
    /// Correlations over the recipe's groups of arms, by seed.
    #[serde(default)]
    groups, GROUPS: GroupFinding = "groups.parquet";
    /// Differences between arms, paired by seed.
    #[serde(default)]
    contrasts, CONTRASTS: ContrastFinding = "contrasts.parquet";
    /// Necessity and sufficiency, by view of the image; empty where none was run.
    #[serde(default)]
    visibility, VISIBILITY: VisibilityFinding = "visibility.parquet";
    /// Graded interventions by amount.
    #[serde(default)]
    doses, DOSE: DoseFinding = "dose.parquet";
    /// Interventions on part of the block.
    #[serde(default)]
    steps, STEPS: StepFinding = "steps.parquet";
    /// Exchanges: whether answers follow the donor.
    #[serde(default)]
    donors, DONORS: DonorFinding = "donors.parquet";
    /// Counterfactual partners by place; empty for a benchmark without.
    #[serde(default)]
    counterfactual, COUNTERFACTUAL: CounterfactualFinding = "counterfactual.parquet";
    /// Geometry of the latents by mode and step.
    #[serde(default)]
    geometry, GEOMETRY: GeometryFinding = "geometry.parquet";
    /// Latents beside their teacher targets, by mode and step.
    #[serde(default)]
    retrieval, RETRIEVAL: RetrievalFinding = "retrieval.parquet";
    /// Logit lens by step and layer.
    #[serde(default)]
    lens, LENS: LensFinding = "lens.parquet";
    /// Attention by forward and layer.
    #[serde(default)]
    attention, ATTENTION: AttentionFinding = "attention.parquet";
    /// Latents of the clean run in a plane: points to draw, no result to print.
    #[serde(skip)]
    projection, PROJECTION: ProjectionFinding = "projection.parquet";
    /// Warnings.
    warnings, WARNINGS: WarningFinding = "warnings.parquet";
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
        self.write_tables(partial.path())?;
        partial.finish()?;
        Ok(())
    }

    /// Reads the findings of a run; a table that was not written is empty.
    ///
    /// # Errors
    /// When the folder does not exist or a file in it is damaged.
    pub fn read(run: &Path) -> Result<Self> {
        let folder = folder(run);
        if !prism_run::door::holds_folder(&folder) {
            let cause = "has no findings";
            return Err(prism_run::Error::content(run, cause, "run `prism audit` on this folder first").into());
        }
        Self::read_tables(&folder)
    }
}

pub(crate) fn put<R: Row + Clone>(folder: &Path, name: &str, rows: &[R]) -> Result<()> {
    if !rows.is_empty() {
        write_rows(&folder.join(name), rows.iter().cloned())?;
    }
    Ok(())
}

pub(crate) fn take<R: Row>(folder: &Path, name: &str, held: &mut Share) -> Result<Vec<R>> {
    let path = folder.join(name);
    if !prism_run::door::stands(&path) {
        return Ok(Vec::new());
    }
    // Points to draw: as many as the records have latents.
    let kept = if name == files::PROJECTION { keep_rows(&path)? } else { keep_findings(&path)? };
    let (rows, of_rows) = kept.apart();
    held.add(of_rows);
    Ok(rows)
}

//! What a model run writes into `records/`, the contract between the
//! model and the audit.
//!
//! | file | one row per |
//! |---|---|
//! | `examples.parquet` | example |
//! | `answers.parquet` | example x intervention |
//! | `alignment.parquet` | example x mode x stage x latent step |
//! | `steps.parquet` | example x intervention x stage x latent step |
//! | `attention.parquet` | example x noted forward x layer |
//! | `maps.parquet` | example x noted forward x image |
//! | `lens.parquet` | example x latent step x layer, where layers were asked for |
//! | `latents.safetensors` | probe position: `[rows, hidden]` and the rows ([`crate::vectors`]) |
//!
//! `digests.json` says what all of them held when the model run ended ([`digests`]), `scoring.json` by which rules
//! answers were read, where not as they were recorded ([`scoring`]).

/// Key of a manifest's settings: whether the block was opened by force.
pub const FORCE_OPEN: &str = "force_open";
/// Key of a manifest's settings: what was set in place of the protocol's own, `key = value` each.
pub const PROTOCOL_SET: &str = "protocol_set";

pub mod digests;
pub mod narrow;
pub mod scoring;

use std::path::{Path, PathBuf};

use crate::outcome::Cause;
use crate::{Intervention, Mode, NotedAt, Outcome, PathCell, Stage, table_row};

/// File names inside `records/`.
pub mod files {
    /// One row per example.
    pub const EXAMPLES: &str = "examples.parquet";
    /// One row per example and intervention.
    pub const ANSWERS: &str = "answers.parquet";
    /// One row per latent position.
    pub const ALIGNMENT: &str = "alignment.parquet";
    /// One row per latent step of every branch.
    pub const STEPS: &str = "steps.parquet";
    /// One row per noted forward and layer.
    pub const ATTENTION: &str = "attention.parquet";
    /// One row per noted forward and image.
    pub const MAPS: &str = "maps.parquet";
    /// One row per latent step and layer.
    pub const LENS: &str = "lens.parquet";
    /// Vectors of the clean run.
    pub const LATENTS: &str = "latents.safetensors";
}

table_row! {
    /// One example of the benchmark as the model saw it.
    pub struct ExampleRow {
        /// Row in the benchmark file, from 0.
        pub row: usize,
        /// Unique id.
        pub id: String,
        /// The file's own question id.
        pub question_id: String,
        /// Subset, e.g. `direct_attributes`.
        pub category: Option<String>,
        /// Pair or cluster.
        pub pair: Option<String>,
        /// Id of the counterfactual partner.
        pub counterfactual: Option<String>,
        /// The user turn's text.
        pub prompt: String,
        /// Options in letter order.
        pub options: Vec<String>,
        /// Gold letter.
        pub label: String,
        /// First image, as a path.
        pub image: String,
        /// Number of images.
        pub images: usize,
        /// Boxes as JSON `[[x0,y0,x1,y1],...]`, normalised.
        pub boxes: String,
        /// Prompt length in tokens, image tokens included.
        pub prompt_tokens: usize,
        /// Image tokens.
        pub visual_tokens: usize,
        /// Outcome of the clean run.
        pub outcome: Outcome,
        /// Why it could not be run, for outcome `error`; absent in records of before causes were kept.
        pub cause: Option<Cause>,
        /// What was said of it: for outcome `error` the file and what is wrong with it; else why branches were not run.
        pub message: Option<String>,
    }
}

table_row! {
    /// One example under one intervention.
    pub struct AnswerRow {
        /// Row of the example.
        pub row: usize,
        /// Id of the example.
        pub id: String,
        /// The intervention, e.g. `noise:0.3`.
        pub intervention: Intervention,
        /// Row of the donor, for swaps.
        pub donor: Option<usize>,
        /// How it ended.
        pub outcome: Outcome,
        /// Parsed option letter.
        pub answer: Option<String>,
        /// Whether it equals the label (unparsed counts as wrong; absent for `error`).
        pub correct: Option<bool>,
        /// The generated text, special tokens included.
        pub text: String,
        /// The generated ids.
        pub generated: Vec<i64>,
        /// Whether the generated ids differ from the clean run's.
        pub changed: Option<bool>,
        /// Latent forwards realised in the context stage.
        pub steps_context: usize,
        /// Latent forwards realised in the target stage.
        pub steps_target: usize,
        /// Log-probability of the gold letter minus the best other option's, at the
        /// forward that produces the answer token (nats). Absent if no `<answer>` or no options.
        pub gold_margin: Option<f64>,
        /// Log-probability of the gold letter there (nats).
        pub gold_logprob: Option<f64>,
        /// Entropy over the option letters there (nats, renormalised over options).
        pub answer_entropy: Option<f64>,
        /// Mean L2 norm of the vectors actually fed back.
        pub latent_norm: Option<f64>,
        /// Mean L2 norm of what the intervention added or removed: in the vector fed, for `swap-kv` in the keys
        /// (not turned) and values of all layers together.
        pub perturbation_norm: Option<f64>,
        /// Strength squared: the mean of `((put - own) / spread)^2` over all pairs of a latent step and a dimension.
        ///
        /// `put`: the vector this branch was fed there. `own`: what the example's clean run (`clean`, whatever
        /// the branch's view of the image) was fed at that stage and step. `spread`: standard deviation (n - 1) of
        /// the dimension at that stage and step over the clean runs of the donor pool's members that ran the step;
        /// beyond the last step that at least two ran, that of this one. The step counts over all blocks of the
        /// stage. For `swap-kv` all three are of keys (before the rotary turn) and values of all layers, a dimension
        /// each, and `put` is the donor's.
        ///
        /// Counted are the steps on which the branch acts (its scope; the first `N` of `forced:N`) and that the clean
        /// run has too; dimensions whose spread is 0 are left out. Absent where nothing is counted: for `clean` and
        /// what leaves the block out or hides it, within a layer, or where no dimension has spread.
        pub strength: Option<f64>,
        /// Log-probability of every option letter there (nats, over the whole vocabulary).
        pub option_logprobs: Option<Vec<f64>>,
        /// Gold letter of the donor, for swaps.
        pub donor_label: Option<String>,
        /// Log-probability of that letter minus the best other option's.
        pub donor_margin: Option<f64>,
    }
}

table_row! {
    /// One example in one cell of a crossing (`prism paths`): what `answers.parquet` holds there.
    pub struct CellRow {
        /// Row of the example.
        pub row: usize,
        /// Id of the example.
        pub id: String,
        /// The cell, e.g. `base/oracle`, in the column where an audit has its interventions.
        pub intervention: PathCell,
        /// How it ended.
        pub outcome: Outcome,
        /// Parsed option letter.
        pub answer: Option<String>,
        /// Whether it equals the label (unparsed counts as wrong; absent where the cell did not run).
        pub correct: Option<bool>,
        /// The generated text, special tokens included.
        pub text: String,
        /// The generated ids.
        pub generated: Vec<i64>,
        /// For `variant/variant`: whether it differs from the variant's clean run in any bit.
        pub changed: Option<bool>,
        /// Latent forwards realised in the context stage.
        pub steps_context: usize,
        /// Latent forwards realised in the target stage.
        pub steps_target: usize,
        /// As [`AnswerRow::gold_margin`].
        pub gold_margin: Option<f64>,
        /// As [`AnswerRow::gold_logprob`].
        pub gold_logprob: Option<f64>,
        /// As [`AnswerRow::answer_entropy`].
        pub answer_entropy: Option<f64>,
        /// Mean L2 norm of the vectors actually fed back.
        pub latent_norm: Option<f64>,
        /// Mean L2 norm of what was added or removed.
        pub perturbation_norm: Option<f64>,
        /// Log-probability of every option letter there (nats, over the whole vocabulary).
        pub option_logprobs: Option<Vec<f64>>,
    }
}

table_row! {
    /// One latent step of one branch.
    pub struct LatentRow {
        /// Row of the example.
        pub row: usize,
        /// The intervention.
        pub intervention: Intervention,
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// L2 norm of the vector fed back.
        pub norm: f64,
        /// Its cosine to the clean run's at the same step; absent for the clean run.
        pub clean_cosine: Option<f64>,
        /// Its cosine to the one before it in the stage.
        pub previous_cosine: Option<f64>,
        /// Its cosine to the embedding of the block's end token.
        pub end_cosine: Option<f64>,
        /// Logit lens: the likeliest token at this forward, clean run only.
        pub lens_token: Option<String>,
        /// Its probability.
        pub lens_probability: Option<f64>,
        /// Entropy over the whole vocabulary (nats).
        pub lens_entropy: Option<f64>,
        /// Probability of the gold letter.
        pub lens_gold: Option<f64>,
    }
}

table_row! {
    /// Where one forward of the clean run looks, in one layer: shares of its attention, mean over heads.
    pub struct AttentionRow {
        /// Row of the example.
        pub row: usize,
        /// `answer`, the forward that produces the answer token; or the stage of a latent forward.
        pub place: NotedAt,
        /// Step within the stage; absent for `answer`.
        pub step: Option<usize>,
        /// Decoder layer, from 0.
        pub layer: usize,
        /// On the image's tokens.
        pub image: f64,
        /// On those of the annotated boxes, which are among them.
        pub region: Option<f64>,
        /// Share of the image's tokens that lie in the boxes.
        pub region_share: Option<f64>,
        /// On the prompt's other tokens.
        pub text: f64,
        /// On the latents before it.
        pub latents: f64,
        /// On other generated tokens, itself included.
        pub generated: f64,
        /// Entropy of the weights over the image's tokens, renormalised there (nats); absent
        /// where no weight lies on them.
        pub image_entropy: Option<f64>,
        /// Entropy over the latents before it, likewise.
        pub latent_entropy: Option<f64>,
    }
}

table_row! {
    /// One forward of the clean run over one image, image token by image token.
    pub struct MapRow {
        /// Row of the example.
        pub row: usize,
        /// `answer`, the forward that produces the answer token; or the stage of a latent forward.
        pub place: NotedAt,
        /// Step within the stage; absent for `answer`.
        pub step: Option<usize>,
        /// The image, from 0.
        pub image: usize,
        /// Rows of image tokens.
        pub height: usize,
        /// Columns of image tokens.
        pub width: usize,
        /// Cosine of the vector fed back with every image token's feature, row by row; absent
        /// for `answer`, and where either has no length.
        pub cosine: Option<Vec<f64>>,
        /// Share of the forward's attention on every image token, mean over heads and layers.
        pub attention: Option<Vec<f64>>,
    }
}

table_row! {
    /// Logit lens within the model: the final norm and output matrix applied to the input of
    /// a layer at a latent step of the clean run. After the last layer: [`LatentRow`].
    pub struct LensRow {
        /// Row of the example.
        pub row: usize,
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// Decoder layer whose input it is, from 0.
        pub layer: usize,
        /// The likeliest token.
        pub token: String,
        /// Its probability.
        pub probability: f64,
        /// Entropy over the whole vocabulary (nats).
        pub entropy: f64,
        /// Probability of the gold letter.
        pub gold: Option<f64>,
    }
}

table_row! {
    /// One latent position against its teacher target.
    pub struct AlignmentRow {
        /// Row of the example.
        pub row: usize,
        /// `teacher_forced` or `free_running`.
        pub mode: Mode,
        /// `context` or `target`.
        pub stage: Stage,
        /// Region (box) index.
        pub region: usize,
        /// Position within the stage, from 0.
        pub step: usize,
        /// cos(h, v).
        pub cosine: f64,
        /// Mean over dimensions of (h - v)^2.
        pub mse: f64,
        /// L2 norm of h - v.
        pub l2: f64,
        /// L2 norm of h.
        pub latent_norm: f64,
        /// L2 norm of v.
        pub target_norm: f64,
    }
}

table_row! {
    /// How long one example took, in seconds of the worker that ran it. Not part of the
    /// records: no result depends on it. It lies beside them, see
    /// [`names::TIMING`](crate::folder::names::TIMING).
    pub struct TimingRow {
        /// Row of the example.
        pub row: usize,
        /// Id of the example.
        pub id: String,
        /// Image tokens.
        pub visual_tokens: usize,
        /// Tokens of the prompt, image tokens included.
        pub prompt_tokens: usize,
        /// Reading and resizing the images, and laying out the prompt.
        pub image: f64,
        /// The vision tower.
        pub vision: f64,
        /// The prompt's forward pass.
        pub prefill: f64,
        /// The branches' forwards: of a batch, this example's share by forwards.
        pub decode: f64,
        /// Prompts run: more than one where a prefix did not fit in memory until it was needed.
        pub prefills: usize,
        /// Forwards of all branches.
        pub forwards: usize,
    }
}

/// The records folder of a run.
pub fn folder(run: &Path) -> PathBuf {
    run.join(crate::folder::names::RECORDS)
}

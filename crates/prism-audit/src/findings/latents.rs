//! What the latents themselves are like, and where the model looks at them.

use prism_run::{Cloud, NotedAt, Stage, table_row};

table_row! {
    /// The cloud of latents at one step, over examples.
    pub struct GeometryFinding {
        /// `free_running` (as decoded), `teacher_forced`, or `teacher_target` (what they are trained towards).
        pub mode: Cloud,
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// Vectors: what norms, spread and cosines are over.
        pub vectors: usize,
        /// Vectors the spectrum is of (`effective_rank`, `participation_ratio`, `first_share`): all of them, or, where they
        /// are wider than 512, a sample of 512.
        pub spectrum_vectors: usize,
        /// Their width.
        pub width: usize,
        /// Mean L2 norm.
        pub norm: Option<f64>,
        /// Its standard deviation (n - 1).
        pub norm_sd: Option<f64>,
        /// Root mean square over dimensions of the standard deviation over examples.
        pub spread: Option<f64>,
        /// Mean cosine of two examples' vectors.
        pub inter_example_cosine: Option<f64>,
        /// Exponential of the entropy of the centred singular values (Roy and Vetterli 2007).
        pub effective_rank: Option<f64>,
        /// Participation ratio of the covariance's eigenvalues: `(sum)^2 / sum of squares`.
        pub participation_ratio: Option<f64>,
        /// The most either can be: `min(spectrum_vectors - 1, width)`.
        pub rank_bound: usize,
        /// Share of the variance in the first direction.
        pub first_share: Option<f64>,
        /// Mean cosine to the block's end token; as decoded only.
        pub end_cosine: Option<f64>,
        /// Mean cosine to the same example's vector of the step before.
        pub previous_cosine: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Latents beside their teacher targets at one step: how alike in three metrics, and
    /// whether a latent finds its own target among all examples'.
    pub struct RetrievalFinding {
        /// `free_running` or `teacher_forced`.
        pub mode: Cloud,
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// Latents with a target that were compared: at most 512, a sample of the same examples in every run.
        pub pairs: usize,
        /// Mean cosine of a latent and its target.
        pub cosine: Option<f64>,
        /// Mean cosine of a latent and another example's target.
        pub cosine_others: Option<f64>,
        /// The same as `cosine` once each side's mean is taken off.
        pub centred: Option<f64>,
        /// And in the metric of the targets' covariance (shrunk after Ledoit and Wolf 2004),
        /// where every direction in which targets differ counts alike.
        pub whitened: Option<f64>,
        /// Share of latents whose own target is the nearest by cosine.
        pub at_1: Option<f64>,
        /// Wilson 95 % interval.
        pub at_1_low: Option<f64>,
        /// Upper end of the same.
        pub at_1_high: Option<f64>,
        /// Share whose own target is among the five nearest.
        pub at_5: Option<f64>,
        /// The nearest, once each side's mean is taken off.
        pub centred_at_1: Option<f64>,
        /// Among the five nearest, likewise.
        pub centred_at_5: Option<f64>,
        /// What guessing gets at 1.
        pub chance_1: Option<f64>,
        /// What guessing gets at 5.
        pub chance_5: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Logit lens of one latent step over examples.
    pub struct LensFinding {
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// Decoder layer whose input it is; absent after the last layer.
        pub layer: Option<usize>,
        /// Examples.
        pub examples: usize,
        /// Mean entropy over the vocabulary, nats.
        pub entropy: Option<f64>,
        /// Mean probability of the likeliest token.
        pub probability: Option<f64>,
        /// Mean probability of the gold letter.
        pub gold: Option<f64>,
        /// The five commonest of the likeliest tokens, with the share of examples.
        pub tokens: String,
    }
}

table_row! {
    /// Where one forward of the clean run looks in one layer, mean over examples and heads.
    pub struct AttentionFinding {
        /// `answer`, or the stage of a latent forward.
        pub place: NotedAt,
        /// Step within the stage; absent for `answer`.
        pub step: Option<usize>,
        /// Decoder layer, from 0.
        pub layer: usize,
        /// Examples.
        pub examples: usize,
        /// Share of the attention on image tokens.
        pub image: Option<f64>,
        /// On the prompt's other tokens.
        pub text: Option<f64>,
        /// On the latents before it.
        pub latents: Option<f64>,
        /// 95 % interval of that mean, by cluster.
        pub latents_low: Option<f64>,
        /// Upper end of the same.
        pub latents_high: Option<f64>,
        /// On other generated tokens, itself included.
        pub generated: Option<f64>,
        /// Attention on the annotated boxes over what an even spread over the image would put there.
        pub enrichment: Option<f64>,
        /// 95 % interval of that mean, by cluster.
        pub enrichment_low: Option<f64>,
        /// Upper end of the same.
        pub enrichment_high: Option<f64>,
        /// Examples with boxes and attention on the image.
        pub enrichment_examples: usize,
        /// Mean entropy over the image's tokens, nats.
        pub image_entropy: Option<f64>,
        /// Mean entropy over the latents, nats.
        pub latent_entropy: Option<f64>,
    }
}

table_row! {
    /// One latent of the clean run in the plane of its stage's first two principal components.
    pub struct ProjectionFinding {
        /// Row of the example.
        pub row: usize,
        /// `context` or `target`.
        pub stage: Stage,
        /// Step within the stage, from 0.
        pub step: usize,
        /// First component.
        pub x: f64,
        /// Second component.
        pub y: f64,
        /// Share of the variance along the first.
        pub x_share: f64,
        /// Share along the second.
        pub y_share: f64,
        /// The letter given.
        pub answer: Option<String>,
        /// The gold letter.
        pub label: String,
    }
}

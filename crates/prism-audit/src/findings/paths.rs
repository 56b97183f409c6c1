//! Whether a gain travels through the latents or through the weights.

use prism_run::{Change, Shown, Source, Weights, table_row};

table_row! {
    /// One cell of the crossing: whose weights, whose latents.
    pub struct PathFinding {
        /// Name of the variant.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// Whose weights.
        pub weights: Weights,
        /// What stands at the latent positions.
        pub latents: Source,
        /// Examples that ran.
        pub examples: usize,
        /// Examples that have no such cell, or failed.
        pub left_out: usize,
        /// Right answers.
        pub correct: usize,
        /// Share of them.
        pub accuracy: Option<f64>,
        /// Wilson interval, 95 %.
        pub accuracy_low: Option<f64>,
        /// Its upper end.
        pub accuracy_high: Option<f64>,
        /// Mean of the gold letter's log-probability minus the best other letter's, nats.
        pub margin: Option<f64>,
        /// Mean norm of the vectors fed.
        pub latent_norm: Option<f64>,
        /// Answers that could not be parsed; they count as wrong.
        pub no_answer: usize,
        /// For the variant's weights with its own latents: runs that are not the clean run to the bit.
        pub replays_changed: Option<usize>,
        /// Why examples are left out: the commonest reason.
        pub reason: Option<String>,
    }
}

table_row! {
    /// What one change does, the rest held: a difference of two cells over the same examples, or of
    /// two such differences.
    pub struct EffectFinding {
        /// Name of the variant.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// What is changed.
        pub effect: Change,
        /// What is held, e.g. `no latents`.
        pub held: String,
        /// From this cell; of an interaction the two effects.
        pub from: String,
        /// To this one.
        pub to: String,
        /// Examples that ran in every cell of the crossing (for effects of the oracle: in it as well).
        pub examples: usize,
        /// Wrong before, right after.
        pub gained: Option<usize>,
        /// Right before, wrong after.
        pub lost: Option<usize>,
        /// The difference in accuracy.
        pub delta: Option<f64>,
        /// Its 95 % interval: Tango's score interval; of an interaction, and with clusters, cluster-robust.
        pub delta_low: Option<f64>,
        /// Upper end of the same.
        pub delta_high: Option<f64>,
        /// Tango's 95 % score interval, whatever the clusters; none of an interaction.
        pub score_low: Option<f64>,
        /// Upper end of the same.
        pub score_high: Option<f64>,
        /// Exact McNemar test, two-sided; none of an interaction.
        pub mcnemar_p: Option<f64>,
        /// Clusters the examples form.
        pub clusters: usize,
        /// The same test with clusters flipped as a whole (of an interaction: sign flips); the one the verdict reads.
        pub p: Option<f64>,
        /// That adjusted over the variant's effects (Holm).
        pub holm_p: Option<f64>,
        /// Score interval that the equivalence test reads (90 % for alpha = 0.05).
        pub equivalence_low: Option<f64>,
        /// Upper end of the same.
        pub equivalence_high: Option<f64>,
        /// Exact p of the equivalence test.
        pub equivalence_p: Option<f64>,
        /// The margin fixed beforehand.
        pub margin: f64,
        /// The difference in the gold letter's log-probability margin, nats.
        pub margin_delta: Option<f64>,
        /// Its 95 % interval.
        pub margin_low: Option<f64>,
        /// Upper end of the same.
        pub margin_high: Option<f64>,
        /// Its p (sign flips, clusters as a whole).
        pub margin_p: Option<f64>,
        /// Smallest |delta| this many examples would mostly show.
        pub detectable: Option<f64>,
        /// Examples the equivalence test would need at the discordance seen.
        pub needed: Option<usize>,
        /// What the tests show; absent where there is nothing to test.
        pub verdict: Option<Shown>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// How far weights moved in training: one tensor, or a group of them as one long vector.
    pub struct DriftFinding {
        /// Name of the variant.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// `tensor`, `module` (a kind over all layers), `layer`, `module_in_layer` or `all`.
        pub level: String,
        /// Name of the tensor.
        pub name: Option<String>,
        /// `embed`, `q`, `k`, `v`, `o`, `gate`, `up`, `down`, `norms`, `lm_head`, `vision`, `head` or `other`.
        pub module: Option<String>,
        /// Decoder layer, from 0.
        pub layer: Option<usize>,
        /// Tensors.
        pub tensors: usize,
        /// Numbers.
        pub elements: usize,
        /// Frobenius norm of the base's weights.
        pub base_norm: Option<f64>,
        /// Of the variant's.
        pub variant_norm: Option<f64>,
        /// Of variant minus base.
        pub difference_norm: Option<f64>,
        /// `difference_norm / base_norm`.
        pub relative: Option<f64>,
        /// Cosine between the two, as long vectors.
        pub cosine: Option<f64>,
        /// Why numbers are absent, or what was left out.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Cosine between the gradients of the cross-entropy and of the latent loss, as the training logged it.
    pub struct GradientCosineFinding {
        /// Name of the variant.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// Optimizer step, from 1; absent where nothing was measured.
        pub step: Option<usize>,
        /// `embedding`, `layer-00`, ..., `final-norm`, `output`, `head` or `vision`.
        pub layer: Option<String>,
        /// The cosine.
        pub cosine: Option<f64>,
        /// Why there is none.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Likeness of two checkpoints' states on the same examples (linear CKA).
    pub struct CkaFinding {
        /// `base`, or a variant's name with its seed.
        pub one: String,
        /// Another.
        pub other: String,
        /// `question_mean`, `visual_mean` or `answer_state`, of the runs as they are.
        pub position: String,
        /// Input of this decoder layer; absent for the last layer after the final norm.
        pub layer: Option<usize>,
        /// Examples both have the vector of.
        pub examples: usize,
        /// Linear CKA (Kornblith et al. 2019), features centred.
        pub cka: Option<f64>,
        /// The same of unbiased estimates of HSIC: near 0 for unrelated states, whatever their width.
        pub debiased: Option<f64>,
        /// Mean of `cka` with the examples of one side in another order: what width alone gives.
        pub shuffled: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

//! The verdict of an intervention.

use prism_run::table_row;

table_row! {
    /// What one intervention allows to be said, by [`crate::verdict::RULE`].
    pub struct VerdictFinding {
        /// Variant id of the run.
        pub variant: String,
        /// Training seed of the run.
        pub seed: Option<i64>,
        /// Textual form of the intervention.
        pub intervention: String,
        /// Whether a clean run under the same view of the image was made.
        pub baseline: bool,
        /// Examples it reads: both ran, and the block opened in the clean run.
        pub examples: usize,
        /// Examples right in one of the two runs only.
        pub discordant: usize,
        /// Wrong clean, right under the intervention.
        pub gained: usize,
        /// Right clean, wrong under the intervention.
        pub lost: usize,
        /// Those lost because no answer could be parsed any more.
        pub lost_unparsed: usize,
        /// Examples whose generated tokens differ from the clean run's.
        pub changed: usize,
        /// Mean norm of what the intervention changed in the latents, over their mean norm in the clean run.
        pub relative_change: Option<f64>,
        /// The floor of that, declared beforehand.
        pub relative_floor: f64,
        /// Accuracy minus clean accuracy on those examples.
        pub delta: Option<f64>,
        /// Score 95 % interval of the delta.
        pub delta_low: Option<f64>,
        /// Score 95 % interval of the delta.
        pub delta_high: Option<f64>,
        /// Score interval of the delta (90 % for alpha = 0.05) that the equivalence test reads.
        pub equivalence_low: Option<f64>,
        /// Upper end of the same interval.
        pub equivalence_high: Option<f64>,
        /// Exact p of the equivalence test, the larger of its two sides.
        pub equivalence_p: Option<f64>,
        /// The margin fixed beforehand.
        pub margin: f64,
        /// Family-wise error rate of a change, and level of the equivalence test.
        pub alpha: f64,
        /// Exact McNemar test, two-sided.
        pub mcnemar_p: Option<f64>,
        /// Clusters the examples form; as many as examples when each stands for itself.
        pub clusters: usize,
        /// The same test with clusters flipped as a whole, the one the verdict reads; absent without clusters.
        pub clustered_p: Option<f64>,
        /// Cluster-robust interval of the delta at the level of `equivalence_low`, which must lie
        /// inside the margin too; absent without clusters.
        pub clustered_low: Option<f64>,
        /// Upper end of the same interval.
        pub clustered_high: Option<f64>,
        /// Examples whose answer could be parsed both ways.
        pub choice_examples: usize,
        /// Accuracy minus clean accuracy on those.
        pub choice_delta: Option<f64>,
        /// The test over those (clusters flipped as a whole): the choice without the form.
        pub choice_p: Option<f64>,
        /// 95 % interval of `choice_delta`: the score interval, over clusters where there are any.
        pub choice_low: Option<f64>,
        /// Upper end of the same.
        pub choice_high: Option<f64>,
        /// Change of accuracy over all `examples`, where an answer that cannot be parsed is read leniently
        /// ([`crate::lenient`]): a second look, which no verdict rests on.
        pub lenient_delta: Option<f64>,
        /// Its 95 % interval.
        pub lenient_low: Option<f64>,
        /// Upper end of the same.
        pub lenient_high: Option<f64>,
        /// Its exact p, clusters flipped as a whole where there are any; not adjusted.
        pub lenient_p: Option<f64>,
        /// Answers under the intervention that cannot be read so either.
        pub lenient_unread: usize,
        /// That adjusted over the family (Holm).
        pub choice_holm_p: Option<f64>,
        /// Tests the two adjustments are over: the interventions of this run under the same view of
        /// the image, or in a comparison those of all its runs.
        pub family: usize,
        /// Adjusted over the family (Holm).
        pub holm_p: Option<f64>,
        /// Adjusted over the family (Benjamini-Hochberg).
        pub benjamini_hochberg_p: Option<f64>,
        /// Smallest |delta| this many examples would show as a change (80 % power, two-sided), at the discordance seen.
        pub detectable: Option<f64>,
        /// Examples the equivalence test would need at the discordance seen (80 % power, no true effect).
        pub needed: Option<usize>,
        /// `changes the answer`, `breaks the form`, `bypassed`, `undecided`, `too weak to test` or `no latents ran`.
        pub verdict: String,
        /// The verdict's figures in words.
        pub reason: Option<String>,
    }
}

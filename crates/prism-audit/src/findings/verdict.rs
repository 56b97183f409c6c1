//! What one intervention shows.

use prism_run::{Class, Effect, Family, Intervention, Role, table_row};

table_row! {
    /// What one intervention shows, by the rule of [`crate::verdict`]. Every number is over the
    /// examples that ran both ways and whose block opened in the clean run.
    pub struct VerdictFinding {
        /// Variant id of the run.
        pub variant: String,
        /// Training seed of the run.
        pub seed: Option<i64>,
        /// The intervention.
        pub intervention: Intervention,
        /// What it can show.
        pub class: Class,
        /// What follows from it.
        pub role: Role,
        /// The family its tests are adjusted in.
        pub family: Family,
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
        /// Examples whose letter or parse state differs from the clean run's.
        pub changed_answers: usize,
        /// Their share.
        pub changed: Option<f64>,
        /// One-sided upper bound of that share at `1 - alpha` (Clopper and Pearson), of the same share among
        /// `changed_worth` independent examples; the largest over fewer changed answers.
        pub changed_bound: Option<f64>,
        /// Independent examples that the bound counts: with clusters n squared over the sum of their squared sizes, with
        /// shared donors no more than the agreement of answers with one donor leaves.
        pub changed_worth: Option<f64>,
        /// Examples whose generated tokens differ.
        pub outputs_changed: usize,
        /// Root mean square distance of what was put in from the same example's clean latents, each dimension over its
        /// natural spread; absent where nothing is put in or it was not recorded.
        pub strength: Option<f64>,
        /// Below this it is `too weak`; declared beforehand.
        pub strength_floor: f64,
        /// Whether what was put in is what was there, in every example: the latents are the same for all.
        pub nothing_to_exchange: bool,
        /// Mean norm of what the intervention changed in the latents, over their mean norm in the clean run.
        pub relative_change: Option<f64>,
        /// Accuracy minus clean accuracy on those examples.
        pub delta: Option<f64>,
        /// Score 95 % interval of the delta.
        pub delta_low: Option<f64>,
        /// Score 95 % interval of the delta.
        pub delta_high: Option<f64>,
        /// Score interval of the delta at `1 - 2 alpha` (90 % for alpha = 0.05, not 95 %), which the equivalence test reads.
        pub equivalence_low: Option<f64>,
        /// Upper end of the same 90 % interval.
        pub equivalence_high: Option<f64>,
        /// p of the equivalence test of accuracy, the larger of its two sides: exact, over the discordances that the data do
        /// not exclude (Berger and Boos).
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
        /// Cluster-robust interval of the delta at the level of `equivalence_low` (90 % for alpha = 0.05, not 95 %), which must
        /// lie inside the margin too; absent without clusters.
        pub clustered_low: Option<f64>,
        /// Upper end of the same 90 % interval.
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
        /// p of the equivalence test over those, as `equivalence_p`.
        pub choice_equivalence_p: Option<f64>,
        /// Whether accuracy is equivalent within the margin: interval inside, exact p below alpha, with clusters the
        /// cluster-robust interval too.
        pub accuracy_equivalent: bool,
        /// Whether the choice is, by the same tests.
        pub choice_equivalent: bool,
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
        /// Tests the adjustments are over: those of this run in the same family.
        pub tests: usize,
        /// Adjusted over the family (Holm).
        pub holm_p: Option<f64>,
        /// Adjusted over the family (Benjamini-Hochberg).
        pub benjamini_hochberg_p: Option<f64>,
        /// In a comparison: adjusted over the same family of all its runs (Holm). No word rests on it.
        pub across_holm_p: Option<f64>,
        /// Smallest |delta| this many examples would show as a change (80 % power, two-sided), at the discordance seen.
        pub detectable: Option<f64>,
        /// Examples the equivalence test would need at the discordance seen (80 % power, no true effect).
        pub needed: Option<usize>,
        /// What it shows.
        pub verdict: Effect,
        /// The figures in words.
        pub reason: Option<String>,
    }
}

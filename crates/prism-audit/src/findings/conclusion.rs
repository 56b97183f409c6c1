//! The verdict of a run.

use prism_run::table_row;

table_row! {
    /// What a run allows to be said of its latents as a whole, by [`crate::conclusion::RULE`].
    pub struct ConclusionFinding {
        /// Variant id of the run.
        pub variant: String,
        /// Training seed of the run.
        pub seed: Option<i64>,
        /// `load-bearing`, `bypassed`, `breaks the form`, `undecided`, `too weak to test`,
        /// `no latents ran` or `no intervention was run`.
        pub verdict: String,
        /// The clause of the rule that made it, in one sentence.
        pub rule: String,
        /// The decisive interventions that were run, joined by `, `.
        pub decisive: String,
        /// Of those, the ones the clause rests on.
        pub resting_on: String,
        /// Fewest paired examples any decisive intervention has, block opened in the clean run.
        pub examples: Option<usize>,
        /// Examples that would decide it if there is no effect: the most that any undecided
        /// decisive intervention needs. Absent where more examples would not decide.
        pub needed: Option<usize>,
        /// The equivalence margin fixed beforehand.
        pub margin: Option<f64>,
        /// Family-wise error rate, and level of the equivalence tests.
        pub alpha: Option<f64>,
        /// The figures in words.
        pub reason: Option<String>,
    }
}

//! Control runs, judged.

use prism_run::{Need, Sight, Verdict, table_row};

table_row! {
    /// One control run, judged.
    pub struct ValidityFinding {
        /// Variant id.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// What its positions may see: `bottleneck` or `blindfold`.
        pub sight: Sight,
        /// The word it must have.
        pub expected: Verdict,
        /// The word it has.
        pub word: Verdict,
        /// Whether its block is needed, as found.
        pub presence: Need,
        /// Whether they are the same.
        pub holds: bool,
        /// Clean accuracy.
        pub accuracy: Option<f64>,
        /// Examples.
        pub examples: usize,
        /// Random halves of the questions judged.
        pub halves: usize,
        /// Of those, the ones with another verdict.
        pub halves_wrong: usize,
        /// Answers under interventions that must change nothing (sham, noise of 0, mix of 0).
        pub shams: usize,
        /// Of those, the ones that differ from the clean run in a bit.
        pub shams_changed: usize,
        /// What the verdict rests on.
        pub reason: Option<String>,
    }
}

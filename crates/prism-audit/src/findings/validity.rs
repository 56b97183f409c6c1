//! Control runs, judged.

use prism_run::{Control, Need, Verdict, table_row};

table_row! {
    /// One control run, judged.
    pub struct ValidityFinding {
        /// Variant id.
        pub variant: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// What it is by construction.
        pub control: Control,
        /// The word it must have.
        pub expected: Verdict,
        /// The word it has.
        pub word: Verdict,
        /// Whether its block is needed, as found.
        pub presence: Need,
        /// Whether the word is the one it must have.
        pub holds: bool,
        /// Whether its block is needed, by construction; absent where that is measured.
        pub needs_block: Option<bool>,
        /// Whether `presence` says so.
        pub presence_holds: Option<bool>,
        /// Whether the clean run is below the accuracy that was fixed before the runs: it did not learn its task, and is not counted.
        pub left_out: bool,
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

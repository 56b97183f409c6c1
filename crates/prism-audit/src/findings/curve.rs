//! Runs in a row: over training, or over the step budget.

use prism_run::{Need, Verdict, table_row};

table_row! {
    /// One run of a row of runs on the same examples; changes are against the first.
    pub struct CurveFinding {
        /// Run folder.
        pub run: String,
        /// Training step of its checkpoint, where the folder says it (`checkpoint-N`).
        pub training_step: Option<usize>,
        /// Latent steps K.
        pub steps: Option<usize>,
        /// Examples of the clean run, errors left out.
        pub examples: usize,
        /// Emission rate: share of examples whose latent block opened.
        pub opened: Option<f64>,
        /// Parse rate: share of all examples with an option letter behind an opened block.
        pub parsed: Option<f64>,
        /// Clean accuracy.
        pub accuracy: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_low: Option<f64>,
        /// Upper end of the same.
        pub accuracy_high: Option<f64>,
        /// Examples right here and wrong in the first run; absent for that run itself.
        pub gained: Option<usize>,
        /// Wrong here and right there.
        pub lost: Option<usize>,
        /// `(gained - lost) / n`; absent for the first run.
        pub delta: Option<f64>,
        /// Exact McNemar p of the two, every example for itself.
        pub mcnemar_p: Option<f64>,
        /// The same test with clusters flipped as a whole; absent where no example belongs to another.
        pub clustered_p: Option<f64>,
        /// Target stage, teacher-forced.
        pub cosine: Option<f64>,
        /// Target stage, free-running.
        pub cosine_free: Option<f64>,
        /// Of the latents as decoded, target stage, mean over steps: spread over examples.
        pub spread: Option<f64>,
        /// Effective rank.
        pub effective_rank: Option<f64>,
        /// Cosine to the block's end token.
        pub end_cosine: Option<f64>,
        /// Change of accuracy under `zero`.
        pub delta_zero: Option<f64>,
        /// The run's word.
        pub word: Option<Verdict>,
        /// Whether its block is needed.
        pub presence: Option<Need>,
        /// What limits the word.
        pub qualifier: Option<String>,
        /// Whether K lies inside the lengths of training; absent where those are unknown.
        pub inside_lengths: Option<bool>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

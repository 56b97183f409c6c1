//! Arms of a study over the step budget K, and what is asked of groups of them.

use prism_run::{Need, Verdict, table_row};

table_row! {
    /// One arm and seed at one K.
    pub struct BudgetFinding {
        /// Variant id.
        pub variant: String,
        /// Printed name.
        pub name: String,
        /// Training seed.
        pub seed: Option<i64>,
        /// K that was asked for; absent = the one declared for the study's words.
        pub k: Option<usize>,
        /// Latent steps of the context stage.
        pub steps_context: Option<usize>,
        /// Latent steps of the target stage.
        pub steps_target: Option<usize>,
        /// Whether these lie between the 5th and 95th percentile of the lengths of training; absent where those are unknown.
        pub inside_lengths: Option<bool>,
        /// Examples.
        pub examples: usize,
        /// Share of examples whose block opened.
        pub opened: Option<f64>,
        /// Of those whose block opened, the share whose answer could be parsed.
        pub parsed: Option<f64>,
        /// Clean accuracy.
        pub accuracy: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_low: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_high: Option<f64>,
        /// Cosine of latent and teacher target, teacher-forced.
        pub cosine: Option<f64>,
        /// The same, free-running at this K.
        pub cosine_free: Option<f64>,
        /// Largest share of answers that an exchange or resampling of the whole block changes.
        pub most_changed: Option<f64>,
        /// Largest one-sided 95 % bound of those shares.
        pub changed_bound: Option<f64>,
        /// Change in accuracy under the one of them that moves accuracy most.
        pub content_delta: Option<f64>,
        /// The run's word.
        pub word: Option<Verdict>,
        /// Whether its block is needed.
        pub presence: Option<Need>,
        /// What limits the word: a K outside the trained lengths, or not declared beforehand.
        pub qualifier: Option<String>,
    }
}

table_row! {
    /// A correlation over a group of arms, the training seed being the unit.
    pub struct GroupFinding {
        /// Name of the group.
        pub group: String,
        /// Variant ids.
        pub arms: Vec<String>,
        /// K that was asked for; absent = the declared one.
        pub k: Option<usize>,
        /// Which cosine stands against accuracy: `cosine` (teacher-forced) or `cosine_free`.
        pub x: String,
        /// Seeds that have an r.
        pub seeds: usize,
        /// Mean over seeds of Pearson's r over the arms of a seed.
        pub r: Option<f64>,
        /// Student's 95 % interval of that mean over seeds, cut at -1 and 1.
        pub low: Option<f64>,
        /// Student's 95 % interval.
        pub high: Option<f64>,
        /// Smallest r of a seed.
        pub least: Option<f64>,
        /// Largest r of a seed.
        pub greatest: Option<f64>,
        /// Whether the interval lies below 0; absent without one.
        pub below_zero: Option<bool>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// Accuracy of one arm minus another's, paired by training seed.
    pub struct ContrastFinding {
        /// Variant id.
        pub arm: String,
        /// Variant id of the one it is compared with.
        pub against: String,
        /// K that was asked for; absent = the declared one.
        pub k: Option<usize>,
        /// Seeds that have both.
        pub seeds: usize,
        /// Mean difference.
        pub delta: Option<f64>,
        /// Student's 95 % interval over seeds.
        pub low: Option<f64>,
        /// Student's 95 % interval.
        pub high: Option<f64>,
        /// Two-sided p of Student's test that the mean is 0.
        pub p: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

//! The verdict of a run: both questions answered, and the one sentence that says it.

use prism_run::{Content, Intervention, Need, Verdict, table_row};

table_row! {
    /// What a run allows to be said of its latents as a whole ([`crate::verdict`]).
    pub struct ConclusionFinding {
        /// Variant id of the run.
        pub variant: String,
        /// Training seed of the run.
        pub seed: Option<i64>,
        /// The run's word: the answer to the first question.
        pub word: Verdict,
        /// The first question: is what the latents say used?
        pub content: Content,
        /// The second question: is the block needed?
        pub presence: Need,
        /// Both answers in one sentence.
        pub sentence: String,
        /// What limits the word: few examples opened their block, or the budget was never trained. Absent if nothing does.
        pub qualifier: Option<String>,
        /// The clause of the rule that made `content`.
        pub rule: String,
        /// The clause of the rule that made `presence`.
        pub presence_rule: String,
        /// The declared content set.
        pub declared_content: Vec<Intervention>,
        /// Of those, the ones that were run and count.
        pub decisive: Vec<Intervention>,
        /// Of those, the ones that the clause of `content` rests on.
        pub resting_on: Vec<Intervention>,
        /// The declared presence set.
        pub declared_presence: Vec<Intervention>,
        /// Of those, the ones that the clause of `presence` rests on.
        pub presence_on: Vec<Intervention>,
        /// Examples whose block opened in the clean run: the ones every word reads.
        pub examples: usize,
        /// Share of the examples that ran whose block opened.
        pub opened: Option<f64>,
        /// Clean accuracy over `examples`.
        pub accuracy: Option<f64>,
        /// Lower end of its 95 % interval (Wilson, or cluster-robust where there are clusters).
        pub accuracy_low: Option<f64>,
        /// What a guess that knows the question type gets ([`crate::summary::type_floor`]).
        pub type_floor: Option<f64>,
        /// Largest share of changed answers that the decisive interventions leave possible (one-sided 95 % bound).
        pub changed_bound: Option<f64>,
        /// Natural spread of the clean latents over their norm: root mean square over dimensions, mean over stages and steps.
        pub spread_over_norm: Option<f64>,
        /// Latent steps of the context stage at which it was run.
        pub steps_context: Option<usize>,
        /// Latent steps of the target stage.
        pub steps_target: Option<usize>,
        /// Whether these lie between the 5th and 95th percentile of the lengths of training; absent where those are unknown.
        pub inside_lengths: Option<bool>,
        /// Examples that would decide `content`; absent where it is decided, or more would not decide.
        pub needed: Option<usize>,
        /// The margin fixed beforehand.
        pub margin: f64,
        /// The level of every test.
        pub alpha: f64,
        /// The figures in words, one entry per intervention that an answer rests on.
        pub reason: Vec<String>,
        /// Which edition of the rule judged ([`crate::verdict::EDITION`]); findings of another are made again.
        pub rule_edition: usize,
    }
}

impl ConclusionFinding {
    /// The run's word, with a star where something limits it: `bypassed*`.
    pub fn marked_word(&self) -> String {
        marked(self.word, self.qualifier.as_deref())
    }
}

/// A run's word, with a star where something limits it.
pub fn marked(word: Verdict, limit: Option<&str>) -> String {
    format!("{word}{}", if limit.is_some() { "*" } else { "" })
}

table_row! {
    /// One decisive intervention on one category of the benchmark: what `in part` reads.
    pub struct CategoryFinding {
        /// The intervention.
        pub intervention: Intervention,
        /// The category; those of fewer than 20 examples are taken together as `other`.
        pub category: String,
        /// Examples whose block opened in the clean run.
        pub examples: usize,
        /// Answers whose letter or parse state changed.
        pub changed_answers: usize,
        /// One-sided 95 % bound of their share (Clopper and Pearson, by cluster where there are clusters).
        pub changed_bound: Option<f64>,
        /// Wrong clean, right under the intervention.
        pub gained: usize,
        /// Right clean, wrong under the intervention.
        pub lost: usize,
        /// Accuracy minus clean accuracy.
        pub delta: Option<f64>,
        /// Exact McNemar test, clusters flipped as a whole where there are any.
        pub p: Option<f64>,
        /// That adjusted over categories and decisive exchanges (Holm).
        pub holm_p: Option<f64>,
    }
}

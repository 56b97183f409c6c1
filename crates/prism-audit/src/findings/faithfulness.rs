//! What an intervention does to outcomes.

use prism_run::{Intervention, table_row};

table_row! {
    /// Outcomes under one intervention (method, section 7), paired with the clean
    /// run of the same examples.
    pub struct FaithfulnessFinding {
        /// Textual form of the intervention, e.g. `noise:0.3`.
        pub intervention: Intervention,
        /// `all`, or a category of the benchmark.
        pub category: String,
        /// Examples that ran both clean and under the intervention.
        pub examples: usize,
        /// Right answers among them.
        pub correct: usize,
        /// Share of right answers.
        pub accuracy: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_low: Option<f64>,
        /// Wilson 95 % interval.
        pub accuracy_high: Option<f64>,
        /// Accuracy minus clean accuracy, same examples.
        pub delta: Option<f64>,
        /// Score 95 % interval of the delta (Tango), every example by itself.
        pub delta_low: Option<f64>,
        /// Upper end of the same interval.
        pub delta_high: Option<f64>,
        /// Paired bootstrap 95 % percentile interval, clusters drawn as a whole; absent when no
        /// answer was gained or lost.
        pub bootstrap_low: Option<f64>,
        /// Upper end of the same interval.
        pub bootstrap_high: Option<f64>,
        /// Clusters the examples form; as many as examples when each stands for itself.
        pub clusters: usize,
        /// What joins examples into clusters, e.g. `pair` and `image`; empty when nothing does.
        pub clustered_by: Vec<String>,
        /// Cluster-robust 95 % interval of the delta (the score interval over clusters when no
        /// answer was gained or lost); absent without clusters.
        pub clustered_low: Option<f64>,
        /// Upper end of the same interval.
        pub clustered_high: Option<f64>,
        /// Wrong clean, right under the intervention.
        pub gained: usize,
        /// Right clean, wrong under the intervention.
        pub lost: usize,
        /// Those lost because no answer could be parsed any more.
        pub lost_unparsed: usize,
        /// Exact McNemar test, two-sided.
        pub mcnemar_p: Option<f64>,
        /// Mean change of the gold letter's log-probability margin, nats.
        pub margin_delta: Option<f64>,
        /// Corrected paired bootstrap 95 % interval (BCa), clusters drawn as a whole.
        pub margin_low: Option<f64>,
        /// Upper end of the same interval.
        pub margin_high: Option<f64>,
        /// Sign-flip permutation test of that change, two-sided, clusters flipped as a whole.
        pub margin_p: Option<f64>,
        /// Equivalence bound of that change, nats: what moves an answer at even odds by the
        /// accuracy margin fixed beforehand.
        pub margin_bound: Option<f64>,
        /// p of the equivalence test (two one-sided t tests) within that bound; absent when the
        /// changes do not vary.
        pub margin_equivalence_p: Option<f64>,
        /// Examples whose generated tokens differ from the clean run's.
        pub changed: usize,
        /// Share of examples whose latent block opened.
        pub opened: Option<f64>,
        /// Mean latent forwards of the context stage.
        pub steps_context: Option<f64>,
        /// Mean latent forwards of the target stage.
        pub steps_target: Option<f64>,
        /// Mean L2 norm of the vectors fed back.
        pub latent_norm: Option<f64>,
        /// Mean L2 norm of what the intervention changed in them.
        pub perturbation_norm: Option<f64>,
        /// Outcome count.
        pub scored: usize,
        /// Outcome count.
        pub no_answer: usize,
        /// Outcome count: interventions did nothing here.
        pub no_latents: usize,
        /// Outcome count: left out of `examples`.
        pub error: usize,
        /// Why numbers are absent, or must not be read as they stand.
        pub reason: Option<String>,
    }
}

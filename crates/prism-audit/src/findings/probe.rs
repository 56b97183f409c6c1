//! What a linear probe reads.

use prism_run::table_row;

table_row! {
    /// A linear probe of one set of vectors for one target (method, section 6).
    pub struct ProbeFinding {
        /// Probe position, e.g. `answer_state`.
        pub position: String,
        /// Layer, 0 the input embeddings; absent for the last, after the final norm.
        pub layer: Option<usize>,
        /// Whose vectors: `own`, or the name of a floor's run.
        pub source: String,
        /// What is predicted: `gold`, `own_prediction` or `gold_among_errors`.
        pub target: String,
        /// Vectors.
        pub rows: usize,
        /// Examples left out because their label occurs in one cluster only.
        pub left_out: usize,
        /// Clusters (image, scene, pair) the vectors are of: never in training and test at once.
        pub clusters: usize,
        /// Distinct labels.
        pub classes: usize,
        /// Outer folds used.
        pub folds: usize,
        /// Repeats of the outer folds.
        pub repeats: usize,
        /// Mean over repeats of the share predicted right (paper: mean over folds).
        pub accuracy: Option<f64>,
        /// 95 % of the repeats lie in here; absent for one repeat.
        pub repeat_low: Option<f64>,
        /// Upper end of the same.
        pub repeat_high: Option<f64>,
        /// Standard deviation over all folds of all repeats (paper: over n, not n - 1, as numpy's `std`).
        pub accuracy_sd: Option<f64>,
        /// Bootstrap 95 % interval of the accuracy over examples, drawn by cluster.
        pub item_low: Option<f64>,
        /// Upper end of the same.
        pub item_high: Option<f64>,
        /// Cross-entropy of the out-of-fold probabilities, nats, mean over repeats.
        pub cross_entropy: Option<f64>,
        /// Entropy of the labels, nats.
        pub label_entropy: Option<f64>,
        /// Lower bound of the mutual information H(Y) - CE, nats, as it falls.
        pub mi: Option<f64>,
        /// Bootstrap 95 % interval of it over examples, drawn by cluster.
        pub mi_low: Option<f64>,
        /// Upper end of the same.
        pub mi_high: Option<f64>,
        /// The same, not below 0 (the paper's form).
        pub mi_clamped: Option<f64>,
        /// ln(classes) - CE, not below 0 (the paper's uniform prior).
        pub mi_uniform: Option<f64>,
        /// Share of the commonest label: what a constant answer gets.
        pub majority: Option<f64>,
        /// What the category alone gets, out of fold: the commonest label of it in training.
        pub floor_category: Option<f64>,
        /// What the number of options alone gets, likewise.
        pub floor_options: Option<f64>,
        /// What the model's own letter and the number of options get; for `gold_among_errors`.
        pub floor_answer: Option<f64>,
        /// The floor the probe beats by least: `majority`, `category`, `options`, `answer`, `question_blind` or a run's name.
        pub best_floor: Option<String>,
        /// Examples both have.
        pub floor_rows: Option<usize>,
        /// Accuracy of that floor on them.
        pub floor_accuracy: Option<f64>,
        /// The probe's accuracy minus the floor's on them.
        pub above_floor: Option<f64>,
        /// Paired bootstrap 95 % interval, drawn by cluster.
        pub above_floor_low: Option<f64>,
        /// Upper end of the same.
        pub above_floor_high: Option<f64>,
        /// Floors that could not be had, and why.
        pub floors_absent: Option<String>,
        /// Draws of control labels.
        pub control_draws: Option<usize>,
        /// Mean accuracy with labels exchanged within question type (paper: over all rows).
        pub control_accuracy: Option<f64>,
        /// Accuracy minus control accuracy.
        pub selectivity: Option<f64>,
        /// Share of draws at least as accurate as the real labels, these counted among them.
        pub permutation_p: Option<f64>,
        /// Online code of the labels given the vectors, nats (Voita and Titov 2020).
        pub description_length: Option<f64>,
        /// Uniform code over that code: 1 means that the vectors say nothing.
        pub compression: Option<f64>,
        /// C: the median of those chosen over folds and repeats (paper: as given).
        pub c: Option<f64>,
        /// Most iterations of any fit that predicts.
        pub iterations_max: Option<usize>,
        /// Whether every such fit met its tolerance.
        pub converged: Option<bool>,
        /// Largest |gradient of the mean loss| left over any such fit, in the coordinates it was made in.
        pub gradient_max: Option<f64>,
        /// Cross-entropy when the fits are taken to a tight tolerance, nats; the paper's pipeline only.
        pub tight_cross_entropy: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

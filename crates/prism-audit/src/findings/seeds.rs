//! Several training seeds of one variant.

use prism_run::{Intervention, table_row};

table_row! {
    /// One number of a variant over its training seeds, on the items all of them answered.
    pub struct SeedFinding {
        /// Variant id.
        pub variant: String,
        /// Printed name.
        pub name: String,
        /// `accuracy` (of the clean run) or `delta` (of an intervention against it).
        pub quantity: String,
        /// Textual form of the intervention.
        pub intervention: Intervention,
        /// Training seeds.
        pub seeds: usize,
        /// Items every seed answered.
        pub items: usize,
        /// Clusters they form; as many as items when each stands for itself.
        pub clusters: usize,
        /// Mean over seeds and items.
        pub mean: Option<f64>,
        /// 95 % interval for seeds and items not seen: two-way variance components, Student's t.
        pub low: Option<f64>,
        /// Its upper end.
        pub high: Option<f64>,
        /// Standard deviation between seeds beyond what the items explain.
        pub between_seeds: Option<f64>,
        /// 95 % percentile interval of the bootstrap that draws items and seeds; too short for few seeds that differ much.
        pub bootstrap_low: Option<f64>,
        /// Its upper end.
        pub bootstrap_high: Option<f64>,
        /// 95 % interval over items alone, these seeds as they are.
        pub items_low: Option<f64>,
        /// Its upper end.
        pub items_high: Option<f64>,
        /// Random-effects mean (Paule and Mandel).
        pub effect: Option<f64>,
        /// Its 95 % interval: Hartung and Knapp's, with an error not below the classical one.
        pub effect_low: Option<f64>,
        /// Its upper end.
        pub effect_high: Option<f64>,
        /// Variance between seeds by Paule and Mandel.
        pub tau2: Option<f64>,
        /// Variance between seeds by DerSimonian and Laird.
        pub tau2_dersimonian_laird: Option<f64>,
        /// Cochran's Q.
        pub q: Option<f64>,
        /// p of Q: whether the seeds agree within their own errors.
        pub q_p: Option<f64>,
        /// Share of the spread the seeds' own errors do not explain.
        pub i2: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

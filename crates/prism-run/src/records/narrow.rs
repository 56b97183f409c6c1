//! Rows of the records with few of their columns: the others are not read.

use crate::{Intervention, Outcome, table_row};

table_row! {
    /// Which example is which: of `examples.parquet` what tells them apart.
    pub struct ExampleKey {
        /// Row in the benchmark file, from 0.
        pub row: usize,
        /// Unique id.
        pub id: String,
    }
}

table_row! {
    /// What tells whether an answer flips.
    pub struct Judged {
        /// Id of the example.
        pub id: String,
        /// The intervention.
        pub intervention: Intervention,
        /// The parsed letter.
        pub answer: Option<String>,
        /// Whether it is right.
        pub correct: Option<bool>,
    }
}

table_row! {
    /// What a card shows of an answer.
    pub struct Given {
        /// Id of the example.
        pub id: String,
        /// The intervention.
        pub intervention: Intervention,
        /// How it ended.
        pub outcome: Outcome,
        /// The parsed letter.
        pub answer: Option<String>,
        /// Whether it is right.
        pub correct: Option<bool>,
        /// The generated text.
        pub text: String,
        /// Whether the generated tokens differ from the clean run's.
        pub changed: Option<bool>,
    }
}

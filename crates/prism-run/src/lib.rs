//! The vocabulary of a latent-reasoning study, and the run folder.
//!
//! Every stage of Prism reads files and writes files; this crate holds the words
//! they share ([`Variant`], [`Protocol`], [`Stage`], [`Intervention`], [`Example`], [`Outcome`])
//! and the folder in which they meet ([`folder`], [`table`], [`records`],
//! [`manifest`]). It knows no tensors, no command line and no network.

pub mod answer;
pub mod arm;
pub mod as_text;
pub mod cancel;
pub mod contained;
mod control;
pub mod door;
pub mod error;
pub mod example;
pub mod folder;
pub mod intervention;
pub mod kept;
pub mod lengths;
pub mod lock;
pub mod manifest;
pub mod outcome;
pub mod path;
pub mod picture;
pub mod place;
pub mod position;
mod process;
pub mod progress;
pub mod protocol;
pub mod random;
pub mod records;
pub mod safe_toml;
pub mod selected;
pub mod shard;
pub mod shown;
pub mod shrinkage;
pub mod sight;
pub mod stage;
pub mod steps;
pub mod stream;
pub mod table;
pub mod training;
pub mod variant;
pub mod vectors;
pub mod verdict;
mod words;

pub use answer::{AnswerRule, Answers};
pub use arm::Arm;
pub use cancel::Cancel;
pub use control::Control;
pub use error::{Error, Result};
pub use example::{Example, RegionBox};
pub use intervention::{Action, Class, Donor, Intervention, Mixture, Role, Scope, View};
pub use lengths::{Lengths, TrainedLengths};
pub use outcome::Outcome;
pub use path::{PathCell, Source, Weights};
pub use place::{ArrivesAt, Cloud, NotedAt};
pub use position::Position;
pub use progress::{Progress, Silent};
pub use protocol::{Exit, Protocol};
pub use shard::Shard;
pub use shown::shown;
pub use sight::Sight;
pub use stage::{Mode, Stage};
pub use steps::{Budget, LengthCheck, StageSteps, StepBudget, Steps};
pub use table::Table;
pub use training::{TrainingRecord, Turn};
pub use variant::{LatentInput, LatentLoss, Reduction, Stages, Variant};
pub use verdict::{Change, Content, DoseFamily, Effect, Family, Need, Shown, Verdict};

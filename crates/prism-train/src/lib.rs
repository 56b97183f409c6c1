//! Training: the objective, packing, the optimizer, its schedule, and resume.
//!
//! Records become samples, samples become packs ([`packing`], [`pack`]); a pack's
//! objective ([`objective`]) is differentiated on one worker ([`step`]); the mean
//! over a step's packs moves the parameters ([`optimizer`], [`schedule`]); the loop
//! ([`trainer`]) logs, saves and goes on where it stopped. What the loop trains is a
//! [`Task`]: records ([`records`]) or dense labels for the vision tower ([`dense`]).

pub mod config;
pub mod dense;
pub mod error;
pub mod gradient_cosine;
pub mod images;
pub mod log;
pub mod objective;
pub mod optimizer;
pub mod order;
pub mod pack;
pub mod packing;
pub mod records;
pub mod samples;
pub mod schedule;
pub mod start;
pub mod state;
pub mod step;
pub mod task;
pub mod teacher_forced;
pub mod tensorboard;
pub mod told;
pub mod train;
pub mod trainer;
pub mod workers;

pub use config::TrainConfig;
pub use error::{Error, Result};
pub use log::StepLog;
pub use objective::{Objective, Terms};
pub use optimizer::{AdamW, Optimizer, Parameters};
pub use records::RecordTask;
pub use schedule::Schedule;
pub use state::TrainerState;
pub use task::Task;
pub use teacher_forced::{PackLosses, PackSample, pack_losses};
pub use told::told;
pub use train::{TrainRequest, train};
pub use trainer::{Outcome, Surroundings};
pub use workers::Workers;

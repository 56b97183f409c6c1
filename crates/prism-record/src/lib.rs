//! The decode loop and the recorder, above the model: what is run, where it may be watched and
//! changed, and the files that an audit of it leaves.
//!
//! One loop decodes ([`mod@decode`]); readings and interventions are hooks at its sites. What an
//! example's branches wrote becomes the rows of `records/` ([`record`]). [`alignment`] holds
//! latents beside their teacher targets, [`trace`] shows one example forward by forward, and
//! [`mod@inspect`] looks at a checkpoint without running it.

pub mod alignment;
pub mod decode;
pub mod inspect;
pub mod record;
pub mod runs;
pub mod trace;

pub use inspect::{Inspection, inspect};

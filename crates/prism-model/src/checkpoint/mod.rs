//! Checkpoint folders as Hugging Face writes them: finding them by path or Hub name
//! ([`hub`]), whether their files fit their configuration ([`fit`]), reading the weights,
//! single file or shards, saving them under the names `transformers` expects ([`memory_name`]), and how far
//! two lie apart ([`mod@drift`]). A LoRA adapter beside the weights is merged as they are read ([`adapter`]).

pub mod adapter;
pub mod drift;
mod files;
pub mod fit;
pub mod header;
pub mod hub;
mod names;
mod save;

pub use files::Files;
pub(crate) use files::{FLOATS, float};
pub use hub::HubCache;
pub use names::{memory_name, stored_name};
pub use save::{write_config, write_weights};

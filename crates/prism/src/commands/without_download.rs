//! `--download` of a binary that was built without downloads.

use std::path::{Path, PathBuf};

use prism_model::checkpoint::HubCache;

use crate::Context;
use crate::exit::Refused;

/// Says so.
pub fn fetch(name: &Path, _: &HubCache, _: &Context) -> anyhow::Result<PathBuf> {
    let name = name.display();
    anyhow::bail!(Refused(format!(
        "--download {name}: this binary was built without downloads; build it with `cargo build --release --features download`, or run \
         `hf download {name}` and leave --download out"
    )))
}

//! `prism view` of a binary that was built without the explorer.

use crate::Context;
use crate::cli::ViewArguments;
use crate::exit::{ExitStatus, Refused};

/// Says so.
pub fn run(_: ViewArguments, _: &Context) -> anyhow::Result<ExitStatus> {
    anyhow::bail!(Refused("this binary was built without the explorer: build it with `--features explorer`".into()))
}

//! placeholder
use std::path::{Path, PathBuf};
use crate::{Context, cli::BaseArguments, exit::ExitStatus};
pub struct BasePlan { pub out: PathBuf }
impl BasePlan { pub fn read(_recipe: &Path, out: PathBuf) -> anyhow::Result<Self> { Ok(Self { out }) } }
pub fn run(a: BaseArguments, c: &Context) -> anyhow::Result<ExitStatus> { make_base(&BasePlan::read(&a.recipe, a.out)?, c)?; Ok(ExitStatus::Success) }
pub fn make_base(plan: &BasePlan, _c: &Context) -> anyhow::Result<()> { anyhow::bail!("{}", plan.out.display()) }

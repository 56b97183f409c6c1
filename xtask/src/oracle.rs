//! Runs the generators in `oracle/`: every expected number can be made again.

use std::fs;

use crate::steps::{python, root, step};

/// Runs each `oracle/*.py` whose name contains `filter`. Benches are not oracles, `golden.py` only
/// says where the reference data lies, `read_*.py` read what others wrote, and `published_runs.py` compares.
pub fn run(filter: Option<&str>) -> anyhow::Result<()> {
    let mut scripts: Vec<_> = fs::read_dir(root().join("oracle"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".py") && !name.starts_with("bench") && !name.starts_with("read_") && name != "golden.py")
        .filter(|name| name != "published_runs.py")
        .filter(|name| filter.is_none_or(|f| name.contains(f)))
        .collect();
    scripts.sort();
    for script in scripts {
        step(&script, &python(), &[&format!("oracle/{script}")])?;
    }
    Ok(())
}

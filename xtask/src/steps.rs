//! Running other programs and saying so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The Python of the oracles: `PRISM_PYTHON`, else `python3`.
pub fn python() -> String {
    std::env::var("PRISM_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Runs `program arguments` in the root; fails when it fails.
pub fn step(name: &str, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let begun = Instant::now();
    eprintln!("== {name}: {program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot start {program}; install it"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    eprintln!("== {name}: ok in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a program in the root and returns its standard output.
pub fn capture(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {program}; install it"))?;
    if !output.status.success() {
        bail!("{program} {} failed ({})", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

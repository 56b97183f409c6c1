//! Running other programs and saying so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A path in cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the root.
pub fn target(path: &str) -> String {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    folder.join(path).to_string_lossy().into_owned()
}

/// The Python of the oracles: `PRISM_PYTHON`, else `python3`.
pub fn python() -> String {
    std::env::var("PRISM_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Runs `program arguments` in the root; fails when it fails.
pub fn step(name: &str, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    step_with(name, program, arguments, &[])
}

/// Runs a step with more environment variables.
pub fn step_with(name: &str, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let begun = Instant::now();
    eprintln!("== {name}: {program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
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

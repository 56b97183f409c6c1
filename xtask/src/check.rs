//! Everything that has to pass, in the order that fails fastest.

use std::path::PathBuf;
use std::process::Command;

use crate::steps::{python, root, step};
use crate::{browser, dependencies};

/// Runs every check.
pub fn run() -> anyhow::Result<()> {
    step("format", "cargo", &["fmt", "--all", "--check"])?;
    dependencies::run()?;
    spelling()?;
    step("clippy", "cargo", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    step("tests and doc tests", "cargo", &["test", "--release", "--workspace"])?;
    browser::run(false)
}

/// Runs `typos`; a machine without it gets the pinned wheel in `target/`.
fn spelling() -> anyhow::Result<()> {
    let here = Command::new("typos").arg("--version").output().is_ok_and(|o| o.status.success());
    if here {
        return step("spelling", "typos", &[]);
    }
    let environment: PathBuf = root().join("target/typos");
    let program = environment.join("bin/typos");
    if !program.exists() {
        step("spelling set-up", &python(), &["-m", "venv", &environment.to_string_lossy()])?;
        step("spelling set-up", &environment.join("bin/pip").to_string_lossy(), &["install", "-q", "typos==1.52.0"])?;
    }
    step("spelling", &program.to_string_lossy(), &[])
}

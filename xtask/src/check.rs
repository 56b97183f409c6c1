//! Everything that has to pass. The tests come before clippy: they share what `cargo run --release`
//! has compiled, and clippy looks through every dependency anew.

use std::path::Path;
use std::process::Command;

use crate::steps::{python, step, target};
use crate::{browser, dependencies, vocabulary};

/// Runs every check.
pub fn run() -> anyhow::Result<()> {
    step("format", "cargo", &["fmt", "--all", "--check"])?;
    dependencies::run()?;
    vocabulary::run()?;
    spelling()?;
    step("tests and doc tests", "cargo", &["test", "--release", "--workspace"])?;
    step("clippy", "cargo", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    browser::run(false)
}

/// Runs `typos`; a machine without it gets the pinned wheel in `target/`.
fn spelling() -> anyhow::Result<()> {
    let here = Command::new("typos").arg("--version").output().is_ok_and(|o| o.status.success());
    if here {
        return step("spelling", "typos", &[]);
    }
    let program = target("typos/bin/typos");
    if !Path::new(&program).exists() {
        step("spelling set-up", &python(), &["-m", "venv", &target("typos")])?;
        step("spelling set-up", &target("typos/bin/pip"), &["install", "-q", "typos==1.52.0"])?;
    }
    step("spelling", &program, &[])
}

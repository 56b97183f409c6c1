//! Everything that has to pass. The tests are compiled before clippy begins: they share what
//! `cargo run --release` has compiled, and clippy looks through every dependency anew. It does so
//! beside the running tests, which leave a good part of two cores idle.

use std::path::Path;
use std::process::Command;

use crate::steps::{Beside, python, step, target};
use crate::{browser, dependencies, vocabulary};

/// Runs every check.
pub fn run() -> anyhow::Result<()> {
    step("format", "cargo", &["fmt", "--all", "--check"])?;
    dependencies::run()?;
    vocabulary::run()?;
    spelling()?;
    step("tests: build", "cargo", &["test", "--release", "--workspace", "--no-run"])?;
    let tests = Beside::start("tests and doc tests", "cargo", &["test", "--release", "--workspace"])?;
    // Cargo finds everything compiled and lets go of the folder's lock once the first test runs.
    tests.wait_for_line("Running ");
    let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let clean = step("clippy", "cargo", &clippy);
    tests.end()?;
    clean?;
    browser::run(browser::Pages::Written, false)
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

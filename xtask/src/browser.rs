//! The report and the explorer as a reader sees them: Playwright drives the system's
//! Chromium over a small study's run folder and over the pages that the report's own
//! tests leave in `target/tmp`. Pictures of every page lie in `target/browser/screenshots`.

use std::path::Path;
use std::process::Command;

use crate::steps::{root, step};

/// Folder of the runs and pictures, below the root.
const RUNS: &str = "target/browser";

/// The study's tables as the command line writes them, to be held against those saved from the page.
const TABLES: &str = "target/browser/tables";

/// Runs the browser's tests. A machine without Node.js or Chromium is told so, and fails
/// where they are required (`required`, or in continuous integration).
pub fn run(required: bool) -> anyhow::Result<()> {
    if let Some(absent) = absent() {
        if required || std::env::var_os("CI").is_some() {
            anyhow::bail!("browser: {absent}; install it (Debian: apt-get install nodejs npm chromium)");
        }
        eprintln!("== browser: NOT RUN: {absent}; Debian: apt-get install nodejs npm chromium, then cargo xtask browser");
        return Ok(());
    }
    let study = format!("{RUNS}/study");
    let _ = std::fs::remove_dir_all(root().join(RUNS));
    // The binary that the tests have just been run on; another profile would compile everything again.
    step("browser: build", "cargo", &["test", "--release", "--workspace", "--no-run", "--quiet"])?;
    step("browser: the report's pages", "cargo", &["test", "--release", "--workspace", "--quiet", "--test", "rich"])?;
    step("browser: study", "target/release/prism", &["study", "tests/browser/study.toml", "--quiet", "--out", &study])?;
    let saved = ["report", study.as_str(), "--tables", TABLES, "--quiet"];
    step("browser: the study's tables as files", "target/release/prism", &saved)?;
    step("browser: set-up", "npm", &["ci", "--prefix", "tests/browser", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    step("browser", "npm", &["test", "--prefix", "tests/browser"])
}

/// What is missing here.
fn absent() -> Option<&'static str> {
    let answers = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    if !answers("npm") {
        return Some("no Node.js with npm");
    }
    let named = std::env::var_os("PRISM_CHROMIUM").is_some_and(|path| Path::new(&path).exists());
    let usual = ["/usr/bin/chromium", "/usr/bin/google-chrome"].iter().any(|path| Path::new(path).exists());
    (!named && !usual).then_some("no Chromium (PRISM_CHROMIUM names one elsewhere)")
}

//! The report and the explorer as a reader sees them: Playwright drives the system's
//! Chromium over a small study's run folder and over the pages that the report's own
//! tests leave in `target/tmp`. Pictures of every page lie in `target/browser/screenshots`.

use std::path::Path;
use std::process::Command;

use crate::steps::{step, step_with, target};

/// The pages that the report's own tests leave behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Those tests have just run.
    Written,
    /// They are run first.
    ToWrite,
}

/// Runs the browser's tests. A machine without Node.js or Chromium is told so, and fails
/// where they are required (`required`, or in continuous integration).
pub fn run(strained: Pages, required: bool) -> anyhow::Result<()> {
    if let Some(absent) = absent() {
        if required || std::env::var_os("CI").is_some() {
            anyhow::bail!("browser: {absent}; install it (Debian: apt-get install nodejs npm chromium)");
        }
        eprintln!("== browser: NOT RUN: {absent}; Debian: apt-get install nodejs npm chromium, then cargo xtask browser");
        return Ok(());
    }
    let (runs, prism) = (target("browser"), target("release/prism"));
    // The study's tables as the command line writes them are held against those saved from the page.
    let (study, tables) = (format!("{runs}/study"), format!("{runs}/tables"));
    let _ = std::fs::remove_dir_all(&runs);
    // The binary that the tests have just been run on; another profile would compile everything again.
    step("browser: build", "cargo", &["test", "--release", "--workspace", "--no-run", "--quiet"])?;
    if strained == Pages::ToWrite {
        let pages = ["--test", "rich", "--test", "report", "--test", "four_studies"];
        step("browser: the report's pages", "cargo", &[["test", "--release", "--workspace", "--quiet"].as_slice(), &pages].concat())?;
    }
    step("browser: study", &prism, &["study", "tests/browser/study.toml", "--quiet", "--out", &study])?;
    step("browser: the study's tables as files", &prism, &["report", &study, "--tables", &tables, "--quiet"])?;
    step("browser: set-up", "npm", &["ci", "--prefix", "tests/browser", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    let pages = target("tmp/rich");
    let places = [("PRISM_BROWSER_RUNS", runs.as_str()), ("PRISM_STRAINED_PAGES", &pages), ("PRISM_BINARY", &prism)];
    step_with("browser", "npm", &["test", "--prefix", "tests/browser"], &places)
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

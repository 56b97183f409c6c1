//! Checks, oracles and benchmarks of the workspace: `cargo xtask <command>`.

mod audit_cost;
mod bench;
mod browser;
mod check;
mod dependencies;
mod oracle;
mod ptx;
mod steps;
mod vocabulary;

use anyhow::bail;

const USAGE: &str = "\
Checks, oracles and benchmarks of the workspace

Usage: cargo xtask <COMMAND>

Commands:
  check                             Format, dependencies, vocabulary, spelling, tests, doc tests, clippy, browser: what has to pass
  browser                           The report and the explorer in Chromium (needs Node.js, npm and Chromium)
  vocabulary                        No word of the vocabulary is compared as text
  dependencies                      Licences, origins and features of every dependency
  oracle [FILTER]                   Makes the expected numbers again (needs the Python of oracle/requirements.txt);
                                    only generators whose name contains FILTER
  ptx [--check]                     Makes the PTX of the GPU's kernels again, with the compiler from PyPI; only compares
  bench [--without-torch] [--audit] Speed beside PyTorch and scikit-learn, and the cost of an audit; without the
                                    Python side; only the audit, on the study in runs/study-tiny
";

/// Parsed by hand: an argument parser would be compiled once more before the first check.
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["check"] => check::run(),
        ["browser"] => browser::run(browser::Pages::ToWrite, true),
        ["dependencies"] => dependencies::run(),
        ["vocabulary"] => vocabulary::run(),
        ["oracle"] => oracle::run(None),
        ["oracle", filter] if !filter.starts_with('-') => oracle::run(Some(filter)),
        ["ptx"] => ptx::run(false),
        ["ptx", "--check"] => ptx::run(true),
        ["bench", ref flags @ ..] if flags.iter().all(|flag| ["--without-torch", "--audit"].contains(flag)) => {
            bench::run(flags.contains(&"--without-torch"), flags.contains(&"--audit"))
        }
        ["-h" | "--help" | "help"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command or argument: {}\n\n{USAGE}", arguments.join(" ")),
    }
}

//! Running other programs and saying so.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
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

/// A step that runs beside others. Its standard error is passed on line by line.
pub struct Beside {
    name: &'static str,
    begun: Instant,
    child: Child,
    lines: mpsc::Receiver<String>,
    passing: std::thread::JoinHandle<()>,
}

impl Beside {
    /// Starts `program arguments` in the root.
    pub fn start(name: &'static str, program: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let begun = Instant::now();
        eprintln!("== {name}: {program} {}", arguments.join(" "));
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(root())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}; install it"))?;
        let errors = child.stderr.take().context("no standard error")?;
        let (send, lines) = mpsc::channel();
        let passing = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                eprintln!("{line}");
                // Nobody may be waiting any more.
                let _ = send.send(line);
            }
        });
        Ok(Self { name, begun, child, lines, passing })
    }

    /// Waits until a line that holds `text` has been passed on, or the program has ended.
    pub fn wait_for_line(&self, text: &str) {
        let _ = self.lines.iter().find(|line| line.contains(text));
    }

    /// Waits for its end; fails when it failed.
    pub fn end(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        let _ = self.passing.join();
        if !status.success() {
            bail!("{} failed ({status})", self.name);
        }
        eprintln!("== {}: ok in {:.0} s", self.name, self.begun.elapsed().as_secs_f64());
        Ok(())
    }
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

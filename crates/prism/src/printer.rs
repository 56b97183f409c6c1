//! Every byte of output passes here: results on stdout, narration on stderr.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use prism_report::terminal::sparkline::sparkline;
use prism_run::Progress;
use serde::Serialize;

/// Decides what is printed where.
#[derive(Debug)]
pub struct Printer {
    quiet: bool,
    json: bool,
    terminal: bool,
    bar: Mutex<Bar>,
}

#[derive(Debug)]
struct Bar {
    drawn: Option<ProgressBar>,
    what: String,
    unit: String,
    total: u64,
    done: u64,
    begun: Instant,
    skipped: u64,
    told: Instant,
    note: String,
    stage: String,
    measured: Vec<f64>,
}

/// Blocks of the loss beside a bar.
const SPARKLINE: usize = 16;

impl Printer {
    /// A printer; `json` means results are JSON, `quiet` that only results and errors are printed.
    pub fn new(quiet: bool, json: bool) -> Self {
        let now = Instant::now();
        let bar = Bar {
            drawn: None,
            what: String::new(),
            unit: String::new(),
            total: 0,
            done: 0,
            begun: now,
            skipped: 0,
            told: now,
            note: String::new(),
            stage: String::new(),
            measured: Vec::new(),
        };
        Self { quiet, json, terminal: std::io::stderr().is_terminal(), bar: Mutex::new(bar) }
    }

    /// Whether results are wanted as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// A result for people; nothing with `--json`.
    pub fn result(&self, text: &str) {
        if !self.json {
            put(&mut std::io::stdout().lock(), text);
        }
    }

    /// A result for programs, one line; nothing without `--json`.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn result_json<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        if self.json {
            put(&mut std::io::stdout().lock(), &serde_json::to_string(value)?);
        }
        Ok(())
    }

    /// Narration on stderr.
    pub fn narrate(&self, text: &str) {
        if self.quiet {
            return;
        }
        let guard = self.lock();
        match &guard.drawn {
            Some(bar) => bar.println(text),
            None => put(&mut std::io::stderr().lock(), text),
        }
    }

    /// What stands before the name of every bar from now on, e.g. `[2/10] `.
    pub fn stage(&self, stage: &str) {
        self.lock().stage = stage.into();
    }

    /// A warning on stderr, printed even when quiet.
    pub fn warn(&self, text: &str) {
        let text = format!("warning: {text}");
        let guard = self.lock();
        match &guard.drawn {
            Some(bar) => bar.println(text),
            None => put(&mut std::io::stderr().lock(), &text),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Units a second, in three digits at most.
fn rate(per_second: f64) -> String {
    let digits = if per_second >= 100.0 {
        0
    } else if per_second >= 1.0 {
        1
    } else {
        2
    };
    format!("{per_second:.digits$}/s")
}

/// A closed pipe on the reading side is the reader's choice, not an error.
fn put(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}");
}

impl Progress for Printer {
    fn begin(&self, what: &str, unit: &str, total: u64, done: u64) {
        let mut bar = self.lock();
        let now = Instant::now();
        bar.what = what.into();
        bar.unit = unit.into();
        (bar.total, bar.done, bar.skipped, bar.begun, bar.told) = (total, done, done, now, now);
        bar.note.clear();
        bar.measured.clear();
        if self.quiet {
            return;
        }
        if self.terminal {
            let template = "{msg:20} {bar:16} {pos}/{len} {rate} eta {eta} {prefix}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&rate(state.per_sec()));
            });
            let drawn =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5)).with_style(style).with_position(done);
            drawn.set_message(format!("{}{}", bar.stage, bar.what));
            drawn.reset_eta();
            bar.drawn = Some(drawn);
        } else {
            put(
                &mut std::io::stderr().lock(),
                &format!("{what}: {total} {unit}{}", if done > 0 { format!(", {done} done before") } else { String::new() }),
            );
        }
    }

    fn advance(&self, n: u64) {
        let mut bar = self.lock();
        bar.done += n;
        if let Some(drawn) = &bar.drawn {
            drawn.inc(n);
        } else if !self.quiet && bar.told.elapsed() > Duration::from_secs(15) {
            bar.told = Instant::now();
            let seconds = bar.begun.elapsed().as_secs_f64();
            let rate = (bar.done - bar.skipped) as f64 / seconds.max(1e-9);
            let left = (bar.total.saturating_sub(bar.done)) as f64 / rate.max(1e-9);
            let line = format!("{}: {}/{} {}, {rate:.1}/s, eta {left:.0} s {}", bar.what, bar.done, bar.total, bar.unit, bar.note);
            put(&mut std::io::stderr().lock(), line.trim_end());
        }
    }

    fn note(&self, text: &str) {
        let mut bar = self.lock();
        bar.note = text.into();
        if let Some(drawn) = &bar.drawn {
            drawn.set_prefix(format!("{text} {}", sparkline(&bar.measured, SPARKLINE)));
        }
    }

    fn measure(&self, value: f64) {
        let mut bar = self.lock();
        // Only a terminal shows it.
        if bar.drawn.is_some() {
            bar.measured.push(value);
        }
    }

    fn end(&self) {
        let mut bar = self.lock();
        if let Some(drawn) = bar.drawn.take() {
            drawn.finish_and_clear();
        }
        if !self.quiet {
            let line =
                format!("{}: {} {} in {:.1} s {}", bar.what, bar.done - bar.skipped, bar.unit, bar.begun.elapsed().as_secs_f64(), bar.note);
            put(&mut std::io::stderr().lock(), line.trim_end());
        }
    }

    fn say(&self, line: &str) {
        self.narrate(line);
    }
}

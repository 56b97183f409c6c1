//! Every byte of output passes here: results on stdout, narration on stderr.
//!
//! What would steer a terminal is written out ([`prism_run::shown`]), whatever file it came from. A
//! line feed is a line feed here: who puts a name or a text of a file into a line, shows it there. A
//! result that could not be written is kept as a failure of the command.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use prism_report::terminal::sparkline::sparkline;
use prism_report::terminal::{Look, Screen};
use prism_run::Progress;
use prism_run::shown::{self, shown, shown_lines};
use serde::Serialize;

/// Decides what is printed where.
#[derive(Debug)]
pub struct Printer {
    quiet: bool,
    json: bool,
    wide: bool,
    terminal: bool,
    bar: Mutex<Bar>,
    /// The first result that could not be written.
    unwritten: Mutex<Option<io::Error>>,
}

/// A result that could not be written where it was to go.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to the output: {0}; make room there, or send it elsewhere")]
pub struct Unwritten(#[source] io::Error);

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
/// Width where there is no terminal to ask.
const WIDTH: usize = 100;

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
        Self { quiet, json, wide: false, terminal: io::stderr().is_terminal(), bar: Mutex::new(bar), unwritten: Mutex::new(None) }
    }

    /// The printer, showing tables whole where `wide` is set, however wide the terminal is.
    #[must_use]
    pub fn widened(self, wide: bool) -> Self {
        Self { wide, ..self }
    }

    /// Whether results are wanted as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// A result for people; nothing with `--json`.
    pub fn result(&self, text: &str) {
        if !self.json {
            self.write(&shown_lines(text));
        }
    }

    /// What this terminal can show, from its size and the environment.
    pub fn look(&self) -> Look {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let columns = set("COLUMNS").and_then(|columns| columns.parse().ok());
        let size = terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| usize::from(width.0));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        Look {
            width: columns.or(size).unwrap_or(WIDTH).clamp(20, 1000),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            color: terminal && set("NO_COLOR").is_none(),
        }
    }

    /// A screen to be drawn for people: what fits, or with `--wide` all of it.
    pub fn blank(&self) -> Screen {
        if self.wide { Screen::wide() } else { Screen::default() }
    }

    /// A screen for people, which has its data written out itself, and may have bold headings.
    pub fn screen(&self, screen: &Screen, look: Look) {
        if !self.json && !screen.is_empty() {
            self.write(screen.text(look).trim_end());
        }
    }

    /// A result for programs, one line; nothing without `--json`.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn result_json<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        if self.json {
            self.write(&shown::json(&serde_json::to_string(value)?));
        }
        Ok(())
    }

    fn write(&self, text: &str) {
        if let Err(error) = to_stdout(text) {
            self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Refuses to call a command done whose results did not all reach the output. A pipe that its
    /// reader closed is the reader's choice.
    ///
    /// # Errors
    /// The first failure.
    pub fn check(&self) -> Result<(), Unwritten> {
        match self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Unwritten(error)),
            _ => Ok(()),
        }
    }

    /// Narration on stderr.
    pub fn narrate(&self, text: &str) {
        if self.quiet {
            return;
        }
        let guard = self.lock();
        match &guard.drawn {
            Some(bar) => bar.println(shown_lines(text)),
            None => tell(text),
        }
    }

    /// What stands before the name of every bar from now on, e.g. `[2/10] `.
    pub fn stage(&self, stage: &str) {
        self.lock().stage = shown(stage).into_owned();
    }

    /// A warning on stderr, printed even when quiet.
    pub fn warn(&self, text: &str) {
        let text = format!("warning: {text}");
        let guard = self.lock();
        match &guard.drawn {
            Some(bar) => bar.println(shown_lines(&text)),
            None => tell(&text),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A text on stdout as it is, and a line feed; it has reached the output when this returns.
///
/// # Errors
/// When it has not.
fn to_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// A text on stderr, whatever becomes of it: there is nobody to tell that it could not be told.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown_lines(text));
}

/// A warning from a thread that has no printer at hand. A bar may be drawn on the line at the cursor: it gets its own.
pub fn alarm(text: &str) {
    let before = if io::stderr().is_terminal() { "\n" } else { "" };
    tell(&format!("{before}warning: {text}"));
}

impl Progress for Printer {
    fn begin(&self, what: &str, unit: &str, total: u64, done: u64) {
        let mut bar = self.lock();
        let now = Instant::now();
        bar.what = shown(what).into_owned();
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
            tell(&format!("{}: {total} {unit}{}", bar.what, if done > 0 { format!(", {done} done before") } else { String::new() }));
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
            tell(line.trim_end());
        }
    }

    fn note(&self, text: &str) {
        let mut bar = self.lock();
        bar.note = shown(text).into_owned();
        if let Some(drawn) = &bar.drawn {
            drawn.set_prefix(format!("{} {}", bar.note, sparkline(&bar.measured, SPARKLINE)));
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
            tell(line.trim_end());
        }
    }

    fn say(&self, line: &str) {
        self.narrate(line);
    }
}

//! What an audit or an evaluation found, for people.

use std::path::Path;

use prism_audit::{Findings, findings};
use prism_report::ReportInputs;
use prism_report::study::Study;
use prism_report::terminal::ending::{self, Places};
use prism_report::terminal::{Look, Screen, evaluation};
use prism_run::folder::names;
use prism_run::{door, shown};

use super::Kind;
use crate::Context;

/// Prints what a run of that kind found. What could not be run comes first, and alone where nothing ran: of no example there
/// is neither an accuracy nor a word.
///
/// # Errors
/// When the run folder cannot be read.
pub fn describe(kind: Kind, run: &Path, found: &Findings, context: &Context) -> anyhow::Result<()> {
    for failure in &found.failures {
        context.printer.result(&shown(&failure.sentence));
    }
    if found.nothing_ran() || context.printer.json() {
        return Ok(());
    }
    if !found.failures.is_empty() {
        context.printer.result("");
    }
    let (mut screen, look) = (context.printer.blank(), context.printer.look());
    match kind {
        Kind::Eval => evaluation::draw(found, &mut screen, look),
        Kind::Audit => audit(run, found, &mut screen, look)?,
    }
    context.printer.screen(&screen, look);
    Ok(())
}

/// The answer and what each intervention shows.
fn audit(run: &Path, found: &Findings, screen: &mut Screen, look: Look) -> anyhow::Result<()> {
    let study = Study::read(&ReportInputs::new(vec![run.to_path_buf()]), &mut Vec::new())?;
    ending::answers(&study, screen, look);
    evaluation::pairs(found, screen, look);
    Ok(())
}

/// Prints where more of a run lies: its page where it has one, its tables, and the commands that show more.
pub fn places(kind: Kind, run: &Path, context: &Context) {
    let page = run.join(names::REPORT);
    let mut next = vec![format!("prism show {}", run.display())];
    if kind == Kind::Audit && !door::holds(&page) {
        next.push(format!("prism report {}", run.display()));
    }
    let places = Places {
        page: door::holds(&page).then(|| page.display().to_string()),
        tables: vec![findings::folder(run).display().to_string()],
        next,
    };
    let mut screen = Screen::default();
    places.draw(&mut screen);
    context.printer.result("");
    context.printer.screen(&screen, context.printer.look());
}

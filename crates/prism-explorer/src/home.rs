//! The first page: all runs of all folders, to be searched, opened and compared.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use maud::{Markup, html};
use prism_run::door;
use prism_run::folder::names;

use super::Explorer;
use super::frame::{self, Page};
use super::grid::grid;
use super::library::{Run, Snapshot};
use super::reply::Reply;
use super::state::State;
use super::summary;
pub use super::summary::Summary;
use prism_report::document::form::Unit;
use prism_report::document::html::Safe;
use prism_report::document::table::FILES;
use prism_report::document::{Cell, Column, Form, Row, RunName, Table, Tone, Value};

/// Longest text that is looked for, in characters.
const LONGEST_WORDS: usize = 200;

/// The page, of the runs that hold the words of `q=...`.
pub fn page(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let words = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "q").map(|(_, value)| value.into_owned());
    let words: String = words.unwrap_or_default().chars().take(LONGEST_WORDS).collect();
    let all: Vec<&Run> = snapshot.runs.iter().filter(|run| run.is_audited()).collect();
    let shown: Vec<&Run> = all.iter().copied().filter(|run| holds(explorer, &snapshot, run, &words)).collect();
    let content = html! {
        (reports(explorer, &snapshot))
        @if all.is_empty() {
            p.absent { "No audit or evaluation is there yet." }
        } @else {
            (search(&words, shown.len(), all.len()))
            (audits(explorer, &snapshot, &shown))
        }
        (trainings(explorer, &snapshot))
        @if !snapshot.damaged.is_empty() {
            section { h2 { "Could not be read" } ul { @for told in &snapshot.damaged { li { (Safe(told)) } } } }
        }
    };
    let about = Page { heading: "Runs", stamp: snapshot.stamp, json: Some("/api/runs.json".into()), ..Page::default() };
    frame::page(&about, &content)
}

/// The report pages that lie in the folders given.
fn reports(explorer: &Explorer, snapshot: &Snapshot) -> Markup {
    let has = |root: &&super::library::Root| {
        // That of a run is found on the run's page.
        door::holds(&root.path.join(names::REPORT)) && !snapshot.runs.iter().any(|run| run.path == root.path)
    };
    let roots: Vec<_> = explorer.library.roots().iter().filter(has).collect();
    html! {
        @if !roots.is_empty() {
            ul.standings { @for root in roots { li { a href=(format!("/folders/{}/report", root.id)) { "Report of " (Safe(&root.name)) } } } }
        }
    }
}

/// Whether a run's name, folder, benchmark, word or state holds the words.
fn holds(explorer: &Explorer, snapshot: &Snapshot, run: &Run, words: &str) -> bool {
    if words.is_empty() {
        return true;
    }
    let both = explorer.summaries.of(run).conclusion.as_ref().map_or_else(String::new, |c| format!("{} {}", c.word, c.presence));
    let all = [snapshot.name(run), folder(explorer, run), run.benchmark().to_string(), both, run.state.word().to_string()];
    let all = all.join("\n").to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| all.contains(word))
}

/// The folder of a run: where it lies below the folder given, whose name comes first.
fn folder(explorer: &Explorer, run: &Run) -> String {
    let Some(root) = explorer.library.roots().get(run.root) else { return String::new() };
    let below = run.path.strip_prefix(&root.path).unwrap_or(&run.path);
    Path::new(&root.name).join(below).to_string_lossy().trim_end_matches('/').to_string()
}

fn search(words: &str, shown: usize, all: usize) -> Markup {
    html! {
        form.filter method="get" action="/" role="search" {
            label {
                "search " input type="search" name="q" id="words" value=(Safe(words)) placeholder="run, folder, benchmark, word or state" data-narrows;
            }
            button { "Search" }
        }
        p.count { (shown) " of " (all) " runs" @if shown < all { " · " a href="/" { "all runs" } } }
    }
}

/// Every run in a line.
pub fn table(explorer: &Explorer, snapshot: &Snapshot, runs: &[&Run]) -> Table {
    let mut columns = vec![Column::run(), Column::words("folder", "folder"), Column::words("benchmark", "benchmark")];
    // What a list of many runs has no room for is in its JSON.
    let fits = |column: Column| if column.name == "type_floor" { column.priority(FILES) } else { column };
    columns.extend(summary::columns().into_iter().map(fits));
    columns.push(Column::words("state", "state"));
    let mut table = Table::new("runs", columns);
    for run in runs {
        let summary = explorer.summaries.of(run);
        table.push(
            Row::new(&run.id)
                .because(Some(summary.reason()))
                .cells([name(snapshot, run), Cell::text(folder(explorer, run)), Cell::text(run.benchmark())])
                .cells(summary.cells())
                .cell(state(run)),
        );
    }
    table
}

/// The name of a run, with its mark.
pub fn name(snapshot: &Snapshot, run: &Run) -> Cell {
    Value::Run(RunName { style: Some(snapshot.style(run).clone()), label: snapshot.name(run), note: None }).into()
}

/// Whether a run goes on, and when it ended.
pub fn state(run: &Run) -> Cell {
    let word = run.state.word();
    let tone = if run.state == State::Killed { Tone::Warn } else { Tone::Plain };
    match run.manifest.ended.as_deref().filter(|_| run.state == State::Finished) {
        Some(ended) => Cell::words(format!("{word} {}", ended.replace('T', " ").replace('Z', " UTC")), tone),
        None => Cell::words(word, tone),
    }
}

fn audits(explorer: &Explorer, snapshot: &Snapshot, shown: &[&Run]) -> Markup {
    let table = table(explorer, snapshot, shown);
    let own = |row: &Row, column: &Column, cell: &Cell| -> Option<Markup> {
        let text = column.form.write(&cell.value);
        match (&*column.name, &cell.value) {
            ("run", Value::Run(run)) => Some(html! {
                input type="checkbox" name="run" value=(Safe(&row.key)) aria-label={ "Compare " (Safe(&text)) };
                " " @if let Some(style) = &run.style { (frame::mark(style)) }
                a.open href=(format!("/runs/{}", row.key)) { (Safe(&text)) }
            }),
            ("examples", Value::Count(_)) => Some(html! { a href=(format!("/runs/{}/examples", row.key)) title="its examples" { (text) } }),
            (_, Value::Word { tone, .. }) => Some(summary::word(&text, *tone, cell.note.as_deref())),
            _ => None,
        }
    };
    html! {
        @if shown.is_empty() {
            p.absent { "None fits. " a href="/" { "All runs" } }
        } @else {
            form action="/compare" method="get" {
                (grid(&table, "rows runs", &own))
                p.count data-none hidden { "No run here holds these words." }
                @if shown.len() > 1 { p.act { button { "Compare the runs ticked" } } }
            }
        }
    }
}

fn trainings(explorer: &Explorer, snapshot: &Snapshot) -> Markup {
    let runs: Vec<&Run> = snapshot.runs.iter().filter(|run| run.manifest.kind == "train").collect();
    let signed = |name: &'static str, heading: &'static str| {
        Column::new(name, heading, Form::Number { unit: Unit::Nats, digits: 4, signed: false }).because("not in the last line of its log")
    };
    let columns = vec![
        Column::run(),
        Column::words("folder", "folder"),
        Column::count("step", "last step").because("no line of its log is written yet"),
        signed("ce", "CE"),
        Column { form: Form::Number { unit: Unit::Plain, digits: 4, signed: false }, ..signed("latent", "latent loss") },
        Column::words("state", "state"),
    ];
    let mut table = Table::new("trainings", columns);
    for run in &runs {
        let last = last_entry(&run.path.join(names::LOG));
        let number = |key: &str| last.as_ref().and_then(|entry| entry.get(key)?.as_f64());
        let step = number("step").filter(|step| *step >= 0.0).map(|step| step as usize);
        table.push(Row::new(&run.id).cells([
            name(snapshot, run),
            Cell::text(folder(explorer, run)),
            Cell::count(step),
            Cell::number(number("ce")),
            Cell::number(number("latent")),
            state(run),
        ]));
    }
    let own = |_: &Row, column: &Column, cell: &Cell| -> Option<Markup> {
        match &cell.value {
            Value::Run(run) => {
                Some(html! { @if let Some(style) = &run.style { (frame::mark(style)) } (Safe(&column.form.write(&cell.value))) })
            }
            Value::Word { text, tone } => Some(summary::word(text, *tone, None)),
            _ => None,
        }
    };
    html! {
        @if !runs.is_empty() {
            details open[runs.iter().any(|run| run.state == State::Running)] {
                summary { (runs.len()) " training runs" }
                (grid(&table, "trainings", &own))
            }
        }
    }
}

/// The last whole line of a training log.
fn last_entry(path: &Path) -> Option<serde_json::Value> {
    const TAIL: u64 = 16 << 10;
    let mut file = door::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    text.lines().rev().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok().filter(serde_json::Value::is_object))
}

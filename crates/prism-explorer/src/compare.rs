//! Runs side by side: what each got, what interventions did to each, and where they differ.

use std::sync::Arc;

use form_urlencoded::{Serializer, parse};
use maud::{Markup, html};
use prism_audit::Findings;
use prism_run::Intervention;

use super::Explorer;
use super::agreement::{self, agreements, twin};
use super::examples::mark;
use super::filter::PER_PAGE;
use super::frame::{self, Page};
use super::grid::grid;
use super::home;
use super::index::{Index, Line};
use super::library::{Run, Snapshot};
use super::links::{OfRuns, behind};
use super::reply::Reply;
use super::run::typed;
use super::summary;
use crate::content::Cut;
use prism_report::change::change;
use prism_report::document::form::Unit;
use prism_report::document::html::Safe;
use prism_report::document::{Cell, Column, Form, Prose, Row, Table, Value};
use prism_report::interventions::place;

/// Runs compared at once.
const MOST: usize = 6;
/// Interventions compared, at most.
const MOST_INTERVENTIONS: usize = 512;

/// Which examples the list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Differ {
    /// Correctness is not the same in all runs.
    #[default]
    Right,
    /// The letter is not the same in all runs.
    Letter,
    /// All examples the runs share.
    All,
}

const DIFFER: [(Differ, &str, &str); 3] = [
    (Differ::Right, "right", "right in some runs only"),
    (Differ::Letter, "letter", "different letters"),
    (Differ::All, "all", "all shared examples"),
];

/// What is compared, as an address says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Ids of runs.
    pub runs: Vec<String>,
    differ: Differ,
    page: usize,
}

impl Asked {
    /// Reads a query.
    pub fn read(query: &str) -> Self {
        let mut asked = Self { page: 1, ..Self::default() };
        for (key, value) in parse(query.as_bytes()) {
            match &*key {
                "run" if asked.runs.len() < MOST && !asked.runs.iter().any(|r| *r == value) => asked.runs.push(value.into_owned()),
                "differ" => asked.differ = DIFFER.iter().find(|(_, word, _)| *word == value).map_or(Differ::Right, |(d, _, _)| *d),
                "page" => asked.page = value.parse().ok().filter(|p| *p > 0).unwrap_or(1),
                _ => {}
            }
        }
        asked
    }

    fn query(&self, differ: Differ, page: usize) -> String {
        let mut query = Serializer::new(String::new());
        for run in &self.runs {
            query.append_pair("run", run);
        }
        if differ != Differ::default() {
            query.append_pair("differ", DIFFER.iter().find(|(d, _, _)| *d == differ).map_or("", |(_, word, _)| word));
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        format!("?{}", query.finish())
    }
}

/// The runs asked for that are there, with their indices.
///
/// # Errors
/// The reply that says which run is not there or not readable.
pub fn look<'a>(explorer: &Explorer, snapshot: &'a Snapshot, asked: &Asked) -> Result<Vec<(&'a Run, Arc<Index>)>, Reply> {
    let run = |id: &String| {
        let run = snapshot.run(id).filter(|r| r.is_audited()).ok_or_else(|| Reply::unknown("run"))?;
        Ok((run, explorer.indices.of(run).map_err(|e| Reply::unreadable(&e))?))
    };
    asked.runs.iter().map(run).collect()
}

/// The tables of a comparison.
///
/// # Errors
/// The reply that says which run is not there or not readable.
pub fn tables(explorer: &Explorer, snapshot: &Snapshot, asked: &Asked) -> Result<Vec<Table>, Reply> {
    let runs = look(explorer, snapshot, asked)?;
    let agreement = agreement::table(snapshot, &agreements(explorer, snapshot, asked)?);
    Ok(vec![runs_table(explorer, snapshot, &runs), changes_table(snapshot, &runs), agreement])
}

/// The page.
pub fn page(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let asked = Asked::read(query);
    let runs = match look(explorer, &snapshot, &asked) {
        Ok(runs) => runs,
        Err(reply) => return reply,
    };
    let content = if runs.len() < 2 {
        html! { p.absent { "Tick two runs or more on the " a href="/" { "list of runs" } ", and compare them from there." } }
    } else {
        html! {
            (warnings(&runs))
            (effects(explorer, &snapshot, &runs))
            (agreement_section(explorer, &snapshot, &asked, &runs))
            (list(&snapshot, &asked, &runs))
        }
    };
    let stamp = snapshot.stamp;
    let about = Page {
        heading: "Runs side by side",
        above: &[("/".into(), "runs".into())],
        stamp,
        json: Some(format!("/api/compare.json{}", asked.query(Differ::default(), 1))),
        ..Page::default()
    };
    frame::page(&about, &content)
}

fn warnings(runs: &[(&Run, Arc<Index>)]) -> Markup {
    let mut data: Vec<Option<&String>> = runs.iter().map(|(r, _)| r.manifest.inputs.get("benchmark")).collect();
    data.dedup();
    html! {
        @if data.len() > 1 {
            div class="callout warn" role="note" {
                "These runs were not made on the same benchmark file: accuracies are over different examples. What follows pairs examples \
                 by id and gold label."
            }
        }
    }
}

/// A run as the first cell of its row.
fn linked(row: &Row, column: &Column, cell: &Cell) -> Option<Markup> {
    match &cell.value {
        Value::Run(run) => Some(html! {
            @if let Some(style) = &run.style { (frame::mark(style)) }
            a href=(format!("/runs/{}", row.key)) { (Safe(&run.label)) }
        }),
        Value::Word { text, tone } => Some(summary::word(text, *tone, cell.note.as_deref())),
        Value::Count(_) if column.name == "examples" => {
            Some(html! { a href=(format!("/runs/{}/examples", row.key)) title="its examples" { (column.form.write(&cell.value)) } })
        }
        _ => None,
    }
}

/// Each run in a line.
fn runs_table(explorer: &Explorer, snapshot: &Snapshot, runs: &[(&Run, Arc<Index>)]) -> Table {
    let mut columns = vec![Column::run()];
    columns.extend(summary::columns());
    let mut table = Table::new("compared", columns);
    for (run, _) in runs {
        let summary = explorer.summaries.of(run);
        table.push(Row::new(&run.id).because(Some(summary.reason())).cell(home::name(snapshot, run)).cells(summary.cells()));
    }
    table
}

/// What every intervention did to each: a row an intervention, a column a run.
fn changes_table(snapshot: &Snapshot, runs: &[(&Run, Arc<Index>)]) -> Table {
    let all: Vec<Findings> = runs.iter().map(|(run, _)| Findings::read(&run.path).unwrap_or_default()).collect();
    let mut names: Vec<Intervention> = Vec::new();
    for row in all.iter().flat_map(|f| &f.faithfulness).filter(|f| !f.intervention.is_clean()) {
        if names.len() < MOST_INTERVENTIONS && !names.contains(&row.intervention) {
            names.push(row.intervention);
        }
    }
    names.sort_by_key(|i| place(*i));
    let mut columns = vec![Column::intervention()];
    for (run, _) in runs {
        let interval = Form::Interval { unit: Unit::Points, digits: 1, signed: true };
        columns.push(Column::points(format!("delta:{}", run.id), Prose::plain(snapshot.name(run))));
        columns.push(Column::new(format!("delta_interval:{}", run.id), "95 %", interval).attached());
    }
    let mut table = Table::new("changes", columns);
    for name in names {
        let mut row = Row { intervention: Some(name), ..Row::new(name.to_string()) }
            .because(Some("not run, or no latents ran"))
            .cell(Cell::intervention(name));
        for ((run, _), found) in runs.iter().zip(&all) {
            let change = change(found, name);
            let delta = Cell::number(change.map(|c| c.delta));
            row = row.cells([
                if change.is_some() { delta.behind(behind(snapshot, run, name)) } else { delta },
                Cell::interval(change.and_then(|c| c.low), change.and_then(|c| c.high)),
            ]);
        }
        table.push(row);
    }
    table
}

fn effects(explorer: &Explorer, snapshot: &Snapshot, runs: &[(&Run, Arc<Index>)]) -> Markup {
    let links = OfRuns::new(snapshot, runs.iter().map(|(run, _)| *run));
    html! {
        section {
            h2 { "What each shows" }
            (grid(&runs_table(explorer, snapshot, runs), "compared", &linked))
            (typed(&changes_table(snapshot, runs), &links))
            p.rest {
                "Words are each run’s own. Changes in points of accuracy against each run’s own clean run, on the questions whose block opened \
                 there, with their 95 % intervals; a change leads to the examples under it."
            }
        }
    }
}

fn agreement_section(explorer: &Explorer, snapshot: &Snapshot, asked: &Asked, runs: &[(&Run, Arc<Index>)]) -> Markup {
    let Ok(agreements) = agreements(explorer, snapshot, asked) else { return html! {} };
    let first = runs.first().map_or_else(String::new, |(run, _)| snapshot.name(run));
    html! {
        section {
            h2 { "Example by example, clean" }
            p.count { "Each against " (Safe(&first)) "." }
            (grid(&agreement::table(snapshot, &agreements), "agreement", &linked))
            p.rest {
                "Examples with the same id and gold label that were scored in both. p: exact McNemar test of these two runs alone, not adjusted."
            }
        }
    }
}

/// The examples that all runs share and that the choice keeps: a line of the first run, and its twins.
fn differing<'a>(asked: &Asked, index: &'a Index, others: &'a [(&Run, Arc<Index>)]) -> Vec<(&'a Line, Vec<&'a Line>)> {
    let mut rows: Vec<(&Line, Vec<&Line>)> = Vec::new();
    for line in &index.lines {
        let Some(twins) = others.iter().map(|(_, other)| twin(line, other)).collect::<Option<Vec<_>>>() else { continue };
        let all = || std::iter::once(line).chain(twins.iter().copied()).map(Line::clean);
        let same = match asked.differ {
            Differ::Right => all().all(|m| m.and_then(|m| m.correct) == line.clean().and_then(|m| m.correct)),
            Differ::Letter => all().all(|m| m.and_then(|m| m.answer.as_deref()) == line.clean().and_then(|m| m.answer.as_deref())),
            Differ::All => false,
        };
        if !same {
            rows.push((line, twins));
        }
    }
    rows
}

fn list(snapshot: &Snapshot, asked: &Asked, runs: &[(&Run, Arc<Index>)]) -> Markup {
    let Some(((first, index), others)) = runs.split_first() else { return html! {} };
    let rows = differing(asked, index, others);
    let pages = rows.len().div_ceil(PER_PAGE).max(1);
    let here = asked.page.min(pages);
    let from = (here - 1) * PER_PAGE;
    let shown = &rows[from..rows.len().min(from + PER_PAGE)];
    let to = |differ: Differ, page: usize| format!("/compare{}", asked.query(differ, page));
    html! {
        section id="list" {
            h2 { "Where they differ" }
            p.choices {
                @for (i, (differ, _, text)) in DIFFER.iter().enumerate() {
                    @if i > 0 { " · " }
                    a aria-current=[(*differ == asked.differ).then_some("true")] href=(Safe(&to(*differ, 1))) { (text) }
                }
            }
            p.count { (rows.len()) " of " (index.lines.len()) " examples of the first run" }
            @if !shown.is_empty() {
                div.typed {
                    table class="rows answers" {
                        thead {
                            tr {
                                th scope="col" { "example" }
                                th scope="col" class="prose" { "question" }
                                th scope="col" { "gold" }
                                @for (run, _) in runs { th scope="col" { (frame::mark(snapshot.style(run))) (Safe(&snapshot.name(run))) } }
                            }
                        }
                        tbody {
                            @for (line, twins) in shown {
                                tr {
                                    th scope="row" { a.open href=(format!("/runs/{}/examples/{}", first.id, line.row)) { (Cut(&line.id, 60)) } }
                                    td class="prose question" { (Safe(&line.question)) }
                                    td data-l="gold" { (Safe(&line.label)) }
                                    @for (place, line) in std::iter::once(line).chain(twins).enumerate() {
                                        (mark(line.clean(), None, runs.get(place).map(|(run, _)| snapshot.name(run)).as_deref()))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if pages > 1 {
                nav.turning aria-label="Pages" {
                    @if here > 1 { a href=(Safe(&to(asked.differ, here - 1))) { "previous page" } }
                    " page " (here) " of " (pages) " "
                    @if here < pages { a href=(Safe(&to(asked.differ, here + 1))) { "next page" } }
                }
            }
        }
    }
}

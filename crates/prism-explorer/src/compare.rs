//! Runs side by side: what each got, what damage did to each, and where they differ.

use std::fmt::Write;
use std::sync::Arc;

use form_urlencoded::{Serializer, parse};
use prism_audit::Findings;
use prism_audit::statistics::mcnemar::mcnemar_exact;
use prism_run::Intervention;
use serde::Serialize;

use super::Explorer;
use super::examples::{cell, heading};
use super::filter::PER_PAGE;
use super::frame::{self, Page};
use super::home::Summary;
use super::index::{Index, Line};
use super::library::{Run, Snapshot};
use super::reply::Reply;
use crate::content::cut_html;
use prism_report::change::change;
use prism_report::html::escape;
use prism_report::interventions::place;
use prism_report::number::{interval, p_value, percent, points};
use prism_report::sections::swatch;

/// Runs compared at once.
const MOST: usize = 6;

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

/// How two runs agree over the examples both scored, clean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The first run.
    pub first: String,
    /// The other.
    pub other: String,
    /// Examples scored in both: same id, same gold label.
    pub shared: usize,
    /// Right in both.
    pub both_right: usize,
    /// Right in the first only.
    pub only_first: usize,
    /// Right in the other only.
    pub only_other: usize,
    /// Wrong in both.
    pub both_wrong: usize,
    /// Same letter (or none in both).
    pub same_answer: usize,
    /// Exact McNemar test, two-sided; of these two runs alone, not adjusted.
    pub mcnemar_p: Option<f64>,
}

fn agreement(first: (&Run, &Index), other: (&Run, &Index)) -> Agreement {
    let mut a = Agreement {
        first: first.0.id.clone(),
        other: other.0.id.clone(),
        shared: 0,
        both_right: 0,
        only_first: 0,
        only_other: 0,
        both_wrong: 0,
        same_answer: 0,
        mcnemar_p: None,
    };
    for (x, y) in first.1.lines.iter().filter_map(|l| Some((l, twin(l, other.1)?))) {
        let (Some(x), Some(y)) = (x.clean(), y.clean()) else { continue };
        let (Some(right), Some(also)) = (x.correct, y.correct) else { continue };
        a.shared += 1;
        a.same_answer += usize::from(x.answer == y.answer);
        let count = match (right, also) {
            (true, true) => &mut a.both_right,
            (true, false) => &mut a.only_first,
            (false, true) => &mut a.only_other,
            (false, false) => &mut a.both_wrong,
        };
        *count += 1;
    }
    if a.shared > 0 {
        a.mcnemar_p = Some(mcnemar_exact(a.only_other, a.only_first));
    }
    a
}

/// The same question in another run.
fn twin<'a>(line: &Line, index: &'a Index) -> Option<&'a Line> {
    index.of_id(&line.id).filter(|l| l.label == line.label)
}

/// The runs asked for that are there, with their indices.
fn look<'a>(explorer: &Explorer, snapshot: &'a Snapshot, asked: &Asked) -> Result<Vec<(&'a Run, Arc<Index>)>, Reply> {
    let run = |id: &String| {
        let run = snapshot.run(id).filter(|r| r.is_audited()).ok_or_else(|| Reply::unknown("run"))?;
        Ok((run, explorer.indices.of(run).map_err(|e| Reply::unreadable(&e))?))
    };
    asked.runs.iter().map(run).collect()
}

/// Agreement of every run with the first, for the JSON.
///
/// # Errors
/// The reply that says which run is not there or not readable.
pub fn agreements(explorer: &Explorer, snapshot: &Snapshot, asked: &Asked) -> Result<Vec<Agreement>, Reply> {
    let runs = look(explorer, snapshot, asked)?;
    let Some(((first, index), others)) = runs.split_first() else { return Ok(Vec::new()) };
    Ok(others.iter().map(|(run, other)| agreement((first, index), (run, other))).collect())
}

/// The page.
pub fn page(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let asked = Asked::read(query);
    let runs = match look(explorer, &snapshot, &asked) {
        Ok(runs) => runs,
        Err(reply) => return reply,
    };
    let mut content = String::new();
    if runs.len() < 2 {
        content
            .push_str("<p class=\"absent\">Tick two runs or more on the <a href=\"/\">list of runs</a>, and compare them from there.</p>");
    } else {
        content.push_str(&warnings(&runs));
        content.push_str(&effects(&snapshot, &runs));
        content.push_str(&agreement_table(explorer, &snapshot, &asked, &runs));
        content.push_str(&list(&snapshot, &asked, &runs));
    }
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

fn warnings(runs: &[(&Run, Arc<Index>)]) -> String {
    let mut data: Vec<Option<&String>> = runs.iter().map(|(r, _)| r.manifest.inputs.get("benchmark")).collect();
    data.dedup();
    if data.len() < 2 {
        return String::new();
    }
    "<aside class=\"callout warn\">These runs were not made on the same benchmark file: accuracies are over different examples. What follows pairs examples by id and gold label.</aside>".into()
}

/// Accuracy and change under every intervention, one run a row.
fn effects(snapshot: &Snapshot, runs: &[(&Run, Arc<Index>)]) -> String {
    let all: Vec<Findings> = runs.iter().map(|(run, _)| Findings::read(&run.path).unwrap_or_default()).collect();
    let mut names: Vec<Intervention> = Vec::new();
    for row in all.iter().flat_map(|f| &f.faithfulness).filter(|f| !f.intervention.is_clean()) {
        if names.len() < 512 && !names.contains(&row.intervention) {
            names.push(row.intervention);
        }
    }
    names.sort_by_key(|i| place(*i));
    let mut out = String::from(
        "<section><h2>What each shows</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What each shows\"><table class=\"wide\"><thead><tr><th scope=\"col\">run</th><th scope=\"col\">n</th><th scope=\"col\">accuracy, %</th><th scope=\"col\">95 %</th><th scope=\"col\" class=\"text\">word</th><th scope=\"col\" class=\"text\">block</th>",
    );
    for name in &names {
        let _ = write!(out, "<th scope=\"col\">{}</th>", heading(*name));
    }
    out.push_str("</tr></thead><tbody>");
    for ((run, _), found) in runs.iter().zip(&all) {
        let summary = Summary::read(&run.path);
        let line = summary.line.as_ref();
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}<a href=\"/runs/{}\">{}</a></th><td>{}</td><td>{}</td><td>{}</td>{}",
            swatch(snapshot.style(run)),
            run.id,
            escape(&snapshot.name(run)),
            line.map_or_else(|| "–".into(), |l| l.examples.to_string()),
            percent(line.and_then(|l| l.accuracy)),
            interval(line.and_then(|l| l.accuracy_low), line.and_then(|l| l.accuracy_high), percent),
            summary.words()
        );
        for name in &names {
            let change = change(found, *name);
            let title = change.map_or_else(|| "not run, or no latents ran".into(), |c| interval(c.low, c.high, points));
            let _ = write!(out, "<td title=\"{title}\">{}</td>", points(change.map(|c| c.delta)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div><p class=\"rest\">Words are each run’s own. Changes in points of accuracy against each run’s own clean run, on the questions whose block opened there; hold the pointer over one for its 95 % interval.</p></section>");
    out
}

fn agreement_table(explorer: &Explorer, snapshot: &Snapshot, asked: &Asked, runs: &[(&Run, Arc<Index>)]) -> String {
    let Ok(agreements) = agreements(explorer, snapshot, asked) else { return String::new() };
    let name = |id: &str| snapshot.run(id).map_or_else(String::new, |r| escape(&snapshot.name(r)));
    let mut out = format!(
        "<section><h2>Example by example, clean</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Agreement\"><table><thead><tr><th scope=\"col\">beside {}</th><th scope=\"col\">shared</th><th scope=\"col\">both right</th><th scope=\"col\">only the first</th><th scope=\"col\">only this one</th><th scope=\"col\">both wrong</th><th scope=\"col\">same letter, %</th><th scope=\"col\">p</th></tr></thead><tbody>",
        runs.first().map_or_else(String::new, |(r, _)| escape(&snapshot.name(r)))
    );
    for a in &agreements {
        let same = (a.shared > 0).then(|| a.same_answer as f64 / a.shared as f64);
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            name(&a.other),
            a.shared,
            a.both_right,
            a.only_first,
            a.only_other,
            a.both_wrong,
            percent(same),
            p_value(a.mcnemar_p)
        );
    }
    out.push_str("</tbody></table></div><p class=\"rest\">Examples with the same id and gold label that were scored in both. p: exact McNemar test of these two runs alone, not adjusted.</p></section>");
    out
}

fn list(snapshot: &Snapshot, asked: &Asked, runs: &[(&Run, Arc<Index>)]) -> String {
    let Some(((first, index), others)) = runs.split_first() else { return String::new() };
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
    let choices: Vec<String> = DIFFER
        .iter()
        .map(|(differ, _, text)| {
            let here = if *differ == asked.differ { " aria-current=\"true\"" } else { "" };
            format!("<a{here} href=\"/compare{}\">{text}</a>", escape(&asked.query(*differ, 1)))
        })
        .collect();
    let mut out = format!("<section id=\"list\"><h2>Where they differ</h2><p class=\"choices\">{}</p>", choices.join(" · "));
    let pages = rows.len().div_ceil(PER_PAGE).max(1);
    let here = asked.page.min(pages);
    let from = (here - 1) * PER_PAGE;
    let shown = &rows[from..rows.len().min(from + PER_PAGE)];
    let _ = write!(out, "<p class=\"count\">{} of {} examples of the first run</p>", rows.len(), index.lines.len());
    if shown.is_empty() {
        return out + "</section>";
    }
    out.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Examples\"><table class=\"wide rows answers\"><thead><tr><th scope=\"col\">example</th><th scope=\"col\" class=\"text\">question</th><th scope=\"col\">gold</th>");
    for (run, _) in runs {
        let _ = write!(out, "<th scope=\"col\">{}{}</th>", swatch(snapshot.style(run)), escape(&snapshot.name(run)));
    }
    out.push_str("</tr></thead><tbody>");
    for (line, twins) in shown {
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a class=\"open\" href=\"/runs/{}/examples/{}\">{}</a></th><td class=\"text question\">{}</td><td>{}</td>{}",
            first.id,
            line.row,
            cut_html(&line.id, 60),
            escape(&line.question),
            escape(&line.label),
            cell(line.clean(), None)
        );
        for twin in twins {
            out.push_str(&cell(twin.clean(), None));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    if pages > 1 {
        let link = |page: usize, text: &str| format!("<a href=\"/compare{}\">{text}</a>", escape(&asked.query(asked.differ, page)));
        let before = if here > 1 { link(here - 1, "previous page") } else { String::new() };
        let after = if here < pages { link(here + 1, "next page") } else { String::new() };
        let _ = write!(out, "<nav class=\"turning\" aria-label=\"Pages\">{before} page {here} of {pages} {after}</nav>");
    }
    out + "</section>"
}

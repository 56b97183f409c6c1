//! The first screen: the sentence, the picture of every change by class, the accuracy over K with what it is compared with,
//! and what limits the answer. Everything else is below.
//!
//! Its pictures are drawn here and not by a script, so that they stand with the first paint. They draw cells: changes those of
//! [`super::corruption`], accuracies those of [`super::table1`] and [`super::budgets`], the margin that of [`super::trust`].

use maud::{Markup, html};
use prism_run::{Steps, Verdict};

use super::{conclusions, corruption, limits, outcomes, trust};
use crate::charts::over_k::{Level, Line, OverK, Point, Trained};
use crate::charts::still::{Forest, Head};
use crate::document::form::exact;
use crate::document::{self, CellName, Estimate, Prose, RowKind, Section, Table, Tone};
use crate::failed::{LONGEST, failed, nothing_ran};
use crate::html::clipped;
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// Units of the pictures at 1280 pixels: both with what is between them are as wide as the page's column.
const WIDE: f64 = 800.0;
const OVER_K: (f64, f64) = (276.0, 360.0);
/// At 390 pixels.
const NARROW: f64 = 358.0;
/// Limits said on the first screen; the others are in their section.
const MOST_LIMITS: usize = 3;
/// Longest limit said there, in characters.
const LONGEST_LIMIT: usize = 220;

/// What the first screen takes numbers from, beside the changes.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Accuracies, of the base model and of guessing too.
    pub table1: &'a Section,
    /// Accuracies over K, where there is a sweep.
    pub budgets: Option<&'a Section>,
    /// The margin.
    pub trust: &'a Table,
}

/// The table of that name.
fn named<'a>(section: &'a Section, name: &str) -> Option<&'a Table> {
    section.tables().into_iter().find(|table| table.name == name)
}

/// The first screen of a benchmark. `only`: the page has no other, and the sentence is its heading.
pub fn html(study: &Study, part: &Part, sources: Sources<'_>, prefix: &str, only: bool) -> Markup {
    if nothing_ran(part) {
        // There is no verdict and no picture: only what to do.
        return html! {
            div.first {
                (headline(&all_failed(study, part), prefix, only))
                p.limits { a href={ "#" (prefix) "outcomes" } { "How they ended, by cause" } }
            }
        };
    }
    let accuracies = named(sources.table1, "table-1");
    let sweep = sources.budgets.and_then(|section| named(section, "budgets"));
    let forest = forest(study, part, accuracies);
    let over_k = accuracies.map(|table| over_k(study, part, table, sweep)).filter(|picture| !picture.is_empty());
    html! {
        div.first.only[only] {
            (headline(&spoken(study, part), prefix, only))
            @if !forest.is_empty() || over_k.is_some() {
                figure.first-picture {
                    div.side {
                        @if !forest.is_empty() { (forest.wide(WIDE)) (forest.narrow(NARROW)) }
                        @if let Some(over_k) = &over_k { (over_k.picture(OVER_K.0, OVER_K.1)) }
                    }
                    @if !forest.is_empty() { figcaption { (document::html::prose(&caption(study, part, sources.trust), prefix)) } }
                }
            }
            (limits(study, part, prefix))
            a.onward href="#contents" { "Evidence" }
        }
    }
}

/// The sentence; that of a single run's audit with the numbers of its cells.
fn spoken(study: &Study, part: &Part) -> Prose {
    let (changes, conclusions) = (corruption::table(study, part), conclusions::table(study, part));
    let cells = match part.audits.as_slice() {
        [audit] => conclusions::spoken(study, part, audit, &changes, &conclusions),
        _ => Vec::new(),
    };
    Prose::default().spoken(&verdict::short(study, part), &cells)
}

fn headline(said: &Prose, prefix: &str, only: bool) -> Markup {
    let said = document::html::prose(said, prefix);
    html! { @if only { h1.verdict { (said) } } @else { p.verdict { (said) } } }
}

/// On how many questions and at which K, what the picture is against, and what its marks are.
fn caption(study: &Study, part: &Part, trust: &Table) -> Prose {
    let against = if part.audits.len() == 1 { "Against the {clean} run" } else { "Against each {clean} run" };
    let caption = rests_on(study, part, trust).join(Prose::said(against)).and(", 95 % intervals");
    match trust::first_with(trust, "margin").filter(|_| part.margin().is_some()) {
        Some(key) => caption.and("; preset band: ±").number(trust, "margin", key).and("."),
        None => caption.and("."),
    }
}

/// `400 questions, K = 4. `, of what is the same in all runs.
fn rests_on(study: &Study, part: &Part, trust: &Table) -> Prose {
    let mut counts: Vec<Option<usize>> = part.audits.iter().map(Audit::examples).collect();
    let mut ks: Vec<Option<usize>> = part.audits.iter().map(steps).collect();
    counts.dedup();
    ks.dedup();
    let questions = match (counts.as_slice(), part.audits.first()) {
        ([Some(_)], Some(audit)) => Prose::default().number(trust, "questions", &super::row(study, part, audit).key).and(" questions"),
        _ => Prose::default(),
    };
    match ks.as_slice() {
        [Some(k)] if questions.spans().is_empty() => questions.text(format!("K = {k}. ")),
        [Some(k)] => questions.text(format!(", K = {k}. ")),
        _ if questions.spans().is_empty() => questions,
        _ => questions.and(". "),
    }
}

/// What limits the answer, in a line.
fn limits(study: &Study, part: &Part, prefix: &str) -> Markup {
    let lines = limits::lines(study, part);
    let rest = lines.len().saturating_sub(MOST_LIMITS);
    html! {
        @if !lines.is_empty() {
            p.limits {
                b { "Limits" }
                @for (alarm, line) in lines.iter().take(MOST_LIMITS) {
                    " "
                    @if *alarm { strong.alarm { (shortened(line, prefix)) } } @else { (shortened(line, prefix)) }
                }
                @if rest > 0 { " " a href={ "#" (prefix) "trust" } { (rest) " more" } }
            }
        }
    }
}

/// A line as it is, or as much of it as the first screen has room for.
fn shortened(line: &Prose, prefix: &str) -> Markup {
    let text = line.as_text();
    match text.char_indices().nth(LONGEST_LIMIT) {
        None => document::html::prose(line, prefix),
        Some((end, _)) => document::html::prose(&Prose::plain(format!("{}… ", &text[..end])).link("#limits", "all of it"), prefix),
    }
}

/// The changes by class, all variants, each under its word and its clean accuracy.
fn forest(study: &Study, part: &Part, accuracies: Option<&Table>) -> Forest {
    let mut forest = corruption::forest(study, part);
    forest.heads = part.variants().into_iter().map(|variant| head(study, part, variant, accuracies)).collect();
    forest
}

fn head(study: &Study, part: &Part, variant: usize, accuracies: Option<&Table>) -> Head {
    let mut words: Vec<(String, Verdict)> = Vec::new();
    for c in part.of(variant).filter_map(Audit::conclusion) {
        let word = c.marked_word();
        if !words.iter().any(|(known, _)| *known == word) {
            words.push((word, c.word));
        }
    }
    let (word, tone) = match words.as_slice() {
        [] => (String::new(), Tone::Plain),
        [(word, of)] => (word.clone(), (*of).into()),
        _ => ("seeds differ".to_string(), Tone::Undecided),
    };
    let mut needs: Vec<String> = part.of(variant).filter_map(Audit::conclusion).map(|c| c.presence.to_string()).collect();
    needs.dedup();
    let need = match needs.as_slice() {
        // Where nothing ran the first word says so.
        _ if tone == Tone::Silent => String::new(),
        [] => String::new(),
        [need] => need.clone(),
        _ => "seeds differ".to_string(),
    };
    let row = accuracies.zip(accuracies.and_then(|table| row_of(table, &study.variants[variant].id)));
    let (accuracy, cell) = match row {
        Some((table, key)) => (table.written("accuracy", key), Some(cell(table, "accuracy", key))),
        None => (String::new(), None),
    };
    Head { word, tone, need, accuracy, cell }
}

/// The key of a variant's row: its run, or the mean of its seeds.
fn row_of<'a>(table: &'a Table, variant: &str) -> Option<&'a str> {
    let stands = |kind: RowKind| matches!(kind, RowKind::First | RowKind::Again | RowKind::Mean);
    table.rows().iter().find(|row| row.variant.as_deref() == Some(variant) && stands(row.kind)).map(|row| row.key.as_str())
}

fn cell(table: &Table, column: &str, row: &str) -> CellName {
    CellName { table: table.name.into(), column: column.into(), row: row.into() }
}

/// Accuracy over K: of the sweep, if there is one, else of every variant at its own K.
fn over_k(study: &Study, part: &Part, table: &Table, sweep: Option<&Table>) -> OverK {
    let points = |variant: usize| {
        let style = &study.variants[variant];
        let points = match sweep {
            Some(sweep) => of_sweep(sweep, &style.id),
            None => of_run(part, variant, table, &style.id).into_iter().collect(),
        };
        Line { style: style.clone(), points }
    };
    let lines = part.variants().into_iter().map(points).filter(|line| !line.points.is_empty()).collect();
    let mut trained: Vec<Trained> = Vec::new();
    for audit in &part.audits {
        let of = audit.manifest.trained_lengths().and_then(|lengths| lengths.target);
        let of = of.map_or(Trained::Unknown, |lengths| Trained::Between(lengths.low, lengths.high));
        if !trained.contains(&of) {
            trained.push(of);
        }
    }
    OverK { lines, levels: levels(table), trained }
}

/// The model that all started from, and guessing.
fn levels(table: &Table) -> Vec<Level> {
    let level = |name: &'static str, column: &str, key: &str, value: f64| Level {
        name,
        value: exact(100.0 * value),
        written: table.written(column, key),
        cell: cell(table, column, key),
    };
    let base = table.estimates("accuracy", None).find(|e| e.row.kind == RowKind::Base);
    let guess = table.estimates("type_floor", None).max_by(|a, b| a.value.total_cmp(&b.value));
    let base = base.map(|e| level("base", "accuracy", &e.row.key, e.value));
    base.into_iter().chain(guess.map(|e| level("guess", "type_floor", &e.row.key, e.value))).collect()
}

/// A variant's accuracies of the sweep in the order of K, means where it has several seeds.
fn of_sweep(sweep: &Table, variant: &str) -> Vec<Point> {
    let of = |e: &Estimate<'_>| e.row.kind != RowKind::Seed && e.row.variant.as_deref() == Some(variant);
    let at = |e: Estimate<'_>| {
        let k = sweep.count(e.row, "k").or_else(|| sweep.count(e.row, "steps_target"))?;
        Some(point(k, e))
    };
    let mut points: Vec<Point> = sweep.estimates("accuracy", Some("accuracy_interval")).filter(of).filter_map(at).collect();
    points.sort_by(|a, b| a.k.total_cmp(&b.k));
    points.dedup_by_key(|p| p.k);
    points
}

/// A variant's accuracy at the K of its run.
fn of_run(part: &Part, variant: usize, table: &Table, id: &str) -> Option<Point> {
    let k = part.of(variant).find_map(steps)?;
    let key = row_of(table, id)?;
    Some(point(k, table.estimates("accuracy", Some("accuracy_interval")).find(|e| e.row.key == key)?))
}

fn point(k: usize, e: Estimate<'_>) -> Point {
    let bounds = e.low.zip(e.high).map(|(low, high)| (exact(100.0 * low), exact(100.0 * high)));
    Point { k: k as f64, accuracy: exact(100.0 * e.value), bounds, cell: Some(e.name) }
}

/// Latent steps of a run's target stage.
fn steps(audit: &Audit) -> Option<usize> {
    let by_stage = audit.manifest.steps_by_stage().and_then(|steps| steps.target);
    by_stage.or_else(|| match audit.manifest.steps() {
        Some(Steps::Fixed(steps)) => Some(steps),
        _ => None,
    })
}

/// All that could not be run, each text with its runs where not all say it.
fn all_failed(study: &Study, part: &Part) -> Prose {
    let failures = outcomes::failures(study, part);
    failed(study, part).iter().enumerate().fold(Prose::default(), |prose, (place, (said, whose))| {
        let prose = prose.and(if place > 0 { " " } else { "" }).spoken(&clipped(said, LONGEST), &outcomes::spoken(&failures));
        if whose.len() == part.audits.len() { prose } else { prose.and(" (").text(whose.join(", ")).and(")") }
    })
}

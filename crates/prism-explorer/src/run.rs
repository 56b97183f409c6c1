//! A run: its verdict, what its interventions did, and every other table of its findings.

use maud::{Markup, html};
use prism_audit::Findings;
use prism_audit::findings::ConclusionFinding;
use prism_audit::verdict::damage_in_words;
use prism_run::folder::names;
use prism_run::manifest::Manifest;

use super::frame::{self, Page, typeset};
use super::library::{Run, Snapshot};
use super::links::OfRuns;
use super::reply::Reply;
use super::{Explorer, findings, home, run_tables, summary};
use crate::content::Cut;
use prism_report::document::behind::Links;
use prism_report::document::html::{self as written, MOST_ROWS, Safe};
use prism_report::document::{Form, Table};
use prism_report::html::clipped;
use prism_report::verdict;

/// Longest text about what could not be run, in characters.
const LONGEST_FAILED: usize = 4000;
/// Longest settings shown, in characters.
const LONGEST_SETTINGS: usize = 20_000;

/// The page.
pub fn page(explorer: &Explorer, id: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = snapshot.run(id) else { return Reply::unknown("run") };
    let content = html! {
        (links(run))
        @match Findings::read(&run.path) {
            Ok(found) => (read(&snapshot, run, &found)),
            Err(e) => p.absent { "No findings: " (Safe(&e.to_string())) },
        }
        (findings::html(&run.path))
        (provenance(&run.manifest, &run.path.display().to_string()))
    };
    let name = snapshot.name(run);
    let about = Page {
        heading: &name,
        above: &[("/".into(), "runs".into())],
        run: Some(id),
        stamp: run.stamp,
        json: Some(format!("/api/runs/{id}.json")),
        kicker: run.benchmark(),
        ..Page::default()
    };
    frame::page(&about, &content)
}

fn links(run: &Run) -> Markup {
    let state = home::state(run);
    let at = |page: &str| format!("/runs/{}/{page}", run.id);
    html! {
        ul.standings {
            @if run.is_audited() {
                li { a href=(at("examples")) { "Examples" } }
                li { a href=(format!("/api/runs/{}/tables.json", run.id)) { "Tables as JSON" } }
            }
            @if prism_run::door::holds(&run.path.join(names::REPORT)) { li { a href=(at("report")) { "Report page" } } }
            li { (Safe(&Form::Words.write(&state.value))) }
        }
    }
}

fn read(snapshot: &Snapshot, run: &Run, found: &Findings) -> Markup {
    let [line, interventions, categories] = run_tables::of(snapshot, run, found);
    let links = OfRuns::new(snapshot, [run]);
    html! {
        @if let Some(failed) = found.failed() {
            @let failed = typeset(&clipped(&failed, LONGEST_FAILED));
            @if found.nothing_ran() { p.verdict { (failed) } }
            @else { div class="callout alarm" role="note" { b { "Not every example was run." } " " (failed) } }
        }
        @if let Some(c) = found.conclusion.first().filter(|_| !found.nothing_ran()) { (concluded(c, found)) }
        @if !found.table1.is_empty() { (key(&line)) }
        @if !found.warnings.is_empty() {
            div class="callout warn" role="note" {
                b { "Know before reading on" }
                ul { @for w in &found.warnings { li { (Safe(&w.about)) ": " (Safe(&w.text)) } } }
            }
        }
        @if !interventions.is_empty() {
            section id="interventions" {
                h2 { "What interventions do" }
                (typed(&interventions, &links))
                p.rest {
                    "Changes are over the questions whose block opened in the clean run. A count that is a link leads to the examples it counts. \
                     Strength: distance of what was put in from the clean latents, over their natural spread; at most: one-sided 95 % bound of the \
                     share of changed answers. Under another view of the image (@) changes are against the clean run under that view, clean@ \
                     against that in full view. p: exact, clusters flipped whole where there are any; margin: mean change of the gold letter’s \
                     log-probability margin, in nats."
                }
            }
        }
        @if !categories.is_empty() {
            section id="categories" {
                h2 { "By category" }
                details { summary { "Every intervention in every category" } (typed(&categories, &links)) }
            }
        }
    }
}

/// A table of the document among the explorer's own.
pub fn typed(table: &Table, links: &dyn Links) -> Markup {
    let rows = table.rows().len();
    html! {
        div.typed data-table=(table.name) { (written::table(table, "", links, false)) }
        @if rows > MOST_ROWS { p.rest { "The first " (MOST_ROWS) " of " (rows) " rows; the JSON has all." } }
    }
}

/// Its key figures.
fn key(line: &Table) -> Markup {
    let figures = [
        ("examples", "examples"),
        ("accuracy", "clean accuracy, %"),
        ("type_floor", "what the commonest label of each question type gets, %"),
        ("cosine", "cosine to the target, teacher-forced"),
        ("opened", "block opened, %"),
    ];
    html! {
        dl.key {
            @for (column, label) in figures {
                div {
                    dt { (label) @if column == "accuracy" { ", " (Safe(&line.written("accuracy_interval", "run"))) } }
                    dd { (Safe(&line.written(column, "run"))) }
                }
            }
        }
    }
}

/// Both answers as the audit found them: the sentence, its limits, the words with the clauses of the rule.
fn concluded(c: &ConclusionFinding, found: &Findings) -> Markup {
    html! {
        p.verdict { (typeset(&c.sentence)) }
        p.verdict-more { (summary::answers(c)) }
        @if let Some(limit) = verdict::limit(c) {
            div class="callout warn" role="note" { b { "What limits these words." } " " (typeset(&limit)) "." }
        }
        ul {
            li { "What the block says is " (Safe(&c.content.to_string())) ": " (typeset(&c.rule)) "." }
            li { "The block is " (Safe(&c.presence.to_string())) ": " (typeset(&c.presence_rule)) "." }
            @if let Some(damage) = damage_in_words(&found.verdict) { li { "Damage, which decides nothing: " (typeset(&damage)) "." } }
            @for figures in &c.reason { li { "With these: " (typeset(figures)) } }
        }
    }
}

fn provenance(manifest: &Manifest, folder: &str) -> Markup {
    let settings = serde_json::to_string_pretty(&manifest.settings).unwrap_or_default();
    let lines = [
        ("folder", folder.to_string()),
        ("command", manifest.command.join(" ")),
        ("Prism", format!("{} ({})", manifest.version, manifest.commit)),
        ("host", manifest.host.clone()),
        ("device", manifest.device.clone()),
        ("dtype", manifest.dtype.clone()),
        ("started", manifest.started.clone()),
    ];
    html! {
        section id="provenance" class="run" {
            h2 { "Where it comes from" }
            dl { @for (name, text) in lines { dt { (name) } dd { (Safe(&text)) } } }
            details { summary { "Settings" } pre tabindex="0" aria-label="Settings" { (Cut(&settings, LONGEST_SETTINGS)) } }
        }
    }
}

/// The run of that id and what is there, for pages below it.
pub fn found<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Run> {
    snapshot.run(id).filter(|r| r.is_audited())
}

//! The examples of a run, filtered and paged: of each its clean answer, and what the interventions made of it.

use maud::{Markup, html};
use prism_run::{Intervention, Outcome};

use super::Explorer;
use super::filter::{Filter, PER_PAGE, fits};
use super::frame::{self, Page};
use super::index::{Index, Line, Mark};
use super::reply::Reply;
use super::run::found;
use crate::content::Cut;
use prism_report::document::Did;
use prism_report::document::html::Safe;
use prism_report::gallery::no_letter;

/// Longest letter shown, in characters.
const LONGEST_LETTER: usize = 12;

/// The page.
pub fn page(explorer: &Explorer, id: &str, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = found(&snapshot, id) else { return Reply::unknown("run") };
    let index = match explorer.indices.of(run) {
        Ok(index) => index,
        Err(e) => return Reply::unreadable(&e),
    };
    let filter = Filter::read(query);
    let chosen = filter.choose(&index);
    let base = format!("/runs/{id}/examples");
    let pages = chosen.len().div_ceil(PER_PAGE).max(1);
    let here = filter.page.min(pages);
    let first = (here - 1) * PER_PAGE;
    let shown = &chosen[first..chosen.len().min(first + PER_PAGE)];
    let content = html! {
        (form(&base, &filter, &index))
        p.count {
            (chosen.len()) " of " (index.lines.len()) " examples"
            @if shown.len() < chosen.len() { ", " (first + 1) " to " (first + shown.len()) " here" }
        }
        @if shown.is_empty() {
            p.absent { "None fits. " a href="?" { "All examples" } }
        } @else {
            (table(&base, &filter, &index, shown))
            (turning(&base, &filter, here, pages))
        }
    };
    let name = snapshot.name(run);
    let about = Page {
        heading: "Examples",
        above: &[("/".into(), "runs".into()), (format!("/runs/{id}"), name)],
        run: Some(id),
        stamp: run.stamp,
        json: Some(format!("/api/runs/{id}/examples.json{}", filter.query(here))),
        kicker: run.benchmark(),
        ..Page::default()
    };
    frame::page(&about, &content)
}

fn table(base: &str, filter: &Filter, index: &Index, shown: &[&Line]) -> Markup {
    let query = filter.query(1);
    // The intervention asked for has a column of its own.
    let under = filter.under.and_then(|under| index.interventions.iter().position(|i| *i == under)).filter(|place| *place > 0);
    let at = |line: &Line| format!("{base}/{}{query}", line.row);
    let clean = Intervention::CLEAN.to_string();
    html! {
        div.typed {
            table class="rows answers" {
                thead {
                    tr {
                        th scope="col" { "example" }
                        th scope="col" class="text category" { "category" }
                        th scope="col" class="prose" { "question" }
                        th scope="col" { "gold" }
                        th scope="col" class=[filter.right.is_some().then_some("here")] { "clean" }
                        @if let Some(place) = under { th scope="col" class="here" { (index.interventions[place]) } }
                        th scope="col" class="prose" { "what interventions change" }
                    }
                }
                tbody {
                    @for line in shown {
                        tr {
                            th scope="row" { a.open href=(Safe(&at(line))) { (Cut(&line.id, 60)) } }
                            td class="text soft category" data-l="category" {
                                (Safe(&line.category.as_deref().unwrap_or_default().replace('_', " ")))
                            }
                            td class="prose question" { (Safe(&line.question)) }
                            td data-l="gold" { (Safe(&line.label)) }
                            (mark(line.clean(), None, Some(clean.as_str())))
                            @if let Some(place) = under {
                                (mark(of(line, place), line.clean(), Some(index.interventions[place].to_string().as_str())))
                            }
                            td class="prose changes" data-l="interventions" { (changes(index, line)) }
                        }
                    }
                }
            }
        }
        (explained())
    }
}

fn of(line: &Line, place: usize) -> Option<&Mark> {
    line.marks.get(place).and_then(Option::as_ref)
}

/// The interventions that change an answer, each with the letter it gives; how many leave it as it is.
fn changes(index: &Index, line: &Line) -> Markup {
    let (mut same, mut changed) = (0, Vec::new());
    for place in 1..index.interventions.len() {
        let Some(mark) = of(line, place) else { continue };
        match did(mark, line.clean()) {
            Some((class, title)) => changed.push((index.interventions[place], mark, class, title)),
            None if mark.outcome == Outcome::Error => changed.push((index.interventions[place], mark, "failed", "could not be run")),
            None => same += 1,
        }
    }
    html! {
        @for (intervention, mark, class, title) in &changed {
            span class={ "change " (class) } title=(title) { (intervention) " " b { (letter(mark)) } } " "
        }
        @if same > 0 { small { (same) " unchanged" } }
        @else if changed.is_empty() { small { "none was run" } }
    }
}

/// What an intervention did to an answer: a class and what it is called; `None` where nothing.
fn did(mark: &Mark, clean: Option<&Mark>) -> Option<(&'static str, &'static str)> {
    clean?;
    let all = [
        (Did::Lost, "lost", "was right, now wrong"),
        (Did::Gained, "gained", "was wrong, now right"),
        (Did::Moved, "moved", "another answer, correctness the same"),
        (Did::Changed, "reworded", "same answer, other text"),
    ];
    all.into_iter().find(|(did, _, _)| fits(*did, clean, mark)).map(|(_, class, title)| (class, title))
}

/// The letter, ticked when right, or the sign of why there is none.
fn letter(mark: &Mark) -> Markup {
    html! {
        @match mark.answer.as_deref() {
            Some(letter) => (Cut(letter, LONGEST_LETTER)),
            None => (no_letter(mark.outcome)),
        }
        @if mark.correct == Some(true) { i { "✓" } }
    }
}

/// A mark as a cell, set apart as in the report's gallery. `label`: what the cell is of, where it stands by itself.
pub fn mark(mark: Option<&Mark>, clean: Option<&Mark>, label: Option<&str>) -> Markup {
    let done = mark.and_then(|mark| did(mark, clean));
    html! {
        @match mark {
            None => td.none data-l=[label.map(Safe)] title="not run" { "–" },
            Some(mark) => td class=[done.map(|(class, _)| class)] data-l=[label.map(Safe)] title=[done.map(|(_, title)| title)] {
                span { (letter(mark)) }
            },
        }
    }
}

/// What the marks mean.
fn explained() -> Markup {
    html! {
        ul.key-cells {
            li { span.demo { "B" i { "✓" } } "right" }
            li { span class="demo lost" { "C" } "was right, now wrong" }
            li { span class="demo gained" { "B" i { "✓" } } "was wrong, now right" }
            li { span class="demo moved" { "D" } "another wrong answer" }
            li { span class="demo reworded" { "B" i { "✓" } } "same answer, other text" }
            li { span.demo { "∅" } "no answer" }
            li { span.demo { "○" } "no latents" }
            li { span.demo { "!" } "could not be run" }
        }
    }
}

/// Links to the pages around this one.
fn turning(base: &str, filter: &Filter, here: usize, pages: usize) -> Markup {
    let to = |page: usize| format!("{base}{}", filter.query(page));
    html! {
        @if pages > 1 {
            nav.turning aria-label="Pages" {
                @if here > 1 { a href=(Safe(&to(1))) { "first" } " " a href=(Safe(&to(here - 1))) { "previous page" } " " }
                "page " (here) " of " (pages) " "
                @if here < pages { a href=(Safe(&to(here + 1))) { "next page" } " " a href=(Safe(&to(pages))) { "last" } }
            }
        }
    }
}

/// A choice of a form: its values with what they are called.
fn select(name: &str, label: &str, options: &[(String, String)], chosen: &str) -> Markup {
    html! {
        label {
            (label) " "
            select name=(name) {
                @for (value, text) in options { option value=(Safe(value)) selected[value == chosen] { (Safe(text)) } }
            }
        }
    }
}

fn form(base: &str, filter: &Filter, index: &Index) -> Markup {
    let options = |any: &str, all: Vec<(String, String)>| -> Vec<(String, String)> {
        std::iter::once((String::new(), any.to_string())).chain(all).collect()
    };
    let words = |all: Vec<&str>| -> Vec<(String, String)> { all.into_iter().map(|w| (w.to_string(), w.replace('_', " "))).collect() };
    let categories = index.categories();
    let outcomes = words(index.outcomes().into_iter().map(Outcome::name).collect());
    let interventions: Vec<_> = index.interventions.iter().map(|i| (i.to_string(), i.to_string())).collect();
    let shows: Vec<(String, String)> = Did::ALL.iter().map(|(_, word, text)| ((*word).to_string(), (*text).to_string())).collect();
    let right = filter.right.map_or("", |right| if right { "right" } else { "wrong" });
    let under = filter.under.map_or_else(String::new, |i| i.to_string());
    html! {
        form.filter method="get" action=(base) role="search" {
            @if !categories.is_empty() {
                (select("category", "category", &options("all", words(categories)), filter.category.as_deref().unwrap_or_default()))
            }
            (select("outcome", "clean outcome", &options("any", outcomes), filter.outcome.map_or("", Outcome::name)))
            (select("clean", "clean answer", &options("any", words(vec!["right", "wrong"])), right))
            (select("under", "under", &options("any intervention", interventions), &under))
            (select("show", "what it did", &shows, filter.show.word()))
            label {
                "words " input type="search" name="q" id="words" value=(Safe(&filter.words)) placeholder="in id, question or answer";
            }
            button { "Filter" }
        }
    }
}

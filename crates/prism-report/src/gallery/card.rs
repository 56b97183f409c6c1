//! One example as HTML: image with its boxes, question, options, and the answers
//! of every run, clean and under each intervention, flips marked.

use maud::{Markup, html};
use prism_run::{Intervention, RegionBox};

use super::picture::{self, Picture};
use super::{Answer, Flip, Shown, no_letter};
use crate::document::html::Safe;
use crate::html::clipped;
use crate::sections::swatch;
use crate::study::{Part, Study};

/// Longest question, and longest option, label or name shown, in characters.
const LONGEST: (usize, usize) = (1200, 200);
/// Longest name of an example.
const LONGEST_ID: usize = 80;
/// Longest name of a category.
const LONGEST_CATEGORY: usize = 60;
/// Longest letter.
const LONGEST_LETTER: usize = 12;

/// What the cards of one gallery share.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The page's study.
    pub study: &'a Study,
    /// The benchmark.
    pub part: &'a Part,
    /// Indices of the audits whose answers are shown.
    pub runs: &'a [usize],
    /// Interventions in the order of the columns.
    pub interventions: &'a [Intervention],
    /// Put before the card's id, to tell benchmarks apart.
    pub prefix: &'a str,
}

/// The card of one example. `place` counts from 1.
pub fn html(context: Context<'_>, shown: &Shown, place: usize) -> Markup {
    let Context { study, part, runs, prefix, .. } = context;
    let e = &shown.example;
    let run = runs.first().and_then(|&i| part.audits.get(i)).map(|a| a.folder.as_path());
    let id = clipped(&e.id, LONGEST_ID);
    let picture = picture::read(&e.image, run.unwrap_or(std::path::Path::new(".")), &study.sources);
    let category = e.category.as_deref().map(|c| clipped(&c.replace('_', " "), LONGEST_CATEGORY));
    html! {
        article.card id=(Safe(&format!("{prefix}example-{place}"))) data-example=(Safe(&id)) data-flips=(Safe(&flipped(study, part, shown))) {
            header {
                span.place { (place) }
                span.id { (Safe(&id)) @if let Some(category) = &category { " · " (Safe(category)) } }
                @match shown.flipped.len() {
                    0 => "",
                    1 => span.flips { "1 flip" },
                    n => span.flips { (n) " flips" },
                }
            }
            div.card-body {
                (image(&picture, &boxes(&e.boxes), &id, e.images))
                div.question { (question(shown)) }
            }
            (answers(context, shown))
            @if let Some(message) = &e.message { p.rest { "Could not be run: " (Safe(&clipped(message, LONGEST.0))) } }
            (texts(context, shown))
        }
    }
}

/// The question and its options, the gold one marked.
fn question(shown: &Shown) -> Markup {
    let e = &shown.example;
    let (question, rest) = e.prompt.split_once('\n').unwrap_or((e.prompt.as_str(), ""));
    let options: Vec<&str> = e.options.iter().map(String::as_str).filter(|o| !o.is_empty()).collect();
    let is_gold = |letter: char| e.label == letter.to_string();
    html! {
        p dir="auto" { (Safe(&clipped(question, LONGEST.0))) }
        @if options.is_empty() {
            @if !rest.trim().is_empty() { p.rest { (Safe(&clipped(rest.trim(), LONGEST.0))) } }
            p { "Gold: " b { (Safe(&clipped(&e.label, LONGEST.1))) } }
        } @else {
            ol.options {
                @for (option, letter) in options.iter().zip('A'..='Z') {
                    li class=[is_gold(letter).then_some("gold")] {
                        b { (letter) } " " (Safe(&clipped(option, LONGEST.1))) @if is_gold(letter) { " " small { "gold" } }
                    }
                }
            }
        }
    }
}

/// Variant and intervention of every flip, as JSON: what the page's script filters by.
fn flipped(study: &Study, part: &Part, shown: &Shown) -> String {
    let of = |f: &Flip| Some(serde_json::json!([study.style(part.audits.get(f.run)?).id, f.intervention]));
    serde_json::Value::Array(shown.flipped.iter().filter_map(of).collect()).to_string()
}

fn boxes(json: &str) -> Vec<RegionBox> {
    let all: Vec<RegionBox> = serde_json::from_str(json).unwrap_or_default();
    all.into_iter().filter(|b| b.is_valid()).take(super::MOST_BOXES).collect()
}

fn image(picture: &Result<Picture, String>, boxes: &[RegionBox], id: &str, images: usize) -> Markup {
    html! {
        figure.thumb {
            @match picture {
                Ok(p) => div.frame {
                    img src=(Safe(&p.uri)) width=(p.width) height=(p.height) alt={ "Image of example " (Safe(id)) } decoding="async";
                    svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true" {
                        @for class in ["under", "over"] { @for b in boxes { (rectangle(class, *b)) } }
                    }
                },
                Err(reason) => div.missing { b { "No image" } span { (Safe(reason)) } },
            }
            @if images > 1 { figcaption { "first of " (images) " images" } }
        }
    }
}

fn rectangle(class: &str, RegionBox([x0, y0, x1, y1]): RegionBox) -> Markup {
    let of = |share: f64| format!("{:.1}", share * 1000.0);
    html! { rect class=(class) x=(of(x0)) y=(of(y0)) width=(of(x1 - x0)) height=(of(y1 - y0)) {} }
}

/// The clean run, then the interventions.
fn rows(interventions: &[Intervention]) -> impl Iterator<Item = Intervention> {
    std::iter::once(Intervention::CLEAN).chain(interventions.iter().copied())
}

/// A column per run, a row per intervention: interventions are many, runs few, and a card is narrow. The head alone says
/// whose a column is; the page's script hides columns by it.
fn answers(context: Context<'_>, shown: &Shown) -> Markup {
    let Context { study, part, runs, interventions, .. } = context;
    let columns: Vec<_> =
        runs.iter().filter_map(|index| Some((study.style(part.audits.get(*index)?), shown.answers.get(index)?))).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Answers to " (Safe(&clipped(&shown.example.id, LONGEST_ID))) } {
            table.answers {
                thead {
                    tr {
                        td {}
                        @for (style, _) in &columns {
                            th scope="col" data-variant=(Safe(&style.id)) { (swatch(style)) (Safe(&style.name)) }
                        }
                    }
                }
                tbody {
                    @for i in rows(interventions) {
                        tr data-intervention=[(!i.is_clean()).then_some(i)] {
                            th scope="row" { (i) }
                            @for (_, answers) in &columns {
                                (cell(answers.get(&i), answers.get(&Intervention::CLEAN).filter(|_| !i.is_clean())))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A letter, ticked when right; against the clean answer a flip is filled and a
/// change between two wrong letters is outlined.
fn cell(answer: Option<&Answer>, clean: Option<&Answer>) -> Markup {
    let Some(a) = answer else { return html! { td.none title="not run" { "–" } } };
    let change = match (clean.and_then(|c| c.correct), a.correct) {
        (Some(true), Some(false)) => Some(("lost", "was right, now wrong")),
        (Some(false), Some(true)) => Some(("gained", "was wrong, now right")),
        _ if clean.is_some_and(|c| c.letter != a.letter) => Some(("moved", "another answer, correctness the same")),
        _ if clean.is_some() && a.changed == Some(true) => Some(("reworded", "same answer, other text")),
        _ => None,
    };
    let letter = a.letter.as_deref().map_or_else(|| no_letter(a.outcome).to_string(), |letter| clipped(letter, LONGEST_LETTER));
    html! {
        td class=[change.map(|(class, _)| class)] title=[change.map(|(_, title)| title)] {
            span { (Safe(&letter)) @if a.correct == Some(true) { i { "✓" } } }
        }
    }
}

fn texts(context: Context<'_>, shown: &Shown) -> Markup {
    let Context { study, part, runs, interventions, .. } = context;
    // What was written before under the same run is not repeated.
    let mut all: Vec<(&str, Intervention, &Answer)> = Vec::new();
    for &index in runs {
        let (Some(audit), Some(answers)) = (part.audits.get(index), shown.answers.get(&index)) else { continue };
        let mut written: Vec<&str> = Vec::new();
        for intervention in rows(interventions) {
            let Some(answer) = answers.get(&intervention).filter(|a| !written.contains(&a.text.as_str())) else { continue };
            written.push(&answer.text);
            all.push((study.style(audit).name.as_str(), intervention, answer));
        }
    }
    html! {
        details {
            summary { "Generated text" }
            dl.texts {
                @for (name, intervention, answer) in all {
                    dt { (Safe(name)) " " small { (intervention) } }
                    dd {
                        code dir="auto" { @if answer.text.is_empty() { small { "nothing" } } @else { (Safe(&answer.text)) } }
                        @if answer.cut > 0 { " " small { "… " (answer.cut) " more characters" } }
                    }
                }
            }
            p.rest { "Under one variant a text equal to an earlier one is not repeated." }
        }
    }
}

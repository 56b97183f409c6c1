//! The text of every branch with its block where it stood: the clean one beside a chosen one, the first difference
//! marked in both, and all the others below.

use maud::{Markup, html};
use prism_run::records::{AnswerRow, LatentRow};
use prism_run::{Intervention, Outcome};

use super::text::{Laid, explained};
use super::{Example, Links, answers};
use crate::filter::Filter;
use prism_report::document::html::Safe;

/// Longest text of the two that stand side by side, in characters.
const LONGEST: usize = 6000;
/// Longest text of each of the others.
const LONGEST_OTHER: usize = 600;

/// The section's content.
pub fn html(example: &Example, links: &Links<'_>) -> Markup {
    let Some(clean) = example.clean().filter(|a| !a.text.is_empty()) else {
        return html! { p.absent { "Nothing: the clean run of this example has no text." } };
    };
    let steps = steps(example, Intervention::CLEAN);
    let own = Laid::new(&clean.text, &steps, LONGEST);
    let chosen = chosen(example, links.filter);
    let (mark, other) = match chosen {
        Some(answer) => beside(example, answer, &own),
        None => (None, html! {}),
    };
    html! {
        (choices(example, chosen, links))
        div.branches {
            div.branch data-branch="clean" { h3 { "clean " (answers::marked(clean, None)) } (own.html(mark, true)) }
            (other)
        }
        p.rest { (explained(&own, !steps.is_empty())) @if mark.is_some() { " The first difference is marked in both." } }
        (others(example, clean, chosen, &own))
    }
}

/// The latent steps of a branch.
fn steps(example: &Example, intervention: Intervention) -> Vec<&LatentRow> {
    example.latents.iter().filter(|l| l.intervention == intervention).collect()
}

/// The branches besides the clean one that have a text.
fn ran(example: &Example) -> impl Iterator<Item = &AnswerRow> {
    example.answers.iter().filter(|a| !a.intervention.is_clean() && a.outcome != Outcome::Error)
}

/// The branch that stands beside the clean one: the one asked for, the one filtered by, else the first that flips, the
/// first whose text is another, the first.
fn chosen<'a>(example: &'a Example, filter: &Filter) -> Option<&'a AnswerRow> {
    let asked = |intervention: Option<Intervention>| ran(example).find(|a| Some(a.intervention) == intervention);
    let right = example.clean().and_then(|clean| clean.correct);
    asked(filter.beside)
        .or_else(|| asked(filter.under))
        .or_else(|| ran(example).find(|a| a.correct.is_some() && right.is_some() && a.correct != right))
        .or_else(|| ran(example).find(|a| a.changed == Some(true)))
        .or_else(|| ran(example).next())
}

/// Where the clean text is to be marked, and the other branch.
fn beside(example: &Example, answer: &AnswerRow, own: &Laid<'_>) -> (Option<usize>, Markup) {
    let steps = steps(example, answer.intervention);
    let laid = Laid::new(&answer.text, &steps, LONGEST);
    let differ = laid.first_difference(own);
    let column = html! {
        div.branch data-branch=(answer.intervention) {
            h3 { (answer.intervention) " " (answers::marked(answer, example.clean())) }
            @if answer.text.is_empty() { p.absent { "Nothing was generated." } } @else { (laid.html(differ.map(|(place, _)| place), false)) }
            @if answer.text == example.clean().map_or("", |clean| clean.text.as_str()) { p.rest { "The same text as the clean run’s." } }
            @else if !steps.is_empty() && !laid.found { p.rest { (explained(&laid, true)) } }
        }
    };
    (differ.map(|(_, place)| place), column)
}

/// Links that put another branch beside the clean one.
fn choices(example: &Example, chosen: Option<&AnswerRow>, links: &Links<'_>) -> Markup {
    let here = chosen.map(|answer| answer.intervention);
    html! {
        @if ran(example).next().is_some() {
            details.choose {
                summary { "Beside it: " @if let Some(here) = here { (here) ". " } "Choose another" }
                p.choices {
                    @for answer in ran(example) {
                        a aria-current=[(Some(answer.intervention) == here).then_some("true")]
                            href=(Safe(&links.beside(example.example.row, answer.intervention))) { (answer.intervention) }
                        " "
                    }
                }
            }
        }
    }
}

/// The text of every other branch, with its first difference from the clean one.
fn others(example: &Example, clean: &AnswerRow, chosen: Option<&AnswerRow>, own: &Laid<'_>) -> Markup {
    let other = |a: &&AnswerRow| chosen.is_none_or(|chosen| chosen.intervention != a.intervention);
    let (same, changed): (Vec<&AnswerRow>, Vec<&AnswerRow>) = ran(example).filter(other).partition(|a| a.text == clean.text);
    html! {
        @if !same.is_empty() || !changed.is_empty() {
            details.texts {
                summary { "The text under every other intervention" }
                @if !same.is_empty() {
                    p { "As clean: " @for (i, answer) in same.iter().enumerate() { @if i > 0 { ", " } (answer.intervention) } "." }
                }
                dl {
                    @for answer in changed {
                        dt { (answer.intervention) " " (answers::marked(answer, Some(clean))) }
                        dd {
                            @if answer.text.is_empty() { small { "nothing" } }
                            @else { (short(example, answer, own)) }
                        }
                    }
                }
            }
        }
    }
}

fn short(example: &Example, answer: &AnswerRow, own: &Laid<'_>) -> Markup {
    let steps = steps(example, answer.intervention);
    let laid = Laid::new(&answer.text, &steps, LONGEST_OTHER);
    laid.html(laid.first_difference(own).map(|(place, _)| place), false)
}

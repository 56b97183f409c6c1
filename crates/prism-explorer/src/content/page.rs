//! The content of an example's page.

use maud::{Markup, html};
use prism_run::Outcome;

use super::partner::{self, Partner};
use super::{Cut, Example, Links, answers, boxes, branches, steps};

/// Longest question shown, in characters.
const LONGEST_QUESTION: usize = 4000;
/// Longest option shown.
const LONGEST_OPTION: usize = 300;
/// Longest letter shown.
const LONGEST_LETTER: usize = 24;

/// The content, from the image to the partner, without the page's frame.
pub fn html(example: &Example, partner: &Partner, links: &Links<'_>) -> Markup {
    let e = &example.example;
    html! {
        section.top {
            div.pair {
                (boxes::html(example, &links.image(e.row)))
                div {
                    p.prompt dir="auto" { (Cut(question(example), LONGEST_QUESTION)) }
                    (options(example))
                    (result(example))
                }
            }
            @if let Some(message) = &e.message { div class="callout warn" role="note" { (Cut(message, 600)) } }
            details {
                summary { "The whole prompt, " (e.prompt_tokens) " tokens of which " (e.visual_tokens) " are the image’s" }
                pre tabindex="0" aria-label="The whole prompt" { (Cut(&e.prompt, LONGEST_QUESTION)) }
            }
        }
        section id="text" { h2 { "What it generated" } (branches::html(example, links)) }
        section id="answers" { h2 { "The answer under every intervention" } (answers::html(example, links)) }
        section id="steps" { h2 { "The latent block, step by step" } (steps::html(example, links)) }
        section id="partner" { h2 { "Its counterfactual partner" } (partner::html(example, partner, links)) }
        @if !example.absent.is_empty() {
            section id="absent" { h2 { "What the records lack" } ul { @for what in &example.absent { li { (Cut(what, 400)) } } } }
        }
    }
}

/// The prompt without the options, which stand below it, and without the instruction.
fn question(example: &Example) -> &str {
    let prompt = example.example.prompt.as_str();
    if example.options().next().is_none() { prompt } else { prompt.split('\n').next().unwrap_or(prompt) }
}

/// The options with the gold one marked, or the gold answer alone.
pub fn options(example: &Example) -> Markup {
    let label = &example.example.label;
    let is_gold = |letter: char| *label == letter.to_string();
    html! {
        @if example.options().next().is_none() {
            p { "Gold: " b { (Cut(label, LONGEST_OPTION)) } }
        } @else {
            ol.options {
                @for (letter, option) in example.options() {
                    li class=[is_gold(letter).then_some("gold")] {
                        b { (letter) } " " (Cut(option, LONGEST_OPTION)) @if is_gold(letter) { " " small { "gold" } }
                    }
                }
            }
        }
    }
}

/// The clean answer in a line.
fn result(example: &Example) -> Markup {
    let Some(clean) = example.clean() else { return html! { p.absent { "The records hold no clean run of this example." } } };
    let flips = example.answers.iter().filter(|a| a.correct.is_some() && clean.correct.is_some() && a.correct != clean.correct).count();
    let under = example.answers.iter().filter(|a| !a.intervention.is_clean() && a.outcome != Outcome::Error).count();
    html! {
        p.result {
            @match (clean.outcome, clean.answer.as_deref()) {
                (Outcome::Error, _) => "It could not be run.",
                (_, Some(letter)) => {
                    "Clean answer " b { (Cut(letter, LONGEST_LETTER)) } @if clean.correct == Some(true) { ", right." } @else { ", wrong." }
                }
                (_, None) => "Clean, no answer could be parsed.",
            }
            @if clean.outcome == Outcome::NoLatents { " The latent block never opened." }
            " Correctness flips under " (flips) " of " (under) " interventions."
        }
    }
}

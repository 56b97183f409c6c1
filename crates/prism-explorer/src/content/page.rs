//! The content of an example's page.

use std::fmt::Write;

use prism_run::Outcome;

use super::partner::{self, Partner};
use super::{Example, Links, answers, boxes, cut_html, steps, text};
use prism_report::html::escape;

/// Longest question shown, in characters.
const LONGEST_QUESTION: usize = 4000;
/// Longest option shown.
const LONGEST_OPTION: usize = 300;

/// The content, from the image to the partner, without the page's frame.
pub fn html(example: &Example, partner: &Partner, links: &Links<'_>) -> String {
    let e = &example.example;
    let mut out = String::from("<section class=\"top\"><div class=\"pair\">");
    out.push_str(&boxes::html(example, &links.image(e.row)));
    let _ = write!(
        out,
        "<div><p class=\"prompt\">{}</p>{}{}</div></div>",
        cut_html(question(example), LONGEST_QUESTION),
        options(example),
        result(example)
    );
    if let Some(message) = &e.message {
        let _ = write!(out, "<aside class=\"callout warn\">{}</aside>", cut_html(message, 600));
    }
    let _ = write!(
        out,
        "<details><summary>The whole prompt, {} tokens of which {} are the image’s</summary><pre>{}</pre></details></section>",
        e.prompt_tokens,
        e.visual_tokens,
        cut_html(&e.prompt, LONGEST_QUESTION)
    );
    section(&mut out, "text", "What it generated", &clean_text(example));
    section(&mut out, "answers", "The answer under every intervention", &answers::html(example, links));
    section(&mut out, "steps", "The latent block, step by step", &steps::html(example, links));
    section(&mut out, "partner", "Its counterfactual partner", &partner::html(example, partner, links));
    if !example.absent.is_empty() {
        let list: String = example.absent.iter().map(|a| format!("<li>{}</li>", cut_html(a, 400))).collect();
        section(&mut out, "absent", "What the records lack", &format!("<ul>{list}</ul>"));
    }
    out
}

fn section(out: &mut String, id: &str, heading: &str, body: &str) {
    let _ = write!(out, "<section id=\"{id}\"><h2>{heading}</h2>{body}</section>");
}

/// The prompt without the options, which stand below it, and without the instruction.
fn question(example: &Example) -> &str {
    let prompt = example.example.prompt.as_str();
    if example.options().next().is_none() { prompt } else { prompt.split('\n').next().unwrap_or(prompt) }
}

/// The options with the gold one marked, or the gold answer alone.
pub fn options(example: &Example) -> String {
    let label = &example.example.label;
    let mut items = String::new();
    for (letter, option) in example.options() {
        let gold = *label == letter.to_string();
        let (class, mark) = if gold { (" class=\"gold\"", " <small>gold</small>") } else { ("", "") };
        let _ = write!(items, "<li{class}><b>{letter}</b> {}{mark}</li>", cut_html(option, LONGEST_OPTION));
    }
    if items.is_empty() {
        return format!("<p>Gold: <b>{}</b></p>", cut_html(label, LONGEST_OPTION));
    }
    format!("<ol class=\"options\">{items}</ol>")
}

/// The clean answer in a line.
fn result(example: &Example) -> String {
    let Some(clean) = example.clean() else { return "<p class=\"absent\">The records hold no clean run of this example.</p>".into() };
    let words = match (clean.outcome, clean.answer.as_deref(), clean.correct) {
        (Outcome::Error, _, _) => "It could not be run.".to_string(),
        (_, Some(letter), Some(true)) => format!("Clean answer <b>{}</b>, right.", cut_html(letter, 24)),
        (_, Some(letter), _) => format!("Clean answer <b>{}</b>, wrong.", cut_html(letter, 24)),
        (_, None, _) => "Clean, no answer could be parsed.".to_string(),
    };
    let latents = if clean.outcome == Outcome::NoLatents { " The latent block never opened." } else { "" };
    let flips = example.answers.iter().filter(|a| a.correct.is_some() && clean.correct.is_some() && a.correct != clean.correct).count();
    let under = example.answers.iter().filter(|a| !a.intervention.is_clean() && a.outcome != Outcome::Error).count();
    format!("<p class=\"result\">{words}{latents} Correctness flips under {flips} of {under} interventions.</p>")
}

fn clean_text(example: &Example) -> String {
    let Some(clean) = example.clean().filter(|a| !a.text.is_empty()) else {
        return format!("<p class=\"absent\">{}</p>", escape("Nothing: the clean run of this example has no text."));
    };
    text::html(&clean.text, &example.steps().collect::<Vec<_>>())
}

//! The answer under every intervention, side by side.

use std::fmt::Write;

use prism_run::Outcome;
use prism_run::records::AnswerRow;

use super::{Example, Links, cut_html};
use prism_report::chips::no_letter;
use prism_report::number::{ABSENT, decimal};

/// Longest text shown of an intervention's answer, in characters.
const LONGEST: usize = 600;

/// The table.
pub fn html(example: &Example, links: &Links<'_>) -> String {
    if example.answers.is_empty() {
        return "<p class=\"absent\">The records hold no answer of this example.</p>".into();
    }
    let clean = example.clean();
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Answers under every intervention\"><table class=\"wide by-intervention\"><thead><tr>\
         <th scope=\"col\">intervention</th><th scope=\"col\" class=\"text\">answer</th><th scope=\"col\" class=\"text\">options, %</th>\
         <th scope=\"col\">gold margin</th><th scope=\"col\">against clean</th><th scope=\"col\">entropy</th>\
         <th scope=\"col\">steps</th><th scope=\"col\">norm</th><th scope=\"col\">changed by</th>\
         <th scope=\"col\" class=\"text\">donor</th><th scope=\"col\" class=\"text\">text</th></tr></thead><tbody>",
    );
    for answer in &example.answers {
        out.push_str(&row(example, answer, clean, links));
    }
    out.push_str(
        "</tbody></table></div><p class=\"rest\">Gold margin: log-probability of the gold letter minus the best other option’s, nats, at the \
         forward that produces the answer. Norm and “changed by”: mean L2 norm of the vectors fed back, and of what the intervention changed in \
         them. Entropy: over the option letters, nats.</p>",
    );
    out
}

fn row(example: &Example, answer: &AnswerRow, clean: Option<&AnswerRow>, links: &Links<'_>) -> String {
    let before = clean.filter(|_| !answer.intervention.is_clean());
    let mut out = format!("<tr><th scope=\"row\">{}</th>{}", answer.intervention, cell(answer, before));
    let _ = write!(out, "<td class=\"text\">{}</td>", options(example, answer));
    let against = before.and_then(|c| Some(answer.gold_margin? - c.gold_margin?));
    let signed = against
        .filter(|d| d.is_finite())
        .map_or_else(|| ABSENT.to_string(), |d| if d == 0.0 { "0".into() } else { format!("{d:+.3}").replace('-', "−") });
    let _ = write!(out, "<td>{}</td><td>{signed}</td><td>{}</td>", decimal(answer.gold_margin, 3), decimal(answer.answer_entropy, 3));
    let steps = match (answer.steps_context, answer.steps_target) {
        (0, target) => target.to_string(),
        (context, target) => format!("{context} + {target}"),
    };
    let _ = write!(out, "<td>{steps}</td><td>{}</td><td>{}</td>", decimal(answer.latent_norm, 2), decimal(answer.perturbation_norm, 2));
    let _ =
        write!(out, "<td class=\"text\">{}</td><td class=\"text said\">{}</td></tr>", donor(example, answer, links), text(answer, before));
    out
}

/// The letter, ticked when right and marked against the clean run, as in the report's gallery.
pub fn cell(answer: &AnswerRow, clean: Option<&AnswerRow>) -> String {
    let letter = answer.answer.as_deref().map_or_else(|| no_letter(answer.outcome).into(), |letter| cut_html(letter, 24));
    let (class, said) = match (clean.and_then(|c| c.correct), answer.correct) {
        (Some(true), Some(false)) => ("lost", "was right, now wrong"),
        (Some(false), Some(true)) => ("gained", "was wrong, now right"),
        _ if answer.outcome == Outcome::Error => ("", "could not be run"),
        _ if clean.is_some_and(|c| c.answer != answer.answer) => ("moved", "another answer, correctness the same"),
        _ if clean.is_some() && answer.changed == Some(true) => ("reworded", "same answer, other text"),
        _ if clean.is_some() && answer.changed == Some(false) => ("", "unchanged"),
        _ => ("", ""),
    };
    let said = match (answer.outcome, class) {
        (Outcome::NoAnswer, "lost") => "was right, now no answer parsed",
        (Outcome::NoAnswer, _) => "no answer could be parsed",
        (Outcome::NoLatents, "") => "no latents ran",
        _ => said,
    };
    let tick = if answer.correct == Some(true) { "<i title=\"right\">✓</i>" } else { "" };
    format!("<td class=\"text answer {class}\"><span>{letter}{tick}</span> <small>{said}</small></td>")
}

/// Probabilities of the option letters over the whole vocabulary, the gold one set apart.
fn options(example: &Example, answer: &AnswerRow) -> String {
    let Some(logprobs) = &answer.option_logprobs else { return format!("<span class=\"absent\">{ABSENT}</span>") };
    let one = |(letter, logprob): (char, &f64)| {
        let percent = logprob.exp() * 100.0;
        let said = if percent.is_finite() { format!("{letter} {percent:.1}") } else { format!("{letter} {ABSENT}") };
        if example.example.label == letter.to_string() { format!("<b class=\"gold\">{said}</b>") } else { said }
    };
    ('A'..='Z').zip(logprobs).map(one).collect::<Vec<_>>().join(" · ")
}

fn donor(example: &Example, answer: &AnswerRow, links: &Links<'_>) -> String {
    let Some(row) = answer.donor else { return String::new() };
    if row == example.example.row {
        return "itself".into();
    }
    let label = answer.donor_label.as_deref().map_or_else(String::new, |l| format!("gold {}", cut_html(l, 24)));
    let margin = answer.donor_margin.map_or_else(String::new, |m| format!(", its margin {}", decimal(Some(m), 3)));
    match (links.id)(row) {
        Some(id) => format!("<a href=\"{}\">{}</a> <small>{label}{margin}</small>", links.example(row), cut_html(&id, 60)),
        None => format!("row {row} <small>{label}{margin}; not among the examples of this run</small>"),
    }
}

fn text(answer: &AnswerRow, clean: Option<&AnswerRow>) -> String {
    if answer.outcome == Outcome::Error {
        return "<small>nothing</small>".into();
    }
    if clean.is_some_and(|c| c.text == answer.text) {
        return "<small>as clean</small>".into();
    }
    if answer.text.is_empty() {
        return "<small>nothing</small>".into();
    }
    format!("<details><summary>show</summary><code>{}</code></details>", cut_html(&answer.text, LONGEST))
}

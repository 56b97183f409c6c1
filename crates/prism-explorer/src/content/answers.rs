//! The answer under every intervention, side by side.

use maud::{Markup, html};
use prism_run::Outcome;
use prism_run::records::AnswerRow;

use super::{Cut, Example, Links, cut};
use crate::grid::grid;
use prism_report::document::form::Unit;
use prism_report::document::html::Safe;
use prism_report::document::table::FILES;
use prism_report::document::{Cell, Column, Form, Prose, Row, Table};
use prism_report::gallery::no_letter;

/// Longest letter shown, in characters.
const LONGEST_LETTER: usize = 24;
/// The column of the letters.
const ANSWER: &str = "answer";
/// Options that have a column each; of more, the gold one alone has.
const MOST_OPTIONS: usize = 8;

/// The section's content.
pub fn html(example: &Example, links: &Links<'_>) -> Markup {
    if example.answers.is_empty() {
        return html! { p.absent { "The records hold no answer of this example." } };
    }
    let answer = |row: &Row| example.answers.iter().find(|a| Some(a.intervention) == row.intervention);
    let own = |row: &Row, column: &Column, _: &Cell| -> Option<Markup> {
        let answer = answer(row)?;
        let clean = example.clean().filter(|_| !answer.intervention.is_clean());
        match &*column.name {
            "intervention" if clean.is_some() => {
                let to = links.beside(example.example.row, answer.intervention);
                Some(html! { a href=(Safe(&to)) title="its text beside the clean one" { (answer.intervention) } })
            }
            ANSWER => Some(marked(answer, clean)),
            "donor" => Some(donor(example, answer, links)).filter(|_| answer.donor.is_some()),
            _ => None,
        }
    };
    html! {
        (grid(&table(example), "by-intervention", &own))
        p.rest {
            "Gold margin: log-probability of the gold letter minus the best other option’s, nats, at the forward that produces the answer. Norm \
             and “changed by”: mean L2 norm of the vectors fed back, and of what the intervention changed in them. Entropy: over the option \
             letters, nats. First difference: which of the generated tokens is the first that is not the clean run’s. An intervention leads to \
             its text."
        }
    }
}

/// A row an intervention.
pub fn table(example: &Example) -> Table {
    let letters = letters(example);
    let nats = |digits: usize, signed: bool| Form::Number { unit: Unit::Nats, digits, signed };
    let staged = example.answers.iter().any(|a| a.steps_context > 0);
    let context = Column::count("steps_context", "context steps");
    let mut columns = vec![Column::intervention(), Column::words(ANSWER, "answer")];
    for letter in &letters {
        let gold = example.example.label == letter.to_string();
        let heading = Prose::plain(if gold { format!("{letter}, % (gold)") } else { format!("{letter}, %") });
        let column = Column::new(format!("option_{letter}"), heading, Form::Number { unit: Unit::Percent, digits: 1, signed: false });
        columns.push(if gold || letters.len() <= MOST_OPTIONS { column } else { column.priority(FILES) });
    }
    columns.extend([
        Column::new("gold_margin", "gold margin", nats(3, true)),
        Column::new("against", "against clean", nats(3, true)),
        Column::new("entropy", "entropy", nats(3, false)),
        if staged { context } else { context.priority(FILES) },
        Column::count("steps_target", if staged { "target steps" } else { "steps" }),
        Column::decimal("norm", "norm", 2),
        Column::decimal("perturbation", "changed by", 2),
        Column::count("first_difference", "first difference"),
        Column::words("donor", "donor").because("no other example is put in"),
    ]);
    let mut table = Table::new("answers", columns);
    for answer in &example.answers {
        table.push(row(example, answer, letters.len()));
    }
    table
}

/// The letters that have a probability.
fn letters(example: &Example) -> Vec<char> {
    let most = example.answers.iter().filter_map(|a| a.option_logprobs.as_ref()).map(Vec::len).max().unwrap_or_default();
    ('A'..='Z').take(most).collect()
}

fn row(example: &Example, answer: &AnswerRow, options: usize) -> Row {
    let clean = example.clean().filter(|_| !answer.intervention.is_clean());
    let why = "not recorded: no answer was begun, or nothing was fed back";
    let only_beside = "there is no clean run beside it";
    let option = |place: usize| Cell::number(answer.option_logprobs.as_ref().and_then(|all| all.get(place)).map(|logprob| logprob.exp()));
    let row = Row { intervention: Some(answer.intervention), ..Row::new(answer.intervention.to_string()) };
    row.because(Some(why)).cells([Cell::intervention(answer.intervention), letter(answer)]).cells((0..options).map(option)).cells([
        Cell::number(answer.gold_margin),
        Cell::number(clean.and_then(|c| Some(answer.gold_margin? - c.gold_margin?))).or(if clean.is_none() { only_beside } else { why }),
        Cell::number(answer.answer_entropy),
        Cell::count(answer.steps_context),
        Cell::count(answer.steps_target),
        Cell::number(answer.latent_norm),
        Cell::number(answer.perturbation_norm),
        clean.map_or_else(|| Cell::absent(only_beside), |clean| first_difference(answer, clean)),
        answer.donor.map_or_else(|| Cell::absent("no other example is put in"), |row| Cell::text(format!("row {row}"))),
    ])
}

/// Number, from 1, of the first generated token that is not the clean run's.
fn first_difference(answer: &AnswerRow, clean: &AnswerRow) -> Cell {
    if answer.outcome == Outcome::Error {
        return Cell::absent("it could not be run");
    }
    let (own, other) = (&answer.generated, &clean.generated);
    match own.iter().zip(other).position(|(a, b)| a != b) {
        Some(place) => Cell::count(place + 1),
        None if own.len() == other.len() => Cell::absent("the same tokens as the clean run’s"),
        None => Cell::count(own.len().min(other.len()) + 1),
    }
}

/// The letter as a cell.
pub fn letter(answer: &AnswerRow) -> Cell {
    let text = answer.answer.as_deref().unwrap_or_else(|| no_letter(answer.outcome));
    let (shown, left) = cut(text, LONGEST_LETTER);
    Cell::text(if left == 0 { shown.to_string() } else { format!("{shown}…") })
}

/// The letter, ticked when right and marked against the clean run, as in the report's gallery.
pub fn marked(answer: &AnswerRow, clean: Option<&AnswerRow>) -> Markup {
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
    html! {
        span class={ "demo " (class) } {
            @match answer.answer.as_deref() {
                Some(letter) => (Cut(letter, LONGEST_LETTER)),
                None => (no_letter(answer.outcome)),
            }
            @if answer.correct == Some(true) { i title="right" { "✓" } }
        }
        " " small { (said) }
    }
}

fn donor(example: &Example, answer: &AnswerRow, links: &Links<'_>) -> Markup {
    let Some(row) = answer.donor else { return html! {} };
    if row == example.example.row {
        return html! { "itself" };
    }
    let name = (links.id)(row);
    html! {
        @match &name {
            Some(id) => a href=(Safe(&links.example(row))) { (Cut(id, 60)) },
            None => { "row " (row) }
        }
        " "
        small {
            @if let Some(label) = &answer.donor_label { "gold " (Cut(label, LONGEST_LETTER)) }
            @if let Some(margin) = answer.donor_margin {
                ", its margin " (Form::Number { unit: Unit::Nats, digits: 3, signed: true }.write(&Cell::number(margin).value))
            }
            @if name.is_none() { "; not among the examples of this run" }
        }
    }
}

//! The counterfactual partner: the same scene and question with the one attribute changed
//! that changes the answer.

use maud::{Markup, html};

use super::{Cut, Example, Links, answers, boxes};
use crate::grid::grid;
use prism_report::document::html::Safe;
use prism_report::document::{Cell, Column, Row, Table};

/// What became of the partner.
pub enum Partner {
    /// The benchmark names none.
    None,
    /// It is named, but the run does not hold it.
    Absent(String),
    /// It could not be read.
    Damaged(String),
    /// Here it is.
    Here(Box<Example>),
}

/// The section's content.
pub fn html(example: &Example, partner: &Partner, links: &Links<'_>) -> Markup {
    match partner {
        Partner::None => html! { p.absent { "The benchmark names no counterfactual partner for this example." } },
        Partner::Absent(id) => html! {
            p.absent {
                "Its partner, " (Cut(id, 80)) ", is not among the examples of this run: audit a benchmark file that holds both (of a generated \
                 world, test_paired.jsonl)."
            }
        },
        Partner::Damaged(reason) => html! { p.absent { "Its partner could not be read: " (Cut(reason, 400)) } },
        Partner::Here(there) => beside(example, there, links),
    }
}

fn beside(example: &Example, there: &Example, links: &Links<'_>) -> Markup {
    let question = there.example.prompt.split('\n').next().unwrap_or_default();
    html! {
        div.pair {
            (boxes::html(there, &links.image(there.example.row)))
            div {
                p { a rel="related" href=(Safe(&links.example(there.example.row))) { (Cut(&there.example.id, 80)) } }
                p.prompt dir="auto" { (Cut(question, 600)) }
                (super::page::options(there))
                (both(example, there))
                p.rest { (verdict(example, there)) }
            }
        }
    }
}

/// Their answers under every intervention.
fn both(example: &Example, there: &Example) -> Markup {
    let columns = vec![Column::intervention(), Column::words("this", "this example"), Column::words("partner", "its partner")];
    let mut table = Table::new("partners", columns);
    for answer in &example.answers {
        let other = there.answers.iter().find(|a| a.intervention == answer.intervention);
        let row = Row { intervention: Some(answer.intervention), ..Row::new(answer.intervention.to_string()) };
        table.push(row.because(Some("not run")).cells([
            Cell::intervention(answer.intervention),
            answers::letter(answer),
            other.map_or_else(|| Cell::absent(""), answers::letter),
        ]));
    }
    let own = |row: &Row, column: &Column, _: &Cell| {
        let of = match &*column.name {
            "this" => example,
            "partner" => there,
            _ => return None,
        };
        let answer = of.answers.iter().find(|a| Some(a.intervention) == row.intervention)?;
        Some(answers::marked(answer, of.clean().filter(|_| !answer.intervention.is_clean())))
    };
    grid(&table, "partners", &own)
}

/// What the two clean answers say together.
fn verdict(example: &Example, there: &Example) -> &'static str {
    let letters = |of: &Example| of.clean().and_then(|a| a.answer.clone());
    let right = |of: &Example| of.clean().and_then(|a| a.correct) == Some(true);
    match (letters(example), letters(there)) {
        (None, _) | (_, None) => "Clean, at least one of the two gave no answer.",
        _ if right(example) && right(there) => "Clean, both answers are right: the change of the image reached the answer.",
        (a, b) if a == b => "Clean, both got the same letter: the change of the image did not change the answer.",
        _ => "Clean, the letters differ, and not both are right.",
    }
}

//! The counterfactual partner: the same scene and question with the one attribute changed
//! that changes the answer.

use std::fmt::Write;

use super::{Example, Links, answers, boxes, cut_html};

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
pub fn html(example: &Example, partner: &Partner, links: &Links<'_>) -> String {
    let there = match partner {
        Partner::None => return "<p class=\"absent\">The benchmark names no counterfactual partner for this example.</p>".into(),
        Partner::Absent(id) => {
            return format!(
                "<p class=\"absent\">Its partner, {}, is not among the examples of this run: audit a benchmark file that holds both (of a generated world, test_paired.jsonl).</p>",
                cut_html(id, 80)
            );
        }
        Partner::Damaged(reason) => return format!("<p class=\"absent\">Its partner could not be read: {}</p>", cut_html(reason, 400)),
        Partner::Here(there) => there,
    };
    let address = links.example(there.example.row);
    let mut out = format!(
        "<div class=\"pair\">{}<div><p><a rel=\"related\" href=\"{address}\">{}</a></p><p class=\"prompt\">{}</p>{}",
        boxes::html(there, &links.image(there.example.row)),
        cut_html(&there.example.id, 80),
        cut_html(there.example.prompt.split('\n').next().unwrap_or_default(), 600),
        super::page::options(there)
    );
    out.push_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Answers of the partners\"><table class=\"by-intervention\"><thead><tr><th scope=\"col\">intervention</th>\
         <th scope=\"col\" class=\"text\">this example</th><th scope=\"col\" class=\"text\">its partner</th></tr></thead><tbody>",
    );
    let empty = "<td class=\"text soft\">not run</td>".to_string();
    for answer in &example.answers {
        let other = there.answers.iter().find(|a| a.intervention == answer.intervention);
        let before = |of: &Example| of.clean().filter(|_| !answer.intervention.is_clean()).cloned();
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th>{}{}</tr>",
            answer.intervention,
            answers::cell(answer, before(example).as_ref()),
            other.map_or_else(|| empty.clone(), |a| answers::cell(a, before(there).as_ref()))
        );
    }
    let _ = write!(out, "</tbody></table></div><p class=\"rest\">{}</p></div></div>", verdict(example, there));
    out
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

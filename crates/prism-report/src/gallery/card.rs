//! One example as HTML: image with its boxes, question, options, and the answers
//! of every run, clean and under each intervention, flips marked.

use std::fmt::Write;

use prism_run::{Intervention, RegionBox};

use super::picture::{self, Picture};
use super::{Answer, Flip, Shown};
use crate::chips::no_letter;
use crate::html::{clipped, escape};
use crate::sections::swatch;
use crate::study::{Part, Study};

/// Longest question, and longest option, label or name shown, in characters.
const LONGEST: (usize, usize) = (1200, 200);

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
pub fn html(context: Context<'_>, shown: &Shown, place: usize) -> String {
    let Context { study, part, runs, interventions, prefix } = context;
    let e = &shown.example;
    let run = runs.first().and_then(|&i| part.audits.get(i)).map(|a| a.folder.as_path());
    let id = clipped(&e.id, 80);
    let picture = picture::read(&e.image, run.unwrap_or(std::path::Path::new(".")), &study.sources);
    let mut out = String::new();
    let flips = match shown.flipped.len() {
        0 => String::new(),
        1 => "<span class=\"flips\">1 flip</span>".into(),
        n => format!("<span class=\"flips\">{n} flips</span>"),
    };
    let category = e.category.as_deref().map_or_else(String::new, |c| format!(" · {}", escape(&clipped(&c.replace('_', " "), 60))));
    let _ = write!(
        out,
        "<article class=\"card\" id=\"{prefix}example-{place}\" data-example=\"{}\" data-flips=\"{}\"><header><span class=\"place\">{place}</span><span class=\"id\">{}{category}</span>{flips}</header>",
        escape(&id),
        escape(&flipped(study, part, shown)),
        escape(&id)
    );
    out.push_str("<div class=\"card-body\">");
    out.push_str(&image_html(&picture, &boxes(&e.boxes), &id, e.images));
    out.push_str("<div class=\"question\">");
    let (question, rest) = e.prompt.split_once('\n').unwrap_or((e.prompt.as_str(), ""));
    let _ = write!(out, "<p dir=\"auto\">{}</p>", escape(&clipped(question, LONGEST.0)));
    let options: Vec<&str> = e.options.iter().map(String::as_str).filter(|o| !o.is_empty()).collect();
    if options.is_empty() {
        if !rest.trim().is_empty() {
            let _ = write!(out, "<p class=\"rest\">{}</p>", escape(&clipped(rest.trim(), LONGEST.0)));
        }
        let _ = write!(out, "<p>Gold: <b>{}</b></p>", escape(&clipped(&e.label, LONGEST.1)));
    } else {
        out.push_str("<ol class=\"options\">");
        for (option, letter) in options.iter().zip('A'..='Z') {
            let gold = e.label == letter.to_string();
            let _ = write!(
                out,
                "<li{}><b>{letter}</b> {}{}</li>",
                if gold { " class=\"gold\"" } else { "" },
                escape(&clipped(option, LONGEST.1)),
                if gold { " <small>gold</small>" } else { "" }
            );
        }
        out.push_str("</ol>");
    }
    out.push_str("</div></div>");
    out.push_str(&answers_html(study, part, runs, interventions, shown));
    if let Some(message) = &e.message {
        let _ = write!(out, "<p class=\"rest\">Could not be run: {}</p>", escape(&clipped(message, LONGEST.0)));
    }
    out.push_str(&texts_html(study, part, runs, interventions, shown));
    out.push_str("</article>");
    out
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

fn image_html(picture: &Result<Picture, String>, boxes: &[RegionBox], id: &str, images: usize) -> String {
    let mut out = String::from("<figure class=\"thumb\">");
    match picture {
        Ok(p) => {
            let _ = write!(
                out,
                "<div class=\"frame\"><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"Image of example {}\" decoding=\"async\">",
                p.uri,
                p.width,
                p.height,
                escape(id)
            );
            out.push_str("<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
            for class in ["under", "over"] {
                for RegionBox([x0, y0, x1, y1]) in boxes {
                    let _ = write!(
                        out,
                        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                        x0 * 1000.0,
                        y0 * 1000.0,
                        (x1 - x0) * 1000.0,
                        (y1 - y0) * 1000.0
                    );
                }
            }
            out.push_str("</svg></div>");
        }
        Err(reason) => {
            let _ = write!(out, "<div class=\"missing\"><b>No image</b><span>{}</span></div>", escape(reason));
        }
    }
    if images > 1 {
        let _ = write!(out, "<figcaption>first of {images} images</figcaption>");
    }
    out.push_str("</figure>");
    out
}

/// A column per run, a row per intervention: interventions are many, runs few, and a card is narrow.
fn answers_html(study: &Study, part: &Part, runs: &[usize], interventions: &[Intervention], shown: &Shown) -> String {
    let id = escape(&clipped(&shown.example.id, 80));
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Answers to {id}\"><table class=\"answers\"><thead><tr><td></td>"
    );
    let columns: Vec<_> =
        runs.iter().filter_map(|index| Some((study.style(part.audits.get(*index)?), shown.answers.get(index)?))).collect();
    for (style, _) in &columns {
        let _ = write!(out, "<th scope=\"col\" data-variant=\"{}\">{}{}</th>", escape(&style.id), swatch(style), escape(&style.name));
    }
    out.push_str("</tr></thead><tbody>");
    for i in std::iter::once(Intervention::CLEAN).chain(interventions.iter().copied()) {
        let of = if i.is_clean() { String::new() } else { format!(" data-intervention=\"{i}\"") };
        let _ = write!(out, "<tr{of}><th scope=\"row\">{i}</th>");
        for (style, answers) in &columns {
            out.push_str(&cell(answers.get(&i), answers.get(&Intervention::CLEAN).filter(|_| !i.is_clean()), &style.id));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

/// A letter, ticked when right; against the clean answer a flip is filled and a
/// change between two wrong letters is outlined.
fn cell(answer: Option<&Answer>, clean: Option<&Answer>, variant: &str) -> String {
    let variant = escape(variant);
    let Some(a) = answer else { return format!("<td class=\"none\" data-variant=\"{variant}\" title=\"not run\">–</td>") };
    let letter = a.letter.as_deref().map_or_else(|| no_letter(a.outcome).into(), |letter| escape(&clipped(letter, 12)));
    let (class, title) = match (clean.and_then(|c| c.correct), a.correct) {
        (Some(true), Some(false)) => ("lost", "was right, now wrong"),
        (Some(false), Some(true)) => ("gained", "was wrong, now right"),
        _ if clean.is_some_and(|c| c.letter != a.letter) => ("moved", "another answer, correctness the same"),
        _ if clean.is_some() && a.changed == Some(true) => ("reworded", "same answer, other text"),
        _ => ("", ""),
    };
    let title = if title.is_empty() { String::new() } else { format!(" title=\"{title}\"") };
    let tick = if a.correct == Some(true) { "<i>✓</i>" } else { "" };
    format!("<td class=\"{class}\" data-variant=\"{variant}\"{title}><span>{letter}{tick}</span></td>")
}

fn texts_html(study: &Study, part: &Part, runs: &[usize], interventions: &[Intervention], shown: &Shown) -> String {
    let mut out = String::from("<details><summary>Generated text</summary><dl class=\"texts\">");
    for &index in runs {
        let (Some(audit), Some(answers)) = (part.audits.get(index), shown.answers.get(&index)) else { continue };
        let name = &study.style(audit).name;
        let mut written: Vec<&str> = Vec::new();
        for intervention in std::iter::once(Intervention::CLEAN).chain(interventions.iter().copied()) {
            let Some(a) = answers.get(&intervention) else { continue };
            // What was written before under the same run is not repeated.
            if written.contains(&a.text.as_str()) {
                continue;
            }
            written.push(&a.text);
            let cut = if a.cut > 0 { format!(" <small>… {} more characters</small>", a.cut) } else { String::new() };
            let text = if a.text.is_empty() { "<small>nothing</small>".to_string() } else { escape(&a.text) };
            let _ = write!(out, "<dt>{} <small>{intervention}</small></dt><dd><code dir=\"auto\">{text}</code>{cut}</dd>", escape(name));
        }
    }
    out.push_str("</dl><p class=\"rest\">Under one variant a text equal to an earlier one is not repeated.</p></details>");
    out
}

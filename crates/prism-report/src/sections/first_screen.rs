//! The first screen: the verdict in words, the figures behind it, and what must
//! be known before anything else is read.

use std::fmt::Write;

use maud::html;
use prism_audit::findings::VerdictFinding;
use prism_run::Class;

use super::{callout, n_equals};
use crate::document::{self, Prose};
use crate::html::{clipped, escape, typeset};
use crate::number::{correlation, interval, p_value, percent, points, spread};
use crate::study::{Part, Study};
use crate::{chips, verdict};

/// Longest text about what could not be run, in characters.
const LONGEST_FAILED: usize = 4000;

/// Warnings that stand open; the rest is folded.
const OPEN_WARNINGS: usize = 6;

/// What could not be run, verdict, alarms, the four answers and key figures.
pub fn section(study: &Study, part: &Part, brief: &str) -> String {
    let failed = failed(study, part);
    if nothing_ran(part) {
        // Nothing ran, so there is no verdict and no figure: only what to do.
        let said: Vec<String> = failed.iter().map(|(said, whose)| whose_failed(part, said, whose)).collect();
        return format!("<p class=\"verdict\">{}</p>{brief}", said.join(" "));
    }
    let mut out = String::new();
    for (said, whose) in &failed {
        out.push_str(&callout("alarm", &format!("<b>Not every example was run.</b> {}", whose_failed(part, said, whose))));
    }
    let _ = write!(out, "<p class=\"verdict\">{}</p>", typeset(&verdict::sentence(study, part)));
    out.push_str(&forest(study, part));
    if let [only] = part.audits.as_slice()
        && let Some(c) = only.conclusion()
    {
        let _ = write!(out, "<p class=\"verdict-more\">{}</p>", chips::answers(c));
    }
    let limits = verdict::limits(study, part);
    if !limits.is_empty() {
        out.push_str(&callout("warn", &format!("<b>What limits these words.</b> {}", typeset(&limits))));
    }
    for text in [verdict::damage(study, part), verdict::caution(part)].iter().filter(|text| !text.is_empty()) {
        let _ = write!(out, "<p class=\"verdict-more\">{}</p>", typeset(text));
    }
    out.push_str(&alarms(study, part));
    out.push_str(brief);
    out.push_str(&key_figures(study, part));
    out
}

/// Units of the picture at 1280 pixels, and at 390.
const WIDE: f64 = 1104.0;
const NARROW: f64 = 358.0;

/// The changes by class, all variants, before anything else is read.
fn forest(study: &Study, part: &Part) -> String {
    let forest = super::corruption::forest(study, part);
    if forest.is_empty() {
        return String::new();
    }
    let mut caption = Prose::said("Against each variant\u{2019}s clean run, with 95 % intervals");
    caption = match part.margin() {
        Some(margin) => caption.and("; grey: within ±").text(crate::number::plain_points(margin)).and(" points, fixed beforehand."),
        None => caption.and("."),
    };
    html! {
        figure.first-picture { (forest.wide(WIDE)) (forest.narrow(NARROW)) figcaption { (document::html::prose(&caption, "")) } }
    }
    .into_string()
}

/// Whether in no run one example could be run.
pub fn nothing_ran(part: &Part) -> bool {
    !part.audits.is_empty() && part.audits.iter().all(|audit| audit.findings.nothing_ran())
}

/// What could not be run, with the names of the runs that say it; each text once.
pub fn failed(study: &Study, part: &Part) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for audit in &part.audits {
        let Some(said) = audit.findings.failed() else { continue };
        let name = part.run_name(study, audit);
        match found.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => found.push((said, vec![name])),
        }
    }
    found
}

/// A text about what could not be run as the page sets it, with its runs where not all say it.
fn whose_failed(part: &Part, said: &str, whose: &[String]) -> String {
    let names = if whose.len() == part.audits.len() { String::new() } else { format!(" <small>{}</small>", escape(&whose.join(", "))) };
    format!("{}{names}", typeset(&clipped(said, LONGEST_FAILED)))
}

/// A loud banner for every run whose block never opened, or that may be guessing.
fn alarms(study: &Study, part: &Part) -> String {
    let mut out = guessing(study, part);
    out.push_str(&unread(study, part));
    for audit in &part.audits {
        let Some(clean) = audit.clean() else { continue };
        if clean.opened == Some(0.0) {
            out.push_str(&callout(
                "alarm",
                &format!(
                    "<b>No latent ran in {}.</b> The block never opened in any of {} examples, so every intervention on it did nothing; a change of zero says nothing about the latents.",
                    escape(&part.run_name(study, audit)),
                    clean.examples
                ),
            ));
        }
    }
    out
}

/// One banner for the runs that may be guessing.
fn guessing(study: &Study, part: &Part) -> String {
    let mut names = Vec::new();
    let mut why = Vec::new();
    for audit in &part.audits {
        let Some((low, high, floor)) = audit.guesses() else { continue };
        let name = part.run_name(study, audit);
        why.push(format!("{name}: {} to {} %, {} %", percent(Some(low)), percent(Some(high)), percent(Some(floor))));
        names.push(name);
    }
    if names.is_empty() {
        return String::new();
    }
    let (is, its, them) = if names.len() == 1 { ("is", "Its", "its") } else { ("are", "Their", "their") };
    callout(
        "alarm",
        &format!(
            "<b>{} {is} not shown to be above guessing.</b> {its} clean accuracy reaches down to what the commonest letter of each question type gets, so that no loss is shown does not say that {them} latents do nothing; a gain can still be shown. <small>95 % interval, commonest letters: {}.</small>",
            escape(&verdict::list(names.iter().map(String::as_str))),
            escape(&why.join("; "))
        ),
    )
}

/// Clean answers that cannot be parsed, from which share on they are said at the head of the page.
const UNREAD: f64 = 0.05;

/// One line for the runs whose clean answers often cannot be parsed: they count as wrong, before any damage.
fn unread(study: &Study, part: &Part) -> String {
    let of = |audit: &crate::study::Audit| {
        let clean = audit.clean().filter(|c| c.examples > 0 && c.no_answer as f64 >= UNREAD * c.examples as f64)?;
        let share = percent(Some(clean.no_answer as f64 / clean.examples as f64));
        Some(format!("{} {} of {} ({share} %)", part.run_name(study, audit), clean.no_answer, clean.examples))
    };
    let found: Vec<String> = part.audits.iter().filter_map(of).collect();
    if found.is_empty() {
        return String::new();
    }
    let list = verdict::list(found.iter().map(String::as_str));
    callout(
        "warn",
        &format!("<b>Clean answers that cannot be parsed</b> count as wrong, before anything is done to latents: {}.", escape(&list)),
    )
}

fn key_figures(study: &Study, part: &Part) -> String {
    let mut items: Vec<(String, String)> = Vec::new();
    items.push((n_equals(part).replace("n = ", ""), "questions".into()));
    let runs = part.audits.len();
    let variants = part.variants().len();
    items.push(if runs == variants {
        (variants.to_string(), if variants == 1 { "variant, one seed".into() } else { "variants, one seed each".into() })
    } else {
        (variants.to_string(), format!("variants, {runs} runs"))
    });
    if let Some((_, low, high)) = spread(part.audits.iter().map(|a| a.clean().and_then(|c| c.accuracy))) {
        let range = if percent(Some(low)) == percent(Some(high)) {
            percent(Some(low))
        } else {
            format!("{}–{}", percent(Some(low)), percent(Some(high)))
        };
        let floor = part.audits.iter().filter_map(|a| a.summary()?.type_floor).reduce(f64::max);
        let floor =
            floor.map_or_else(String::new, |m| format!("; guessing the commonest letter of each question type: {}", percent(Some(m))));
        items.push((format!("{range} %"), format!("accuracy, clean{floor}")));
    }
    if let Some(base) = study.base.as_ref().filter(|base| base.benchmark == part.benchmark && base.accuracy.is_some()) {
        items.push((
            format!("{} %", percent(base.accuracy)),
            "accuracy of the base model they start from, which has no latent block".into(),
        ));
    }
    for (class, asked) in [(Class::Content, "another content"), (Class::Presence, "less than the block")] {
        let of_class = |v: &&VerdictFinding| v.class == class && v.intervention.is_whole();
        let all = part.audits.iter().flat_map(|a| a.findings.verdict.iter().filter(of_class).map(move |v| (a, v)));
        let largest =
            all.filter_map(|(a, v)| Some((a, v, a.change(v.intervention)?))).max_by(|x, y| x.2.delta.abs().total_cmp(&y.2.delta.abs()));
        let Some((audit, v, change)) = largest else { continue };
        let what = format!(
            "largest change with {asked}, points, 95 % {}: {} under {}",
            interval(change.low, change.high, points),
            part.run_name(study, audit),
            v.intervention
        );
        items.push((points(Some(change.delta)), what));
    }
    if let Some((_, f)) = &study.comparison
        && let Some(row) = verdict::headline(&f.comparison).filter(|row| row.r.is_some())
    {
        let clusters = if row.cluster_warning.is_some() { "; the points cluster, so it says little" } else { "" };
        let free = f.comparison.iter().find(|r| r.unit == row.unit && r.x == "cosine_free" && r.y == "accuracy" && r.given.is_none());
        let free = free.filter(|r| r.r.is_some());
        let freely = free.map_or_else(String::new, |r| {
            format!("; free-running: exact p {}, {}", p_equals(r.exact_p), interval(r.fisher_low, r.fisher_high, correlation))
        });
        let what = format!(
            "r of cosine with accuracy over {} {}: teacher-forced, exact p {}, Fisher 95 % {}{clusters}{freely}",
            row.variants,
            if row.unit == "run" { "runs" } else { "variants" },
            p_equals(row.exact_p),
            interval(row.fisher_low, row.fisher_high, correlation)
        );
        let both = free.map_or_else(String::new, |r| format!(", {}", correlation(r.r)));
        items.push((format!("{}{both}", correlation(row.r)), what));
    }
    let body: String = items.iter().map(|(v, k)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(k), escape(v))).collect();
    format!("<dl class=\"key\">{body}</dl><p class=\"rest\"><a href=\"#words\">What every word of this page means.</a></p>")
}

fn p_equals(p: Option<f64>) -> String {
    let text = p_value(p);
    if text.starts_with('<') { text } else { format!("= {text}") }
}

/// The warnings of the audits and of the comparison, each once.
pub fn warnings(study: &Study, part: &Part) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |text: &str, whose: String| match lines.iter_mut().find(|(t, _)| t == text) {
        Some((_, names)) => names.push(whose),
        None => lines.push((text.to_string(), vec![whose])),
    };
    for audit in &part.audits {
        for w in &audit.findings.warnings {
            add(&w.text, part.run_name(study, audit));
        }
    }
    if let Some((_, findings)) = &study.comparison {
        for w in &findings.warnings {
            add(&w.text, "comparison".into());
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let items: Vec<String> = lines
        .iter()
        .map(|(text, names)| {
            let whose = if names.len() == part.audits.len() && names.len() > 1 { "all runs".to_string() } else { names.join(", ") };
            format!("<li>{} <small>{}</small></li>", typeset(text), escape(&whose))
        })
        .collect();
    let (open, folded) = items.split_at(items.len().min(OPEN_WARNINGS));
    let more = if folded.is_empty() {
        String::new()
    } else {
        format!("<details><summary>{} more</summary><ul>{}</ul></details>", folded.len(), folded.concat())
    };
    callout("warn", &format!("<b>Read this first.</b><ul>{}</ul>{more}", open.concat()))
}

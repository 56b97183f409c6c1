//! Four questions a reader comes with, answered on the first screen: what does each run show,
//! how sure is it, which examples show it, how is it run again.

use std::fmt::Write;

use prism_audit::findings::{ConclusionFinding, VerdictFinding};
use prism_run::{Content, Intervention, Need};

use super::{conclusions, first_screen, provenance};
use crate::gallery::{Flip, Gallery};
use crate::html::{clipped, escape};
use crate::number::{count_word, percent, plain_points};
use crate::study::{Audit, Part, Study};

/// Examples named, at least, if there are as many.
const NAMED: usize = 4;
/// Examples named, at most: one of each variant.
const MOST_NAMED: usize = 6;
/// Command lines printed.
const LINES: usize = 3;

/// The four answers of one benchmark; where no example could be run, what is left to ask. Links lead to cards whose ids
/// begin with `prefix`.
pub fn html(study: &Study, part: &Part, gallery: &Gallery, prefix: &str) -> String {
    let mut out = String::from("<dl class=\"brief\">");
    let mut item = |question: &str, answer: String| {
        let _ = write!(out, "<div><dt>{question}</dt><dd>{answer}</dd></div>");
    };
    if first_screen::nothing_ran(part) {
        item("Which examples failed?", format!("<p>All of them. <a href=\"#{prefix}outcomes\">How they ended, by cause.</a></p>"));
        item("How do I run it again?", rerun(study));
        out.push_str("</dl>");
        return out;
    }
    item(
        "Is what each block says used, and is the block needed?",
        format!(
            "{}<p class=\"rest\"><a href=\"#{prefix}conclusions\">The rule and the figures behind each word.</a></p>",
            conclusions::brief(study, part)
        ),
    );
    item("How sure is it?", sure(part));
    item("Which examples show it?", examples(study, part, gallery, prefix));
    item("How do I run it again?", rerun(study));
    out.push_str("</dl>");
    out
}

fn sure(part: &Part) -> String {
    let verdicts = || part.audits.iter().flat_map(|a| &a.findings.verdict);
    let mut lines = Vec::new();
    let n = match part.examples() {
        Some((low, high)) if low == high => format!("{low} questions a run"),
        Some((low, high)) => format!("{low} to {high} questions a run"),
        None => "An unknown number of questions".into(),
    };
    let seeds = part.variants().into_iter().map(|v| part.of(v).count()).min().unwrap_or(0);
    lines.push(match seeds {
        1 => format!("{n}, one training seed a variant: what another seed would give is not known."),
        s => format!("{n}, {} training seeds a variant.", count_word(s)),
    });
    if let Some(margin) = part.margin() {
        lines.push(format!(
            "The margin is {} points, fixed before the run: for losses, for equivalence, and for the share of answers that change. Each run is judged by itself; tests are adjusted (Holm) within its declared content set, and within its presence set.",
            plain_points(margin)
        ));
    }
    let decisive = || {
        let of = |a: &Audit, v: &VerdictFinding| a.conclusion().is_some_and(|c| c.decisive.contains(&v.intervention));
        part.audits.iter().flat_map(move |a| a.findings.verdict.iter().filter(move |v| of(a, v)))
    };
    if let Some(clusters) = verdicts().filter(|v| v.clustered_p.is_some()).map(|v| v.clusters).max() {
        lines.push(format!(
            "Questions that share an image, a pair or a partner are not independent: tests and bounds take their {clusters} clusters whole."
        ));
    }
    lines.extend(named(part));
    let shows: Option<Vec<f64>> = decisive().map(|v| v.detectable.filter(|d| d.is_finite())).collect();
    match shows.map(|all| all.into_iter().reduce(f64::max)) {
        Some(Some(most)) => lines.push(format!(
            "A decisive test of all answers, by itself and question by question, would show a change of {} points (80 % power).",
            percent(Some(most))
        )),
        Some(None) => {}
        None => lines.push("Some decisive tests have too few questions to show any change at the discordance seen (80 % power).".into()),
    }
    if let Some(needed) = part.audits.iter().filter_map(|a| a.conclusion()?.needed).max() {
        lines.push(format!("What is undecided of the first question would take about {needed} questions."));
    }
    let idle = || {
        let rows = part.audits.iter().flat_map(|a| &a.findings.faithfulness);
        rows.filter(|f| f.category == crate::change::ALL && f.intervention.is_sham())
    };
    let (checked, changed) = idle().fold((0, 0), |(n, c), f| (n + f.examples, c + f.changed));
    if checked > 0 {
        lines.push(match changed {
            0 => format!("Doing nothing through the same hook changed none of {checked} outputs, as it must."),
            c => format!("<b>Doing nothing through the same hook changed {c} of {checked} outputs: the instrument is broken here.</b>"),
        });
    }
    format!("<ul>{}</ul>", lines.into_iter().map(|l| format!("<li>{l}</li>")).collect::<String>())
}

/// The decisive interventions: those of every run, then those of some.
fn named(part: &Part) -> Option<String> {
    let mut counted: Vec<(Intervention, usize)> = Vec::new();
    for intervention in part.audits.iter().filter_map(|a| a.conclusion()).flat_map(|c| &c.decisive) {
        match counted.iter_mut().find(|(known, _)| known == intervention) {
            Some((_, n)) => *n += 1,
            None => counted.push((*intervention, 1)),
        }
    }
    let of = |all: bool| -> String {
        let fits = counted.iter().filter(|(_, n)| (*n == part.audits.len()) == all);
        conclusions::listed(&fits.map(|(intervention, _)| *intervention).collect::<Vec<_>>())
    };
    let (every, some) = (of(true), of(false));
    let some = if some.is_empty() { String::new() } else { format!("{}in some runs {some}", if every.is_empty() { "" } else { "; " }) };
    (!counted.is_empty()).then(|| format!("Decisive for what the block says, for they put another content in its place: {every}{some}."))
}

/// The interventions that the words of a run rest on, those of content first; where none is named, the decisive ones.
fn resting_on(c: &ConclusionFinding) -> Vec<Intervention> {
    let on = [c.resting_on.as_slice(), &c.presence_on].concat();
    if on.is_empty() { c.decisive.clone() } else { on }
}

/// Whether a flip is of the kind the run's words speak of; where they name none, whether it goes the way most go.
fn is_typical(audit: &Audit, c: &ConclusionFinding, flip: &Flip) -> bool {
    let of_content = c.resting_on.contains(&flip.intervention);
    match (c.content, c.presence) {
        (Content::Used | Content::InPart, _) if of_content => !flip.gained && flip.to.is_some(),
        (Content::Misleading, _) if of_content => flip.gained,
        (_, Need::Needed) if !of_content => !flip.gained && flip.to.is_some(),
        (_, Need::OnlyForm) if !of_content => !flip.gained && flip.to.is_none(),
        (_, Need::InTheWay) if !of_content => flip.gained,
        _ => audit.change(flip.intervention).is_none_or(|change| flip.gained == (change.delta > 0.0)),
    }
}

/// The example of a run that shows its words best: a flip under what they rest on, of the kind they speak of.
fn best<'a>(gallery: &'a Gallery, audit: &Audit, run: usize, used: &[&str]) -> Option<(usize, &'a Flip)> {
    let conclusion = audit.conclusion()?;
    let under = resting_on(conclusion);
    let rests = |f: &Flip| f.run == run && under.contains(&f.intervention);
    let all = || {
        let free = gallery.shown.iter().enumerate().filter(|(_, s)| !used.contains(&s.example.id.as_str()));
        free.flat_map(|(place, s)| s.flipped.iter().filter(|f| rests(f)).map(move |f| (place, f)))
    };
    all().find(|(_, f)| is_typical(audit, conclusion, f)).or_else(|| all().next())
}

fn examples(study: &Study, part: &Part, gallery: &Gallery, prefix: &str) -> String {
    let mut named: Vec<String> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    // One of each variant first; more where there are few variants.
    let rounds = NAMED.div_ceil(gallery.runs.len().max(1));
    for &run in gallery.runs.iter().cycle().take(gallery.runs.len() * rounds) {
        if named.len() >= NAMED.max(gallery.runs.len().min(MOST_NAMED)) {
            break;
        }
        let Some(audit) = part.audits.get(run) else { continue };
        let Some((place, f)) = best(gallery, audit, run, &used) else { continue };
        let s = &gallery.shown[place];
        used.push(&s.example.id);
        let letter = |l: &Option<String>| l.as_deref().map_or_else(|| "no answer".to_string(), |l| escape(&clipped(l, 8)));
        let became = if f.gained { "right" } else { "wrong" };
        named.push(format!(
            "<li><a href=\"#{prefix}example-{}\">{}</a>: {} answers {} clean, {} under {}, now {became}</li>",
            place + 1,
            escape(&clipped(&s.example.id, 40)),
            escape(&study.style(audit).name),
            letter(&f.from),
            letter(&f.to),
            f.intervention
        ));
    }
    if gallery.total == 0 {
        return "<p>The records could not be read, so no example is shown.</p>".into();
    }
    let all = format!(
        "<p class=\"rest\"><a href=\"#{prefix}examples\">All {} shown, and every flip.</a> A flip by itself is no effect: answers flip both ways.</p>",
        gallery.shown.len()
    );
    if named.is_empty() {
        return format!(
            "<p>None: no intervention that the words rest on turns a right answer wrong, or a wrong one right, in the examples shown ({} of {} flip under any).</p>{all}",
            gallery.flipping, gallery.total
        );
    }
    format!(
        "<p>Over all variants and interventions together, {} of {} examples change between right and wrong somewhere. Of the kind each verdict speaks of, where there is one:</p><ul>{}</ul>{all}",
        gallery.flipping,
        gallery.total,
        named.concat()
    )
}

fn rerun(study: &Study) -> String {
    let lines = provenance::command_lines(study);
    if lines.is_empty() {
        return "<p>The manifests name no command.</p>".into();
    }
    let shown: Vec<&str> = lines.iter().take(LINES).map(String::as_str).collect();
    let more = lines.len() - shown.len();
    let more = if more > 0 { format!("{more} more commands, ") } else { String::new() };
    let builds: std::collections::BTreeSet<String> =
        study.parts.iter().flat_map(|p| &p.audits).map(|a| format!("{} ({})", a.manifest.version, a.manifest.commit)).collect();
    let builds = escape(&clipped(&builds.into_iter().collect::<Vec<_>>().join(", "), 200));
    let dirty =
        if builds.contains("-dirty") { " Built from a tree with changes that were not committed: it cannot be checked out." } else { "" };
    let recipe = if study.recipe.is_some() { ", the recipe" } else { "" };
    format!(
        "<pre tabindex=\"0\" aria-label=\"Commands\">{}</pre><p>With Prism {builds}.{dirty}</p><p class=\"rest\"><a href=\"#provenance\">{more}versions{recipe}, inputs with their hashes, settings.</a></p>",
        escape(&shown.join("\n"))
    )
}

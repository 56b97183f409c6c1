//! The words of the page, explained where they stand: interventions by class, variants, stages,
//! verdicts and measures, those alone that occur.

use std::fmt::Write;

use prism_run::{Content, Effect, Intervention, Need, Stage, Variant, Verdict};

use super::Builder;
use crate::html::escape;
use crate::interventions::{CLASSES, about, described, place};
use crate::study::Study;

/// What a stage of a block is.
fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Context => "the first latents of a staged block: in training they stand for the surroundings of the region",
        Stage::Free => "latents of a staged block that no target is given for",
        Stage::Target => "latents that stand for the region the question is about; a block of one stage has only these",
    }
}

/// What a run's word says.
fn content(content: Content) -> &'static str {
    match content {
        Content::Used => "what the block says is used: with another example\u{2019}s content accuracy falls by at least the margin",
        Content::Misleading => {
            "what the block says is used and does harm: with another example\u{2019}s content accuracy rises by at least the margin"
        }
        Content::NotUsed => {
            "what the block says is not used: under no decisive intervention do as many answers change as the margin, by the upper bound"
        }
        Content::WithoutNetEffect => "what the block says changes answers, and accuracy and choice stay equivalent within the margin",
        Content::InPart => "the whole shows no loss, and a category of questions does",
        Content::Undecided => "neither use nor its absence is shown; the clause says why",
        Content::NoLatents => "the block opened in no example, so there was nothing to test",
        Content::InstrumentFault => "interventions that must change nothing changed answers, so nothing can be said",
    }
}

/// What the answer to the second question says.
fn need(need: Need) -> &'static str {
    match need {
        Need::Needed => {
            "without the block accuracy falls by at least the margin, the choice included; a model that was always trained to open its block has not learnt to do without: needed is not useful"
        }
        Need::OnlyForm => "without it answers cannot be parsed; the choice is equivalent",
        Need::InTheWay => "without it accuracy rises by at least the margin",
        Need::Indifferent => "without it accuracy is equivalent within the margin",
        Need::NotDefined => "the block cannot be left out, or was not",
        Need::Undecided => "none of these is shown",
        Need::NoLatents => "the block opened in no example",
        Need::InstrumentFault => "a control changed something",
    }
}

/// What the word of an intervention says.
fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Unchanged => {
            "the share of answers whose letter or parse state changes is below the margin, by its one-sided 95 % upper bound"
        }
        Effect::Equivalent => "answers change, and accuracy and choice are equivalent within the margin",
        Effect::Loses => "accuracy falls, and the choice with it, each after Holm\u{2019}s adjustment",
        Effect::Gains => "accuracy rises, and the choice with it, each after Holm\u{2019}s adjustment",
        Effect::BreaksForm => "accuracy falls because answers cannot be parsed any more; the choice among parsed answers is equivalent",
        Effect::Undecided => "none of these is shown",
        Effect::TooWeak => "what was put in hardly differs from what was there",
        Effect::NotDefined => "there is nothing it could be compared with, or nothing it could do",
        Effect::NoLatents => "the block opened in no example",
    }
}

/// Measures and other words.
const MEASURES: [(&str, &str); 16] = [
    (
        "latent",
        "a vector the model feeds back to itself as its next input, in place of a word; a <i>block</i> is a row of them between two markers",
    ),
    ("clean", "the run of the model with nothing done to it; every change is against it, on the same questions"),
    (
        "cosine",
        "how alike a latent is to its <i>teacher target</i>, the visual embedding of the region it was trained to match: 1 the same direction, 0 unrelated",
    ),
    (
        "teacher-forced",
        "the model is fed the targets and asked for the next; <i>free-running</i>: it is fed its own latents, as when it answers",
    ),
    ("linear probe", "a linear classifier that reads the answer off a hidden state, tested on questions it was not fitted to"),
    ("(a), (b), gap <i>G</i>", "probe at the state that writes the answer, at the last latent, and their difference"),
    ("floor", "what knowing nothing of the image gets: the commonest letter of each question type"),
    ("points", "difference of two percentages"),
    ("margin", "the largest change that would still be called none, fixed before the run"),
    ("McNemar, Holm", "the exact test of gained against lost answers, and its adjustment over the run\u{2019}s tests of the same family"),
    (
        "decisive",
        "declared before the run: the content set answers the first question, the presence set the second; everything else explains",
    ),
    (
        "strength",
        "root mean square distance of what was put in from the example\u{2019}s clean latents, each dimension over its natural spread over examples; random donors have about 1.4",
    ),
    ("choice", "accuracy among the questions whose answer could be parsed both ways: what is lost there is not form"),
    ("no answer", "no text stands behind the last <code>&lt;answer&gt;</code>, or no option letter: it counts as wrong"),
    ("flip", "an answer that turns from right to wrong, or back"),
    ("counterfactual partner", "the same scene and question with the one attribute changed that changes the answer"),
];

/// The section.
pub fn section(study: &Study, builder: &mut Builder) -> String {
    let mut out = String::from("<div class=\"words\">");
    let mut group = |heading: &str, rows: &[(String, String)]| {
        if rows.is_empty() {
            return;
        }
        let _ = write!(out, "<div><h3>{heading}</h3><dl>");
        for (word, meaning) in rows {
            let _ = write!(out, "<dt>{word}</dt><dd>{meaning}</dd>");
        }
        out.push_str("</dl></div>");
    };
    let all = occurring(study);
    for class in CLASSES {
        let of: Vec<(String, String)> =
            all.iter().filter(|i| i.class() == class).map(|i| (i.to_string(), escape(&described(*i)))).collect();
        group(&format!("Interventions: {class} <small>{}</small>", about(class)), &of);
    }
    let of_variant = |id: &str| Variant::about(id).map(|about| about.split_once(": ").map_or(about.clone(), |(_, rest)| rest.to_string()));
    let variants: Vec<(String, String)> =
        study.variants.iter().filter_map(|style| Some((escape(&style.name), escape(&of_variant(&style.id)?)))).collect();
    group("Variants", &variants);
    let spoken = |word: &dyn std::fmt::Display, meaning: &str| (word.to_string(), meaning.to_string());
    group("Stages of a block", &Stage::ALL.map(|s| spoken(&format!("{s} stage"), stage(s))));
    let runs = || study.parts.iter().flat_map(|p| &p.audits).filter_map(|a| a.conclusion());
    let words: Vec<_> = Content::ALL.into_iter().filter(|c| runs().any(|r| r.content == *c)).collect();
    group(
        "The word of a run: is what its block says used?",
        &words.iter().map(|c| spoken(&Verdict::from(*c), content(*c))).collect::<Vec<_>>(),
    );
    let needs: Vec<_> = Need::ALL.into_iter().filter(|n| runs().any(|r| r.presence == *n)).collect();
    group("Of its block: is it needed?", &needs.iter().map(|n| spoken(n, need(*n))).collect::<Vec<_>>());
    let shown = || study.parts.iter().flat_map(|p| &p.audits).flat_map(|a| &a.findings.verdict);
    let effects: Vec<_> = Effect::ALL.into_iter().filter(|e| shown().any(|v| v.verdict == *e)).collect();
    group("Of an intervention", &effects.iter().map(|e| spoken(e, effect(*e))).collect::<Vec<_>>());
    group("Measures", &MEASURES.map(|(word, meaning)| spoken(&word, meaning)));
    out.push_str("</div>");
    builder.section("words", "Words", &out)
}

/// Every intervention of the page, each once.
fn occurring(study: &Study) -> Vec<Intervention> {
    let mut all: Vec<Intervention> = study.parts.iter().flat_map(|p| p.interventions()).collect();
    all.sort_by_key(|i| place(*i));
    all.dedup();
    all
}

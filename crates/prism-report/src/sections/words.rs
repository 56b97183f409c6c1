//! The words of the page, explained where they stand: interventions by class, variants, stages,
//! verdicts and measures, those alone that occur.

use std::collections::HashSet;

use prism_run::{Class, Content, Effect, Intervention, Need, Stage, Variant, Verdict};

use crate::document::html::term_id;
use crate::document::{Block, Prose, Section};
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
const MEASURES: [(&str, &str); 20] = [
    (
        "latent",
        "a vector the model feeds back to itself as its next input, in place of a word; a *block* is a row of them between two markers",
    ),
    ("clean", "the run of the model with nothing done to it; every change is against it, on the same questions"),
    (
        "cosine",
        "how alike a latent is to its *teacher target*, the visual embedding of the region it was trained to match: 1 the same direction, 0 unrelated",
    ),
    (
        "teacher-forced",
        "the model is fed the targets and asked for the next; *free-running*: it is fed its own latents, as when it answers",
    ),
    ("linear probe", "a linear classifier that reads the answer off a hidden state, tested on questions it was not fitted to"),
    ("(a), (b), gap G", "probe at the state that writes the answer, at the last latent, and their difference"),
    ("floor", "what knowing nothing of the image gets, a *guess*: the most common letter of each question type"),
    ("points", "difference of two percentages"),
    ("margin", "the largest change that would still be called none; to be fixed before the run"),
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
    ("no answer", "no text stands after the last `<answer>`, or no option letter: it counts as wrong"),
    ("flip", "an answer that turns from right to wrong, or back"),
    ("counterfactual partner", "the same scene and question with the one attribute changed that changes the answer"),
    (
        "effective rank",
        "how many dimensions the latents use: the exponential of the entropy of their singular values, 1 where all lie on one line",
    ),
    (
        "whitened",
        "compared in the metric of the targets\u{2019} covariance: a direction in which targets differ little counts for as much as one in which they differ much",
    ),
    ("times even", "attention on the annotated boxes over what an even spread over the image would put there: 1 is even"),
    ("logit lens", "what the output head says of a latent\u{2019}s state, as if the model had to speak there"),
];

/// The heading of the interventions of a class.
fn heading(class: Class) -> &'static str {
    match class {
        Class::Content => "Interventions: content",
        Class::Presence => "Interventions: presence",
        Class::Order => "Interventions: order",
        Class::Damage => "Interventions: damage",
        Class::Help => "Interventions: help",
        Class::Control => "Interventions: control",
    }
}

/// The section.
pub fn section(study: &Study) -> Section {
    let mut words = Words { section: Section::new("words", "Words"), known: HashSet::new() };
    let all = occurring(study);
    for class in CLASSES {
        let of = all.iter().filter(|i| i.class() == class).map(|i| (i.to_string(), Prose::plain(described(*i))));
        words.group(heading(class), Some(about(class)), of);
    }
    let of_variant = |id: &str| Variant::about(id).map(|about| about.split_once(": ").map_or(about.clone(), |(_, rest)| rest.to_string()));
    let variants = study.variants.iter().filter_map(|style| Some((style.name.clone(), Prose::plain(of_variant(&style.id)?))));
    words.group("Variants", None, variants);
    words.group("Stages of a block", None, Stage::ALL.into_iter().map(|s| (format!("{s} stage"), stage(s).into())));
    let runs = || study.parts.iter().flat_map(|p| &p.audits).filter_map(|a| a.conclusion());
    let said = Content::ALL.into_iter().filter(|c| runs().any(|r| r.content == *c));
    words.group("The word of a run: is what its block says used?", None, said.map(|c| (Verdict::from(c).to_string(), content(c).into())));
    let needs = Need::ALL.into_iter().filter(|n| runs().any(|r| r.presence == *n));
    words.group("Of its block: is it needed?", None, needs.map(|n| (n.to_string(), need(n).into())));
    let shown = || study.parts.iter().flat_map(|p| &p.audits).flat_map(|a| &a.findings.verdict);
    let effects = Effect::ALL.into_iter().filter(|e| shown().any(|v| v.verdict == *e));
    words.group("Of an intervention", None, effects.map(|e| (e.to_string(), effect(e).into())));
    words.group("Measures", None, MEASURES.into_iter().map(|(word, meaning)| (word.to_string(), meaning.into())));
    words.section
}

/// The section while it is written, and the words that have a place of their own already.
struct Words {
    section: Section,
    known: HashSet<String>,
}

impl Words {
    /// Words under a heading. The first of a name is where links to it lead.
    fn group(&mut self, heading: &'static str, about: Option<&'static str>, rows: impl Iterator<Item = (String, Prose)>) {
        let known = &mut self.known;
        let mut named = |word: String| if known.insert(term_id(&word)) { Prose::default().defined(word) } else { Prose::plain(word) };
        let terms: Vec<(Prose, Prose)> = rows.map(|(word, meaning)| (named(word), meaning)).collect();
        if terms.is_empty() {
            return;
        }
        self.section.blocks.push(Block::Heading(heading));
        self.section.blocks.extend(about.map(|about| Block::Prose(about.into())));
        self.section.blocks.push(Block::Terms(terms));
    }
}

/// Every intervention of the page, each once.
fn occurring(study: &Study) -> Vec<Intervention> {
    let mut all: Vec<Intervention> = study.parts.iter().flat_map(|p| p.interventions()).collect();
    all.sort_by_key(|i| place(*i));
    all.dedup();
    all
}

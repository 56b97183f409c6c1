//! The words of a verdict as pages print them: one look each, in the report and the explorer.

use prism_audit::findings::ConclusionFinding;
use prism_run::{Effect, Need, Outcome, Verdict};

use crate::html::escape;

/// The CSS class of a run's word.
pub fn class_of_word(word: Verdict) -> &'static str {
    match word {
        Verdict::LoadBearing | Verdict::Misleading | Verdict::InPart => "changes",
        Verdict::Bypassed | Verdict::WithoutNetEffect => "bypassed",
        Verdict::Undecided => "undecided",
        Verdict::NoLatents | Verdict::InstrumentFault => "silent",
    }
}

/// The CSS class of the answer to the second question.
pub fn class_of_need(need: Need) -> &'static str {
    match need {
        Need::Needed | Need::InTheWay => "changes",
        Need::Indifferent => "bypassed",
        Need::Undecided | Need::NotDefined => "undecided",
        Need::OnlyForm | Need::NoLatents | Need::InstrumentFault => "silent",
    }
}

/// The CSS class of what one intervention shows.
pub fn class_of_effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Loses | Effect::Gains => "changes",
        Effect::Unchanged | Effect::Equivalent => "bypassed",
        Effect::Undecided | Effect::NotDefined => "undecided",
        Effect::BreaksForm | Effect::TooWeak | Effect::NoLatents => "silent",
    }
}

/// The run's word: what its latents say, and whether that is used.
pub fn word(word: Verdict) -> String {
    format!("<span class=\"word {}\">{word}</span>", class_of_word(word))
}

/// The word of a run, with a star and its reason where something limits it.
pub fn word_of(conclusion: &ConclusionFinding) -> String {
    match &conclusion.qualifier {
        Some(limit) => {
            let class = class_of_word(conclusion.word);
            format!("<span class=\"word {class}\" title=\"{}\">{}</span>", escape(limit), conclusion.marked_word())
        }
        None => word(conclusion.word),
    }
}

/// Whether the block is needed.
pub fn need(need: Need) -> String {
    format!("<span class=\"word {}\">{need}</span>", class_of_need(need))
}

/// What one intervention shows.
pub fn effect(effect: Effect) -> String {
    format!("<span class=\"word {}\">{effect}</span>", class_of_effect(effect))
}

/// Both answers of a run.
pub fn answers(conclusion: &ConclusionFinding) -> String {
    format!("{}, block {}", word_of(conclusion), need(conclusion.presence))
}

/// What stands in place of a letter where none was parsed.
pub fn no_letter(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NoLatents => "○",
        Outcome::Error => "!",
        Outcome::Scored | Outcome::NoAnswer => "∅",
    }
}

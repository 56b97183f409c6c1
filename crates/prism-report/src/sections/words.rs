//! The words of the page, explained where they stand: variants, stages, interventions,
//! verdicts and measures, those alone that occur.

use std::fmt::Write;

use prism_audit::conclusion::LOAD_BEARING;
use prism_audit::verdict::{BREAKS, BYPASSED, CHANGES, NO_BASELINE, NO_LATENTS, TOO_WEAK, UNDECIDED};
use prism_run::{Action, Donor, Intervention, Variant, View};

use super::Builder;
use crate::html::escape;
use crate::study::{Study, intervention_label};

/// Stages of a block.
const STAGES: [(&str, &str); 3] = [
    ("context stage", "the first latents of a staged block: in training they stand for the surroundings of the region"),
    ("free stage", "latents of a staged block that no target is given for"),
    ("target stage", "latents that stand for the region the question is about; a block of one stage has only these"),
];

/// Words of verdicts.
const VERDICTS: [(&str, &str); 8] = [
    (LOAD_BEARING, "of a run: damage to the latents costs the right choice, by at least the margin"),
    (
        BYPASSED,
        "of an intervention: accuracy is shown to stay within the margin (two one-sided tests at 5 %, so it is the 90 % interval that lies inside, not the 95 % drawn); of a run: so under every decisive one",
    ),
    (BREAKS, "damage costs answers, and those that can still be read are not shown to be worse"),
    (CHANGES, "of an intervention: accuracy is shown to be another, lower or higher"),
    (
        UNDECIDED,
        "of an intervention: neither a change nor its absence is shown; of a run: what its decisive interventions show is none of the words above, the clause says why; of the page: no variant bears, and not all are bypassed",
    ),
    (TOO_WEAK, "the latents, or the outputs, were hardly moved: nothing was tested"),
    (NO_BASELINE, "of an intervention: the clean run under the same view of the image is missing, so there is nothing to compare with"),
    (NO_LATENTS, "the block never opened: there was nothing to damage"),
];

/// Measures and other words.
const MEASURES: [(&str, &str); 14] = [
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
    ("McNemar, Holm", "the exact test of gained against lost answers, and its adjustment for the number of tests of the page"),
    ("decisive intervention", "one that changes the latents by at least half of their norm, or takes them out, over the whole block"),
    ("no answer", "no text stands behind the last <code>&lt;answer&gt;</code>, or no option letter: it counts as wrong"),
    ("flip", "an answer that turns from right to wrong, or back"),
    ("counterfactual partner", "the same scene and question with the one attribute changed that changes the answer"),
];

/// The section.
pub fn html(study: &Study, builder: &mut Builder) -> String {
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
    let interventions: Vec<(String, String)> =
        occurring(study).into_iter().filter_map(|text| Some((escape(&intervention_label(&text)), escape(&intervention(&text)?)))).collect();
    group("What is done to the latents", &interventions);
    let about = |id: &str| Variant::about(id).map(|about| about.split_once(": ").map_or(about.clone(), |(_, rest)| rest.to_string()));
    let variants: Vec<(String, String)> =
        study.variants.iter().filter_map(|style| Some((escape(&style.name), escape(&about(&style.id)?)))).collect();
    group("Variants", &variants);
    let fixed = |rows: &[(&str, &str)]| -> Vec<(String, String)> { rows.iter().map(|(w, m)| ((*w).into(), (*m).into())).collect() };
    group("Stages of a block", &fixed(&STAGES));
    group("Verdicts", &fixed(&VERDICTS));
    group("Measures", &fixed(&MEASURES));
    out.push_str("</div>");
    builder.section("words", "Words", &out)
}

/// Every intervention of the page, each once.
fn occurring(study: &Study) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for intervention in study.parts.iter().flat_map(|p| p.interventions()) {
        if !all.contains(&intervention) {
            all.push(intervention);
        }
    }
    all
}

/// What an intervention does, in words; `None` for text that names none.
pub fn intervention(text: &str) -> Option<String> {
    let Intervention { action, scope, view } = text.parse().ok()?;
    let mut out = done(action);
    let mut places = Vec::new();
    if let Some(stage) = scope.stage {
        places.push(format!("in the {} stage only", stage.name()));
    }
    match scope.steps {
        Some((first, last)) if first == last => places.push(format!("at step {first} only")),
        Some((first, last)) => places.push(format!("at steps {first} to {last} only")),
        None => {}
    }
    if let Some(layer) = scope.layer {
        places.push(format!("at the input of layer {layer}"));
    }
    if !places.is_empty() {
        let _ = write!(out, " ({})", places.join(", "));
    }
    if let Some(seen) = seen(view) {
        let _ = write!(out, "; {seen}");
    }
    Some(out)
}

fn done(action: Action) -> String {
    match action {
        Action::Clean => "nothing is done to the latents".into(),
        Action::Zero => "every latent is set to 0 before it is read; the steps are still taken".into(),
        Action::Noise(s) => format!("normal noise of standard deviation {s} is added to every latent, in the units of the hidden state"),
        Action::RelativeNoise(r) => {
            format!("normal noise is added, {r} times as wide as latents differ between examples, dimension by dimension")
        }
        Action::NormMatched => "every latent becomes a random direction of the same length".into(),
        Action::Mean => "every latent becomes the mean of other examples\u{2019} latents at its step".into(),
        Action::Constant => "every latent becomes one vector, the same for all steps and examples".into(),
        Action::Draw => "every latent is drawn at random with the mean and covariance of others at its step".into(),
        Action::FirstRepeat => "every latent becomes the first of its block".into(),
        Action::Reversed => "the block\u{2019}s latents in reverse order".into(),
        Action::Shuffled => "the block\u{2019}s latents in random order".into(),
        Action::Swap(Donor::Itself) => "a swap with itself, which must change nothing: the check of the instrument".into(),
        Action::Swap(who) => format!("the latents of {} take their place, step by step", donor(who)),
        Action::Mix { share, donor: who } => format!("each latent is mixed with {share} of that of {}", donor(who)),
        Action::Oracle => {
            "the teacher\u{2019}s targets for the right region take their place: the best the training could have made them".into()
        }
        Action::WrongOracle => "the teacher\u{2019}s targets for a region of the same size elsewhere".into(),
        Action::Forced(k) => format!("the teacher\u{2019}s targets for the first {k} steps, then the model\u{2019}s own latents"),
        Action::Remove => "the block is not opened: its start token stays, no step is taken, and the model writes on".into(),
        Action::Evict => "the steps are taken, then hidden from everything after the block".into(),
        Action::Markers => "the block\u{2019}s start and end token with no step between".into(),
        Action::Format => "no block: only the words the clean run wrote after it, up to the answer".into(),
    }
}

fn donor(donor: Donor) -> String {
    match donor {
        Donor::Random => "another example, drawn at random,".into(),
        Donor::Row(row) => format!("the example in row {row}"),
        Donor::SameAnswer => "another example with the same right answer".into(),
        Donor::OtherAnswer => "another example with another right answer".into(),
        Donor::SameImage => "another question about the same image".into(),
        Donor::Counterfactual => "the counterfactual partner".into(),
        Donor::Itself => "the example itself".into(),
    }
}

fn seen(view: View) -> Option<&'static str> {
    match view {
        View::Open => None,
        View::ImageHidden => Some("the image is hidden from everything after the block, so the answer cannot look again"),
        View::NoImage => Some("the question is asked without its image"),
        View::Grey => Some("a grey image stands in place of the image"),
        View::OtherImage => Some("another example\u{2019}s image stands in place of the image"),
        View::ShuffledPatches => Some("the image\u{2019}s patches are in random order"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_intervention_has_words() {
        let found = intervention("zero/context/step=1@image-hidden").unwrap();
        assert!(found.contains("set to 0") && found.contains("in the context stage only, at step 1 only") && found.contains("hidden from"));
        assert!(intervention("swap:counterfactual").unwrap().contains("counterfactual partner"));
        assert!(intervention("no such thing").is_none());
    }
}

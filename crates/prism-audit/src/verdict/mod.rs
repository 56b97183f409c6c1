//! What may be said of a run's latents: two questions, answered apart.
//!
//! 1. *Is what they say used?* The declared content set decides ([`content_word`]): exchanges with
//!    donors, and resampling. Markers, positions and number of steps stay, so nothing else changes.
//! 2. *Is the block needed?* The declared presence set decides ([`need_word`]).
//!
//! Damage explains, and decides neither: zero lies off the distribution, so a loss under it may
//! be one of form. [`measure`] makes the numbers of one intervention, [`family`] adjusts them,
//! [`effect`] gives it its word, [`within_categories`] looks for a loss that the whole hides, [`sentence`]
//! says the result aloud. Judged once, here: page, terminal and JSON read what this returns.

pub mod content_word;
pub mod effect;
pub mod family;
pub mod measure;
pub mod need_word;
pub mod sentence;
pub mod within_categories;

use std::collections::BTreeSet;

use prism_run::records::ExampleRow;
use prism_run::{Class, Content, Effect, Intervention, Need, Role, View};

use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::{CategoryFinding, ConclusionFinding, VerdictFinding};
use crate::pairs::{Branch, Pair, opened, right, within_view};
use crate::summary::type_floor;
use crate::validity::same;

pub use family::{adjust, adjust_across, in_words};

/// Share of the examples whose block must have opened for a word without qualifier.
pub const OPENED: f64 = 0.8;

/// Edition of the rule: raised with every change that can change a word, so that findings of an older one are made again.
pub const EDITION: usize = 6;

/// The rule, to be printed beside every verdict.
pub const RULE: &str = "Every number reads the examples whose latent block opened in the clean run. First question: is what the block says used? \
The declared content set decides, one family of tests. `used`: under at least one exchange accuracy falls by at least the margin (p below alpha after \
Holm), and so it does among the answers parsed both ways (Holm). `misleading`: the same with the sign turned. `not used`: under every decisive \
intervention, an exchange of vectors and one of keys and values among them and each strong enough, the share of answers whose letter or parse state \
changes is below the margin by its one-sided 95 % Clopper-Pearson bound (counted by cluster where there are clusters, and no higher than answers with one donor agree), and no category of 20 examples or \
more hides a loss. `used without net effect`: not that, and accuracy and choice equivalent within the margin everywhere. `used in part`: so for the whole, \
and a category loses under an exchange (Holm over categories). `undecided`: anything else. Nothing is called unused, and no block needless, where the clean accuracy is not above a guess by question \
type by twice the margin. Second question: is the block needed? The declared presence set decides, a family of its own; `remove` where it was run, `markers` (an opened, empty block) only where it was not. `needed`: without it accuracy \
falls by at least the margin, choice included; where answers without the block cannot be parsed, so that the choice is not known, it is read from `format`, which puts the clean run's words around the answer. `only its form`: answers cannot be parsed, the choice equivalent. `in the way`: accuracy rises by at least the \
margin. `indifferent`: equivalent. A model that was always trained to open its block has not learnt to do without: needed is not useful. \
Interventions on some steps, one stage or one layer, and under another view of the image, explain and decide nothing.";

/// A run, judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// One per intervention that does something.
    pub verdicts: Vec<VerdictFinding>,
    /// The decisive ones by category.
    pub categories: Vec<CategoryFinding>,
    /// Both answers. Variant, seed and step budget are left for the caller to fill in.
    pub conclusion: ConclusionFinding,
}

/// Judges a run from its answers.
pub fn judge(branches: &[Branch<'_>], examples: &[ExampleRow], clusters: &Clusters, settings: &AuditSettings) -> Judged {
    let verdicts = verdicts(branches, clusters, settings);
    let clean = branches.iter().find(|b| b.is_clean());
    let ran: Vec<&Pair<'_>> = clean.into_iter().flat_map(|b| &b.pairs).collect();
    let open: Vec<&Pair<'_>> = ran.iter().copied().filter(|p| opened(p.clean)).collect();
    // A control under a view of the image stands beside the clean run under that view.
    let controls = branches.iter().filter(|b| is_idle(b) && !b.is_clean()).filter_map(|b| within_view(b, branches));
    let faults = controls.flat_map(|b| b.pairs).filter(|p| !same(p.clean, p.other)).count();
    let decisive: Vec<&VerdictFinding> = settings
        .content
        .iter()
        .filter_map(|declared| verdicts.iter().find(|v| v.intervention == *declared))
        .filter(|v| v.holm_p.is_some() && (!is_partner(v.intervention) || content_word::partner_counts(v)))
        .collect();
    let partners = partners_suffice(examples, settings);
    let ran_at_all = |i: &Intervention| verdicts.iter().any(|v| v.intervention == *i && v.holm_p.is_some());
    // An exchange with partners is asked for only where the benchmark holds enough of them.
    let missing = |i: &&Intervention| match is_partner(**i) {
        true => partners && !ran_at_all(i),
        false => !decisive.iter().any(|v| v.intervention == **i),
    };
    let missing: Vec<Intervention> = settings.content.iter().filter(missing).copied().collect();
    let of_decisive: Vec<&Branch<'_>> = branches.iter().filter(|b| decisive.iter().any(|v| v.intervention == b.intervention)).collect();
    let categories = within_categories::categories(&of_decisive, clusters, settings);
    let presence: Vec<&VerdictFinding> =
        settings.presence.iter().filter_map(|declared| verdicts.iter().find(|v| v.intervention == *declared)).collect();
    let rows: BTreeSet<usize> = open.iter().map(|p| p.clean.row).collect();
    let of_open: Vec<ExampleRow> = examples.iter().filter(|e| rows.contains(&e.row)).cloned().collect();
    let (accuracy_low, floor) = (measure::accuracy_low(&open, clusters), type_floor(&of_open));
    let (content, need) = if faults > 0 {
        let rule = "a control that must change nothing changed answers";
        (unasked(Content::InstrumentFault, rule), need_word::Answer { need: Need::InstrumentFault, rule: rule.into(), on: Vec::new() })
    } else if open.is_empty() {
        let rule = "the block opened in no example";
        (unasked(Content::NoLatents, rule), need_word::Answer { need: Need::NoLatents, rule: rule.into(), on: Vec::new() })
    } else {
        let accuracy = Some(open.iter().filter(|p| right(p.clean)).count() as f64 / open.len() as f64);
        let evidence =
            content_word::Evidence { decisive: decisive.clone(), missing, categories: &categories, accuracy, accuracy_low, floor };
        let guesses = content_word::guesses(accuracy_low, floor, settings);
        (content_word::answer(&evidence, settings), need_word::answer(&presence, guesses))
    };
    let share = |of: usize, all: usize| (all > 0).then(|| of as f64 / all as f64);
    let opened_share = share(open.len(), ran.len());
    let qualifier = opened_share
        .filter(|share| *share < OPENED && !open.is_empty())
        .map(|share| format!("it speaks of the {:.0} % of examples whose block opened", 100.0 * share));
    let conclusion = ConclusionFinding {
        variant: String::new(),
        seed: None,
        word: content.content.into(),
        content: content.content,
        presence: need.need,
        sentence: sentence::sentence(&content, &need, &verdicts, faults, opened_share),
        qualifier,
        declared_content: settings.content.clone(),
        decisive: decisive.iter().map(|v| v.intervention).collect(),
        declared_presence: settings.presence.clone(),
        presence_on: need.on.clone(),
        examples: open.len(),
        opened: opened_share,
        accuracy: share(open.iter().filter(|p| right(p.clean)).count(), open.len()),
        accuracy_low,
        type_floor: floor,
        changed_bound: decisive.iter().filter_map(|v| v.changed_bound).reduce(f64::max),
        spread_over_norm: None,
        steps_context: None,
        steps_target: None,
        inside_lengths: None,
        needed: content.needed,
        margin: settings.equivalence_margin,
        alpha: settings.alpha,
        reason: reasons(&content.on, &need.on, &verdicts),
        resting_on: content.on,
        rule: content.rule,
        rule_edition: EDITION,
        presence_rule: need.rule,
    };
    Judged { verdicts, categories, conclusion }
}

fn unasked(content: Content, rule: &str) -> content_word::Answer {
    content_word::Answer { content, rule: rule.into(), on: Vec::new(), category: None, needed: None }
}

/// Whether it must change nothing, under whichever view of the image.
fn is_idle(branch: &Branch<'_>) -> bool {
    Intervention { view: View::Open, ..branch.intervention }.is_sham()
}

/// Whether as many examples have their counterfactual partner beside them as `unchanged` needs.
fn partners_suffice(examples: &[ExampleRow], settings: &AuditSettings) -> bool {
    let ids: BTreeSet<&str> = examples.iter().map(|e| e.id.as_str()).collect();
    let with = examples.iter().filter(|e| e.counterfactual.as_deref().is_some_and(|id| ids.contains(id))).count();
    content_word::unchanged_needs(settings.equivalence_margin, settings.alpha).is_some_and(|needed| with / 2 >= needed)
}

/// Whether it exchanges with the counterfactual partner, which not every example has.
fn is_partner(intervention: Intervention) -> bool {
    intervention.action.donor() == Some(prism_run::Donor::Counterfactual)
}

/// One finding per intervention that does something, adjusted within the run and worded.
pub fn verdicts(branches: &[Branch<'_>], clusters: &Clusters, settings: &AuditSettings) -> Vec<VerdictFinding> {
    let acting = branches.iter().filter(|b| !b.is_clean() && !is_idle(b));
    let opens = branches.iter().filter(|b| b.is_clean()).flat_map(|b| &b.pairs).any(|p| opened(p.clean));
    let mut found: Vec<VerdictFinding> = acting
        .map(|branch| match within_view(branch, branches) {
            // Where blocks opened and none of these examples ran under it, it could not be done.
            Some(branch) => {
                let ran = branch.pairs.iter().any(|p| opened(p.clean));
                VerdictFinding { baseline: !opens || ran, ..measure::measure(&branch, clusters, settings) }
            }
            None => {
                VerdictFinding { baseline: false, ..measure::measure(&Branch { pairs: Vec::new(), ..branch.clone() }, clusters, settings) }
            }
        })
        .collect();
    adjust(&mut found);
    found
}

fn reasons(content: &[Intervention], need: &[Intervention], verdicts: &[VerdictFinding]) -> Vec<String> {
    verdicts
        .iter()
        .filter(|v| content.contains(&v.intervention) || need.contains(&v.intervention))
        .filter_map(|v| Some(format!("{}: {}", v.intervention, v.reason.as_ref()?)))
        .collect()
}

/// Damage told as damage: the strongest loss of form that is shown, e.g. `zero breaks the form of 41 of 100 answers`.
pub fn damage_in_words(verdicts: &[VerdictFinding]) -> Option<String> {
    let damage = verdicts.iter().filter(|v| v.class == Class::Damage && v.role == Role::Explains && v.intervention.is_whole());
    let share = |v: &VerdictFinding| v.lost_unparsed as f64 / v.examples.max(1) as f64;
    let worst = damage.filter(|v| v.verdict == Effect::BreaksForm).max_by(|a, b| share(a).total_cmp(&share(b)))?;
    Some(format!("`{}` breaks the form of {} of {} answers", worst.intervention, worst.lost_unparsed, worst.examples))
}

#[cfg(test)]
mod tests;

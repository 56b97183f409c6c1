//! The first question: is what the latents say used? Read from the declared content set alone.

use prism_run::{Content, Intervention, Role};

use super::effect::{is_strong, is_unchanged, shown};
use super::within_categories::{Shows, shows};
use crate::AuditSettings;
use crate::findings::{CategoryFinding, VerdictFinding};
use crate::power::{ASSUMED, POWER};
use crate::statistics::clopper_pearson::needed_for_unchanged;
use crate::statistics::equivalence::needed_for_equivalence;

/// What the first question reads.
pub struct Evidence<'a> {
    /// The members of the declared set that were run and count.
    pub decisive: Vec<&'a VerdictFinding>,
    /// Declared members that were not run.
    pub missing: Vec<Intervention>,
    /// Decisive interventions by category.
    pub categories: &'a [CategoryFinding],
    /// Clean accuracy.
    pub accuracy: Option<f64>,
    /// Its lower bound, and the floor of a guess that knows the question type.
    pub accuracy_low: Option<f64>,
    /// See there.
    pub floor: Option<f64>,
}

/// The answer, its clause, and what it rests on.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The answer.
    pub content: Content,
    /// The clause of the rule.
    pub rule: String,
    /// The interventions it rests on.
    pub on: Vec<Intervention>,
    /// The category that loses, for `in part`.
    pub category: Option<CategoryFinding>,
    /// Examples that would decide.
    pub needed: Option<usize>,
}

/// Whether foreign content costs (`sign` -1) or raises (+1) accuracy by the rule: accuracy and choice after
/// Holm, each by at least the margin. So where fewer answers change than the margin, nothing is used.
fn moves(v: &VerdictFinding, sign: f64) -> bool {
    let by_margin = [v.delta, v.choice_delta].iter().all(|delta| delta.is_some_and(|d| d * sign >= v.margin));
    v.role.is_exchange() && shown(v, sign) && v.choice_holm_p.is_some_and(|p| p < v.alpha) && by_margin
}

/// Whether a partner exchange counts: strong enough, and as many examples as `unchanged` needs.
pub fn partner_counts(v: &VerdictFinding) -> bool {
    let enough = unchanged_needs(v.margin, v.alpha).is_some_and(|needed| v.clusters.min(v.examples) >= needed);
    enough && is_strong(v)
}

/// Examples of which `unchanged` can be expected where few answers change.
pub fn unchanged_needs(margin: f64, alpha: f64) -> Option<usize> {
    needed_for_unchanged(ASSUMED, margin, alpha, POWER)
}

/// Whether an accuracy is not above a guess by question type by twice the margin; one that is not known is not.
pub fn guesses(accuracy: Option<f64>, floor: Option<f64>, settings: &AuditSettings) -> bool {
    match (accuracy, floor) {
        (Some(accuracy), Some(floor)) => accuracy <= floor + 2.0 * settings.equivalence_margin,
        _ => true,
    }
}

/// The answer to the first question.
pub fn answer(evidence: &Evidence<'_>, settings: &AuditSettings) -> Answer {
    let decisive = &evidence.decisive;
    let with =
        |of: &dyn Fn(&VerdictFinding) -> bool| -> Vec<Intervention> { decisive.iter().filter(|v| of(v)).map(|v| v.intervention).collect() };
    let found = |content, rule: &str, on: Vec<Intervention>| Answer { content, rule: rule.into(), on, category: None, needed: None };
    let (used, misleading) = (with(&|v| moves(v, -1.0)), with(&|v| moves(v, 1.0)));
    match (used.is_empty(), misleading.is_empty()) {
        (false, false) => {
            let rule = "exchanges disagree: foreign content lowers accuracy under one and raises it under another";
            return found(Content::Undecided, rule, [used, misleading].concat());
        }
        (false, true) => {
            let rule = "under a decisive exchange accuracy falls by at least the margin, and the choice with it";
            return found(Content::Used, rule, used);
        }
        (true, false) => {
            let rule = "under a decisive exchange accuracy rises by at least the margin, and the choice with it";
            return found(Content::Misleading, rule, misleading);
        }
        (true, true) => {}
    }
    let kind = |role: Role| decisive.iter().any(|v| v.role == role);
    let both_kinds = kind(Role::ExchangesVectors) && kind(Role::ExchangesKeysValues);
    if !both_kinds || !evidence.missing.is_empty() {
        let names: Vec<String> = evidence.missing.iter().map(ToString::to_string).collect();
        let rule = match names.is_empty() {
            true => "both kinds of exchange are needed, of vectors and of keys and values".to_string(),
            false => format!("not all of the declared content set was run: {} is missing", names.join(", ")),
        };
        return found(Content::Undecided, &rule, Vec::new());
    }
    let weak = with(&|v| !is_strong(v));
    if !weak.is_empty() {
        return found(Content::Undecided, "a decisive intervention put in hardly anything else than what was there", weak);
    }
    let guesses = guesses(evidence.accuracy_low, evidence.floor, settings);
    let unchanged = decisive.iter().all(|v| is_unchanged(v));
    let equivalent = decisive.iter().all(|v| v.accuracy_equivalent && v.choice_equivalent);
    if guesses && (unchanged || equivalent) {
        let rule = "the clean accuracy is not above a guess by question type by twice the margin: a model that guesses depends on nothing";
        return found(Content::Undecided, rule, Vec::new());
    }
    let all = || decisive.iter().map(|v| v.intervention).collect::<Vec<_>>();
    if unchanged || equivalent {
        let tests = evidence.categories.len();
        let of = |what: &dyn Fn(&CategoryFinding, Shows) -> bool| evidence.categories.iter().find(|c| what(c, shows(c, tests, settings)));
        // Resampling can only refute: a loss under it leaves the question open.
        let lost_in_exchange = |c: &CategoryFinding, found: Shows| found == Shows::Loss && c.intervention.role().is_exchange();
        if let Some(category) = of(&lost_in_exchange) {
            let rule = format!("the whole shows no loss, the category `{}` does", category.category);
            let on = vec![category.intervention];
            return Answer { category: Some(category.clone()), ..found(Content::InPart, &rule, on) };
        }
        if let Some(category) = of(&|_, found| found != Shows::Nothing) {
            let rule = format!(
                "the whole shows no loss, and in the category `{}` one under an exchange is neither shown nor excluded",
                category.category
            );
            let needed = needed_in_category(category, decisive, settings);
            return Answer { needed, ..found(Content::Undecided, &rule, vec![category.intervention]) };
        }
        return match unchanged {
            true => {
                found(Content::NotUsed, "in every decisive intervention fewer answers change than the margin, by the upper bound", all())
            }
            false => {
                let rule = "answers change, and in every decisive intervention accuracy and choice are equivalent within the margin";
                found(Content::WithoutNetEffect, rule, all())
            }
        };
    }
    let open = with(&|v| !is_unchanged(v));
    // Not the bound, which more examples raise: the accuracy itself.
    if self::guesses(evidence.accuracy, evidence.floor, settings) {
        let rule = "neither a loss, nor its absence, is shown, and the clean accuracy is not above a guess by question type by twice the \
                    margin: more examples alone would not decide it";
        return found(Content::Undecided, rule, open);
    }
    let needed = decisive.iter().filter(|v| !is_unchanged(v)).filter_map(|v| needed(v)).max();
    Answer { needed, ..found(Content::Undecided, "neither a loss, nor its absence, is shown under every decisive intervention", open) }
}

/// Examples that would decide an open intervention, at the share of changed answers and the discordance seen.
fn needed(v: &VerdictFinding) -> Option<usize> {
    let smoothed = (v.changed_answers as f64 + 0.5) / (v.examples as f64 + 1.0);
    let by_bound = needed_for_unchanged(smoothed, v.margin, v.alpha, POWER);
    let discordance = (v.discordant as f64 + 1.0) / (v.examples as f64 + 2.0);
    let worth = v.changed_worth.unwrap_or(v.examples as f64).max(1.0) / v.examples.max(1) as f64;
    let by_bound = by_bound.map(|n| (n as f64 / worth).ceil() as usize);
    let by_equivalence = needed_for_equivalence(discordance, v.margin, v.alpha, POWER);
    Some(by_bound.map_or(by_equivalence, |n| n.min(by_equivalence)).max(v.examples + 1))
}

/// Examples of the whole benchmark of which the category would hold enough, at its share and at what the examples of the whole are worth.
fn needed_in_category(category: &CategoryFinding, decisive: &[&VerdictFinding], settings: &AuditSettings) -> Option<usize> {
    let smoothed = (category.changed_answers as f64 + 0.5) / (category.examples as f64 + 1.0);
    let here = needed_for_unchanged(smoothed, settings.category_margin, settings.alpha, POWER)?;
    let whole = decisive.iter().find(|v| v.intervention == category.intervention)?;
    let examples = whole.examples.max(1) as f64;
    let worth = whole.changed_worth.unwrap_or(examples).max(1.0);
    let scaled = here as f64 * (examples / category.examples.max(1) as f64) * (examples / worth);
    Some((scaled.ceil() as usize).max(whole.examples + 1))
}

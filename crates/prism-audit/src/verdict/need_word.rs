//! The second question: is the block needed? Read from the declared presence set alone. A model that
//! was always trained to open its block has not learnt to do without: needed is not useful.

use prism_run::{Action, Effect, Intervention, Need};

use super::effect::{loses, shown};
use crate::findings::VerdictFinding;

/// The answer, its clause, and what it rests on.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The answer.
    pub need: Need,
    /// The clause of the rule.
    pub rule: String,
    /// The interventions it rests on.
    pub on: Vec<Intervention>,
}

/// The answer to the second question, from the members of the declared set that were run. `remove` decides: it is the block
/// left out. `markers`, an opened block with nothing in it, decides only where no `remove` was run, for a model that can leave
/// the block out may still trip over an empty one. Where `remove` loses answers because they cannot be parsed, and too few are
/// left to tell the choice, the choice is read from `format`, which puts the clean run's words around the answer.
pub fn answer(declared: &[&VerdictFinding], guesses: bool) -> Answer {
    let presence = declared;
    let removed: Vec<&VerdictFinding> =
        presence.iter().copied().filter(|v| v.intervention.action == Action::Remove && v.holm_p.is_some()).collect();
    let presence = if removed.is_empty() { presence } else { removed.as_slice() };
    let found = |need, rule: &str, on: Vec<Intervention>| Answer { need, rule: rule.into(), on };
    let with =
        |of: &dyn Fn(&VerdictFinding) -> bool| -> Vec<Intervention> { presence.iter().filter(|v| of(v)).map(|v| v.intervention).collect() };
    let ran = with(&|v| v.holm_p.is_some());
    if ran.is_empty() {
        return found(Need::NotDefined, "the block was left out in no example: not asked for, or the protocol cannot", Vec::new());
    }
    let needed = with(&needs);
    let in_the_way = with(&|v| shown(v, 1.0) && by_margin(v, 1.0));
    match (needed.is_empty(), in_the_way.is_empty()) {
        (false, false) => {
            let rule = "leaving the block out lowers accuracy in one way and raises it in another";
            return found(Need::Undecided, rule, [needed, in_the_way].concat());
        }
        (false, true) => {
            return found(Need::Needed, "without the block accuracy falls by at least the margin, the choice included", needed);
        }
        (true, false) => return found(Need::InTheWay, "without the block accuracy rises by at least the margin", in_the_way),
        (true, true) => {}
    }
    if let Some(formless) = presence.iter().find(|v| is_formless(v)) {
        return match read_with_its_form(formless, declared) {
            Some((need, rule, on)) => found(need, rule, on),
            None => found(Need::Undecided, "without the block answers cannot be parsed, so the choice is not known: run `format`", ran),
        };
    }
    let same = |v: &VerdictFinding| matches!(v.verdict, Effect::Unchanged | Effect::Equivalent);
    let form = with(&|v| v.verdict == Effect::BreaksForm);
    let lost_nothing = presence.iter().filter(|v| v.holm_p.is_some()).all(|v| same(v));
    if guesses && (!form.is_empty() || lost_nothing) {
        let rule = "the clean accuracy is not above a guess by question type by twice the margin: a model that guesses has nothing to lose";
        return found(Need::Undecided, rule, Vec::new());
    }
    if !form.is_empty() {
        return found(Need::OnlyForm, "without the block answers cannot be parsed, and the choice is equivalent", form);
    }
    if lost_nothing {
        return found(Need::Indifferent, "without the block accuracy and choice are equivalent within the margin", ran);
    }
    let open = with(&|v| v.holm_p.is_some() && !same(v));
    found(Need::Undecided, "neither a loss, nor a gain, nor equivalence is shown without the block", open)
}

/// Whether accuracy changes by at least the margin.
fn by_margin(v: &VerdictFinding, sign: f64) -> bool {
    v.delta.is_some_and(|d| d * sign >= v.margin)
}

/// Whether accuracy and choice fall, each by at least the margin.
fn needs(v: &VerdictFinding) -> bool {
    loses(v) && by_margin(v, -1.0) && v.choice_delta.is_some_and(|d| d <= -v.margin)
}

/// Whether accuracy falls, most of the lost answers cannot be parsed, and of the choice nothing is shown.
fn is_formless(v: &VerdictFinding) -> bool {
    shown(v, -1.0) && by_margin(v, -1.0) && 2 * v.lost_unparsed > v.lost && !v.choice_equivalent && !loses(v)
}

/// The answer where the form of answers is given back. A loss then is one of the choice. That there is none shows nothing:
/// the clean run's words may carry what the block said.
fn read_with_its_form(formless: &VerdictFinding, declared: &[&VerdictFinding]) -> Option<(Need, &'static str, Vec<Intervention>)> {
    let format = declared.iter().find(|v| v.intervention.action == Action::Format && v.holm_p.is_some())?;
    let on = vec![formless.intervention, format.intervention];
    Some(match needs(format) {
        true => {
            (Need::Needed, "without the block answers cannot be parsed; with the clean run's words around the answer the choice falls", on)
        }
        false => {
            let rule = "without the block answers cannot be parsed; with the clean run's words around the answer no loss is shown, \
                        and these words may carry what the block said";
            (Need::Undecided, rule, on)
        }
    })
}

//! The word of one intervention, from its numbers alone.

use prism_run::{Action, Class, Effect, View};

use crate::findings::VerdictFinding;

/// Whether accuracy falls, and among answers parsed both ways it falls too (each after Holm).
pub fn loses(v: &VerdictFinding) -> bool {
    shown(v, -1.0) && chosen(v, -1.0)
}

/// Whether accuracy rises, and the choice with it.
pub fn gains(v: &VerdictFinding) -> bool {
    shown(v, 1.0) && chosen(v, 1.0)
}

/// Whether accuracy changes in this direction after Holm.
pub fn shown(v: &VerdictFinding, sign: f64) -> bool {
    v.holm_p.is_some_and(|p| p < v.alpha) && v.delta.is_some_and(|d| d * sign > 0.0)
}

/// Whether the choice does.
fn chosen(v: &VerdictFinding, sign: f64) -> bool {
    v.choice_holm_p.is_some_and(|p| p < v.alpha) && v.choice_delta.is_some_and(|d| d * sign > 0.0)
}

/// Whether it put in enough to test anything. What takes the block away, and what changes the image, always does;
/// where the latents are the same for every example an exchange puts in what was there, and that is all it can do.
/// Of content whose strength was not recorded nothing is known.
pub fn is_strong(v: &VerdictFinding) -> bool {
    match v.class {
        Class::Presence => true,
        Class::Control if v.intervention.action == Action::Clean => true,
        Class::Content => v.nothing_to_exchange || v.strength.is_some_and(|strength| strength >= v.strength_floor),
        _ => v.strength.is_none_or(|strength| strength >= v.strength_floor),
    }
}

/// Whether the bound on changed answers lies below the margin.
pub fn is_unchanged(v: &VerdictFinding) -> bool {
    v.changed_bound.is_some_and(|bound| bound < v.margin)
}

/// The word, once the family's p are adjusted.
pub fn word(v: &VerdictFinding) -> Effect {
    let breaks = shown(v, -1.0) && v.choice_equivalent && 2 * v.lost_unparsed > v.lost;
    if v.holm_p.is_none() {
        return if v.baseline { Effect::NoLatents } else { Effect::NotDefined };
    }
    let (strong, equivalent) = (is_strong(v), v.accuracy_equivalent && v.choice_equivalent);
    match () {
        () if strong && is_unchanged(v) => Effect::Unchanged,
        () if strong && equivalent => Effect::Equivalent,
        () if breaks => Effect::BreaksForm,
        () if loses(v) => Effect::Loses,
        () if gains(v) => Effect::Gains,
        () if !strong && (v.strength.is_some() || v.class != Class::Content) => Effect::TooWeak,
        () => Effect::Undecided,
    }
}

/// The figures in one line.
pub fn figures(v: &VerdictFinding) -> String {
    let (Some(delta), Some(low), Some(high), Some(holm)) = (v.delta, v.delta_low, v.delta_high, v.holm_p) else {
        return match v.verdict {
            Effect::NotDefined if v.intervention.view == View::Open => {
                "it could be done in no example whose block opened: records/examples.parquet says why (`message`)".into()
            }
            Effect::NotDefined => {
                format!("nothing to compare with, or it could be done in no example: run `{}` with it", v.intervention.baseline())
            }
            _ => "the latent block opened in no example that ran both ways".into(),
        };
    };
    let points = |share: f64| 100.0 * share;
    let mut text = format!(
        "{:+.1} points [{:+.1}, {:+.1}] of {} (p {}, Holm {} over {}); {} answers changed, at most {} %",
        points(delta),
        points(low),
        points(high),
        v.examples,
        p(v.clustered_p.or(v.mcnemar_p)),
        p(Some(holm)),
        v.tests,
        v.changed_answers,
        v.changed_bound.map_or("n/a".into(), |b| format!("{:.1}", points(b))),
    );
    match (v.nothing_to_exchange, v.strength) {
        (true, _) => text.push_str("; the latents are the same in every example, so nothing was exchanged"),
        (false, Some(strength)) => text.push_str(&format!("; strength {strength:.2}")),
        (false, None) if v.class == Class::Presence => {}
        (false, None) => text.push_str("; strength not recorded"),
    }
    if v.lost_unparsed > 0 {
        text.push_str(&format!(
            "; {} of {} lost answers cannot be parsed, among the {} parsed both ways {} points (Holm {})",
            v.lost_unparsed,
            v.lost,
            v.choice_examples,
            v.choice_delta.map_or("n/a".into(), |d| format!("{:+.1}", points(d))),
            p(v.choice_holm_p),
        ));
    }
    text
}

/// A p as it is printed.
pub fn p(p: Option<f64>) -> String {
    match p {
        None => "n/a".into(),
        Some(p) if p < 0.001 => "below 0.001".into(),
        Some(p) => format!("{p:.3}"),
    }
}
